//! B15: what server and app take while nothing happens.

use std::time::Duration;

use anyhow::Result;

use crate::{app::App, device, fill, machine, server::Running};

const PROPOSALS: u64 = 1_000;
/// Until everything that follows a start is over.
const SETTLE: Duration = Duration::from_secs(30);
const WATCHED: Duration = Duration::from_secs(120);

pub(crate) fn run() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Running::start(folder.path())?;
    device::runtime()?.block_on(async {
        println!("  B15 server, just started: {} MB resident", server.rss_mb()?);
        fill::fill(&server, 0, PROPOSALS).await?;
        let (desktop, app) = App::signed_in(&server).await?;
        tokio::time::sleep(SETTLE).await;
        let share = |before: Duration, after: Duration| {
            (after - before).as_secs_f64() / WATCHED.as_secs_f64() * 100.0
        };
        let desk = app.processes(&desktop)?;
        let before = (machine::processor_time(&desk), server.processor_time()?);
        tokio::time::sleep(WATCHED).await;
        let after = (machine::processor_time(&desk), server.processor_time()?);
        println!(
            "  B15 app, connected and idle for {} s: {:.2} % of a processor; {}",
            WATCHED.as_secs(),
            share(before.0, after.0),
            machine::load()?
        );
        println!(
            "  B15 server, idle with {PROPOSALS} proposals: {:.2} % of a processor, {} MB resident",
            share(before.1, after.1),
            server.rss_mb()?
        );
        app.rows().await?;
        println!("  checked: the app is connected to the end");
        app.window.await_text("Up to date", SETTLE).await
    })
}

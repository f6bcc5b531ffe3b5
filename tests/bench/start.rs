//! B14: the app with 100,000 proposals on its disk: from its start to an inbox that one can work in, and what it takes of
//! the memory. And B8 once more, through the window's own bridge to the core.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::{app::App, device, fill, machine, server::Running, times::Times};

const PROPOSALS: u64 = 100_000;
const STARTS: usize = 7;
const TIMES: usize = 1_000;

/// Asks the core for a page, a card and a search, one after the other.
const ASK: &str = "
    const [times] = arguments;
    (async () => {
        const ask = async (into, command, form) => {
            const begin = performance.now();
            const answer = await window.__TAURI_INTERNALS__.invoke(command, form);
            into.push(performance.now() - begin);
            return answer;
        };
        const page = (into, search) =>
            ask(into, 'inbox', { query: { view: 'to_decide', search, risk: null, after: null, limit: 50 } });
        const pages = [], cards = [], searches = [];
        const typed = 'invoice nordwind';
        let rows = 0, opened = 0;
        for (let time = 0; time < times; time++) {
            const answer = await page(pages, null);
            rows += answer.rows.length;
            const card = await ask(cards, 'card', { id: answer.rows[time % answer.rows.length].id });
            opened += card.id === answer.rows[time % answer.rows.length].id;
            await page(searches, typed.slice(0, 1 + time % typed.length));
        }
        window.measured = { pages, cards, searches, rows, opened };
    })().catch((error) => { window.measured = { error: String(error?.message ?? error) }; });";

pub(crate) fn run() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Running::start(folder.path())?;
    device::runtime()?.block_on(async {
        fill::fill(&server, 0, PROPOSALS).await?;
        let (desktop, app) = App::signed_in(&server).await?;
        bridge(&app).await?;
        app.end(&desktop).await?;

        let mut ready = Times::default();
        let mut memory = Vec::new();
        for _ in 0..STARTS {
            let app = App::start(&desktop).await?;
            app.rows().await?;
            // Seen from outside: the driver's own start and its questions are in it.
            ready.add(machine::age(app.processes(&desktop)?[0])?);
            tokio::time::sleep(Duration::from_secs(10)).await;
            let processes = app.processes(&desktop)?;
            memory.push(machine::memory_mb(&processes));
            app.window
                .await_text("Up to date", Duration::from_secs(30))
                .await?;
            app.end(&desktop).await?;
        }
        memory.sort_unstable();
        println!(
            "  B14 warm start until the inbox with its rows is seen from outside: {ready}; {}",
            machine::load()?
        );
        println!(
            "  B14 memory of all processes after 10 s: {} MB PSS (median)",
            memory[STARTS / 2]
        );
        Ok(())
    })
}

/// B8 through the bridge.
async fn bridge(app: &App) -> Result<()> {
    let measured = app.measure(ASK, json!([TIMES])).await?;
    ensure!(measured["error"].is_null(), "{}", measured["error"]);
    ensure!(
        measured["rows"] == TIMES * 50 && measured["opened"] == TIMES,
        "{} rows and {} cards",
        measured["rows"],
        measured["opened"]
    );
    for (what, name) in [
        ("page of 50", "pages"),
        ("open a card", "cards"),
        ("search typed", "searches"),
    ] {
        let times: Times = measured[name]
            .as_array()
            .context("times")?
            .iter()
            .filter_map(serde_json::Value::as_f64)
            .map(|ms| Duration::from_secs_f64(ms / 1000.0))
            .collect();
        println!(
            "  B8 through the window's bridge, {what}: {times}; {}",
            machine::load()?
        );
    }
    Ok(())
}

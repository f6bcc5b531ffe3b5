//! B9: from a key that approves to the next row, painted. The page goes on only when the core has answered, and the core
//! answers when the decision is on the disk.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::{app::App, device, fill, machine, server::Running, times::Times};

const PROPOSALS: u64 = 2_000;
const KEYS: usize = 60;

/// Waits for the key, then for another selected row, then for the frame that shows it.
const WATCH: &str = "
    const selected = () => document.querySelector('[role=option][aria-selected=true]')?.id;
    const before = selected();
    window.measured = null;
    addEventListener('keydown', (event) => {
        const watcher = new MutationObserver(() => {
            const now = selected();
            if (!now || now === before) return;
            watcher.disconnect();
            requestAnimationFrame(() => setTimeout(() => {
                window.measured = [before, now, performance.now() - event.timeStamp];
            }));
        });
        watcher.observe(document.body, { subtree: true, childList: true, attributes: true });
    }, { once: true, capture: true });";

pub(crate) fn run() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Running::start(folder.path())?;
    device::runtime()?.block_on(async {
        fill::fill(&server, 0, PROPOSALS).await?;
        let (_desktop, app) = App::signed_in(&server).await?;
        let mut times = Times::default();
        let mut decided = std::collections::BTreeSet::new();
        for _ in 0..KEYS {
            app.window
                .find(
                    "//button[starts-with(normalize-space(), 'Approve')][not(@aria-disabled)]",
                    LATE,
                )
                .await?;
            app.window.run(WATCH, json!([])).await?;
            app.window.press("a").await?;
            let measured = app.measured().await?;
            let row = measured[0].as_str().context("a row")?;
            ensure!(decided.insert(row.to_owned()), "{row} was decided twice");
            let ms = measured[2].as_f64().context("a time")?;
            times.add(Duration::from_secs_f64(ms / 1000.0));
        }
        println!("  B9 key to the next row, painted: {times}; {}", machine::load()?);
        check(&server).await
    })
}

const LATE: Duration = Duration::from_secs(30);

/// Every key made one task.
async fn check(server: &Running) -> Result<()> {
    let tasks = async || -> Result<usize> {
        let mut person = crate::http::Connection::open(&server.address, &server.person()).await?;
        let (mut next, mut tasks) = (String::new(), 0);
        loop {
            let (_, page) = person.get(&format!("/api/tasks?limit=200{next}")).await?;
            let page: serde_json::Value = serde_json::from_slice(&page)?;
            tasks += page["tasks"].as_array().context("no tasks")?.len();
            match page["next"].as_str() {
                Some(key) => next = format!("&after={key}"),
                None => return Ok(tasks),
            }
        }
    };
    countersign_e2e::eventually("a task for each key", LATE, async || {
        Ok((tasks().await? == KEYS).then_some(()))
    })
    .await?;
    println!("  checked: {KEYS} keys made {KEYS} tasks");
    Ok(())
}

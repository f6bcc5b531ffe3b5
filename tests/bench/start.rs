//! B14: the app with 100,000 proposals on its disk: from its start to an inbox that one can work in, and what it takes of
//! the memory. And B8 once more, through the window's own bridge to the core.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use countersign_e2e::desktop::Desktop;
use serde_json::json;

use crate::{
    app::App,
    device, fill, machine,
    server::Running,
    times::{Times, ms},
};

const PROPOSALS: u64 = 100_000;
const STARTS: usize = 7;
const TIMES: usize = 1_000;

/// When the page had its rows and its card: the last answer of the core that they wait for, and the frame after it.
/// Milliseconds since the page began, and how long ago that was.
const READY: &str = "
    const answers = performance.getEntriesByType('resource')
        .filter((entry) => /ipc.*(app_state|inbox|card)/.test(entry.name))
        .map((entry) => [entry.name.split('/').pop(), entry.responseEnd]);
    return { answers, paint: performance.getEntriesByType('paint').map((entry) => [entry.name, entry.startTime]),
             now: performance.now() };";

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
        let desktop = Desktop::start().await?;
        let app = App::start(&desktop).await?;
        app.sign_in(&server).await?;
        bridge(&app).await?;
        app.close(&desktop).await?;

        let mut ready = Times::default();
        let mut memory = Vec::new();
        for _ in 0..STARTS {
            let app = App::start(&desktop).await?;
            app.rows().await?;
            ready.add(interactive(&app, &desktop).await?);
            tokio::time::sleep(Duration::from_secs(10)).await;
            let processes = app.processes(&desktop)?;
            memory.push(machine::memory_mb(&processes));
            app.window
                .await_text("Up to date", Duration::from_secs(30))
                .await?;
            app.close(&desktop).await?;
        }
        memory.sort_unstable();
        println!(
            "  B14 warm start to an inbox with its card: {ready}; {}",
            machine::load()?
        );
        println!(
            "  B14 memory of all processes after 10 s: {} MB PSS (median)",
            memory[STARTS / 2]
        );
        Ok(())
    })
}

/// How long the app had run when the last answer was there that the inbox and its card are made of.
async fn interactive(app: &App, desktop: &Desktop) -> Result<Duration> {
    let processes = app.processes(desktop)?;
    let seen = app.window.run(READY, json!([])).await?;
    let age = machine::age(processes[0])?;
    let answers = seen["answers"].as_array().context("answers of the core")?;
    let first = |name: &str| {
        answers
            .iter()
            .find(|answer| answer[0] == name)
            .and_then(|answer| answer[1].as_f64())
            .with_context(|| format!("no answer to {name} in {seen}"))
    };
    let ready = first("inbox")?.max(first("card")?);
    let now = seen["now"].as_f64().context("a time")?;
    let since = Duration::from_secs_f64((now - ready) / 1000.0);
    println!(
        "    process {} old, page {now:.0} ms, ready at {ready:.0} ms; paint {}",
        ms(age),
        seen["paint"]
    );
    Ok(age - since)
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

//! B8 once more, as the window asks: through its bridge to the core.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::{app::App, machine, times::Times};

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

/// Measures a page, a card and a search in a signed-in app.
pub(crate) async fn measure(app: &App) -> Result<()> {
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
            "    through the window's bridge, {what}: {times}; {}",
            machine::load()?
        );
    }
    Ok(())
}

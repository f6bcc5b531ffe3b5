//! The emergency stop: two clicks in the tray, seen on every page, ended with a typed word where nobody else decides.

use anyhow::{Context, Result, ensure};
use countersign_e2e::desktop::Desktop;
use countersign_e2e::tray::{Icon, Tray};
use serde_json::json;

use crate::app::{LATER, SOON};
use crate::office::at_work;
use crate::stage::{Stage, story};

const STOP: &str = "Stop now: nothing begins until it is released";
const STOPPED: &str = "Everything is stopped: open Countersign to release it";

#[tokio::test]
async fn a_manager_stops_everything_in_two_clicks_and_what_was_approved_runs_after_the_release() -> Result<()>
{
    story("stopping", tell).await
}

async fn tell(stage: &mut Stage, [desktop]: &mut [Desktop; 1]) -> Result<()> {
    stage.step("A manager is at work at a desktop with a tray")?;
    let tray = Tray::attach(desktop).await?;
    let (_company, agent, app) = at_work(desktop).await?;
    app.go("gi", "Inbox").await?;

    stage.step("They stop everything in the tray; every page says so")?;
    let icon = tray.await_icon(STOP, SOON, |icon| has(icon, STOP)).await?;
    tray.press(&icon, STOP).await?;
    app.says("Everything: stopped.").await?;
    app.says("You stopped it").await?;
    tray.await_icon(STOPPED, SOON, |icon| has(icon, STOPPED)).await?;
    stage.picture(&app, "everything-is-stopped").await?;

    stage.step("An approval counts meanwhile, and nothing begins")?;
    let task = agent
        .propose(json!({"text": "create task: Wait for the release"}))
        .await?;
    app.window.find(&format!("#row-{task}"), SOON).await?;
    app.select(&task).await?;
    app.armed("Approve").await?;
    app.keys("a").await?;
    agent.wait_for(&task, "pending", LATER).await?;
    let state = agent.look(&task).await?;
    ensure!(state["execution"].is_null(), "it has begun: {state}");

    stage.step("Released with a typed word, it runs once")?;
    app.press("Release").await?;
    app.click("//*[@role='dialog']//button[normalize-space()='Release']")
        .await?;
    app.says("Type “release” to confirm it.").await?;
    stage.picture(&app, "the-release-is-confirmed").await?;
    app.fill("Type “release” to release it", "release").await?;
    app.click("//*[@role='dialog']//button[normalize-space()='Release']")
        .await?;
    app.no_longer_says("Everything: stopped.").await?;
    let done = agent.wait_for(&task, "completed", LATER).await?;
    done["execution"]["begunAt"].as_str().context("it has run")?;
    Ok(())
}

fn has(icon: &Icon, label: &str) -> bool {
    icon.menu
        .iter()
        .any(|entry| entry.label == label || entry.entries.iter().any(|inner| inner.label == label))
}

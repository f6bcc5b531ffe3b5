//! What is left to show: a journal saved through the system's own dialog and checked by a program that knows nothing of the
//! app, and what a desktop has signed before its person lost it.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use countersign_e2e::desktop::Desktop;
use countersign_e2e::{eventually, workspace_binary};
use serde_json::json;

use crate::app::{LATER, SOON};
use crate::devices::confirmed;
use crate::office::at_work;
use crate::stage::{Stage, story};

/// The title of the system's dialog.
const DIALOG: &str = "Save the journal";

#[tokio::test]
async fn a_manager_saves_the_journal_in_the_systems_dialog_and_anybody_can_check_it() -> Result<()> {
    story("auditing", tell).await
}

async fn tell(stage: &mut Stage, [desktop]: &mut [Desktop; 1]) -> Result<()> {
    stage.step("A manager has decided something")?;
    let (_company, agent, app) = at_work(desktop).await?;
    let task = agent
        .propose(json!({ "text": "create task: Book the hall" }))
        .await?;
    app.select(&task).await?;
    app.armed("Approve").await?;
    app.keys("a").await?;
    agent.wait_for(&task, "completed", LATER).await?;

    stage.step("Who does not want to save after all is where they were")?;
    app.go("gs", "Settings").await?;
    app.press("Save the journal").await?;
    app.says("Choose where in the dialog that has opened.").await?;
    in_front(desktop, DIALOG).await?;
    stage.screen(desktop, "the-systems-dialog")?;
    press(desktop, &["key", "Escape"])?;
    app.no_longer_says("Choose where").await?;

    stage.step("The journal is saved where they say")?;
    let file = desktop.data_folder().join("evidence.bundle");
    app.press("Save the journal").await?;
    in_front(desktop, DIALOG).await?;
    save_as(desktop, &file).await?;
    app.says("saved:").await?;
    let down = "document.querySelector('[role=status] code').scrollIntoView({ block: 'end' })";
    app.window.run(down, json!([])).await?;
    stage.picture(&app, "the-journal-is-saved").await?;

    stage.step("Somebody without the app checks it, as the page says")?;
    let check = app.text("[role=status] code").await?;
    let (_, key) = check.split_once("--trust ").context("the command names a key")?;
    let verified = Command::new(workspace_binary("countersign-verify")?)
        .arg(&file)
        .args(["--trust", key.trim()])
        .output()?;
    let said = String::from_utf8_lossy(&verified.stdout);
    ensure!(verified.status.success(), "{said}");
    stage.step(said.lines().next().context("it says something")?)?;

    stage.step("By night as well")?;
    app.click("//label[normalize-space()='Dark']").await?;
    app.window.run(down, json!([])).await?;
    stage.picture(&app, "the-journal-is-saved-by-night").await
}

#[tokio::test]
async fn what_a_lost_desktop_has_signed_is_looked_at_and_trusted_less() -> Result<()> {
    story("lost", lose).await
}

async fn lose(stage: &mut Stage, [first, second]: &mut [Desktop; 2]) -> Result<()> {
    stage.step("A manager approves on two desktops")?;
    let (company, agent, here) = at_work(first).await?;
    let there = confirmed(&company, &here, second).await?;
    let task = agent
        .propose(
            json!({ "text": "create task: Book the hall for the summer party of everybody in the house" }),
        )
        .await?;
    there.select(&task).await?;
    there.armed("Approve").await?;
    there.keys("a").await?;
    agent.wait_for(&task, "completed", LATER).await?;

    stage.step("The second is lost, and taken out of service")?;
    here.go("gd", "People & devices").await?;
    here.click("//li[not(contains(., 'this device'))]//button[starts-with(@aria-label, 'Revoke')]")
        .await?;
    here.fill("Reason", "Left on the train").await?;
    stage.picture(&here, "revoking").await?;
    here.click("//*[@role='dialog']//button[normalize-space()='Revoke']")
        .await?;
    there.says("This device was taken out of service.").await?;

    stage.step("What ran on its word is listed, and leads to each")?;
    here.press("What ran on").await?;
    here.says("Book the hall for the summer party").await?;
    stage.picture(&here, "what-ran").await?;
    here.click("//*[@role='dialog']//button[normalize-space()='Open']")
        .await?;
    here.card(&task).await
}

/// Waits for the window of this name, and gives it the keyboard.
async fn in_front(desktop: &Desktop, name: &str) -> Result<()> {
    eventually(&format!("a window {name:?}"), SOON, async || {
        let search = [
            "search",
            "--onlyvisible",
            "--name",
            name,
            "windowactivate",
            "--sync",
        ];
        let found = desktop.command("xdotool").args(search).output()?;
        Ok(found.status.success().then_some(()))
    })
    .await
}

/// Types a whole path where the dialog has the name, and saves.
async fn save_as(desktop: &Desktop, file: &Path) -> Result<()> {
    let path = file.to_str().context("a path of letters")?;
    press(desktop, &["key", "ctrl+a"])?;
    press(desktop, &["type", path])?;
    press(desktop, &["key", "Return"])?;
    eventually("the file", SOON, async || Ok(file.is_file().then_some(()))).await
}

/// Presses keys, as a keyboard does: the system's dialogs take none that are sent to them.
fn press(desktop: &Desktop, keys: &[&str]) -> Result<()> {
    let pressed = desktop.command("xdotool").args(keys).status()?;
    ensure!(pressed.success(), "xdotool {keys:?}");
    Ok(())
}

//! The first start on one's own computer.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use countersign_e2e::desktop::Desktop;
use countersign_e2e::{eventually, workspace_binary};

use crate::app::{App, LATER, SOON, Shown, app_folder, key};
use crate::stage::{Stage, story};

#[tokio::test]
async fn a_first_start_on_this_computer_ends_with_something_to_decide() -> Result<()> {
    story("first-run", tell).await
}

async fn tell(stage: &mut Stage, [desktop]: &mut [Desktop; 1]) -> Result<()> {
    stage.step("A person starts the app on their own computer")?;
    let app = App::start(desktop).await?;
    app.press("On this computer").await?;
    app.fill("Your name", "Ada Lovelace").await?;
    stage.picture(&app, "on-this-computer").await?;
    app.press("Start").await?;

    stage.step("It shows a line that an agent can be connected with, and the line works")?;
    app.window.await_text("Ready. Connect an agent", LATER).await?;
    stage.picture(&app, "connect-an-agent").await?;
    let line = app.text("pre").await?;
    let asked = desktop.command("sh").args(["-c", &line]).output()?;
    let answer = String::from_utf8_lossy(&asked.stdout).into_owned();
    ensure!(
        asked.status.success(),
        "{line} failed: {}",
        String::from_utf8_lossy(&asked.stderr)
    );
    let answer: serde_json::Value = serde_json::from_str(&answer).with_context(|| answer.clone())?;
    let proposal = answer["proposalRecord"]["aiToolCallId"]
        .as_str()
        .with_context(|| answer.to_string())?;

    stage.step("The samples and the agent's proposal wait in the inbox; the health check has run")?;
    app.press("Open the inbox").await?;
    eventually("four proposals to decide", SOON, async || {
        Ok((app.window.query_all("[role=option]").await?.len() == 4).then_some(()))
    })
    .await?;
    app.select(proposal).await?;
    app.armed("Approve").await?;
    stage.picture(&app, "inbox").await?;

    stage.step("A text that tries to look like another is shown for what it is")?;
    let hostile = "//*[@role='option'][contains(., 'Pay invoice')]";
    app.click(hostile).await?;
    app.card_says("<b>today</b>", SOON).await?;
    ensure!(
        app.window.query("section[aria-label='Card'] b").await?.is_none(),
        "text from outside makes no element"
    );
    let seen = app.text("section[aria-label='Card']").await?;
    ensure!(
        !seen.contains('\u{202e}'),
        "a character that turns text around is never drawn as itself: {seen:?}"
    );
    stage.picture(&app, "a-hostile-text").await?;

    stage.step("A request of one's own is typed, and taken back")?;
    app.keys("n").await?;
    app.window.find("#request", SOON).await?;
    app.keys("create task: Tidy up the archive").await?;
    app.armed("Propose").await?;
    app.keys(key::ENTER).await?;
    app.click("//*[@role='option'][contains(., 'Tidy up the archive')]")
        .await?;
    app.armed("Withdraw").await?;
    stage.picture(&app, "a-request-of-ones-own").await?;
    app.keys("w").await?;
    app.says("Taken back by you, can be undone").await?;
    stage.picture(&app, "taken-back").await?;
    app.go("gh", "Done").await?;
    app.click("//*[@role='option'][contains(., 'Tidy up the archive')]")
        .await?;
    app.card_says("Taken back by you", SOON).await?;

    stage.step("Without a tray closing minimises the window, and starting the app again brings it back")?;
    app.close(desktop, &Shown::Minimised).await?;
    app.start_again(desktop, &[]).await?;
    app.is_shown(desktop, &Shown::Normal).await
}

#[tokio::test]
async fn a_machine_without_a_screen_finds_an_agents_key_in_a_file_of_its_owner_and_in_no_log() -> Result<()> {
    story("unasked", tell_unasked).await
}

async fn tell_unasked(stage: &mut Stage, [desktop]: &mut [Desktop; 1]) -> Result<()> {
    stage.step("The app is started as `make run` does where nobody sees it")?;
    let program = workspace_binary("countersign")?;
    let mut unseen = desktop.command(&program);
    unseen
        .arg("--on-this-computer")
        .stdout(desktop.log_file("unseen")?)
        .stderr(desktop.log_file("unseen")?);
    let mut running = unseen.spawn()?;
    let output = desktop.log_folder().join("unseen.log");
    let line = eventually("the line that proposes", LATER, async || {
        let said = fs::read_to_string(&output)?;
        let found = said.lines().find_map(|line| {
            line.strip_prefix("A line that proposes, with an agent's key, is in ")
                .map(str::to_owned)
        });
        Ok(found)
    })
    .await?;

    stage.step("The line is for its owner only, works, and its key is in no log")?;
    ensure!(mode(Path::new(&line))? == 0o600, "{line} is for its owner only");
    let asked = desktop.command("sh").arg(&line).output()?;
    let answer = String::from_utf8_lossy(&asked.stdout).into_owned();
    ensure!(answer.contains("aiToolCallId"), "{line} proposes: {answer}");
    running.kill()?;
    running.wait()?;
    let app = App::start(desktop).await?;
    eventually("four proposals to decide", SOON, async || {
        Ok((app.window.query_all("[role=option]").await?.len() == 4).then_some(()))
    })
    .await?;
    let command = fs::read_to_string(&line)?;
    let key = command
        .split_once("Bearer ")
        .and_then(|(_, rest)| rest.split_once('\''))
        .map(|(key, _)| key)
        .context("the line has a key")?;
    app.go("gs", "Settings").await?;
    app.says("org.countersign.desktop/log/countersign.log").await?;
    stage.picture(&app, "where-the-log-is").await?;
    let log = app_folder(desktop).join("log/countersign.log");
    ensure!(mode(&log)? == 0o600, "the log is for its owner only");
    for file in [&log, &output] {
        let text = fs::read_to_string(file)?;
        ensure!(!text.is_empty(), "{} has something", file.display());
        ensure!(!text.contains(key), "{} has the key", file.display());
    }
    Ok(())
}

fn mode(path: &Path) -> Result<u32> {
    Ok(fs::metadata(path)?.permissions().mode() & 0o777)
}

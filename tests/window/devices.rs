//! A person's second desktop: its own data, session bus and keyring, and nothing in common with the first but the company.

use anyhow::{Context, Result, ensure};
use countersign_e2e::desktop::Desktop;
use countersign_e2e::eventually;
use serde_json::json;

use crate::app::{App, LATER, SOON};
use crate::company::Company;
use crate::office::{at_work, sign_in};
use crate::stage::{Stage, story};

/// What a confirmation is typed in.
const DIALOG: &str = "[role=dialog]";

#[tokio::test]
async fn a_second_desktop_counts_once_the_first_has_confirmed_its_code() -> Result<()> {
    story("devices", tell).await
}

async fn tell(stage: &mut Stage, [first, second]: &mut [Desktop; 2]) -> Result<()> {
    stage.step("A person signs in on a desktop: it is their first, and counts at once")?;
    let (company, agent, here) = at_work(first).await?;

    stage.step("They sign in on a second desktop, and it waits")?;
    let there = App::start(second).await?;
    sign_in(&there, &company).await?;
    let code = code_of(&there).await?;
    stage.picture(&there, "the-second-waits").await?;
    let task = agent
        .propose(json!({ "text": "create task: Book the hall" }))
        .await?;
    there.press("Read the inbox meanwhile").await?;
    there.select(&task).await?;
    there
        .card_says("This device is not in service yet.", SOON)
        .await?;
    ensure!(!there.is_armed("Approve").await?, "it reads, and decides nothing");
    there.press("Show the code").await?;

    stage.step("The first shows that it asks; another code confirms nothing")?;
    here.says("asks to sign in your name").await?;
    stage.picture(&here, "the-first-is-asked").await?;
    here.press("Look at it").await?;
    here.press("Confirm").await?;
    let wrong = if code == "000000" { "000001" } else { "000000" };
    here.fill("Code", wrong).await?;
    here.press("It is mine").await?;
    here.says("The new device shows another code.").await?;
    stage.picture(&here, "another-code").await?;
    there.says("Have this device confirmed").await?;

    stage.step("The code that it shows does, and pressing twice is pressing once")?;
    here.fill("Code", &format!("{} {}", &code[..3], &code[3..]))
        .await?;
    stage.picture(&here, "its-code").await?;
    let twice = "const act = [...document.querySelectorAll('[role=dialog] button')]
        .find((one) => one.textContent.includes('It is mine')); act.click(); act.click();";
    here.window.run(twice, json!([])).await?;
    gone(&here, DIALOG).await?;
    here.no_longer_says("asks to sign in your name").await?;
    here.no_longer_says("Waits to be confirmed").await?;
    stage.picture(&here, "confirmed").await?;

    stage.step("The second goes on by itself, and what is approved there counts")?;
    there.select(&task).await?;
    there.armed("Approve").await?;
    stage.picture(&there, "the-second-goes-on").await?;
    there.keys("a").await?;
    let detail = agent.wait_for(&task, "completed", LATER).await?;
    ensure!(detail["decisions"][0]["verdict"] == "approve", "{detail}");
    Ok(())
}

#[tokio::test]
async fn a_second_desktop_that_is_refused_says_so_and_can_be_left() -> Result<()> {
    story("refused", refuse).await
}

async fn refuse(stage: &mut Stage, [first, second]: &mut [Desktop; 2]) -> Result<()> {
    stage.step("Somebody signs in on a desktop that its person does not know")?;
    let (company, agent, here) = at_work(first).await?;
    let task = agent
        .propose(json!({ "text": "create task: Book the hall" }))
        .await?;
    let there = App::start(second).await?;
    sign_in(&there, &company).await?;
    code_of(&there).await?;

    stage.step("The person revokes it, and it says so and decides nothing")?;
    here.says("asks to sign in your name").await?;
    here.press("Look at it").await?;
    // Of both rows only the one that waits has a button beside its own.
    here.click("//li[contains(., 'Waits to be confirmed')]//button[starts-with(@aria-label, 'Revoke')]")
        .await?;
    here.fill("Reason", "Not mine").await?;
    stage.picture(&here, "refusing").await?;
    here.click("//*[@role='dialog']//button[normalize-space()='Revoke']")
        .await?;
    here.no_longer_says("asks to sign in your name").await?;
    there.says("This device was taken out of service.").await?;
    there.select(&task).await?;
    ensure!(!there.is_armed("Approve").await?, "nothing is decided there");
    stage.picture(&there, "refused").await?;

    stage.step("Whoever sits there signs out; on the first everything goes on")?;
    there.go("gs", "Settings").await?;
    there.press("Sign out").await?;
    there
        .click("//*[@role='dialog']//button[normalize-space()='Sign out']")
        .await?;
    there.says("Sign in again").await?;
    here.go("gi", "Inbox").await?;
    here.select(&task).await?;
    here.armed("Approve").await?;
    here.keys("a").await?;
    agent.wait_for(&task, "completed", LATER).await.map(drop)
}

/// Signs in on another desktop, and confirms its code on the first.
pub(crate) async fn confirmed(company: &Company, first: &App, second: &Desktop) -> Result<App> {
    let there = App::start(second).await?;
    sign_in(&there, company).await?;
    let code = code_of(&there).await?;
    first.says("asks to sign in your name").await?;
    first.press("Look at it").await?;
    first.press("Confirm").await?;
    first.fill("Code", &code).await?;
    first.press("It is mine").await?;
    there.no_longer_says("Have this device confirmed").await?;
    Ok(there)
}

/// The six digits that a desktop shows while it waits.
async fn code_of(app: &App) -> Result<String> {
    app.says("Have this device confirmed").await?;
    let shown = app.text("main .tabular").await?;
    let code: String = shown.chars().filter(char::is_ascii_digit).collect();
    ensure!(code.len() == 6, "six digits, and not {shown:?}");
    Ok(code)
}

async fn gone(app: &App, selector: &str) -> Result<()> {
    eventually(&format!("{selector} gone"), SOON, async || {
        Ok(app.window.query(selector).await?.is_none().then_some(()))
    })
    .await
    .with_context(|| "a dialog that is done closes")
}

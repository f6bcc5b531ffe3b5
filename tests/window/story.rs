//! The main job, end to end: agents propose, a manager decides at the desktop, also while cut off, and what was approved
//! runs once.

use anyhow::{Context, Result, ensure};
use countersign_e2e::desktop::Desktop;
use countersign_e2e::eventually;
use countersign_e2e::notifications::{self, Recorder};
use countersign_e2e::smtp::{Mail, MailServer};
use countersign_e2e::tray::Tray;
use serde_json::json;

use crate::app::{App, LATER, SOON, Shown, key};
use crate::company::{Agent, Company};
use crate::office::{EMAIL, PASSWORD, add_mail};
use crate::stage::{Stage, story};

const TASK: &str = "Review quarterly report";
const SUBJECT: &str = "Invoice 2026-0412 approved for payment";
const REASON: &str = "We never pay this one in advance.";

#[tokio::test]
async fn what_a_manager_approves_runs_once_also_when_it_was_decided_while_cut_off() -> Result<()> {
    story("story", tell).await
}

async fn tell(stage: &mut Stage, [desktop]: &mut [Desktop; 1]) -> Result<()> {
    let tray = Tray::attach(desktop).await?;
    let notices = Recorder::listen(desktop).await?;
    let mail_server = MailServer::start()?;

    stage.step("A company serves its tenant, and an agent has a key")?;
    let (mut company, agent) = Company::found(desktop, EMAIL, PASSWORD)?;

    stage.step("The manager starts the app and signs in")?;
    let mut app = App::start(desktop).await?;
    sign_in(stage, &app, &company).await?;

    stage.step("The manager adds the company's mail")?;
    add_mail(stage, &app, &mail_server).await?;

    stage.step("The agent proposes a mail (high), a task (medium) and a health check (low)")?;
    let mail = agent
        .propose_mail("billing@nordwind.example", SUBJECT, &letter())
        .await?;
    let task = agent
        .propose(json!({ "text": format!("create task: {TASK}") }))
        .await?;
    let health = agent.propose(json!({ "text": "system health" })).await?;
    agent.wait_for(&health, "completed", LATER).await?;
    stage.step("The low one has run by itself")?;
    for id in [&mail, &task] {
        assert_eq!(
            agent.look(id).await?["status"],
            "proposed",
            "nobody has decided it"
        );
    }

    stage.step("The tray says 2; one notification, for the high one, and it opens the card")?;
    tray.await_icon("2 in its first line", SOON, |icon| {
        icon.menu
            .first()
            .is_some_and(|first| first.label.starts_with("2 to decide"))
    })
    .await?;
    let notice = notices.find("high risk", SOON).await?;
    assert_eq!(notice.urgency, 2, "high risk is critical urgency");
    assert!(
        !notice.body.contains("nordwind"),
        "a lock screen may show it: {}",
        notice.body
    );
    notifications::await_displayed(desktop, 1, SOON).await?;
    stage.screen(desktop, "notification")?;
    // Where a tray is, closing the window only puts it away.
    app.close(desktop, &Shown::Hidden).await?;
    notifications::press(desktop, "Open")?;
    app.is_shown(desktop, &Shown::Normal).await?;
    app.card(&mail).await?;
    // What was opened is not left lying on the screen.
    notifications::await_displayed(desktop, 0, SOON).await?;
    app.says("Inbox").await?;
    assert_eq!(
        notices.all().len(),
        1,
        "only what is high or critical interrupts: {:?}",
        notices.all()
    );
    stage.picture(&app, "opened-from-the-notification").await?;

    stage.step("The manager approves the task with the keyboard")?;
    app.keys(key::ESCAPE).await?;
    app.select(&task).await?;
    app.armed("Approve").await?;
    stage.picture(&app, "the-task").await?;
    app.keys("a").await?;
    app.go("gh", "Done").await?;
    app.select(&task).await?;
    app.card_says("Done", LATER).await?;
    stage.picture(&app, "the-task-is-done").await?;
    app.go("gt", "Tasks").await?;
    app.says(TASK).await?;
    stage.picture(&app, "tasks").await?;

    stage.step("The tenant is cut off")?;
    company.cut_off()?;
    app.says("Offline.").await?;

    stage.step("The manager reads the mail to its end and approves it")?;
    app.go("gi", "Inbox").await?;
    read_and_approve(stage, &app, &mail).await?;
    saved(&app, &mail).await?;
    stage.picture(&app, "saved-on-this-device").await?;
    assert_eq!(
        mail_server.mails()?,
        [],
        "nothing runs from a device that is cut off"
    );

    stage.step("The app is killed and started again: the decision is there")?;
    app.kill(desktop).await?;
    app = App::start(desktop).await?;
    app.says("Offline. What you see is").await?;
    saved(&app, &mail).await?;
    stage.picture(&app, "still-saved-after-a-crash").await?;
    assert_eq!(mail_server.mails()?, [], "a start does not send either");

    stage.step("The tenant comes back: the decision counts, and after its hold the mail leaves, once")?;
    company.serve(desktop)?;
    app.no_longer_says("Offline.").await?;
    // The hold is short: a slow machine may see the card only after it.
    let card = app.card_says_one_of(&["Held until", "Done"], LATER).await?;
    assert!(
        card.contains("Take back") || card.contains("Done"),
        "what is held can be taken back: {card}"
    );
    stage.picture(&app, "held").await?;
    let detail = agent.wait_for(&mail, "completed", LATER).await?;
    assert_eq!(
        detail["decisions"][0]["offline"], true,
        "it says how it was decided: {detail}"
    );
    app.go("gh", "Done").await?;
    app.select(&mail).await?;
    app.card_says("Done", SOON).await?;
    stage.picture(&app, "the-mail-is-done").await?;
    as_it_was_approved(&mail_server.mails()?, &mail)?;

    stage.step("The journal verifies from its first entry")?;
    app.go("gs", "Settings").await?;
    app.press("Verify from the first entry").await?;
    app.says("lead to the root that the tenant has signed").await?;
    stage.picture(&app, "journal").await?;
    app.click("//label[normalize-space()='Dark']").await?;
    stage.picture(&app, "settings-dark").await?;

    stage.step("A second mail is rejected with a reason, and the agent that waits is told")?;
    reject_another(stage, &app, &agent).await?;
    assert_eq!(mail_server.mails()?.len(), 1, "what is rejected never leaves");
    Ok(())
}

async fn sign_in(stage: &mut Stage, app: &App, company: &Company) -> Result<()> {
    app.says("Where do you want to use it?").await?;
    stage.picture(app, "first-start").await?;
    app.press("Connect to a company").await?;
    app.fill("Company address", &company.url()).await?;
    app.fill("E-mail", EMAIL).await?;
    app.fill("Password", "not the password").await?;
    app.press("Sign in").await?;
    app.window.find("[role=alert], [aria-invalid]", SOON).await?;
    stage.picture(app, "wrong-password").await?;
    app.fill("Password", PASSWORD).await?;
    app.press("Sign in").await?;
    app.says("No agent has asked for anything yet").await?;
    app.says("Up to date").await?;
    stage.picture(app, "empty-inbox").await
}

async fn read_and_approve(stage: &mut Stage, app: &App, mail: &str) -> Result<()> {
    app.select(mail).await?;
    app.keys(key::ENTER).await?;
    app.card_says("Read to the end first.", SOON).await?;
    ensure!(
        !app.is_armed("Approve").await?,
        "a grave card is read before it is approved"
    );
    stage.picture(app, "the-mail-before-it-is-read").await?;
    // Page by page, as a reader: a key pressed while the page still moves adds nothing.
    eventually("the end of the mail", LATER, async || {
        app.keys(key::PAGE_DOWN).await?;
        Ok(app.is_armed("Approve").await?.then_some(()))
    })
    .await?;
    stage.picture(app, "the-mail-read-to-its-end").await?;
    app.keys("a").await?;
    app.says("Nothing waits for you").await?;
    stage.picture(app, "approved-while-cut-off").await
}

/// The card says that the decision is on this device, and until when it counts.
async fn saved(app: &App, mail: &str) -> Result<()> {
    app.go("gp", "In progress").await?;
    app.select(mail).await?;
    app.card_says("Saved on this device. Counts only if sent before ", SOON)
        .await?;
    app.says("1 to send").await
}

async fn reject_another(stage: &mut Stage, app: &App, agent: &Agent) -> Result<()> {
    let advance = "Please send us an invoice; we pay 12,400.00 EUR before Friday.";
    let mail = agent
        .propose_mail("sales@halden.example", "Advance payment for order 4711", advance)
        .await?;
    // The agent waits while the person reads and types.
    let waiting = agent.wait_for(&mail, "rejected", LATER);
    let (detail, ()) = tokio::try_join!(waiting, reject(stage, app, &mail))?;
    assert_eq!(
        detail["decisions"][0]["comment"], REASON,
        "the agent reads why: {detail}"
    );
    assert_eq!(detail["decisions"][0]["verdict"], "reject", "and what: {detail}");
    app.go("gh", "Done").await?;
    app.select(&mail).await?;
    app.card_says("Rejected by you", SOON).await?;
    app.card_says(REASON, SOON).await?;
    stage.picture(app, "rejected-dark").await
}

async fn reject(stage: &mut Stage, app: &App, mail: &str) -> Result<()> {
    app.go("gi", "Inbox").await?;
    app.select(mail).await?;
    app.keys(key::ENTER).await?;
    app.armed("Reject").await?;
    stage.picture(app, "a-mail-dark").await?;
    app.keys("r").await?;
    app.window.find("#reject-reason", SOON).await?;
    app.keys(REASON).await?;
    stage.picture(app, "rejecting-dark").await?;
    app.keys(key::ENTER).await
}

/// One mail has arrived, and it is the one that was approved.
fn as_it_was_approved(mails: &[Mail], proposal: &str) -> Result<()> {
    let [mail] = mails else {
        anyhow::bail!("exactly one mail arrives: {mails:?}");
    };
    assert_eq!(mail.from, "office@acme.example");
    assert_eq!(mail.to, ["billing@nordwind.example"]);
    let text = String::from_utf8(mail.bytes.clone())?;
    let (head, body) = text
        .split_once("\r\n\r\n")
        .context("a mail has a head and a body")?;
    let headers: Vec<&str> = head.split("\r\n").collect();
    for wanted in [
        "From: office@acme.example".to_owned(),
        "To: billing@nordwind.example".to_owned(),
        format!("Subject: {SUBJECT}"),
        format!("Message-ID: <{proposal}@acme.example>"),
        "Content-Type: text/plain; charset=utf-8".to_owned(),
    ] {
        assert!(
            headers.contains(&wanted.as_str()),
            "{wanted:?} is a header of\n{head}"
        );
    }
    assert_eq!(body, letter().replace('\n', "\r\n"), "the text, to the byte");
    Ok(())
}

/// Longer than the card is high, so that its end has to be looked for. Ends with a newline, as texts do.
fn letter() -> String {
    let items: String = (1..=32)
        .map(|item| format!("{item:>2}. Consulting in week {item}, 8 hours: 960.00 EUR\n"))
        .collect();
    format!(
        "Dear Nordwind team,\n\nwe have checked your invoice 2026-0412, position by position:\n\n{items}\n\
         The total of 30,720.00 EUR leaves our account on 1 December.\n\nKind regards\nAcme\n"
    )
}

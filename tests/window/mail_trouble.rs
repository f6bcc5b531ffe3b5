//! A mail server that says no, and one that takes a mail and never says so: what the manager reads, and that nothing is
//! sent twice.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use countersign_e2e::desktop::Desktop;
use countersign_e2e::eventually;
use countersign_e2e::smtp::{MailServer, Mode};

use crate::app::{App, LATER, SOON, key};
use crate::company::Agent;
use crate::office::{add_mail, at_work};
use crate::stage::{Stage, story};

#[tokio::test]
async fn a_mail_that_is_refused_has_failed_and_one_that_nobody_answers_for_is_unknown() -> Result<()> {
    story("mail-trouble", tell).await
}

async fn tell(stage: &mut Stage, [desktop]: &mut [Desktop; 1]) -> Result<()> {
    stage.step("A manager is at work, and the company's mail is added")?;
    let mut server = MailServer::start()?;
    let (_company, agent, app) = at_work(desktop).await?;
    add_mail(stage, &app, &server).await?;

    stage.step("The server refuses a mail that was approved: it has failed, with what the server said")?;
    server.set(Mode::RefuseData)?;
    let refused = approve(&app, &agent, "Offer for the hall").await?;
    let detail = agent.wait_for(&refused, "failed", LATER).await?;
    ensure!(
        server.mails()?.is_empty(),
        "a refused mail has not arrived: {detail}"
    );
    app.go("gh", "Done").await?;
    app.select(&refused).await?;
    app.card_says("Failed: ", SOON).await?;
    stage.picture(&app, "failed").await?;

    stage.step("The server takes a mail and never says so: nobody knows, and it says that")?;
    server.set(Mode::DropAfterData)?;
    let lost = approve(&app, &agent, "Order of 200 chairs").await?;
    agent.wait_for(&lost, "unknown", LATER).await?;
    let row = format!("#row-{lost}");
    // Not among what is done: somebody has to look for it.
    app.go("gp", "In progress").await?;
    app.select(&lost).await?;
    app.card_says("Unknown, it may have happened.", SOON).await?;
    app.card_says("It is not tried again.", SOON).await?;
    let listed = app.text(&row).await?;
    ensure!(listed.contains("Unknown"), "the list says so too: {listed:?}");
    stage.picture(&app, "unknown").await?;

    stage.step("Nothing sends it again: not a server that works, not the app's next start")?;
    let arrived = server.mails()?;
    let [mail] = &arrived[..] else {
        anyhow::bail!("it has arrived, once: {arrived:?}");
    };
    let text = String::from_utf8(mail.bytes.clone())?;
    ensure!(
        text.contains(&format!("Message-ID: <{lost}@acme.example>")),
        "by its Message-ID a person finds it: {text}"
    );
    server.set(Mode::Accept)?;
    app.kill(desktop).await?;
    let app = App::start(desktop).await?;
    app.says("Up to date").await?;
    let next = approve(&app, &agent, "Thanks for the visit").await?;
    agent.wait_for(&next, "completed", LATER).await?;
    let subjects: Vec<String> = server
        .mails()?
        .iter()
        .map(|mail| subject(&mail.bytes))
        .collect::<Result<_>>()?;
    // What was approved after both has been sent, so both had their time.
    ensure!(
        subjects == ["Order of 200 chairs", "Thanks for the visit"],
        "each that arrived has arrived once: {subjects:?}"
    );
    for (id, status) in [(&refused, "failed"), (&lost, "unknown")] {
        let detail = agent.look(id).await?;
        ensure!(detail["status"] == status, "it stays {status}: {detail}");
    }

    stage.step("It stands first in the inbox, until the manager has looked and says what they found")?;
    app.go("gi", "Inbox").await?;
    app.select(&lost).await?;
    app.says("then say what you found").await?;
    stage.picture(&app, "what-became-of-it").await?;
    app.fill("How do you know?", "It is in their inbox.").await?;
    app.press("It happened").await?;
    let settled = agent.wait_for(&lost, "completed", LATER).await?;
    let said = &settled["execution"]["resolution"]["said"][0];
    ensure!(
        said["note"] == "It is in their inbox.",
        "with how they know: {settled}"
    );
    app.go("gh", "Done").await?;
    app.select(&lost).await?;
    app.card_says("It happened, said you", SOON).await?;
    stage.picture(&app, "settled").await
}

/// Has a mail proposed and approved at the desktop.
async fn approve(app: &App, agent: &Agent, subject: &str) -> Result<String> {
    let mail = agent
        .propose_mail(
            "hall@nordwind.example",
            subject,
            "Dear Nordwind team,\n\nas agreed.\n",
        )
        .await?;
    app.go("gi", "Inbox").await?;
    app.select(&mail).await?;
    // The preview may come while it is read: then the card has changed, and is opened and read again.
    eventually("an approved mail", LATER, async || {
        app.keys(key::ENTER).await?;
        app.armed("Approve").await?;
        app.keys("a").await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let left = app.window.query(&format!("#row-{mail}")).await?;
        Ok(left.is_none().then_some(()))
    })
    .await?;
    Ok(mail)
}

fn subject(mail: &[u8]) -> Result<String> {
    let text = String::from_utf8(mail.to_vec())?;
    let found = text.lines().find_map(|line| line.strip_prefix("Subject: "));
    found.map(str::to_owned).with_context(|| text.clone())
}

//! The tray and the notices of the running app, on a real desktop: what a person presses there, and what is taken back.

use anyhow::{Result, ensure};
use countersign_e2e::desktop::Desktop;
use countersign_e2e::notifications::{self, Recorder};
use countersign_e2e::smtp::MailServer;
use countersign_e2e::tray::{Icon, Tray};

use crate::app::{SOON, Shown};
use crate::company::reject_elsewhere;
use crate::office::{EMAIL, PASSWORD, add_mail, at_work};
use crate::stage::{Stage, story};

const PAUSE: &str = "Pause notifications";
const RESUME: &str = "Resume notifications";

#[tokio::test]
async fn the_tray_opens_pauses_and_ends_the_app_and_a_notice_goes_when_it_is_decided_elsewhere() -> Result<()>
{
    story("tray", tell).await
}

async fn tell(stage: &mut Stage, [desktop]: &mut [Desktop; 1]) -> Result<()> {
    stage.step("A manager is at work at a desktop with a tray")?;
    let tray = Tray::attach(desktop).await?;
    let notices = Recorder::listen(desktop).await?;
    let mail_server = MailServer::start()?;
    let (company, agent, app) = at_work(desktop).await?;
    add_mail(stage, &app, &mail_server).await?;
    app.go("gi", "Inbox").await?;

    stage.step("They pause the notices in the tray: what is grave waits, and says nothing")?;
    tray.press(&offers(&tray, PAUSE).await?, PAUSE).await?;
    let paused = offers(&tray, RESUME).await?;
    let first = agent
        .propose_mail("billing@nordwind.example", "Invoice 1", "Please pay.")
        .await?;
    app.window.find(&format!("#row-{first}"), SOON).await?;
    await_count(&tray, "1 to decide").await?;
    ensure!(notices.all().is_empty(), "paused: {:?}", notices.all());

    stage.step("They let them come again, and what waits is said")?;
    tray.press(&paused, RESUME).await?;
    offers(&tray, PAUSE).await?;
    notifications::await_displayed(desktop, 1, SOON).await?;
    stage.screen(desktop, "a-notice")?;

    stage.step("It is rejected elsewhere: the notice goes, and so does the row")?;
    let who = (EMAIL, PASSWORD);
    reject_elsewhere(&company, &agent, who, &first, "Paid already.").await?;
    notifications::await_displayed(desktop, 0, SOON).await?;
    await_count(&tray, "Nothing to decide").await?;
    app.says("Nothing waits for you").await?;
    ensure!(notices.all().len() == 1, "said once: {:?}", notices.all());

    stage.step("The tray brings the window back that was closed")?;
    app.close(desktop, &Shown::Hidden).await?;
    tray.press(&offers(&tray, "Open Countersign").await?, "Open Countersign")
        .await?;
    app.is_shown(desktop, &Shown::Normal).await?;

    stage.step("Its end in the tray is the end, also of the notices that are on the screen")?;
    agent
        .propose_mail("billing@nordwind.example", "Invoice 2", "Please pay.")
        .await?;
    notifications::await_displayed(desktop, 1, SOON).await?;
    tray.press(&offers(&tray, "Quit").await?, "Quit").await?;
    app.has_ended(desktop).await?;
    notifications::await_displayed(desktop, 0, SOON).await
}

/// The icon, once its menu has this entry.
async fn offers(tray: &Tray, label: &str) -> Result<Icon> {
    tray.await_icon(label, SOON, |icon| {
        icon.menu.iter().any(|entry| entry.label == label)
    })
    .await
}

async fn await_count(tray: &Tray, words: &str) -> Result<()> {
    let first = |icon: &Icon| {
        icon.menu
            .first()
            .is_some_and(|first| first.label.starts_with(words))
    };
    tray.await_icon(words, SOON, first).await.map(drop)
}

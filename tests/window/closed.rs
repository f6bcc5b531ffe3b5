//! What cannot open: the app says why, and goes on once nothing is in the way, without being ended first.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context, Result};
use countersign_e2e::desktop::Desktop;
use countersign_e2e::eventually;

use crate::app::{App, LATER, SOON, app_folder};
use crate::stage::{Stage, story};

const PORT_TAKEN: &str = "Another program uses 127.0.0.1:";

#[tokio::test]
async fn an_app_that_cannot_open_says_why_and_goes_on_once_nothing_is_in_its_way() -> Result<()> {
    story("closed", tell).await
}

async fn tell(stage: &mut Stage, [desktop]: &mut [Desktop; 1]) -> Result<()> {
    stage.step("A person has set the app up on their own computer")?;
    let app = App::start(desktop).await?;
    app.press("On this computer").await?;
    app.fill("Your name", "Ada Lovelace").await?;
    app.press("Start").await?;
    app.window.await_text("Ready. Connect an agent", LATER).await?;
    app.kill(desktop).await?;

    stage.step("Another program has taken its address: the app says so, and where its log is")?;
    let other = take_its_port(desktop).await?;
    let app = App::start(desktop).await?;
    cannot_open(&app).await?;
    app.says("org.countersign.desktop/log/countersign.log").await?;
    stage.picture(&app, "cannot-open").await?;

    stage.step(
        "Trying again changes nothing while that program runs; the session's token is not shown to it",
    )?;
    app.press("Try again").await?;
    cannot_open(&app).await?;
    app.start_again(desktop, &[]).await?;
    cannot_open(&app).await?;
    assert_silence(&other)?;

    stage.step("Once it has ended, Try again opens the inbox")?;
    drop(other);
    app.press("Try again").await?;
    app.window.find("[role=option]", LATER).await?;
    stage.picture(&app, "open").await?;
    app.kill(desktop).await?;

    stage.step("Starting the app again, as a person does, is another try")?;
    let other = take_its_port(desktop).await?;
    let app = App::start(desktop).await?;
    cannot_open(&app).await?;
    drop(other);
    app.start_again(desktop, &[]).await?;
    app.window.find("[role=option]", LATER).await?;
    app.kill(desktop).await?;

    stage.step("And Quit ends it there too")?;
    let _other = take_its_port(desktop).await?;
    let app = App::start(desktop).await?;
    cannot_open(&app).await?;
    app.quit(desktop).await
}

async fn cannot_open(app: &App) -> Result<()> {
    app.window.await_text("Countersign cannot open", LATER).await?;
    app.window
        .find("//button[normalize-space()='Try again']", LATER)
        .await?;
    app.says(PORT_TAKEN).await
}

/// Listens where the app's tenant does, as another program may that was started first.
async fn take_its_port(desktop: &Desktop) -> Result<TcpListener> {
    let marker = app_folder(desktop).join("tenant.json");
    let marker: serde_json::Value = serde_json::from_slice(&fs::read(marker)?)?;
    let port = marker["port"].as_u64().context("the marker names a port")?;
    let address = (Ipv4Addr::LOCALHOST, u16::try_from(port)?);
    // A killed app is gone a moment before its address is free.
    let listener = eventually("a free address", SOON, async || {
        Ok(TcpListener::bind(address).ok())
    })
    .await?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Nobody has called.
fn assert_silence(listener: &TcpListener) -> Result<()> {
    match listener.accept() {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(()),
        Err(error) => Err(error.into()),
        Ok((_, caller)) => anyhow::bail!("{caller} called while another program was listening"),
    }
}

//! A manager at work: signed in to a company, at a desktop that sends its mail.

use anyhow::Result;
use countersign_e2e::desktop::Desktop;
use countersign_e2e::smtp::MailServer;

use crate::app::{App, SOON};
use crate::company::{Agent, Company};
use crate::stage::Stage;

pub(crate) const EMAIL: &str = "ada@acme.example";
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// A company, its agent, and its owner at a desktop that counts.
pub(crate) async fn at_work(desktop: &Desktop) -> Result<(Company, Agent, App)> {
    let (company, agent) = Company::found(desktop, EMAIL, PASSWORD)?;
    let app = App::start(desktop).await?;
    sign_in(&app, &company).await?;
    app.says("No agent has asked for anything yet").await?;
    app.says("Up to date").await?;
    Ok((company, agent, app))
}

/// Signs in to the company on a desktop that was never used.
pub(crate) async fn sign_in(app: &App, company: &Company) -> Result<()> {
    app.press("Connect to a company").await?;
    app.fill("Company address", &company.url()).await?;
    app.fill("E-mail", EMAIL).await?;
    app.fill("Password", PASSWORD).await?;
    app.press("Sign in").await
}

/// Adds the company's mail, to be sent from this desktop.
pub(crate) async fn add_mail(stage: &mut Stage, app: &App, server: &MailServer) -> Result<()> {
    app.go("gc", "Connections").await?;
    app.press("Add a connection").await?;
    app.fill("Name", "Company mail").await?;
    app.fill("Server", "127.0.0.1").await?;
    app.choose("Encryption", "None (this computer only)").await?;
    app.fill("Port", &server.port().to_string()).await?;
    app.fill("Sender address", "office@acme.example").await?;
    stage.picture(app, "add-a-connection").await?;
    app.click("//form//button[normalize-space()='Add']").await?;
    app.says("Ready: runs from this device").await?;
    app.press("Test Company mail").await?;
    app.window.find("li .text-good", SOON).await?;
    stage.picture(app, "connections").await
}

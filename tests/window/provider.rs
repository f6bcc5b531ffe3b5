//! Somebody comes in with the company's own sign-in: through the button, their browser and the provider's forms.

use anyhow::{Result, ensure};
use countersign_e2e::desktop::Desktop;
use countersign_e2e::eventually;
use countersign_e2e::provider::{BOB, Browser, OpenIdProvider};

use crate::app::{App, SOON};
use crate::company::{Company, invite_elsewhere};
use crate::office::{EMAIL, PASSWORD};
use crate::stage::{Stage, story};

const BUTTON: &str = "Sign in with Acme ID";

#[tokio::test]
async fn somebody_comes_in_through_the_providers_button_and_their_browser() -> Result<()> {
    story("provider", tell).await
}

async fn tell(stage: &mut Stage, [desktop]: &mut [Desktop; 1]) -> Result<()> {
    stage.step("A company whose people sign in with its provider, and somebody who is invited")?;
    let mut provider = OpenIdProvider::start()?;
    provider.account(&BOB)?;
    let served = provider.served("countersign");
    let (company, agent) = Company::found_with(desktop, EMAIL, PASSWORD, served)?;
    invite_elsewhere(&company, &agent, (EMAIL, PASSWORD), BOB.email).await?;

    stage.step("The company's address brings its button")?;
    let app = App::start(desktop).await?;
    app.press("Connect to a company").await?;
    app.fill("Company address", &company.url()).await?;
    app.fill("E-mail", BOB.email).await?;
    app.says(BUTTON).await?;
    stage.picture(&app, "the-button").await?;

    stage.step("It opens the browser, and can be left")?;
    app.press(BUTTON).await?;
    app.says("Continue in your browser").await?;
    opened(desktop, 1).await?;
    stage.picture(&app, "in-the-browser").await?;
    app.press("Cancel").await?;
    app.no_longer_says("Continue in your browser").await?;

    stage.step("Who says no at the provider is told so")?;
    app.press(BUTTON).await?;
    let page = opened(desktop, 2).await?;
    let shown = Browser::of(BOB.id)?.decline(&page).await?;
    ensure!(shown.contains("You were not signed in"), "{shown}");
    app.says("refused or broken off").await?;
    stage.picture(&app, "refused").await?;

    stage.step("Who signs in there is in, and has the new device confirmed")?;
    app.press(BUTTON).await?;
    let page = opened(desktop, 3).await?;
    let shown = Browser::of(BOB.id)?.agree(&page).await?;
    ensure!(shown.contains("You can close this window"), "{shown}");
    app.says("Have this device confirmed").await?;
    stage.picture(&app, "in").await?;
    app.press("Read the inbox meanwhile").await?;
    app.go("gs", "Settings").await?;
    app.says(BOB.email).await
}

/// The address that was opened as the `count`th.
async fn opened(desktop: &Desktop, count: usize) -> Result<String> {
    eventually("the browser is opened", SOON, async || {
        Ok(desktop.opened().get(count - 1).cloned())
    })
    .await
}

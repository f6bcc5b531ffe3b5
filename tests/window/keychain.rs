//! A keychain that does not open, after an account was made: the real gnome-keyring, locked, then not there at all, and then another one;
//! and another computer, with nothing but a copy.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use countersign_e2e::desktop::{Desktop, Keyring, Part};

use crate::app::{App, LATER, SOON, key};
use crate::stage::{Stage, story};

/// Offered whenever nothing is being asked.
const AGAIN: &str = "//button[normalize-space()='Try again']";

/// Offered where the keychain has no entry of this device.
const ANEW: &str = "//button[normalize-space()='Begin anew']";

#[tokio::test]
async fn without_its_keychain_the_app_opens_and_changes_nothing_and_goes_on_once_it_is_back() -> Result<()> {
    story("keychain", tell).await
}

async fn tell(stage: &mut Stage, [desktop]: &mut [Desktop; 1]) -> Result<()> {
    stage.step("A person has set the app up on their own computer")?;
    let app = App::start(desktop).await?;
    app.press("On this computer").await?;
    app.fill("Your name", "Ada Lovelace").await?;
    app.press("Start").await?;
    app.window.await_text("Ready. Connect an agent", LATER).await?;
    app.press("Open the inbox").await?;
    app.window.find("[role=option]", SOON).await?;
    let proposal = app.text("[role=option] bdi").await?;
    let device = this_device(&app).await?;
    app.kill(desktop).await?;

    stage.step("The keyring is locked: the app says so, and Try again changes nothing")?;
    desktop.start_keyring(Keyring::Locked).await?;
    let before = files(desktop)?;
    ensure!(
        before.keys().any(|path| path.ends_with("device.db")),
        "{:?}",
        before.keys()
    );
    let app = App::start(desktop).await?;
    told_to_unlock(&app).await?;
    stage.picture(&app, "locked").await?;
    app.click(AGAIN).await?;
    told_to_unlock(&app).await?;
    ensure!(
        changed(&before, &files(desktop)?).is_empty(),
        "nothing local is changed"
    );

    stage.step("Unlocked where it runs, Try again opens the same account on the same device")?;
    desktop.unlock_keyring().await?;
    app.click(AGAIN).await?;
    app.window.find("[role=option]", LATER).await?;
    ensure!(
        app.text("[role=option] bdi").await? == proposal,
        "what waited still waits"
    );
    ensure!(this_device(&app).await? == device, "and it was not enrolled anew");
    app.kill(desktop).await?;

    stage.step("No keyring is there at all: the same, until one is")?;
    desktop.stop(Part::Keyring);
    let before = files(desktop)?;
    let app = App::start(desktop).await?;
    app.window
        .await_text("The keychain did not answer", LATER)
        .await?;
    app.says("This computer offers no keychain to this app.").await?;
    app.window.find(AGAIN, SOON).await?;
    stage.picture(&app, "absent").await?;
    app.click(AGAIN).await?;
    app.window.find(AGAIN, LATER).await?;
    app.says("This computer offers no keychain to this app.").await?;
    ensure!(
        changed(&before, &files(desktop)?).is_empty(),
        "nothing local is changed"
    );
    desktop.start_keyring(Keyring::Unlocked).await?;
    app.click(AGAIN).await?;
    app.window.find("[role=option]", LATER).await?;
    ensure!(this_device(&app).await? == device, "the same device again");
    app.go("gi", "Inbox").await?;
    app.keys(key::ENTER).await?;
    app.armed("Reject").await?;
    stage.picture(&app, "open-again").await?;
    app.kill(desktop).await?;

    stage.step(
        "The keyring is lost: the app begins anew with another key, and what is the tenant's is back",
    )?;
    desktop.stop(Part::Keyring);
    fs::remove_dir_all(desktop.data_folder().join("keyrings"))?;
    desktop.start_keyring(Keyring::Unlocked).await?;
    let app = App::start(desktop).await?;
    app.window
        .await_text("The keychain does not know this device", LATER)
        .await?;
    stage.picture(&app, "lost").await?;
    app.click(ANEW).await?;
    app.says("Nothing that was saved here waits to be sent.").await?;
    app.click(&format!("//*[@role='dialog']{ANEW}")).await?;
    app.window.find("[role=option]", LATER).await?;
    ensure!(
        app.text("[role=option] bdi").await? == proposal,
        "what waited still waits"
    );
    app.go("gi", "Inbox").await?;
    app.keys(key::ENTER).await?;
    // The new device is in service.
    app.armed("Approve").await?;
    app.go("gd", "People & devices").await?;
    app.says(", this device").await?;
    let known = app.window.query_all("section:nth-of-type(2) li").await?.len();
    ensure!(known == 2, "the lost device and the new one, and not {known}");
    stage.picture(&app, "begun-anew").await?;

    stage.step("The computer is lost as well: another one goes on from the copy that was made of it")?;
    app.go("gs", "Settings").await?;
    app.press("Back up now").await?;
    app.window.await_text("copied and checked", LATER).await?;
    app.kill(desktop).await?;
    desktop.stop(Part::Keyring);
    fs::remove_dir_all(desktop.data_folder())?;
    fs::create_dir(desktop.data_folder())?;
    desktop.start_keyring(Keyring::Unlocked).await?;
    let app = App::start(desktop).await?;
    app.press("On this computer").await?;
    app.says("Or go on from a copy").await?;
    stage.picture(&app, "a-copy").await?;
    app.click("//button[starts-with(@aria-label, 'Put back the copy of')]")
        .await?;
    app.window.find("[role=option]", LATER).await?;
    ensure!(
        app.text("[role=option] bdi").await? == proposal,
        "what waited still waits"
    );
    app.keys(key::ENTER).await?;
    app.armed("Approve").await?;
    stage.picture(&app, "put-back").await
}

async fn told_to_unlock(app: &App) -> Result<()> {
    app.window
        .await_text("The keychain did not answer", LATER)
        .await?;
    // While it is asked again the button says so.
    app.window.find(AGAIN, LATER).await?;
    app.says("The keychain is locked or did not answer. Nothing was opened")
        .await
}

/// The fingerprint of the one device that this person has.
async fn this_device(app: &App) -> Result<String> {
    app.go("gd", "People & devices").await?;
    app.says(", this device").await?;
    let rows = "section:nth-of-type(2) li";
    let devices = app.window.query_all(rows).await?.len();
    ensure!(devices == 1, "there is one device, and not {devices}");
    let fingerprint = app.text(&format!("{rows} .mono")).await?;
    ensure!(!fingerprint.is_empty(), "a device has a fingerprint");
    Ok(fingerprint)
}

/// What the app has made, byte by byte, but for what its web view keeps for itself.
fn files(desktop: &Desktop) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![desktop.data_folder()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            if path.is_dir() {
                if !path.ends_with("keyrings") {
                    folders.push(path);
                }
            } else if of_the_engine(&path) {
                found.insert(path.clone(), fs::read(&path)?);
            }
        }
    }
    Ok(found)
}

fn of_the_engine(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("device.") || name.starts_with("replica-")
}

fn changed(before: &BTreeMap<PathBuf, Vec<u8>>, after: &BTreeMap<PathBuf, Vec<u8>>) -> Vec<PathBuf> {
    let all = before.keys().chain(after.keys());
    all.filter(|path| before.get(*path) != after.get(*path))
        .cloned()
        .collect()
}

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use countersign_e2e::desktop::Desktop;
use countersign_e2e::repository;
use countersign_e2e::tray::Tray;

const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn the_menu_of_a_tray_icon_is_read_and_its_items_are_pressed() -> Result<()> {
    let desktop = Desktop::start().await?;
    let tray = Tray::attach(&desktop).await?;
    assert!(tray.icons().await?.is_empty());

    let mut program = desktop
        .command("/usr/bin/python3")
        .arg(repository().join("tests/peers/tray_peer.py"))
        .stdout(Stdio::piped())
        .stderr(desktop.log_file("tray-peer")?)
        .spawn()?;
    let mut told = BufReader::new(program.stdout.take().context("piped")?).lines();

    let icon = tray
        .await_icon("the peer's name", SOON, |icon| icon.id == "peer")
        .await?;
    assert_eq!(icon.title, "A tray icon");
    let shown: Vec<&str> = icon
        .menu
        .iter()
        .filter(|entry| !entry.separator)
        .map(|entry| entry.label.as_str())
        .collect();
    assert_eq!(
        shown,
        ["2 to decide", "Open", "Snooze_for an hour", "Pause notifications"]
    );
    assert!(!icon.menu[0].enabled, "the count is no button");
    assert_eq!(
        icon.menu.iter().map(|entry| entry.ticked).next_back(),
        Some(Some(false))
    );

    tray.press(&icon, "Open").await?;
    assert_eq!(told.next().context("it says what was pressed")??, "Open");
    tray.press(&icon, "Pause notifications").await?;
    assert_eq!(told.next().context("it says what was pressed")??, "paused: True");
    let icon = tray
        .await_icon("a tick", SOON, |icon| {
            icon.menu.iter().any(|entry| entry.ticked == Some(true))
        })
        .await?;
    assert!(
        tray.press(&icon, "Not there").await.is_err(),
        "an entry that does not exist cannot be pressed"
    );

    program.kill()?;
    program.wait()?;
    Ok(())
}

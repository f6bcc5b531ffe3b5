use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use countersign_e2e::desktop::{Desktop, Keyring, Part};
use countersign_e2e::eventually;

const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_secret_comes_back_from_the_keyring_of_the_same_desktop() -> Result<()> {
    let desktop = Desktop::start().await?;
    store(&desktop, "correct horse")?;
    assert_eq!(
        lookup(&desktop)?,
        "correct horse",
        "an unlocked keyring keeps what it is given"
    );

    let other = Desktop::start().await?;
    assert_eq!(lookup(&other)?, "", "two desktops share nothing");
    Ok(())
}

#[tokio::test]
async fn a_locked_keyring_gives_nothing_and_the_secret_is_there_after_unlocking() -> Result<()> {
    let mut desktop = Desktop::start().await?;
    store(&desktop, "correct horse")?;

    desktop.start_keyring(Keyring::Locked).await?;
    assert_eq!(lookup(&desktop)?, "", "a locked keyring must not answer");

    desktop.start_keyring(Keyring::Unlocked).await?;
    assert_eq!(
        lookup(&desktop)?,
        "correct horse",
        "locking must not lose anything"
    );
    Ok(())
}

#[tokio::test]
async fn without_a_keyring_the_secret_service_is_absent_and_does_not_come_back_by_itself() -> Result<()> {
    let mut desktop = Desktop::start().await?;
    desktop.stop(Part::Keyring);
    let output = desktop
        .command("secret-tool")
        .args(["lookup", "app", "countersign"])
        .output()?;
    assert!(!output.status.success(), "nobody answers");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains("org.freedesktop.secrets"),
        "the reason names the service: {said}"
    );
    Ok(())
}

#[tokio::test]
async fn no_process_survives_its_desktop() -> Result<()> {
    let desktop = Desktop::start().await?;
    // Left behind on purpose, in a session of its own, so that no signal to a group reaches it.
    let started = desktop
        .command("sh")
        .args(["-c", "setsid sleep 600 & xclock & exit 0"])
        .status()?;
    assert!(started.success());
    let processes = desktop.processes();
    assert!(processes.len() >= 8, "six parts and two programs: {processes:?}");
    drop(desktop);

    let alive: Vec<&u32> = processes.iter().filter(|pid| is_running(**pid)).collect();
    assert!(alive.is_empty(), "still running: {alive:?}");
    Ok(())
}

#[tokio::test]
async fn a_program_is_killed_by_its_path_and_only_on_its_own_desktop() -> Result<()> {
    let (desktop, other) = (Desktop::start().await?, Desktop::start().await?);
    let program = Path::new("/usr/bin/xclock");
    let mut killed = desktop.command(program).spawn()?;
    let mut spared = other.command(program).spawn()?;
    // A program that was only just started is not yet seen as one of the desktop's.
    eventually("the program", SOON, async || {
        Ok(desktop.processes().contains(&killed.id()).then_some(()))
    })
    .await?;
    assert_eq!(desktop.kill(program).await?, 1);
    assert_eq!(killed.wait()?.signal(), Some(9), "it had no chance to clean up");
    assert!(
        spared.try_wait()?.is_none(),
        "the other desktop's program still runs"
    );
    assert_eq!(desktop.kill(program).await?, 0, "there is nothing left to kill");
    spared.kill()?;
    spared.wait()?;
    Ok(())
}

#[tokio::test]
async fn the_screen_can_be_taken_as_a_picture() -> Result<()> {
    let desktop = Desktop::start().await?;
    let picture = desktop.data_folder().join("screen.png");
    desktop.screenshot(&picture)?;
    let bytes = std::fs::read(&picture)?;
    assert!(bytes.starts_with(b"\x89PNG"), "a PNG file");
    assert_eq!(
        (&bytes[16..20], &bytes[20..24]),
        (&1400_u32.to_be_bytes()[..], &900_u32.to_be_bytes()[..])
    );
    Ok(())
}

fn store(desktop: &Desktop, secret: &str) -> Result<()> {
    let file = desktop.data_folder().join("secret");
    std::fs::write(&file, secret)?;
    let stored = desktop
        .command("secret-tool")
        .args(["store", "--label=test", "app", "countersign"])
        .stdin(std::fs::File::open(&file)?)
        .status()?;
    assert!(stored.success(), "an unlocked keyring takes a secret");
    Ok(())
}

fn lookup(desktop: &Desktop) -> Result<String> {
    let output = desktop
        .command("secret-tool")
        .args(["lookup", "app", "countersign"])
        .output()?;
    Ok(String::from_utf8(output.stdout)?)
}

/// A process that ended but was not collected yet is not running.
fn is_running(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        stat.rsplit(") ")
            .next()
            .is_some_and(|rest| !rest.starts_with('Z'))
    })
}

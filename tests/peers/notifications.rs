use std::process::Stdio;
use std::time::Duration;

use anyhow::Result;
use countersign_e2e::desktop::{Desktop, Part};
use countersign_e2e::notifications::{self, Recorder};

const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_notification_is_recorded_counted_and_kept_in_the_history_when_it_is_closed() -> Result<()> {
    let desktop = Desktop::start().await?;
    let recorder = Recorder::listen(&desktop).await?;
    assert_eq!(notifications::displayed(&desktop)?, 0);

    let sent = desktop
        .command("notify-send")
        .args([
            "--app-name=Countersign",
            "--urgency=critical",
            "Send mail",
            "to bob@example.com",
        ])
        .status()?;
    assert!(sent.success());

    let asked = recorder.find("Send mail", SOON).await?;
    assert_eq!(asked.app, "Countersign");
    assert_eq!(asked.body, "to bob@example.com");
    assert_eq!(asked.urgency, 2, "critical");
    notifications::await_displayed(&desktop, 1, SOON).await?;
    assert_eq!(
        notifications::closed(&desktop)?,
        [""; 0],
        "it is still on the screen"
    );

    notifications::close_all(&desktop)?;
    notifications::await_displayed(&desktop, 0, SOON).await?;
    assert_eq!(notifications::closed(&desktop)?, ["Send mail"]);
    assert_eq!(recorder.all().len(), 1, "one request, one notification");
    Ok(())
}

#[tokio::test]
async fn a_click_and_a_button_each_tell_the_program_which_action_it_was() -> Result<()> {
    let desktop = Desktop::start().await?;
    for (wanted, press) in [
        (
            "default",
            (|desktop| notifications::click(desktop, 0)) as fn(&Desktop) -> Result<()>,
        ),
        ("later", |desktop| {
            notifications::press(desktop, "Remind me later")
        }),
    ] {
        let program = desktop
            .command("notify-send")
            .args([
                "--action=default=Open",
                "--action=later=Remind me later",
                "Send mail",
            ])
            .stdout(Stdio::piped())
            .spawn()?;
        notifications::await_displayed(&desktop, 1, SOON).await?;
        press(&desktop)?;
        let told = String::from_utf8(program.wait_with_output()?.stdout)?;
        assert_eq!(told.trim(), wanted);
        notifications::close_all(&desktop)?;
        notifications::await_displayed(&desktop, 0, SOON).await?;
    }
    Ok(())
}

#[tokio::test]
async fn without_a_daemon_a_program_is_told_at_once_and_with_one_again_it_works() -> Result<()> {
    let mut desktop = Desktop::start().await?;
    desktop.stop(Part::Notifications);
    assert!(
        !desktop
            .command("notify-send")
            .arg("Nobody listens")
            .status()?
            .success()
    );
    desktop.restart(Part::Notifications).await?;
    assert!(
        desktop
            .command("notify-send")
            .arg("Somebody listens")
            .status()?
            .success()
    );
    notifications::await_displayed(&desktop, 1, SOON).await
}

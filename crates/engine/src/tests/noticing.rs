use countersign_domain::record::{Mode, Risk};

use super::world::{MailServer, World, eventually};
use crate::{Choice, ports::NoticeId, store::notices};

#[tokio::test(flavor = "multi_thread")]
async fn a_high_risk_is_noticed_once_and_taken_back_when_decided() {
    let (world, mail) = (World::new(Mode::Company).await, MailServer::start().await);
    let device = world.device().await;
    device.add_mail(&mail).await;
    device.online().await;
    world.propose_task("Not worth a notice").await;
    let id = world.propose_mail("secret@customer.example").await;
    let notifier = std::sync::Arc::clone(&device.fakes.notifier);
    eventually("a notice", async || !notifier.shown().is_empty()).await;
    let shown = notifier.shown();
    assert_eq!(shown.len(), 1, "medium risks make no noise: {shown:?}");
    assert_eq!((shown[0].id, shown[0].risk), (NoticeId::Proposal(id), Risk::High));
    let text = format!("{} {}", shown[0].title, shown[0].body);
    assert!(
        !text.contains("secret@") && !text.contains("Invoice"),
        "a lock screen shows it to anybody: {text}"
    );

    // A crash between the showing and the writing down of it may show it again.
    let seat = device.engine.seat().unwrap();
    let account = seat.account.id;
    eventually("it is written down", async || {
        let shown = seat.store.read(move |db| notices::shown(db, account)).await;
        shown.unwrap().contains(&id)
    })
    .await;
    drop(seat);
    let device = device.crash(false).await;
    device.online().await;
    device
        .decide(id, Choice::Reject, Some("Not now".to_owned()))
        .await
        .unwrap();
    eventually("the notice is taken back", async || {
        notifier.retracted().contains(&NoticeId::Proposal(id))
    })
    .await;
    assert_eq!(notifier.shown().len(), 1, "a restart shows nothing twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_is_one_notice() {
    let (world, mail) = (World::new(Mode::Company).await, MailServer::start().await);
    let device = world.device().await;
    device.add_mail(&mail).await;
    device.online().await;
    device.engine.pause_notifications(true).await.unwrap();
    for index in 0..5 {
        let id = world.propose_mail(&format!("customer{index}@example.com")).await;
        device.card(id).await;
    }
    assert!(device.fakes.notifier.shown().is_empty(), "paused is paused");
    device.engine.pause_notifications(false).await.unwrap();
    let notifier = &device.fakes.notifier;
    eventually("a notice", async || !notifier.shown().is_empty()).await;
    let shown = notifier.shown();
    assert_eq!(
        shown.iter().map(|notice| notice.id).collect::<Vec<_>>(),
        [NoticeId::Many]
    );
    assert_eq!(shown[0].title, "5 requests wait for you");
}

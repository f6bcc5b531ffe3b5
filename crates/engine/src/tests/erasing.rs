//! What the tenant erases, a desktop forgets.

use countersign_domain::{Millis, record::Mode};

use super::world::{Device, World, eventually};
use crate::{
    store::{erased, outbox},
    views::inbox::{InboxQuery, InboxView},
};

async fn known(device: &Device, text: &str) -> usize {
    let query = InboxQuery {
        view: InboxView::Done,
        search: Some(text.to_owned()),
        risk: None,
        after: None,
        limit: 50,
    };
    device.engine.inbox(query).await.unwrap().rows.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_desktop_forgets_what_was_erased_and_a_fresh_one_never_hears_of_it() {
    let world = World::new(Mode::Company).await;
    let ada = world.device().await;
    let (gone, kept) = (
        world.propose_task("Bake the zimtschnecke").await,
        world.propose_task("Water the plants").await,
    );
    for task in [gone, kept] {
        ada.says(task, "Waits for a decision").await;
        ada.approve(task).await;
        ada.says(task, "Done").await;
    }
    assert_eq!(known(&ada, "zimtschnecke").await, 1);

    ada.engine
        .erase(gone, "The person has asked.".to_owned())
        .await
        .unwrap();
    eventually("it is in no list here", async || {
        known(&ada, "zimtschnecke").await == 0
    })
    .await;
    assert!(ada.engine.card(gone).await.is_err());
    eventually("nothing that was said here is kept", async || {
        let seat = ada.engine.seat().unwrap();
        let account = seat.account.id;
        let kept = seat.store.read(move |db| erased::candidates(db, account)).await;
        !kept.unwrap().contains(&gone)
    })
    .await;
    let ada = ada.crash(false).await;
    ada.online().await;
    ada.says(kept, "Done").await;
    assert!(ada.engine.verify_journal().await.unwrap().ok, "the proofs hold");
    let tasks = ada.engine.tasks(None).await.unwrap();
    assert!(
        tasks
            .tasks
            .iter()
            .all(|task| !task.title.contains("zimtschnecke"))
    );

    let ben = world.colleague(&ada, "Ben").await;
    ben.says(kept, "Done").await;
    assert_eq!(known(&ben, "zimtschnecke").await, 0);
    assert!(ben.engine.verify_journal().await.unwrap().ok);
    let refused = ben.engine.erase(kept, "mine".to_owned()).await;
    assert!(refused.is_err(), "an approver erases nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_answered_only_after_the_erasure_is_forgotten_too_and_nothing_waits_for_it() {
    let world = World::new(Mode::Company).await;
    let ada = world.device().await;
    let ben = world.colleague(&ada, "Ben").await;
    world.vouch(&ada, &ben).await;
    let task = world.propose_task("Bake the zimtschnecke").await;
    ben.card(task).await;
    ben.offline().await;
    ben.approve(task).await;
    ada.says(task, "Waits for a decision").await;
    world.clock.advance(Millis::hours(73));
    ada.engine
        .erase(task, "The person has asked.".to_owned())
        .await
        .unwrap();
    ben.engine.cut_off(false);
    eventually("it is sent, and nothing of it is kept", async || {
        let seat = ben.engine.seat().unwrap();
        let account = seat.account.id;
        let open = seat
            .store
            .read(move |db| outbox::open(db, account))
            .await
            .unwrap();
        let kept = seat.store.read(move |db| erased::candidates(db, account)).await;
        open.is_empty() && !kept.unwrap().contains(&task)
    })
    .await;
    let ben = ben.crash(false).await;
    ben.online().await;
    let next = world.propose_task("Water the plants").await;
    ben.says(next, "Waits for a decision").await;
    ben.approve(next).await;
    ben.says(next, "Done").await;
    assert!(ben.engine.verify_journal().await.unwrap().ok, "its chain goes on");
}

use countersign_domain::{Millis, record::Mode};

use super::world::{World, eventually};
use crate::{
    ErrorCode,
    views::{StateKind, inbox::InboxView},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_person_takes_their_own_request_back_and_can_undo_that_for_five_seconds() {
    let world = World::new(Mode::Company).await;
    let device = world.device().await;
    let id = device.engine.submit("create task: Buy a boat", "").await.unwrap();
    let card = device.card(id).await;
    assert!(!card.approve.is_armed(), "somebody else decides");
    assert!(card.withdraw.unwrap().is_armed(), "and it is theirs to take back");

    device.fakes.clock.stand_still();
    let held = device.engine.withdraw(id).await.unwrap();
    assert_eq!(held.undo_seconds, Some(5));
    assert_eq!(held.state.words, "Taken back by you, can be undone");
    let twice = device.engine.withdraw(id).await.unwrap_err();
    assert_eq!(twice.code, ErrorCode::Refused, "once is enough");
    device.engine.undo(id).await.unwrap();
    assert_eq!(
        device.words(id).await,
        "Waits for a decision",
        "nothing was signed"
    );

    device.engine.withdraw(id).await.unwrap();
    device.fakes.clock.advance(Millis::seconds(6));
    device.engine.refresh();
    eventually("the journal has it", async || {
        device.card(id).await.state.kind == StateKind::Withdrawn
    })
    .await;
    let done = device.inbox(InboxView::Done).await;
    assert_eq!(done.rows[0].state, device.card(id).await.state);
    assert_eq!(done.rows[0].state.words, "Taken back by you");
    let card = device.card(id).await;
    assert!(card.withdraw.is_none() && !card.can_undo, "it is over");
    assert_eq!(card.history.last().unwrap().words, "Taken back");
    let late = device.engine.withdraw(id).await.unwrap_err();
    assert_eq!(late.code, ErrorCode::Refused);
    device.engine.refresh();
    eventually("nothing of it is left in progress", async || {
        device.inbox(InboxView::InProgress).await.rows.is_empty()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_taken_back_while_offline_is_sent_later_also_after_a_crash() {
    let world = World::new(Mode::Company).await;
    let device = world.device().await;
    let id = device
        .engine
        .submit("create task: Buy a plane", "")
        .await
        .unwrap();
    device.card(id).await;
    device.offline().await;
    device.engine.withdraw(id).await.unwrap();
    let device = device.crash(true).await;
    device.fakes.clock.advance(Millis::seconds(6));
    device.engine.refresh();
    eventually("it is signed without a network", async || {
        device.words(id).await == "Taken back on this device, will be sent"
    })
    .await;
    assert_eq!(device.inbox(InboxView::ToDecide).await.total, 0);
    assert_eq!(device.inbox(InboxView::InProgress).await.rows[0].id, id);
    device.engine.cut_off(false);
    device.says(id, "Taken back by you").await;
    eventually("the journal speaks for it", async || {
        device.card(id).await.state.kind == StateKind::Withdrawn
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_else_has_proposed_is_not_this_person_s_to_take_back() {
    let world = World::new(Mode::Company).await;
    let device = world.device().await;
    let task = world.propose_task("Order paper").await;
    assert!(device.card(task).await.withdraw.is_none(), "the agent's own");
    let refused = device.engine.withdraw(task).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::Refused);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawal_that_comes_too_late_says_so() {
    let world = World::new(Mode::Company).await;
    let ada = world.device().await;
    let bob = world.colleague(&ada, "Bob").await;
    world.vouch(&ada, &bob).await;
    let id = ada
        .engine
        .submit("create task: Paint the wall", "")
        .await
        .unwrap();
    ada.card(id).await;
    ada.offline().await;
    ada.engine.withdraw(id).await.unwrap();
    ada.fakes.clock.advance(Millis::seconds(6));
    ada.engine.refresh();
    eventually("it is signed", async || {
        ada.words(id).await == "Taken back on this device, will be sent"
    })
    .await;
    bob.approve(id).await;
    bob.says(id, "Done").await;
    ada.engine.cut_off(false);
    ada.says(id, "Done").await;
    eventually("its own list of what is under way is empty", async || {
        ada.inbox(InboxView::InProgress).await.rows.is_empty()
    })
    .await;
}

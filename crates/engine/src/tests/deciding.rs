use countersign_domain::{Digest, Millis, record::Mode};

use super::world::{MailServer, World, connect, eventually};
use crate::{
    Choice, Decide, ErrorCode, Phase,
    store::outbox,
    views::StateKind,
    views::inbox::{Empty, InboxView},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_approved_and_done() {
    let world = World::new(Mode::Company).await;
    let device = world.device().await;
    assert_eq!(
        device.inbox(InboxView::ToDecide).await.empty,
        Some(Empty::FirstRun),
        "nothing was ever proposed"
    );
    let task = world.propose_task("Review the quarterly report").await;
    let card = device.card(task).await;
    assert!(card.approve.is_armed(), "{:?}", card.approve);
    assert_eq!(card.state.words, "Waits for a decision");

    device.approve(task).await;
    device.says(task, "Done").await;
    let tasks = device.engine.tasks(None).await.unwrap().tasks;
    assert_eq!(
        tasks[0].title, "Review the quarterly report",
        "the approved call has run"
    );
    let page = device.inbox(InboxView::ToDecide).await;
    assert_eq!((page.rows.len(), page.empty), (0, Some(Empty::Zero)));
    assert_eq!(page.today.approved, 1);
    let check = device.engine.verify_journal().await.unwrap();
    assert!(check.ok, "{}", check.words);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_card_that_was_shown_can_be_decided() {
    let world = World::new(Mode::Company).await;
    let device = world.device().await;
    let task = world.propose_task("Pay the rent").await;
    device.card(task).await;
    let form = Decide {
        id: task,
        view: Digest::of(b"another card"),
        verdict: Choice::Approve,
        comment: None,
        confirmation: None,
    };
    let error = device.engine.decide(form).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Refused);
    assert!(error.message.contains("Look again"), "{error}");
    assert_eq!(
        device.words(task).await,
        "Waits for a decision",
        "nothing was decided"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_own_request_in_a_solo_tenant_needs_a_typed_confirmation() {
    let world = World::new(Mode::Solo).await;
    let device = world.device().await;
    let own = device
        .engine
        .submit("create task: Water the plants", "")
        .await
        .unwrap();
    let card = device.card(own).await;
    let confirm = card.confirm.expect("one person alone says it twice");
    let form = |confirmation| Decide {
        id: own,
        view: card.view_digest,
        verdict: Choice::Approve,
        comment: None,
        confirmation,
    };
    let error = device
        .engine
        .decide(form(Some("something else".to_owned())))
        .await
        .unwrap_err();
    assert_eq!(error.field.as_deref(), Some("confirmation"));
    device
        .engine
        .decide(form(Some(confirm.placeholder)))
        .await
        .unwrap();
    device.says(own, "Done").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_approves_their_own_request_in_a_company() {
    let world = World::new(Mode::Company).await;
    let device = world.device().await;
    let own = device
        .engine
        .submit("create task: Raise my salary", "")
        .await
        .unwrap();
    let card = device.card(own).await;
    assert!(!card.approve.is_armed(), "the rule is in the view");
    let error = device.decide(own, Choice::Approve, None).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Refused, "and in the core");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejection_can_be_undone_for_five_seconds_and_is_final_then() {
    let world = World::new(Mode::Company).await;
    let device = world.device().await;
    let task = world.propose_task("Buy a boat").await;
    let error = device.decide(task, Choice::Reject, None).await.unwrap_err();
    assert_eq!(error.field.as_deref(), Some("comment"), "a rejection says why");

    device.fakes.clock.stand_still();
    let decided = device.reject(task, "We have one").await;
    assert_eq!(decided.undo_seconds, Some(5));
    assert_eq!(decided.state.kind, StateKind::Saved);
    device.engine.undo(task).await.unwrap();
    assert_eq!(
        device.words(task).await,
        "Waits for a decision",
        "nothing was signed"
    );

    device.reject(task, "We have one").await;
    device.fakes.clock.advance(Millis::seconds(6));
    device.engine.refresh();
    eventually("the rejection counts", async || {
        device.card(task).await.state.kind == StateKind::Rejected
    })
    .await;
    let error = device.engine.undo(task).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Refused, "a rejection is final");
    let done = device.inbox(InboxView::Done).await;
    assert_eq!(
        done.rows[0].state,
        device.card(task).await.state,
        "row and card say the same"
    );
    assert_eq!(done.rows[0].state.words, "Rejected by you");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejection_that_waits_for_undo_survives_a_crash() {
    let world = World::new(Mode::Company).await;
    let device = world.device().await;
    let task = world.propose_task("Buy a plane").await;
    device.reject(task, "No runway").await;
    let device = device.crash(false).await;
    device.fakes.clock.advance(Millis::seconds(6));
    device.engine.refresh();
    eventually("the rejection counts", async || {
        device.card(task).await.state.kind == StateKind::Rejected
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_is_taken_back_by_a_new_record() {
    let (world, mail) = (World::new(Mode::Company).await, MailServer::start().await);
    let device = world.device().await;
    device.add_mail(&mail).await;
    device.online().await;
    let id = world.propose_mail("new@customer.example").await;
    device.card(id).await;
    device.offline().await;
    device.approve(id).await;
    device.engine.undo(id).await.unwrap();
    assert!(
        device
            .words(id)
            .await
            .starts_with("Your approval is taken back on this device")
    );
    device.engine.cut_off(false);
    device.says(id, "Waits for a decision").await;
    assert_eq!(
        device.card(id).await.decisions.len(),
        2,
        "both records are in the journal"
    );
    assert_eq!(mail.mails().len(), 0, "nothing ran");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_decided_offline_is_durable_and_sent_later() {
    let world = World::new(Mode::Company).await;
    let device = world.device().await;
    let task = world.propose_task("Order paper").await;
    device.card(task).await;
    device.offline().await;
    let decided = device.approve(task).await;
    assert!(
        decided
            .state
            .words
            .starts_with("Saved on this device. Counts only if sent before"),
        "{:?}",
        decided.state
    );
    assert_eq!(
        device.inbox(InboxView::ToDecide).await.total,
        0,
        "what was decided is not offered again"
    );
    assert_eq!(device.inbox(InboxView::InProgress).await.rows[0].id, task);
    let again = device.decide(task, Choice::Approve, None).await.unwrap_err();
    assert_eq!(again.code, ErrorCode::Refused, "one decision at a time");

    let device = device.crash(true).await;
    assert!(
        device.words(task).await.starts_with("Saved on this device"),
        "a crash loses no decision"
    );
    assert_eq!(
        device
            .engine
            .app_state()
            .await
            .unwrap()
            .home
            .unwrap()
            .waiting_to_send,
        1
    );
    device.engine.cut_off(false);
    device.says(task, "Done").await;
    assert_eq!(
        device.card(task).await.decisions[0].words,
        "Approved on Studio, while offline"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_a_request_holds_is_decided_offline_one_after_the_other_and_goes_up_in_its_order() {
    const DECIDED: usize = 130;
    const LEFT: u64 = 60;
    let world = World::new(Mode::Company).await;
    let (device, mut tasks) = (world.device().await, Vec::new());
    for number in 0..DECIDED as u64 + LEFT {
        tasks.push(world.propose_task(&format!("Task {number}")).await);
    }
    device.card(*tasks.last().unwrap()).await;
    device.offline().await;
    let mut next = Some(tasks[0]);
    for task in &tasks[..DECIDED] {
        assert_eq!(next, Some(*task), "the list goes on where it was left");
        next = device.approve(*task).await.next;
    }
    assert_eq!(next, Some(tasks[DECIDED]));
    let left = device.inbox(InboxView::ToDecide).await;
    assert_eq!(
        (left.rows.len(), left.total),
        (50, LEFT),
        "a page is full of what waits"
    );
    assert_eq!(left.rows[0].id, tasks[DECIDED]);
    let home = async || device.engine.app_state().await.unwrap().home.unwrap();
    let frame = home().await;
    assert_eq!(frame.waiting_to_send as usize, DECIDED);
    assert_eq!(frame.counts.iter().sum::<u64>(), LEFT);
    let saved = device.inbox(InboxView::InProgress).await;
    assert_eq!(saved.total as usize, DECIDED);
    assert!(
        saved
            .rows
            .iter()
            .all(|row| row.state.words.starts_with("Saved on this device")),
        "each of them is told as what it is"
    );

    device.engine.cut_off(false);
    for task in &tasks[..DECIDED] {
        // A number out of its order would be taken for a key in two hands.
        device.says(*task, "Done").await;
    }
    assert_eq!(home().await.waiting_to_send, 0);
    let seat = device.engine.seat().unwrap();
    let account = seat.account.id;
    eventually("the journal speaks for all of them", async || {
        let open = seat.store.read(move |db| outbox::open(db, account)).await;
        open.unwrap().is_empty()
    })
    .await;
    assert!(device.engine.verify_journal().await.unwrap().ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_that_comes_too_late_is_told_with_its_reason() {
    let world = World::new(Mode::Company).await;
    let ada = world.device().await;
    let bob = world.colleague(&ada, "Bob").await;
    let waits = {
        let task = world.propose_task("Vouch for me").await;
        bob.card(task).await.approve.why_not.unwrap()
    };
    assert!(
        waits.contains("not in service"),
        "a new device is vouched for first: {waits}"
    );
    world.vouch(&ada, &bob).await;

    let task = world.propose_task("Book a room").await;
    bob.card(task).await;
    bob.offline().await;
    bob.approve(task).await;
    ada.approve(task).await;
    ada.says(task, "Done").await;
    bob.engine.cut_off(false);
    bob.says(task, "Done").await;
    let decisions = bob.card(task).await.decisions;
    let words: Vec<_> = decisions
        .iter()
        .map(|decision| (decision.who.as_str(), decision.words.as_str()))
        .collect();
    let late = "Approved on Bob's laptop, while offline, does not count. It had begun to run already.";
    assert_eq!(
        words,
        [("Ada", "Approved on Studio"), ("You", late)],
        "both are in the journal"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_keeps_what_was_not_sent() {
    let world = World::new(Mode::Company).await;
    let device = world.device().await;
    let task = world.propose_task("Call the plumber").await;
    device.card(task).await;
    device.offline().await;
    device.approve(task).await;
    device.engine.sign_out().await.unwrap();
    assert!(matches!(device.engine.phase(), Phase::SignIn { .. }));
    assert_eq!(
        device.engine.card(task).await.unwrap_err().code,
        ErrorCode::NotReady,
        "nothing is shown to nobody"
    );

    let error = device
        .engine
        .connect(connect(&world, "Studio"))
        .await
        .unwrap_err();
    assert_eq!(error.code, ErrorCode::Offline, "signing in needs the tenant");
    device.engine.cut_off(false);
    device
        .engine
        .connect(connect(&world, "Another name"))
        .await
        .unwrap();
    device.says(task, "Done").await;
    assert_eq!(
        device.engine.devices().await.unwrap().len(),
        1,
        "it is the same device"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn another_person_can_sign_in_where_somebody_has_signed_out() {
    let world = World::new(Mode::Company).await;
    let device = world.device().await;
    device.engine.sign_out().await.unwrap();
    device.engine.sign_out().await.unwrap();
    assert_eq!(
        device.engine.phase(),
        Phase::FirstRun,
        "it is asked again where to sign in"
    );
    assert_eq!(
        device.engine.sign_out().await.unwrap_err().code,
        ErrorCode::NotReady,
        "nobody is left to sign out"
    );
    device.engine.close().await;
    assert_eq!(
        device.engine.start().await,
        Phase::FirstRun,
        "also by the next start"
    );
    device
        .engine
        .connect(connect(&world, "Studio again"))
        .await
        .unwrap();
    device.online().await;
    assert_eq!(
        device.engine.devices().await.unwrap().len(),
        1,
        "who comes back has the same device"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_lets_a_call_that_is_under_way_come_to_its_end() {
    let world = World::new(Mode::Company).await;
    let device = world.device().await;
    let seat = device.engine.seat().unwrap();
    let call = seat.executing.lock().await;
    let engine = device.engine.clone();
    let closing = tokio::spawn(async move { engine.close().await });
    tokio::task::yield_now().await;
    assert!(
        !closing.is_finished() && device.engine.phase() == Phase::Ready,
        "it waits"
    );
    drop(call);
    closing.await.unwrap();
    assert_eq!(device.engine.phase(), Phase::Starting, "and everything is closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ends_leads_to_the_sign_in_screen() {
    let world = World::new(Mode::Company).await;
    let device = world.device().await;
    let token = world.session().await.token;
    drop(token);
    let seat = device.engine.seat().unwrap();
    seat.client.sign_out().await.unwrap();
    device.engine.refresh();
    eventually("the sign-in screen", async || {
        matches!(device.engine.phase(), Phase::SignIn { .. })
    })
    .await;
}

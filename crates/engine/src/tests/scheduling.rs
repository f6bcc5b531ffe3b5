//! A time before which a call is not to begin, as a person gives it.

use countersign_domain::{
    Millis, UnixMillis,
    id::ProposalId,
    record::Mode,
    render::{Change, flat},
};

use super::world::{Device, World, eventually};
use crate::{Edit, ErrorCode, ports::Clock as _};

fn at_another_time(id: ProposalId, time: &str) -> Edit {
    Edit {
        id,
        entered: Default::default(),
        note: String::new(),
        not_before: Some(time.to_owned()),
    }
}

impl Device {
    fn in_hours(&self, hours: i64) -> UnixMillis {
        self.fakes.clock.now() + Millis::hours(hours)
    }

    async fn asks_for(&self, text: &str, time: UnixMillis) -> ProposalId {
        self.engine.submit(text, &time.to_string()).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_for_later_is_approved_now_and_waits_for_its_time() {
    let world = World::new(Mode::Company).await;
    let ada = world.device().await;
    let bob = world.colleague(&ada, "bob").await;
    world.vouch(&ada, &bob).await;
    let time = bob.in_hours(5);
    let id = bob.asks_for("create task: Water the plants", time).await;
    assert_eq!(
        ada.card(id).await.scheduled,
        Some(time),
        "whoever decides sees when"
    );
    ada.approve(id).await;
    bob.says(id, "Approved, runs at").await;
    assert_eq!(ada.card(id).await.held_until, Some(time));
    assert!(
        ada.engine.tasks(None).await.unwrap().tasks.is_empty(),
        "its time has not come"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_shows_the_time_moves_it_or_drops_it_and_its_card_says_what_changed() {
    let world = World::new(Mode::Company).await;
    let ada = world.device().await;
    let bob = world.colleague(&ada, "bob").await;
    world.vouch(&ada, &bob).await;
    let (time, later) = (bob.in_hours(5), bob.in_hours(30));
    let first = bob.asks_for("create task: Water the plants", time).await;
    bob.card(first).await;
    assert_eq!(
        bob.engine.edit_form(first).await.unwrap().not_before,
        time.to_string()
    );
    let same = bob
        .engine
        .submit_edit(at_another_time(first, &time.to_string()))
        .await;
    assert_eq!(
        same.unwrap_err().message,
        "Nothing is different from what was asked."
    );

    let moved = at_another_time(first, &later.to_string());
    let draft = bob.engine.draft_edit(moved.clone()).await.unwrap();
    let what = draft
        .differences
        .iter()
        .find(|one| one.label == "Not before")
        .unwrap();
    assert!(draft.changed && what.change == Change::Changed, "{draft:?}");
    let kept = bob.engine.edit_form(first).await.unwrap();
    assert_eq!(kept.not_before, later.to_string(), "what was typed is kept");
    let second = bob.engine.submit_edit(moved).await.unwrap();
    let card = ada.card(second).await;
    assert_eq!(card.scheduled, Some(later));
    let differences = card.lineage.replaces.unwrap().differences;
    let what = differences.iter().find(|one| one.label == "Not before").unwrap();
    let lines: Vec<_> = what.lines.iter().map(|line| flat(&line.text)).collect();
    assert_eq!(lines.len(), 2, "the old time and the new one");
    assert!(
        lines.iter().all(|line| !line.contains('Z')),
        "on this person's clock: {lines:?}"
    );

    bob.card(second).await;
    let third = bob.engine.submit_edit(at_another_time(second, "")).await.unwrap();
    let card = ada.card(third).await;
    assert_eq!(card.scheduled, None);
    let differences = card.lineage.replaces.unwrap().differences;
    let what = differences.iter().find(|one| one.label == "Not before").unwrap();
    assert_eq!(what.change, Change::Removed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_that_has_passed_or_comes_after_the_end_of_the_request_is_refused_at_its_field() {
    let world = World::new(Mode::Company).await;
    let bob = world.device().await;
    let open = world.propose_task("Order paper").await;
    bob.card(open).await;
    for (time, why) in [
        (bob.in_hours(-1).to_string(), "That time has passed."),
        (bob.in_hours(73).to_string(), "The request expires "),
        ("tomorrow".to_owned(), "Give a day and a time"),
    ] {
        let text = "create task: Water the plants";
        let problem = bob.engine.draft(text, &time).await.unwrap().problem.unwrap();
        assert!(
            problem.name == "notBefore" && problem.message.starts_with(why),
            "{problem}"
        );
        let draft = bob.engine.draft_edit(at_another_time(open, &time)).await.unwrap();
        assert_eq!(draft.problem, Some(problem.clone()));
        for refused in [
            bob.engine.submit(text, &time).await.unwrap_err(),
            bob.engine
                .submit_edit(at_another_time(open, &time))
                .await
                .unwrap_err(),
        ] {
            let said = (refused.code, refused.field, refused.message);
            assert_eq!(
                said,
                (
                    ErrorCode::Invalid,
                    Some("notBefore".to_owned()),
                    problem.message.clone()
                )
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_tenant_says_of_the_time_stands_at_its_field() {
    let world = World::new(Mode::Company).await;
    let bob = world.device().await;
    let over = world.propose_task("Order paper").await;
    bob.reject(over, "Not this month").await;
    bob.fakes.clock.advance(Millis::seconds(11));
    eventually("it can be asked for again", async || {
        bob.engine.edit_form(over).await.is_ok_and(|form| form.again)
    })
    .await;
    // A desktop whose clock is ahead: only the tenant knows.
    bob.fakes.clock.advance(Millis::hours(2));
    let time = bob.in_hours(71).to_string();
    let text = "create task: Water the plants";
    assert_eq!(bob.engine.draft(text, &time).await.unwrap().problem, None);
    for refused in [
        bob.engine.submit(text, &time).await.unwrap_err(),
        bob.engine
            .submit_edit(at_another_time(over, &time))
            .await
            .unwrap_err(),
    ] {
        let said = (refused.code, refused.field.as_deref(), refused.message.as_str());
        let why = "It would expire before it may run: give a time before it expires.";
        assert_eq!(said, (ErrorCode::Invalid, Some("notBefore"), why));
    }
}

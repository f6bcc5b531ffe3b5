//! What the holder of a connection says beforehand: nobody approves what it would do unseen, nor as if it were seen.

use countersign_domain::{
    Digest, Record,
    canonical::{Object, Value},
    fold::Status,
    record::{
        Actor, Assurance, ConnectionRef, Holder, PolicyDecision, Preview, PreviewOutcome, Reason, Risk,
        Verdict, Withdraw,
    },
    render::render,
};

use crate::{
    card::pinned,
    samples,
    support::{Story, World, at, device, digest, needs, nonce, person, uuid},
};

/// A call over a connection that device 9 holds; one person has to agree.
fn story() -> Story {
    let mut story = Story::untold();
    story.proposal.risk = Risk::Medium;
    story.proposal.connection = Some(ConnectionRef {
        config: digest("config"),
        holder: Holder::Device(device(9)),
        id: countersign_domain::id::ConnectionId::from_uuid(uuid(0x900)),
    });
    story.rule(
        at(0),
        PolicyDecision::RequiresApproval,
        needs(1, Assurance::Device),
    );
    story
}

fn shown() -> PreviewOutcome {
    let content = Object::from_iter([("To", "bank@acme.example")]);
    PreviewOutcome::Shown {
        content: Value::Object(content),
    }
}

fn unavailable() -> PreviewOutcome {
    PreviewOutcome::Unavailable {
        reason: "It did not come.".to_owned(),
    }
}

fn preview(story: &Story, outcome: PreviewOutcome) -> Preview {
    Preview {
        by: Holder::Device(device(9)),
        device_seq: Some(1),
        made_at: at(5),
        nonce: nonce(7),
        outcome,
        previous: None,
        proposal: story.proposal.id,
        proposal_digest: story.digest(),
    }
}

fn judge(story: &Story, verdict: Verdict, seen: Option<Digest>) -> Result<(), Reason> {
    let mut decision = story.decision(1, verdict, at(10));
    decision.preview = seen;
    World::of(story).judge(&decision).map(|_| ())
}

#[test]
fn a_call_over_a_devices_connection_is_approved_once_its_preview_is_in_and_seen() {
    let mut story = story();
    assert!(story.state().awaits_preview());
    assert_eq!(
        judge(&story, Verdict::Approve, None),
        Err(Reason::ViewMismatch),
        "there is no card yet that shows what it would do"
    );
    assert_eq!(
        judge(&story, Verdict::Reject, None),
        Ok(()),
        "a no needs no preview"
    );
    let seen = story.enter(at(6), &preview(&story, shown()));
    assert!(!story.state().awaits_preview());
    assert_eq!(
        judge(&story, Verdict::Approve, None),
        Err(Reason::ViewMismatch),
        "an approval of the card before the preview is not one of the card with it"
    );
    assert_eq!(judge(&story, Verdict::Approve, Some(seen)), Ok(()));
    assert_eq!(story.state().risk, Risk::Medium);
}

#[test]
fn a_call_that_nobody_could_preview_is_one_step_riskier_once() {
    let mut story = story();
    story.enter(at(6), &preview(&story, unavailable()));
    assert_eq!(story.state().risk, Risk::High);
    let mut again = preview(&story, unavailable());
    again.nonce = nonce(8);
    story.enter(at(7), &again);
    assert_eq!(story.state().risk, Risk::High, "said twice it is not said more");
}

#[test]
fn the_first_preview_stands_because_it_is_the_one_that_people_saw() {
    let mut story = story();
    let first = story.enter(at(6), &preview(&story, shown()));
    story.enter(at(7), &preview(&story, unavailable()));
    assert_eq!(story.state().preview, Some(first));
    assert_eq!(story.state().risk, Risk::Medium);
}

#[test]
fn a_preview_or_withdrawal_whose_void_came_first_changes_nothing() {
    let mut story = story();
    let late = preview(&story, unavailable());
    let withdraw = Withdraw {
        at: at(7),
        by: Actor::User(person(1)),
        device: Some(device(1)),
        device_seq: Some(1),
        nonce: nonce(9),
        previous: None,
        proposal: story.proposal.id,
        reason: None,
    };
    for refused in [
        Record::unsigned(&late).unwrap(),
        Record::unsigned(&withdraw).unwrap(),
    ] {
        story.void(at(7), refused.digest, Reason::TooLate);
        story.entries.push((at(7), refused));
    }
    let state = story.state();
    assert_eq!((state.preview, state.risk), (None, Risk::Medium));
    assert_eq!(state.recorded_status(), Status::Proposed);
}

#[test]
fn the_card_says_that_nobody_could_look_and_what_that_does_to_the_risk() {
    let (proposal, manifest, connection) = (
        samples::proposal(),
        pinned(samples::manifest()),
        samples::connection(),
    );
    let card = |outcome| {
        let preview = samples::preview(&proposal, outcome);
        render(
            &proposal,
            samples::proposal_digest(),
            Some(&preview),
            &manifest,
            Some(&connection),
        )
        .unwrap()
    };
    let (seen, unseen) = (card(shown()), card(unavailable()));
    assert_eq!(
        (seen.risk, unseen.risk),
        (proposal.risk, proposal.risk.raised()),
        "one step up"
    );
    assert_eq!(
        unseen.risk_reasons.len(),
        seen.risk_reasons.len() + 1,
        "and the card says why"
    );
}

#[test]
fn policy_tightens_when_it_decides_or_asks_for_more_and_never_by_asking_for_less() {
    let state = story().state();
    let device = needs(1, Assurance::Device);
    let asks = PolicyDecision::RequiresApproval;
    assert!(!state.is_tightened_by(asks, device), "the same again");
    assert!(!state.is_tightened_by(PolicyDecision::Allow, needs(1, Assurance::Session)));
    assert!(state.is_tightened_by(PolicyDecision::Deny, device));
    assert!(state.is_tightened_by(asks, needs(2, Assurance::Session)));
    assert!(state.is_tightened_by(asks, needs(1, Assurance::DeviceConfirmed)));
    assert!(Story::untold().state().is_tightened_by(asks, device));
}

//! A proposal's life, entry by entry, and the milliseconds at which it turns.

use countersign_domain::{
    Millis, Record,
    fold::{Closed, FoldError, Status},
    id::ProposalId,
    record::{
        Actor, Assurance, Expire, Kind, Lapse, Outcome, PolicyDecision, Requirement, Supersede, Withdraw,
    },
};

use crate::{
    samples,
    support::{Story, at, needs, nonce, person, uuid},
};

const SESSION: Assurance = Assurance::Session;

fn held(hold: i64) -> Requirement {
    Requirement {
        hold: Millis(hold),
        ..needs(1, SESSION)
    }
}

fn withdraw(story: &mut Story, millis: i64) {
    let body = Withdraw {
        at: at(millis),
        by: Actor::User(person(1)),
        device: None,
        device_seq: None,
        nonce: nonce(9),
        previous: None,
        proposal: story.proposal.id,
        reason: None,
    };
    story.enter(at(millis), &body);
}

#[test]
fn a_proposal_expires_at_its_millisecond_and_not_before() {
    let open = Story::needing(needs(1, SESSION)).state();
    let mut approved = Story::needing(needs(1, SESSION));
    approved.approve(at(1), 1);
    let approved = approved.state();
    for (state, before) in [(open, Status::Proposed), (approved, Status::Pending)] {
        let end = state.expires_at;
        assert_eq!(state.status(end + Millis(-1)), before);
        assert_eq!(
            state.status(end),
            Status::Expired,
            "no entry is needed to be over"
        );
        assert_eq!(state.status(end + Millis(1)), Status::Expired);
        assert_eq!(
            state.recorded_status(),
            before,
            "the entries alone do not know the time"
        );
    }
}

#[test]
fn only_what_is_open_expires() {
    let mut rejected = Story::needing(needs(1, SESSION));
    rejected.reject(at(1), 1);
    let late = rejected.proposal.expires_at + Millis(1);
    assert_eq!(rejected.state().status(late), Status::Rejected);
    let mut running = Story::ruled(PolicyDecision::Allow, needs(1, SESSION));
    running.begin(at(1), 1);
    assert_eq!(
        running.state().status(late),
        Status::Running,
        "what has begun goes on"
    );
}

#[test]
fn an_approved_call_is_held_from_the_moment_its_quorum_was_whole() {
    let mut story = Story::needing(Requirement {
        quorum: 2,
        ..held(10_000)
    });
    story.approve(at(500), 1);
    assert_eq!(story.state().held_until(), None, "it is not approved yet");
    story.approve(at(700), 2);
    assert_eq!(story.state().held_until(), Some(at(10_700)));
}

#[test]
fn an_allowed_call_is_held_from_the_moment_it_was_first_allowed() {
    let mut story = Story::ruled(PolicyDecision::Allow, held(10_000));
    assert_eq!(story.state().held_until(), Some(at(10_000)));
    story.rule(at(10_000), PolicyDecision::Allow, held(10_000));
    assert_eq!(
        story.state().held_until(),
        Some(at(10_000)),
        "being asked again at begin does not start the hold again"
    );
}

#[test]
fn a_schedule_holds_longer_and_never_shorter() {
    for (scheduled, until) in [(3_000, 10_000), (10_000, 10_000), (60_000, 60_000)] {
        let mut story = Story::untold();
        story.proposal.not_before = Some(at(scheduled));
        story.rule(at(0), PolicyDecision::Allow, held(10_000));
        assert_eq!(story.state().held_until(), Some(at(until)));
    }
}

#[test]
fn policy_can_only_tighten_what_it_said() {
    let mut story = Story::needing(needs(2, Assurance::Device));
    story.rule(at(1), PolicyDecision::Allow, held(5));
    let policy = story.state().policy.unwrap();
    assert_eq!(
        policy.decision,
        PolicyDecision::RequiresApproval,
        "later results can only tighten"
    );
    assert_eq!(
        policy.requirement,
        Requirement {
            hold: Millis(5),
            ..needs(2, Assurance::Device)
        }
    );
    story.rule(at(2), PolicyDecision::Deny, needs(1, SESSION));
    assert_eq!(story.state().recorded_status(), Status::Denied);
    story.rule(at(3), PolicyDecision::Allow, needs(1, SESSION));
    assert_eq!(
        story.state().recorded_status(),
        Status::Denied,
        "a denial is final"
    );
}

#[test]
fn a_stricter_policy_takes_an_approved_call_back_to_the_people() {
    let mut story = Story::needing(needs(1, SESSION));
    story.approve(at(1), 1);
    assert_eq!(story.state().recorded_status(), Status::Pending);
    story.rule(at(2), PolicyDecision::RequiresApproval, needs(2, SESSION));
    assert_eq!(story.state().recorded_status(), Status::Proposed);
    story.approve(at(3), 2);
    assert_eq!(story.state().recorded_status(), Status::Pending);
}

#[test]
fn the_first_end_without_a_run_stands() {
    let mut story = Story::needing(needs(1, SESSION));
    withdraw(&mut story, 1);
    let id = story.proposal.id;
    story.enter(
        at(2),
        &Expire {
            at: at(2),
            proposal: id,
        },
    );
    story.enter(
        at(3),
        &Supersede {
            at: at(3),
            proposal: id,
            reason: "Late.".to_owned(),
            successor: None,
        },
    );
    assert_eq!(story.state().closed, Some(Closed::Withdrawn { at: at(1) }));
    story.approve(at(4), 1);
    assert_eq!(
        story.state().recorded_status(),
        Status::Withdrawn,
        "no approval revives it"
    );
}

#[test]
fn what_was_rejected_does_not_turn_into_something_else() {
    let mut story = Story::needing(needs(1, SESSION));
    story.reject(at(1), 1);
    let id = story.proposal.id;
    story.enter(
        at(2),
        &Expire {
            at: at(2),
            proposal: id,
        },
    );
    assert_eq!(story.state().recorded_status(), Status::Rejected);
}

#[test]
fn after_begin_a_no_comes_too_late() {
    let mut story = Story::needing(needs(1, SESSION));
    let approval = story.approve(at(1), 1);
    story.begin(at(2), 1);
    story.reject(at(3), 2);
    story.retract(at(3), 1, approval);
    withdraw(&mut story, 3);
    story.rule(at(3), PolicyDecision::Deny, needs(1, SESSION));
    assert_eq!(story.state().recorded_status(), Status::Running);
    story.receipt(at(4), 1, Outcome::Completed);
    assert_eq!(story.state().recorded_status(), Status::Completed);
}

#[test]
fn silence_after_begin_is_unknown_until_a_receipt_tells() {
    let mut story = Story::ruled(PolicyDecision::Allow, needs(1, SESSION));
    let id = story.proposal.id;
    let lapse = |fence| Lapse {
        at: at(2),
        fence,
        proposal: id,
    };
    story.enter(at(0), &lapse(1));
    story.begin(at(1), 1);
    assert_eq!(
        story.state().recorded_status(),
        Status::Running,
        "a lapse of nothing says nothing"
    );
    story.enter(at(2), &lapse(2));
    assert_eq!(
        story.state().recorded_status(),
        Status::Running,
        "another lease's silence"
    );
    story.enter(at(2), &lapse(1));
    assert_eq!(story.state().recorded_status(), Status::Unknown);
    story.receipt(at(3), 1, Outcome::Unknown);
    assert_eq!(story.state().recorded_status(), Status::Unknown);
    story.receipt(at(4), 1, Outcome::Failed);
    assert_eq!(
        story.state().recorded_status(),
        Status::Failed,
        "a late receipt settles it"
    );
    story.receipt(at(5), 1, Outcome::Completed);
    assert_eq!(
        story.state().recorded_status(),
        Status::Failed,
        "a known outcome is not overwritten"
    );
}

#[test]
fn a_receipt_belongs_to_the_begin_under_its_fence() {
    let mut story = Story::ruled(PolicyDecision::Allow, needs(1, SESSION));
    story.receipt(at(1), 1, Outcome::Completed);
    assert_eq!(
        story.state().recorded_status(),
        Status::Pending,
        "nothing had begun"
    );
    let first = story.begin(at(2), 2);
    story.begin(at(3), 3);
    assert_eq!(
        story.state().begun.unwrap().digest,
        first,
        "a call begins at most once"
    );
    story.receipt(at(4), 3, Outcome::Completed);
    assert_eq!(story.state().recorded_status(), Status::Running, "another fence");
    story.receipt(at(4), 2, Outcome::Completed);
    assert_eq!(story.state().recorded_status(), Status::Completed);
}

#[test]
fn an_entry_about_something_else_is_refused_and_changes_nothing() {
    let mut story = Story::needing(needs(1, SESSION));
    story.approve(at(1), 1);
    let state = story.state();
    let mut other = story.clone();
    other.proposal.id = ProposalId::from_uuid(uuid(0x301));
    let id = other.proposal.id;
    other.entries.clear();
    other.rule(at(2), PolicyDecision::Deny, needs(1, SESSION));
    other.reject(at(2), 2);
    other.begin(at(2), 1);
    other.receipt(at(2), 1, Outcome::Completed);
    other.void(
        at(2),
        state.decisions[0].digest,
        countersign_domain::record::Reason::Fork,
    );
    withdraw(&mut other, 2);
    other.enter(
        at(2),
        &Expire {
            at: at(2),
            proposal: id,
        },
    );
    let lapse = Lapse {
        at: at(2),
        fence: 1,
        proposal: id,
    };
    other.enter(at(2), &lapse);
    let foreign = other.entries.into_iter().map(|(_, record)| record);
    let not_about_proposals = samples::records()
        .into_iter()
        .filter(|record| !record_is_about_a_proposal(record));
    let mut seen = 0;
    for record in foreign.chain(not_about_proposals) {
        let mut after = state.clone();
        assert_eq!(
            after.apply(99, at(3), &record),
            Err(FoldError::NotOurs(record.kind)),
            "a {} of another subject",
            record.kind
        );
        assert_eq!(after, state, "not even its newest sequence number");
        seen += 1;
    }
    assert!(seen > 16, "both families were tried");
}

fn record_is_about_a_proposal(record: &Record) -> bool {
    let genesis_kinds = countersign_domain::people::KINDS;
    !genesis_kinds.contains(&record.kind) && record.kind != Kind::Proposal
}

#[test]
fn a_body_that_does_not_parse_changes_nothing() {
    let story = Story::needing(needs(1, SESSION));
    let record = Record::new(Kind::Decision, b"{}".to_vec(), None);
    let mut state = story.state();
    assert!(matches!(
        state.apply(99, at(1), &record),
        Err(FoldError::Record(_))
    ));
    assert_eq!(state, story.state());
}

#[test]
fn every_status_has_one_name_on_the_wire() {
    for (index, (status, name)) in Status::ALL.into_iter().enumerate() {
        assert_eq!(status as usize, index, "ALL follows the declaration");
        assert_eq!(status.name(), name);
        assert_eq!(Status::from_name(name), Some(status));
        assert_eq!(serde_json::to_string(&status).unwrap(), format!("\"{name}\""));
    }
    assert_eq!(Status::from_name("approved"), None);
}

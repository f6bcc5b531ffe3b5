//! What may begin.

use countersign_domain::{
    Millis,
    execution::{Authority, Blocked},
    fold::Status,
    record::{
        Actor, Assurance, Expire, Outcome, PolicyDecision, Reason, Requirement, Supersede, Verdict, Withdraw,
    },
};

use crate::support::{Story, at, needs, nonce, person};

const ONE: Requirement = needs(1, Assurance::Session);

fn approved() -> Story {
    let mut story = Story::needing(ONE);
    story.approve(at(10), 1);
    story
}

#[test]
fn nothing_but_a_pending_call_may_begin() {
    let story = approved();
    assert!(Authority::of(&story.state(), at(20)).is_ok(), "this one may");
    let proposal = story.proposal.id;
    let blocked = |change: &dyn Fn(&mut Story)| {
        let mut story = story.clone();
        change(&mut story);
        Authority::of(&story.state(), at(20)).unwrap_err()
    };
    let found = [
        Authority::of(&Story::untold().state(), at(20)).unwrap_err(),
        Authority::of(&Story::needing(ONE).state(), at(20)).unwrap_err(),
        Authority::of(&Story::needing(needs(2, Assurance::Session)).state(), at(20)).unwrap_err(),
        blocked(&|story| {
            story.reject(at(11), 2);
        }),
        blocked(&|story| story.rule(at(11), PolicyDecision::Deny, ONE)),
        blocked(&|story| {
            let by = Actor::User(person(1));
            let nonce = nonce(6);
            let at = at(11);
            story.enter(
                at,
                &Withdraw {
                    at,
                    by,
                    device: None,
                    device_seq: None,
                    nonce,
                    previous: None,
                    proposal,
                    reason: None,
                },
            );
        }),
        blocked(&|story| {
            let (at, reason) = (at(11), "Replaced.".to_owned());
            story.enter(
                at,
                &Supersede {
                    at,
                    proposal,
                    reason,
                    successor: None,
                },
            );
        }),
        blocked(&|story| {
            story.enter(at(11), &Expire { at: at(11), proposal });
        }),
        blocked(&|story| {
            story.begin(at(11), 1);
        }),
        blocked(&|story| {
            story.begin(at(11), 1);
            story.receipt(at(12), 1, Outcome::Completed);
        }),
        blocked(&|story| {
            story.begin(at(11), 1);
            story.receipt(at(12), 1, Outcome::Failed);
        }),
        blocked(&|story| {
            story.begin(at(11), 1);
            story.receipt(at(12), 1, Outcome::Unknown);
        }),
    ];
    let expected = [
        Status::Proposed,
        Status::Proposed,
        Status::Proposed,
        Status::Rejected,
        Status::Denied,
        Status::Withdrawn,
        Status::Superseded,
        Status::Expired,
        Status::Running,
        Status::Completed,
        Status::Failed,
        Status::Unknown,
    ];
    assert_eq!(found, expected.map(Blocked::Status));
}

#[test]
fn a_call_that_ran_out_of_time_may_not_begin() {
    let mut story = Story::needing(ONE);
    let end = story.proposal.expires_at;
    let mut decision = story.decision(1, Verdict::Approve, at(10));
    decision.expires_at = end + Millis::hours(1);
    story.enter(at(10), &decision);
    let state = story.state();
    assert!(Authority::of(&state, end + Millis(-1)).is_ok());
    for millis in [0, 1] {
        assert_eq!(
            Authority::of(&state, end + Millis(millis)),
            Err(Blocked::Status(Status::Expired))
        );
    }
}

#[test]
fn a_held_call_begins_at_its_millisecond_and_not_before() {
    let hold = Millis(10_000);
    let mut story = Story::needing(Requirement { hold, ..ONE });
    story.approve(at(10), 1);
    let due = at(10_010);
    let state = story.state();
    assert_eq!(Authority::of(&state, due + Millis(-1)), Err(Blocked::Held(due)));
    assert!(Authority::of(&state, due).is_ok());
    assert!(Authority::of(&state, due + Millis(1)).is_ok());
}

#[test]
fn an_approval_carries_no_begin_after_its_own_time() {
    let mut story = Story::needing(ONE);
    let mut decision = story.decision(1, Verdict::Approve, at(10));
    decision.expires_at = at(5_000);
    let digest = story.enter(at(10), &decision);
    let state = story.state();
    assert!(Authority::of(&state, at(4_999)).is_ok());
    for now in [at(5_000), at(5_001)] {
        assert_eq!(
            Authority::of(&state, now),
            Err(Blocked::Stale(digest, Reason::Expired)),
            "it is to be voided first"
        );
    }
    story.void(at(5_001), digest, Reason::Expired);
    assert_eq!(
        Authority::of(&story.state(), at(5_001)),
        Err(Blocked::Status(Status::Proposed))
    );
}

#[test]
fn a_stale_approval_is_voided_even_while_others_would_do() {
    let mut story = approved();
    let mut second = story.decision(2, Verdict::Approve, at(11));
    second.expires_at = at(50);
    let second = story.enter(at(11), &second);
    assert_eq!(
        Authority::of(&story.state(), at(50)),
        Err(Blocked::Stale(second, Reason::Expired))
    );
    story.void(at(50), second, Reason::Expired);
    let authority = Authority::of(&story.state(), at(50)).unwrap();
    assert_eq!(authority.approvals().len(), 1);
}

#[test]
fn a_rejection_or_a_retraction_does_not_go_stale() {
    let mut story = Story::needing(needs(2, Assurance::Session));
    let first = story.approve(at(10), 1);
    let mut retract = story.decision(1, Verdict::Retract, at(11));
    retract.retracts = Some(first);
    retract.expires_at = at(20);
    story.enter(at(11), &retract);
    story.approve(at(12), 2);
    story.approve(at(13), 3);
    let authority = Authority::of(&story.state(), at(100)).unwrap();
    assert!(
        !authority.approvals().contains(&first),
        "what was taken back stays taken back"
    );
}

#[test]
fn a_call_stands_on_one_approval_of_each_person() {
    let mut story = Story::needing(needs(2, Assurance::Session));
    let first = story.approve(at(10), 1);
    story.approve(at(11), 1);
    let second = story.approve(at(12), 2);
    let mut expected = [first, second];
    expected.sort();
    let authority = Authority::of(&story.state(), at(20)).unwrap();
    assert_eq!(authority.approvals(), expected, "in order of digest");
}

#[test]
fn an_allowed_call_stands_on_no_approval() {
    let mut story = Story::ruled(PolicyDecision::Allow, ONE);
    assert_eq!(Authority::of(&story.state(), at(20)).unwrap().approvals(), []);
    story.approve(at(10), 1);
    assert_eq!(
        Authority::of(&story.state(), at(20)).unwrap().approvals(),
        [],
        "not even on one that nobody asked for"
    );
}

//! Whatever is in the journal, its state is a function of the prefix, and what is final stays.

use countersign_domain::{
    Digest, Millis,
    canonical::Value,
    fold::{ProposalState, Status},
    record::{
        Actor, Assurance, Expire, Holder, Lapse, Outcome, PolicyDecision, Preview, PreviewOutcome, Reason,
        Requirement, Supersede, Verdict, Withdraw,
    },
};
use proptest::prelude::*;

use crate::support::{Story, at, device, nonce, person};

/// One entry, drawn without regard to whether a server would write it there.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Rule(PolicyDecision, u32, Assurance, i64),
    Preview(bool),
    Decide(u8, Verdict, Assurance),
    /// Takes back, or voids, the decision drawn earlier under this number.
    Retract(u8, usize),
    Void(usize, Reason),
    Withdraw,
    Supersede,
    Expire,
    Begin(u64),
    Receipt(u64, Outcome),
    Lapse(u64),
}

pub(crate) fn steps() -> impl Strategy<Value = Vec<(i64, Step)>> {
    let assurance = prop::sample::select(vec![
        Assurance::Session,
        Assurance::Device,
        Assurance::DeviceConfirmed,
    ]);
    let ruling = prop::sample::select(vec![
        PolicyDecision::Allow,
        PolicyDecision::RequiresApproval,
        PolicyDecision::RequiresApproval,
        PolicyDecision::Deny,
    ]);
    let verdict = prop::sample::select(vec![Verdict::Approve, Verdict::Approve, Verdict::Reject]);
    let reason = prop::sample::select(vec![Reason::Decided, Reason::DeviceRevoked, Reason::Expired]);
    let outcome = prop::sample::select(vec![Outcome::Completed, Outcome::Failed, Outcome::Unknown]);
    let step = prop_oneof![
        2 => (ruling, 0..4_u32, assurance.clone(), 0..10_i64)
            .prop_map(|(decision, quorum, assurance, hold)| Step::Rule(decision, quorum, assurance, hold)),
        1 => any::<bool>().prop_map(Step::Preview),
        6 => (1..5_u8, verdict, assurance).prop_map(|(who, verdict, assurance)| Step::Decide(who, verdict, assurance)),
        2 => (1..5_u8, 0..6_usize).prop_map(|(who, target)| Step::Retract(who, target)),
        2 => (0..6_usize, reason).prop_map(|(target, reason)| Step::Void(target, reason)),
        1 => prop_oneof![Just(Step::Withdraw), Just(Step::Supersede), Just(Step::Expire)],
        2 => (1..3_u64).prop_map(Step::Begin),
        2 => (1..3_u64, outcome).prop_map(|(fence, outcome)| Step::Receipt(fence, outcome)),
        1 => (1..3_u64).prop_map(Step::Lapse),
    ];
    prop::collection::vec((0..4_i64, step), 0..16)
}

pub(crate) fn tell(steps: &[(i64, Step)]) -> Story {
    let mut story = Story::untold();
    let proposal = story.proposal.id;
    let mut decisions: Vec<Digest> = Vec::new();
    let mut millis = 0;
    for (number, (later, step)) in (0_u8..).zip(steps) {
        millis += later;
        let at = at(millis);
        match step.clone() {
            Step::Rule(decision, quorum, assurance, hold) => {
                story.rule(
                    at,
                    decision,
                    Requirement {
                        settlers: 1,
                        assurance,
                        hold: Millis(hold),
                        quorum,
                    },
                );
            }
            Step::Preview(shown) => {
                let outcome = if shown {
                    PreviewOutcome::Shown {
                        content: Value::from("a task"),
                    }
                } else {
                    PreviewOutcome::Unavailable {
                        reason: "offline".to_owned(),
                    }
                };
                let preview = Preview {
                    by: Holder::Device(device(1)),
                    device_seq: None,
                    made_at: at,
                    nonce: nonce(number),
                    outcome,
                    previous: None,
                    proposal,
                    proposal_digest: story.digest(),
                };
                story.enter(at, &preview);
            }
            Step::Decide(who, verdict, assurance) => {
                let mut decision = story.decision(who, verdict, at);
                decision.assurance = assurance;
                decision.nonce = nonce(number);
                decisions.push(story.enter(at, &decision));
            }
            Step::Retract(who, target) => {
                let approval = decisions.get(target).copied().unwrap_or(story.digest());
                decisions.push(story.retract(at, who, approval));
            }
            Step::Void(target, reason) => {
                let decision = decisions.get(target).copied().unwrap_or(story.digest());
                story.void(at, decision, reason);
            }
            Step::Withdraw => {
                let by = Actor::User(person(1));
                let nonce = nonce(number);
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
            }
            Step::Supersede => {
                let reason = "Replaced.".to_owned();
                story.enter(
                    at,
                    &Supersede {
                        at,
                        proposal,
                        reason,
                        successor: None,
                    },
                );
            }
            Step::Expire => {
                story.enter(at, &Expire { at, proposal });
            }
            Step::Begin(fence) => {
                story.begin(at, fence);
            }
            Step::Receipt(fence, outcome) => {
                story.receipt(at, fence, outcome);
            }
            Step::Lapse(fence) => {
                story.enter(at, &Lapse { at, fence, proposal });
            }
        }
    }
    story
}

/// Whether a run in status `from` may be found in status `to` later.
fn may_follow(from: Status, to: Status) -> bool {
    match from {
        Status::Running => matches!(
            to,
            Status::Running | Status::Completed | Status::Failed | Status::Unknown
        ),
        Status::Unknown => matches!(to, Status::Completed | Status::Failed | Status::Unknown),
        Status::Completed | Status::Failed => to == from,
        Status::Proposed
        | Status::Pending
        | Status::Rejected
        | Status::Denied
        | Status::Expired
        | Status::Withdrawn
        | Status::Superseded => true,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn the_state_after_a_prefix_is_a_function_of_that_prefix(steps in steps()) {
        let story = tell(&steps);
        let mut state = story.after(0);
        for (count, (at, record)) in story.entries.iter().enumerate() {
            state.apply(11 + count as u64, *at, record).unwrap();
            prop_assert_eq!(&state, &story.after(count + 1), "one at a time or from nothing");
            let text = serde_json::to_string(&state).unwrap();
            let read: ProposalState = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(&read, &state, "what a database keeps is what it gives back");
            state = read;
        }
    }

    #[test]
    fn nothing_moves_a_call_back_once_it_has_begun(steps in steps()) {
        let story = tell(&steps);
        let mut before = story.after(0);
        for count in 1..=story.entries.len() {
            let state = story.after(count);
            let (from, to) = (before.recorded_status(), state.recorded_status());
            prop_assert!(may_follow(from, to), "{from:?} became {to:?} at entry {count}");
            if before.begun.is_some() {
                prop_assert_eq!(&state.begun, &before.begun, "there is one begin");
                prop_assert_eq!(&state.closed, &before.closed, "and no other end after it");
                prop_assert_eq!(state.status(at(i64::MAX / 2)), to, "nor does it expire");
                prop_assert_eq!(state.held_until(), None);
            }
            before = state;
        }
    }

    #[test]
    fn policy_never_loosens(steps in steps()) {
        let story = tell(&steps);
        let mut before = story.after(0);
        for count in 1..=story.entries.len() {
            let state = story.after(count);
            if let (Some(then), Some(later)) = (&before.policy, &state.policy) {
                prop_assert!(later.decision >= then.decision);
                prop_assert_eq!(later.requirement.max(then.requirement), later.requirement);
            }
            prop_assert!(
                before.recorded_status() != Status::Denied
                    || state.begun.is_some()
                    || matches!(state.recorded_status(), Status::Denied | Status::Rejected),
                "what policy denied stays denied"
            );
            before = state;
        }
    }
}

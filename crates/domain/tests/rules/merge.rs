//! What a set of decisions comes to, in whatever order it arrived.

use countersign_domain::{
    Digest, Millis, Record, UnixMillis,
    fold::{Merged, ProposalState, Status},
    record::{Assurance, Decision, PolicyDecision, Reason, Requirement, Verdict, Void},
};
use proptest::prelude::*;

use crate::support::{Story, at, device, needs, person};

const SESSION: Assurance = Assurance::Session;

fn status(story: &Story) -> Status {
    story.state().recorded_status()
}

#[test]
fn a_quorum_counts_distinct_people() {
    let mut story = Story::needing(needs(2, SESSION));
    story.approve(at(1), 1);
    story.approve(at(2), 1);
    assert_eq!(
        story.state().merged(),
        Merged::Open { have: 1, need: 2 },
        "a second approval by the same person does not count twice"
    );
    assert_eq!(story.state().authority().len(), 1);
    story.approve(at(3), 2);
    assert_eq!(story.state().merged(), Merged::Approved { at: at(3) });
    story.approve(at(4), 3);
    assert_eq!(
        story.state().merged(),
        Merged::Approved { at: at(3) },
        "a further approval does not start the hold again"
    );
}

#[test]
fn a_decision_that_is_journalled_twice_is_one() {
    let mut story = Story::needing(needs(1, SESSION));
    let first = story.approve(at(1), 1);
    let again = story.entries[1].1.clone();
    story.entries.push((at(9), again));
    let state = story.state();
    assert_eq!(state.decisions.len(), 1);
    assert_eq!(state.merged(), Merged::Approved { at: at(1) });
    story.retract(at(10), 1, first);
    assert_eq!(status(&story), Status::Proposed);
}

#[test]
fn a_quorum_of_nobody_still_takes_one_person() {
    let mut story = Story::needing(needs(0, SESSION));
    assert_eq!(story.state().merged(), Merged::Open { have: 0, need: 1 });
    story.approve(at(1), 1);
    assert_eq!(status(&story), Status::Pending);
}

#[test]
fn a_person_takes_back_only_what_is_theirs() {
    let mut story = Story::needing(needs(2, SESSION));
    let first = story.approve(at(1), 1);
    story.approve(at(2), 2);
    assert_eq!(status(&story), Status::Pending);
    let mut other = story.clone();
    other.retract(at(3), 2, first);
    assert_eq!(status(&other), Status::Pending, "2 cannot take back what 1 said");
    story.retract(at(3), 1, first);
    assert_eq!(
        story.state().merged(),
        Merged::Open { have: 1, need: 2 },
        "2's approval stays"
    );
    story.approve(at(4), 1);
    assert_eq!(
        story.state().merged(),
        Merged::Approved { at: at(4) },
        "and may be given again"
    );
}

#[test]
fn one_rejection_beats_any_number_of_approvals() {
    let mut story = Story::needing(needs(1, SESSION));
    story.approve(at(1), 1);
    story.approve(at(2), 2);
    story.reject(at(3), 3);
    assert_eq!(story.state().merged(), Merged::Rejected { at: at(3) });
    assert_eq!(status(&story), Status::Rejected);
    story.approve(at(4), 4);
    assert_eq!(status(&story), Status::Rejected, "a rejection is final");
}

#[test]
fn a_rejection_beats_policy_that_allows() {
    let mut story = Story::ruled(PolicyDecision::Allow, needs(1, SESSION));
    story.reject(at(1), 1);
    assert_eq!(status(&story), Status::Rejected);
    assert_eq!(story.state().held_until(), None);
}

#[test]
fn a_rejection_is_one_before_policy_was_asked() {
    let mut story = Story::untold();
    story.reject(at(1), 1);
    assert_eq!(status(&story), Status::Rejected);
}

#[test]
fn an_approval_too_weak_for_a_grown_requirement_counts_no_more() {
    let mut story = Story::needing(needs(1, SESSION));
    let mut weak = story.decision(1, Verdict::Approve, at(1));
    weak.assurance = SESSION;
    story.enter(at(1), &weak);
    assert_eq!(status(&story), Status::Pending);
    story.rule(
        at(2),
        PolicyDecision::RequiresApproval,
        needs(1, Assurance::Device),
    );
    assert_eq!(status(&story), Status::Proposed, "pending falls back to proposed");
    assert_eq!(
        story.state().authority(),
        [],
        "nothing would stand behind a begin"
    );
    let strong = story.approve(at(3), 1);
    assert_eq!(story.state().authority(), [strong], "the stronger one counts");
}

#[test]
fn a_rejection_needs_no_more_than_a_session_whatever_policy_asks() {
    let mut story = Story::needing(needs(1, Assurance::DeviceConfirmed));
    let mut weak = story.decision(1, Verdict::Reject, at(1));
    weak.assurance = SESSION;
    story.enter(at(1), &weak);
    assert_eq!(status(&story), Status::Rejected);
}

#[test]
fn a_voided_decision_does_not_count_whenever_the_void_came() {
    let mut after = Story::needing(needs(1, SESSION));
    let approval = after.approve(at(1), 1);
    after.void(at(2), approval, Reason::DeviceRevoked);
    assert_eq!(status(&after), Status::Proposed, "the quorum is lost");
    let mut before = Story::needing(needs(1, SESSION));
    before.void(at(1), approval, Reason::Decided);
    before.approve(at(1), 1);
    assert_eq!(before.state().standing().count(), 0);
    assert_eq!(status(&before), Status::Proposed);
}

#[test]
fn the_first_reason_for_which_a_decision_is_void_stands() {
    let mut story = Story::needing(needs(1, SESSION));
    let approval = story.approve(at(1), 1);
    story.void(at(2), approval, Reason::Expired);
    story.void(at(3), approval, Reason::DeviceRevoked);
    assert_eq!(
        story.state().voids.get(&approval),
        Some(&Reason::Expired),
        "it is what its author was told"
    );
}

/// One element of the set: a decision or a void, with the time of its entry.
type Entry = (UnixMillis, Record);

/// Draws a set of at most eight decisions of at most four people, and voids of some of them.
fn sets() -> impl Strategy<Value = (Requirement, Vec<Entry>)> {
    let one = (
        1..=4_u8,
        0..6_u8,
        0..5_i64,
        0..8_usize,
        0..3_usize,
        prop::bool::weighted(0.2),
    );
    let requirement = (1..=3_u32, 0..3_usize, 0..20_i64);
    (requirement, prop::collection::vec(one, 0..8)).prop_map(|((quorum, least, hold), drawn)| {
        let story = Story::untold();
        let mut decisions: Vec<(Digest, Decision)> = Vec::new();
        let mut entries = Vec::new();
        for (number, (who, verdict, when, target, strength, void)) in drawn.into_iter().enumerate() {
            // Approvals are the most of them, and a rejection ends all interest in the rest.
            let verdict = [
                Verdict::Approve,
                Verdict::Approve,
                Verdict::Approve,
                Verdict::Retract,
                Verdict::Retract,
                Verdict::Reject,
            ][usize::from(verdict)];
            let mut decision = story.decision(who, verdict, at(when));
            decision.device = Some(device(u8::try_from(number).unwrap()));
            decision.assurance = STRENGTHS[strength];
            if verdict == Verdict::Retract {
                decision.retracts = decisions
                    .get(target % decisions.len().max(1))
                    .map(|(digest, _)| *digest);
            }
            let record = Record::unsigned(&decision).unwrap();
            if void {
                let body = Void {
                    at: at(when),
                    decision: record.digest,
                    proposal: story.proposal.id,
                    reason: Reason::Decided,
                };
                entries.push((at(when), Record::unsigned(&body).unwrap()));
            }
            decisions.push((record.digest, decision));
            entries.push((at(when), record));
        }
        let requirement = Requirement {
            hold: Millis(hold),
            ..needs(quorum, STRENGTHS[least])
        };
        (requirement, entries)
    })
}

const STRENGTHS: [Assurance; 3] = [Assurance::Session, Assurance::Device, Assurance::DeviceConfirmed];

type Outcome = (Merged, Status, Vec<Digest>, Option<UnixMillis>, Vec<Digest>);

fn outcome(requirement: Requirement, entries: &[Entry]) -> (Outcome, ProposalState) {
    let mut story = Story::needing(requirement);
    story.entries.extend(entries.iter().cloned());
    let mut state = story.state();
    // Where in the journal a decision's bytes are is not about what it says.
    state.decisions.iter_mut().for_each(|cast| cast.seq = 0);
    let standing = state.standing().map(|cast| cast.digest).collect();
    let outcome = (
        state.merged(),
        state.recorded_status(),
        state.authority(),
        state.held_until(),
        standing,
    );
    (outcome, state)
}

/// The rule once more, in the words of the design and without the code under test.
fn by_the_book(requirement: Requirement, entries: &[Entry]) -> Status {
    let voids: Vec<Digest> = entries
        .iter()
        .filter_map(|(_, record)| Some(record.body::<Void>().ok()?.decision))
        .collect();
    let valid: Vec<(Digest, Decision)> = entries
        .iter()
        .filter_map(|(_, record)| Some((record.digest, record.body().ok()?)))
        .filter(|(digest, _)| !voids.contains(digest))
        .collect();
    if valid
        .iter()
        .any(|(_, decision)| decision.verdict == Verdict::Reject)
    {
        return Status::Rejected;
    }
    let agreed = (1..=4)
        .filter(|who| {
            valid.iter().any(|(digest, approval)| {
                approval.verdict == Verdict::Approve
                    && approval.approver == person(*who)
                    && approval.assurance >= requirement.assurance
                    && !valid.iter().any(|(_, retract)| {
                        retract.verdict == Verdict::Retract
                            && retract.approver == person(*who)
                            && retract.retracts == Some(*digest)
                    })
            })
        })
        .count();
    if agreed >= usize::try_from(requirement.quorum).unwrap() {
        Status::Pending
    } else {
        Status::Proposed
    }
}

/// Every order of up to five entries, and the given one of more.
fn orders(shuffled: &[Entry], visit: &mut impl FnMut(&[Entry])) {
    fn permute(items: &mut Vec<Entry>, fixed: usize, visit: &mut impl FnMut(&[Entry])) {
        if fixed == items.len() {
            return visit(items);
        }
        for other in fixed..items.len() {
            items.swap(fixed, other);
            permute(items, fixed + 1, visit);
            items.swap(fixed, other);
        }
    }
    if shuffled.len() <= 5 {
        permute(&mut shuffled.to_vec(), 0, visit);
    } else {
        visit(shuffled);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_order_in_which_decisions_arrive_does_not_matter(
        (requirement, entries) in sets(),
        seeds in prop::collection::vec(any::<u64>(), 20),
    ) {
        let (expected, state) = outcome(requirement, &entries);
        prop_assert_eq!(expected.1, by_the_book(requirement, &entries), "the rule of design §5");
        for seed in seeds {
            let mut order: Vec<_> = entries.iter().cloned().enumerate().collect();
            order.sort_by_key(|(number, _)| {
                Digest::of(&[seed.to_le_bytes(), (*number as u64).to_le_bytes()].concat())
            });
            let order: Vec<_> = order.into_iter().map(|(_, entry)| entry).collect();
            let mut wrong = None;
            orders(&order, &mut |order| {
                let (found, other) = outcome(requirement, order);
                if found != expected || other != state {
                    wrong.get_or_insert((found, other));
                }
            });
            prop_assert!(wrong.is_none(), "{expected:?} with {state:?} became {wrong:?}");
            if entries.len() <= 5 {
                break;
            }
        }
    }

    #[test]
    fn no_prefix_counts_a_decision_whose_void_came_first((requirement, entries) in sets()) {
        let voids: Vec<Digest> = entries
            .iter()
            .filter_map(|(_, record)| Some(record.body::<Void>().ok()?.decision))
            .collect();
        // As the server writes it: the void right before its decision. Without both of them nothing may differ.
        for count in 0..=entries.len() {
            let without: Vec<_> = entries[..count]
                .iter()
                .filter(|(_, record)| !voids.contains(&record.digest) && record.body::<Void>().is_err())
                .cloned()
                .collect();
            prop_assert_eq!(
                outcome(requirement, &entries[..count]).0,
                outcome(requirement, &without).0,
                "after {} entries", count
            );
        }
    }
}

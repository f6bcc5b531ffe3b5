//! What is said of a run: known, or unknown.

use super::*;

#[tokio::test]
async fn a_tool_that_hangs_or_dies_is_unknown_once_its_call_may_have_left() {
    for (behaviour, outcome, code) in [
        (Behaviour::HangBefore, Outcome::Failed, "timeout"),
        (Behaviour::HangAfter, Outcome::Unknown, "timeout"),
        (Behaviour::PanicBefore, Outcome::Failed, "crashed"),
        (Behaviour::PanicAfter, Outcome::Unknown, "crashed"),
        (Behaviour::LieAfterMarking, Outcome::Unknown, "contradiction"),
    ] {
        let world = world(behaviour);
        let completion = ended(world.run().await);
        assert_eq!(completion.outcome, outcome, "{behaviour:?}");
        assert_eq!(
            completion.dispatched,
            outcome == Outcome::Unknown,
            "{behaviour:?}"
        );
        assert_eq!(completion.failure.unwrap().code, code, "{behaviour:?}");
        assert_eq!(world.runs(), 1, "{behaviour:?} is not tried again");
    }
}

#[tokio::test]
async fn what_a_tool_says_is_made_to_fit_a_receipt() {
    let world = world(Behaviour::Babble);
    let completion = ended(world.run().await);
    assert!(completion.summary.chars().count() <= 500 && !completion.summary.contains('\n'));
    let receipt = completion.record(NONCE, Some((2, Some(Digest::of(b"previous")))));
    assert!(
        Record::unsigned(&receipt).is_ok(),
        "a receipt always fits a record"
    );
    assert_eq!((receipt.device_seq, receipt.fence), (Some(2), 4));
}

#[test]
fn a_crash_is_unknown_only_after_the_intent_and_only_with_an_effect() {
    let interrupted = |effect, intended: bool| Interrupted {
        proposal: proposal_id(),
        proposal_digest: Digest::of(b"p"),
        executor: Holder::Tenant,
        fence: 1,
        effect,
        begun_at: NOW,
        intent: intended.then(|| Intent {
            at: NOW,
            attempt: 1,
            fence: 1,
            proposal: proposal_id(),
            proposal_digest: Digest::of(b"p"),
            reference: Some("<key>".into()),
        }),
    };
    for effect in [
        EffectClass::Opaque,
        EffectClass::Idempotent,
        EffectClass::Checkable,
    ] {
        let before = recover(interrupted(effect, false), NOW);
        assert_eq!(
            (before.outcome, before.dispatched),
            (Outcome::Failed, false),
            "{effect:?}"
        );
        let after = recover(interrupted(effect, true), NOW);
        assert_eq!(
            (after.outcome, after.dispatched),
            (Outcome::Unknown, true),
            "{effect:?}"
        );
        assert_eq!(
            after.reference.as_deref(),
            Some("<key>"),
            "people can look for it at the target"
        );
    }
    let read = recover(interrupted(EffectClass::Read, true), NOW);
    assert_eq!(
        read.outcome,
        Outcome::Failed,
        "a read that was cut off changed nothing"
    );
}

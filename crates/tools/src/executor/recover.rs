//! After a crash: what is known of a call that had begun.

use countersign_domain::{
    Digest, UnixMillis,
    execution::after_crash,
    id::ProposalId,
    record::{EffectClass, Executor, Failure, Outcome},
};

use super::{Completion, Intent};

/// A call with an accepted begin and no receipt, as its executor's own database has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Interrupted {
    pub proposal: ProposalId,
    pub proposal_digest: Digest,
    pub executor: Executor,
    pub fence: u64,
    pub effect: EffectClass,
    pub begun_at: UnixMillis,
    /// The stored intent of this fence.
    pub intent: Option<Intent>,
}

/// The receipt for a call that was interrupted. Nothing is run again here.
pub fn recover(interrupted: Interrupted, now: UnixMillis) -> Completion {
    let outcome = after_crash(interrupted.effect, interrupted.intent.is_some());
    let harmless = outcome == Outcome::Failed;
    let (code, message) = if harmless {
        (
            "not_dispatched",
            "Countersign was interrupted before anything was sent.",
        )
    } else {
        (
            "interrupted",
            "Countersign was interrupted during the call; whether it happened is not known.",
        )
    };
    Completion {
        dispatched: !harmless,
        effect: None,
        executor: interrupted.executor,
        failure: Some(Failure {
            code: code.to_owned(),
            message: message.to_owned(),
        }),
        fence: interrupted.fence,
        finished_at: now,
        outcome,
        proposal: interrupted.proposal,
        proposal_digest: interrupted.proposal_digest,
        reference: interrupted.intent.and_then(|intent| intent.reference),
        result: None,
        started_at: interrupted.begun_at,
        summary: message.to_owned(),
    }
}

//! What a crash or a silence has left of a call that had begun: settled by what is known, or asked again under the same key
//! where the target knows it again.

use core::time::Duration;

use countersign_domain::{
    Digest, Millis, UnixMillis,
    execution::{KeyWindow, MOST_ATTEMPTS, after_crash, of_another_attempt},
    id::ProposalId,
    record::{EffectClass, Executor, Failure, LONGEST_SENTENCE, Outcome},
};

use super::{
    Authorised, Completion, Confirmation, ExecuteError, Intent, Leased, Ledger, Secrets, authorised,
    run_once, secret,
};
use crate::{Ran, Registry, text::line};

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

/// What came of a call that was interrupted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Settled {
    /// The ledger has the receipt.
    Ended(Box<Completion>),
    /// Its request may be made again, and not now: a stop stands over it, or the last one went unanswered too. It stays as it
    /// is until it is settled again.
    Waits,
}

/// Settles a call that was interrupted: with the receipt for what is known, or by making its request again under the same key
/// (design §6). That needs a target that declares for how long it knows its keys, the tenant's word that the fence still
/// stands, and stored bytes that are what was approved. Where any of these is missing the call is `unknown`.
///
/// # Errors
/// When tenant, ledger or secrets cannot be asked: it stays as it is.
pub async fn settle(
    interrupted: Interrupted,
    deadline: Duration,
    ledger: &dyn Ledger,
    registry: &Registry,
    secrets: &dyn Secrets,
) -> Result<Settled, ExecuteError> {
    let completion = match interrupted.asked() {
        Some(intent) => {
            let asking = Again {
                interrupted: &interrupted,
                intent,
                deadline,
                ledger,
                registry,
                secrets,
            };
            match asking.ask().await? {
                Answer::Is(completion) => *completion,
                Answer::Waits => return Ok(Settled::Waits),
                Answer::MayNot(why) => known(interrupted, ledger.now(), Some(&why)),
            }
        }
        None => recover(interrupted, ledger.now()),
    };
    match ledger.complete(&completion).await {
        Ok(()) => Ok(Settled::Ended(Box::new(completion))),
        Err(error) => Err(ExecuteError::Complete(Box::new(completion), error)),
    }
}

impl Interrupted {
    /// What was asked of a target that may know it again, when there is an attempt left.
    fn asked(&self) -> Option<Intent> {
        self.intent
            .clone()
            .filter(|intent| self.effect == EffectClass::Idempotent && intent.attempt < MOST_ATTEMPTS)
    }
}

/// A request that is made again.
struct Again<'a> {
    interrupted: &'a Interrupted,
    intent: Intent,
    deadline: Duration,
    ledger: &'a dyn Ledger,
    registry: &'a Registry,
    secrets: &'a dyn Secrets,
}

enum Answer {
    Is(Box<Completion>),
    Waits,
    /// What it takes is not there: a sentence for people.
    MayNot(String),
}

impl Again<'_> {
    async fn ask(mut self) -> Result<Answer, ExecuteError> {
        let (proposal, fence) = (self.interrupted.proposal, self.interrupted.fence);
        let confirmed = self.ledger.confirm(proposal, fence).await;
        let (authority, begun_at, now) = match confirmed.map_err(ExecuteError::Confirm)? {
            Confirmation::Stands {
                authority,
                begun_at,
                now,
            } => (authority, begun_at, now),
            Confirmation::Stopped => return Ok(Answer::Waits),
            Confirmation::Over { reason } => {
                return Ok(Answer::MayNot(format!("The tenant lets it be ({reason}).")));
            }
        };
        let leased = Leased {
            authority,
            fence,
            executor: self.interrupted.executor,
            deadline: self.deadline,
        };
        let stored = self.ledger.stored(proposal).await.map_err(ExecuteError::Stored)?;
        let first = match authorised(&leased, stored, self.registry, self.ledger.now()).await {
            Ok(first) => first,
            Err(drift) => return Ok(Answer::MayNot(drift.to_string())),
        };
        if !self.is_known_until_it_ends(&first, (begun_at, now)) {
            return Ok(Answer::MayNot(
                "The other side may have forgotten its key by now.".to_owned(),
            ));
        }
        let secret = secret(&first, self.secrets).await?;
        self.intent.attempt += 1;
        self.ledger
            .intend(&self.intent)
            .await
            .map_err(ExecuteError::Intend)?;
        let stored = self.ledger.stored(proposal).await.map_err(ExecuteError::Stored)?;
        let again = match Authorised::verify(&leased, stored, self.registry) {
            Ok(again) => again,
            Err(drift) => return Ok(Answer::MayNot(drift.to_string())),
        };
        let ran = run_once(&leased, &again, secret.as_ref(), self.ledger.now()).await;
        if ran.unanswered && self.intent.attempt < MOST_ATTEMPTS {
            return Ok(Answer::Waits);
        }
        let ran = of_all(ran, &self.intent);
        let mut completion = again.completion(ran, self.interrupted.begun_at, self.ledger.now());
        completion.attempts = self.intent.attempt;
        Ok(Answer::Is(Box::new(completion)))
    }

    /// By the tenant's clock since the begin, and by this one's since the first intent: either may be wrong.
    fn is_known_until_it_ends(
        &self,
        call: &Authorised<'_>,
        (begun_at, now): (UnixMillis, UnixMillis),
    ) -> bool {
        let Some(length) = call.key_window() else {
            return false;
        };
        let longest = Millis(i64::try_from(self.deadline.as_millis()).unwrap_or(i64::MAX));
        let holds = |since, now| KeyWindow { since, length }.holds(now, longest);
        holds(begun_at, now) && holds(self.intent.at, self.ledger.now())
    }
}

/// What the answer to the last of several requests says of the call.
fn of_all(mut ran: Ran, intent: &Intent) -> Ran {
    let times = intent.attempt;
    let outcome = of_another_attempt(ran.outcome);
    if outcome == Outcome::Completed {
        ran.summary = format!("{}; it was asked {times} times under one key.", ran.summary);
    } else {
        let why = "whether an earlier request took effect is not known";
        let said = ran.failure.map_or(ran.summary, |failure| failure.message);
        ran = Ran::unknown(
            "asked_again",
            format!("Asked {times} times under one key, {why}: {said}"),
        );
    }
    ran.known_as(intent)
}

/// The receipt for what is known of a call that was interrupted. Nothing is run here.
pub fn recover(interrupted: Interrupted, now: UnixMillis) -> Completion {
    known(interrupted, now, None)
}

/// The same, with why it was not asked again.
fn known(interrupted: Interrupted, now: UnixMillis, why: Option<&str>) -> Completion {
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
    let message = match why {
        Some(why) => line(
            &format!("{message} It was not asked again: {why}"),
            LONGEST_SENTENCE,
        ),
        None => message.to_owned(),
    };
    Completion {
        attempts: interrupted.intent.as_ref().map_or(1, |intent| intent.attempt),
        dispatched: !harmless,
        effect: None,
        executor: interrupted.executor,
        failure: Some(Failure {
            code: code.to_owned(),
            message: message.clone(),
        }),
        fence: interrupted.fence,
        finished_at: now,
        outcome,
        proposal: interrupted.proposal,
        proposal_digest: interrupted.proposal_digest,
        reference: interrupted.intent.and_then(|intent| intent.reference),
        result: None,
        started_at: interrupted.begun_at,
        summary: message,
    }
}

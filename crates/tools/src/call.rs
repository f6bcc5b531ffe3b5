//! One call of a tool: what goes in, and what comes out.

use core::time::Duration;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use countersign_domain::{
    UnixMillis,
    canonical::Value,
    id::{ProposalId, TaskId, TenantId},
    record::{Effect, Failure, Outcome},
};
use secrecy::SecretString;

/// One call with everything that it may use. Made by the executor, and for previews by [`crate::Registry::preview`].
#[derive(Debug)]
// Also keeps other crates from making one.
#[non_exhaustive]
pub struct Call<'a> {
    pub tenant: TenantId,
    /// The proposal; keys that targets see are derived from it, so they are the same however often it is looked at.
    pub proposal: ProposalId,
    /// Normalised arguments.
    pub args: &'a Value,
    /// The connection's public configuration, for tools that need one.
    pub config: Option<&'a Value>,
    /// The connection's name for people.
    pub connection: Option<&'a str>,
    /// Never in a preview.
    pub secret: Option<&'a SecretString>,
    /// The executor's time at the start of the call.
    pub now: UnixMillis,
    /// The id of what a task tool makes.
    pub task: TaskId,
    /// How long the call may take; it is dropped when that is over.
    pub deadline: Duration,
    /// To be marked right before the first byte that can have an effect.
    pub dispatch: Dispatch,
}

/// Whether the call has left: the difference between `failed` and `unknown` when nothing more is heard of it.
#[derive(Clone, Default, Debug)]
pub struct Dispatch(Arc<AtomicBool>);

impl Dispatch {
    /// From here on the call may have had its effect.
    pub fn mark(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether [`Self::mark`] was called.
    pub fn has_left(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// How a run ended, as the tool saw it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ran {
    pub outcome: Outcome,
    /// Whether the call had left for its target.
    pub dispatched: bool,
    /// One sentence for people.
    pub summary: String,
    pub result: Option<Value>,
    pub failure: Option<Failure>,
    /// The key under which the target knows the call.
    pub reference: Option<String>,
    /// What a local tool changes.
    pub effect: Option<Effect>,
    /// Nothing was heard of it: a target that knows it again by its key may be asked again.
    pub unanswered: bool,
}

impl Ran {
    /// It happened.
    pub fn completed(summary: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::Completed,
            dispatched: true,
            summary: summary.into(),
            result: None,
            failure: None,
            reference: None,
            effect: None,
            unanswered: false,
        }
    }

    /// It did not happen: nothing that could have an effect was sent.
    pub fn not_dispatched(code: &str, message: impl Into<String>) -> Self {
        Self::ended(Outcome::Failed, false, code, message.into())
    }

    /// It did not happen: the target got the call and said no.
    pub fn refused(code: &str, message: impl Into<String>) -> Self {
        Self::ended(Outcome::Failed, true, code, message.into())
    }

    /// The call left, and whether it happened is not known.
    pub fn unknown(code: &str, message: impl Into<String>) -> Self {
        Self::ended(Outcome::Unknown, true, code, message.into())
    }

    /// The call left, and no answer came.
    pub fn unanswered(code: &str, message: impl Into<String>) -> Self {
        Self {
            unanswered: true,
            ..Self::unknown(code, message)
        }
    }

    /// With what the tool returns, in its own form.
    #[must_use]
    pub fn with_result(mut self, result: impl Into<Value>) -> Self {
        self.result = Some(result.into());
        self
    }

    /// With the key under which the target knows the call.
    #[must_use]
    pub fn with_reference(mut self, reference: impl Into<String>) -> Self {
        self.reference = Some(reference.into());
        self
    }

    /// With the effect of a local tool, which nothing has left for.
    #[must_use]
    pub fn with_effect(mut self, effect: Effect) -> Self {
        self.effect = Some(effect);
        self
    }

    fn ended(outcome: Outcome, dispatched: bool, code: &str, message: String) -> Self {
        Self {
            outcome,
            dispatched,
            summary: message.clone(),
            result: None,
            failure: Some(Failure {
                code: code.to_owned(),
                message,
            }),
            reference: None,
            effect: None,
            unanswered: false,
        }
    }
}

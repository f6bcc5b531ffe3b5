//! The one executor (design §6). Server and engine run this very code over their own [`Ledger`] and [`Secrets`].
//!
//! INVARIANT: at most one [`Tool::run`] per accepted begin, but for a call that its target knows again by its key ([`settle()`]).
//! What is not known to have failed is `unknown`.
//!
//! The order, and what a crash after each step leaves:
//!
//! 1. verify the stored bytes under the lease, and make the preview again. Nothing has happened.
//! 2. take the secret, then `begin(fence)`. Begun without an intent: failed, not dispatched.
//! 3. a durable intent, then verify the stored bytes again. An intent without a receipt: asked again under the same key where
//!    that is safe, else unknown.
//! 4. one call, under a deadline.
//! 5. the receipt.
//!
//! A local tool computes its effect as data first; begin, receipt and effect are one transaction of the store.

mod ledger;
mod settle;
mod verify;

use core::{panic::AssertUnwindSafe, time::Duration};

use countersign_domain::{
    UnixMillis,
    canonical::{self, Object, Value},
    execution::Authority,
    id::{ConnectionId, ProposalId, TaskId},
    record::{EffectClass, Executor, Failure, LONGEST_SENTENCE, Outcome},
};
use countersign_faults::{Point, crash_point};
use futures::FutureExt as _;
use secrecy::SecretString;

pub use ledger::{
    BeginAnswer, Beginning, Completion, Confirmation, Intent, Ledger, LedgerError, SecretError, Secrets,
};
pub use settle::{Interrupted, Settled, recover, settle};
pub use verify::{Approval, Authorised, Drift, Stored};

use crate::{
    Call, Ran, Registry, Tool,
    call::Dispatch,
    redact::redacted,
    text::{line, shorten},
};

/// How long a call may take unless its caller says otherwise.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Most bytes of a result in canonical form; a longer one is left out of the receipt.
const MAX_RESULT: usize = 64 * 1024;

/// A lease: the right to begin one call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Leased {
    pub authority: Authority,
    /// Only this number completes what it began.
    pub fence: u64,
    /// Who executes here; the proposal has to say the same.
    pub executor: Executor,
    /// How long the call may take.
    pub deadline: Duration,
}

impl Leased {
    /// A lease with the usual [`DEADLINE`].
    pub const fn new(authority: Authority, fence: u64, executor: Executor) -> Self {
        Self {
            authority,
            fence,
            executor,
            deadline: DEADLINE,
        }
    }
}

/// What became of a lease.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Executed {
    /// Stored bytes, tool or connection are not what was approved. The ledger was told; nothing ran.
    Drifted(Drift),
    /// The ledger did not accept the begin: too late, stopped, or another fence. Nothing ran.
    NotBegun {
        /// The ledger's machine code.
        reason: String,
    },
    /// It ended, and the ledger has the receipt.
    Ended(Box<Completion>),
    /// It left and nothing was heard of it, and its target may know it again by its key: it is to be settled ([`settle()`]).
    Unanswered,
}

/// The executor could not go on.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// The stored bytes could not be read. Nothing has begun.
    #[error("the stored bytes cannot be read: {0}")]
    Stored(#[source] LedgerError),
    /// Drift was found and could not be reported. Nothing has begun.
    #[error("drift cannot be reported: {0}")]
    Refuse(#[source] LedgerError),
    /// The secret cannot be had just now. Nothing has begun, and the proposal stays pending.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// There is no secret for that connection here. Nothing has begun, and the proposal stays pending.
    #[error("the secret of connection {0} is not here")]
    NoSecret(ConnectionId),
    /// Whether the begin was accepted is not known. Nothing was dispatched: the ledger finds out and recovers.
    #[error("the call cannot begin: {0}")]
    Begin(#[source] LedgerError),
    /// Whether the fence of a call that has begun still stands is not known: it is not made again.
    #[error("the tenant cannot be asked whether the call may be made again: {0}")]
    Confirm(#[source] LedgerError),
    /// That a call is made again could not be stored: it is not made.
    #[error("that the call is made again cannot be stored: {0}")]
    Intend(#[source] LedgerError),
    /// The call is over and its receipt is not stored: give the same receipt again, never the call.
    #[error("the receipt cannot be stored: {1}")]
    Complete(Box<Completion>, #[source] LedgerError),
}

/// The id of the task that a proposal makes. Each proposal makes one at most, and a second one would have the same id.
pub(crate) fn task_id(proposal: ProposalId) -> TaskId {
    TaskId::from_uuid(uuid::Uuid::from_bytes(*proposal.as_bytes()))
}

/// Runs one leased call to its end, or finds that it must not run.
///
/// # Errors
/// When the ledger or the secret store fails; the variant says what has happened by then.
pub async fn execute(
    leased: Leased,
    ledger: &dyn Ledger,
    registry: &Registry,
    secrets: &dyn Secrets,
) -> Result<Executed, ExecuteError> {
    let (proposal, fence) = (leased.authority.proposal(), leased.fence);
    let stored = ledger.stored(proposal).await.map_err(ExecuteError::Stored)?;
    let authorised = match authorised(&leased, stored, registry, ledger.now()).await {
        Ok(authorised) => authorised,
        Err(drift) => {
            ledger
                .refuse(proposal, fence, &drift)
                .await
                .map_err(ExecuteError::Refuse)?;
            return Ok(Executed::Drifted(drift));
        }
    };
    if authorised.effect() == EffectClass::Local {
        return local(&leased, &authorised, ledger).await;
    }
    // Before begin: a locked keychain leaves the proposal pending, it does not fail it.
    let secret = secret(&authorised, secrets).await?;
    let beginning = authorised.beginning(ledger.now());
    match ledger.begin(&beginning).await.map_err(ExecuteError::Begin)? {
        BeginAnswer::Begun => {}
        BeginAnswer::Refused { reason } => return Ok(Executed::NotBegun { reason }),
    }
    let started_at = ledger.now();
    let ran = after_begin(
        &leased,
        &authorised,
        secret.as_ref(),
        started_at,
        ledger,
        registry,
    )
    .await;
    if ran.unanswered && authorised.key_window().is_some() {
        return Ok(Executed::Unanswered);
    }
    let completion = authorised.completion(ran, started_at, ledger.now());
    match ledger.complete(&completion).await {
        Ok(()) => Ok(Executed::Ended(Box::new(completion))),
        Err(error) => Err(ExecuteError::Complete(Box::new(completion), error)),
    }
}

/// What is stored is what was approved, and it would still do what people were shown.
async fn authorised<'r>(
    leased: &Leased,
    stored: Stored,
    registry: &'r Registry,
    now: UnixMillis,
) -> Result<Authorised<'r>, Drift> {
    let authorised = Authorised::verify(leased, stored, registry)?;
    authorised.still_shows(registry, now).await?;
    Ok(authorised)
}

/// Computes the effect, and has the store apply begin, receipt and effect together.
async fn local(
    leased: &Leased,
    authorised: &Authorised<'_>,
    ledger: &dyn Ledger,
) -> Result<Executed, ExecuteError> {
    let started_at = ledger.now();
    let ran = run_once(leased, authorised, None, started_at).await;
    let completion = authorised.completion(ran, started_at, ledger.now());
    let answer = ledger
        .apply_local(&authorised.beginning(started_at), &completion)
        .await
        .map_err(ExecuteError::Begin)?;
    Ok(match answer {
        BeginAnswer::Begun => Executed::Ended(Box::new(completion)),
        BeginAnswer::Refused { reason } => Executed::NotBegun { reason },
    })
}

async fn secret(
    authorised: &Authorised<'_>,
    secrets: &dyn Secrets,
) -> Result<Option<SecretString>, ExecuteError> {
    let Some(connection) = authorised.connection() else {
        return Ok(None);
    };
    if !authorised.tool().needs_secret(&connection.config) {
        return Ok(None);
    }
    match secrets.secret(connection.id).await? {
        Some(secret) => Ok(Some(secret)),
        None => Err(ExecuteError::NoSecret(connection.id)),
    }
}

/// The begin was accepted: whatever happens from here on, there is a receipt to give.
async fn after_begin(
    leased: &Leased,
    authorised: &Authorised<'_>,
    secret: Option<&SecretString>,
    now: UnixMillis,
    ledger: &dyn Ledger,
    registry: &Registry,
) -> Ran {
    let intent = authorised.intent(&authorised.call(leased, secret, now));
    // The intent is durable before the call: a crash in between must not look as if nothing had been tried.
    if let Err(error) = ledger.intend(&intent).await {
        return Ran::not_dispatched(
            "not_dispatched",
            format!("Nothing was sent: the intent could not be stored ({error})."),
        );
    }
    let again = match ledger.stored(intent.proposal).await {
        Ok(stored) => Authorised::verify(leased, stored, registry),
        Err(error) => {
            return Ran::not_dispatched(
                "not_dispatched",
                format!("Nothing was sent: the stored bytes could not be read again ({error})."),
            );
        }
    };
    match again {
        Ok(again) => run_once(leased, &again, secret, now).await.known_as(&intent),
        Err(drift) => Ran::not_dispatched("not_dispatched", format!("Nothing was sent: {drift}")),
    }
}

async fn run_once(
    leased: &Leased,
    authorised: &Authorised<'_>,
    secret: Option<&SecretString>,
    now: UnixMillis,
) -> Ran {
    attempt(authorised.tool(), &authorised.call(leased, secret, now)).await
}

/// The one place where a tool runs.
pub(crate) async fn attempt(tool: &dyn Tool, call: &Call<'_>) -> Ran {
    // A panicking tool must leave a receipt, like one that hangs.
    let running = AssertUnwindSafe(tool.run(call)).catch_unwind();
    crash_point(Point::CallAhead);
    let ran = tokio::time::timeout(call.deadline, running).await;
    crash_point(Point::CallMade);
    let (silent, code, message) = match ran {
        Ok(Ok(ran)) => return consistent(redacted(ran, call.secret), &call.dispatch),
        // One that breaks off would break off again.
        Ok(Err(_panic)) => (false, "crashed", "The tool stopped in the middle".to_owned()),
        Err(_elapsed) => (
            true,
            "timeout",
            format!("No answer within {} seconds", call.deadline.as_secs()),
        ),
    };
    if !call.dispatch.has_left() {
        return Ran::not_dispatched(code, format!("{message}; nothing had been sent."));
    }
    let message = format!("{message}; whether the call happened is not known.");
    if silent {
        Ran::unanswered(code, message)
    } else {
        Ran::unknown(code, message)
    }
}

/// A tool that says it sent nothing, after it marked that it was about to, is not believed.
fn consistent(ran: Ran, dispatch: &Dispatch) -> Ran {
    if ran.outcome == Outcome::Failed && !ran.dispatched && dispatch.has_left() {
        let message = ran.failure.map_or(ran.summary, |failure| failure.message);
        Ran::unknown("contradiction", message)
    } else {
        ran
    }
}

impl Ran {
    /// Under the tool's own key, or the one that was written down before the call.
    fn known_as(mut self, intent: &Intent) -> Self {
        self.reference = self.reference.or_else(|| intent.reference.clone());
        self
    }
}

impl Completion {
    /// What of a run goes into a receipt: sentences made harmless and short, a result that fits.
    fn of(ran: Ran, authorised: &Authorised<'_>, started_at: UnixMillis, finished_at: UnixMillis) -> Self {
        let local = authorised.effect() == EffectClass::Local;
        Self {
            attempts: 1,
            proposal: authorised.proposal().id,
            proposal_digest: authorised.digest(),
            executor: authorised.executor(),
            fence: authorised.fence(),
            started_at,
            finished_at,
            outcome: ran.outcome,
            dispatched: ran.dispatched,
            summary: line(&ran.summary, LONGEST_SENTENCE),
            result: ran.result.map(fitting),
            failure: ran.failure.map(|failure| Failure {
                code: shorten(&failure.code, 50),
                message: line(&failure.message, LONGEST_SENTENCE),
            }),
            reference: ran.reference,
            // Only what the store applies by itself is an effect of the tenant's own.
            effect: ran.effect.filter(|_| local && ran.outcome == Outcome::Completed),
        }
    }
}

fn fitting(result: Value) -> Value {
    match canonical::to_vec(&result) {
        Ok(bytes) if bytes.len() <= MAX_RESULT => result,
        Ok(_) | Err(_) => Object::from_iter([("leftOut", "The result is too long for a receipt.")]).into(),
    }
}

#[cfg(test)]
mod tests;

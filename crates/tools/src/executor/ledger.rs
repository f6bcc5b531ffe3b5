//! What the executor asks of its host: the store and the secrets.

use async_trait::async_trait;
use countersign_domain::{
    Digest, UnixMillis,
    canonical::Value,
    execution::Authority,
    id::{ConnectionId, ProposalId},
    record::{Begin, Effect, Executor, Failure, Nonce, Outcome, Receipt},
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::{Drift, Stored};

/// The durable side of an execution. The server writes to its own store; a device writes to its outbox and asks the
/// server to accept the begin.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// The executor's time.
    fn now(&self) -> UnixMillis;

    /// The stored bytes, read anew each time: never from a cache of parsed values.
    async fn stored(&self, proposal: ProposalId) -> Result<Stored, LedgerError>;

    /// Ends the lease because of drift: the proposal is superseded.
    async fn refuse(&self, proposal: ProposalId, fence: u64, drift: &Drift) -> Result<(), LedgerError>;

    /// The one linearisation point. Durable when it answers.
    async fn begin(&self, beginning: &Beginning) -> Result<BeginAnswer, LedgerError>;

    /// Stores that the call is about to be made, once for each attempt and in their order. Durable when it answers.
    async fn intend(&self, intent: &Intent) -> Result<(), LedgerError>;

    /// Whether the fence of a call that has begun still stands ([`countersign_domain::execution::confirm`]): the tenant says
    /// so, now.
    async fn confirm(&self, proposal: ProposalId, fence: u64) -> Result<Confirmation, LedgerError>;

    /// Stores the receipt. Durable when it answers.
    async fn complete(&self, completion: &Completion) -> Result<(), LedgerError>;

    /// Begin, receipt and [`Completion::effect`] in one transaction, or nothing of them.
    async fn apply_local(
        &self,
        beginning: &Beginning,
        completion: &Completion,
    ) -> Result<BeginAnswer, LedgerError>;
}

/// The host failed; what it says is for its own log.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct LedgerError(#[from] Box<dyn core::error::Error + Send + Sync>);

impl LedgerError {
    /// Wraps the host's own error.
    pub fn new(error: impl Into<Box<dyn core::error::Error + Send + Sync>>) -> Self {
        Self(error.into())
    }
}

/// Where the secrets of the connections held here are.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// A connection's secret; `None` when none was ever stored.
    ///
    /// # Errors
    /// When the store cannot be asked: a locked keychain.
    async fn secret(&self, connection: ConnectionId) -> Result<Option<SecretString>, SecretError>;
}

/// The secret store cannot be asked just now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the secret store cannot be asked: {0}")]
pub struct SecretError(pub String);

/// Whether a begin was accepted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BeginAnswer {
    Begun,
    /// It was not, and will not be for this fence.
    Refused {
        /// A machine code: `withdrawn`, `rejected`, `stopped`, `fence`, …
        reason: String,
    },
}

/// Whether a call that has begun may be made again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Confirmation {
    /// Nobody knows how it ended, and nobody has said so.
    Stands {
        authority: Authority,
        /// When its begin was accepted, by the tenant's clock.
        begun_at: UnixMillis,
        /// By the same clock.
        now: UnixMillis,
    },
    /// Not as long as a stop stands over it.
    Stopped,
    /// Never again.
    Over {
        /// A machine code.
        reason: String,
    },
}

/// A begin record without what its signer adds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Beginning {
    pub at: UnixMillis,
    pub authority: Vec<Digest>,
    pub executor: Executor,
    pub fence: u64,
    /// What people were shown of the effect.
    pub preview: Option<Digest>,
    pub proposal: ProposalId,
    pub proposal_digest: Digest,
}

impl Beginning {
    /// The record's body. `chain` is the device's next sequence number and previous record; `None` on the server.
    pub fn record(&self, nonce: Nonce, chain: Option<(u64, Option<Digest>)>) -> Begin {
        Begin {
            at: self.at,
            authority: self.authority.clone(),
            device_seq: chain.map(|(seq, _)| seq),
            executor: self.executor,
            fence: self.fence,
            nonce,
            preview: self.preview,
            previous: chain.and_then(|(_, previous)| previous),
            proposal: self.proposal,
            proposal_digest: self.proposal_digest,
        }
    }
}

/// That a call is about to be made. Stays in the executor's own database.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Intent {
    /// Before the first request.
    pub at: UnixMillis,
    /// Which request under the key it is: 1 for the first.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub attempt: u8,
    pub fence: u64,
    pub proposal: ProposalId,
    pub proposal_digest: Digest,
    /// The key under which the target will know the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// A receipt without what its signer adds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Completion {
    /// Requests that were made.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub attempts: u8,
    pub dispatched: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
    pub executor: Executor,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    pub fence: u64,
    pub finished_at: UnixMillis,
    pub outcome: Outcome,
    pub proposal: ProposalId,
    pub proposal_digest: Digest,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    pub started_at: UnixMillis,
    pub summary: String,
}

impl Completion {
    /// The record's body. `chain` is the device's next sequence number and previous record; `None` on the server.
    pub fn record(&self, nonce: Nonce, chain: Option<(u64, Option<Digest>)>) -> Receipt {
        Receipt {
            attempts: (self.attempts > 1).then_some(self.attempts),
            device_seq: chain.map(|(seq, _)| seq),
            dispatched: self.dispatched,
            effect: self.effect.clone(),
            executor: self.executor,
            failure: self.failure.clone(),
            fence: self.fence,
            finished_at: self.finished_at,
            nonce,
            outcome: self.outcome,
            previous: chain.and_then(|(_, previous)| previous),
            proposal: self.proposal,
            proposal_digest: self.proposal_digest,
            reference: self.reference.clone(),
            result: self.result.clone(),
            started_at: self.started_at,
            summary: self.summary.clone(),
        }
    }
}

const fn one() -> u8 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
const fn is_one(attempt: &u8) -> bool {
    *attempt == 1
}

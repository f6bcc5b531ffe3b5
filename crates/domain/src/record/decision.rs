//! What a person decides, and why a decision may not count.

use serde::{Deserialize, Serialize};

use super::{Body, Kind, Nonce, proposal::subject};
use crate::{
    Digest, UnixMillis,
    id::{DecisionId, DeviceId, ProposalId, TenantId, UserId},
};

/// One decision of one person over exactly one digest.
///
/// Signed by the person's device; for a signed-in person without a device the server writes it, and `device` and
/// `device_seq` are absent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    pub approver: UserId,
    pub assurance: Assurance,
    /// The last checkpoint that the device had verified: its witness statement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<CheckpointSeen>,
    /// At most 2,000 characters; a reject says why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// By the deciding device's clock: information, never an order.
    pub decided_at: UnixMillis,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceId>,
    /// The device's next sequence number, from 1 without gaps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_seq: Option<u64>,
    /// The approval cannot carry a begin after this time.
    pub expires_at: UnixMillis,
    pub id: DecisionId,
    pub nonce: Nonce,
    /// Whether the device had no connection to the tenant when the person decided.
    pub offline: bool,
    /// The preview that was on the card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<Digest>,
    /// Digest of the device's previous record; absent in its first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Digest>,
    pub proposal: ProposalId,
    pub proposal_digest: Digest,
    /// Version of the renderer that made the card.
    pub renderer: u32,
    /// For a retract: the approval that it takes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retracts: Option<Digest>,
    pub tenant: TenantId,
    pub verdict: Verdict,
    /// Digest of the card that the person saw.
    pub view: Digest,
}

impl Body for Decision {
    const KIND: Kind = Kind::Decision;

    fn subject(&self) -> String {
        subject(self.proposal)
    }

    fn link(&self) -> Option<(DeviceId, u64)> {
        self.device.zip(self.device_seq)
    }
}

/// What the person says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Approve,
    /// Final before begin, whoever else approved.
    Reject,
    /// Takes back the person's own approval; leaves everyone else's standing.
    Retract,
}

/// How sure it is that the person meant it. Ordered: a later one satisfies an earlier one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Assurance {
    /// A signed-in session.
    Session,
    /// An enrolled device's signature.
    Device,
    /// The same, and the person typed the amount or matched the number.
    DeviceConfirmed,
}

/// A checkpoint that a device has verified: tree size and root hash.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointSeen {
    pub root: Digest,
    pub size: u64,
}

/// Takes a decision out of the count, or a preview or withdrawal that came too late. Written right *before* a record that is refused, so that no prefix of the
/// journal ever counts it; written later when a device is revoked, a member leaves or the approval's own time is up.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Void {
    pub at: UnixMillis,
    pub decision: Digest,
    pub proposal: ProposalId,
    pub reason: Reason,
}

impl Body for Void {
    const KIND: Kind = Kind::Void;

    fn subject(&self) -> String {
        subject(self.proposal)
    }
}

/// Why a decision does not count (design §5). The names are machine codes on the wire.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, thiserror::Error,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    #[error("There is no such proposal.")]
    UnknownProposal,
    #[error("The decision is about other bytes than the proposal's.")]
    DigestMismatch,
    #[error("The signature is not that device's.")]
    BadSignature,
    #[error("The device has been revoked.")]
    DeviceRevoked,
    #[error("The device has signed two different records with one number.")]
    Fork,
    #[error("The device has verified another history of the journal than the tenant's.")]
    OtherHistory,
    #[error("Your role here does not decide this.")]
    NotEligible,
    #[error("Who proposed it, or for whom it was proposed, cannot approve it.")]
    SelfApproval,
    #[error("The card has changed since; look again.")]
    ViewMismatch,
    #[error("This needs a stronger confirmation than was given.")]
    AssuranceTooLow,
    #[error("It had expired when the decision arrived.")]
    Expired,
    #[error("It was decided already.")]
    Decided,
    #[error("Another proposal has taken its place.")]
    Superseded,
    #[error("Its proposer took it back.")]
    Withdrawn,
    #[error("It had begun to run already.")]
    TooLate,
    #[error("Policy denies it.")]
    DeniedByPolicy,
}

impl Reason {
    /// The machine code, as on the wire.
    pub const fn code(self) -> &'static str {
        match self {
            Self::UnknownProposal => "unknown_proposal",
            Self::DigestMismatch => "digest_mismatch",
            Self::BadSignature => "bad_signature",
            Self::DeviceRevoked => "device_revoked",
            Self::Fork => "fork",
            Self::OtherHistory => "other_history",
            Self::NotEligible => "not_eligible",
            Self::SelfApproval => "self_approval",
            Self::ViewMismatch => "view_mismatch",
            Self::AssuranceTooLow => "assurance_too_low",
            Self::Expired => "expired",
            Self::Decided => "decided",
            Self::Superseded => "superseded",
            Self::Withdrawn => "withdrawn",
            Self::TooLate => "too_late",
            Self::DeniedByPolicy => "denied_by_policy",
        }
    }
}

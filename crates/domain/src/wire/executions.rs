//! Executions on a device: claim, begin, confirm, complete, refuse.

use serde::{Deserialize, Serialize};

use crate::{
    Digest, UnixMillis,
    dsse::Envelope,
    fold::Status,
    id::{DeviceId, ProposalId},
};

/// `POST /api/executions/claim`
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Claim {
    /// The executing device; it must be the caller's.
    pub device: DeviceId,
    /// Manifests that the executor can run.
    pub manifests: Vec<Digest>,
    /// At most so many leases.
    pub limit: u32,
}

/// Leases, each for 60 seconds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Claimed {
    pub leases: Vec<Lease>,
    /// When the next held call becomes due, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_due: Option<UnixMillis>,
}

/// The right to begin one call before `expires_at`, or to make the request of one that has begun again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Lease {
    pub proposal_id: ProposalId,
    pub fence: u64,
    pub expires_at: UnixMillis,
    /// Digests of the approvals; the executor checks each against its own journal.
    pub authority: Vec<Digest>,
    /// The journal size at which the authority was complete; the executor catches up to it first.
    pub size: u64,
}

/// `POST /api/executions/{id}/begin` and `/complete`: a begin or receipt record signed by the device.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExecutionRecord {
    pub record: Envelope,
}

/// Answer to begin and complete.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ExecutionAnswer {
    pub status: Status,
    pub digest: Digest,
}

/// `POST /api/executions/{id}/confirm`: whether the fence of a call that has begun and whose answer was lost still stands, so that
/// its request may be made again under the same key. The answer is a [`Lease`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConfirmFence {
    /// The executing device; it must be the caller's.
    pub device: DeviceId,
    /// That of the accepted begin.
    pub fence: u64,
}

/// `POST /api/executions/{id}/refuse`: under its lease the device found that the call is not what was approved. The
/// proposal is superseded.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RefuseLease {
    /// The executing device; it must be the caller's.
    pub device: DeviceId,
    /// The lease's.
    pub fence: u64,
    /// What does not fit, a sentence of at most 500 characters.
    pub reason: String,
    /// The request is sound and what it would do has changed: it is made again as things are now, and asks people anew.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub renew: bool,
}

/// Answer to a refusal.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct LeaseRefused {
    pub status: Status,
}

//! People's devices: how one is enrolled, vouched for and taken out of service.

use serde::{Deserialize, Serialize};

use crate::{
    UnixMillis,
    dsse::{Envelope, PublicKey},
    fold::Status,
    id::{DeviceId, ProposalId, UserId},
    record::{Endorsement, Kind, Nonce, Verdict},
};

/// `POST /api/devices/challenge`: the nonce that an enrol record has to carry, valid for ten minutes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Challenge {
    pub challenge: Nonce,
}

/// `POST /api/devices/enrol`: an enrol record signed by the key it brings.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnrolRequest {
    pub record: Envelope,
}

/// Answer to an enrolment.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Enrolled {
    pub device_id: DeviceId,
    pub standing: DeviceState,
    /// Six digits that both sides show, to be compared by people; derived from the enrol record's digest.
    pub code: String,
}

/// Where a device stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum DeviceState {
    /// Waits for an endorsement.
    Waiting,
    Active,
    Revoked,
}

/// `POST /api/devices/{id}/endorse`: the code that the new device shows.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EndorseRequest {
    pub code: String,
}

/// `POST /api/devices/{id}/revoke`. Without more than a reason nothing counts any more that the device has approved and
/// that has not begun.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RevokeRequest {
    /// 1 to 500 characters.
    pub reason: String,
    /// Since when its key may have been in other hands: what the server had before still counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compromised_since: Option<UnixMillis>,
    /// The device was in good hands to the end: what it has approved still counts. Not together with `compromisedSince`.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub decisions_stand: bool,
}

/// `GET /api/devices/{id}/review`: what had begun, or was over, on the word of a revoked device after its last good record.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct DeviceReview {
    pub device_id: DeviceId,
    pub revoked_at: UnixMillis,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compromised_since: Option<UnixMillis>,
    /// The last of its numbers that is trusted; 0 when none is.
    pub last_good_seq: u64,
    /// Newest first.
    pub decisions: Vec<ReviewedDecision>,
    /// What else it has signed after its last good record that still holds, newest first.
    pub others: Vec<ReviewedRecord>,
}

/// One decision that people have to look at again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ReviewedDecision {
    pub proposal_id: ProposalId,
    pub tool_id: String,
    pub sentence: String,
    pub verdict: Verdict,
    /// When the server had it.
    pub at: UnixMillis,
    pub status: Status,
}

/// One other record that people have to look at again: a device that was vouched for, a stop, a release, rules, what people
/// said of an unknown outcome, a request that was taken back, a call that was run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ReviewedRecord {
    /// Its place in the journal.
    pub seq: u64,
    /// When the server had it.
    pub at: UnixMillis,
    pub kind: Kind,
    /// What it is about, as its entry says: `device/<id>`, `proposal/<id>`, ….
    pub subject: String,
}

/// `GET /api/devices`
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct DeviceList {
    pub devices: Vec<DeviceSummary>,
}

/// One device.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct DeviceSummary {
    pub id: DeviceId,
    pub user_id: UserId,
    pub name: String,
    pub public_key: PublicKey,
    pub state: DeviceState,
    pub enrolled_at: UnixMillis,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endorsed_by: Option<Endorsement>,
    /// While it waits: the code to compare.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

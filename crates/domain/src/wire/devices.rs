//! People's devices: how one is enrolled, vouched for and taken out of service.

use serde::{Deserialize, Serialize};

use crate::{
    UnixMillis,
    dsse::{Envelope, PublicKey},
    id::{DeviceId, UserId},
    record::{Endorsement, Nonce},
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

/// `POST /api/devices/{id}/revoke`
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RevokeRequest {
    pub reason: String,
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

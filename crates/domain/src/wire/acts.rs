//! What people want for the whole tenant, and their word on an unknown outcome.

use serde::{Deserialize, Serialize};

use crate::{
    Digest, UnixMillis,
    id::{ProposalId, UserId},
    record::{ApprovalRule, Scope},
};

/// `POST /api/stop`
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StopRequest {
    pub scope: Scope,
    /// One plain line of at most 500 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// `POST /api/stop/release`: of the very stop that the caller has seen.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReleaseRequest {
    pub scope: Scope,
    pub stop: Digest,
}

/// What stands still, and what had begun before and still runs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct StopList {
    pub stops: Vec<StopSummary>,
    pub in_flight: Vec<InFlight>,
}

/// A stop that stands.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct StopSummary {
    pub scope: Scope,
    pub stop: Digest,
    pub at: UnixMillis,
    pub by: UserId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who wants it to end.
    pub releases: Vec<UserId>,
    /// How many people have to want it.
    pub needed: u32,
}

/// A call in a stop's scope that had begun.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct InFlight {
    pub id: ProposalId,
    pub sentence: String,
    pub begun_at: UnixMillis,
}

/// The table of rules in force, and looser ones that wait for a second person.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RuleTable {
    /// What a change names as its base; absent before the first table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    pub table: Vec<ApprovalRule>,
    pub wanted: Vec<WantedTable>,
}

/// A looser table that waits for a second person, who says so by sending the same one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct WantedTable {
    pub table: Vec<ApprovalRule>,
    pub by: Vec<UserId>,
    pub at: UnixMillis,
}

/// `PUT /api/rules`
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RulesRequest {
    /// The digest of the table that the caller has seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Digest>,
    pub table: Vec<ApprovalRule>,
}

/// `POST /api/assistant/proposals/{id}/resolve`
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResolveRequest {
    pub happened: bool,
    /// How the caller knows: one plain line of at most 500 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// `POST /api/assistant/proposals/{id}/erase`
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EraseRequest {
    /// Why: one plain line of at most 500 characters. It stays in the journal, so it names nobody.
    pub reason: String,
}

/// What people say of an unknown outcome.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ResolutionDetail {
    /// What they have settled; absent while they have not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub happened: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<UnixMillis>,
    /// How many have to say the same.
    pub needed: u32,
    pub said: Vec<SaidDetail>,
    /// When a late receipt said the opposite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contradicted_at: Option<UnixMillis>,
}

/// One person's word.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SaidDetail {
    pub by: UserId,
    pub happened: bool,
    pub at: UnixMillis,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

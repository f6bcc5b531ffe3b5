//! The assistant endpoints: propose, approve, reject, execute, list, get, withdraw.

use serde::{Deserialize, Serialize};

use super::ResolutionDetail;
use crate::{
    Digest, UnixMillis,
    canonical::Value,
    fold::Status,
    id::{ConnectionId, ProposalId, TenantId, UserId},
    radar::Move,
    record::{Evidence, Holder, Outcome, PolicyDecision, Proposer, Reason, Requirement, Risk, Verdict},
};

/// `POST /api/assistant/propose`: either `text`, or `toolId` with `input`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Propose {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    /// The proposer's own words, at most 2,000 characters; shown apart, unverified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// At most 20 items.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
    /// Needed when the tenant has more than one connection of the tool's kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<ConnectionId>,
    /// From one minute to 30 days ahead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<UnixMillis>,
    /// Earliest time to run, before it expires: an approved call waits until then, and can be taken back until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<UnixMillis>,
    /// Asks once more for what came to nothing: failed, rejected, denied, expired or withdrawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<ProposalId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supersedes: Option<ProposalId>,
    /// The proposer's own name for its run, at most 128 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
}

/// Answer to a propose.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Proposed {
    pub ok: bool,
    pub tenant_id: TenantId,
    /// The actor's id: an agent's for an agent's key.
    pub user_id: String,
    /// `null` when no command form matched or the tool is not registered.
    pub proposed: Option<ProposedCall>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyAnswer>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal_record: Option<ProposalRecord>,
    /// With `proposed: null`: `no_intent_match` or `tool_not_found`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What was understood, before normalisation.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ProposedCall {
    pub tool_id: String,
    pub input: Value,
    pub risk_level: Risk,
}

/// What policy said when the proposal was stored.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PolicyAnswer {
    pub decision: PolicyDecision,
    pub reason: String,
}

/// Names of the stored proposal. The seed's conversation and message have no counterpart; their ids are the actor's
/// and the proposal's.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ProposalRecord {
    pub ai_tool_call_id: ProposalId,
    pub ai_conversation_id: String,
    pub ai_message_id: ProposalId,
    /// The idempotency key.
    pub tool_call_id: String,
    pub status: Status,
    /// Whether this call made it, or an earlier one with the same key.
    pub created: bool,
}

/// `POST /api/assistant/approve`
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Approve {
    pub ai_tool_call_id: ProposalId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// `POST /api/assistant/reject`
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Reject {
    pub ai_tool_call_id: ProposalId,
    pub reason: String,
}

/// `POST /api/assistant/execute`
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Execute {
    pub ai_tool_call_id: ProposalId,
}

/// Answer to approve and reject.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct DecidedAnswer {
    pub ok: bool,
    pub ai_tool_call_id: ProposalId,
    pub status: Status,
    pub tool_name: String,
    pub tool_call_id: String,
    pub approval: Approval,
}

/// Who decided, when and why.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "decision", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Approval {
    Approved {
        approved_at: UnixMillis,
        approved_by: UserId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        comment: Option<String>,
    },
    Rejected {
        rejected_at: UnixMillis,
        rejected_by: UserId,
        reason: String,
    },
}

/// Answer to execute: 200 when the run ended, 202 while it is held, waiting or running.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Executed {
    pub ok: bool,
    pub ai_tool_call_id: ProposalId,
    pub status: Status,
    pub tool_name: String,
    pub tool_call_id: String,
    /// Time from begin to the receipt, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_summary: Option<ResultSummary>,
    /// With 202: it does not begin before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<UnixMillis>,
    /// With 202: a stop stands over it, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
}

/// The end of a run in short; texts cut to 200 UTF-16 units as the seed does.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ResultSummary {
    pub success: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub formatted: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// `POST /api/assistant/proposals/{id}/withdraw`
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WithdrawRequest {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// `GET /api/assistant/proposals`
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ProposalList {
    pub proposals: Vec<ProposalSummary>,
    /// Goes into `?after=` for the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// One row of the list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ProposalSummary {
    pub id: ProposalId,
    pub status: Status,
    pub tool_id: String,
    pub risk: Risk,
    /// What it will do, in a line, with what would not be seen made visible.
    pub sentence: String,
    pub proposer: Proposer,
    pub created_at: UnixMillis,
    pub expires_at: UnixMillis,
}

/// `GET /api/assistant/proposals/{id}`
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ProposalDetail {
    pub id: ProposalId,
    pub status: Status,
    pub tool_id: String,
    pub input: Value,
    pub risk: Risk,
    pub risk_reasons: Vec<String>,
    pub sentence: String,
    pub proposer: Proposer,
    pub digest: Digest,
    pub created_at: UnixMillis,
    pub expires_at: UnixMillis,
    /// It does not begin before: of a pending call the end of its hold, of one to be decided the scheduled time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<UnixMillis>,
    pub policy: PolicyDetail,
    pub decisions: Vec<DecisionDetail>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution: Option<ExecutionDetail>,
    /// Whose move it is and until when; absent when it is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<Move>,
    /// What people ask its proposer, oldest first. The time that is left goes on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub questions: Vec<QuestionDetail>,
    /// Why it was superseded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<String>,
    /// The finished proposal that is tried again with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<ProposalId>,
    /// The proposal that it took the place of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supersedes: Option<ProposalId>,
    /// The proposal that took its place: whoever waits for this one goes on with that one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<ProposalId>,
    /// Sequence number of its newest journal entry; `?wait=` returns when it grows.
    pub revision: u64,
}

/// What policy said last.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PolicyDetail {
    pub decision: PolicyDecision,
    pub reason: String,
    pub policies: Vec<String>,
    pub requirement: Requirement,
}

/// One decision, whether it counts, and if not why.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct DecisionDetail {
    pub digest: Digest,
    pub verdict: Verdict,
    pub approver: UserId,
    pub at: UnixMillis,
    pub decided_at: UnixMillis,
    pub offline: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub void: Option<Reason>,
}

/// The run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ExecutionDetail {
    pub executor: Holder,
    pub begun_at: UnixMillis,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<UnixMillis>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The key under which the target knows the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    /// What people say of it, where it was not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<ResolutionDetail>,
}

/// A question to the proposer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct QuestionDetail {
    /// Its name: what an answer gives.
    pub question: Digest,
    pub by: UserId,
    pub at: UnixMillis,
    pub text: String,
    /// Absent while nobody has answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<AnswerDetail>,
}

/// The proposer's answer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct AnswerDetail {
    pub at: UnixMillis,
    pub text: String,
}

/// `POST /api/assistant/proposals/{id}/ask`
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AskRequest {
    /// 1 to 2,000 characters.
    pub text: String,
}

/// `POST /api/assistant/proposals/{id}/answer`
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AnswerRequest {
    /// The question's name, as the proposal has it.
    pub question: Digest,
    /// 1 to 2,000 characters.
    pub text: String,
}

/// `GET /api/radar`: everything that is not over, what has waited longest beyond its time first.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Radar {
    /// How many of them have waited too long.
    pub overdue: u32,
    pub proposals: Vec<RadarRow>,
    /// There are more in one of the states than are looked at: the oldest are here.
    pub capped: bool,
}

/// One that is not over.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RadarRow {
    pub id: ProposalId,
    pub status: Status,
    pub risk: Risk,
    pub sentence: String,
    pub waits_for: Move,
    pub overdue: bool,
}

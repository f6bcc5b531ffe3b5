//! What travels over HTTP: request and answer bodies of the tenant server (design §10).
//!
//! Field names are the seed's (contract §1) in camel case. Requests refuse unknown and duplicate fields. Server,
//! engine and the command-line tools share these types, so none of them can misspell the other.

use serde::{Deserialize, Serialize};

use crate::{
    Digest, Record, UnixMillis,
    canonical::Value,
    dsse::{Envelope, PublicKey, Signature},
    fold::Status,
    id::{AgentId, ConnectionId, DeviceId, InviteId, ProposalId, TaskId, TenantId, UserId},
    record::{
        ConnectionKind, Endorsement, Evidence, Holder, Kind, Mode, Nonce, Outcome, PolicyDecision, Proposer,
        Reason, Requirement, Risk, Role, TaskPriority, Verdict,
    },
};

/// Largest request body except for records, in bytes; more is 413 before parsing.
pub const MAX_BODY: usize = 256 * 1024;
/// Largest body of `POST /api/records`, in bytes.
pub const MAX_RECORDS_BODY: usize = 2 * 1024 * 1024;
/// Most envelopes in one `POST /api/records`.
pub const MAX_RECORDS: usize = 100;
/// Longest time that `?wait=` holds a request, in seconds: common clients give up at 60.
pub const MAX_WAIT_SECONDS: u32 = 45;
/// Most rows of one list page.
pub const MAX_PAGE: u32 = 200;
/// Most entries of one journal page.
pub const MAX_JOURNAL_PAGE: u32 = 5_000;

/// Header of `GET /api/snapshot`: how many entries the snapshot has. `GET /api/journal?after=<size>&limit=0` then proves
/// that it is a part of the head.
pub const SNAPSHOT_SIZE: &str = "x-journal-size";

/// Every error answer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ErrorBody {
    /// A sentence for people.
    pub error: String,
    /// A machine code.
    pub code: String,
    /// With a wrong-state answer: the state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_status: Option<Status>,
    /// With a refused field: its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

/// `POST /api/auth/sign-in`
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SignIn {
    pub email: String,
    pub password: String,
}

impl core::fmt::Debug for SignIn {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("SignIn")
            .field("email", &self.email)
            .finish_non_exhaustive()
    }
}

/// Answer to a sign-in. The token goes into `Authorization: Bearer`.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SignedIn {
    pub token: String,
    pub user_id: UserId,
    pub tenants: Vec<TenantSummary>,
}

impl core::fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("SignedIn")
            .field("user_id", &self.user_id)
            .finish_non_exhaustive()
    }
}

/// A tenant as its member sees it at sign-in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct TenantSummary {
    pub id: TenantId,
    pub name: String,
    pub role: Role,
    pub mode: Mode,
}

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
    /// A pending call does not begin before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<UnixMillis>,
    pub policy: PolicyDetail,
    pub decisions: Vec<DecisionDetail>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution: Option<ExecutionDetail>,
    /// Why it was superseded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<String>,
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
}

/// `POST /api/records`: what one device signed, in its order.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PushRecords {
    pub records: Vec<Envelope>,
}

/// Answers in the order of the records.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PushedRecords {
    pub results: Vec<RecordResult>,
}

/// What became of one record. Final: the same envelope gets the same answer for ever.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RecordResult {
    pub digest: Digest,
    pub effective: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The proposal's status after it, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
}

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

/// `GET /api/members`
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct MemberList {
    pub members: Vec<MemberSummary>,
}

/// One person of the tenant.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct MemberSummary {
    pub user_id: UserId,
    pub email: String,
    pub name: String,
    pub role: Role,
    pub since: UnixMillis,
}

/// `PATCH /api/members/{id}`
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangeMember {
    pub role: Role,
}

/// `POST /api/invites`
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InviteRequest {
    pub email: String,
    pub role: Role,
}

/// Answer to an invitation. The secret is shown once and stored hashed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Invited {
    pub invite_id: InviteId,
    pub secret: String,
    pub expires_at: UnixMillis,
}

impl core::fmt::Debug for Invited {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Invited")
            .field("invite_id", &self.invite_id)
            .finish_non_exhaustive()
    }
}

/// `GET /api/invites`
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct InviteList {
    pub invites: Vec<InviteSummary>,
}

/// One open invitation.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct InviteSummary {
    pub id: InviteId,
    pub email: String,
    pub role: Role,
    pub expires_at: UnixMillis,
}

/// `POST /api/invites/accept`, without a credential. A person new to the server sets a password of at least 12
/// characters; one who has an account gives the password of that account.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AcceptInvite {
    pub secret: String,
    pub name: String,
    pub password: String,
}

impl core::fmt::Debug for AcceptInvite {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("AcceptInvite")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// `POST /api/agents`
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateAgent {
    pub name: String,
    /// Whether it acts for the person who registers it; that person then never approves it in a company.
    #[serde(default)]
    pub personal: bool,
}

/// Answer to a registration. The key is shown once and stored hashed.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct AgentCreated {
    pub agent_id: AgentId,
    pub api_key: String,
}

impl core::fmt::Debug for AgentCreated {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("AgentCreated")
            .field("agent_id", &self.agent_id)
            .finish_non_exhaustive()
    }
}

/// `GET /api/agents`
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct AgentList {
    pub agents: Vec<AgentSummary>,
}

/// One agent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct AgentSummary {
    pub id: AgentId,
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<UserId>,
    pub revoked: bool,
    pub created_at: UnixMillis,
}

/// `POST /api/connections`: the public part only; the holder keeps the secret.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateConnection {
    pub kind: ConnectionKind,
    pub name: String,
    pub config: Value,
    pub holder: Holder,
}

/// Answer to a new connection.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ConnectionCreated {
    pub connection_id: ConnectionId,
}

/// `GET /api/connections`
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ConnectionList {
    pub connections: Vec<ConnectionSummary>,
}

/// One connection.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ConnectionSummary {
    pub id: ConnectionId,
    pub kind: ConnectionKind,
    pub name: String,
    pub config: Value,
    pub holder: Holder,
    /// Proposals that name it and are not over.
    pub open_proposals: u64,
}

/// `GET /api/tasks`: what `assistant.create_task` has made, newest first.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct TaskList {
    pub tasks: Vec<TaskSummary>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// One task.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct TaskSummary {
    pub id: TaskId,
    pub title: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_date: Option<String>,
    pub priority: TaskPriority,
    pub created_at: UnixMillis,
    pub proposal_id: ProposalId,
}

/// `GET /api/journal?after=N`: the entries after N, the checkpoint at the head, and a proof that the page's end is a
/// prefix of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct JournalPage {
    pub entries: Vec<WireEntry>,
    /// The head's checkpoint as a C2SP signed note.
    pub checkpoint: String,
    /// RFC 6962 consistency proof from the page's last entry to the head; empty when they are the same.
    pub consistency: Vec<Digest>,
}

/// One entry: the header, and the body where this reader may see it and it has not been erased.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct WireEntry {
    pub seq: u64,
    pub at: UnixMillis,
    /// A name that this version may not know.
    pub kind: String,
    pub subject: String,
    pub digest: Digest,
    /// The body's canonical text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
}

impl WireEntry {
    /// The record, when the body is here, its kind is known and it is the one that the header names.
    pub fn record(&self) -> Option<Record> {
        let kind: Kind = self.kind.parse().ok()?;
        let body = self.body.as_ref()?.as_bytes().to_vec();
        let digest = crate::dsse::record_digest(&kind.payload_type(), &body);
        (digest == self.digest).then(|| Record {
            kind,
            body,
            signature: self.signature.clone(),
            digest,
        })
    }
}

/// `GET /api/journal/checkpoint`, and the data of each server-sent event: the head only.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Head {
    pub size: u64,
    pub root: Digest,
    /// A C2SP signed note.
    pub checkpoint: String,
}

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

/// The right to begin one call before `expires_at`.
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
}

/// Answer to a refusal.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct LeaseRefused {
    pub status: Status,
}

/// `GET /api/tools`
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ToolList {
    pub tools: Vec<crate::manifest::Manifest>,
}

/// `GET /api/health`
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Health {
    pub status: HealthStatus,
    pub version: String,
    pub checks: Vec<HealthCheck>,
}

/// The worst of the checks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    Healthy,
    Degraded,
    Unhealthy,
}

/// One dependency.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct HealthCheck {
    pub name: String,
    pub status: CheckStatus,
    pub message: String,
}

/// How one check went.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CheckStatus {
    Pass,
    Warn,
    Fail,
}

/// What a tenant tells its own clients about itself: `GET /api/tenant`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct TenantInfo {
    pub id: TenantId,
    pub name: String,
    pub mode: Mode,
    pub log_key: PublicKey,
    pub user_id: UserId,
    pub role: Role,
}

//! What travels over HTTP: request and answer bodies of the tenant server (design §10).
//!
//! Field names are the seed's (contract §1) in camel case. Requests refuse unknown and duplicate fields. Server,
//! engine and the command-line tools share these types, so none of them can misspell the other.

mod acts;
mod assistant;
mod devices;
mod executions;
mod people;
mod sign_in;
mod sync;
mod tenant;

use core::net::IpAddr;

use serde::{Deserialize, Serialize};

pub use acts::{
    EraseRequest, InFlight, ReleaseRequest, ResolutionDetail, ResolveRequest, RuleTable, RulesRequest,
    SaidDetail, StopList, StopRequest, StopSummary, WantedTable,
};
pub use assistant::{
    AnswerDetail, AnswerRequest, Approval, Approve, AskRequest, DecidedAnswer, DecisionDetail, Execute,
    Executed, ExecutionDetail, PolicyAnswer, PolicyDetail, ProposalDetail, ProposalList, ProposalRecord,
    ProposalSummary, Propose, Proposed, ProposedCall, QuestionDetail, Radar, RadarRow, Reject, ResultSummary,
    WithdrawRequest,
};
pub use devices::{
    Challenge, DeviceList, DeviceReview, DeviceState, DeviceSummary, EndorseRequest, EnrolRequest, Enrolled,
    ReviewedDecision, ReviewedRecord, RevokeRequest,
};
pub use executions::{
    Claim, Claimed, ConfirmFence, ExecutionAnswer, ExecutionRecord, Lease, LeaseRefused, RefuseLease,
};
pub use people::{
    AcceptInvite, AgentCreated, AgentList, AgentSummary, ChangeMember, CreateAgent, InviteList,
    InviteRequest, InviteSummary, Invited, MemberList, MemberSummary,
};
pub use sign_in::{
    ProviderInfo, ProviderName, ProviderSignIn, REDIRECT_PATH, SignIn, SignInMethods, SignedIn, TenantSummary,
};
pub use sync::{Head, JournalPage, PushRecords, PushedRecords, RecordResult, SNAPSHOT_SIZE, WireEntry};
pub use tenant::{
    CheckStatus, ConnectionCreated, ConnectionList, ConnectionSummary, CreateConnection, Health, HealthCheck,
    HealthStatus, TaskList, TaskSummary, TenantInfo, ToolList,
};

use crate::{UnixMillis, fold::Status, id::UserId};

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

/// Whether a host is the computer that asks. A token goes there without encryption, and nowhere else.
pub fn is_this_computer(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

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
    /// With a decision that came too late: when what came first was, and where a person did it, who.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<UnixMillis>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<UserId>,
    /// With a refused field: its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

//! Who belongs to the tenant: members, invitations, and the agents that propose for it.

use serde::{Deserialize, Serialize};

use crate::{
    UnixMillis,
    id::{AgentId, InviteId, UserId},
    record::Role,
};

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

//! People, and the software that proposes for them.

use serde::{Deserialize, Serialize};

use super::{Actor, Body, Kind, Nonce};
use crate::{
    UnixMillis,
    id::{AgentId, InviteId, TenantId, UserId},
};

/// What a person may do in a tenant (design §8).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Member,
    Auditor,
    Approver,
    Admin,
    Owner,
}

impl Role {
    /// Whether the role may decide where policy lets it.
    pub const fn decides(self) -> bool {
        matches!(self, Self::Approver | Self::Admin | Self::Owner)
    }

    /// Whether the role may manage members, agents' keys, connections and policy.
    pub const fn manages(self) -> bool {
        matches!(self, Self::Admin | Self::Owner)
    }

    /// Whether the role sees every proposal; the others see their own.
    pub const fn sees_all(self) -> bool {
        !matches!(self, Self::Member)
    }

    /// Whether the role may take the journal away as a file.
    pub const fn exports(self) -> bool {
        matches!(self, Self::Auditor | Self::Admin | Self::Owner)
    }

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Auditor => "auditor",
            Self::Approver => "approver",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }
}

/// A person's standing in the tenant from here on. `role: None` is removal.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    pub at: UnixMillis,
    pub by: Actor,
    pub email: String,
    pub name: String,
    pub nonce: Nonce,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    pub tenant: TenantId,
    pub user: UserId,
}

impl Body for Member {
    const KIND: Kind = Kind::Member;

    fn subject(&self) -> String {
        format!("member/{}", self.user)
    }
}

/// Someone was asked to join. The secret of the link is not in it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invite {
    pub at: UnixMillis,
    pub by: Actor,
    pub email: String,
    pub expires_at: UnixMillis,
    pub id: InviteId,
    pub nonce: Nonce,
    /// `None` withdraws the invitation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    pub tenant: TenantId,
}

impl Body for Invite {
    const KIND: Kind = Kind::Invite;

    fn subject(&self) -> String {
        format!("invite/{}", self.id)
    }
}

/// A piece of software with a key of its own. The key is not in it, nor its hash.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agent {
    pub agent: AgentId,
    pub at: UnixMillis,
    pub by: Actor,
    pub name: String,
    pub nonce: Nonce,
    /// The person whose own agent it is; that person never approves it in a company. Absent: it is the tenant's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<UserId>,
    pub revoked: bool,
    pub tenant: TenantId,
}

impl Body for Agent {
    const KIND: Kind = Kind::Agent;

    fn subject(&self) -> String {
        format!("agent/{}", self.agent)
    }
}

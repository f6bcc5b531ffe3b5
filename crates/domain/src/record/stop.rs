//! The emergency stop, and its end.

use serde::{Deserialize, Serialize, Serializer};

use super::{Body, Kind, Nonce, write_tagged};
use crate::{
    Digest, UnixMillis,
    id::{AgentId, DeviceId, TenantId, UserId},
    record::{Proposer, ProposerKind},
};

/// What stands still.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", content = "id", rename_all = "snake_case", deny_unknown_fields)]
pub enum Scope {
    /// Everything in the tenant.
    Tenant,
    /// What one agent has proposed.
    Agent(AgentId),
    /// The calls of one tool.
    Tool(String),
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Tenant => write_tagged::<AgentId, S>("tenant", None, serializer),
            Self::Agent(id) => write_tagged("agent", Some(id), serializer),
            Self::Tool(id) => write_tagged("tool", Some(id), serializer),
        }
    }
}

impl Scope {
    /// Whether a call of `tool` that `proposer` asked for is in it.
    pub fn covers(&self, proposer: &Proposer, tool: &str) -> bool {
        match self {
            Self::Tenant => true,
            Self::Agent(agent) => proposer.kind == ProposerKind::Agent && proposer.id == agent.to_string(),
            Self::Tool(id) => id == tool,
        }
    }

    fn subject(&self) -> String {
        match self {
            Self::Tenant => "stop/tenant".to_owned(),
            Self::Agent(agent) => format!("stop/agent/{agent}"),
            Self::Tool(tool) => format!("stop/tool/{tool}"),
        }
    }
}

/// From its entry on nothing in its scope begins (design §5). What has begun goes on; approvals count, and run after
/// the release.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stop {
    /// By the clock of whoever made it: information, never an order.
    pub at: UnixMillis,
    pub by: UserId,
    /// The device that signed it, with its next sequence number and previous record; absent for a session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_seq: Option<u64>,
    pub nonce: Nonce,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Digest>,
    /// At most 500 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub scope: Scope,
    pub tenant: TenantId,
}

impl Body for Stop {
    const KIND: Kind = Kind::Stop;

    fn subject(&self) -> String {
        self.scope.subject()
    }

    fn link(&self) -> Option<(DeviceId, u64)> {
        self.device.zip(self.device_seq)
    }
}

/// One person wants the stop to end. It ends once enough of them do: two, or in a solo tenant the one, confirmed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// By the clock of whoever made it: information, never an order.
    pub at: UnixMillis,
    pub by: UserId,
    /// The person typed the words that were asked for.
    pub confirmed: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_seq: Option<u64>,
    pub nonce: Nonce,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Digest>,
    pub scope: Scope,
    /// Digest of the stop: a later one of the same scope is another.
    pub stop: Digest,
    pub tenant: TenantId,
}

impl Body for Release {
    const KIND: Kind = Kind::Release;

    fn subject(&self) -> String {
        self.scope.subject()
    }

    fn link(&self) -> Option<(DeviceId, u64)> {
        self.device.zip(self.device_seq)
    }
}

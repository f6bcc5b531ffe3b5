//! People, the software that proposes for them, and their devices.

use serde::{Deserialize, Serialize, Serializer};

use super::{Actor, Body, Kind, Nonce, Reason, write_tagged};
use crate::{
    Digest, UnixMillis,
    dsse::PublicKey,
    id::{AgentId, DeviceId, InviteId, TenantId, UserId},
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

/// A device's key asks to enter service. Signed by that key itself, which proves its possession; it signs nothing
/// that counts before an [`Endorse`] follows.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrol {
    /// The server's challenge, so that the record is fresh.
    pub challenge: Nonce,
    pub device: DeviceId,
    /// The person's name for it, at most 100 characters.
    pub name: String,
    pub nonce: Nonce,
    pub public_key: PublicKey,
    pub tenant: TenantId,
    pub user: UserId,
}

impl Body for Enrol {
    const KIND: Kind = Kind::Enrol;

    fn subject(&self) -> String {
        format!("device/{}", self.device)
    }
}

/// Somebody vouched for a device: its key is in service from here on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endorse {
    pub at: UnixMillis,
    pub by: Endorsement,
    pub device: DeviceId,
    /// The vouching device's next sequence number and previous record; absent when no device signed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_seq: Option<u64>,
    /// Digest of the enrol record, and so of the very key.
    pub enrol: Digest,
    pub nonce: Nonce,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Digest>,
    pub tenant: TenantId,
}

impl Body for Endorse {
    const KIND: Kind = Kind::Endorse;

    fn subject(&self) -> String {
        format!("device/{}", self.device)
    }

    fn link(&self) -> Option<(DeviceId, u64)> {
        match self.by {
            Endorsement::Device(by) => Some(by).zip(self.device_seq),
            Endorsement::FirstDevice | Endorsement::Admin(_) | Endorsement::Server => None,
        }
    }
}

/// Who vouched for a new device.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", content = "id", rename_all = "snake_case", deny_unknown_fields)]
pub enum Endorsement {
    /// The owner's sign-in, once, for the tenant's first device.
    FirstDevice,
    /// An enrolled device of the same person.
    Device(DeviceId),
    /// An admin who is another person.
    Admin(UserId),
    /// Somebody with a shell on the server.
    Server,
}

impl Serialize for Endorsement {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::FirstDevice => write_tagged::<DeviceId, S>("first_device", None, serializer),
            Self::Device(id) => write_tagged("device", Some(id), serializer),
            Self::Admin(id) => write_tagged("admin", Some(id), serializer),
            Self::Server => write_tagged::<DeviceId, S>("server", None, serializer),
        }
    }
}

/// A device's key leaves service at once.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revoke {
    pub at: UnixMillis,
    pub by: Actor,
    pub device: DeviceId,
    pub nonce: Nonce,
    /// A sentence for people, at most 500 characters.
    pub reason: String,
}

impl Body for Revoke {
    const KIND: Kind = Kind::Revoke;

    fn subject(&self) -> String {
        format!("device/{}", self.device)
    }
}

/// A record that a device has signed does not count, and is about nothing that it could be journalled with. Written
/// right *before* that record, under the same subject, so that no prefix of the journal ever counts it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refuse {
    pub at: UnixMillis,
    /// The device that signed it.
    pub device: DeviceId,
    pub reason: Reason,
    /// Digest of the record.
    pub record: Digest,
}

impl Body for Refuse {
    const KIND: Kind = Kind::Refuse;

    fn subject(&self) -> String {
        format!("device/{}", self.device)
    }
}

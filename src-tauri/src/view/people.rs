//! People, their devices, and agents.

use countersign_domain::record;
use countersign_engine::views::people;
use serde::{Deserialize, Serialize};
use specta::Type;

use super::{Permission, time};
use crate::embedded::address;

#[derive(Clone, Copy, Debug, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Owner,
    Admin,
    Approver,
    Auditor,
    Member,
}

#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct People {
    pub members: Vec<Member>,
    pub invites: Vec<Invite>,
    /// The roles that this person may give.
    pub roles: Vec<Role>,
    /// Whether this person may invite, and why not.
    pub invite: Permission,
    /// A sentence to read before inviting, such as what moves a solo tenant to a company.
    pub notice: Option<String>,
}

#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    pub id: String,
    pub name: String,
    /// Null where none was given.
    pub email: Option<String>,
    pub role: Role,
    pub you: bool,
    /// RFC 3339.
    pub joined_at: String,
    pub may_change_role: bool,
    pub may_remove: bool,
}

#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Invite {
    pub id: String,
    pub email: String,
    pub role: Role,
    /// RFC 3339.
    pub expires_at: String,
}

#[derive(Clone, Debug, Deserialize, Type)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InviteForm {
    pub email: String,
    pub role: Role,
}

/// Shown once.
#[derive(Clone, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct InviteMade {
    pub email: String,
    /// The secret code that the person types.
    pub code: String,
    /// The company address that the person types beside it.
    pub url: String,
}

impl core::fmt::Debug for InviteMade {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("InviteMade")
            .field("email", &self.email)
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Device {
    pub id: String,
    pub name: String,
    pub person: String,
    /// Short form of the public key's digest.
    pub fingerprint: String,
    /// RFC 3339.
    pub enrolled_at: String,
    pub this_device: bool,
    /// "Revoked 12 May", or that it waits to be confirmed; null while it counts.
    pub note: Option<String>,
    pub revoked: bool,
    pub may_revoke: bool,
    /// Of the person who looks.
    pub mine: bool,
    /// Whether this person may confirm it, by the code that it shows.
    pub may_endorse: bool,
}

#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Agents {
    pub rows: Vec<Agent>,
    /// Whether this person may make a key, and why not.
    pub create: Permission,
}

/// An agent's key as the list shows it; the key itself is shown once, when it is made.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Agent {
    pub id: String,
    pub name: String,
    /// RFC 3339.
    pub created_at: String,
    /// Whether the key no longer works.
    pub revoked: bool,
    pub may_revoke: bool,
}

impl From<record::Role> for Role {
    fn from(role: record::Role) -> Self {
        match role {
            record::Role::Owner => Self::Owner,
            record::Role::Admin => Self::Admin,
            record::Role::Approver => Self::Approver,
            record::Role::Auditor => Self::Auditor,
            record::Role::Member => Self::Member,
        }
    }
}

impl From<Role> for record::Role {
    fn from(role: Role) -> Self {
        match role {
            Role::Owner => Self::Owner,
            Role::Admin => Self::Admin,
            Role::Approver => Self::Approver,
            Role::Auditor => Self::Auditor,
            Role::Member => Self::Member,
        }
    }
}

impl From<people::People> for People {
    fn from(people: people::People) -> Self {
        let members = people.members.into_iter().map(|member| Member {
            id: member.id.to_string(),
            name: member.name,
            email: address(member.email),
            role: member.role.into(),
            you: member.you,
            joined_at: time(member.joined_at),
            may_change_role: member.may_change_role,
            may_remove: member.may_remove,
        });
        // An invitation without a role is one that was taken back.
        let invites = people.invites.into_iter().filter_map(|invite| {
            Some(Invite {
                id: invite.id.to_string(),
                email: invite.email,
                role: invite.role?.into(),
                expires_at: time(invite.expires_at),
            })
        });
        Self {
            members: members.collect(),
            invites: invites.collect(),
            roles: people.roles.into_iter().map(Into::into).collect(),
            invite: people.invite.into(),
            notice: people.notice,
        }
    }
}

impl From<people::DeviceRow> for Device {
    fn from(device: people::DeviceRow) -> Self {
        Self {
            id: device.id.to_string(),
            name: device.name,
            person: device.person,
            fingerprint: device.fingerprint,
            enrolled_at: time(device.enrolled_at),
            this_device: device.this_device,
            note: device.note,
            revoked: device.revoked,
            may_revoke: device.may_revoke,
            mine: device.mine,
            may_endorse: device.may_endorse,
        }
    }
}

impl From<people::Agents> for Agents {
    fn from(agents: people::Agents) -> Self {
        let rows = agents.rows.into_iter().map(|agent| Agent {
            id: agent.id.to_string(),
            name: agent.name,
            created_at: time(agent.created_at),
            revoked: agent.revoked,
            may_revoke: agent.may_revoke,
        });
        Self {
            rows: rows.collect(),
            create: agents.create.into(),
        }
    }
}

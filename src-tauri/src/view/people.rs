//! People, their devices, and agents.

use serde::{Deserialize, Serialize};
use specta::Type;

use super::Permission;

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
    pub email: String,
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
    /// RFC 3339; null when never.
    pub last_seen_at: Option<String>,
    pub this_device: bool,
    /// "Revoked 12 May: lost"; null while it counts.
    pub revoked: Option<String>,
    pub may_revoke: bool,
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
    /// RFC 3339; null when the key was never used.
    pub last_used_at: Option<String>,
    /// RFC 3339; null while the key works.
    pub revoked_at: Option<String>,
    pub may_revoke: bool,
}

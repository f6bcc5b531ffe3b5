//! People, their devices, and agents.

use countersign_domain::{record, wire::RevokeRequest};
use countersign_engine::views::people;
use serde::{Deserialize, Serialize};
use specta::Type;

use super::{Permission, Span, StateView, line, time};
use crate::{embedded::address, error::CommandError};

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
    /// RFC 3339: since when it has its present key, where that is not its first.
    pub key_since: Option<String>,
    pub this_device: bool,
    /// "Revoked 12 May", or that it waits to be confirmed; null while it counts.
    pub note: Option<String>,
    pub revoked: bool,
    pub may_revoke: bool,
    /// It is this device, and its key can be replaced.
    pub may_rotate: bool,
    /// Its key should be replaced.
    pub key_is_old: bool,
    /// Whether this person may see what had run on its word after its last good record.
    pub may_review: bool,
    /// Whether this person may trust less of what it has signed, though it is out of service.
    pub may_doubt: bool,
    /// Of the person who looks.
    pub mine: bool,
    /// Whether this person may confirm it, by the code that it shows.
    pub may_endorse: bool,
}

/// How a device leaves service.
#[derive(Clone, Debug, Deserialize, Type)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RevokeForm {
    pub reason: String,
    /// RFC 3339: since when its key may have been in other hands.
    pub compromised_since: Option<String>,
    /// It was in good hands to the end: what it has approved still counts.
    pub decisions_stand: bool,
}

/// What had run, or was running, on the word of a revoked device after its last good record.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Review {
    /// RFC 3339.
    pub compromised_since: Option<String>,
    /// Newest first.
    pub decisions: Vec<Reviewed>,
    /// What else it has signed since then that still holds, newest first.
    pub others: Vec<ReviewedAct>,
}

/// Another record that people have to look at again.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct ReviewedAct {
    /// Such as "Let in Phone of Ana, which is in service" or "Released a stop".
    pub words: String,
    /// RFC 3339.
    pub at: String,
    /// The proposal that it is about; null where it is about none.
    pub proposal: Option<String>,
}

/// One approval that people have to look at again.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Reviewed {
    /// The proposal.
    pub id: String,
    pub sentence: Vec<Span>,
    /// RFC 3339: when it was approved.
    pub at: String,
    /// Null until the proposal has come here.
    pub state: Option<StateView>,
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
    /// The person for whom it acts; null for an agent of the tenant.
    pub owner: Option<String>,
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
            key_since: device.key_since.map(time),
            may_rotate: device.may_rotate,
            key_is_old: device.key_is_old,
            may_review: device.may_review,
            may_doubt: device.may_doubt,
            this_device: device.this_device,
            note: device.note,
            revoked: device.revoked,
            may_revoke: device.may_revoke,
            mine: device.mine,
            may_endorse: device.may_endorse,
        }
    }
}

impl TryFrom<RevokeForm> for RevokeRequest {
    type Error = CommandError;

    fn try_from(form: RevokeForm) -> Result<Self, CommandError> {
        let since = form.compromised_since.map(|text| text.parse()).transpose();
        Ok(Self {
            reason: form.reason,
            compromised_since: since
                .map_err(|_| CommandError::invalid("compromisedSince", "Give a day and a time."))?,
            decisions_stand: form.decisions_stand,
        })
    }
}

impl From<people::Review> for Review {
    fn from(review: people::Review) -> Self {
        let decisions = review.decisions.into_iter().map(|decision| Reviewed {
            id: decision.id.to_string(),
            sentence: line(&decision.sentence),
            at: time(decision.at),
            state: decision.state.map(Into::into),
        });
        Self {
            compromised_since: review.compromised_since.map(time),
            decisions: decisions.collect(),
            others: review
                .others
                .into_iter()
                .map(|other| ReviewedAct {
                    words: other.words,
                    at: time(other.at),
                    proposal: other.proposal.map(|id| id.to_string()),
                })
                .collect(),
        }
    }
}

impl From<people::Agents> for Agents {
    fn from(agents: people::Agents) -> Self {
        let rows = agents.rows.into_iter().map(|agent| Agent {
            id: agent.id.to_string(),
            name: agent.name,
            created_at: time(agent.created_at),
            owner: agent.owner,
            revoked: agent.revoked,
            may_revoke: agent.may_revoke,
        });
        Self {
            rows: rows.collect(),
            create: agents.create.into(),
        }
    }
}

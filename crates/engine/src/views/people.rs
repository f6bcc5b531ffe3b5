//! People, their devices, and the software that proposes. Lists come from the journal and work offline; changes need
//! the tenant.

use countersign_domain::{
    Millis, UnixMillis,
    id::{AgentId, DeviceId, InviteId, ProposalId, UserId},
    people,
    record::{Invite, Kind, Mode, Role},
    wire::{AgentCreated, ChangeMember, CreateAgent, InviteRequest, Invited, ReviewedRecord, RevokeRequest},
};

use super::{Permission, StateView, Words};
use crate::{Engine, EngineError, client::CallError, enrol, seat::Seat};

/// Everyone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct People {
    pub members: Vec<Member>,
    /// Those that are open.
    pub invites: Vec<Invite>,
    /// The roles that this person may give.
    pub roles: Vec<Role>,
    pub invite: Permission,
    /// To read before inviting.
    pub notice: Option<String>,
}

/// One member.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    pub id: UserId,
    pub name: String,
    pub email: String,
    pub role: Role,
    pub you: bool,
    pub joined_at: UnixMillis,
    pub may_change_role: bool,
    pub may_remove: bool,
}

/// One device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeviceRow {
    pub id: DeviceId,
    pub name: String,
    pub person: String,
    pub fingerprint: String,
    pub enrolled_at: UnixMillis,
    /// Since when it has its present key, where that is not its first.
    pub key_since: Option<UnixMillis>,
    pub this_device: bool,
    /// "Revoked 12 May"; or that it waits to be confirmed.
    pub note: Option<String>,
    pub revoked: bool,
    pub may_revoke: bool,
    /// It is this device, and its key can be replaced.
    pub may_rotate: bool,
    /// Its key is older than is good for one.
    pub key_is_old: bool,
    /// Whether this person may see what had begun on its word after its last good record.
    pub may_review: bool,
    /// Whether this person may say, of one that is out of service, that less of what it has signed is to be trusted.
    pub may_doubt: bool,
    /// Of the person who looks.
    pub mine: bool,
    /// Whether this person may confirm it by its code.
    pub may_endorse: bool,
}

/// What had begun on the word of a revoked device that is not trusted any more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Review {
    pub compromised_since: Option<UnixMillis>,
    /// Newest first.
    pub decisions: Vec<Reviewed>,
    /// What else it has signed since then that still holds, newest first.
    pub others: Vec<ReviewedAct>,
}

/// Another record that people have to look at again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReviewedAct {
    /// "Let in Ana's Phone, which is in service", "Released a stop".
    pub words: String,
    /// When the server had it.
    pub at: UnixMillis,
    /// What it is about, where that is a request.
    pub proposal: Option<ProposalId>,
}

/// One approval that people have to look at again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reviewed {
    pub id: ProposalId,
    pub sentence: String,
    /// When the server had the approval.
    pub at: UnixMillis,
    /// `None` until the proposal has come here.
    pub state: Option<StateView>,
}

/// Every agent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Agents {
    pub rows: Vec<AgentRow>,
    pub create: Permission,
}

/// One agent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AgentRow {
    pub id: AgentId,
    pub name: String,
    pub created_at: UnixMillis,
    /// The name of the person for whom it acts; `None` for an agent of the tenant.
    pub owner: Option<String>,
    pub revoked: bool,
    pub may_revoke: bool,
}

/// After this a device's key should be replaced: whoever may have copied it unseen has it no longer (threats.md §2).
const GOOD_KEY_TIME: Millis = Millis::hours(90 * 24);

/// Everyone's roles, mildest first.
const ROLES: [Role; 5] = [
    Role::Member,
    Role::Auditor,
    Role::Approver,
    Role::Admin,
    Role::Owner,
];

impl Engine {
    /// Members and open invitations.
    ///
    /// # Errors
    /// When nobody is signed in.
    pub async fn people(&self) -> Result<People, EngineError> {
        let seat = self.seat()?;
        let (people, now) = (seat.people().await?, seat.now());
        let mine = people.role(seat.person());
        let may_give = |role: Role| mine.is_some_and(|mine| mine.manages() && role <= mine);
        let members = people
            .members
            .iter()
            .filter_map(|(id, person)| {
                let (role, you) = (person.role?, *id == seat.person());
                Some(Member {
                    id: *id,
                    name: person.name.clone(),
                    email: person.email.clone(),
                    role,
                    you,
                    joined_at: person.since,
                    may_change_role: !you && may_give(role),
                    may_remove: !you && may_give(role),
                })
            })
            .collect();
        let invite = match mine {
            Some(role) if role.manages() => Permission::YES,
            Some(_) | None => Permission::no("Owners and admins invite people."),
        };
        Ok(People {
            members,
            invites: people.invites.values().filter(|invite| invite.expires_at > now).cloned().collect(),
            roles: ROLES.into_iter().filter(|role| may_give(*role)).collect(),
            invite,
            notice: (people.mode() == Mode::Solo).then(|| {
                "A second person who decides makes this a company, for good: from then on nobody approves what they \
                 proposed themselves."
                    .to_owned()
            }),
        })
    }

    /// Invites somebody. The secret is shown once.
    ///
    /// # Errors
    /// Offline, or when the tenant says no.
    pub async fn invite(&self, email: String, role: Role) -> Result<(Invited, String), EngineError> {
        let seat = self.online()?;
        let invited = seat.client.invite(&InviteRequest { email, role }).await?;
        seat.wakes.sync.notify_one();
        Ok((invited, seat.client.address().as_str().to_owned()))
    }

    /// Takes an invitation back.
    ///
    /// # Errors
    /// Offline, or when the tenant says no.
    pub async fn withdraw_invite(&self, id: InviteId) -> Result<(), EngineError> {
        let seat = self.online()?;
        done(&seat, seat.client.withdraw_invite(id).await)
    }

    /// Gives a member another role.
    ///
    /// # Errors
    /// Offline, or when the tenant says no.
    pub async fn change_role(&self, id: UserId, role: Role) -> Result<(), EngineError> {
        let seat = self.online()?;
        done(&seat, seat.client.change_member(id, &ChangeMember { role }).await)
    }

    /// Removes a member: devices, sessions and decisions that have not run go with them.
    ///
    /// # Errors
    /// Offline, or when the tenant says no.
    pub async fn remove_member(&self, id: UserId) -> Result<(), EngineError> {
        let seat = self.online()?;
        done(&seat, seat.client.remove_member(id).await)
    }

    /// Every device of the tenant.
    ///
    /// # Errors
    /// When nobody is signed in.
    pub async fn devices(&self) -> Result<Vec<DeviceRow>, EngineError> {
        let seat = self.seat()?;
        let people = seat.people().await?;
        let (words, now) = (Words::new(&seat, &people), seat.now());
        let manages = people.role(seat.person()).is_some_and(Role::manages);
        let in_service = enrol::is_in_service(&seat, &people);
        let active = people
            .devices
            .values()
            .filter(|device| device.is_active())
            .count();
        // Without its one device nobody on this computer could ever sign again, nor bring another into service.
        let only = people.mode() == Mode::Solo && active == 1;
        let row = |(id, device): (&DeviceId, &people::Device)| {
            let mine = device.user == seat.person();
            let waits = device.is_waiting();
            DeviceRow {
                id: *id,
                name: device.name.clone(),
                person: people
                    .members
                    .get(&device.user)
                    .map(|person| person.name.clone())
                    .unwrap_or_default(),
                fingerprint: device.key.key_id().fingerprint(),
                enrolled_at: device.enrolled_at,
                key_since: (!device.earlier_keys.is_empty()).then_some(device.key_since),
                may_rotate: *id == seat.device() && in_service,
                key_is_old: device.is_active() && now.since(device.key_since) > GOOD_KEY_TIME,
                may_review: device.revoked_at.is_some() && (mine || manages),
                may_doubt: device.revoked_at.is_some() && device.last_good_seq > 0 && (mine || manages),
                this_device: *id == seat.device(),
                mine,
                note: match device.revoked_at {
                    Some(at) => Some(format!("Revoked {}", words.time(at))),
                    None => waits.then(|| "Waits to be confirmed".to_owned()),
                },
                revoked: device.revoked_at.is_some(),
                may_revoke: device.revoked_at.is_none() && (mine || manages) && !(only && device.is_active()),
                // Of one's own with this device's key, of another person as an admin: one session in wrong hands must
                // not bring a device of its own.
                may_endorse: waits && if mine { in_service } else { manages },
            }
        };
        Ok(people.devices.iter().map(row).collect())
    }

    /// Takes a device out of service, with what is still trusted of that which it has signed.
    ///
    /// # Errors
    /// Offline, or when the tenant says no.
    pub async fn revoke_device(&self, id: DeviceId, request: RevokeRequest) -> Result<(), EngineError> {
        let seat = self.online()?;
        done(&seat, seat.client.revoke_device(id, &request).await)
    }

    /// What had begun on the word of a revoked device after its last good record.
    ///
    /// # Errors
    /// Offline, or when the tenant says no.
    pub async fn device_review(&self, id: DeviceId) -> Result<Review, EngineError> {
        let seat = self.online()?;
        let (review, people) = (seat.client.device_review(id).await?, seat.people().await?);
        let words = Words::new(&seat, &people);
        let mut decisions = Vec::new();
        for decision in review.decisions {
            let id = decision.proposal_id;
            let card = seat.journal.read(move |reader| Ok(reader.proposal(id)?)).await?;
            decisions.push(Reviewed {
                id,
                sentence: decision.sentence,
                at: decision.at,
                state: card.map(|card| words.state(&card.state, None)),
            });
        }
        let others = review.others.iter().map(|other| ReviewedAct {
            words: act_words(&people, other),
            at: other.at,
            proposal: other
                .subject
                .strip_prefix("proposal/")
                .and_then(|id| id.parse().ok()),
        });
        Ok(Review {
            compromised_since: review.compromised_since,
            decisions,
            others: others.collect(),
        })
    }

    /// Confirms a new device by the code that it shows: one of this person's own with the key of this device, another
    /// person's as an admin.
    ///
    /// # Errors
    /// Offline, when the code is another one, or when the tenant says no.
    pub async fn endorse_device(&self, id: DeviceId, code: String) -> Result<(), EngineError> {
        let seat = self.online()?;
        let people = seat.people().await?;
        if let Some(device) = people.devices.get(&id)
            && device.user == seat.person()
        {
            return enrol::vouch(&seat, &people, id, device, code.trim()).await;
        }
        done(&seat, seat.client.endorse(id, code).await)
    }

    /// Every agent.
    ///
    /// # Errors
    /// When nobody is signed in.
    pub async fn agents(&self) -> Result<Agents, EngineError> {
        let seat = self.seat()?;
        let people = seat.people().await?;
        let words = Words::new(&seat, &people);
        let manages = people.role(seat.person()).is_some_and(Role::manages);
        let rows = people.agents.iter().map(|(id, agent)| AgentRow {
            id: *id,
            name: agent.name.clone(),
            created_at: agent.since,
            owner: agent.owner.map(|owner| words.who(owner)),
            revoked: agent.revoked,
            may_revoke: manages && !agent.revoked,
        });
        let create = if manages {
            Permission::YES
        } else {
            Permission::no("Owners and admins make keys for agents.")
        };
        Ok(Agents {
            rows: rows.collect(),
            create,
        })
    }

    /// Registers an agent of the tenant, or where it is `personal` one that acts for this person, who then never approves in
    /// a company what it asks for. Its key is shown once.
    ///
    /// # Errors
    /// Offline, or when the tenant says no.
    pub async fn create_agent(
        &self,
        name: String,
        personal: bool,
    ) -> Result<(AgentCreated, String), EngineError> {
        let seat = self.online()?;
        let created = seat.client.create_agent(&CreateAgent { name, personal }).await?;
        seat.wakes.sync.notify_one();
        Ok((created, seat.client.address().as_str().to_owned()))
    }

    /// Takes an agent's key out of service.
    ///
    /// # Errors
    /// Offline, or when the tenant says no.
    pub async fn revoke_agent(&self, id: AgentId) -> Result<(), EngineError> {
        let seat = self.online()?;
        done(&seat, seat.client.revoke_agent(id).await)
    }

    /// The seat, for what needs the tenant.
    pub(super) fn online(&self) -> Result<std::sync::Arc<Seat>, EngineError> {
        let seat = self.seat()?;
        if seat.is_cut_off() {
            Err(EngineError::offline())
        } else {
            Ok(seat)
        }
    }
}

fn done(seat: &Seat, answer: Result<(), CallError>) -> Result<(), EngineError> {
    answer?;
    seat.wakes.sync.notify_one();
    Ok(())
}

/// A record of a device, for people.
fn act_words(people: &people::People, other: &ReviewedRecord) -> String {
    let device = || {
        let id = other.subject.strip_prefix("device/")?.parse().ok()?;
        let device = people.devices.get(&id)?;
        let person = people
            .members
            .get(&device.user)
            .map_or("a former member", |person| &person.name);
        let since = match device.revoked_at {
            None => "in service",
            Some(_) => "out of service by now",
        };
        Some(format!("Let in {} of {person}, which is {since}", device.name))
    };
    let words = match other.kind {
        Kind::Endorse => device().unwrap_or_else(|| "Let in a device".to_owned()),
        Kind::Stop => "Stopped calls".to_owned(),
        Kind::Release => "Released a stop".to_owned(),
        Kind::Rules => "Changed what the tenant asks for".to_owned(),
        Kind::Resolution => "Said how an unknown call had ended".to_owned(),
        Kind::Withdraw => "Took a request back".to_owned(),
        Kind::Receipt => "Ran a call and said how it ended".to_owned(),
        Kind::Genesis
        | Kind::Member
        | Kind::Invite
        | Kind::Agent
        | Kind::Connection
        | Kind::Manifest
        | Kind::Enrol
        | Kind::Revoke
        | Kind::Refuse
        | Kind::Proposal
        | Kind::Preview
        | Kind::Evaluation
        | Kind::Decision
        | Kind::Void
        | Kind::Supersede
        | Kind::Expire
        | Kind::Begin
        | Kind::Lapse
        | Kind::Rotate
        | Kind::Erase
        | Kind::Remark => format!("Signed a {}", other.kind),
    };
    super::plain(&words)
}

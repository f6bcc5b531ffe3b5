//! Commands about people, their devices, the software that proposes for them, and the tenant's ways out.
//!
//! Each appends its records and what follows from them (voids, revocations, supersedings) in one transaction. Who asks is
//! judged here, inside the writer, by the journal as it stands: a role lost a moment ago is lost.

use std::sync::Arc;

use countersign_domain::{
    Millis, Record, UnixMillis,
    decision::is_own,
    fold::Status,
    id::{AgentId, ConnectionId, DeviceId, InviteId, UserId},
    people::{Device, People},
    record::{
        Actor, Agent, Connection, Endorse, Endorsement, Enrol, Holder, Invite, Member, Mode, Reason, Revoke,
        Role,
    },
};

use super::{
    Tenant, decide,
    desk::Desk,
    found::append,
    supersede,
    writer::{Answer, StoreError},
};
use crate::random;

/// How long an invitation stands.
pub(crate) const INVITATION: Millis = Millis::hours(7 * 24);
/// Most open invitations, working agents and connections of a tenant, each.
const MOST: usize = 500;
/// Most devices of one person that wait to be vouched for. Nobody else's are in the way.
const MOST_WAITING: usize = 5;

/// Why nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PeopleRefusal {
    /// Not there, or not for this caller to know of.
    NotFound,
    /// The caller's role does not do this.
    Forbidden,
    /// Only an owner makes owners, and only an owner changes or removes one.
    NeedsOwner,
    /// A tenant has at least one owner.
    LastOwner,
    /// The person belongs to the tenant already.
    AlreadyMember,
    /// Something in service has that name already.
    NameTaken,
    /// There are too many of them already.
    TooMany,
    /// The device that would hold it is not one of the caller's in service.
    NotYourDevice,
    /// The device's id or key has been used before.
    DeviceKnown,
    /// The device does not wait to be vouched for.
    NotWaiting,
    /// Another person has to vouch for it.
    AnotherPerson,
    /// The six digits are not that device's.
    WrongCode,
}

type Change<T = ()> = Answer<T, PeopleRefusal>;

/// An invitation to be made.
#[derive(Clone, Debug)]
pub struct NewInvite {
    pub id: InviteId,
    pub email: String,
    pub role: Role,
}

/// An agent to be registered.
#[derive(Clone, Debug)]
pub struct NewAgent {
    pub id: AgentId,
    pub name: String,
    /// The person whose own it is.
    pub owner: Option<UserId>,
}

impl Tenant {
    /// Gives a member another role.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn change_member(&self, by: Actor, user: UserId, role: Role) -> Change {
        self.write(move |desk| change_member(desk, by, user, role)).await
    }

    /// Removes a member: sessions end here at once, devices and own agents leave service, decisions that have not been
    /// used no longer count.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn remove_member(&self, by: Actor, user: UserId) -> Change {
        self.write(move |desk| remove_member(desk, by, user)).await
    }

    /// Invites somebody; returns when the invitation ends.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn invite(&self, by: Actor, new: NewInvite) -> Change<UnixMillis> {
        self.write(move |desk| invite(desk, by, &new)).await
    }

    /// Takes an open invitation back.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn withdraw_invite(&self, by: Actor, id: InviteId) -> Change {
        self.write(move |desk| withdraw_invite(desk, by, id)).await
    }

    /// Makes the invited person a member; the invitation is used up in the same transaction.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn accept_invite(&self, id: InviteId, user: UserId, name: String) -> Change {
        self.write(move |desk| accept_invite(desk, id, user, &name)).await
    }

    /// Registers an agent.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn add_agent(&self, by: Actor, new: NewAgent) -> Change {
        self.write(move |desk| add_agent(desk, by, &new)).await
    }

    /// Takes an agent out of service for good.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn revoke_agent(&self, by: Actor, id: AgentId) -> Change {
        self.write(move |desk| revoke_agent(desk, by, id)).await
    }

    /// Adds a connection. Its configuration has been checked.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn add_connection(&self, by: UserId, new: Connection) -> Change {
        self.write(move |desk| add_connection(desk, by, &new)).await
    }

    /// Removes a connection and closes what has not begun over it.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn remove_connection(&self, by: Actor, id: ConnectionId) -> Change {
        self.write(move |desk| remove_connection(desk, by, id)).await
    }

    /// Takes an enrol record whose signature and challenge have been checked.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn enrol(&self, record: Arc<Record>, enrol: Arc<Enrol>) -> Change<Device> {
        self.write(move |desk| enrol_device(desk, &record, &enrol)).await
    }

    /// Vouches for another person's device, whose code the caller has compared.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn endorse(&self, by: UserId, device: DeviceId, code: String) -> Change {
        self.write(move |desk| endorse(desk, by, device, &code)).await
    }

    /// Vouches, as somebody with a shell on the server, for the device of `user` that waits and shows `code`.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn endorse_by_server(&self, user: UserId, code: String) -> Change<DeviceId> {
        self.write(move |desk| endorse_by_server(desk, user, &code)).await
    }

    /// Takes a device out of service, with the connections that it holds.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn revoke_device(&self, by: UserId, device: DeviceId, reason: String) -> Change {
        self.write(move |desk| revoke(desk, by, device, &reason)).await
    }

    /// How many proposals that are not over go through a connection.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn open_over(&self, connections: Vec<ConnectionId>) -> Result<Vec<u64>, StoreError> {
        let not_over: Vec<String> = Status::ALL
            .iter()
            .filter(|(status, _)| !status.is_final())
            .map(|(status, _)| (*status as i64).to_string())
            .collect();
        let sql = format!(
            "SELECT count(*) FROM proposal WHERE status IN ({}) AND json_extract(state, '$.connection.id') = ?1",
            not_over.join(", ")
        );
        self.read(move |database| {
            let mut count = database.prepare_cached(&sql)?;
            connections
                .iter()
                .map(|id| {
                    Ok(count
                        .query_row([id.to_string()], |row| row.get::<_, i64>(0))?
                        .unsigned_abs())
                })
                .collect()
        })
        .await
    }
}

/// The role with which `by` manages; the server's own shell manages like an owner.
fn managing(people: &People, by: Actor) -> Result<Role, PeopleRefusal> {
    match by {
        Actor::Server => Ok(Role::Owner),
        Actor::User(user) => people
            .role(user)
            .filter(|role| role.manages())
            .ok_or(PeopleRefusal::Forbidden),
        Actor::Agent(_) => Err(PeopleRefusal::Forbidden),
    }
}

/// Runs a check that may refuse, inside a command.
macro_rules! check {
    ($outcome:expr) => {
        match $outcome {
            Ok(value) => value,
            Err(refusal) => return Ok(Err(refusal)),
        }
    };
}

fn change_member(desk: &mut Desk, by: Actor, user: UserId, role: Role) -> Change {
    let mine = check!(managing(desk.people(), by));
    let old = check!(desk.people().role(user).ok_or(PeopleRefusal::NotFound));
    if old == role {
        return Ok(Ok(()));
    }
    check!(may_change(desk.people(), mine, old, Some(role)));
    put_member(desk, by, user, Some(role))?;
    if !role.decides() {
        decide::void_where(desk, Reason::NotEligible, |_, cast| cast.approver == user)?;
    }
    Ok(Ok(()))
}

fn remove_member(desk: &mut Desk, by: Actor, user: UserId) -> Change {
    let mine = check!(managing(desk.people(), by));
    let old = check!(desk.people().role(user).ok_or(PeopleRefusal::NotFound));
    check!(may_change(desk.people(), mine, old, None));
    put_member(desk, by, user, None)?;
    let people = Arc::clone(desk.people());
    let devices = people
        .devices
        .iter()
        .filter(|(_, device)| device.user == user && device.revoked_at.is_none());
    for (id, _) in devices {
        take_out_of_service(desk, by, *id, "Its owner is no longer a member.")?;
    }
    decide::void_where(desk, Reason::NotEligible, |_, cast| cast.approver == user)?;
    let own = people
        .agents
        .iter()
        .filter(|(_, agent)| agent.owner == Some(user) && !agent.revoked);
    for (id, _) in own {
        put_agent_revoked(desk, by, *id)?;
    }
    Ok(Ok(()))
}

/// Whether somebody who manages as `mine` may turn a member's role from `old` into `new`.
fn may_change(people: &People, mine: Role, old: Role, new: Option<Role>) -> Result<(), PeopleRefusal> {
    let touches_owner = old == Role::Owner || new == Some(Role::Owner);
    if touches_owner && mine != Role::Owner {
        return Err(PeopleRefusal::NeedsOwner);
    }
    let owners = people
        .members
        .values()
        .filter(|person| person.role == Some(Role::Owner))
        .count();
    if old == Role::Owner && new != Some(Role::Owner) && owners == 1 {
        return Err(PeopleRefusal::LastOwner);
    }
    Ok(())
}

fn put_member(desk: &mut Desk, by: Actor, user: UserId, role: Option<Role>) -> Result<(), StoreError> {
    let person = desk.people().members.get(&user).cloned();
    let person = person.ok_or_else(|| StoreError::damaged("a member is missing"))?;
    let (at, tenant) = (desk.now(), desk.tenant());
    let nonce = random::nonce();
    append_member(
        desk,
        &Member {
            at,
            by,
            email: person.email,
            name: person.name,
            nonce,
            role,
            tenant,
            user,
        },
    )
}

/// Appends a member's new standing. When it makes the tenant a company, what people have approved of their own does not
/// count any more (design §4): it is void in the same transaction.
fn append_member(desk: &mut Desk, member: &Member) -> Result<(), StoreError> {
    let before = desk.people().mode();
    append(desk, member)?;
    let people = Arc::clone(desk.people());
    if before == Mode::Company || people.mode() == Mode::Solo {
        return Ok(());
    }
    decide::void_where(desk, Reason::SelfApproval, |state, cast| {
        let owner = decide::agent_owner(&people, &state.proposer);
        is_own(&state.proposer, owner, cast.approver)
    })
}

fn invite(desk: &mut Desk, by: Actor, new: &NewInvite) -> Change<UnixMillis> {
    let mine = check!(managing(desk.people(), by));
    if new.role == Role::Owner && mine != Role::Owner {
        return Ok(Err(PeopleRefusal::NeedsOwner));
    }
    let people = desk.people();
    if people
        .members
        .values()
        .any(|person| person.role.is_some() && person.email == new.email)
    {
        return Ok(Err(PeopleRefusal::AlreadyMember));
    }
    let now = desk.now();
    if people
        .invites
        .values()
        .filter(|invite| invite.expires_at > now)
        .count()
        >= MOST
    {
        return Ok(Err(PeopleRefusal::TooMany));
    }
    let expires_at = now + INVITATION;
    let tenant = desk.tenant();
    append(
        desk,
        &Invite {
            at: now,
            by,
            email: new.email.clone(),
            expires_at,
            id: new.id,
            nonce: random::nonce(),
            role: Some(new.role),
            tenant,
        },
    )?;
    Ok(Ok(expires_at))
}

fn withdraw_invite(desk: &mut Desk, by: Actor, id: InviteId) -> Change {
    check!(managing(desk.people(), by));
    let invite = check!(
        desk.people()
            .invites
            .get(&id)
            .cloned()
            .ok_or(PeopleRefusal::NotFound)
    );
    end_invite(desk, by, invite)?;
    Ok(Ok(()))
}

fn accept_invite(desk: &mut Desk, id: InviteId, user: UserId, name: &str) -> Change {
    let now = desk.now();
    let open = desk
        .people()
        .invites
        .get(&id)
        .filter(|invite| invite.expires_at > now)
        .cloned();
    let invite = check!(open.ok_or(PeopleRefusal::NotFound));
    if desk.people().role(user).is_some() {
        return Ok(Err(PeopleRefusal::AlreadyMember));
    }
    let by = Actor::User(user);
    let tenant = desk.tenant();
    append_member(
        desk,
        &Member {
            at: now,
            by,
            email: invite.email.clone(),
            name: name.to_owned(),
            nonce: random::nonce(),
            role: invite.role,
            tenant,
            user,
        },
    )?;
    end_invite(desk, by, invite)?;
    Ok(Ok(()))
}

fn end_invite(desk: &mut Desk, by: Actor, invite: Invite) -> Result<(), StoreError> {
    let ended = Invite {
        at: desk.now(),
        by,
        nonce: random::nonce(),
        role: None,
        ..invite
    };
    append(desk, &ended)?;
    Ok(())
}

fn add_agent(desk: &mut Desk, by: Actor, new: &NewAgent) -> Change {
    check!(managing(desk.people(), by));
    let mut working = desk.people().agents.values().filter(|agent| !agent.revoked);
    if working.clone().count() >= MOST {
        return Ok(Err(PeopleRefusal::TooMany));
    }
    if working.any(|agent| same_name(&agent.name, &new.name)) {
        return Ok(Err(PeopleRefusal::NameTaken));
    }
    let (at, tenant) = (desk.now(), desk.tenant());
    append(
        desk,
        &Agent {
            agent: new.id,
            at,
            by,
            name: new.name.clone(),
            nonce: random::nonce(),
            owner: new.owner,
            revoked: false,
            tenant,
        },
    )?;
    Ok(Ok(()))
}

fn revoke_agent(desk: &mut Desk, by: Actor, id: AgentId) -> Change {
    check!(managing(desk.people(), by));
    let agent = check!(desk.people().agents.get(&id).ok_or(PeopleRefusal::NotFound));
    if !agent.revoked {
        put_agent_revoked(desk, by, id)?;
    }
    Ok(Ok(()))
}

fn put_agent_revoked(desk: &mut Desk, by: Actor, id: AgentId) -> Result<(), StoreError> {
    let agent = desk
        .people()
        .agents
        .get(&id)
        .cloned()
        .ok_or_else(|| StoreError::damaged("an agent is missing"))?;
    let (at, tenant) = (desk.now(), desk.tenant());
    append(
        desk,
        &Agent {
            agent: id,
            at,
            by,
            name: agent.name,
            nonce: random::nonce(),
            owner: agent.owner,
            revoked: true,
            tenant,
        },
    )?;
    Ok(())
}

fn add_connection(desk: &mut Desk, by: UserId, new: &Connection) -> Change {
    check!(managing(desk.people(), Actor::User(by)));
    let people = desk.people();
    if let Holder::Device(device) = new.holder
        && !people
            .devices
            .get(&device)
            .is_some_and(|device| device.user == by && device.is_active())
    {
        return Ok(Err(PeopleRefusal::NotYourDevice));
    }
    if people.connections.len() >= MOST {
        return Ok(Err(PeopleRefusal::TooMany));
    }
    if people
        .connections
        .values()
        .any(|known| same_name(&known.name, &new.name))
    {
        return Ok(Err(PeopleRefusal::NameTaken));
    }
    let stamped = Connection {
        at: desk.now(),
        ..new.clone()
    };
    append(desk, &stamped)?;
    Ok(Ok(()))
}

fn remove_connection(desk: &mut Desk, by: Actor, id: ConnectionId) -> Change {
    check!(managing(desk.people(), by));
    if !desk.people().connections.contains_key(&id) {
        return Ok(Err(PeopleRefusal::NotFound));
    }
    close_connection(desk, by, id)?;
    Ok(Ok(()))
}

/// Takes a connection away and supersedes what has not begun over it.
fn close_connection(desk: &mut Desk, by: Actor, id: ConnectionId) -> Result<(), StoreError> {
    let known = desk.people().connections.get(&id).cloned();
    let known = known.ok_or_else(|| StoreError::damaged("a connection is missing"))?;
    let gone = Connection {
        at: desk.now(),
        by,
        nonce: random::nonce(),
        removed: true,
        ..known
    };
    append(desk, &gone)?;
    supersede::close_over(desk, id)
}

fn enrol_device(desk: &mut Desk, record: &Record, enrol: &Enrol) -> Change<Device> {
    let people = desk.people();
    let role = check!(people.role(enrol.user).ok_or(PeopleRefusal::NotFound));
    if let Some(known) = people.devices.get(&enrol.device) {
        // The same record again is the same enrolment: its first answer may have been lost.
        let same = known.enrol == record.digest && known.user == enrol.user;
        return Ok(if same {
            Ok(known.clone())
        } else {
            Err(PeopleRefusal::DeviceKnown)
        });
    }
    if people.devices.values().any(|known| known.key == enrol.public_key) {
        return Ok(Err(PeopleRefusal::DeviceKnown));
    }
    let waits = |known: &&Device| {
        known.user == enrol.user && known.endorsed_by.is_none() && known.revoked_at.is_none()
    };
    if people.devices.values().filter(waits).count() >= MOST_WAITING {
        return Ok(Err(PeopleRefusal::TooMany));
    }
    // Once in a tenant's life (design §4): whoever takes the owner's password later gets no key with it.
    let first = role == Role::Owner && people.devices.values().all(|known| known.endorsed_by.is_none());
    desk.append(record, enrol)?;
    if first {
        put_endorsement(desk, enrol.device, record.digest, Endorsement::FirstDevice)?;
    }
    let device = desk.people().devices.get(&enrol.device).cloned();
    Ok(Ok(
        device.ok_or_else(|| StoreError::damaged("a device is missing"))?
    ))
}

fn endorse(desk: &mut Desk, by: UserId, id: DeviceId, code: &str) -> Change {
    check!(managing(desk.people(), Actor::User(by)));
    let device = check!(desk.people().devices.get(&id).ok_or(PeopleRefusal::NotFound));
    let refusal = if device.user == by {
        Some(PeopleRefusal::AnotherPerson)
    } else if device.endorsed_by.is_some() || device.revoked_at.is_some() {
        Some(PeopleRefusal::NotWaiting)
    } else if desk.people().role(device.user).is_none() {
        Some(PeopleRefusal::NotFound)
    } else if device.code() != code {
        Some(PeopleRefusal::WrongCode)
    } else {
        None
    };
    if let Some(refusal) = refusal {
        return Ok(Err(refusal));
    }
    let enrol = device.enrol;
    put_endorsement(desk, id, enrol, Endorsement::Admin(by))?;
    Ok(Ok(()))
}

fn endorse_by_server(desk: &mut Desk, user: UserId, code: &str) -> Change<DeviceId> {
    check!(desk.people().role(user).ok_or(PeopleRefusal::NotFound));
    let waiting: Vec<_> = desk
        .people()
        .devices
        .iter()
        .filter(|(_, device)| {
            device.user == user && device.endorsed_by.is_none() && device.revoked_at.is_none()
        })
        .map(|(id, device)| (*id, device.enrol, device.code()))
        .collect();
    if waiting.is_empty() {
        return Ok(Err(PeopleRefusal::NotWaiting));
    }
    let mut shows = waiting.into_iter().filter(|(_, _, shown)| shown == code);
    // Two with one code cannot be told apart: neither is the one that was meant.
    let (Some((device, enrol, _)), None) = (shows.next(), shows.next()) else {
        return Ok(Err(PeopleRefusal::WrongCode));
    };
    put_endorsement(desk, device, enrol, Endorsement::Server)?;
    Ok(Ok(device))
}

fn put_endorsement(
    desk: &mut Desk,
    device: DeviceId,
    enrol: countersign_domain::Digest,
    by: Endorsement,
) -> Result<(), StoreError> {
    let (at, tenant) = (desk.now(), desk.tenant());
    append(
        desk,
        &Endorse {
            at,
            by,
            device,
            device_seq: None,
            enrol,
            nonce: random::nonce(),
            previous: None,
            tenant,
        },
    )?;
    Ok(())
}

fn revoke(desk: &mut Desk, by: UserId, id: DeviceId, reason: &str) -> Change {
    let people = desk.people();
    let mine = check!(people.role(by).ok_or(PeopleRefusal::Forbidden));
    // A member who manages nothing does not learn whose devices there are.
    let device = people
        .devices
        .get(&id)
        .filter(|device| device.user == by || mine.manages());
    let device = check!(device.ok_or(PeopleRefusal::NotFound));
    if device.user != by && people.role(device.user) == Some(Role::Owner) && mine != Role::Owner {
        return Ok(Err(PeopleRefusal::NeedsOwner));
    }
    if device.revoked_at.is_none() {
        take_out_of_service(desk, Actor::User(by), id, reason)?;
    }
    Ok(Ok(()))
}

/// Revokes a device and closes the connections that only it could use.
fn take_out_of_service(desk: &mut Desk, by: Actor, device: DeviceId, reason: &str) -> Result<(), StoreError> {
    let revoke = Revoke {
        at: desk.now(),
        by,
        device,
        nonce: random::nonce(),
        reason: reason.to_owned(),
    };
    decide::revoke_device(desk, &revoke)?;
    let people = Arc::clone(desk.people());
    let held = people
        .connections
        .values()
        .filter(|connection| connection.holder == Holder::Device(device));
    for connection in held {
        close_connection(desk, by, connection.id)?;
    }
    Ok(())
}

fn same_name(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

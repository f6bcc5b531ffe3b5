//! Who belongs to a tenant and what it can reach, as a fold over its journal: members, invitations, agents, devices,
//! connections, tools. Small beside the proposals, so both sides keep it in memory.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    Digest, Record, UnixMillis,
    dsse::PublicKey,
    fold::FoldError,
    id::{AgentId, ConnectionId, DeviceId, InviteId, TenantId, UserId},
    manifest::Manifest,
    record::{
        Agent, ApprovalRule, Connection, ConnectionKind, Endorse, Endorsement, Enrol, Genesis, Invite, Kind,
        Member, Mode, Proposer, ProposerKind, Refuse, Release, Revoke, Role, Rotate, Rules, Scope, Stop,
        loosens,
    },
};

/// The people, software and ways out of one tenant.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct People {
    pub tenant: Option<Tenant>,
    pub members: BTreeMap<UserId, Person>,
    pub invites: BTreeMap<InviteId, Invite>,
    pub agents: BTreeMap<AgentId, Software>,
    pub devices: BTreeMap<DeviceId, Device>,
    /// Those not removed.
    pub connections: BTreeMap<ConnectionId, Connection>,
    /// The newest manifest of each tool, by tool id, with its digest.
    pub tools: BTreeMap<String, (Digest, Manifest)>,
    /// What devices signed that does not count and that no proposal was journalled with: whose it is, by its digest.
    pub refused: BTreeMap<Digest, DeviceId>,
    /// What stands still.
    pub stops: BTreeMap<Scope, Stopped>,
    /// What is asked beyond policy's own rules.
    pub rules: InForce,
}

/// The table in force, and those that wait for a second person.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct InForce {
    /// Digest of the record that brought it; `None` before the first.
    pub digest: Option<Digest>,
    pub table: Vec<ApprovalRule>,
    /// Looser tables that somebody wants, and who does. Over once another is in force.
    pub wanted: Vec<Wanted>,
}

/// A looser table that waits for a second person.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted {
    pub table: Vec<ApprovalRule>,
    pub by: BTreeSet<UserId>,
    /// Time of the first entry that asked for it.
    pub at: UnixMillis,
}

/// A stop that stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stopped {
    /// Digest of its record.
    pub digest: Digest,
    /// Time of its entry.
    pub at: UnixMillis,
    pub by: UserId,
    pub reason: Option<String>,
    /// Who wants it to end.
    pub releases: BTreeSet<UserId>,
}

/// What genesis said, and whether the tenant has since become a company.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tenant {
    pub id: TenantId,
    pub name: String,
    pub mode: Mode,
    pub log_key: PublicKey,
    pub created_at: UnixMillis,
}

/// A member, or someone who was one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Person {
    pub email: String,
    pub name: String,
    /// `None` after removal.
    pub role: Option<Role>,
    /// Since when the person has been a member without a break.
    pub since: UnixMillis,
}

/// An agent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Software {
    pub name: String,
    pub owner: Option<UserId>,
    pub revoked: bool,
    pub since: UnixMillis,
}

/// A device key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Device {
    pub user: UserId,
    pub name: String,
    pub key: PublicKey,
    /// Digest of its enrol record.
    pub enrol: Digest,
    pub enrolled_at: UnixMillis,
    /// `None` while it waits to be vouched for.
    pub endorsed_by: Option<Endorsement>,
    /// The keys that it had before, each with the last of its numbers that it signed, oldest first.
    pub earlier_keys: Vec<(u64, PublicKey)>,
    /// Since when it has its present key.
    pub key_since: UnixMillis,
    pub revoked_at: Option<UnixMillis>,
    /// Once it is revoked: the last of its numbers that is trusted; 0 is none.
    pub last_good_seq: u64,
    /// Once it is revoked: since when its key may have been in other hands.
    pub compromised_since: Option<UnixMillis>,
}

impl Device {
    /// Whether its signatures count.
    pub const fn is_active(&self) -> bool {
        self.endorsed_by.is_some() && self.revoked_at.is_none()
    }

    /// Whether somebody still has to vouch for it.
    pub const fn is_waiting(&self) -> bool {
        self.endorsed_by.is_none() && self.revoked_at.is_none()
    }

    /// A second revocation only takes more trust away: what was found out later counts.
    fn revoke(&mut self, at: UnixMillis, revoke: &Revoke) {
        let good = revoke.last_good_seq.unwrap_or(0);
        self.last_good_seq = match self.revoked_at {
            None => good,
            Some(_) => self.last_good_seq.min(good),
        };
        self.compromised_since = match (self.compromised_since, revoke.compromised_since) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        self.revoked_at.get_or_insert(at);
    }

    /// The key that its record `seq` is signed with.
    pub fn key_of(&self, seq: u64) -> PublicKey {
        let earlier = self.earlier_keys.iter().find(|(last, _)| seq <= *last);
        earlier.map_or(self.key, |(_, key)| *key)
    }

    /// Whether its record `seq`, if it came in time, still counts: it is in service, or was in good hands when it signed it.
    pub fn is_trusted(&self, seq: u64) -> bool {
        self.endorsed_by.is_some() && (self.revoked_at.is_none() || seq <= self.last_good_seq)
    }

    /// Whether it has or once had this key.
    pub fn has_had(&self, key: PublicKey) -> bool {
        self.key == key || self.earlier_keys.iter().any(|(_, earlier)| *earlier == key)
    }

    /// Six digits that both sides derive from the enrol record, for people to compare.
    pub fn code(&self) -> String {
        enrolment_code(self.enrol)
    }
}

/// The six digits that name an enrolment to people.
pub fn enrolment_code(enrol: Digest) -> String {
    let [a, b, c, d, ..] = *enrol.as_bytes();
    format!("{:06}", u32::from_be_bytes([a, b, c, d]) % 1_000_000)
}

/// The kinds that [`People::apply`] takes.
pub const KINDS: [Kind; 14] = [
    Kind::Genesis,
    Kind::Member,
    Kind::Invite,
    Kind::Agent,
    Kind::Connection,
    Kind::Manifest,
    Kind::Enrol,
    Kind::Endorse,
    Kind::Revoke,
    Kind::Refuse,
    Kind::Stop,
    Kind::Release,
    Kind::Rules,
    Kind::Rotate,
];

impl People {
    /// Takes one entry into account. `at` is the entry's time. What was refused right before it says nothing.
    ///
    /// # Errors
    /// When the record is of a kind that says nothing about people, or does not parse; nothing changes then.
    pub fn apply(&mut self, at: UnixMillis, record: &Record) -> Result<(), FoldError> {
        if self.refused.contains_key(&record.digest) {
            return Ok(());
        }
        match record.kind {
            Kind::Genesis => {
                let genesis: Genesis = record.body()?;
                // A journal has one. Another could make a company solo again.
                self.tenant.get_or_insert(Tenant {
                    id: genesis.tenant,
                    name: genesis.name,
                    mode: genesis.mode,
                    log_key: genesis.log_key,
                    created_at: genesis.created_at,
                });
            }
            Kind::Member => self.member(at, record.body()?),
            Kind::Invite => {
                let invite: Invite = record.body()?;
                if invite.role.is_some() {
                    self.invites.insert(invite.id, invite);
                } else {
                    self.invites.remove(&invite.id);
                }
            }
            Kind::Agent => {
                let agent: Agent = record.body()?;
                let since = self.agents.get(&agent.agent).map_or(at, |known| known.since);
                let software = Software {
                    name: agent.name,
                    owner: agent.owner,
                    revoked: agent.revoked,
                    since,
                };
                self.agents.insert(agent.agent, software);
            }
            Kind::Connection => {
                let connection: Connection = record.body()?;
                if connection.removed {
                    self.connections.remove(&connection.id);
                } else {
                    self.connections.insert(connection.id, connection);
                }
            }
            Kind::Manifest => {
                let manifest: Manifest = record.body()?;
                self.tools.insert(manifest.id.clone(), (record.digest, manifest));
            }
            Kind::Enrol => self.enrol(at, record.digest, record.body()?),
            Kind::Endorse => {
                let endorse: Endorse = record.body()?;
                if let Some(device) = self.devices.get_mut(&endorse.device)
                    && device.enrol == endorse.enrol
                {
                    device.endorsed_by = Some(endorse.by);
                }
            }
            Kind::Revoke => {
                let revoke: Revoke = record.body()?;
                if let Some(device) = self.devices.get_mut(&revoke.device) {
                    device.revoke(at, &revoke);
                }
            }
            Kind::Refuse => {
                let refuse: Refuse = record.body()?;
                self.refused.insert(refuse.record, refuse.device);
            }
            Kind::Stop => {
                let stop: Stop = record.body()?;
                // The first one stands: a second adds nothing, and its release would be another.
                self.stops.entry(stop.scope).or_insert(Stopped {
                    digest: record.digest,
                    at,
                    by: stop.by,
                    reason: stop.reason,
                    releases: BTreeSet::new(),
                });
            }
            Kind::Release => self.release(record.body()?),
            Kind::Rules => self.rule(at, record.digest, record.body()?),
            Kind::Rotate => self.rotate(at, record, record.body()?),
            Kind::Proposal
            | Kind::Preview
            | Kind::Evaluation
            | Kind::Decision
            | Kind::Void
            | Kind::Withdraw
            | Kind::Supersede
            | Kind::Expire
            | Kind::Begin
            | Kind::Receipt
            | Kind::Lapse
            | Kind::Remark
            | Kind::Resolution
            | Kind::Erase => return Err(FoldError::NotOurs(record.kind)),
        }
        Ok(())
    }

    /// The key with which the device that `record` names has to have signed it; `None` where no device here signs, or it is
    /// one that was revoked and is not trusted so far.
    pub fn key_behind(&self, record: &Record) -> Option<PublicKey> {
        let (device, seq) = record.link()?;
        let known = self.devices.get(&device).filter(|known| known.is_trusted(seq))?;
        Some(known.key_of(seq))
    }

    /// The person's role; `None` for strangers and former members.
    pub fn role(&self, user: UserId) -> Option<Role> {
        self.members.get(&user)?.role
    }

    /// Solo or company. A tenant without a genesis is treated as the stricter of the two.
    pub fn mode(&self) -> Mode {
        self.tenant.as_ref().map_or(Mode::Company, |tenant| tenant.mode)
    }

    /// How many people have to want what loosens.
    pub fn wanting(&self) -> usize {
        if self.second_needed() { 2 } else { 1 }
    }

    /// The person whose own agent it is.
    pub fn agent_owner(&self, agent: AgentId) -> Option<UserId> {
        self.agents.get(&agent)?.owner
    }

    /// The person whose own agent proposed it.
    pub fn owner_behind(&self, proposer: &Proposer) -> Option<UserId> {
        match proposer.kind {
            ProposerKind::Agent => self.agent_owner(proposer.id.parse().ok()?),
            ProposerKind::User | ProposerKind::System => None,
        }
    }

    /// The stop under which a call of `tool` that `proposer` asked for stands still: the widest there is.
    pub fn stopped(&self, proposer: &Proposer, tool: &str) -> Option<(&Scope, &Stopped)> {
        self.stops.iter().find(|(scope, _)| scope.covers(proposer, tool))
    }

    /// Whether what loosens takes a second person: it does where there is one who decides. Where there is not, the one has
    /// to confirm it.
    pub fn second_needed(&self) -> bool {
        self.deciders() > 1
    }

    /// How many members decide.
    pub fn deciders(&self) -> usize {
        let members = self.members.values();
        members
            .filter(|person| person.role.is_some_and(Role::decides))
            .count()
    }

    /// Takes a table into account: at once where it loosens nothing, else once two people want it.
    fn rule(&mut self, at: UnixMillis, digest: Digest, wants: Rules) {
        let alone = !self.second_needed();
        let role = |person: UserId| self.members.get(&person).and_then(|known| known.role);
        let rules = &mut self.rules;
        if wants.base != rules.digest {
            return;
        }
        let enough = if !loosens(&rules.table, &wants.table) {
            role(wants.by).is_some_and(Role::manages)
        } else if alone {
            wants.confirmed && role(wants.by).is_some_and(Role::manages)
        } else {
            // Each person wants one table at a time.
            for other in rules
                .wanted
                .iter_mut()
                .filter(|wanted| wanted.table != wants.table)
            {
                other.by.remove(&wants.by);
            }
            rules.wanted.retain(|wanted| !wanted.by.is_empty());
            let known = rules.wanted.iter().position(|wanted| wanted.table == wants.table);
            let place = known.unwrap_or_else(|| {
                rules.wanted.push(Wanted {
                    table: wants.table.clone(),
                    by: BTreeSet::new(),
                    at,
                });
                rules.wanted.len() - 1
            });
            let Some(wanted) = rules.wanted.get_mut(place) else {
                return;
            };
            wanted.by.insert(wants.by);
            let still = |person: &&UserId| role(**person).is_some_and(Role::decides);
            wanted.by.iter().filter(still).count() >= 2
                && wanted
                    .by
                    .iter()
                    .any(|person| role(*person).is_some_and(Role::manages))
        };
        if enough {
            *rules = InForce {
                digest: Some(digest),
                table: wants.table,
                wanted: Vec::new(),
            };
        }
    }

    fn release(&mut self, release: Release) {
        let needed = self.wanting();
        let decides = |person: &UserId| {
            let role = self.members.get(person).and_then(|known| known.role);
            role.is_some_and(Role::decides)
        };
        let Some(stopped) = self.stops.get_mut(&release.scope) else {
            return;
        };
        if stopped.digest != release.stop || (needed == 1 && !release.confirmed) {
            return;
        }
        stopped.releases.insert(release.by);
        // Who has left since, or decides no longer, does not count any more.
        if stopped.releases.iter().filter(|person| decides(person)).count() >= needed {
            self.stops.remove(&release.scope);
        }
    }

    /// Connections of one kind, oldest id first.
    pub fn connections_of(&self, kind: ConnectionKind) -> impl Iterator<Item = &Connection> {
        self.connections
            .values()
            .filter(move |connection| connection.kind == kind)
    }

    fn member(&mut self, at: UnixMillis, member: Member) {
        let since = match self.members.get(&member.user) {
            Some(person) if person.role.is_some() => person.since,
            Some(_) | None => at,
        };
        let person = Person {
            email: member.email,
            name: member.name,
            role: member.role,
            since,
        };
        self.members.insert(member.user, person);
        // A second person who decides makes it a company, one way (design §4).
        if self.deciders() > 1
            && let Some(tenant) = &mut self.tenant
        {
            tenant.mode = Mode::Company;
        }
    }

    fn enrol(&mut self, at: UnixMillis, digest: Digest, enrol: Enrol) {
        // An id is used once: a second enrol record under it would swap the key behind an endorsement.
        self.devices.entry(enrol.device).or_insert(Device {
            user: enrol.user,
            name: enrol.name,
            key: enrol.public_key,
            enrol: digest,
            enrolled_at: at,
            endorsed_by: None,
            earlier_keys: Vec::new(),
            key_since: at,
            revoked_at: None,
            last_good_seq: 0,
            compromised_since: None,
        });
    }

    /// Both signatures are looked at here too: whoever writes the journal must not be able to swap a device's key.
    fn rotate(&mut self, at: UnixMillis, record: &Record, rotate: Rotate) {
        if crate::acts::rotate(self, &rotate).is_err() {
            return;
        }
        if let Some(device) = self.devices.get_mut(&rotate.device)
            && record.is_signed_by(&device.key_of(rotate.device_seq))
        {
            device.earlier_keys.push((rotate.device_seq, device.key));
            device.key = rotate.key;
            device.key_since = at;
        }
    }
}

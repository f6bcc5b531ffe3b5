//! One tenant with its people, three devices, and the target of its calls; and what has become of them at the end.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
};

use countersign_domain::{
    Digest, Millis, Record, UnixMillis,
    canonical::parse,
    dsse::SigningKey,
    fold::Status,
    id::{AgentId, ConnectionId, DeviceId, ProposalId, TenantId, UserId},
    record::{
        Actor, Agent, Connection, ConnectionKind, EffectClass, Enrol, Holder, Member, Mode, Outcome,
        PolicyDecision, Role,
    },
    wire::RecordResult,
};
use countersign_policy::{Answer, Call, Policy, SeedRules};
use countersign_replica::{Log, Replica};
use countersign_server::{
    clock::Clock,
    ingress::Rules,
    tenant::{Founding, Sight, Tenant},
};
use countersign_tools::Registry;
use uuid::Uuid;

use crate::{
    device::{Device, nonce},
    oracle::Oracle,
    seeded::Seeded,
    tools::{self, TOOLS, Target},
};

/// What a history has come to: why it is wrong.
pub(crate) type Check = Result<(), String>;

/// The server's time, which passes only between steps.
#[derive(Debug)]
pub(crate) struct SimClock(pub(crate) AtomicI64);

impl Clock for SimClock {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.0.load(Ordering::SeqCst))
    }
}

/// The seed's rules with the tools' holds, and tools that are denied from some moment on.
#[derive(Default)]
pub(crate) struct SimPolicy {
    pub(crate) denied: Mutex<BTreeSet<String>>,
}

impl Policy for SimPolicy {
    fn bundle(&self) -> Digest {
        SeedRules.bundle()
    }

    fn evaluate(&self, call: &Call<'_>) -> Answer {
        let mut answer = SeedRules.evaluate(call);
        if self.denied.lock().unwrap().contains(call.tool) {
            answer.decision = PolicyDecision::Deny;
        }
        answer
    }
}

/// A new tenant's files and who is in it: made once, copied for each history.
pub(crate) struct Template {
    pub(crate) folder: tempfile::TempDir,
    tenant: TenantId,
    pub(crate) people: [UserId; 3],
    agent: AgentId,
    connection: ConnectionId,
    devices: [(DeviceId, [u8; 32], u64); 3],
}

pub(crate) struct World {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) rng: Seeded,
    pub(crate) clock: Arc<SimClock>,
    pub(crate) policy: Arc<SimPolicy>,
    pub(crate) rules: Rules,
    pub(crate) target: Arc<Target>,
    /// `None` while the server is down.
    pub(crate) server: Option<Tenant>,
    pub(crate) tenant: TenantId,
    pub(crate) people: [UserId; 3],
    pub(crate) agent: AgentId,
    pub(crate) connection: ConnectionId,
    pub(crate) devices: Vec<Device>,
    pub(crate) oracle: Oracle,
    /// What each record was answered, for ever.
    pub(crate) answers: BTreeMap<Digest, RecordResult>,
    pub(crate) trace: Vec<String>,
    pub(crate) reached: BTreeSet<String>,
    /// No loss, no crash, no lie.
    pub(crate) calm: bool,
    /// How many copies of the server's file there are.
    pub(crate) copies: u32,
}

const START: i64 = 1_795_354_008_000;

fn somewhere() -> tempfile::TempDir {
    // Durability is for the family of kills: in memory a commit costs nothing.
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    made.expect("a folder")
}

fn id(rng: &mut Seeded) -> Uuid {
    Uuid::from_u64_pair(rng.number(), rng.number())
}

fn seed32(rng: &mut Seeded) -> [u8; 32] {
    let mut seed = [0; 32];
    for part in seed.chunks_mut(8) {
        part.copy_from_slice(&rng.number().to_be_bytes());
    }
    seed
}

fn rules(registry: Arc<Registry>, policy: Arc<SimPolicy>) -> Rules {
    Rules {
        registry,
        policy,
        max_open: None,
    }
}

impl Template {
    pub(crate) async fn new() -> Self {
        let rng = &mut Seeded::new(0);
        let folder = somewhere();
        let clock = Arc::new(SimClock(AtomicI64::new(START)));
        let registry = tools::registry(&Target::new());
        let tenant = TenantId::from_uuid(id(rng));
        let people = [(); 3].map(|()| UserId::from_uuid(id(rng)));
        let founding = Founding {
            tenant,
            name: "Acme".to_owned(),
            mode: Mode::Company,
            owner: people[0],
            owner_email: "ana@acme.example".to_owned(),
            owner_name: "Ana".to_owned(),
            manifests: registry
                .manifests()
                .map(|(_, manifest)| manifest.clone())
                .collect(),
            log_seed: seed32(rng),
        };
        let store = Tenant::create(folder.path(), clock, Arc::<SimPolicy>::default(), founding)
            .await
            .unwrap();
        let agent = AgentId::from_uuid(id(rng));
        let members: Vec<_> = [(1, "Bob"), (2, "Carl")]
            .into_iter()
            .map(|(at, name)| Member {
                at: UnixMillis(START),
                by: Actor::Server,
                email: format!("{name}@acme.example"),
                name: name.to_owned(),
                nonce: nonce(rng),
                role: Some(Role::Approver),
                tenant,
                user: people[at],
            })
            .collect();
        let software = Agent {
            agent,
            at: UnixMillis(START),
            by: Actor::User(people[0]),
            name: "Bookkeeper".to_owned(),
            nonce: nonce(rng),
            owner: None,
            revoked: false,
            tenant,
        };
        store
            .never(move |desk| {
                for member in &members {
                    desk.append(&Record::unsigned(member).unwrap(), member)?;
                }
                desk.append(&Record::unsigned(&software).unwrap(), &software)?;
                Ok(())
            })
            .await
            .unwrap();
        let mut devices = Vec::new();
        for person in people {
            let (device, seed) = (DeviceId::from_uuid(id(rng)), seed32(rng));
            let key = SigningKey::from_seed(&seed);
            let enrol = Enrol {
                challenge: nonce(rng),
                device,
                name: "a laptop".to_owned(),
                nonce: nonce(rng),
                public_key: key.public_key(),
                tenant,
                user: person,
            };
            let record = Arc::new(Record::signed(&enrol, &key).unwrap());
            let known = store.enrol(record, Arc::new(enrol)).await.unwrap().unwrap();
            if known.is_waiting() {
                store
                    .endorse(people[0], device, known.code())
                    .await
                    .unwrap()
                    .unwrap();
            }
            devices.push((device, seed, 0));
        }
        let connection = ConnectionId::from_uuid(id(rng));
        let way_out = Connection {
            at: UnixMillis(START),
            by: Actor::User(people[0]),
            config: parse(br#"{"host":"target.example"}"#).unwrap(),
            holder: Holder::Device(devices[0].0),
            id: connection,
            kind: ConnectionKind::Http,
            name: "The target".to_owned(),
            nonce: nonce(rng),
            removed: false,
            tenant,
        };
        store.add_connection(people[0], way_out).await.unwrap().unwrap();
        let page = store.page(0, 1_000, Sight::All).await.unwrap();
        let log = Log { tenant, key: None };
        let mut replica = Replica::open(&folder.path().join("replica.db"), None).unwrap();
        replica.apply(&page, &log).unwrap();
        replica.checkpoint().unwrap();
        drop((replica, store));
        // So that the file alone is all of it, whichever of its connections is closed last.
        let file = rusqlite::Connection::open(folder.path().join("tenant.db")).unwrap();
        file.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .unwrap();
        drop(file);
        Self {
            folder,
            tenant,
            people,
            agent,
            connection,
            devices: devices.try_into().unwrap(),
        }
    }
}

impl World {
    pub(crate) fn new(seed: u64, template: &Template) -> Self {
        let folder = somewhere();
        // At rest: no connection of this process has the template open.
        let copy = |name: &str, to: &Path| {
            std::fs::copy(template.folder.path().join(name), to).unwrap();
        };
        copy("tenant.db", &folder.path().join("tenant.db"));
        let clock = Arc::new(SimClock(AtomicI64::new(START)));
        let target = Target::new();
        let policy = Arc::<SimPolicy>::default();
        let rules = rules(tools::registry(&target), Arc::clone(&policy));
        let devices = template
            .devices
            .iter()
            .enumerate()
            .map(|(at, (device, seed, last_seq))| {
                let path = folder.path().join(format!("replica-{at}.db"));
                copy("replica.db", &path);
                Device {
                    id: *device,
                    person: template.people[at],
                    tenant: template.tenant,
                    key: SigningKey::from_seed(seed),
                    last_seq: *last_seq,
                    previous: None,
                    outbox: Vec::new(),
                    row: None,
                    path,
                    replica: None,
                    late: Vec::new(),
                    skew: 0,
                    cut_off: false,
                }
            });
        let mut world = Self {
            devices: devices.collect(),
            folder,
            rng: Seeded::new(seed),
            clock,
            policy,
            rules,
            target,
            server: None,
            tenant: template.tenant,
            people: template.people,
            agent: template.agent,
            connection: template.connection,
            oracle: Oracle::default(),
            answers: BTreeMap::new(),
            trace: Vec::new(),
            reached: BTreeSet::new(),
            calm: false,
            copies: 0,
        };
        world.server = Some(world.opened(world.folder.path()));
        world
    }

    /// The tenant of the files in a folder.
    pub(crate) fn opened(&self, folder: &Path) -> Tenant {
        Tenant::open(folder, self.clock.clone(), self.policy.clone(), self.tenant).unwrap()
    }

    pub(crate) fn server(&self) -> Tenant {
        self.server.clone().expect("the server is up")
    }

    pub(crate) fn now(&self) -> UnixMillis {
        self.clock.now()
    }

    /// The time that a device's own clock shows.
    pub(crate) fn now_at(&self, device: usize) -> UnixMillis {
        self.now() + Millis(self.devices[device].skew)
    }

    pub(crate) fn pass(&self, time: Millis) {
        self.clock.0.fetch_add(time.0, Ordering::SeqCst);
    }

    pub(crate) fn log(&mut self, what: impl Into<String>) {
        self.trace.push(what.into());
    }

    pub(crate) fn reach(&mut self, what: impl Into<String>) {
        self.reached.insert(what.into());
    }

    /// So many times in a hundred, as long as there are faults.
    pub(crate) fn fault(&mut self, percent: usize) -> bool {
        let drawn = self.rng.below(100) < percent;
        drawn && !self.calm
    }

    /// Reads what the journal has new, and holds everything against it.
    pub(crate) async fn look(&mut self) -> Check {
        let server = self.server();
        while self.oracle.seen < server.head_size() {
            let page = server
                .page(self.oracle.seen, 500, Sight::All)
                .await
                .map_err(|error| error.to_string())?;
            for entry in &page.entries {
                let named = self.oracle.take(entry)?;
                self.trace.push(named);
            }
        }
        for id in self.oracle.order.clone() {
            let (calls, effects) = (self.target.calls_of(id), self.target.effects_of(id));
            let call = &self.oracle.calls[&id];
            let name = self.oracle.name(id);
            if calls > call.most_calls() || effects > 1 {
                return Err(format!(
                    "proposal {name} called the target {calls} times, {effects} effects"
                ));
            }
            if calls > 0 && call.begun.is_none() {
                return Err(format!("proposal {name} ran without a begin"));
            }
            let (outcome, lapsed) = (call.outcome, call.lapsed);
            if lapsed && outcome.is_some() {
                self.reach("a receipt after the silence");
            }
            if effects > 0 && outcome == Some(Outcome::Failed) {
                return Err(format!(
                    "proposal {name} is said to have failed and had its effect"
                ));
            }
        }
        Ok(())
    }

    /// When everything has come to rest.
    pub(crate) async fn verify(&mut self) -> Check {
        let server = self.server();
        let tasks = server.tasks(None, 10_000).await.unwrap();
        for id in self.oracle.order.clone() {
            let name = self.oracle.name(id);
            let stored = server.proposal(id).await.unwrap().ok_or("a proposal is gone")?;
            let state = &stored.state;
            let (status, effects) = (stored.status(self.now()), self.target.effects_of(id));
            let done = state
                .ended
                .as_ref()
                .is_some_and(|ended| ended.outcome == Outcome::Completed);
            let made = tasks.iter().filter(|(_, task)| task.proposal_id == id).count();
            let right = match state.effect {
                EffectClass::Read => true,
                EffectClass::Local => made == usize::from(done),
                EffectClass::Idempotent | EffectClass::Checkable | EffectClass::Opaque => {
                    (!done || effects == 1)
                        && (effects == 0 || done || status == Status::Unknown || state.resolved.is_some())
                }
            };
            if !right {
                return Err(format!(
                    "proposal {name} is {status:?} with {effects} effects and {made} tasks"
                ));
            }
            if matches!(status, Status::Pending | Status::Running) {
                return Err(format!("proposal {name} never comes to rest: {status:?}"));
            }
            self.reach(format!(
                "{} ends {}",
                TOOLS
                    .iter()
                    .find(|tool| tool.0 == state.tool)
                    .map_or("", |tool| tool.0),
                status.name()
            ));
            if state.contradicted_at.is_some() {
                self.reach("a late receipt contradicts people");
            }
        }
        for at in 0..self.devices.len() {
            self.verify_device(at, &server).await?;
        }
        self.fresh(&server).await
    }

    /// No decision is lost, and an honest copy is the server's, byte by byte.
    async fn verify_device(&mut self, at: usize, server: &Tenant) -> Check {
        let records = self.oracle.records.clone();
        let order = self.oracle.order.clone();
        let device = &mut self.devices[at];
        for out in &device.outbox {
            match &out.answer {
                None => return Err(format!("a record of device {at} was never answered")),
                Some((true, _)) if !records.contains(&out.record.digest) => {
                    return Err(format!(
                        "a record of device {at} counts and is not in the journal"
                    ));
                }
                Some((false, reason)) if reason.is_empty() => {
                    return Err(format!("a record of device {at} was refused without a reason"));
                }
                Some(_) => {}
            }
        }
        let published = server.head();
        let reader = device.reader();
        let head = reader.head().unwrap().ok_or("no head")?;
        if (head.size, head.root) != (published.size, published.root) {
            return Err(format!(
                "device {at} has {} entries and the server {}",
                head.size, published.size
            ));
        }
        for id in order {
            let ours = reader.proposal(id).unwrap().ok_or("a proposal is missing")?.state;
            let theirs = &server
                .proposal(id)
                .await
                .unwrap()
                .ok_or("a proposal is gone")?
                .state;
            let text = |state| serde_json::to_string(state).unwrap();
            if text(&ours) != text(theirs) {
                return Err(format!(
                    "device {at} folds a proposal otherwise:\n{}\n{}",
                    text(&ours),
                    text(theirs)
                ));
            }
        }
        if reader.people().unwrap() != *server.people() {
            return Err(format!("device {at} has other people than the server"));
        }
        Ok(())
    }

    /// The journal verifies from its first entry, by a device that has never seen it.
    async fn fresh(&self, server: &Tenant) -> Check {
        let path = self.folder.path().join("fresh.db");
        let mut replica = Replica::open(&path, None).unwrap();
        let log = Log {
            tenant: self.tenant,
            key: None,
        };
        loop {
            let reader = replica.reader().unwrap();
            let size = reader.head().unwrap().map_or(0, |head| head.size);
            if size == server.head_size() {
                let verified = reader
                    .verify_all()
                    .map_err(|error| format!("the journal does not verify: {error}"))?;
                return if verified.bodies == size {
                    Ok(())
                } else {
                    Err("bodies are missing".to_owned())
                };
            }
            let page = server.page(size, 200, Sight::All).await.unwrap();
            replica
                .apply(&page, &log)
                .map_err(|error| format!("the journal is refused: {error}"))?;
        }
    }

    pub(crate) fn any(&mut self) -> Option<ProposalId> {
        let order = self.oracle.order.clone();
        if order.is_empty() {
            None
        } else {
            Some(*self.rng.pick(&order))
        }
    }
}

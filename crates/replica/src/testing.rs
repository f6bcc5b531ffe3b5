//! A builder of valid journals, for tests of whoever reads one: a log key, a genesis, people, devices, proposals and
//! what becomes of them, served as signed pages with proofs. Every id and nonce comes from a count, so the same calls
//! make the same bytes.

#![allow(
    clippy::expect_used,
    reason = "what cannot be built fails the test that builds it"
)]

use std::collections::BTreeMap;

use countersign_domain::{
    Digest, Millis, Record, UnixMillis,
    canonical::{Object, Value},
    dsse::{self, SigningKey},
    id::{AgentId, ConnectionId, DecisionId, DeviceId, InviteId, ProposalId, TaskId, TenantId, UserId},
    journal::{Checkpoint, Frontier, NodeRow, consistency_proof},
    manifest::{CardField, Idempotency, Manifest, Shape},
    record::{
        Actor, Agent, Assurance, Begin, Body, Connection, ConnectionKind, ConnectionRef, Decision,
        EffectClass, Endorse, Endorsement, Enrol, Evaluation, Executor, Expire, Failure, Genesis, Holder,
        Invite, Lapse, Member, Mode, Nonce, Outcome, Phase, PolicyDecision, Preview, PreviewOutcome,
        Proposal, Proposer, ProposerKind, Reason, Receipt, Requirement, Revoke, Risk, Role, Supersede,
        TaskPriority, ToolRef, Untrusted, Verdict, Void, Withdraw,
    },
    render::RENDERER,
    wire::{JournalPage, WireEntry},
};

use crate::Log;

/// When the journals begin.
pub const START: UnixMillis = UnixMillis(1_795_354_008_120);

/// A journal in the making. Cloning one and going on differently makes a fork.
#[derive(Clone, Debug)]
pub struct JournalBuilder {
    tenant: TenantId,
    owner: UserId,
    log_key: SigningKey,
    /// The time of the next entry.
    pub at: UnixMillis,
    entries: Vec<WireEntry>,
    nodes: Vec<Vec<Digest>>,
    frontier: Frontier,
    /// The root at each size, from that of the empty tree.
    roots: Vec<Digest>,
    count: u64,
    manifest: Manifest,
    proposals: BTreeMap<ProposalId, (Digest, UnixMillis)>,
    previews: BTreeMap<ProposalId, Digest>,
}

/// A device's side: its key and where its own numbering stands.
#[derive(Clone, Debug)]
pub struct TestDevice {
    pub id: DeviceId,
    pub user: UserId,
    pub key: SigningKey,
    pub seq: u64,
    pub previous: Option<Digest>,
}

/// What to propose; `..Draft::default()` for the rest.
#[derive(Clone, Debug)]
pub struct Draft {
    pub title: String,
    pub risk: Risk,
    pub lifetime: Millis,
    pub proposer: Option<Proposer>,
    pub note: Option<String>,
    pub connection: Option<ConnectionRef>,
    /// `None`: the builder's own manifest.
    pub tool: Option<ToolRef>,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            title: "Call Ada about the invoice".to_owned(),
            risk: Risk::Medium,
            lifetime: Millis::hours(72),
            proposer: None,
            note: None,
            connection: None,
            tool: None,
        }
    }
}

impl Default for JournalBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl JournalBuilder {
    /// A company's journal with its genesis, its owner and one tool.
    pub fn new() -> Self {
        Self::of_mode(Mode::Company)
    }

    /// The same in either mode.
    pub fn of_mode(mode: Mode) -> Self {
        let mut builder = Self {
            tenant: TenantId::from_slice(&id_bytes(1)).expect("sixteen bytes"),
            owner: UserId::from_slice(&id_bytes(2)).expect("sixteen bytes"),
            log_key: SigningKey::from_seed(&[42; 32]),
            at: START,
            entries: Vec::new(),
            nodes: Vec::new(),
            frontier: Frontier::new(),
            roots: vec![Frontier::new().root()],
            count: 2,
            manifest: manifest("assistant.create_task", "1.0.0"),
            proposals: BTreeMap::new(),
            previews: BTreeMap::new(),
        };
        let genesis = Genesis {
            created_at: START,
            log_key: builder.log_key.public_key(),
            mode,
            name: "Acme".to_owned(),
            nonce: builder.nonce(),
            tenant: builder.tenant,
        };
        builder.append(&genesis);
        builder.set_member(builder.owner, "Olga Owner", Some(Role::Owner));
        builder.append(&builder.manifest.clone());
        builder
    }

    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    pub const fn owner(&self) -> UserId {
        self.owner
    }

    /// The journal that these entries are of, by its key.
    pub fn log(&self) -> Log {
        Log {
            tenant: self.tenant,
            key: Some(self.log_key.public_key()),
        }
    }

    /// How many entries there are.
    pub const fn size(&self) -> u64 {
        self.frontier.size()
    }

    pub fn entries(&self) -> &[WireEntry] {
        &self.entries
    }

    /// Lets time pass before the next entry.
    pub fn wait(&mut self, time: Millis) {
        self.at = self.at + time;
    }

    // Pages.

    /// The page after `after`, at most `limit` entries, with the newest head.
    pub fn page(&self, after: u64, limit: usize) -> JournalPage {
        self.page_as_of(after, limit, self.size())
    }

    /// The same as it was when the journal had `head` entries.
    pub fn page_as_of(&self, after: u64, limit: usize, head: u64) -> JournalPage {
        let start = index(after);
        let end = (start + limit).min(index(head)).max(start);
        JournalPage {
            entries: self.entries[start..end].to_vec(),
            checkpoint: self.checkpoint(head),
            consistency: self.proof(end as u64, head),
        }
    }

    /// The signed note for the first `size` entries.
    pub fn checkpoint(&self, size: u64) -> String {
        Checkpoint {
            tenant: self.tenant,
            size,
            root: self.roots[index(size)],
        }
        .sign(&self.log_key)
    }

    /// The proof that the first `old` entries are a prefix of the first `new`.
    pub fn proof(&self, old: u64, new: u64) -> Vec<Digest> {
        consistency_proof(old, new, |level, at| {
            let row = NodeRow::of(level, at);
            Ok::<_, core::convert::Infallible>(self.nodes[index(row.seq) - 1][row.offset / 32])
        })
        .expect("within the tree")
    }

    // Entries.

    /// Appends a record that the server makes.
    pub fn append<B: Body>(&mut self, body: &B) -> Digest {
        let record = Record::unsigned(body).expect("within the profile");
        self.append_record(body.subject(), record)
    }

    /// Appends a record that a device has signed.
    pub fn append_signed<B: Body>(&mut self, body: &B, key: &SigningKey) -> Digest {
        let record = Record::signed(body, key).expect("within the profile");
        self.append_record(body.subject(), record)
    }

    /// Appends any entry, also one that no server would.
    pub fn append_entry(
        &mut self,
        kind: &str,
        subject: String,
        body: Option<String>,
        signature: Option<dsse::Signature>,
    ) -> Digest {
        let payload_type = format!("application/vnd.countersign.{kind}.v1+json");
        let digest = dsse::record_digest(&payload_type, body.as_deref().unwrap_or("withheld").as_bytes());
        let entry = WireEntry {
            seq: self.size() + 1,
            at: self.at,
            kind: kind.to_owned(),
            subject,
            digest,
            body,
            signature,
        };
        let header = crate::entries::header(&entry).expect("a kind");
        self.nodes.push(self.frontier.append(header.leaf_hash()));
        self.roots.push(self.frontier.root());
        self.entries.push(entry);
        self.at = self.at + Millis(1);
        digest
    }

    // People and what they reach.

    pub fn member(&mut self, name: &str, role: Role) -> UserId {
        let user = UserId::from_slice(&self.id()).expect("sixteen bytes");
        self.set_member(user, name, Some(role));
        user
    }

    /// Changes a person's role, or with `None` removes the person.
    pub fn set_member(&mut self, user: UserId, name: &str, role: Option<Role>) {
        let member = Member {
            at: self.at,
            by: Actor::User(self.owner),
            email: format!("{}@example.com", name.to_lowercase().replace(' ', ".")),
            name: name.to_owned(),
            nonce: self.nonce(),
            role,
            tenant: self.tenant,
            user,
        };
        self.append(&member);
    }

    pub fn invite(&mut self, email: &str, role: Role) -> InviteId {
        let id = InviteId::from_slice(&self.id()).expect("sixteen bytes");
        let invite = Invite {
            at: self.at,
            by: Actor::User(self.owner),
            email: email.to_owned(),
            expires_at: self.at + Millis::hours(72),
            id,
            nonce: self.nonce(),
            role: Some(role),
            tenant: self.tenant,
        };
        self.append(&invite);
        id
    }

    pub fn agent(&mut self, name: &str, owner: Option<UserId>) -> AgentId {
        let agent = AgentId::from_slice(&self.id()).expect("sixteen bytes");
        let record = Agent {
            agent,
            at: self.at,
            by: Actor::User(self.owner),
            name: name.to_owned(),
            nonce: self.nonce(),
            owner,
            revoked: false,
            tenant: self.tenant,
        };
        self.append(&record);
        agent
    }

    /// Enrols and endorses a device.
    pub fn device(&mut self, user: UserId) -> TestDevice {
        let id = DeviceId::from_slice(&self.id()).expect("sixteen bytes");
        let mut seed = [0; 32];
        seed[..16].copy_from_slice(id.as_bytes());
        let key = SigningKey::from_seed(&seed);
        let enrol = Enrol {
            challenge: self.nonce(),
            device: id,
            name: "Laptop".to_owned(),
            nonce: self.nonce(),
            public_key: key.public_key(),
            tenant: self.tenant,
            user,
        };
        let enrol = self.append_signed(&enrol, &key);
        let endorse = Endorse {
            at: self.at,
            by: Endorsement::Server,
            device: id,
            device_seq: None,
            enrol,
            nonce: self.nonce(),
            previous: None,
            tenant: self.tenant,
        };
        self.append(&endorse);
        TestDevice {
            id,
            user,
            key,
            seq: 0,
            previous: None,
        }
    }

    pub fn revoke(&mut self, device: &TestDevice) {
        let revoke = Revoke {
            at: self.at,
            by: Actor::User(self.owner),
            device: device.id,
            nonce: self.nonce(),
            reason: "Lost".to_owned(),
        };
        self.append(&revoke);
    }

    /// A mail account, held by the tenant or a device.
    pub fn connection(&mut self, holder: Holder) -> ConnectionRef {
        let mut config = Object::new();
        config.insert("host", "mail.example.com");
        let connection = Connection {
            at: self.at,
            by: Actor::User(self.owner),
            config: config.into(),
            holder,
            id: ConnectionId::from_slice(&self.id()).expect("sixteen bytes"),
            kind: ConnectionKind::Smtp,
            name: "Office mail".to_owned(),
            nonce: self.nonce(),
            removed: false,
            tenant: self.tenant,
        };
        self.append(&connection);
        ConnectionRef {
            config: connection.config_digest().expect("within the profile"),
            holder,
            id: connection.id,
        }
    }

    /// Registers another tool, which takes a title as the builder's own does.
    pub fn tool(&mut self, id: &str) -> ToolRef {
        let manifest = manifest(id, "1.0.0");
        let digest = self.append(&manifest);
        ToolRef {
            id: id.to_owned(),
            manifest: digest,
            version: manifest.version,
        }
    }

    // A proposal's life.

    /// Proposes, and lets policy ask for one approval by a session.
    pub fn propose(&mut self, draft: Draft) -> ProposalId {
        let id = self.propose_only(draft);
        self.evaluate(id, PolicyDecision::RequiresApproval, 1);
        id
    }

    pub fn propose_only(&mut self, draft: Draft) -> ProposalId {
        let id = ProposalId::from_slice(&self.id()).expect("sixteen bytes");
        let mut args = Object::new();
        args.insert("title", draft.title);
        let proposal = Proposal {
            args: args.into(),
            connection: draft.connection,
            created_at: self.at,
            effect: EffectClass::Local,
            expires_at: self.at + draft.lifetime,
            id,
            nonce: self.nonce(),
            not_before: None,
            proposer: draft.proposer.unwrap_or_else(|| Proposer {
                id: "01900000-0000-7000-8000-00000000000a".to_owned(),
                kind: ProposerKind::Agent,
                name: "Helpful agent".to_owned(),
                on_behalf_of: None,
                run: None,
            }),
            retry_of: None,
            risk: draft.risk,
            risk_reasons: vec!["It makes a task.".to_owned()],
            supersedes: None,
            tenant: self.tenant,
            tool: draft.tool.unwrap_or_else(|| ToolRef {
                id: self.manifest.id.clone(),
                manifest: self.manifest.digest().expect("within the profile"),
                version: self.manifest.version.clone(),
            }),
            untrusted: Untrusted {
                evidence: Vec::new(),
                note: draft.note,
            },
        };
        let digest = self.append(&proposal);
        self.proposals.insert(id, (digest, proposal.expires_at));
        id
    }

    pub fn evaluate(&mut self, proposal: ProposalId, decision: PolicyDecision, quorum: u32) {
        let evaluation = Evaluation {
            bundle: Digest::of(b"rules"),
            decision,
            evaluated_at: self.at,
            nonce: self.nonce(),
            phase: Phase::Propose,
            policies: vec!["default".to_owned()],
            proposal,
            proposal_digest: self.digest_of(proposal),
            reason: "A task needs one approval.".to_owned(),
            requirement: Requirement {
                assurance: Assurance::Session,
                hold: Millis(0),
                quorum,
            },
        };
        self.append(&evaluation);
    }

    pub fn preview(&mut self, proposal: ProposalId) -> Digest {
        let preview = Preview {
            by: Holder::Tenant,
            device_seq: None,
            made_at: self.at,
            nonce: self.nonce(),
            outcome: PreviewOutcome::Shown {
                content: Value::from("A new task"),
            },
            previous: None,
            proposal,
            proposal_digest: self.digest_of(proposal),
        };
        let digest = self.append(&preview);
        self.previews.insert(proposal, digest);
        digest
    }

    /// Decides by session.
    pub fn decide(&mut self, proposal: ProposalId, approver: UserId, verdict: Verdict) -> Digest {
        let decision = self.decision(proposal, approver, verdict, None);
        self.append(&decision)
    }

    /// Takes an approval back by session.
    pub fn retract(&mut self, proposal: ProposalId, approver: UserId, approval: Digest) -> Digest {
        let decision = Decision {
            retracts: Some(approval),
            ..self.decision(proposal, approver, Verdict::Retract, None)
        };
        self.append(&decision)
    }

    /// Decides by a device's signature.
    pub fn decide_on(&mut self, proposal: ProposalId, device: &mut TestDevice, verdict: Verdict) -> Digest {
        device.seq += 1;
        let decision = self.decision(proposal, device.user, verdict, Some(device));
        let digest = self.append_signed(&decision, &device.key);
        device.previous = Some(digest);
        digest
    }

    pub fn void(&mut self, proposal: ProposalId, decision: Digest, reason: Reason) {
        let void = Void {
            at: self.at,
            decision,
            proposal,
            reason,
        };
        self.append(&void);
    }

    pub fn withdraw(&mut self, proposal: ProposalId) {
        let withdraw = Withdraw {
            at: self.at,
            by: Actor::User(self.owner),
            device: None,
            device_seq: None,
            nonce: self.nonce(),
            previous: None,
            proposal,
            reason: None,
        };
        self.append(&withdraw);
    }

    pub fn supersede(&mut self, proposal: ProposalId, successor: Option<ProposalId>) {
        let supersede = Supersede {
            at: self.at,
            proposal,
            reason: "Replaced by its proposer".to_owned(),
            successor,
        };
        self.append(&supersede);
    }

    pub fn expire(&mut self, proposal: ProposalId) {
        let expire = Expire {
            at: self.at,
            proposal,
        };
        self.append(&expire);
    }

    pub fn begin(&mut self, proposal: ProposalId, authority: Vec<Digest>) {
        let begin = Begin {
            at: self.at,
            authority,
            device_seq: None,
            executor: Executor::Tenant,
            fence: 1,
            nonce: self.nonce(),
            previous: None,
            proposal,
            proposal_digest: self.digest_of(proposal),
        };
        self.append(&begin);
    }

    /// Ends a run; a completed one has made a task.
    pub fn receipt(&mut self, proposal: ProposalId, outcome: Outcome) {
        let completed = outcome == Outcome::Completed;
        let task = TaskId::from_slice(&self.id()).expect("sixteen bytes");
        let receipt = Receipt {
            device_seq: None,
            dispatched: true,
            effect: completed.then(|| countersign_domain::record::Effect::TaskCreated {
                description: None,
                due_date: None,
                id: task,
                priority: TaskPriority::Normal,
                title: "Call Ada".to_owned(),
            }),
            executor: Executor::Tenant,
            failure: (!completed).then(|| Failure {
                code: "refused".to_owned(),
                message: "The target said no.".to_owned(),
            }),
            fence: 1,
            finished_at: self.at,
            nonce: self.nonce(),
            outcome,
            previous: None,
            proposal,
            proposal_digest: self.digest_of(proposal),
            reference: None,
            result: None,
            started_at: self.at,
            summary: "Made a task".to_owned(),
        };
        self.append(&receipt);
    }

    pub fn lapse(&mut self, proposal: ProposalId) {
        let lapse = Lapse {
            at: self.at,
            fence: 1,
            proposal,
        };
        self.append(&lapse);
    }

    /// Digest of a proposal's own record.
    pub fn digest_of(&self, proposal: ProposalId) -> Digest {
        self.proposals[&proposal].0
    }

    fn decision(
        &mut self,
        proposal: ProposalId,
        approver: UserId,
        verdict: Verdict,
        device: Option<&TestDevice>,
    ) -> Decision {
        let (proposal_digest, expires_at) = self.proposals[&proposal];
        Decision {
            approver,
            assurance: if device.is_some() {
                Assurance::Device
            } else {
                Assurance::Session
            },
            checkpoint: None,
            comment: None,
            decided_at: self.at,
            device: device.map(|device| device.id),
            device_seq: device.map(|device| device.seq),
            expires_at,
            id: DecisionId::from_slice(&self.id()).expect("sixteen bytes"),
            nonce: self.nonce(),
            offline: false,
            previous: device.and_then(|device| device.previous),
            preview: self.previews.get(&proposal).copied(),
            proposal,
            proposal_digest,
            renderer: RENDERER,
            retracts: None,
            tenant: self.tenant,
            verdict,
            view: Digest::of(b"card"),
        }
    }

    fn append_record(&mut self, subject: String, record: Record) -> Digest {
        let body = String::from_utf8(record.body).expect("JSON");
        let digest = self.append_entry(record.kind.name(), subject, Some(body), record.signature);
        assert_eq!(digest, record.digest, "a record has one digest");
        digest
    }

    fn id(&mut self) -> [u8; 16] {
        self.count += 1;
        id_bytes(self.count)
    }

    fn nonce(&mut self) -> Nonce {
        Nonce::from_bytes(self.id())
    }
}

/// A UUIDv7 made from a count.
fn id_bytes(count: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..2].copy_from_slice(&[0x01, 0x93]);
    bytes[2..6].copy_from_slice(&((count >> 12) as u32).to_be_bytes());
    bytes[6] = 0x70 | ((count >> 8) & 0x0F) as u8;
    bytes[7] = (count & 0xFF) as u8;
    bytes[8] = 0x80;
    bytes
}

fn index(seq: u64) -> usize {
    usize::try_from(seq).expect("a journal that fits into memory")
}

fn manifest(id: &str, version: &str) -> Manifest {
    Manifest {
        card: vec![CardField {
            arg: "title".to_owned(),
            label: "Task".to_owned(),
            shape: Shape::Line,
        }],
        confirm: None,
        connection: None,
        description: "Makes a task.".to_owned(),
        effect: EffectClass::Local,
        hold: Millis(0),
        id: id.to_owned(),
        idempotency: Idempotency::None,
        risk: Risk::Low,
        schema: Object::new().into(),
        sentence: "Create the task {title}".to_owned(),
        title: "Create task".to_owned(),
        version: version.to_owned(),
    }
}

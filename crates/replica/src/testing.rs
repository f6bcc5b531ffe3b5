//! A builder of valid journals, for tests of whoever reads one: a log key, a genesis, people, devices, proposals and
//! what becomes of them, served as signed pages with proofs. Every id and nonce comes from a count, so the same calls
//! make the same bytes.

#![allow(
    clippy::expect_used,
    reason = "what cannot be built fails the test that builds it"
)]

mod acts;
mod people;
mod proposals;

use std::collections::BTreeMap;

use countersign_domain::{
    Digest, Millis, Record, UnixMillis,
    canonical::Object,
    dsse::{self, SigningKey},
    id::{DeviceId, ProposalId, TenantId, UserId},
    journal::{Checkpoint, Frontier, NodeRow, consistency_proof},
    manifest::{CardField, Idempotency, Manifest, Shape},
    record::{Body, ConnectionRef, EffectClass, Genesis, Mode, Nonce, Proposer, Risk, Role, ToolRef},
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

    /// The key that signs its checkpoints.
    pub fn log_key(&self) -> SigningKey {
        self.log_key.clone()
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

    /// The root over the first `size` entries.
    pub fn root(&self, size: u64) -> Digest {
        self.roots[index(size)]
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
        let header = entry.header().expect("a kind");
        self.nodes.push(self.frontier.append(header.leaf_hash()));
        self.roots.push(self.frontier.root());
        self.entries.push(entry);
        self.at = self.at + Millis(1);
        digest
    }

    /// Appends a record as it was made elsewhere.
    pub fn append_record(&mut self, subject: String, record: Record) -> Digest {
        let (name, named) = (record.kind.name(), record.digest);
        let signature = record.signature.clone();
        let body = String::from_utf8(record.into_bytes()).expect("JSON");
        let digest = self.append_entry(name, subject, Some(body), signature);
        assert_eq!(digest, named, "a record has one digest");
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
        money: false,
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

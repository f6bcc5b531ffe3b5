//! What the writer's thread has on its desk: the open file, the journal's head, the people, and what to undo.

use std::{collections::HashMap, sync::Arc};

use countersign_domain::{
    Record, UnixMillis,
    dsse::SigningKey,
    id::{ProposalId, TenantId},
    journal::{self, Frontier, Header},
    people::{self, People},
    record::{Body, CheckpointSeen},
};
use countersign_policy::Policy;
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    Published,
    denials::Denials,
    entries,
    hands::{Hands, Leases, Work},
    proposals::Stored,
    recent::Recent,
    waiting::Waiting,
    writer::StoreError,
};
use crate::clock::Clock;

/// A tenant's file as its one writer sees it. Commands get it exclusively, inside a transaction.
pub struct Desk {
    connection: Connection,
    clock: Arc<dyn Clock>,
    policy: Arc<dyn Policy>,
    tenant: TenantId,
    log_key: SigningKey,
    memory: Memory,
    /// As it was at the last commit.
    committed: Memory,
    /// What the last commits have changed, for everyone to read.
    recent: Arc<Recent>,
    /// What people have said no to.
    denials: Arc<Denials>,
    /// What this batch has changed.
    batch: HashMap<ProposalId, Stored>,
    /// What waits for people, as this batch has it; `None` until somebody asks.
    waiting: Option<Waiting>,
    /// The server's own executor, once it is there.
    hands: Option<Hands>,
    leases: Leases,
    /// What this batch has for it.
    work: Vec<Work>,
    /// The last checkpoint that a device was found to have seen: those of one device mostly name the same.
    shown: Option<CheckpointSeen>,
    now: UnixMillis,
}

/// What the file says, kept ready.
#[derive(Clone)]
struct Memory {
    frontier: Frontier,
    last_at: UnixMillis,
    people: Arc<People>,
}

/// What a commit has changed: for waking, never for truth.
#[derive(Debug, Default)]
pub(super) struct Hints {
    /// Proposals with new entries.
    pub proposals: Vec<ProposalId>,
    /// What the server's own executor has to do.
    pub work: Vec<Work>,
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk")
            .field("tenant", &self.tenant)
            .field("size", &self.size())
            .finish_non_exhaustive()
    }
}

impl Desk {
    /// Reads the head and the people of an open, migrated file; `None` when it holds no journal yet.
    pub(super) fn load(
        connection: Connection,
        clock: Arc<dyn Clock>,
        policy: Arc<dyn Policy>,
        tenant: TenantId,
    ) -> Result<Option<Self>, StoreError> {
        let head: Option<(Vec<u8>, i64, Vec<u8>)> = connection
            .query_row("SELECT frontier, last_ms, log_key FROM head", [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .optional()?;
        let Some((frontier, last_ms, seed)) = head else {
            return Ok(None);
        };
        let seed: [u8; 32] = seed
            .try_into()
            .map_err(|_| StoreError::damaged("the log key is not 32 bytes"))?;
        let frontier = Frontier::from_bytes(&frontier).map_err(StoreError::damaged)?;
        let last: i64 =
            connection.query_row("SELECT coalesce(max(seq), 0) FROM entry", [], |row| row.get(0))?;
        if to_sql(frontier.size())? != last {
            // They are written in one transaction. A disk has lost one of the two: what would be appended next is there.
            return Err(StoreError::damaged(
                "the journal does not end where its head says",
            ));
        }
        let people = read_people(&connection)?;
        let denials = Denials::read(&connection, clock.now())?;
        let desk = Self::assemble(
            connection,
            clock,
            policy,
            tenant,
            SigningKey::from_seed(&seed),
            Memory {
                frontier,
                last_at: UnixMillis(last_ms),
                people: Arc::new(people),
            },
        );
        Ok(Some(Self {
            denials: Arc::new(denials),
            ..desk
        }))
    }

    /// Starts an empty journal in an open, migrated file. Nothing is written before the first commit.
    pub(super) fn found(
        connection: Connection,
        clock: Arc<dyn Clock>,
        policy: Arc<dyn Policy>,
        tenant: TenantId,
        seed: &[u8; 32],
    ) -> Result<Self, StoreError> {
        let frontier = Frontier::new();
        connection.execute(
            "INSERT INTO head (only, frontier, last_ms, log_key) VALUES (1, ?1, 0, ?2)",
            params![frontier.to_bytes(), &seed[..]],
        )?;
        let memory = Memory {
            frontier,
            last_at: UnixMillis(0),
            people: Arc::new(People::default()),
        };
        Ok(Self::assemble(
            connection,
            clock,
            policy,
            tenant,
            SigningKey::from_seed(seed),
            memory,
        ))
    }

    fn assemble(
        connection: Connection,
        clock: Arc<dyn Clock>,
        policy: Arc<dyn Policy>,
        tenant: TenantId,
        log_key: SigningKey,
        memory: Memory,
    ) -> Self {
        let now = clock.now();
        Self {
            connection,
            clock,
            policy,
            tenant,
            log_key,
            committed: memory.clone(),
            memory,
            recent: Arc::default(),
            denials: Arc::default(),
            batch: HashMap::new(),
            waiting: None,
            hands: None,
            leases: Leases::default(),
            work: Vec::new(),
            shown: None,
            now,
        }
    }

    /// The open file.
    pub(super) const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Whose journal it is.
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// The time of the running command and of every entry it appends; never before an earlier entry.
    pub const fn now(&self) -> UnixMillis {
        self.now
    }

    /// The rules that are asked again.
    pub(super) fn policy(&self) -> &dyn Policy {
        &*self.policy
    }

    /// How many entries the journal has.
    pub const fn size(&self) -> u64 {
        self.memory.frontier.size()
    }

    /// Whether this journal once had these entries and no others.
    pub(super) fn has_shown(&mut self, seen: CheckpointSeen) -> Result<bool, StoreError> {
        if self.shown == Some(seen) {
            return Ok(true);
        }
        // What a running command has appended nobody has seen.
        if seen.size > self.committed.frontier.size() {
            return Ok(false);
        }
        let tree = Frontier::stored(seen.size, |level, index| {
            entries::node(&self.connection, level, index)
        })?;
        let had = tree.root() == seen.root;
        if had {
            self.shown = Some(seen);
        }
        Ok(had)
    }

    /// Everyone and everything that belongs to the tenant, the running command's changes included.
    pub const fn people(&self) -> &Arc<People> {
        &self.memory.people
    }

    /// The key that signs checkpoints.
    pub(super) fn log_key(&self) -> SigningKey {
        self.log_key.clone()
    }

    /// What the world may know: the last commit, never what a running command has added.
    pub(super) fn published(&self) -> Published {
        let Memory { frontier, people, .. } = &self.committed;
        Published {
            size: frontier.size(),
            root: frontier.root(),
            people: Arc::clone(people),
        }
    }

    /// Appends one entry whose body is not about a proposal, and returns its sequence number.
    ///
    /// # Errors
    /// When the store fails or the body is not of its kind.
    pub fn append<B: Body>(&mut self, record: &Record, body: &B) -> Result<u64, StoreError> {
        self.append_about(record, body.subject())
    }

    /// Appends one entry.
    pub(super) fn append_about(&mut self, record: &Record, subject: String) -> Result<u64, StoreError> {
        let header = Header {
            at: self.now,
            digest: record.digest,
            kind: journal::Kind::known(record.kind.name()),
            seq: self.size() + 1,
            subject,
        };
        let nodes = self.memory.frontier.append(header.leaf_hash());
        let nodes: Vec<u8> = nodes.iter().flat_map(|node| *node.as_bytes()).collect();
        let seq = to_sql(header.seq)?;
        let (keyid, sig) = match &record.signature {
            Some(signature) => (Some(&signature.keyid.as_bytes()[..]), Some(&signature.sig[..])),
            None => (None, None),
        };
        self.connection
            .prepare_cached(
                "INSERT INTO entry (seq, at_ms, kind, subject, digest, nodes, bytes, keyid, sig)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute(params![
                seq,
                header.at.0,
                record.kind.name(),
                header.subject,
                record.digest.as_bytes(),
                nodes,
                record.bytes(),
                keyid,
                sig
            ])?;
        self.memory.last_at = header.at;
        if people::KINDS.contains(&record.kind) {
            Arc::make_mut(&mut self.memory.people)
                .apply(header.at, record)
                .map_err(StoreError::damaged)?;
        }
        Ok(header.seq)
    }

    /// What people have said no to.
    pub(super) const fn denials(&self) -> &Arc<Denials> {
        &self.denials
    }

    /// What the last commits have changed.
    pub(super) fn recent(&self) -> Arc<Recent> {
        Arc::clone(&self.recent)
    }

    /// The proposal's newest state, where it is in memory.
    pub(super) fn at_hand(&self, id: ProposalId) -> Option<Stored> {
        match self.batch.get(&id) {
            Some(stored) => Some(stored.clone()),
            None => self.recent.get(id).map(|stored| (*stored).clone()),
        }
    }

    /// Notes that a proposal has changed. Its row has been written.
    pub(super) fn changed(&mut self, stored: &Stored) {
        if let Some(waiting) = &mut self.waiting {
            waiting.note(&stored.state);
        }
        self.batch.insert(stored.state.id, stored.clone());
    }

    /// The proposal's row is gone. What the batch has noted of it is not to come back with its commit, and the next command
    /// is not to find it in memory. Where the batch fails after all it is read from the file again.
    pub(super) fn forget(&mut self, id: ProposalId) {
        self.batch.remove(&id);
        self.recent.forget(id);
    }

    /// Whether so many of the proposer's wait for people.
    pub(super) fn has_waiting(&mut self, proposer: &str, most: usize) -> Result<bool, StoreError> {
        if self.waiting.is_none() {
            self.waiting = Some(Waiting::read(&self.connection)?);
        }
        let now = self.now;
        Ok(self
            .waiting
            .as_mut()
            .is_some_and(|waiting| waiting.has(proposer, most, now)))
    }

    /// The server's own executor, once it is there.
    pub(super) const fn hands(&self) -> Option<&Hands> {
        self.hands.as_ref()
    }

    /// Gives calls to this executor, and to no other that was there before.
    pub(super) fn serve(&mut self, hands: Hands) {
        self.hands = Some(hands);
        self.leases.end_all();
    }

    /// What the server's own executor has and has not begun.
    pub(super) const fn leases(&mut self) -> &mut Leases {
        &mut self.leases
    }

    /// Until when the server's own executor may begin it.
    pub(super) fn leased_until(&self, proposal: ProposalId) -> Option<UnixMillis> {
        self.leases.of(proposal)
    }

    /// Tells the executor, once this batch is committed.
    pub(super) fn put_to_work(&mut self, work: Work) {
        self.work.push(work);
    }

    pub(super) fn begin_batch(&mut self) -> Result<(), StoreError> {
        self.statement("BEGIN IMMEDIATE")
    }

    /// Readies the desk for the next command, and returns what [`Self::has_written_since`] takes.
    pub(super) fn begin_command(&mut self) -> u64 {
        // An entry's time never goes back, whatever the machine's clock does.
        self.now = self.clock.now().max(self.memory.last_at);
        self.connection.total_changes()
    }

    /// Whether a row has changed since then.
    pub(super) fn has_written_since(&self, mark: u64) -> bool {
        self.connection.total_changes() != mark
    }

    pub(super) fn commit_batch(&mut self) -> Result<Hints, StoreError> {
        // The frontier is in the same transaction as the entries: no crash can part them.
        if self.memory.frontier.size() != self.committed.frontier.size() {
            self.connection
                .prepare_cached("UPDATE head SET frontier = ?1, last_ms = ?2")?
                .execute(params![self.memory.frontier.to_bytes(), self.memory.last_at.0])?;
        }
        self.statement("COMMIT")?;
        self.committed = self.memory.clone();
        self.leases.commit();
        let proposals = self.batch.keys().copied().collect();
        self.recent.put(self.batch.drain().map(|(_, stored)| stored));
        Ok(Hints {
            proposals,
            work: std::mem::take(&mut self.work),
        })
    }

    pub(super) fn abandon_batch(&mut self) -> Result<(), StoreError> {
        self.memory = self.committed.clone();
        self.batch.clear();
        self.waiting = None;
        self.work.clear();
        self.leases.abandon();
        if self.connection.is_autocommit() {
            Ok(())
        } else {
            self.statement("ROLLBACK")
        }
    }

    fn statement(&self, sql: &str) -> Result<(), StoreError> {
        self.connection.prepare_cached(sql)?.execute([])?;
        Ok(())
    }
}

/// A sequence number as SQLite has it.
pub(super) fn to_sql(seq: u64) -> Result<i64, StoreError> {
    i64::try_from(seq).map_err(StoreError::damaged)
}

pub(super) fn read_people(connection: &Connection) -> Result<People, StoreError> {
    let mut people = People::default();
    let mut statement = connection.prepare(
        "SELECT at_ms, kind, bytes, keyid, sig FROM entry INDEXED BY entry_people
         WHERE substr(subject, 1, 9) <> 'proposal/' AND bytes IS NOT NULL ORDER BY seq",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let kind: String = row.get(1)?;
        // With its signature: a device's turn to another key counts by that alone.
        let signature = super::entries::signature(row.get(3)?, row.get(4)?)?;
        let record = super::entries::record(&kind, row.get(2)?, signature)?;
        if people::KINDS.contains(&record.kind) {
            people
                .apply(UnixMillis(row.get(0)?), &record)
                .map_err(StoreError::damaged)?;
        }
    }
    Ok(people)
}

//! Taking a page of the journal.
//!
//! One transaction: check the page, extend the tree, fold, and prove the new root against the log's signed head. The
//! cursor moves only at the end, so whatever is wrong leaves everything as it was.

use countersign_domain::{
    Digest, UnixMillis,
    dsse::PublicKey,
    id::{ProposalId, TenantId},
    journal::{Checkpoint, Frontier, InvalidProof, verify_consistency},
    record::{Genesis, Kind},
    wire::{JournalPage, WireEntry},
};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use crate::{
    ApplyError, Malformed, Replica, StorageError,
    entries::{self, from_sql, to_sql},
    prepare::{self, Prepared},
    project::Projection,
};

/// Whose journal it has to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Log {
    pub tenant: TenantId,
    /// The key that signs its checkpoints. `None` takes the one that the first genesis names and keeps to it.
    pub key: Option<PublicKey>,
}

/// What a page has changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Applied {
    /// Proposals about which there was an entry.
    pub proposals: Vec<ProposalId>,
    /// Whether there was an entry about anything else: people, devices, connections, tools.
    pub people: bool,
    /// Entries that are here from now on.
    pub size: u64,
    /// The signed head: the newest checkpoint of the log that was verified.
    pub head: Checkpoint,
}

impl Applied {
    /// Whether there is more to pull.
    pub const fn is_behind(&self) -> bool {
        self.size < self.head.size
    }
}

/// A page of more entries than this leaves a cache behind that nothing else needs.
const MANY: usize = 500;

/// Where the journal stands in the file.
pub(crate) struct Tree {
    pub(crate) tenant: TenantId,
    pub(crate) log_key: PublicKey,
    pub(crate) frontier: Frontier,
    pub(crate) clock: UnixMillis,
}

/// A checkpoint that was verified and kept.
struct Kept {
    size: u64,
    root: Digest,
    note: String,
}

impl Replica {
    /// Takes the entries that come next. A page without entries proves that what is here is a part of the new head.
    ///
    /// # Errors
    /// When the page is not what an honest log sends next, or the database fails. Nothing has changed then.
    pub fn apply(&mut self, page: &JournalPage, log: &Log) -> Result<Applied, ApplyError> {
        let applied = self.take_page(page, log);
        if applied.is_err() {
            // They may come from manifests of the page that was refused.
            self.templates.clear();
        }
        applied
    }

    fn take_page(&mut self, page: &JournalPage, log: &Log) -> Result<Applied, ApplyError> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut tree = match Tree::load(&transaction)? {
            Some(tree) if tree.tenant != log.tenant || log.key.is_some_and(|key| key != tree.log_key) => {
                return Err(ApplyError::OtherLog);
            }
            Some(tree) => tree,
            None => Tree::begin(page, log)?,
        };
        let head = Checkpoint::open(&page.checkpoint, tree.tenant, &tree.log_key).map_err(Malformed::from)?;
        let kept = kept(&transaction)?;
        against_newest(&kept, &head, &page.checkpoint)?;

        let began_empty = tree.frontier.size() == 0;
        let mut projection = Projection::new(&transaction, &mut self.templates);
        let mut people = false;
        prepare::each(&page.entries, |prepared| {
            let Prepared {
                entry,
                leaf,
                content,
                packed,
            } = prepared;
            tree.append(&entry, leaf)?;
            at_kept_size(&tree, &kept, &head, &page.checkpoint)?;
            entries::insert_header(&transaction, &entry)?;
            if let Some(packed) = packed {
                entries::insert_body(&transaction, &entry, &packed)?;
            }
            people |= entries::proposal_of(&entry.subject).is_none();
            Ok(projection.take(&entry, &content)?)
        })?;
        let size = tree.frontier.size();
        if size > head.size {
            return Err(Malformed::BeyondHead.into());
        }
        let proof = verify_consistency(
            size,
            tree.frontier.root(),
            head.size,
            head.root,
            &page.consistency,
        );
        match (proof, kept.last()) {
            (Ok(()), _) => {}
            (Err(InvalidProof::Root), Some(ours)) if !began_empty => return Err(ours.fork(&page.checkpoint)),
            (Err(error), _) => return Err(Malformed::Proof(error).into()),
        }
        let proposals = projection.finish(tree.clock)?;
        tree.store(&transaction)?;
        keep(&transaction, &head, &page.checkpoint, size)?;
        transaction.commit()?;
        if page.entries.len() > MANY {
            self.connection.release_memory()?;
        }
        Ok(Applied {
            proposals,
            people,
            size,
            head,
        })
    }
}

impl Tree {
    /// The tree of a replica that has no entry yet, from a page that begins with the genesis.
    fn begin(page: &JournalPage, log: &Log) -> Result<Self, Malformed> {
        let genesis = page.entries.first().ok_or(Malformed::Genesis)?;
        if genesis.kind != Kind::Genesis.name() {
            return Err(Malformed::Genesis);
        }
        let record = genesis.record().ok_or(Malformed::Body { seq: genesis.seq })?;
        let genesis: Genesis = record.body().map_err(|_| Malformed::Genesis)?;
        if genesis.tenant != log.tenant || log.key.is_some_and(|key| key != genesis.log_key) {
            return Err(Malformed::Genesis);
        }
        Ok(Self {
            tenant: genesis.tenant,
            log_key: genesis.log_key,
            frontier: Frontier::new(),
            clock: UnixMillis(i64::MIN),
        })
    }

    pub(crate) fn load(connection: &Connection) -> Result<Option<Self>, StorageError> {
        type Row = (Vec<u8>, Vec<u8>, Vec<u8>, i64);
        let row: Option<Row> = connection
            .prepare_cached("SELECT tenant, log_key, frontier, last_ms FROM head")?
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
            .optional()?;
        row.map(|(tenant, log_key, frontier, clock)| {
            Ok(Self {
                tenant: TenantId::from_slice(&tenant).map_err(StorageError::damaged)?,
                log_key: PublicKey::from_slice(&log_key).map_err(StorageError::damaged)?,
                frontier: Frontier::from_bytes(&frontier).map_err(StorageError::damaged)?,
                clock: UnixMillis(clock),
            })
        })
        .transpose()
    }

    fn append(&mut self, entry: &WireEntry, leaf: Digest) -> Result<(), Malformed> {
        let (expected, found) = (self.frontier.size() + 1, entry.seq);
        if found != expected {
            return Err(Malformed::Gap { expected, found });
        }
        if entry.at < self.clock {
            return Err(Malformed::TimeGoesBack { seq: found });
        }
        self.frontier.append(leaf);
        self.clock = entry.at;
        Ok(())
    }

    fn store(&self, connection: &Connection) -> Result<(), StorageError> {
        connection
            .prepare_cached(
                "INSERT INTO head (only, tenant, log_key, size, root, frontier, last_ms)
                 VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (only) DO UPDATE SET
                 size = excluded.size, root = excluded.root, frontier = excluded.frontier, last_ms = excluded.last_ms",
            )?
            .execute(params![
                &self.tenant.as_bytes()[..],
                &self.log_key.as_bytes()[..],
                to_sql(self.frontier.size())?,
                &self.frontier.root().as_bytes()[..],
                self.frontier.to_bytes(),
                self.clock.0
            ])?;
        Ok(())
    }
}

impl Kept {
    fn fork(&self, theirs: &str) -> ApplyError {
        ApplyError::Fork {
            ours: self.note.clone(),
            theirs: theirs.to_owned(),
        }
    }
}

/// The log never signs less than before, nor another root for the same size.
fn against_newest(kept: &[Kept], head: &Checkpoint, note: &str) -> Result<(), ApplyError> {
    match kept.last() {
        Some(ours) if head.size < ours.size => Err(ApplyError::Rollback {
            ours: ours.note.clone(),
            theirs: note.to_owned(),
        }),
        Some(ours) if head.size == ours.size && head.root != ours.root => Err(ours.fork(note)),
        Some(_) | None => Ok(()),
    }
}

/// On the way past a size that the log has signed, the root must be the one that it signed.
fn at_kept_size(tree: &Tree, kept: &[Kept], head: &Checkpoint, note: &str) -> Result<(), ApplyError> {
    let size = tree.frontier.size();
    match kept.binary_search_by_key(&size, |kept| kept.size) {
        // At the head itself a wrong root is for the proof to find: the page may be at fault, not the log.
        Ok(at) if size != head.size && kept[at].root != tree.frontier.root() => Err(kept[at].fork(note)),
        Ok(_) | Err(_) => Ok(()),
    }
}

fn kept(connection: &Connection) -> Result<Vec<Kept>, StorageError> {
    let mut statement = connection.prepare_cached("SELECT size, root, note FROM checkpoint ORDER BY size")?;
    let mut rows = statement.query([])?;
    let mut kept = Vec::new();
    while let Some(row) = rows.next()? {
        kept.push(Kept {
            size: from_sql(row.get(0)?),
            root: entries::digest(&row.get::<_, Vec<u8>>(1)?)?,
            note: row.get(2)?,
        });
    }
    Ok(kept)
}

pub(crate) fn keep(
    connection: &Connection,
    head: &Checkpoint,
    note: &str,
    size: u64,
) -> Result<(), StorageError> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO checkpoint (size, root, note) VALUES (?1, ?2, ?3)")?
        .execute(params![to_sql(head.size)?, &head.root.as_bytes()[..], note])?;
    connection
        .prepare_cached("DELETE FROM checkpoint WHERE size <= ?1 AND size < ?2")?
        .execute([to_sql(size)?, to_sql(head.size)?])?;
    Ok(())
}

//! Taking a page of the journal.
//!
//! One transaction: check the page, extend the tree, fold, and prove the new root against the log's signed head. The
//! cursor moves only at the end, so whatever is wrong leaves everything as it was.

use countersign_domain::{
    UnixMillis,
    dsse::PublicKey,
    id::{ProposalId, TenantId},
    journal::{Checkpoint, Follower, Frontier, Seen},
    record::{Genesis, Kind},
    wire::JournalPage,
};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use crate::{
    ApplyError, Malformed, Replica, StorageError,
    entries::{self, from_sql, to_sql},
    prepare::{self, Prepared},
    project::Projection,
    witness::Witness,
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

impl Replica {
    /// Takes the entries that come next. A page without entries proves that what is here is a part of the new head.
    ///
    /// # Errors
    /// When the page is not what an honest log sends next, or the database fails. Nothing has changed then.
    pub fn apply(&mut self, page: &JournalPage, log: &Log) -> Result<Applied, ApplyError> {
        let applied = self.take_page(page, log);
        if applied.is_err() {
            // They may come from the page that was refused.
            self.templates.clear();
            self.blocks.clear();
        }
        applied
    }

    fn take_page(&mut self, page: &JournalPage, log: &Log) -> Result<Applied, ApplyError> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut tree = match load(&transaction)? {
            Some(tree) if tree.tenant != log.tenant || log.key.is_some_and(|key| key != tree.log_key) => {
                return Err(ApplyError::OtherLog);
            }
            Some(tree) => tree,
            None => begin(page, log)?,
        };
        let under = tree.begin_page(&page.checkpoint)?;
        let mut projection = Projection::new(&transaction, &mut self.templates);
        let (mut people, mut witnesses) = (false, Vec::new());
        prepare::each(&page.entries, |prepared| {
            let Prepared {
                entry,
                leaf,
                content,
                packed,
            } = prepared;
            tree.append(&under, entry.seq, entry.at, leaf)?;
            entries::insert_header(&transaction, &entry)?;
            if let Some(packed) = packed {
                entries::insert_body(&transaction, &entry, &packed)?;
            }
            people |= entries::proposal_of(&entry.subject).is_none();
            witnesses.extend(Witness::of(entry.seq, &content));
            Ok(projection.take(&entry, &content)?)
        })?;
        tree.end_page(&under, &page.consistency)?;
        if let Some(witness) = self.blocks.contradicted(&transaction, witnesses)? {
            let other = witness.other_history(&transaction, page.checkpoint.clone())?;
            return Err(ApplyError::OtherHistory(Box::new(other)));
        }
        let size = tree.frontier.size();
        let proposals = projection.finish(tree.clock)?;
        store(&transaction, &tree)?;
        keep(&transaction, &under.head, &page.checkpoint, size)?;
        transaction.commit()?;
        if page.entries.len() > MANY {
            self.connection.release_memory()?;
        }
        Ok(Applied {
            proposals,
            people,
            size,
            head: under.head,
        })
    }
}

/// What follows the journal of a replica that has no entry yet, from a page that begins with the genesis.
fn begin(page: &JournalPage, log: &Log) -> Result<Follower, Malformed> {
    let genesis = page.entries.first().ok_or(Malformed::Genesis)?;
    if genesis.kind != Kind::Genesis.name() {
        return Err(Malformed::Genesis);
    }
    let record = genesis.record().ok_or(Malformed::Body { seq: genesis.seq })?;
    let genesis: Genesis = record.body().map_err(|_| Malformed::Genesis)?;
    if genesis.tenant != log.tenant || log.key.is_some_and(|key| key != genesis.log_key) {
        return Err(Malformed::Genesis);
    }
    Ok(Follower::new(genesis.tenant, genesis.log_key))
}

/// Where the journal stands in the file.
pub(crate) fn load(connection: &Connection) -> Result<Option<Follower>, StorageError> {
    type Row = (Vec<u8>, Vec<u8>, Vec<u8>, i64);
    let row: Option<Row> = connection
        .prepare_cached("SELECT tenant, log_key, frontier, last_ms FROM head")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .optional()?;
    row.map(|(tenant, log_key, frontier, clock)| {
        Ok(Follower {
            tenant: TenantId::from_slice(&tenant).map_err(StorageError::damaged)?,
            log_key: PublicKey::from_slice(&log_key).map_err(StorageError::damaged)?,
            frontier: Frontier::from_bytes(&frontier).map_err(StorageError::damaged)?,
            clock: UnixMillis(clock),
            heads: heads(connection)?,
        })
    })
    .transpose()
}

fn heads(connection: &Connection) -> Result<Vec<Seen>, StorageError> {
    let mut statement = connection.prepare_cached("SELECT size, root, note FROM checkpoint ORDER BY size")?;
    let mut rows = statement.query([])?;
    let mut heads = Vec::new();
    while let Some(row) = rows.next()? {
        heads.push(Seen {
            size: from_sql(row.get(0)?),
            root: entries::digest(&row.get::<_, Vec<u8>>(1)?)?,
            note: row.get(2)?,
        });
    }
    Ok(heads)
}

fn store(connection: &Connection, tree: &Follower) -> Result<(), StorageError> {
    connection
        .prepare_cached(
            "INSERT INTO head (only, tenant, log_key, size, root, frontier, last_ms)
             VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (only) DO UPDATE SET
             size = excluded.size, root = excluded.root, frontier = excluded.frontier, last_ms = excluded.last_ms",
        )?
        .execute(params![
            &tree.tenant.as_bytes()[..],
            &tree.log_key.as_bytes()[..],
            to_sql(tree.frontier.size())?,
            &tree.frontier.root().as_bytes()[..],
            tree.frontier.to_bytes(),
            tree.clock.0
        ])?;
    Ok(())
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

//! Checking a whole file against what it claims to be, and folding it again.

use std::hash::{BuildHasher as _, RandomState};

use countersign_domain::{Digest, UnixMillis, dsse, journal::Frontier};
use rusqlite::{Connection, TransactionBehavior, params};

use crate::{
    OtherHistory, ReadError, Reader, Replica, StorageError, apply,
    entries::{self, COLUMNS, HEADER, from_sql, stored_content, to_sql},
    packed,
    project::Projection,
    witness::{Blocks, Witness},
};

/// What was found to be in order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Verified {
    pub entries: u64,
    /// Bodies that are here; all of them are those that the headers name.
    pub bodies: u64,
    pub root: Digest,
}

impl Reader {
    /// Recomputes the tree from every header and compares it with the root that was verified, and every body's digest.
    ///
    /// # Errors
    /// With the first thing that is not in order.
    pub fn verify_all(&self) -> Result<Verified, ReadError> {
        self.together(|reader| {
            let key = RandomState::new();
            let found = recompute(&reader.connection, &key)?;
            check_indexes(&reader.connection, &key, &found)?;
            let stored = apply::load(&reader.connection)?;
            if stored.is_some_and(|tree| tree.frontier != found.frontier || tree.clock != found.clock) {
                return Err(ReadError::Root);
            }
            Ok(Verified {
                entries: found.frontier.size(),
                bodies: check_bodies(&reader.connection)?,
                root: found.frontier.root(),
            })
        })
    }

    /// Looks for a decision whose device had seen another journal than this one. Pages are looked at as they come; what came
    /// in a snapshot was not.
    ///
    /// # Errors
    /// When a stored body is not the one that was journalled, or the database fails.
    pub fn contradiction(&self) -> Result<Option<OtherHistory>, ReadError> {
        self.together(|reader| {
            let mut statement = reader.connection.prepare(&format!(
                "SELECT {COLUMNS} FROM entry JOIN body USING (seq) WHERE kind = 'decision'"
            ))?;
            let mut rows = statement.query([])?;
            let mut witnesses = Vec::new();
            while let Some(row) = rows.next()? {
                let mut entry = entries::from_row(row)?;
                witnesses.extend(Witness::of(entry.seq, &stored_content(&mut entry)?));
            }
            let found = Blocks::default().contradicted(&reader.connection, witnesses)?;
            let (Some(witness), Some(head)) = (found, reader.head()?) else {
                return Ok(None);
            };
            Ok(Some(witness.other_history(&reader.connection, head.checkpoint)?))
        })
    }
}

impl Replica {
    /// Folds everything again from the entries, in one transaction.
    ///
    /// # Errors
    /// When a body is not the one that was journalled, or the database fails. Nothing has changed then.
    pub fn rebuild(&mut self) -> Result<(), ReadError> {
        const AT_ONCE: u32 = 2_000;
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        clear(&transaction)?;
        self.templates.clear();
        let sql = format!(
            "SELECT {COLUMNS} FROM entry LEFT JOIN body USING (seq) WHERE entry.seq > ?1 ORDER BY entry.seq LIMIT ?2"
        );
        let mut after = 0;
        loop {
            let mut projection = Projection::new(&transaction, &mut self.templates);
            let mut statement = transaction.prepare_cached(&sql)?;
            let mut rows = statement.query(params![to_sql(after)?, AT_ONCE])?;
            let mut newest = None;
            while let Some(row) = rows.next()? {
                let mut entry = entries::from_row(row)?;
                let content = stored_content(&mut entry)?;
                projection.take(&entry, &content)?;
                newest = Some((entry.seq, entry.at));
            }
            drop(rows);
            let Some((seq, at)) = newest else {
                break;
            };
            after = seq;
            projection.finish(at)?;
        }
        transaction.commit()?;
        Ok(())
    }
}

/// The tree that the headers make.
pub(crate) struct Recomputed {
    pub(crate) frontier: Frontier,
    pub(crate) clock: UnixMillis,
    /// What the indexes of entries have to come to.
    indexed: Indexed,
}

/// Keyed sums over what each index has to hold, whatever the order: equal only for the same rows, since the key is
/// drawn after the rows were made.
#[derive(Default, PartialEq, Eq)]
struct Indexed {
    proposals: u64,
    subjects: u64,
}

/// Makes the tree anew from the headers alone.
pub(crate) fn recompute(connection: &Connection, key: &RandomState) -> Result<Recomputed, ReadError> {
    let mut statement =
        connection.prepare(&format!("SELECT {HEADER} FROM entry NOT INDEXED ORDER BY seq"))?;
    let mut rows = statement.query([])?;
    let mut found = Recomputed {
        frontier: Frontier::new(),
        clock: UnixMillis(i64::MIN),
        indexed: Indexed::default(),
    };
    while let Some(row) = rows.next()? {
        let header = entries::header(row)?;
        if header.seq != found.frontier.size() + 1 || header.at < found.clock {
            return Err(ReadError::Root);
        }
        found.clock = header.at;
        found.frontier.append(header.leaf_hash());
        let indexed = &mut found.indexed;
        match row.get_ref(5)?.as_blob_or_null().map_err(StorageError::damaged)? {
            Some(id) => add(&mut indexed.proposals, key, id, header.seq),
            None => add(&mut indexed.subjects, key, header.subject.as_bytes(), header.seq),
        }
    }
    Ok(found)
}

/// Compares the indexes by which entries are found with the table. `quick_check` does not, and an entry that its index
/// lacks would be one that nobody sees: a reject, a revocation.
pub(crate) fn check_indexes(
    connection: &Connection,
    key: &RandomState,
    table: &Recomputed,
) -> Result<(), ReadError> {
    let sum = |sql: &str| -> Result<u64, ReadError> {
        let mut statement = connection.prepare(sql)?;
        let mut rows = statement.query([])?;
        let (mut sum, mut before) = (0, (Vec::new(), 0));
        while let Some(row) = rows.next()? {
            let seq = from_sql(row.get(0)?);
            let name = row.get_ref(1)?.as_bytes().map_err(StorageError::damaged)?;
            // Out of order, a row is there and still not found.
            if (&before.0[..], before.1) >= (name, seq) {
                return Err(ReadError::Root);
            }
            add(&mut sum, key, name, seq);
            before.0.clear();
            before.0.extend_from_slice(name);
            before.1 = seq;
        }
        Ok(sum)
    };
    let indexed = Indexed {
        proposals: sum(
            "SELECT seq, proposal FROM entry INDEXED BY entry_proposal WHERE proposal IS NOT NULL",
        )?,
        subjects: sum("SELECT seq, subject FROM entry INDEXED BY entry_subject WHERE subject IS NOT NULL")?,
    };
    if indexed == table.indexed {
        Ok(())
    } else {
        Err(ReadError::Root)
    }
}

fn add(sum: &mut u64, key: &RandomState, name: &[u8], seq: u64) {
    *sum = sum.wrapping_add(key.hash_one((name, seq)));
}

fn check_bodies(connection: &Connection) -> Result<u64, ReadError> {
    let mut statement =
        connection.prepare("SELECT seq, kind, digest, bytes FROM body JOIN entry USING (seq)")?;
    let mut rows = statement.query([])?;
    let mut bodies = 0;
    let mut payload_type = (String::new(), String::new());
    while let Some(row) = rows.next()? {
        let kind = row.get_ref(1)?.as_str().map_err(StorageError::damaged)?;
        if payload_type.0 != kind {
            payload_type = (kind.to_owned(), dsse::payload_type(kind));
        }
        let digest = entries::digest(row.get_ref(2)?.as_blob().map_err(StorageError::damaged)?)?;
        let body = packed::unpack(row.get_ref(3)?.as_blob().map_err(StorageError::damaged)?)?;
        if dsse::record_digest(&payload_type.1, &body) != digest {
            return Err(ReadError::Tampered {
                seq: from_sql(row.get(0)?),
            });
        }
        bodies += 1;
    }
    Ok(bodies)
}

/// Empties everything that is folded from the entries. What is there may be wrong in any way.
fn clear(connection: &Connection) -> Result<(), StorageError> {
    connection.execute_batch(
        "REINDEX entry_subject;
         REINDEX entry_proposal;
         UPDATE tally SET n = 1 << 60; -- so that no wrong counter stops the triggers
         DELETE FROM proposal;
         UPDATE tally SET n = 0;
         INSERT INTO proposal_text (proposal_text) VALUES ('delete-all');
         DELETE FROM task;
         DELETE FROM device_record;
         DELETE FROM device_fork;",
    )?;
    Ok(())
}

//! Whether a tenant's file is whole: the file itself, the tree over its journal, and every body that is there.

use std::path::Path;

use countersign_domain::{Digest, dsse::SigningKey, journal::Frontier, people::People};
use rusqlite::{Connection, OpenFlags};

use super::{desk, entries, found::migrations, writer::StoreError};
use crate::schema;

/// Entries looked at together.
const AT_ONCE: u32 = 5_000;

/// What a file holds.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) size: u64,
    pub(crate) root: Digest,
    pub(crate) log_key: SigningKey,
    pub(crate) people: People,
}

/// Checks the file of a journal, up to the size that it has when this begins: a server may go on writing to it.
///
/// # Errors
/// With the first thing that is not in order.
pub(crate) fn check(file: &Path) -> Result<Checked, StoreError> {
    let connection = open(file)?;
    schema::refuse_newer(&connection, &migrations::migrations::runner())?;
    let found: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if found != "ok" {
        return Err(StoreError::damaged(found));
    }
    let (frontier, seed): (Vec<u8>, Vec<u8>) =
        connection.query_row("SELECT frontier, log_key FROM head", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    let frontier = Frontier::from_bytes(&frontier).map_err(StoreError::damaged)?;
    let seed: [u8; 32] = seed
        .try_into()
        .map_err(|_| StoreError::damaged("the log key is not 32 bytes"))?;
    let mut tree = Frontier::new();
    while tree.size() < frontier.size() {
        let page = entries::range(&connection, tree.size(), frontier.size(), AT_ONCE)?;
        if page.is_empty() {
            return Err(StoreError::damaged("an entry is missing"));
        }
        for entry in page {
            let header = entry
                .header()
                .filter(|header| header.seq == tree.size() + 1)
                .ok_or_else(|| StoreError::damaged(format!("entry {} is out of its place", entry.seq)))?;
            if entry.body.is_some() && entry.record().is_none() {
                return Err(StoreError::damaged(format!(
                    "the body of entry {} is not the one that was journalled",
                    entry.seq
                )));
            }
            tree.append(header.leaf_hash());
        }
    }
    if tree.root() != frontier.root() {
        return Err(StoreError::damaged(
            "the entries do not lead to the journal's root",
        ));
    }
    Ok(Checked {
        size: tree.size(),
        root: tree.root(),
        log_key: SigningKey::from_seed(&seed),
        people: desk::read_people(&connection)?,
    })
}

/// Opens a tenant's file to read it from outside its server. With the right to write, so that the last to close it tidies up
/// after itself as SQLite does; nothing of what it says is changed.
///
/// # Errors
/// When there is none.
pub(crate) fn open(file: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)?;
    connection.pragma_update(None, "trusted_schema", "OFF")?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

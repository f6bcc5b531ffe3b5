//! Whether a copy of a tenant's file is whole: the file itself, the tree over its journal, and every body that is there.

use std::path::Path;

use countersign_domain::{
    Digest,
    dsse::{PublicKey, SigningKey},
    journal::Frontier,
    people::People,
};
use rusqlite::Connection;

use super::{desk, entries, writer::StoreError};

/// Entries looked at together.
const AT_ONCE: u32 = 5_000;

/// What a file holds.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) size: u64,
    pub(crate) root: Digest,
    pub(crate) log_key: PublicKey,
    pub(crate) people: People,
}

/// Checks a file that nobody writes to.
///
/// # Errors
/// With the first thing that is not in order.
pub(crate) fn check(file: &Path) -> Result<Checked, StoreError> {
    let connection = Connection::open(file)?;
    connection.pragma_update(None, "trusted_schema", "OFF")?;
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
        log_key: SigningKey::from_seed(&seed).public_key(),
        people: desk::read_people(&connection)?,
    })
}

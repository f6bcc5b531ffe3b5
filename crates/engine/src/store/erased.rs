//! What this device has kept of proposals whose words the tenant has erased.

use std::collections::BTreeSet;

use countersign_domain::id::ProposalId;
use rusqlite::{Connection, Transaction, params};

use super::{AccountId, StoreError};

/// Where there are words about a proposal. What waits to be sent stays until it is answered: the tenant knows nothing of it.
/// So does a call that is under way.
const WORDS: [&str; 4] = [
    "outbox WHERE state <> 'waiting' AND envelope <> '' AND",
    "execution WHERE state = 'done' AND",
    "held_reject WHERE",
    "edit WHERE",
];

/// Every proposal that this device has words about.
pub(crate) fn candidates(db: &Connection, account: AccountId) -> Result<BTreeSet<ProposalId>, StoreError> {
    let mut found = BTreeSet::new();
    for table in WORDS {
        let sql = format!("SELECT DISTINCT proposal FROM {table} account = ?1 AND proposal IS NOT NULL");
        let mut statement = db.prepare_cached(&sql)?;
        let rows = statement.query_map([account.0], |row| row.get::<_, Vec<u8>>(0))?;
        for id in rows {
            found.insert(ProposalId::from_slice(&id?).map_err(StoreError::damaged)?);
        }
    }
    Ok(found)
}

/// Forgets them. A record's row stays, with its number and its digest and nothing that it said: the device's chain has no
/// gaps. A freed page is not written over here: the file is encrypted.
pub(crate) fn forget(tx: &Transaction<'_>, account: AccountId, id: ProposalId) -> Result<(), StoreError> {
    let about = params![account.0, id.as_bytes()];
    tx.execute(
        "UPDATE outbox SET envelope = '', state = 'folded' WHERE account = ?1 AND proposal = ?2 AND state <> 'waiting'",
        about,
    )?;
    for table in &WORDS[1..] {
        tx.execute(
            &format!("DELETE FROM {table} account = ?1 AND proposal = ?2"),
            about,
        )?;
    }
    Ok(())
}

//! What this device has kept of proposals whose words the tenant has erased.

use std::collections::BTreeSet;

use countersign_domain::id::ProposalId;
use rusqlite::{Connection, Transaction, params};

use super::{AccountId, StoreError};

/// Where there are words about a proposal. What waits to be sent stays until it is answered: its number is taken, and the
/// tenant knows nothing of it. So does a call that is under way.
const WORDS: [&str; 4] = [
    "outbox WHERE state <> 'waiting' AND",
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

/// Forgets them. A freed page is not written over here: the file is encrypted.
pub(crate) fn forget(tx: &Transaction<'_>, account: AccountId, id: ProposalId) -> Result<(), StoreError> {
    for table in WORDS {
        tx.prepare_cached(&format!("DELETE FROM {table} account = ?1 AND proposal = ?2"))?
            .execute(params![account.0, id.as_bytes()])?;
    }
    Ok(())
}

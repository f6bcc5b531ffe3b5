//! Which proposals a notice was shown for, so that a restart does not show it again.

use std::collections::BTreeSet;

use countersign_domain::{UnixMillis, id::ProposalId};
use rusqlite::{Connection, Transaction, params};

use super::{AccountId, StoreError};

/// Every proposal that a notice was ever shown for.
pub(crate) fn known(db: &Connection, account: AccountId) -> Result<BTreeSet<ProposalId>, StoreError> {
    ids(db, account, "account = ?1")
}

/// Those whose notice may still be on the screen.
pub(crate) fn shown(db: &Connection, account: AccountId) -> Result<BTreeSet<ProposalId>, StoreError> {
    ids(db, account, "account = ?1 AND state = 'shown'")
}

pub(crate) fn show(
    tx: &Transaction<'_>,
    account: AccountId,
    ids: &[ProposalId],
    now: UnixMillis,
) -> Result<(), StoreError> {
    let mut insert = tx.prepare_cached(
        "INSERT INTO notice (account, proposal, state, at_ms) VALUES (?1, ?2, 'shown', ?3) ON CONFLICT DO NOTHING",
    )?;
    for id in ids {
        insert.execute(params![account.0, id.as_bytes(), now.0])?;
    }
    Ok(())
}

pub(crate) fn retract(tx: &Transaction<'_>, account: AccountId, id: ProposalId) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE notice SET state = 'retracted' WHERE account = ?1 AND proposal = ?2",
        params![account.0, id.as_bytes()],
    )?;
    Ok(())
}

fn ids(db: &Connection, account: AccountId, filter: &str) -> Result<BTreeSet<ProposalId>, StoreError> {
    let mut statement = db.prepare_cached(&format!("SELECT proposal FROM notice WHERE {filter}"))?;
    let mut rows = statement.query([account.0])?;
    let mut ids = BTreeSet::new();
    while let Some(row) = rows.next()? {
        ids.insert(ProposalId::from_slice(&row.get::<_, Vec<u8>>(0)?).map_err(StoreError::damaged)?);
    }
    Ok(ids)
}

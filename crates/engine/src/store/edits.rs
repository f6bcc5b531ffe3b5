//! Edits that are being typed. They are the person's own, and nothing is said with them yet.

use std::collections::BTreeMap;

use countersign_domain::{UnixMillis, id::ProposalId};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::{AccountId, StoreError};

/// What stands in a form.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Typed {
    /// By the argument's name.
    pub(crate) entered: BTreeMap<String, String>,
    pub(crate) note: String,
    /// `None`: the time is as it was.
    pub(crate) not_before: Option<String>,
}

pub(crate) fn keep(
    tx: &Transaction<'_>,
    account: AccountId,
    id: ProposalId,
    typed: &Typed,
    now: UnixMillis,
) -> Result<(), StoreError> {
    let entered = serde_json::to_string(&typed.entered).map_err(StoreError::damaged)?;
    tx.execute(
        "INSERT INTO edit (account, proposal, entered, note, not_before, at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (account, proposal)
         DO UPDATE SET entered = excluded.entered, note = excluded.note, not_before = excluded.not_before,
            at_ms = excluded.at_ms",
        params![
            account.0,
            id.as_bytes(),
            entered,
            typed.note,
            typed.not_before,
            now.0
        ],
    )?;
    Ok(())
}

pub(crate) fn kept(db: &Connection, account: AccountId, id: ProposalId) -> Result<Option<Typed>, StoreError> {
    let row: Option<(String, String, Option<String>)> = db
        .query_row(
            "SELECT entered, note, not_before FROM edit WHERE account = ?1 AND proposal = ?2",
            params![account.0, id.as_bytes()],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()?;
    row.map(|(entered, note, not_before)| {
        let entered = serde_json::from_str(&entered).map_err(StoreError::damaged)?;
        Ok(Typed {
            entered,
            note,
            not_before,
        })
    })
    .transpose()
}

pub(crate) fn forget(tx: &Transaction<'_>, account: AccountId, id: ProposalId) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM edit WHERE account = ?1 AND proposal = ?2",
        params![account.0, id.as_bytes()],
    )?;
    Ok(())
}

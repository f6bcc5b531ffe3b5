//! The person's settings on this device, and what waits out its time for undo.

use countersign_domain::{Digest, UnixMillis, id::ProposalId};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::{AccountId, StoreError};

const NOTIFICATIONS_PAUSED: &str = "notifications_paused";

pub(crate) fn notifications_paused(db: &Connection) -> Result<bool, StoreError> {
    let value: Option<String> = db
        .query_row(
            "SELECT value FROM setting WHERE name = ?1",
            [NOTIFICATIONS_PAUSED],
            |row| row.get(0),
        )
        .optional()?;
    Ok(value.as_deref() == Some("yes"))
}

pub(crate) fn pause_notifications(tx: &Transaction<'_>, paused: bool) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO setting (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        params![NOTIFICATIONS_PAUSED, if paused { "yes" } else { "no" }],
    )?;
    Ok(())
}

/// What is not signed yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Held {
    pub(crate) proposal: ProposalId,
    pub(crate) what: HeldWhat,
    /// The card that was on the screen.
    pub(crate) view: Digest,
    pub(crate) comment: Option<String>,
    pub(crate) due: UnixMillis,
    pub(crate) created: UnixMillis,
}

/// What the person has said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum HeldWhat {
    Reject,
    /// Their own request is not to run.
    Withdraw,
}

pub(crate) fn hold(tx: &Transaction<'_>, account: AccountId, held: &Held) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO held_reject (account, proposal, view, comment, due_ms, created_ms, withdraws)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
        params![
            account.0,
            held.proposal.as_bytes(),
            held.view.as_bytes(),
            held.comment,
            held.due.0,
            held.created.0,
            held.what == HeldWhat::Withdraw,
        ],
    )?;
    Ok(())
}

/// Lets go what was held: undone, or signed in the same transaction. False when there was none.
pub(crate) fn release(tx: &Transaction<'_>, account: AccountId, id: ProposalId) -> Result<bool, StoreError> {
    let gone = tx.execute(
        "DELETE FROM held_reject WHERE account = ?1 AND proposal = ?2",
        params![account.0, id.as_bytes()],
    )?;
    Ok(gone == 1)
}

pub(crate) fn held(db: &Connection, account: AccountId) -> Result<Vec<Held>, StoreError> {
    many(db, "account = ?1 ORDER BY due_ms", [account.0])
}

/// What is held about one proposal: one thing at most.
pub(crate) fn held_about(
    db: &Connection,
    account: AccountId,
    id: ProposalId,
) -> Result<Vec<Held>, StoreError> {
    many(
        db,
        "account = ?1 AND proposal = ?2",
        params![account.0, id.as_bytes()],
    )
}

fn many(db: &Connection, filter: &str, params: impl rusqlite::Params) -> Result<Vec<Held>, StoreError> {
    let mut statement = db.prepare_cached(&format!(
        "SELECT proposal, view, comment, due_ms, created_ms, withdraws FROM held_reject WHERE {filter}"
    ))?;
    let mut rows = statement.query(params)?;
    let mut held = Vec::new();
    while let Some(row) = rows.next()? {
        held.push(read(row)?);
    }
    Ok(held)
}

fn read(row: &Row<'_>) -> Result<Held, StoreError> {
    Ok(Held {
        proposal: ProposalId::from_slice(&row.get::<_, Vec<u8>>(0)?).map_err(StoreError::damaged)?,
        view: Digest::from_slice(&row.get::<_, Vec<u8>>(1)?).map_err(StoreError::damaged)?,
        comment: row.get(2)?,
        due: UnixMillis(row.get(3)?),
        created: UnixMillis(row.get(4)?),
        what: if row.get(5)? {
            HeldWhat::Withdraw
        } else {
            HeldWhat::Reject
        },
    })
}

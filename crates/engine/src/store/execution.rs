//! Calls that this device executes: `begin → begun → intended → done`.
//!
//! A row in `begin` has a begin record in the outbox that is not answered. What a crash leaves in each other state is
//! settled by `countersign_tools::executor::settle`.

use countersign_domain::{Digest, UnixMillis, id::ProposalId, record::EffectClass};
use countersign_tools::executor::Intent;
use rusqlite::{Connection, Row, Transaction, params};

use super::{AccountId, StoreError, from_sql, to_sql};

/// One call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Execution {
    pub(crate) proposal: ProposalId,
    pub(crate) fence: u64,
    pub(crate) digest: Digest,
    pub(crate) effect: EffectClass,
    pub(crate) state: ExecutionState,
    pub(crate) begin: Digest,
    pub(crate) intent: Option<Intent>,
    pub(crate) at: UnixMillis,
}

/// How far a call has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ExecutionState {
    Begin,
    Begun,
    Intended,
    Done,
}

pub(crate) fn insert(
    tx: &Transaction<'_>,
    account: AccountId,
    execution: &Execution,
) -> Result<(), StoreError> {
    let effect = serde_json::to_string(&execution.effect).map_err(StoreError::damaged)?;
    tx.execute(
        "INSERT INTO execution (account, proposal, fence, digest, effect, state, begin_record, at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, 'begin', ?6, ?7)",
        params![
            account.0,
            execution.proposal.as_bytes(),
            to_sql(execution.fence)?,
            execution.digest.as_bytes(),
            effect,
            execution.begin.as_bytes(),
            execution.at.0,
        ],
    )?;
    Ok(())
}

/// The server accepted the begin.
pub(crate) fn begun(
    tx: &Transaction<'_>,
    account: AccountId,
    id: ProposalId,
    fence: u64,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE execution SET state = 'begun' WHERE account = ?1 AND proposal = ?2 AND fence = ?3 AND state = 'begin'",
        params![account.0, id.as_bytes(), to_sql(fence)?],
    )?;
    Ok(())
}

/// The call is about to be made: for the first time, or for the next after the last that was stored.
pub(crate) fn intend(tx: &Transaction<'_>, account: AccountId, intent: &Intent) -> Result<(), StoreError> {
    let text = serde_json::to_string(intent).map_err(StoreError::damaged)?;
    let changed = tx.execute(
        "UPDATE execution SET state = 'intended', intent = ?4
         WHERE account = ?1 AND proposal = ?2 AND fence = ?3 AND ?5 = CASE state
             WHEN 'begun' THEN 1
             WHEN 'intended' THEN 1 + coalesce(intent ->> '$.attempt', 1) END",
        params![
            account.0,
            intent.proposal.as_bytes(),
            to_sql(intent.fence)?,
            text,
            intent.attempt
        ],
    )?;
    // The same intent twice for one begin would be one call more than is known.
    if changed == 1 {
        Ok(())
    } else {
        Err(StoreError::damaged("the call has not begun, or was made already"))
    }
}

/// The receipt is in the outbox, or the begin was refused.
pub(crate) fn done(
    tx: &Transaction<'_>,
    account: AccountId,
    id: ProposalId,
    fence: u64,
    receipt: Option<Digest>,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE execution SET state = 'done', receipt = ?4 WHERE account = ?1 AND proposal = ?2 AND fence = ?3",
        params![account.0, id.as_bytes(), to_sql(fence)?, receipt.map(|digest| *digest.as_bytes())],
    )?;
    Ok(())
}

/// What is not over.
pub(crate) fn open(db: &Connection, account: AccountId) -> Result<Vec<Execution>, StoreError> {
    let mut statement = db.prepare_cached(
        "SELECT proposal, fence, digest, effect, state, begin_record, intent, at_ms FROM execution
         WHERE account = ?1 AND state <> 'done' ORDER BY at_ms, fence",
    )?;
    let mut rows = statement.query([account.0])?;
    let mut open = Vec::new();
    while let Some(row) = rows.next()? {
        open.push(read(row)?);
    }
    Ok(open)
}

fn read(row: &Row<'_>) -> Result<Execution, StoreError> {
    let effect: String = row.get(3)?;
    let state: String = row.get(4)?;
    let intent: Option<String> = row.get(6)?;
    Ok(Execution {
        proposal: ProposalId::from_slice(&row.get::<_, Vec<u8>>(0)?).map_err(StoreError::damaged)?,
        fence: from_sql(row.get(1)?)?,
        digest: Digest::from_slice(&row.get::<_, Vec<u8>>(2)?).map_err(StoreError::damaged)?,
        effect: serde_json::from_str(&effect).map_err(StoreError::damaged)?,
        state: match state.as_str() {
            "begin" => ExecutionState::Begin,
            "begun" => ExecutionState::Begun,
            "intended" => ExecutionState::Intended,
            "done" => ExecutionState::Done,
            other => return Err(StoreError::damaged(other)),
        },
        begin: Digest::from_slice(&row.get::<_, Vec<u8>>(5)?).map_err(StoreError::damaged)?,
        intent: intent
            .map(|text| serde_json::from_str(&text))
            .transpose()
            .map_err(StoreError::damaged)?,
        at: UnixMillis(row.get(7)?),
    })
}

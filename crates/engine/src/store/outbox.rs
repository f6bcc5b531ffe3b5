//! Records that this device signed, in the order in which they go up.
//!
//! `waiting → answered → folded`. Every answer is final. A row stays for ever: it is the device's own chain.

use countersign_domain::{
    Digest, Record, UnixMillis,
    dsse::Envelope,
    id::ProposalId,
    record::{Kind, Verdict},
};
use rusqlite::{Connection, Row, Transaction, params};

use super::{AccountId, StoreError, account, to_sql};

/// A record to be sent.
#[derive(Clone, Debug)]
pub(crate) struct NewEntry<'a> {
    pub(crate) record: &'a Record,
    pub(crate) device_seq: u64,
    /// Absent when it is about a device.
    pub(crate) proposal: Option<ProposalId>,
    pub(crate) verdict: Option<Verdict>,
    /// Until when a decision has to have arrived.
    pub(crate) expires_at: Option<UnixMillis>,
    pub(crate) created: UnixMillis,
}

/// One row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Entry {
    pub(crate) id: i64,
    pub(crate) digest: Digest,
    pub(crate) kind: Kind,
    pub(crate) proposal: Option<ProposalId>,
    pub(crate) verdict: Option<Verdict>,
    pub(crate) expires_at: Option<UnixMillis>,
    pub(crate) envelope: Envelope,
    pub(crate) state: EntryState,
    pub(crate) created: UnixMillis,
}

/// How far a record has come.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum EntryState {
    /// Not answered yet; whether it was sent does not matter, sending again gets the same answer.
    Waiting,
    Answered(Answer),
    /// The journal speaks for it.
    Folded(Answer),
}

/// The server's final word.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Answer {
    pub(crate) effective: bool,
    pub(crate) reason: Option<String>,
}

const COLUMNS: &str =
    "id, digest, kind, proposal, verdict, expires_ms, envelope, state, effective, reason, created_ms";

/// Stores a record and takes its number. What it says is durable once the transaction is.
pub(crate) fn append(tx: &Transaction<'_>, account: AccountId, new: &NewEntry<'_>) -> Result<(), StoreError> {
    account::link(tx, account, new.device_seq, new.record.digest)?;
    let envelope = serde_json::to_string(&new.record.to_envelope()).map_err(StoreError::damaged)?;
    tx.execute(
        "INSERT INTO outbox (account, device_seq, digest, kind, proposal, verdict, expires_ms, envelope, state,
                             created_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'waiting', ?9)",
        params![
            account.0,
            to_sql(new.device_seq)?,
            new.record.digest.as_bytes(),
            new.record.kind.name(),
            new.proposal.map(|id| *id.as_bytes()),
            new.verdict.map(verdict_name),
            new.expires_at.map(|at| at.0),
            envelope,
            new.created.0,
        ],
    )?;
    Ok(())
}

/// Rows that wait to be sent. What is folded stays for ever and grows: only the index of the others is looked through, which
/// SQLite takes where its condition is repeated.
const WAITING: &str = "state <> 'folded' AND state = 'waiting'";

/// What waits to be sent, in order.
pub(crate) fn waiting(db: &Connection, account: AccountId, limit: usize) -> Result<Vec<Entry>, StoreError> {
    many(
        db,
        &format!("account = ?1 AND {WAITING} ORDER BY id LIMIT ?2"),
        params![account.0, i64::try_from(limit).unwrap_or(i64::MAX)],
    )
}

/// How much waits to be sent.
pub(crate) fn count_waiting(db: &Connection, account: AccountId) -> Result<u32, StoreError> {
    let sql = format!("SELECT count(*) FROM outbox INDEXED BY outbox_open WHERE account = ?1 AND {WAITING}");
    Ok(db.query_row(&sql, [account.0], |row| row.get(0))?)
}

/// How much waits to be sent, of every account.
pub(crate) fn count_all_waiting(db: &Connection) -> Result<u32, StoreError> {
    let sql = format!("SELECT count(*) FROM outbox INDEXED BY outbox_open WHERE {WAITING}");
    Ok(db.query_row(&sql, [], |row| row.get(0))?)
}

/// What is not in the folded journal yet, in order: the overlay over the replica.
pub(crate) fn open(db: &Connection, account: AccountId) -> Result<Vec<Entry>, StoreError> {
    many(db, "account = ?1 AND state <> 'folded' ORDER BY id", [account.0])
}

/// One record.
pub(crate) fn get(db: &Connection, digest: Digest) -> Result<Option<Entry>, StoreError> {
    Ok(many(db, "digest = ?1", params![digest.as_bytes()])?.pop())
}

/// The server's answer. The first one stays.
pub(crate) fn answer(tx: &Transaction<'_>, digest: Digest, answer: &Answer) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE outbox SET state = 'answered', effective = ?2, reason = ?3 WHERE digest = ?1 AND state = 'waiting'",
        params![digest.as_bytes(), answer.effective, answer.reason],
    )?;
    Ok(())
}

/// The replica has folded the record: the journal speaks for it. `effective` as the journal has it.
pub(crate) fn folded(tx: &Transaction<'_>, digest: Digest, answer: &Answer) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE outbox SET state = 'folded', effective = coalesce(effective, ?2), reason = coalesce(reason, ?3)
         WHERE digest = ?1",
        params![digest.as_bytes(), answer.effective, answer.reason],
    )?;
    Ok(())
}

fn many(db: &Connection, filter: &str, params: impl rusqlite::Params) -> Result<Vec<Entry>, StoreError> {
    // One whose words were erased says nothing any more.
    let sql = format!("SELECT {COLUMNS} FROM outbox WHERE envelope <> '' AND {filter}");
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query(params)?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        entries.push(read(row)?);
    }
    Ok(entries)
}

fn read(row: &Row<'_>) -> Result<Entry, StoreError> {
    let kind: String = row.get(2)?;
    let verdict: Option<String> = row.get(4)?;
    let envelope: String = row.get(6)?;
    let state: String = row.get(7)?;
    let answer = Answer {
        effective: row.get::<_, Option<bool>>(8)?.unwrap_or(false),
        reason: row.get(9)?,
    };
    Ok(Entry {
        id: row.get(0)?,
        digest: Digest::from_slice(&row.get::<_, Vec<u8>>(1)?).map_err(StoreError::damaged)?,
        kind: kind.parse().map_err(StoreError::damaged)?,
        proposal: row
            .get::<_, Option<Vec<u8>>>(3)?
            .map(|id| ProposalId::from_slice(&id))
            .transpose()
            .map_err(StoreError::damaged)?,
        verdict: verdict.as_deref().map(read_verdict).transpose()?,
        expires_at: row.get::<_, Option<i64>>(5)?.map(UnixMillis),
        envelope: serde_json::from_str(&envelope).map_err(StoreError::damaged)?,
        state: match state.as_str() {
            "waiting" => EntryState::Waiting,
            "answered" => EntryState::Answered(answer),
            "folded" => EntryState::Folded(answer),
            other => return Err(StoreError::damaged(other)),
        },
        created: UnixMillis(row.get(10)?),
    })
}

const fn verdict_name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Approve => "approve",
        Verdict::Reject => "reject",
        Verdict::Retract => "retract",
    }
}

fn read_verdict(name: &str) -> Result<Verdict, StoreError> {
    match name {
        "approve" => Ok(Verdict::Approve),
        "reject" => Ok(Verdict::Reject),
        "retract" => Ok(Verdict::Retract),
        other => Err(StoreError::damaged(other)),
    }
}

/// What the person has said since then and the server has not refused.
pub(crate) fn verdicts_since(
    db: &Connection,
    account: AccountId,
    since: UnixMillis,
) -> Result<Vec<Verdict>, StoreError> {
    let entries = many(
        db,
        "account = ?1 AND created_ms >= ?2 AND verdict IS NOT NULL AND coalesce(effective, 1) = 1 ORDER BY id",
        params![account.0, since.0],
    )?;
    Ok(entries.into_iter().filter_map(|entry| entry.verdict).collect())
}

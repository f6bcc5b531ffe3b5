//! Records that this device signed, in the order in which they go up.
//!
//! `waiting → answered → folded`. Every answer is final. A row stays for ever: it is the device's own chain.

use countersign_domain::{
    Digest, Record, UnixMillis,
    dsse::Envelope,
    id::ProposalId,
    record::{Body, Kind, Verdict},
};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

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

/// One row, without what it says: see [`envelope`] and [`said`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Entry {
    pub(crate) id: i64,
    pub(crate) digest: Digest,
    pub(crate) kind: Kind,
    pub(crate) proposal: Option<ProposalId>,
    pub(crate) verdict: Option<Verdict>,
    pub(crate) expires_at: Option<UnixMillis>,
    pub(crate) state: EntryState,
    pub(crate) created: UnixMillis,
}

/// One row as it is sent.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    pub(crate) id: i64,
    pub(crate) digest: Digest,
    pub(crate) kind: Kind,
    pub(crate) proposal: Option<ProposalId>,
    pub(crate) envelope: Envelope,
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

impl EntryState {
    /// Answered: it does not count.
    pub(crate) const fn is_refused(&self) -> bool {
        matches!(self, Self::Answered(answer) if !answer.effective)
    }
}

/// The server's final word.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Answer {
    pub(crate) effective: bool,
    pub(crate) reason: Option<String>,
}

const COLUMNS: &str = "id, digest, kind, proposal, verdict, expires_ms, state, effective, reason, created_ms";

/// Stores a record and takes its number. What it says is durable once the transaction is.
pub(crate) fn append(tx: &Transaction<'_>, account: AccountId, new: &NewEntry<'_>) -> Result<(), StoreError> {
    account::link(tx, account, new.device_seq, new.record.digest)?;
    // Who says something anew about it has seen what became of what they said before.
    if let Some(proposal) = new.proposal {
        seen(tx, account, proposal)?;
    }
    let envelope = serde_json::to_string(&new.record.to_envelope()).map_err(StoreError::damaged)?;
    tx.prepare_cached(
        "INSERT INTO outbox (account, device_seq, digest, kind, proposal, verdict, expires_ms, envelope, state,
                             created_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'waiting', ?9)",
    )?
    .execute(params![
        account.0,
        to_sql(new.device_seq)?,
        new.record.digest.as_bytes(),
        new.record.kind.name(),
        new.proposal.map(|id| *id.as_bytes()),
        new.verdict.map(verdict_name),
        new.expires_at.map(|at| at.0),
        envelope,
        new.created.0,
    ])?;
    Ok(())
}

/// What waits to be sent behind the row `after`, in order.
pub(crate) fn waiting(
    db: &Connection,
    account: AccountId,
    after: i64,
    limit: usize,
) -> Result<Vec<Outgoing>, StoreError> {
    let mut statement = db.prepare_cached(
        "SELECT id, digest, kind, proposal, envelope FROM outbox INDEXED BY outbox_waiting
         WHERE account = ?1 AND state = 'waiting' AND id > ?2 ORDER BY id LIMIT ?3",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![account.0, after, limit])?;
    let mut waiting = Vec::new();
    while let Some(row) = rows.next()? {
        waiting.push(Outgoing {
            id: row.get(0)?,
            digest: read_digest(row, 1)?,
            kind: read_kind(row, 2)?,
            proposal: read_proposal(row, 3)?,
            envelope: read_envelope(&row.get::<_, String>(4)?)?,
        });
    }
    Ok(waiting)
}

/// How much waits to be sent.
pub(crate) fn count_waiting(db: &Connection, account: AccountId) -> Result<u32, StoreError> {
    let mut count = db.prepare_cached(
        "SELECT count(*) FROM outbox INDEXED BY outbox_waiting WHERE account = ?1 AND state = 'waiting'",
    )?;
    Ok(count.query_row([account.0], |row| row.get(0))?)
}

/// How much waits to be sent, of every account.
pub(crate) fn count_all_waiting(db: &Connection) -> Result<u32, StoreError> {
    let mut count =
        db.prepare_cached("SELECT count(*) FROM outbox INDEXED BY outbox_waiting WHERE state = 'waiting'")?;
    Ok(count.query_row([], |row| row.get(0))?)
}

/// What is not in the folded journal yet, in order: the overlay over the replica.
pub(crate) fn open(db: &Connection, account: AccountId) -> Result<Vec<Entry>, StoreError> {
    entries(
        db,
        "INDEXED BY outbox_open WHERE account = ?1 AND state <> 'folded'",
        [account.0],
    )
}

/// The part of it that is about one proposal.
pub(crate) fn open_about(
    db: &Connection,
    account: AccountId,
    proposal: ProposalId,
) -> Result<Vec<Entry>, StoreError> {
    entries(
        db,
        "INDEXED BY outbox_open WHERE account = ?1 AND proposal = ?2 AND state <> 'folded'",
        params![account.0, proposal.as_bytes()],
    )
}

/// What open records of one kind say, in order: those about a proposal, or about none.
pub(crate) fn said<B: Body>(
    db: &Connection,
    account: AccountId,
    about: Option<ProposalId>,
) -> Result<Vec<(Entry, B)>, StoreError> {
    let entries = entries(
        db,
        "INDEXED BY outbox_open WHERE account = ?1 AND proposal IS ?2 AND kind = ?3 AND state <> 'folded'",
        params![account.0, about.map(|id| *id.as_bytes()), B::KIND.name()],
    )?;
    let mut said = Vec::new();
    for entry in entries {
        let record = envelope(db, entry.digest)?.map(Record::from_envelope);
        if let Some(body) = record.and_then(|record| record.ok()?.body().ok()) {
            said.push((entry, body));
        }
    }
    Ok(said)
}

/// What the person has decided, taken back or said of an outcome, does not count, and they have not seen that.
pub(crate) fn refused_unseen(db: &Connection, account: AccountId) -> Result<Vec<Entry>, StoreError> {
    entries(
        db,
        "INDEXED BY outbox_refused WHERE account = ?1 AND effective = 0 AND seen = 0
         AND kind IN ('decision', 'withdraw', 'resolution')",
        [account.0],
    )
}

/// They have seen it.
pub(crate) fn seen(tx: &Transaction<'_>, account: AccountId, proposal: ProposalId) -> Result<(), StoreError> {
    tx.prepare_cached(
        "UPDATE outbox INDEXED BY outbox_refused SET seen = 1
         WHERE account = ?1 AND proposal = ?2 AND effective = 0 AND seen = 0",
    )?
    .execute(params![account.0, proposal.as_bytes()])?;
    Ok(())
}

/// One record's row.
pub(crate) fn get(db: &Connection, digest: Digest) -> Result<Option<Entry>, StoreError> {
    // One whose words were erased says nothing any more.
    let of = "WHERE digest = ?1 AND envelope <> ''";
    Ok(entries(db, of, params![digest.as_bytes()])?.pop())
}

/// One record's bytes with its signature; `None` where its words were erased.
pub(crate) fn envelope(db: &Connection, digest: Digest) -> Result<Option<Envelope>, StoreError> {
    let mut statement =
        db.prepare_cached("SELECT envelope FROM outbox WHERE digest = ?1 AND envelope <> ''")?;
    let text: Option<String> = statement
        .query_row([digest.as_bytes()], |row| row.get(0))
        .optional()?;
    text.map(|text| read_envelope(&text)).transpose()
}

/// The server's answer. The first one stays.
pub(crate) fn answer(tx: &Transaction<'_>, digest: Digest, answer: &Answer) -> Result<(), StoreError> {
    tx.prepare_cached(
        "UPDATE outbox SET state = 'answered', effective = ?2, reason = ?3 WHERE digest = ?1 AND state = 'waiting'",
    )?
    .execute(params![digest.as_bytes(), answer.effective, answer.reason])?;
    Ok(())
}

/// The replica has folded the record: the journal speaks for it. `effective` as the journal has it.
pub(crate) fn folded(tx: &Transaction<'_>, digest: Digest, answer: &Answer) -> Result<(), StoreError> {
    tx.prepare_cached(
        "UPDATE outbox SET state = 'folded', effective = coalesce(effective, ?2), reason = coalesce(reason, ?3)
         WHERE digest = ?1",
    )?
    .execute(params![digest.as_bytes(), answer.effective, answer.reason])?;
    Ok(())
}

fn entries(db: &Connection, of: &str, params: impl rusqlite::Params) -> Result<Vec<Entry>, StoreError> {
    let mut statement = db.prepare_cached(&format!("SELECT {COLUMNS} FROM outbox {of}"))?;
    let mut rows = statement.query(params)?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        entries.push(read(row)?);
    }
    // Not by the database, which would not find them in its index then.
    entries.sort_unstable_by_key(|entry| entry.id);
    Ok(entries)
}

fn read(row: &Row<'_>) -> Result<Entry, StoreError> {
    let verdict: Option<String> = row.get(4)?;
    let state: String = row.get(6)?;
    let answer = Answer {
        effective: row.get::<_, Option<bool>>(7)?.unwrap_or(false),
        reason: row.get(8)?,
    };
    Ok(Entry {
        id: row.get(0)?,
        digest: read_digest(row, 1)?,
        kind: read_kind(row, 2)?,
        proposal: read_proposal(row, 3)?,
        verdict: verdict.as_deref().map(read_verdict).transpose()?,
        expires_at: row.get::<_, Option<i64>>(5)?.map(UnixMillis),
        state: match state.as_str() {
            "waiting" => EntryState::Waiting,
            "answered" => EntryState::Answered(answer),
            "folded" => EntryState::Folded(answer),
            other => return Err(StoreError::damaged(other)),
        },
        created: UnixMillis(row.get(9)?),
    })
}

fn read_digest(row: &Row<'_>, at: usize) -> Result<Digest, StoreError> {
    Digest::from_slice(&row.get::<_, Vec<u8>>(at)?).map_err(StoreError::damaged)
}

fn read_kind(row: &Row<'_>, at: usize) -> Result<Kind, StoreError> {
    let kind: String = row.get(at)?;
    kind.parse().map_err(StoreError::damaged)
}

fn read_proposal(row: &Row<'_>, at: usize) -> Result<Option<ProposalId>, StoreError> {
    let id: Option<Vec<u8>> = row.get(at)?;
    id.map(|id| ProposalId::from_slice(&id).map_err(StoreError::damaged))
        .transpose()
}

fn read_envelope(text: &str) -> Result<Envelope, StoreError> {
    serde_json::from_str(text).map_err(StoreError::damaged)
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
    let mut statement = db.prepare_cached(
        "SELECT verdict FROM outbox INDEXED BY outbox_verdict
         WHERE account = ?1 AND created_ms >= ?2 AND verdict IS NOT NULL AND coalesce(effective, 1) = 1",
    )?;
    let mut rows = statement.query(params![account.0, since.0])?;
    let mut verdicts = Vec::new();
    while let Some(row) = rows.next()? {
        verdicts.push(read_verdict(&row.get::<_, String>(0)?)?);
    }
    Ok(verdicts)
}

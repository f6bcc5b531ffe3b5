//! Reading the journal: records by sequence number, pages for sync, proofs.

use countersign_domain::{
    Digest, Record, UnixMillis,
    dsse::Signature,
    id::ProposalId,
    journal::{NodeRow, consistency_proof},
    people,
    record::Kind,
    wire::{Head, JournalPage, WireEntry},
};
use rusqlite::{Connection, OptionalExtension};

use super::{desk::to_sql, writer::StoreError};

/// Who reads: everything, or only what concerns one's own proposals (design §8).
#[derive(Clone, Debug)]
pub enum Sight {
    /// Every body.
    All,
    /// Bodies of one's own proposals, and of what is not about a proposal; every header.
    Own(String),
}

/// Puts a stored record together again.
pub(super) fn record(kind: &str, body: Vec<u8>, signature: Option<Signature>) -> Result<Record, StoreError> {
    let kind: Kind = kind.parse().map_err(StoreError::damaged)?;
    Ok(Record::new(kind, body, signature))
}

/// A stored signature.
pub(super) fn signature(
    keyid: Option<Vec<u8>>,
    sig: Option<Vec<u8>>,
) -> Result<Option<Signature>, StoreError> {
    match (keyid, sig) {
        (Some(keyid), Some(sig)) => Ok(Some(Signature {
            keyid: Digest::from_slice(&keyid).map_err(StoreError::damaged)?,
            sig: sig
                .try_into()
                .map_err(|_| StoreError::damaged("a signature is not 64 bytes"))?,
        })),
        _ => Ok(None),
    }
}

/// The record at `seq`, with its entry's time; checked against the entry's digest.
pub(super) fn record_at(connection: &Connection, seq: u64) -> Result<(UnixMillis, Record), StoreError> {
    type Row = (i64, String, Vec<u8>, Vec<u8>, Option<Vec<u8>>, Option<Vec<u8>>);
    let row: Option<Row> = connection
        .prepare_cached(
            "SELECT at_ms, kind, digest, bytes, keyid, sig FROM entry WHERE seq = ?1 AND bytes IS NOT NULL",
        )?
        .query_row([to_sql(seq)?], |row| {
            Ok((
                row.get(0)?,
                row.get(1)?,
                row.get(2)?,
                row.get(3)?,
                row.get(4)?,
                row.get(5)?,
            ))
        })
        .optional()?;
    let (at, kind, digest, body, keyid, sig) =
        row.ok_or_else(|| StoreError::damaged("an entry is missing"))?;
    let record = record(&kind, body, signature(keyid, sig)?)?;
    if record.digest.as_bytes()[..] != digest[..] {
        return Err(StoreError::damaged(format!(
            "the body of entry {seq} is not the one that was journalled"
        )));
    }
    Ok((UnixMillis(at), record))
}

/// The first entry whose time is not before `time`; the next one to come where there is none. Times never go back, so it
/// is found by halving.
pub(super) fn first_since(connection: &Connection, time: UnixMillis) -> Result<u64, StoreError> {
    let size: i64 = connection.query_row("SELECT coalesce(max(seq), 0) FROM entry", [], |row| row.get(0))?;
    let mut at = connection.prepare_cached("SELECT at_ms FROM entry WHERE seq = ?1")?;
    let (mut low, mut high) = (1, size + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let then: i64 = at.query_row([middle], |row| row.get(0))?;
        if then < time.0 {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low.unsigned_abs())
}

/// The entries after `after`, up to `until`, at most `limit`, with every body.
pub(super) fn range(
    connection: &Connection,
    after: u64,
    until: u64,
    limit: u32,
) -> Result<Vec<WireEntry>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT seq, at_ms, kind, subject, digest, bytes, keyid, sig FROM entry
         WHERE seq > ?1 AND seq <= ?2 ORDER BY seq LIMIT ?3",
    )?;
    let mut rows = statement.query((to_sql(after)?, to_sql(until)?, limit))?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        let digest: Vec<u8> = row.get(4)?;
        let body: Option<Vec<u8>> = row.get(5)?;
        entries.push(WireEntry {
            seq: row.get::<_, i64>(0)?.unsigned_abs(),
            at: UnixMillis(row.get(1)?),
            kind: row.get(2)?,
            subject: row.get(3)?,
            digest: Digest::from_slice(&digest).map_err(StoreError::damaged)?,
            body: body
                .map(String::from_utf8)
                .transpose()
                .map_err(StoreError::damaged)?,
            signature: signature(row.get(6)?, row.get(7)?)?,
        });
    }
    Ok(entries)
}

/// The entries after `after`, at most `limit`, as of `head`.
pub(super) fn page(
    connection: &Connection,
    after: u64,
    limit: u32,
    head: &Head,
    sight: &Sight,
) -> Result<JournalPage, StoreError> {
    let mut entries = range(connection, after, head.size, limit)?;
    if let Sight::Own(actor) = sight {
        withhold(connection, &mut entries, actor)?;
    }
    let end = entries.last().map_or(after.min(head.size), |entry| entry.seq);
    let consistency = consistency_proof(end, head.size, |level, index| node(connection, level, index))
        .map_err(|error| StoreError::damaged(format!("no consistency proof: {error}")))?;
    Ok(JournalPage {
        entries,
        checkpoint: head.checkpoint.clone(),
        consistency,
    })
}

/// Takes away the bodies of other people's proposals, and of what somebody's device signed and did not count.
fn withhold(connection: &Connection, entries: &mut [WireEntry], actor: &str) -> Result<(), StoreError> {
    let mut owner = connection.prepare_cached(
        "SELECT proposer = ?2 FROM proposal WHERE id = ?1
         UNION ALL SELECT proposer = ?2 FROM erasure WHERE proposal = ?1",
    )?;
    for entry in entries {
        let Some(id) = entry.subject.strip_prefix("proposal/") else {
            let about_people = entry.kind.parse().is_ok_and(|kind| people::KINDS.contains(&kind));
            if !about_people {
                entry.body = None;
                entry.signature = None;
            }
            continue;
        };
        let id: ProposalId = id.parse().map_err(StoreError::damaged)?;
        let own: Option<Option<bool>> = owner
            .query_row((&id.as_bytes()[..], actor), |row| row.get(0))
            .optional()?;
        if own.flatten() != Some(true) {
            entry.body = None;
            entry.signature = None;
        }
    }
    Ok(())
}

/// The tree's node, from the row of the entry that completed it.
pub(super) fn node(connection: &Connection, level: u32, index: u64) -> Result<Digest, StoreError> {
    let place = NodeRow::of(level, index);
    let nodes: Vec<u8> = connection
        .prepare_cached("SELECT nodes FROM entry WHERE seq = ?1")?
        .query_row([to_sql(place.seq)?], |row| row.get(0))?;
    let bytes = nodes
        .get(place.offset..place.offset + 32)
        .ok_or_else(|| StoreError::damaged("a tree node is missing"))?;
    Digest::from_slice(bytes).map_err(StoreError::damaged)
}

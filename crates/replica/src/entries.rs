//! The journal's rows: headers and bodies.

use countersign_domain::{
    Digest, Record, UnixMillis,
    dsse::{self, Signature},
    id::ProposalId,
    journal::Header,
    record,
    wire::WireEntry,
};
use rusqlite::{Connection, Row, params};

use crate::{
    ReadError, StorageError,
    packed::{self, MAX_BODY},
};

/// Columns of an entry with its body, for [`from_row`].
pub(crate) const COLUMNS: &str = "entry.seq, at_ms, kind, subject, digest, bytes, keyid, sig, proposal";

/// A sequence number that is never reached.
pub(crate) const NEWEST: u64 = i64::MAX.unsigned_abs();

/// A number as SQLite has it.
pub(crate) fn to_sql(number: u64) -> Result<i64, StorageError> {
    i64::try_from(number).map_err(StorageError::damaged)
}

/// A sequence number or count that this crate stored.
pub(crate) const fn from_sql(number: i64) -> u64 {
    number.unsigned_abs()
}

pub(crate) fn digest(bytes: &[u8]) -> Result<Digest, StorageError> {
    Digest::from_slice(bytes).map_err(StorageError::damaged)
}

pub(crate) fn from_row(row: &Row<'_>) -> Result<WireEntry, StorageError> {
    let body = match row.get_ref(5)?.as_blob_or_null().map_err(StorageError::damaged)? {
        Some(bytes) => Some(packed::unpack(bytes)?),
        None => None,
    };
    let signature = match (
        row.get_ref(6)?.as_blob_or_null(),
        row.get_ref(7)?.as_blob_or_null(),
    ) {
        (Ok(Some(keyid)), Ok(Some(sig))) => Some(Signature {
            keyid: digest(keyid)?,
            sig: sig
                .try_into()
                .map_err(|_| StorageError::damaged("a signature is not 64 bytes"))?,
        }),
        _ => None,
    };
    Ok(WireEntry {
        seq: from_sql(row.get(0)?),
        at: UnixMillis(row.get(1)?),
        kind: row.get(2)?,
        subject: subject(row, 3, 8)?,
        digest: digest(row.get_ref(4)?.as_blob().map_err(StorageError::damaged)?)?,
        body: body
            .map(String::from_utf8)
            .transpose()
            .map_err(StorageError::damaged)?,
        signature,
    })
}

/// Columns of an entry's header, for [`header`].
pub(crate) const HEADER: &str = "seq, at_ms, kind, subject, digest, proposal";

pub(crate) fn header(row: &Row<'_>) -> Result<Header, StorageError> {
    let kind = row.get_ref(2)?.as_str().map_err(StorageError::damaged)?;
    Ok(Header {
        at: UnixMillis(row.get(1)?),
        digest: digest(row.get_ref(4)?.as_blob().map_err(StorageError::damaged)?)?,
        kind: kind.parse().map_err(StorageError::damaged)?,
        seq: from_sql(row.get(0)?),
        subject: subject(row, 3, 5)?,
    })
}

/// The subject out of the two columns that keep it.
pub(crate) fn subject(row: &Row<'_>, subject: usize, proposal: usize) -> Result<String, StorageError> {
    match row
        .get_ref(proposal)?
        .as_blob_or_null()
        .map_err(StorageError::damaged)?
    {
        None => Ok(row.get(subject)?),
        Some(id) => ProposalId::from_slice(id)
            .map(|id| format!("proposal/{id}"))
            .map_err(StorageError::damaged),
    }
}

pub(crate) fn insert_header(connection: &Connection, entry: &WireEntry) -> Result<(), StorageError> {
    let proposal = proposal_of(&entry.subject);
    connection
        .prepare_cached(
            "INSERT INTO entry (seq, at_ms, kind, subject, proposal, digest) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            to_sql(entry.seq)?,
            entry.at.0,
            entry.kind,
            proposal.is_none().then_some(&entry.subject),
            proposal.as_ref().map(|id| &id.as_bytes()[..]),
            &entry.digest.as_bytes()[..]
        ])?;
    Ok(())
}

/// Keeps an entry's packed body, with its signature.
pub(crate) fn insert_body(
    connection: &Connection,
    entry: &WireEntry,
    packed: &[u8],
) -> Result<(), StorageError> {
    let signature = entry.signature.as_ref();
    connection
        .prepare_cached("INSERT INTO body (seq, bytes, keyid, sig) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![
            to_sql(entry.seq)?,
            packed,
            signature.map(|signature| &signature.keyid.as_bytes()[..]),
            signature.map(|signature| &signature.sig[..])
        ])?;
    Ok(())
}

/// What is known of an entry's record.
#[derive(Debug)]
pub(crate) enum Content {
    /// The body is here, of a kind that this version knows, and is the one that the header names.
    Known(Record),
    /// Withheld or erased.
    Missing,
    /// Of a kind that this version does not know.
    Newer,
}

/// The body is not the one that the header names, or longer than any may be.
#[derive(Debug)]
pub(crate) struct OtherBody;

/// Takes an entry's body, checked against its header.
pub(crate) fn content(entry: &mut WireEntry) -> Result<Content, OtherBody> {
    let Ok(kind) = entry.kind.parse::<record::Kind>() else {
        // How a later version makes the digest of its own kinds is for it to say: a body that can be checked is kept.
        let payload_type = dsse::payload_type(&entry.kind);
        let checked = entry
            .body
            .as_ref()
            .filter(|body| body.len() <= MAX_BODY)
            .is_some_and(|body| dsse::record_digest(&payload_type, body.as_bytes()) == entry.digest);
        if !checked {
            entry.body = None;
        }
        return Ok(Content::Newer);
    };
    let Some(body) = &entry.body else {
        return Ok(Content::Missing);
    };
    if body.len() > MAX_BODY {
        return Err(OtherBody);
    }
    let record = Record::new(kind, body.as_bytes().to_vec(), entry.signature.clone());
    if record.digest != entry.digest {
        return Err(OtherBody);
    }
    Ok(Content::Known(record))
}

/// The same for an entry that was stored.
pub(crate) fn stored_content(entry: &mut WireEntry) -> Result<Content, ReadError> {
    content(entry).map_err(|OtherBody| ReadError::Tampered { seq: entry.seq })
}

/// The proposal that an entry is about, when it is about one.
pub(crate) fn proposal_of(subject: &str) -> Option<ProposalId> {
    subject.strip_prefix("proposal/")?.parse().ok()
}

/// The entries about one proposal, in order, as far as `until`.
pub(crate) fn about_proposal(
    connection: &Connection,
    id: ProposalId,
    until: u64,
) -> Result<Vec<WireEntry>, StorageError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM entry INDEXED BY entry_proposal LEFT JOIN body USING (seq)
         WHERE proposal = ?1 AND entry.seq <= ?2 ORDER BY entry.seq"
    );
    collect(connection, &sql, params![&id.as_bytes()[..], to_sql(until)?])
}

/// The entries about anything else than a proposal, in order.
pub(crate) fn about(connection: &Connection, subject: &str) -> Result<Vec<WireEntry>, StorageError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM entry INDEXED BY entry_subject LEFT JOIN body USING (seq)
         WHERE subject = ?1 ORDER BY entry.seq"
    );
    collect(connection, &sql, [subject])
}

fn collect(
    connection: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
) -> Result<Vec<WireEntry>, StorageError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(parameters)?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        entries.push(from_row(row)?);
    }
    Ok(entries)
}

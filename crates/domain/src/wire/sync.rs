//! What a device sends of its own, and the journal that it follows.

use serde::{Deserialize, Serialize};

use crate::{
    Digest, Record, UnixMillis,
    dsse::{Envelope, Signature},
    fold::Status,
    journal::Header,
    record::Kind,
};

/// Header of `GET /api/snapshot`: how many entries the snapshot has. `GET /api/journal?after=<size>&limit=0` then proves
/// that it is a part of the head.
pub const SNAPSHOT_SIZE: &str = "x-journal-size";

/// `POST /api/records`: what one device signed, in its order.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PushRecords {
    pub records: Vec<Envelope>,
}

/// Answers in the order of the records.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PushedRecords {
    pub results: Vec<RecordResult>,
}

/// What became of one record. Final: the same envelope gets the same answer for ever.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RecordResult {
    pub digest: Digest,
    pub effective: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The proposal's status after it, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
}

/// `GET /api/journal?after=N`: the entries after N, the checkpoint at the head, and a proof that the page's end is a
/// prefix of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct JournalPage {
    pub entries: Vec<WireEntry>,
    /// The head's checkpoint as a C2SP signed note.
    pub checkpoint: String,
    /// RFC 6962 consistency proof from the page's last entry to the head; empty when they are the same.
    pub consistency: Vec<Digest>,
}

/// One entry: the header, and the body where this reader may see it and it has not been erased.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct WireEntry {
    pub seq: u64,
    pub at: UnixMillis,
    /// A name that this version may not know.
    pub kind: String,
    pub subject: String,
    pub digest: Digest,
    /// The body's canonical text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
}

impl WireEntry {
    /// The header as the tree has it; `None` when the kind is no kind.
    pub fn header(&self) -> Option<Header> {
        Some(Header {
            at: self.at,
            digest: self.digest,
            kind: self.kind.parse().ok()?,
            seq: self.seq,
            subject: self.subject.clone(),
        })
    }

    /// The record, when the body is here, its kind is known and it is the one that the header names.
    pub fn record(&self) -> Option<Record> {
        let kind: Kind = self.kind.parse().ok()?;
        let body = self.body.as_ref()?.as_bytes().to_vec();
        Some(Record::new(kind, body, self.signature.clone())).filter(|record| record.digest == self.digest)
    }
}

/// `GET /api/journal/checkpoint`, and the data of each server-sent event: the head only.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Head {
    pub size: u64,
    pub root: Digest,
    /// A C2SP signed note.
    pub checkpoint: String,
}

//! What can go wrong, by what the caller does about it.

use countersign_domain::{
    dsse::Envelope,
    id::ProposalId,
    journal::{CheckpointError, Departure, InvalidProof},
};

/// The database itself fails. What was being written is not kept.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    #[error("the database failed: {0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("the file cannot be used: {0}")]
    Io(#[from] std::io::Error),
    /// A stored value is not what only this crate could have stored.
    #[error("the database is damaged: {0}")]
    Damaged(String),
}

impl StorageError {
    /// Whether what is stored cannot be read back: a torn or flipped page, and not a want of room or of memory. Only
    /// fetching everything again helps.
    pub fn is_damage(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        match self {
            Self::Sqlite(error) => matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase)),
            Self::Io(_) => false,
            Self::Damaged(_) => true,
        }
    }

    pub(crate) fn damaged(what: impl core::fmt::Display) -> Self {
        Self::Damaged(what.to_string())
    }
}

/// Why a file cannot be opened. It is left as it was.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Encrypted under another key, not encrypted at all where a key was given, or damaged in its first page.
    #[error("The data on this computer cannot be read with its key.")]
    WrongKey,
    /// A database, and not one of ours.
    #[error("The file is not Countersign's data.")]
    NotAReplica,
    #[error(
        "The data was written by a newer version of Countersign (format {found}; this version knows {known}). \
         Install that version, or a later one, to open it."
    )]
    Newer { found: i64, known: i64 },
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        // A wrong key shows at whatever looks into the file first.
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::NotADatabase) => Self::WrongKey,
            _ => Self::Storage(error.into()),
        }
    }
}

/// Why a page was not taken. Nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The page is of another tenant, or signed by another key, than what this replica began with.
    #[error("this is the journal of another tenant or of another log key")]
    OtherLog,
    /// The log has signed a head that is smaller than one it signed before. Both signed notes are evidence.
    #[error("the log has gone back to an earlier state")]
    Rollback { ours: String, theirs: String },
    /// No proof joins what is kept here to the head that the log has signed. Both signed notes are evidence.
    #[error("the log shows another history than before")]
    Fork { ours: String, theirs: String },
    /// No journal that has this page's head can have the entry.
    #[error(transparent)]
    OtherHistory(Box<OtherHistory>),
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// The log has shown two histories: what a device signed upon the one stands in the other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the device that signed entry {seq} had seen another history of {size} entries")]
pub struct OtherHistory {
    pub seq: u64,
    pub size: u64,
    /// The log's signed head over a journal with this entry. With the record it is the evidence.
    pub head: String,
    pub record: Envelope,
}

impl From<Departure> for ApplyError {
    fn from(departure: Departure) -> Self {
        Self::Malformed(match departure {
            Departure::Rollback { ours, theirs } => return Self::Rollback { ours, theirs },
            Departure::Fork { ours, theirs } => return Self::Fork { ours, theirs },
            Departure::Gap { expected, found } => Malformed::Gap { expected, found },
            Departure::TimeGoesBack { seq } => Malformed::TimeGoesBack { seq },
            Departure::BeyondHead => Malformed::BeyondHead,
            Departure::Checkpoint(error) => Malformed::Checkpoint(error),
            Departure::Proof(error) => Malformed::Proof(error),
        })
    }
}

impl From<rusqlite::Error> for ApplyError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Storage(error.into())
    }
}

/// A page that no honest server sends. Asking again may help when it was damaged on its way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("entry {found} came where entry {expected} was due")]
    Gap { expected: u64, found: u64 },
    #[error("entry {seq} is dated before the entry ahead of it")]
    TimeGoesBack { seq: u64 },
    #[error("entry {seq} has a kind that is no kind")]
    Kind { seq: u64 },
    #[error("the body of entry {seq} is not the one that its header names")]
    Body { seq: u64 },
    #[error("the journal does not begin with the genesis of this tenant")]
    Genesis,
    #[error("the page goes beyond the signed head")]
    BeyondHead,
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    #[error("the page does not lead to the signed head: {0}")]
    Proof(#[from] InvalidProof),
}

/// Why something cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A stored body is not the one that its header names.
    #[error("the stored body of entry {seq} is not the one that was journalled")]
    Tampered { seq: u64 },
    /// The headers do not come to the root that was verified.
    #[error("the stored journal does not come to the root that was verified")]
    Root,
    /// What is kept of a proposal is not what its entries say: fold everything again.
    #[error("what is kept of {0} is not what its entries say")]
    Projection(ProposalId),
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<rusqlite::Error> for ReadError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Storage(error.into())
    }
}

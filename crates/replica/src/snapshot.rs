//! A whole replica as one file, so that a fresh desktop need not pull a long journal entry by entry.
//!
//! A snapshot comes over the network and is taken as hostile input. What is believed of it in the end is the journal,
//! because its headers come to a root that the log has signed and every body is compared with its header when it is
//! used. Lists and counts are taken as they are: they can mislead about what there is to look at, never about what is
//! looked at. [`Replica::rebuild`] settles even that.

use std::{
    ffi::OsString,
    fs::{self, File},
    hash::{BuildHasher as _, RandomState},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use countersign_domain::{
    Digest,
    dsse::PublicKey,
    id::ProposalId,
    journal::{Checkpoint, CheckpointError, InvalidProof, verify_consistency},
    record::Genesis,
};
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use crate::{
    Key, Log, OpenError, ReadError, Reader, Replica, StorageError, apply,
    entries::{self, Content, to_sql},
    open::{self, APPLICATION_ID, VERSION},
    verify,
};

/// The signed head that a snapshot has to be a part of.
#[derive(Clone, Copy, Debug)]
pub struct SignedHead<'a> {
    /// The checkpoint as a signed note.
    pub checkpoint: &'a str,
    /// From the snapshot's size to the checkpoint's; empty when they are the same.
    pub consistency: &'a [Digest],
}

/// Why a snapshot was not taken. Nothing is left of it; the journal can still be pulled page by page.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    #[error("the snapshot is not a database as this version makes it: {0}")]
    NotOurs(&'static str),
    #[error("the snapshot's database is damaged: {0}")]
    Damaged(String),
    #[error("the snapshot is of another tenant or of another log key")]
    OtherLog,
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The headers do not come to the root that the log has signed.
    #[error("the snapshot's journal is not a part of the signed one: {0}")]
    Root(InvalidProof),
    /// A sample of what is shown in lists is not what the entries say, or a body is not the one that was journalled.
    #[error("the snapshot does not hold together: {0}")]
    Content(ReadError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<io::Error> for SnapshotError {
    fn from(error: io::Error) -> Self {
        Self::Storage(error.into())
    }
}

/// How many proposals are folded again before a snapshot is taken: a sample, and as many of those that wait for people.
const SAMPLE: u32 = 32;

impl Reader {
    /// Writes the whole replica, as of one entry, into one plain file. Does not hold up the writer.
    ///
    /// # Errors
    /// When this replica is encrypted, or the file cannot be written.
    pub fn build_snapshot(&self, out: &Path) -> Result<(), StorageError> {
        let encrypted: Option<String> = self
            .connection
            .query_row("PRAGMA cipher_status", [], |row| row.get(0))
            .optional()?;
        if encrypted.as_deref() == Some("1") {
            let message = "snapshots are made of replicas that are not encrypted";
            return Err(io::Error::new(io::ErrorKind::Unsupported, message).into());
        }
        let part = Part::beside(out)?;
        let target = part.path.to_str().ok_or_else(not_unicode)?;
        self.connection.execute("VACUUM INTO ?1", [target])?;
        part.finish(out)?;
        Ok(())
    }
}

impl Replica {
    /// Makes the replica in `path` out of a snapshot, and opens it. There must be nothing in `path`.
    ///
    /// # Errors
    /// When the snapshot is anything but what an honest server sends, or the disk fails. Nothing is in `path` then.
    pub fn from_snapshot(
        snapshot: &Path,
        path: &Path,
        key: Option<&Key>,
        log: &Log,
        head: SignedHead<'_>,
    ) -> Result<Self, SnapshotError> {
        if path.try_exists()? {
            return Err(io::Error::from(io::ErrorKind::AlreadyExists).into());
        }
        looks_plain(snapshot)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let source = open::connect(snapshot, None, flags).map_err(hostile_open)?;
        is_ours(&source)?;

        let part = Part::beside(path)?;
        // Nothing of the copy is used before all checks are through, so they may run beside each other.
        let (checked, journal, copied) = std::thread::scope(|scope| {
            let checked = scope.spawn(|| quick_check(snapshot));
            let copied = scope.spawn(|| copy(snapshot, &part.path, key));
            let journal = journal(&source, log, head);
            (joined(checked.join()), journal, joined(copied.join()))
        });
        checked?;
        let checkpoint = journal?;
        copied?;
        drop(source);

        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let target = open::connect(&part.path, key, flags)?;
        settle(&target, &checkpoint, head.checkpoint)?;
        let reader = Reader { connection: target };
        sample(&reader)?;
        drop(reader);
        part.finish(path)?;
        Ok(Self::open(path, key)?)
    }
}

/// A file in the making beside the one that it becomes. Gone when it does not become it.
struct Part {
    path: PathBuf,
}

impl Part {
    fn beside(path: &Path) -> Result<Self, StorageError> {
        let mut name = OsString::from(path);
        name.push(".part");
        let part = Self { path: name.into() };
        part.remove();
        open::create_private(&part.path)?;
        Ok(part)
    }

    /// Makes it durable under its own name.
    fn finish(self, path: &Path) -> Result<(), StorageError> {
        File::open(&self.path)?.sync_all()?;
        fs::rename(&self.path, path)?;
        // The name is durable only with its folder.
        #[cfg(unix)]
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }

    fn remove(&self) {
        for suffix in ["", "-journal", "-wal", "-shm"] {
            let mut name = OsString::from(&self.path);
            name.push(suffix);
            // What is not there is fine, and what cannot be removed shows when the file is made.
            let _ = fs::remove_file(name);
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.remove();
    }
}

fn not_unicode() -> StorageError {
    io::Error::new(io::ErrorKind::InvalidInput, "the path is not Unicode").into()
}

fn damaged(error: rusqlite::Error) -> SnapshotError {
    SnapshotError::Damaged(error.to_string())
}

/// What a read of the hostile file found.
fn hostile(error: ReadError) -> SnapshotError {
    match error {
        ReadError::Storage(error) => SnapshotError::Damaged(error.to_string()),
        error @ (ReadError::Tampered { .. } | ReadError::Root | ReadError::Projection(_)) => {
            SnapshotError::Content(error)
        }
    }
}

fn hostile_open(error: OpenError) -> SnapshotError {
    match error {
        OpenError::WrongKey => SnapshotError::NotOurs("not a database"),
        OpenError::Storage(error) => SnapshotError::Damaged(error.to_string()),
        error @ (OpenError::NotAReplica | OpenError::Newer { .. }) => SnapshotError::Open(error),
    }
}

/// Looks at the file's first bytes before SQLite does: no side files are read, so it must not ask for any.
fn looks_plain(snapshot: &Path) -> Result<(), SnapshotError> {
    let mut start = [0; 20];
    let read = File::open(snapshot)?.read_exact(&mut start);
    match (read, start.strip_prefix(b"SQLite format 3\0")) {
        // Write and read version: the rollback journal, not the WAL.
        (Ok(()), Some([_, _, 1, 1])) => Ok(()),
        _ => Err(SnapshotError::NotOurs("not a plain database file")),
    }
}

/// Nothing is in the schema but what this version puts there: no view, trigger or table that is only waiting to be used.
fn is_ours(source: &Connection) -> Result<(), SnapshotError> {
    type Item = (String, String, String, Option<String>);
    let schema = |connection: &Connection| -> Result<Vec<Item>, rusqlite::Error> {
        connection
            .prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name")?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
            .collect()
    };
    let pragma = |name: &str| source.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0));
    let ours = schema(&open::empty()?).map_err(StorageError::from)?;
    if pragma("application_id").map_err(damaged)? != APPLICATION_ID
        || pragma("user_version").map_err(damaged)? != VERSION
    {
        return Err(SnapshotError::NotOurs("another version"));
    }
    if schema(source).map_err(damaged)? == ours {
        Ok(())
    } else {
        Err(SnapshotError::NotOurs("another schema"))
    }
}

/// Checks every table with its indexes by itself: what is copied are their rows, so that how they share the file does not
/// matter. The full-text index is not checked whole, which would take as long as all others: the sample is looked up in
/// it, and what a search finds is read from the tables.
fn quick_check(snapshot: &Path) -> Result<(), SnapshotError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let source = open::connect(snapshot, None, flags).map_err(hostile_open)?;
    let tables: Vec<String> = source
        .prepare("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'shadow')")
        .and_then(|mut tables| tables.query_map([], |row| row.get(0))?.collect())
        .map_err(damaged)?;
    for table in tables {
        let verdict: String = source
            .query_row(&format!("PRAGMA quick_check('{table}')"), [], |row| row.get(0))
            .map_err(damaged)?;
        if verdict != "ok" {
            return Err(SnapshotError::Damaged(verdict));
        }
    }
    Ok(())
}

/// Copies everything into a new file, encrypted when there is a key.
fn copy(snapshot: &Path, part: &Path, key: Option<&Key>) -> Result<(), SnapshotError> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let target = open::connect(part, key, flags)?;
    // The file is nothing until it is renamed, and it is synced right before.
    target
        .execute_batch("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF;")
        .map_err(StorageError::from)?;
    target
        .execute("ATTACH ?1 AS snapshot KEY ''", [read_only_uri(snapshot)?])
        .map_err(damaged)?;
    target
        .query_row("SELECT sqlcipher_export('main', 'snapshot')", [], |_| Ok(()))
        .map_err(damaged)
}

/// `file:` with everything escaped that a URI reads otherwise than a path.
fn read_only_uri(path: &Path) -> Result<String, StorageError> {
    let path = std::path::absolute(path)?;
    let mut uri = "file:".to_owned();
    for byte in path.to_str().ok_or_else(not_unicode)?.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri.push_str("?mode=ro&immutable=1");
    Ok(uri)
}

/// Checks that the headers are those of the log, and that the log has signed them.
fn journal(source: &Connection, log: &Log, head: SignedHead<'_>) -> Result<Checkpoint, SnapshotError> {
    let tree = apply::load(source)
        .map_err(|error| SnapshotError::Damaged(error.to_string()))?
        .ok_or(SnapshotError::NotOurs("no journal"))?;
    let key = genesis_key(source, log)?;
    if tree.tenant != log.tenant || tree.log_key != key {
        return Err(SnapshotError::OtherLog);
    }
    let checkpoint = Checkpoint::open(head.checkpoint, log.tenant, &key)?;
    let key_of_sums = RandomState::new();
    let found = verify::recompute(source, &key_of_sums).map_err(hostile)?;
    verify::check_indexes(source, &key_of_sums, &found).map_err(hostile)?;
    let (size, root) = (found.frontier.size(), found.frontier.root());
    let stored: bool = source
        .query_row(
            "SELECT size = ?1 AND root = ?2 FROM head",
            params![to_sql(size)?, &root.as_bytes()[..]],
            |row| row.get(0),
        )
        .map_err(damaged)?;
    if !stored || tree.frontier != found.frontier || tree.clock != found.clock {
        return Err(SnapshotError::Content(ReadError::Root));
    }
    verify_consistency(size, root, checkpoint.size, checkpoint.root, head.consistency)
        .map_err(SnapshotError::Root)?;
    Ok(checkpoint)
}

/// The key that the genesis names, which must be the one that is expected.
fn genesis_key(source: &Connection, log: &Log) -> Result<PublicKey, SnapshotError> {
    let sql = format!(
        "SELECT {} FROM entry JOIN body USING (seq) WHERE entry.seq = 1",
        entries::COLUMNS
    );
    let mut statement = source.prepare(&sql).map_err(damaged)?;
    let mut rows = statement.query([]).map_err(damaged)?;
    let row = rows.next().map_err(damaged)?.ok_or(SnapshotError::OtherLog)?;
    let mut entry = entries::from_row(row).map_err(|error| hostile(error.into()))?;
    let Content::Known(record) = entries::stored_content(&mut entry).map_err(hostile)? else {
        return Err(SnapshotError::OtherLog);
    };
    let genesis: Genesis = record.body().map_err(|_| SnapshotError::OtherLog)?;
    if genesis.tenant == log.tenant && log.key.is_none_or(|key| key == genesis.log_key) {
        Ok(genesis.log_key)
    } else {
        Err(SnapshotError::OtherLog)
    }
}

/// Makes the copy a replica of its own: its version, and the one checkpoint that was verified.
fn settle(target: &Connection, checkpoint: &Checkpoint, note: &str) -> Result<(), SnapshotError> {
    let settle = || -> Result<(), StorageError> {
        target.execute_batch(
            "PRAGMA journal_mode = MEMORY;
             PRAGMA synchronous = OFF;
             BEGIN IMMEDIATE;
             DELETE FROM checkpoint;",
        )?;
        target.pragma_update(None, "user_version", VERSION)?;
        target.pragma_update(None, "application_id", APPLICATION_ID)?;
        apply::keep(target, checkpoint, note, 0)?;
        target.execute_batch("COMMIT")?;
        Ok(())
    };
    Ok(settle()?)
}

/// Folds some proposals again, of those that wait for people and of all, and looks for them as a person does.
fn sample(reader: &Reader) -> Result<(), SnapshotError> {
    let ids = |sql: &str, seed: i64| -> Result<Vec<Vec<u8>>, rusqlite::Error> {
        reader
            .connection
            .prepare_cached(sql)?
            .query_map(params![seed, SAMPLE], |row| row.get(0))?
            .collect()
    };
    let newest: i64 = reader
        .connection
        .query_row("SELECT size FROM head", [], |row| row.get(0))
        .map_err(StorageError::from)?;
    // Which ones must not be foreseen by whoever made the file.
    let random = RandomState::new();
    let mut chosen = ids(
        "SELECT id FROM proposal INDEXED BY proposal_to_decide WHERE list = 'to_decide' AND risk >= ?1 LIMIT ?2",
        0,
    )
    .map_err(StorageError::from)?;
    for turn in 0..SAMPLE {
        let seed = random.hash_one(turn).cast_signed().rem_euclid(newest.max(1));
        let one = ids(
            "SELECT id FROM proposal WHERE created_seq >= ?1 LIMIT min(1, ?2)",
            seed,
        );
        chosen.extend(one.map_err(StorageError::from)?);
    }
    for id in chosen {
        let id = ProposalId::from_slice(&id).map_err(|error| SnapshotError::Damaged(error.to_string()))?;
        let searchable = reader.is_searchable(id).map_err(|error| hostile(error.into()))?;
        if !searchable || reader.proposal(id).map_err(hostile)?.is_none() {
            return Err(SnapshotError::Content(ReadError::Projection(id)));
        }
    }
    Ok(())
}

/// A check that panics has not passed.
fn joined<T>(outcome: std::thread::Result<Result<T, SnapshotError>>) -> Result<T, SnapshotError> {
    outcome.unwrap_or_else(|_| Err(SnapshotError::Damaged("a check could not be finished".to_owned())))
}

//! Opening a file: key, settings, schema.

use std::{collections::BTreeMap, path::Path, path::PathBuf, time::Duration};

use countersign_domain::Digest;
use rusqlite::{Connection, OpenFlags, TransactionBehavior, config::DbConfig};
use zeroize::Zeroizing;

use crate::{Key, OpenError, Reader, StorageError, witness::Blocks};

/// Every migration, in order; its place plus one is the schema's version. Only ever added to.
const MIGRATIONS: [&str; 1] = [include_str!("../schema/0001_replica.sql")];

/// The version of the schema that this version of Countersign writes.
pub(crate) const VERSION: i64 = MIGRATIONS.len() as i64;

/// `CtSr` in the file's header says whose file it is.
pub(crate) const APPLICATION_ID: i64 = 0x4374_5372;

/// How pages are authenticated: SHA-256 has instructions of its own on the processors of today, SHA-512 does not. With
/// every key that a file is opened with, these are what it was made with.
const CIPHER: &str = "PRAGMA cipher_hmac_algorithm = HMAC_SHA256;";

/// The one writer of a tenant's replica.
#[derive(Debug)]
pub struct Replica {
    pub(crate) connection: Connection,
    /// Sentence templates of the manifests met so far, by digest. A manifest never changes.
    pub(crate) templates: BTreeMap<Digest, String>,
    pub(crate) blocks: Blocks,
    path: PathBuf,
    key: Option<Key>,
}

impl Replica {
    /// Opens the replica in `path`, or makes an empty one. With a key the file is encrypted.
    ///
    /// # Errors
    /// When it is not a replica, is encrypted under another key, or is from a newer version; the file is then unchanged.
    pub fn open(path: &Path, key: Option<&Key>) -> Result<Self, OpenError> {
        create_private(path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = connect(path, key, flags)?;
        let version = version(&connection)?;
        // Pages of a long journal rewrite the same places over and over: written back later, they are written once.
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 4000;
             PRAGMA cache_size = -8000;",
        )?;
        if version < VERSION {
            migrate(&mut connection)?;
        }
        Ok(Self {
            connection,
            templates: BTreeMap::new(),
            blocks: Blocks::default(),
            path: path.to_owned(),
            key: key.cloned(),
        })
    }

    /// Writes the log of recent changes back into the file. For a quiet moment: it keeps the log short and does not wait
    /// for anyone.
    ///
    /// # Errors
    /// When the database fails.
    pub fn checkpoint(&self) -> Result<(), StorageError> {
        Ok(self
            .connection
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?)
    }

    /// A reader of the same file.
    ///
    /// # Errors
    /// When the file cannot be opened once more.
    pub fn reader(&self) -> Result<Reader, OpenError> {
        Reader::open(&self.path, self.key.as_ref())
    }
}

impl Reader {
    /// Opens an existing replica for reading only.
    ///
    /// # Errors
    /// When there is none, it is encrypted under another key, or it is from another version.
    pub fn open(path: &Path, key: Option<&Key>) -> Result<Self, OpenError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = connect(path, key, flags)?;
        match version(&connection)? {
            VERSION => Ok(Self { connection }),
            _ => Err(OpenError::NotAReplica),
        }
    }
}

/// The schema of this version in a new empty database.
pub(crate) fn empty() -> Result<Connection, StorageError> {
    let mut connection = Connection::open_in_memory()?;
    migrate(&mut connection)?;
    Ok(connection)
}

/// Opens a connection with the settings that every connection has.
pub(crate) fn connect(path: &Path, key: Option<&Key>, flags: OpenFlags) -> Result<Connection, OpenError> {
    let connection = Connection::open_with_flags(path, flags)?;
    // SQLCipher would write to standard error; what goes wrong is in the errors.
    connection.execute_batch("PRAGMA cipher_log_level = NONE;")?;
    if let Some(key) = key {
        let literal = key.literal();
        let mut pragma = Zeroizing::new(String::with_capacity(256));
        for part in ["PRAGMA key = ", &literal, ";", CIPHER] {
            pragma.push_str(part);
        }
        connection.execute_batch(&pragma)?;
    }
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.execute_batch(
        "PRAGMA trusted_schema = OFF;
         PRAGMA cell_size_check = ON;
         PRAGMA foreign_keys = ON;
         PRAGMA temp_store = MEMORY;
         PRAGMA cache_size = -8000;",
    )?;
    Ok(connection)
}

/// Reads whose file it is and of which version; 0 for an empty one.
fn version(connection: &Connection) -> Result<i64, OpenError> {
    let pragma = |name: &str| connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0));
    let found = pragma("user_version")?;
    let owner = pragma("application_id")?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match (owner, found) {
        (0, 0) if tables == 0 => Ok(0),
        (APPLICATION_ID, 1..=VERSION) => Ok(found),
        (APPLICATION_ID, found) if found > VERSION => Err(OpenError::Newer {
            found,
            known: VERSION,
        }),
        _ => Err(OpenError::NotAReplica),
    }
}

fn migrate(connection: &mut Connection) -> Result<(), StorageError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Read again: another process may have been quicker.
    let from: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    for (version, sql) in (1_i64..).zip(MIGRATIONS).filter(|(version, _)| *version > from) {
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "user_version", version)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.commit()?;
    Ok(())
}

/// Makes the file for its owner's eyes only, if there is none; SQLite gives its side files the same mode.
pub(crate) fn create_private(path: &Path) -> Result<(), StorageError> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        other => other.map(drop).map_err(StorageError::from),
    }
}

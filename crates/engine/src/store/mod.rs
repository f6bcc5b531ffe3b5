//! The device's own database, `device.db`: what exists nowhere else.
//!
//! SQLCipher at `synchronous=FULL`. One connection; a write is one transaction, and it is on the disk when
//! [`Store::write`] answers. Reads take `&Connection`, changes take `&Transaction`: a function that changes something
//! cannot be called outside a transaction.

pub(crate) mod account;
pub(crate) mod edits;
pub(crate) mod erased;
pub(crate) mod execution;
pub(crate) mod notices;
pub(crate) mod outbox;
pub(crate) mod settings;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use countersign_faults::{Point, crash_point};
use rusqlite::{Connection, Transaction, TransactionBehavior};

pub(crate) use account::{Account, AccountId, NewAccount, Seen};
pub(crate) use execution::{Execution, ExecutionState};
pub(crate) use outbox::{Answer, Entry, EntryState, NewEntry, Outgoing};
pub(crate) use settings::{Held, HeldWhat};

use crate::device::Key;

mod embedded {
    refinery::embed_migrations!("migrations");
}

/// The open database.
#[derive(Clone)]
pub(crate) struct Store(Arc<Open>);

struct Open {
    connection: Mutex<Connection>,
    unsent: Unsent,
}

/// How many records wait to be sent, beside the database: whoever has lost its key is told what is lost with it.
struct Unsent {
    file: PathBuf,
    written: AtomicI64,
}

impl Unsent {
    /// Writes the number down where it has changed. It is told, and nothing depends on it.
    fn note(&self, db: &Connection) {
        let Ok(count) = outbox::count_all_waiting(db) else {
            return;
        };
        if self.written.swap(i64::from(count), Ordering::Relaxed) == i64::from(count) {
            return;
        }
        let fresh = self.file.with_extension("new");
        let written =
            std::fs::write(&fresh, count.to_string()).and_then(|()| std::fs::rename(&fresh, &self.file));
        if let Err(error) = written {
            tracing::warn!("How much is not sent could not be written down: {error}");
        }
    }
}

/// The database does not do what it is asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// A newer version of the app has changed it.
    #[error(
        "These files were written by a newer version of Countersign. Start that version; nothing was changed."
    )]
    Newer,
    /// The key does not open it, or it is not a database.
    #[error("The file {0} is damaged or belongs to another keychain entry. Nothing was changed.")]
    Unreadable(String),
    #[error("The database on this device failed: {0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("The database on this device cannot be brought up to date: {0}")]
    Migration(String),
    /// A row does not parse: the file is damaged.
    #[error("The database on this device is damaged: {0}")]
    Damaged(String),
}

impl StoreError {
    /// Whether it failed for want of room, and works again when there is some.
    pub(crate) fn is_full(&self) -> bool {
        matches!(self, Self::Sqlite(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull))
    }

    pub(crate) fn damaged(error: impl core::fmt::Display) -> Self {
        Self::Damaged(error.to_string())
    }
}

impl Store {
    /// Opens the file with its key and brings it up to date; makes it when it is not there.
    pub(crate) fn open(path: &Path, key: &Key) -> Result<Self, StoreError> {
        let mut connection = Connection::open(path)?;
        unlock(&connection, key)?;
        connection
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| {
                row.get::<_, i64>(0)
            })
            .map_err(|_| StoreError::Unreadable(path.display().to_string()))?;
        refuse_newer(&connection)?;
        connection.busy_timeout(Duration::from_secs(10))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", "ON")?;
        connection.pragma_update(None, "trusted_schema", "OFF")?;
        connection.set_prepared_statement_cache_capacity(64);
        embedded::migrations::runner()
            .run(&mut connection)
            .map_err(|error| StoreError::Migration(error.to_string()))?;
        refuse_gaps(&connection)?;
        crash_point(Point::DeviceMigrated);
        let unsent = Unsent {
            file: path.with_file_name("unsent"),
            written: AtomicI64::new(-1),
        };
        unsent.note(&connection);
        Ok(Self(Arc::new(Open {
            connection: Mutex::new(connection),
            unsent,
        })))
    }

    /// Changes something, in one transaction that is on the disk when this answers.
    pub(crate) async fn write<T, F>(&self, change: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        self.on_thread(move |connection, unsent| {
            let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = change(&tx)?;
            tx.commit()?;
            unsent.note(connection);
            Ok(value)
        })
        .await
    }

    /// Reads something.
    pub(crate) async fn read<T, F>(&self, read: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        self.on_thread(move |connection, _| read(connection)).await
    }

    async fn on_thread<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection, &Unsent) -> Result<T, StoreError> + Send + 'static,
    {
        let open = Arc::clone(&self.0);
        let run = move || {
            let mut connection = open.connection.lock().unwrap_or_else(PoisonError::into_inner);
            work(&mut connection, &open.unsent)
        };
        tokio::task::spawn_blocking(run)
            .await
            .map_err(StoreError::damaged)?
    }
}

impl core::fmt::Debug for Store {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Store")
    }
}

fn unlock(connection: &Connection, key: &Key) -> Result<(), StoreError> {
    let raw = zeroize::Zeroizing::new(format!("x'{}'", hex::encode(key.as_bytes())));
    connection.pragma_update(None, "key", raw.as_str())?;
    Ok(())
}

/// A database from the future is left alone: nobody here knows what its rows mean.
fn refuse_newer(connection: &Connection) -> Result<(), StoreError> {
    let known = embedded::migrations::runner()
        .get_migrations()
        .iter()
        .map(refinery::Migration::version)
        .max();
    let has_history: bool = connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'refinery_schema_history')",
        [],
        |row| row.get(0),
    )?;
    if !has_history {
        return Ok(());
    }
    let applied: Option<i64> =
        connection.query_row("SELECT max(version) FROM refinery_schema_history", [], |row| {
            row.get(0)
        })?;
    let known = known.map_or(0, i64::from);
    if applied.is_some_and(|applied| applied > known) {
        Err(StoreError::Newer)
    } else {
        Ok(())
    }
}

/// Number and record are stored in one transaction, and no record ever goes: where they differ the disk has lost a write, and
/// what would be signed next takes a number that was used, or comes behind one that is gone.
fn refuse_gaps(connection: &Connection) -> Result<(), StoreError> {
    let gaps: bool = connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM account WHERE
             last_seq <> (SELECT count(*) FROM outbox WHERE outbox.account = account.id)
             OR last_record IS NOT (SELECT digest FROM outbox
                 WHERE outbox.account = account.id AND outbox.device_seq = account.last_seq))",
        [],
        |row| row.get(0),
    )?;
    if gaps {
        Err(StoreError::damaged(
            "it has lost some of what this device has said",
        ))
    } else {
        Ok(())
    }
}

/// Sequence numbers and sizes are below 2^53 by the canonical profile.
pub(crate) fn to_sql(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(StoreError::damaged)
}

pub(crate) fn from_sql(number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(StoreError::damaged)
}

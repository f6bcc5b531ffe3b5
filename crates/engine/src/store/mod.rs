//! The device's own database, `device.db`: what exists nowhere else.
//!
//! SQLCipher at `synchronous=FULL`. One connection at a time; a write is one transaction, and it is on the disk when
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
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

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
    path: PathBuf,
    key: Key,
    connection: Mutex<Connected>,
    unsent: Unsent,
}

/// The one connection. SQLCipher reads nothing more over one that has failed to read, so that one is closed, and the next
/// thing that is asked for opens another: a fault of the disk that passes heals without a restart.
struct Connected {
    connection: Option<Connection>,
    /// For good: nothing opens another one.
    closed: bool,
    /// All numbers that the accounts had used at the last commit. A file that knows of fewer has lost some of them.
    used: i64,
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
    /// Whoever was here has left, and what was still to be done is left alone.
    #[error("The database on this device is closed.")]
    Closed,
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

    /// Whether the disk, or what is on it, was the reason, and not what was asked for.
    fn is_of_the_disk(&self) -> bool {
        use rusqlite::ErrorCode::{ConstraintViolation, DatabaseBusy, DatabaseLocked, DiskFull};
        let code = match self {
            Self::Sqlite(error) => error.sqlite_error_code(),
            Self::Newer | Self::Unreadable(_) | Self::Closed | Self::Migration(_) | Self::Damaged(_) => None,
        };
        code.is_some_and(|code| {
            !matches!(
                code,
                ConstraintViolation | DatabaseBusy | DatabaseLocked | DiskFull
            )
        })
    }

    pub(crate) fn damaged(error: impl core::fmt::Display) -> Self {
        Self::Damaged(error.to_string())
    }
}

impl Store {
    /// Opens the file with its key and brings it up to date; makes it when it is not there.
    pub(crate) fn open(path: &Path, key: &Key) -> Result<Self, StoreError> {
        let mut connection = unlocked(path, key, OpenFlags::default())?;
        probe(&connection).map_err(|_| StoreError::Unreadable(path.display().to_string()))?;
        settle(&connection)?;
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
        let connected = Connected {
            used: used(&connection)?,
            connection: Some(connection),
            closed: false,
        };
        Ok(Self(Arc::new(Open {
            path: path.to_owned(),
            key: key.clone(),
            connection: Mutex::new(connected),
            unsent,
        })))
    }

    /// Changes something, in one transaction that is on the disk when this answers.
    pub(crate) async fn write<T, F>(&self, change: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        self.on_thread(move |connection, last, unsent| {
            let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = change(&tx)?;
            let now = used(&tx)?;
            tx.commit().map_err(Trouble::Commit)?;
            *last = now;
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
        self.on_thread(move |connection, _, _| Ok(read(connection)?))
            .await
    }

    /// Closes the file. What is under way comes to its end first; what comes after is refused. The file is nobody's when this
    /// answers, however many handles there are.
    pub(crate) async fn close(&self) {
        let open = Arc::clone(&self.0);
        let run = move || {
            let mut connected = open.connection.lock().unwrap_or_else(PoisonError::into_inner);
            connected.closed = true;
            connected.connection = None;
        };
        if let Err(error) = tokio::task::spawn_blocking(run).await {
            tracing::warn!("The database on this device could not be closed: {error}");
        }
    }

    async fn on_thread<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection, &mut i64, &Unsent) -> Result<T, Trouble> + Send + 'static,
    {
        let open = Arc::clone(&self.0);
        let run = move || {
            let mut connected = open.connection.lock().unwrap_or_else(PoisonError::into_inner);
            let Connected {
                connection,
                closed,
                used,
            } = &mut *connected;
            if *closed {
                return Err(StoreError::Closed);
            }
            let mut current = match connection.take() {
                Some(current) => current,
                None => open.again(*used)?,
            };
            match work(&mut current, used, &open.unsent) {
                Err(Trouble::Before(error)) if error.is_of_the_disk() => Err(error),
                answer => {
                    *connection = Some(current);
                    answer.map_err(|trouble| match trouble {
                        Trouble::Before(error) => error,
                        Trouble::Commit(error) => error.into(),
                    })
                }
            }
        };
        tokio::task::spawn_blocking(run)
            .await
            .map_err(StoreError::damaged)?
    }
}

/// What went wrong, and when.
enum Trouble {
    /// Before anything was to be kept.
    Before(StoreError),
    /// As it was to be kept. The connection knows that it is not, and writes over it. Another one would find it in the
    /// write-ahead log, and what was said not to be saved would be sent.
    Commit(rusqlite::Error),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Before(error)
    }
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        Self::Before(error.into())
    }
}

impl Open {
    /// Another connection to the same file, which has to hold what was committed over the one before.
    fn again(&self, last: i64) -> Result<Connection, StoreError> {
        tracing::warn!("The database on this device has failed, and is opened again.");
        // A file that is gone is not made anew: it was the memory of what this device has said.
        let connection = unlocked(&self.path, &self.key, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        probe(&connection)?;
        settle(&connection)?;
        refuse_gaps(&connection)?;
        if used(&connection)? < last {
            return Err(lost());
        }
        Ok(connection)
    }
}

impl core::fmt::Debug for Store {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Store")
    }
}

fn unlocked(path: &Path, key: &Key, flags: OpenFlags) -> Result<Connection, rusqlite::Error> {
    let connection = Connection::open_with_flags(path, flags)?;
    let raw = zeroize::Zeroizing::new(format!("x'{}'", hex::encode(key.as_bytes())));
    connection.pragma_update(None, "key", raw.as_str())?;
    Ok(connection)
}

/// Whether the key opens the file.
fn probe(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
}

/// What every connection is set to.
fn settle(connection: &Connection) -> Result<(), StoreError> {
    refuse_newer(connection)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    connection.pragma_update(None, "trusted_schema", "OFF")?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// How many numbers all accounts have used.
fn used(db: &Connection) -> Result<i64, rusqlite::Error> {
    db.prepare_cached("SELECT coalesce(sum(last_seq), 0) FROM account")?
        .query_row([], |row| row.get(0))
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
    if gaps { Err(lost()) } else { Ok(()) }
}

fn lost() -> StoreError {
    StoreError::damaged("it has lost some of what this device has said")
}

/// Sequence numbers and sizes are below 2^53 by the canonical profile.
pub(crate) fn to_sql(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(StoreError::damaged)
}

pub(crate) fn from_sql(number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(StoreError::damaged)
}

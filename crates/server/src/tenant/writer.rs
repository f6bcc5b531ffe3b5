//! The one writer of a tenant's file: commands queue, one transaction takes all that wait, one `fdatasync` acknowledges
//! them (design §11).
//!
//! INVARIANT: a command's answer is sent only after the COMMIT that holds its effect. INVARIANT: what a refused command
//! wrote is undone, in the file and in memory: its batch is rolled back and tried again one by one.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::desk::{Desk, Hints};
use crate::{metrics::METRICS, schema::SchemaError};

/// How many commands one transaction takes at most: it bounds how long the first of them waits.
const BATCH: usize = 512;

/// After a commit of so many commands the next one waits for [`PAUSE`]: more of them will come, and a commit costs the
/// processor as much as a command does. Whoever is alone never waits.
const SIBLINGS: usize = 3;

const PAUSE: Duration = Duration::from_micros(250);

/// The store could not do what it was asked; nothing was acknowledged.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// There is no room for it.
    #[error("the disk is full")]
    Full,
    /// SQLite failed: an IO error, corruption.
    #[error("the tenant's store failed: {0}")]
    Database(Arc<rusqlite::Error>),
    /// What is stored cannot be read back.
    #[error("the tenant's store is damaged: {0}")]
    Damaged(String),
    /// The file belongs to a newer version of Countersign.
    #[error(
        "this data was written by a newer version of Countersign; update the program, nothing was changed"
    )]
    Newer,
    /// The writer is gone: the server is stopping, or a command panicked.
    #[error("the tenant's store is closed")]
    Closed,
}

impl From<SchemaError> for StoreError {
    fn from(error: SchemaError) -> Self {
        match error {
            SchemaError::Newer => Self::Newer,
            SchemaError::Damaged(why) => Self::Damaged(why),
            SchemaError::Database(error) => error.into(),
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull) {
            return Self::Full;
        }
        Self::Database(Arc::new(error))
    }
}

impl StoreError {
    pub(crate) fn damaged(error: impl std::fmt::Display) -> Self {
        Self::Damaged(error.to_string())
    }
}

/// How a command ends when the store works: with its result kept, or with a refusal and nothing written.
pub type Answer<T, R> = Result<Result<T, R>, StoreError>;

/// A queued command. It may run more than once: a batch that failed as a whole is tried again one by one.
trait Command: Send {
    /// Runs it. `Ok(true)` keeps what it wrote.
    fn run(&mut self, desk: &mut Desk) -> Result<bool, StoreError>;
    /// Sends the answer.
    fn answer(self: Box<Self>, outcome: Result<(), StoreError>);
}

struct Queued<T, R, F> {
    run: F,
    result: Option<Result<T, R>>,
    reply: oneshot::Sender<Answer<T, R>>,
}

impl<T: Send, R: Send, F> Command for Queued<T, R, F>
where
    F: FnMut(&mut Desk) -> Answer<T, R> + Send,
{
    fn run(&mut self, desk: &mut Desk) -> Result<bool, StoreError> {
        let result = (self.run)(desk)?;
        let keep = result.is_ok();
        self.result = Some(result);
        Ok(keep)
    }

    fn answer(self: Box<Self>, outcome: Result<(), StoreError>) {
        let answer = match (outcome, self.result) {
            (Ok(()), Some(result)) => Ok(result),
            (Ok(()), None) => Err(StoreError::Closed),
            (Err(error), _) => Err(error),
        };
        // Nobody waits any more when the request was given up; what was committed stays committed.
        let _ = self.reply.send(answer);
    }
}

/// The queue's sending end.
#[derive(Clone)]
pub(super) struct Writer {
    queue: mpsc::Sender<Box<dyn Command>>,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Writer")
    }
}

impl Writer {
    /// Starts the writer's thread over an open file. `after` is told of each commit.
    pub(super) fn start(desk: Desk, after: impl Fn(&Desk, Hints) + Send + 'static) -> std::io::Result<Self> {
        let (queue, commands) = mpsc::channel();
        thread::Builder::new()
            .name("tenant-writer".to_owned())
            .spawn(move || work(desk, &commands, &after))?;
        Ok(Self { queue })
    }

    /// Queues a command and waits for the commit that holds it.
    pub(super) async fn run<T, R, F>(&self, run: F) -> Answer<T, R>
    where
        T: Send + 'static,
        R: Send + 'static,
        F: FnMut(&mut Desk) -> Answer<T, R> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.queue
            .send(Box::new(Queued {
                run,
                result: None,
                reply,
            }))
            .map_err(|_| StoreError::Closed)?;
        answer.await.unwrap_or(Err(StoreError::Closed))
    }
}

fn work(mut desk: Desk, commands: &mpsc::Receiver<Box<dyn Command>>, after: &impl Fn(&Desk, Hints)) {
    let mut last = 0;
    while let Ok(first) = commands.recv() {
        if last >= SIBLINGS {
            thread::sleep(PAUSE);
        }
        let mut batch = vec![first];
        batch.extend(commands.try_iter().take(BATCH - 1));
        last = batch.len();
        // A panic in a command leaves memory in doubt: the thread ends, every caller is told, the file is untouched.
        let outcome = catch_unwind(AssertUnwindSafe(|| commit_together(&mut desk, batch, after)));
        if outcome.is_err() {
            tracing::error!("A tenant's writer panicked; its store is closed until the server restarts.");
            return;
        }
    }
}

fn commit_together(desk: &mut Desk, mut batch: Vec<Box<dyn Command>>, after: &impl Fn(&Desk, Hints)) {
    let began = Instant::now();
    match transaction(desk, &mut batch) {
        Ok(hints) => {
            METRICS.committed(batch.len(), began.elapsed());
            after(desk, hints);
            for command in batch {
                command.answer(Ok(()));
            }
        }
        // A refused one has written, or one was too much for the disk or hit a damaged row: the others must not suffer.
        Err(cause) if batch.len() > 1 => {
            if let Undone::Failed(error) = cause {
                tracing::warn!(
                    "Committing {} commands together failed, trying one by one: {error}",
                    batch.len()
                );
            }
            for command in batch {
                commit_together(desk, vec![command], after);
            }
        }
        Err(Undone::Refused) => {
            for command in batch {
                command.answer(Ok(()));
            }
        }
        Err(Undone::Failed(error)) => {
            tracing::error!("A command could not be stored: {error}");
            for command in batch {
                command.answer(Err(error.clone()));
            }
        }
    }
}

/// Why a transaction was rolled back.
enum Undone {
    /// A command had written before it refused. That is rare: commands look before they write.
    Refused,
    Failed(StoreError),
}

impl From<StoreError> for Undone {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

fn transaction(desk: &mut Desk, batch: &mut [Box<dyn Command>]) -> Result<Hints, Undone> {
    desk.begin_batch()?;
    let outcome = batch
        .iter_mut()
        .try_for_each(|command| run(desk, command.as_mut()));
    match outcome.and_then(|()| Ok(desk.commit_batch()?)) {
        Ok(hints) => Ok(hints),
        Err(cause) => {
            desk.abandon_batch()?;
            Err(cause)
        }
    }
}

fn run(desk: &mut Desk, command: &mut dyn Command) -> Result<(), Undone> {
    let mark = desk.begin_command();
    let keep = command.run(desk)?;
    // Disk full rolls the whole transaction back by itself, and the next statement would commit alone.
    if desk.connection().is_autocommit() {
        return Err(StoreError::damaged("SQLite gave up the transaction").into());
    }
    if !keep && desk.has_written_since(mark) {
        return Err(Undone::Refused);
    }
    Ok(())
}

/// How an open file is set up for the writer: WAL, every commit synced. The log is overwritten once it
/// has grown to its 64 MB, and never truncated: an overwrite is synced in half the time of a growing file.
pub(super) fn set_up(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "OFF")?;
    connection.pragma_update(None, "trusted_schema", "OFF")?;
    connection.pragma_update(None, "cache_size", -16_384)?;
    connection.pragma_update(None, "wal_autocheckpoint", 16_000)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

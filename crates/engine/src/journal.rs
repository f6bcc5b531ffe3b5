//! The replica on this device: one writer, a few readers, all off the async threads.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use countersign_domain::{people::People, wire::JournalPage};
use countersign_replica::{
    Applied, ApplyError, Key, Log, OpenError, ReadError, Reader, Replica, SignedHead, StorageError,
};
use tokio::sync::mpsc;

use crate::unpack::unpack;

/// Read connections that are kept for the next reader.
const KEPT_READERS: usize = 4;

/// The tenant's journal as this device has it.
#[derive(Clone)]
pub(crate) struct Journal {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    key: Key,
    /// `None` until it is used, after its file was replaced.
    writer: Mutex<Option<Replica>>,
    /// Held by whoever reads. Taken before the file's name is given to another file, or to none, and never before the writer.
    readers: RwLock<Readers>,
    people: Mutex<Option<Arc<People>>>,
    /// How many entries there are, once somebody has asked.
    size: Mutex<Option<u64>>,
    /// A read has found that what is stored contradicts itself.
    suspect: AtomicBool,
}

#[derive(Default)]
struct Readers {
    /// Connections that nobody reads with.
    kept: Mutex<Vec<Reader>>,
    /// For good: nothing opens another one.
    closed: bool,
}

/// The replica does not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JournalError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Apply(#[from] ApplyError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("a thread of the database has stopped")]
    Thread,
    /// Whoever was here has left, and what was still to be done is left alone.
    #[error("the journal on this device is closed")]
    Closed,
}

impl From<StorageError> for JournalError {
    fn from(error: StorageError) -> Self {
        Self::Read(error.into())
    }
}

impl JournalError {
    /// Whether it was the database that failed, and not what was asked of it.
    fn is_of_the_file(&self) -> bool {
        match self {
            Self::Read(ReadError::Storage(_)) | Self::Apply(ApplyError::Storage(_)) | Self::Open(_) => true,
            Self::Read(_) | Self::Apply(_) | Self::Thread | Self::Closed => false,
        }
    }

    /// Whether what is stored contradicts itself or cannot be read back: only fetching everything again helps.
    pub(crate) fn needs_rebuild(&self) -> bool {
        match self {
            Self::Read(ReadError::Tampered { .. } | ReadError::Root | ReadError::Projection(_)) => true,
            Self::Read(ReadError::Storage(error))
            | Self::Apply(ApplyError::Storage(error))
            | Self::Open(OpenError::Storage(error)) => error.is_damage(),
            Self::Apply(_) | Self::Open(_) | Self::Thread | Self::Closed => false,
        }
    }
}

impl Journal {
    /// Opens the replica. One that cannot be read is made anew: everything in it can be fetched again. One from a newer
    /// version is left alone.
    pub(crate) fn open(path: PathBuf, key: Key) -> Result<Self, OpenError> {
        // It is not encrypted, and a crash may have left it.
        remove(&snapshot(&path))?;
        let replica = match Replica::open(&path, Some(&key)) {
            Err(error) if is_unreadable(&error) => {
                tracing::warn!("The copy of the journal on this device cannot be read; it is fetched again.");
                remove(&path)?;
                Replica::open(&path, Some(&key))?
            }
            other => other?,
        };
        let inner = Inner {
            path,
            key,
            writer: Mutex::new(Some(replica)),
            readers: RwLock::default(),
            people: Mutex::default(),
            size: Mutex::default(),
            suspect: AtomicBool::new(false),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Reads something.
    pub(crate) async fn read<T, F>(&self, read: F) -> Result<T, JournalError>
    where
        T: Send + 'static,
        F: FnOnce(&Reader) -> Result<T, JournalError> + Send + 'static,
    {
        let inner = Arc::clone(&self.inner);
        blocking(move || inner.read(read)).await
    }

    /// Takes the page that comes next.
    pub(crate) async fn apply(&self, page: JournalPage, log: Log) -> Result<Applied, JournalError> {
        let inner = Arc::clone(&self.inner);
        blocking(move || {
            let mut writer = lock(&inner.writer);
            let applied = inner.open(&mut writer)?.apply(&page, &log);
            let applied = inner.suspect(applied.map_err(JournalError::from));
            if applied.as_ref().is_err_and(JournalError::is_of_the_file) {
                // SQLCipher reads nothing more over a connection that has failed to read. Whatever of the page is in the file
                // is there whole, with the place that it goes on from.
                *writer = None;
            }
            let applied = applied?;
            if applied.people {
                *lock(&inner.people) = None;
            }
            *lock(&inner.size) = Some(applied.size);
            Ok(applied)
        })
        .await
    }

    /// How many entries there are.
    pub(crate) async fn size(&self) -> Result<u64, JournalError> {
        if let Some(size) = *lock(&self.inner.size) {
            return Ok(size);
        }
        let inner = Arc::clone(&self.inner);
        blocking(move || {
            // Under the writer's lock, as with the people.
            let _writer = lock(&inner.writer);
            let size = inner.read(|reader| Ok(reader.head()?.map_or(0, |head| head.size)))?;
            *lock(&inner.size) = Some(size);
            Ok(size)
        })
        .await
    }

    /// Everyone and everything that belongs to the tenant, as this device knows it.
    pub(crate) async fn people(&self) -> Result<Arc<People>, JournalError> {
        if let Some(people) = lock(&self.inner.people).clone() {
            return Ok(people);
        }
        let inner = Arc::clone(&self.inner);
        blocking(move || {
            // Under the writer's lock: a page that changes people cannot come between the read and the cache.
            let _writer = lock(&inner.writer);
            let people = Arc::new(inner.read(|reader| Ok(reader.people()?))?);
            *lock(&inner.people) = Some(Arc::clone(&people));
            Ok(people)
        })
        .await
    }

    /// Unpacks a snapshot to where [`Self::start_from`] takes it from.
    pub(crate) async fn unpack(&self, pieces: mpsc::Receiver<Vec<u8>>) -> Result<(), JournalError> {
        let path = snapshot(&self.inner.path);
        blocking(move || {
            let unpacked = unpack(pieces, &path).map_err(StorageError::Io);
            if unpacked.is_err() {
                remove(&path)?;
            }
            Ok(unpacked?)
        })
        .await
    }

    /// Takes the place of an empty replica with the unpacked snapshot, which is treated as hostile until it is proved to
    /// be a part of the signed head. True when it was taken; whatever is wrong with it, the replica is as before. Until it
    /// is taken, the replica is free for others.
    pub(crate) async fn start_from(&self, log: Log, proof: JournalPage) -> Result<bool, JournalError> {
        let inner = Arc::clone(&self.inner);
        blocking(move || {
            let (plain, fresh) = (snapshot(&inner.path), inner.path.with_extension("fresh"));
            remove(&fresh)?;
            let head = SignedHead {
                checkpoint: &proof.checkpoint,
                consistency: &proof.consistency,
            };
            let taken = Replica::from_snapshot(&plain, &fresh, Some(&inner.key), &log, head);
            remove(&plain)?;
            match taken {
                Ok(replica) => {
                    drop(replica);
                    inner.replace(&mut lock(&inner.writer), Some(&fresh))?;
                    Ok(true)
                }
                Err(error) => {
                    tracing::warn!("The tenant's snapshot was not taken: {error}");
                    Ok(false)
                }
            }
        })
        .await
    }

    /// Whether a read has found that what is stored contradicts itself.
    pub(crate) fn is_suspect(&self) -> bool {
        self.inner.suspect.load(Ordering::SeqCst)
    }

    /// Puts right what contradicts itself. True when everything has to be fetched again.
    pub(crate) async fn heal(&self) -> Result<bool, JournalError> {
        tracing::warn!("The copy of the journal contradicts itself; it is folded again.");
        let inner = Arc::clone(&self.inner);
        let folded = blocking(move || {
            let mut writer = lock(&inner.writer);
            *lock(&inner.people) = None;
            // What failed may have been the connection, and not the file.
            *writer = None;
            inner.open(&mut writer)?.rebuild()?;
            // Folding again mends what is folded, and nothing of the entries themselves.
            inner.read(|reader| Ok(reader.verify_all()?))?;
            Ok(())
        })
        .await;
        if let Err(error) = &folded {
            tracing::warn!("The copy of the journal is fetched again: {error}");
            self.start_over().await?;
        }
        self.inner.suspect.store(false, Ordering::SeqCst);
        Ok(folded.is_err())
    }

    /// Drops everything that is here; the next pull begins at the first entry.
    pub(crate) async fn start_over(&self) -> Result<(), JournalError> {
        let inner = Arc::clone(&self.inner);
        blocking(move || {
            inner.replace(&mut lock(&inner.writer), None)?;
            Ok(())
        })
        .await
    }

    /// Closes the file. What is under way comes to its end first; what comes after is refused. The file is nobody's when this
    /// answers, however many handles there are.
    pub(crate) async fn close(&self) {
        let inner = Arc::clone(&self.inner);
        let closed = blocking(move || {
            let mut writer = lock(&inner.writer);
            let mut readers = inner.readers.write().unwrap_or_else(PoisonError::into_inner);
            readers.closed = true;
            lock(&readers.kept).clear();
            *writer = None;
            Ok(())
        });
        if let Err(error) = closed.await {
            tracing::warn!("The journal on this device could not be closed: {error}");
        }
    }
}

impl Inner {
    /// The writer, opened if it is not.
    fn open<'a>(&self, writer: &'a mut Option<Replica>) -> Result<&'a mut Replica, JournalError> {
        match writer {
            Some(replica) => Ok(replica),
            _ if self.readers.read().unwrap_or_else(PoisonError::into_inner).closed => {
                Err(JournalError::Closed)
            }
            none => Ok(none.insert(Replica::open(&self.path, Some(&self.key))?)),
        }
    }

    /// Puts another file in the place of this one, or nothing.
    fn replace(&self, writer: &mut Option<Replica>, with: Option<&Path>) -> Result<(), JournalError> {
        {
            // Nobody reads or opens the file meanwhile.
            let readers = self.readers.write().unwrap_or_else(PoisonError::into_inner);
            if readers.closed {
                return Err(JournalError::Closed);
            }
            // Before the names are used again: SQLite removes side files by their names when it closes.
            *writer = None;
            lock(&readers.kept).clear();
            *lock(&self.people) = None;
            *lock(&self.size) = None;
            remove(&self.path)?;
            if let Some(path) = with {
                std::fs::rename(path, &self.path).map_err(StorageError::Io)?;
            }
        }
        self.open(writer)?;
        Ok(())
    }

    fn read<T>(&self, read: impl FnOnce(&Reader) -> Result<T, JournalError>) -> Result<T, JournalError> {
        let readers = self.readers.read().unwrap_or_else(PoisonError::into_inner);
        if readers.closed {
            return Err(JournalError::Closed);
        }
        let kept = lock(&readers.kept).pop();
        let reader = match kept {
            Some(reader) => reader,
            None => Reader::open(&self.path, Some(&self.key))?,
        };
        // One that has failed is closed: SQLCipher reads nothing more over it.
        let answer = self.suspect(read(&reader))?;
        let mut kept = lock(&readers.kept);
        if kept.len() < KEPT_READERS {
            kept.push(reader);
        }
        Ok(answer)
    }
}

impl Inner {
    /// Notes that what is here is not to be trusted, where that is why something failed.
    fn suspect<T>(&self, answer: Result<T, JournalError>) -> Result<T, JournalError> {
        if answer.as_ref().is_err_and(JournalError::needs_rebuild) {
            self.suspect.store(true, Ordering::SeqCst);
        }
        answer
    }
}

/// Whether nothing of the file can be used.
fn is_unreadable(error: &OpenError) -> bool {
    match error {
        OpenError::WrongKey | OpenError::NotAReplica => true,
        OpenError::Storage(error) => error.is_damage(),
        OpenError::Newer { .. } => false,
    }
}

impl core::fmt::Debug for Journal {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Journal")
    }
}

async fn blocking<T, F>(work: F) -> Result<T, JournalError>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, JournalError> + Send + 'static,
{
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| JournalError::Thread)?
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where a replica's snapshot is kept while it comes.
fn snapshot(replica: &Path) -> PathBuf {
    replica.with_extension("snapshot")
}

fn remove(path: &Path) -> Result<(), OpenError> {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        match std::fs::remove_file(PathBuf::from(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(OpenError::Storage(StorageError::Io(error)));
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

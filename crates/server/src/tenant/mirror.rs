//! The tenant's snapshot for fresh devices: a replica of its own journal, kept beside it and rebuilt when in doubt.
//!
//! Everything in the mirror is derived from the journal, so a damaged one is deleted and made again.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use countersign_domain::{record::Mode, wire::JournalPage};
use countersign_faults::{Point, crash_point};
use countersign_replica::{Log, Replica};

use super::{Sight, Tenant, writer::StoreError};

/// How many entries a snapshot may lag behind the head: what follows it comes as journal pages.
const LAG: u64 = if cfg!(test) { 20 } else { 2_000 };

/// From how many entries on it is kept ready: below, a fresh device pulls pages as fast.
const WORTH: u64 = if cfg!(test) { 40 } else { 5_000 };

/// How long nothing has to happen before it is made ready, and how often is looked.
const QUIET: Duration = if cfg!(test) {
    Duration::from_millis(50)
} else {
    Duration::from_secs(10)
};

/// A tenant without a quiet moment gets it made ready after so many looks.
const LOOKS: u32 = 30;

/// Entries that the mirror takes at once.
const PAGE: u32 = 5_000;

/// Fast, and three times smaller than the file (performance.md §1).
const COMPRESSION: i32 = 3;

/// Keeps the snapshot of a company's tenant ready until the task is dropped, so that a new desktop does not wait while
/// the whole journal is folded. The tenant of one computer has its one desktop.
pub(crate) async fn keep_ready(tenant: Tenant) {
    let (mut before, mut busy) = (0, 0);
    loop {
        tokio::time::sleep(QUIET).await;
        let size = tenant.head().size;
        let quiet = std::mem::replace(&mut before, size) == size;
        busy = if quiet { 0 } else { busy + 1 };
        if (!quiet && busy < LOOKS) || size < WORTH || tenant.people().mode() != Mode::Company {
            continue;
        }
        busy = 0;
        if let Err(error) = tenant.snapshot().await {
            tracing::warn!(tenant = %tenant.id(), "A snapshot could not be made ready: {error}");
        }
    }
}

impl Tenant {
    /// A compressed snapshot (zstd) of the whole replica, at most `LAG` entries old, and how many entries it has. The file
    /// is replaced, never changed: who has it open reads it to its end.
    ///
    /// # Errors
    /// When the store or the disk fails.
    pub async fn snapshot(&self) -> Result<(PathBuf, u64), StoreError> {
        let mut made_at = self.inner.mirror.lock().await;
        let file = self.inner.path.with_file_name("snapshot.zst");
        let head = self.head().size;
        if let Some(size) = *made_at
            && head - size < LAG
            && file.exists()
        {
            return Ok((file, size));
        }
        let path = self.inner.path.with_file_name("mirror.db");
        let replica = match self.catch_up(&path).await {
            Ok(replica) => replica,
            Err(error) => {
                tracing::warn!("A tenant's mirror is made again: {error}");
                remove(&path)?;
                self.catch_up(&path).await?
            }
        };
        let target = file.clone();
        let size = run(move || build(&replica, &target)).await?;
        *made_at = Some(size);
        Ok((file, size))
    }

    /// Throws the snapshot away, with the mirror that it is made of: the next one is made of what is in the journal then.
    pub(super) async fn drop_snapshot(&self) -> Result<(), StoreError> {
        let mut made_at = self.inner.mirror.lock().await;
        *made_at = None;
        for file in ["snapshot.zst", "snapshot.part", "snapshot.plain", "mirror.db"] {
            remove(&self.inner.path.with_file_name(file))?;
        }
        Ok(())
    }

    /// Opens the mirror and brings it to the head.
    async fn catch_up(&self, path: &Path) -> Result<Replica, StoreError> {
        let (path, log) = (
            path.to_owned(),
            Log {
                tenant: self.id(),
                key: Some(self.inner.log_key.public_key()),
            },
        );
        let mut replica = run(move || Replica::open(&path, None).map_err(StoreError::damaged)).await?;
        let mut after = size(&replica)?;
        loop {
            let page: JournalPage = self.page(after, PAGE, Sight::All).await?;
            let (kept, applied) = run(move || {
                let applied = replica.apply(&page, &log).map_err(StoreError::damaged)?;
                Ok((replica, applied))
            })
            .await?;
            replica = kept;
            after = applied.size;
            if !applied.is_behind() {
                return Ok(replica);
            }
        }
    }
}

fn size(replica: &Replica) -> Result<u64, StoreError> {
    let reader = replica.reader().map_err(StoreError::damaged)?;
    Ok(reader
        .head()
        .map_err(StoreError::damaged)?
        .map_or(0, |head| head.size))
}

/// Writes the snapshot beside its place and then into it, and says how many entries it has.
fn build(replica: &Replica, target: &Path) -> Result<u64, StoreError> {
    let plain = target.with_extension("plain");
    let part = target.with_extension("part");
    remove(&plain)?;
    let reader = replica.reader().map_err(StoreError::damaged)?;
    reader.build_snapshot(&plain).map_err(StoreError::damaged)?;
    crash_point(Point::SnapshotBuilt);
    let mut source = fs::File::open(&plain).map_err(StoreError::damaged)?;
    let file = fs::File::create(&part).map_err(StoreError::damaged)?;
    let mut encoder = zstd::Encoder::new(file, COMPRESSION).map_err(StoreError::damaged)?;
    io::copy(&mut source, &mut encoder).map_err(StoreError::damaged)?;
    let mut file = encoder.finish().map_err(StoreError::damaged)?;
    file.flush().map_err(StoreError::damaged)?;
    fs::rename(&part, target).map_err(StoreError::damaged)?;
    crash_point(Point::SnapshotPacked);
    remove(&plain)?;
    size(replica)
}

fn remove(path: &Path) -> Result<(), StoreError> {
    for name in ["", "-wal", "-shm"] {
        let mut file = path.as_os_str().to_owned();
        file.push(name);
        match fs::remove_file(Path::new(&file)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(StoreError::damaged(error)),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

async fn run<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(StoreError::damaged)?
}

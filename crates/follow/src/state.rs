//! How far it got, in a folder of its own: one file that is replaced, never changed, and the evidence of alarms.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use countersign_domain::{
    Digest, UnixMillis,
    dsse::PublicKey,
    id::TenantId,
    journal::{Evidence, Follower, Frontier, Seen},
};
use serde::{Deserialize, Serialize};

use crate::Alarm;

/// The folder of one follower. It is this process's while it lives.
#[derive(Debug)]
pub struct State {
    folder: PathBuf,
    _lock: File,
}

/// The folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error("another process follows with this folder")]
    InUse,
    #[error("what is kept in {0} cannot be read: {1}")]
    Damaged(PathBuf, String),
    #[error(transparent)]
    Io(#[from] io::Error),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    tenant: TenantId,
    log_key: PublicKey,
    /// [`Frontier::to_bytes`] in hexadecimal.
    frontier: String,
    clock: UnixMillis,
    heads: Vec<KeptHead>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptHead {
    size: u64,
    root: Digest,
    note: String,
}

impl State {
    /// Takes the folder, and makes it if it is not there.
    ///
    /// # Errors
    /// When another process has it, or it cannot be written.
    pub fn open(folder: &Path) -> Result<Self, StateError> {
        fs::create_dir_all(folder)?;
        let lock = File::create(folder.join("lock"))?;
        lock.try_lock().map_err(|error| match error {
            fs::TryLockError::WouldBlock => StateError::InUse,
            fs::TryLockError::Error(error) => StateError::Io(error),
        })?;
        Ok(Self {
            folder: folder.to_owned(),
            _lock: lock,
        })
    }

    /// How far it got; `None` when it has not begun. What cannot be read is not begun again: that would forget what the
    /// log has signed.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn load(&self) -> Result<Option<Follower>, StateError> {
        let path = self.folder.join("state.json");
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let damaged = |why: String| StateError::Damaged(path.clone(), why);
        let kept: Kept = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        let frontier = hex::decode(&kept.frontier).map_err(|error| damaged(error.to_string()))?;
        Ok(Some(Follower {
            tenant: kept.tenant,
            log_key: kept.log_key,
            frontier: Frontier::from_bytes(&frontier).map_err(|error| damaged(error.to_string()))?,
            clock: kept.clock,
            heads: kept
                .heads
                .into_iter()
                .map(|KeptHead { size, root, note }| Seen { size, root, note })
                .collect(),
        }))
    }

    /// Keeps how far it got, durably.
    ///
    /// # Errors
    /// When it cannot be written. What was there before is there still.
    pub fn save(&self, follower: &Follower) -> Result<(), StateError> {
        let heads = follower.heads.iter().map(|Seen { size, root, note }| KeptHead {
            size: *size,
            root: *root,
            note: note.clone(),
        });
        let kept = Kept {
            tenant: follower.tenant,
            log_key: follower.log_key,
            frontier: hex::encode(follower.frontier.to_bytes()),
            clock: follower.clock,
            heads: heads.collect(),
        };
        let text = serde_json::to_string(&kept).map_err(io::Error::from)?;
        self.write("state.json", &text)?;
        Ok(())
    }

    /// Keeps both notes of an alarm, and says where. The same alarm again has the same file.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn keep_evidence(&self, tenant: TenantId, alarm: &Alarm) -> Result<PathBuf, StateError> {
        let evidence = Evidence {
            alarm: alarm.kind,
            problem: alarm.problem.clone(),
            tenant,
            ours: alarm.ours.clone(),
            theirs: alarm.theirs.clone(),
        };
        let text = evidence.to_json().map_err(io::Error::from)?;
        let name = format!(
            "evidence-{}-{}.json",
            alarm.kind.name(),
            &Digest::of(text.as_bytes()).to_string()[..12]
        );
        self.write(&name, &text)?;
        Ok(self.folder.join(name))
    }

    fn write(&self, name: &str, text: &str) -> Result<(), io::Error> {
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(self.folder.join(name))?;
        // The name is durable with its folder.
        File::open(&self.folder)?.sync_all()
    }
}

//! The journal taken away as a file, as the tenant exports it.
//!
//! - A file gets its name only when it is whole and on the disk: until then it is beside it, under a hidden name.
//! - Whoever stops waiting has stopped it: what came so far is removed. What a killed app has left goes with the next save
//!   into the same folder.

use std::{
    ffi::OsStr,
    fs::{self, File, TryLockError},
    io::{self, BufReader, Write as _},
    path::{Path, PathBuf},
};

use countersign_domain::bundle;
use tempfile::NamedTempFile;
use tokio::{sync::mpsc, task::spawn_blocking};

use crate::{
    Engine, EngineError, ErrorCode, LinkState,
    client::{CallError, Download},
    seat::Seat,
    views::Permission,
};

/// What a file is called that is not finished: these, and so many letters and digits between them.
const PREFIX: &str = ".countersign-";
const SUFFIX: &str = ".part";
const RANDOM: usize = 6;

/// How many pieces may wait for the disk.
const PIECES: usize = 16;

/// What a person takes away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Export {
    /// The bundle with everything in it.
    Whole,
    /// The bundle without what people and agents wrote.
    Redacted,
    /// Rows for a spreadsheet: a view, not evidence.
    Table,
}

/// A journal in a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SavedJournal {
    pub entries: u64,
    pub bytes: u64,
    /// The command that checks the file; `None` for what is no evidence.
    pub check: Option<String>,
}

impl Engine {
    /// Writes the journal into the file `to`, which is replaced at the end and not before. `so_far` hears how many bytes have
    /// come.
    ///
    /// # Errors
    /// When the tenant cannot be reached or says no, what came is not whole, or it cannot be written. Nothing is left then.
    pub async fn save_journal(
        &self,
        export: Export,
        to: &Path,
        so_far: impl Fn(u64),
    ) -> Result<SavedJournal, EngineError> {
        let (client, log_key) = {
            // Not held any longer: the file may take a while, and its person may leave meanwhile.
            let seat = self.seat()?;
            if seat.is_cut_off() {
                return Err(not_reached());
            }
            let people = seat.people().await?;
            let log_key = people.tenant.as_ref().map(|tenant| tenant.log_key);
            (seat.client.clone(), log_key)
        };
        let download = client.export(export.query()).await.map_err(not_begun)?;
        let entries = download.size;
        let (file, bytes) = fetch(download, to, so_far).await?;
        let named = to.to_owned();
        spawn_blocking(move || finish(file, &named, export))
            .await
            .map_err(EngineError::internal)??;
        let check = log_key
            .filter(|_| export.is_evidence())
            .map(|key| format!("countersign-verify {} --trust {key}", quoted(to)));
        Ok(SavedJournal {
            entries,
            bytes,
            check,
        })
    }
}

impl Export {
    /// Whether the file proves itself.
    pub const fn is_evidence(self) -> bool {
        match self {
            Self::Whole | Self::Redacted => true,
            Self::Table => false,
        }
    }

    const fn query(self) -> &'static str {
        match self {
            Self::Whole => "profile=full",
            Self::Redacted => "profile=redacted",
            Self::Table => "format=csv",
        }
    }
}

/// Whether this person may take the journal away, from here and at present.
pub(crate) async fn permission(seat: &Seat) -> Result<Permission, EngineError> {
    let role = seat.people().await?.role(seat.person());
    Ok(if !role.is_some_and(|role| role.exports()) {
        Permission::no("Owners, admins and auditors take the journal away.")
    } else if seat.link.borrow().state == LinkState::Offline {
        Permission::no("The tenant makes the file, and it cannot be reached.")
    } else {
        Permission::YES
    })
}

/// Everything that comes, in a file beside the one that it is for.
async fn fetch(
    mut download: Download,
    to: &Path,
    so_far: impl Fn(u64),
) -> Result<(NamedTempFile, u64), EngineError> {
    let (pieces, coming) = mpsc::channel(PIECES);
    let beside = to.to_owned();
    let writing = spawn_blocking(move || write(coming, &beside));
    let coming = async move {
        let mut bytes = 0;
        while let Some(piece) = download.next().await? {
            bytes += piece.len() as u64;
            // Nobody takes it once the disk has said no, which is the word that counts.
            if pieces.send(piece).await.is_err() {
                break;
            }
            so_far(bytes);
        }
        Ok::<_, CallError>(bytes)
    };
    let (came, written) = tokio::join!(coming, writing);
    let file = written.map_err(EngineError::internal)?.map_err(not_written)?;
    let bytes = came.map_err(broken_off)?;
    Ok((file, bytes))
}

/// Writes what comes, until no more does. The file goes with whoever drops it. Blocks.
fn write(mut pieces: mpsc::Receiver<Vec<u8>>, beside: &Path) -> io::Result<NamedTempFile> {
    let mut file = unfinished(beside)?;
    while let Some(piece) = pieces.blocking_recv() {
        file.write_all(&piece)?;
    }
    Ok(file)
}

/// A file without the name that it is for, which its owner alone can read. Whoever writes it has it locked, and the lock goes
/// with them, however they end: so what a killed app has left is told from what another one writes, and goes here.
pub(crate) fn unfinished(beside: &Path) -> io::Result<NamedTempFile> {
    let folder = folder(beside);
    remove_left_over(&folder);
    loop {
        let file = tempfile::Builder::new()
            .prefix(PREFIX)
            .rand_bytes(RANDOM)
            .suffix(SUFFIX)
            .tempfile_in(&folder)?;
        match file.as_file().try_lock() {
            Ok(()) if file.path().exists() => return Ok(file),
            // Another one that looks through the folder was quicker, and has taken it for left over.
            Ok(()) | Err(TryLockError::WouldBlock) => (),
            // Where files cannot be locked nobody can, so that nothing is removed there.
            Err(TryLockError::Error(_)) => return Ok(file),
        }
    }
}

/// Removes what nobody writes any more. What cannot be looked at is somebody else's, and stays.
fn remove_left_over(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let unfinished = entries.filter(|entry| {
        is_unfinished(&entry.file_name()) && entry.file_type().is_ok_and(|kind| kind.is_file())
    });
    for entry in unfinished {
        let Ok(file) = File::open(entry.path()) else {
            continue;
        };
        if file.try_lock().is_ok() && fs::remove_file(entry.path()).is_ok() {
            tracing::info!("A file that a killed app had not finished was removed.");
        }
    }
}

/// Whether the name is one that [`unfinished`] gives.
fn is_unfinished(name: &OsStr) -> bool {
    let name = name
        .to_str()
        .and_then(|name| name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX));
    name.is_some_and(|random| {
        random.len() == RANDOM && random.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

/// Looks whether it is whole, and gives it its name. Blocks.
fn finish(file: NamedTempFile, to: &Path, export: Export) -> Result<(), EngineError> {
    if export.is_evidence() {
        let lines = BufReader::new(file.reopen().map_err(not_written)?);
        let whole = is_whole(lines).map_err(not_written)?;
        if !whole {
            return Err(EngineError::refused(
                "What the tenant sent is not a whole journal. Nothing was saved.",
            ));
        }
    }
    name(file, to).map_err(not_written)
}

/// Whether a bundle ends as it began and every byte of it is accounted for. Who signed what is for `countersign-verify`.
fn is_whole(bundle: impl io::BufRead) -> io::Result<bool> {
    bundle::read(bundle, |_, _| Ok(())).map(|read| {
        read.unwrap_or_else(|fault| {
            tracing::warn!("An exported journal is not in order: {}", fault.problem);
            false
        })
    })
}

/// On the disk first, then under its name, and the name on the disk.
pub(crate) fn name(file: NamedTempFile, to: &Path) -> io::Result<()> {
    file.as_file().sync_all()?;
    file.persist(to)?;
    File::open(folder(to))?.sync_all()
}

fn folder(of: &Path) -> PathBuf {
    match of.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        Some(_) | None => PathBuf::from("."),
    }
}

/// As a shell reads it as one word.
fn quoted(path: &Path) -> String {
    let path = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if path.chars().all(plain) {
        path
    } else {
        format!("'{}'", path.replace('\'', r"'\''"))
    }
}

fn not_reached() -> EngineError {
    EngineError::new(
        ErrorCode::Offline,
        "The tenant makes the file, and it cannot be reached. Nothing was saved.",
    )
}

fn not_begun(error: CallError) -> EngineError {
    match error {
        CallError::Transport(cause) => {
            tracing::info!("The journal was not exported: {cause}");
            not_reached()
        }
        CallError::Busy { .. } | CallError::SignIn | CallError::Refused { .. } | CallError::Protocol(_) => {
            error.into()
        }
    }
}

fn broken_off(error: CallError) -> EngineError {
    tracing::info!("The journal's export broke off: {error:?}");
    EngineError::new(
        ErrorCode::Offline,
        "The connection broke off before everything was here. Nothing was saved; save it again.",
    )
}

pub(crate) fn not_written(error: io::Error) -> EngineError {
    use io::ErrorKind as Kind;
    tracing::warn!("A file was not written: {error}");
    let one_of = |kinds: &[Kind]| kinds.contains(&error.kind());
    EngineError::refused(
        if one_of(&[Kind::StorageFull, Kind::QuotaExceeded, Kind::FileTooLarge]) {
            "There is no room for it there. Nothing was saved; make room, or choose another place.".to_owned()
        } else if one_of(&[Kind::PermissionDenied, Kind::ReadOnlyFilesystem]) {
            "Nothing may be written there. Nothing was saved; choose another place.".to_owned()
        } else if one_of(&[Kind::NotFound, Kind::NotADirectory]) {
            "That folder is not there. Nothing was saved; choose another place.".to_owned()
        } else {
            format!("It could not be written there: {error}. Nothing was saved.")
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_and_a_closed_folder_are_told_by_their_names() {
        for (kind, told) in [
            (io::ErrorKind::StorageFull, "no room"),
            (io::ErrorKind::QuotaExceeded, "no room"),
            (io::ErrorKind::ReadOnlyFilesystem, "may be written"),
            (io::ErrorKind::NotFound, "is not there"),
            (io::ErrorKind::BrokenPipe, "could not be written"),
        ] {
            let error = not_written(kind.into());
            assert!(error.message.contains(told), "{kind}: {error}");
            assert!(
                error.message.contains("Nothing was saved"),
                "what was kept is said: {error}"
            );
        }
    }

    #[test]
    fn a_path_is_one_word_to_a_shell() {
        for (path, word) in [
            ("/home/ada/journal.bundle", "/home/ada/journal.bundle"),
            ("/home/ada/My files/a.bundle", "'/home/ada/My files/a.bundle'"),
            ("/tmp/it's; rm", r"'/tmp/it'\''s; rm'"),
        ] {
            assert_eq!(quoted(Path::new(path)), word);
        }
    }

    #[test]
    fn what_is_not_finished_goes_with_whoever_drops_it() {
        let folder = tempfile::tempdir().unwrap();
        let (pieces, coming) = mpsc::channel(1);
        pieces.try_send(b"the beginning".to_vec()).unwrap();
        drop(pieces);
        let file = write(coming, &folder.path().join("journal.bundle")).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "it is beside");
        drop(file);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "and gone");
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn what_a_killed_app_has_left_goes_with_the_next_save_and_nothing_else_does() {
        let folder = tempfile::tempdir().unwrap();
        let (at, to) = (folder.path(), folder.path().join("journal.bundle"));
        let others = [
            ".countersign-notes.part",
            ".countersign-4_chap.part",
            "thesis.part",
        ];
        for name in others {
            fs::write(at.join(name), "years of work").unwrap();
        }
        fs::create_dir(at.join(".countersign-folder.part")).unwrap();
        std::os::unix::fs::symlink(at.join("thesis.part"), at.join(".countersign-symbol.part")).unwrap();
        let running = unfinished(&to).unwrap();
        // Killed: its lock has gone with it, and the file has not.
        let (file, left) = unfinished(&to).unwrap().keep().unwrap();
        drop(file);
        assert!(left.exists());

        drop(unfinished(&to).unwrap());
        assert!(!left.exists());
        name(running, &to).unwrap();
        let kept = [
            ".countersign-folder.part",
            ".countersign-symbol.part",
            "journal.bundle",
        ];
        let mut expected: Vec<_> = others.into_iter().chain(kept).collect();
        expected.sort_unstable();
        assert_eq!(names(at), expected);
    }

    #[test]
    fn many_who_save_into_one_folder_at_once_never_take_each_others_file_for_left_over() {
        let folder = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for person in 0..4 {
                let folder = folder.path();
                scope.spawn(move || {
                    for number in 0..100 {
                        let to = folder.join(format!("{person}-{number}.bundle"));
                        let mut file = unfinished(&to).unwrap();
                        file.write_all(to.as_os_str().as_encoded_bytes()).unwrap();
                        file.persist(&to).unwrap();
                    }
                });
            }
        });
        let names = names(folder.path());
        assert_eq!(names.len(), 400, "each has got its name");
        assert!(
            names.iter().all(|name| !name.starts_with('.')),
            "and nothing is left"
        );
    }
}

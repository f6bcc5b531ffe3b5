//! What the app says of itself: on standard error, and in a file beside its data, where a person finds it who started the
//! app from a menu.
//!
//! The file is bounded here: the appender that goes with `tracing` turns its files by the clock alone, and a fault that
//! repeats would fill the disk within the day.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, IsTerminal, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Mutex,
};

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::shell::private_folder;

const FOLDER: &str = "log";
const NAME: &str = "countersign.log";
/// The one before, whole.
const BEFORE: &str = "countersign.log.1";
/// Bytes of one file, of which there are two.
const LIMIT: u64 = 2 << 20;

/// Starts the log, and says where its file is. The app runs without one too, as where the disk is full.
pub(crate) fn start(data: &Path) -> Option<PathBuf> {
    let path = data.join(FOLDER).join(NAME);
    let opened = private_folder(data)
        .and_then(|()| private_folder(&data.join(FOLDER)))
        .and_then(|()| Bounded::open(path.clone(), LIMIT));
    let (file, cause) = match opened {
        Ok(file) => (Some(file), None),
        Err(error) => (None, Some(error)),
    };
    let filter = EnvFilter::try_from_env("COUNTERSIGN_LOG")
        .unwrap_or_else(|_| EnvFilter::new("info,zbus=warn,refinery_core=warn"));
    let to_file = file.map(|file| fmt::layer().with_ansi(false).with_writer(Mutex::new(file)));
    let to_stderr = fmt::layer()
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr);
    tracing_subscriber::registry()
        .with(filter)
        .with(to_stderr)
        .with(to_file)
        .init();
    tracing::info!("Countersign {} starts.", env!("CARGO_PKG_VERSION"));
    match cause {
        None => Some(path),
        Some(error) => {
            tracing::warn!("There is no log in {}: {error}", path.display());
            None
        }
    }
}

/// A file for its owner only that begins anew at `limit` bytes, with what it had under another name.
#[derive(Debug)]
struct Bounded {
    path: PathBuf,
    limit: u64,
    file: File,
    written: u64,
}

impl Bounded {
    fn open(path: PathBuf, limit: u64) -> io::Result<Self> {
        let file = append(&path)?;
        let written = file.metadata()?.len();
        Ok(Self {
            path,
            limit,
            file,
            written,
        })
    }
}

impl Write for Bounded {
    /// A line is whole in one file.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.written >= self.limit {
            fs::rename(&self.path, self.path.with_file_name(BEFORE))?;
            self.file = append(&self.path)?;
            self.written = 0;
        }
        self.file.write_all(line)?;
        self.written += line.len() as u64;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_log_keeps_what_is_newest_and_never_grows_beyond_two_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        let mut log = Bounded::open(path.clone(), 100).unwrap();
        for number in 0..1_000 {
            writeln!(log, "line {number}").unwrap();
        }
        let names: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert_eq!(names.len(), 2, "the file and the one before: {names:?}");
        for name in names {
            let kept = fs::metadata(&name).unwrap();
            assert!(kept.len() < 120, "{} has {} bytes", name.display(), kept.len());
            assert_eq!(
                kept.permissions().mode() & 0o777,
                0o600,
                "nobody else reads {}",
                name.display()
            );
        }
        let before = fs::read_to_string(folder.path().join(BEFORE)).unwrap();
        let newest = before + &fs::read_to_string(&path).unwrap();
        assert!(newest.ends_with("line 998\nline 999\n"), "{newest}");
        drop(log);
        let again = Bounded::open(path.clone(), 100).unwrap();
        assert_eq!(
            again.written,
            fs::metadata(&path).unwrap().len(),
            "the next start goes on where the last one ended"
        );
    }
}

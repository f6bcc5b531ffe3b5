//! What the end-to-end suites stand on: a private desktop without a screen, real peers on it, and a company whose programs
//! can be killed.
//!
//! Everything here starts real programs (Xvfb, a session bus, gnome-keyring, dunst, a mail server, Countersign's own) and
//! ends each by its process id. Nothing here links Tauri: the suites bring it together with the rest.

pub mod company;
pub mod desktop;
pub mod faults;
pub mod notifications;
mod process;
pub mod provider;
pub mod smtp;
pub mod tray;
pub mod webdriver;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// A binary of this workspace, from the folder that Cargo built this program into, a test or a benchmark. `make` builds
/// them first.
pub fn workspace_binary(name: &str) -> Result<PathBuf> {
    let this = std::env::current_exe().context("a program knows its own path")?;
    let beside = this.parent().context("a program is in a folder")?;
    // Of a test it is target/<profile>/deps.
    let folder = if beside.ends_with("deps") {
        beside.parent().context("deps is in target/<profile>")?
    } else {
        beside
    };
    let binary = folder.join(name);
    if !binary.is_file() {
        bail!(
            "{} is not there: `cargo build --workspace --bins` builds it",
            binary.display()
        );
    }
    Ok(binary)
}

/// The root of the repository.
pub fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Asks `probe` every 25 ms until it has an answer; fails with `what` after `limit`.
pub async fn eventually<T, F>(what: &str, limit: Duration, mut probe: F) -> Result<T>
where
    F: AsyncFnMut() -> Result<Option<T>>,
{
    let from = Instant::now();
    loop {
        if let Some(answer) = probe().await? {
            return Ok(answer);
        }
        if from.elapsed() > limit {
            bail!("{what}: not within {} s", limit.as_secs());
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

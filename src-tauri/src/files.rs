//! What a person saves in a place of their choice.

use std::path::PathBuf;

use countersign_engine::ports::{Clock as _, SystemClock};
use rfd::AsyncFileDialog;
use tokio::sync::{Notify, watch};

use crate::{
    error::CommandError,
    shell::Shell,
    view::journal::{JournalCopy, SavedJournal},
};

/// A journal on its way into a file: one at a time.
#[derive(Debug, Default)]
pub(crate) struct Saving {
    progress: watch::Sender<Progress>,
    stop: Notify,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Progress {
    #[default]
    Idle,
    /// The person is asked where.
    Asking,
    /// So many bytes are here.
    Coming(u64),
}

/// Held while a journal is being saved.
struct Turn<'a>(&'a Saving);

impl Saving {
    fn begin(&self) -> Option<Turn<'_>> {
        let is_first = self.progress.send_if_modified(|progress| {
            let is_first = *progress == Progress::Idle;
            if is_first {
                *progress = Progress::Asking;
            }
            is_first
        });
        is_first.then_some(Turn(self))
    }

    /// How much has come, in words; `None` while nothing is on its way.
    pub(crate) fn so_far(&self) -> Option<String> {
        match *self.progress.borrow() {
            Progress::Idle | Progress::Asking => None,
            Progress::Coming(bytes) => Some(amount(bytes)),
        }
    }

    /// Ends what is under way. Nothing is left of it.
    pub(crate) fn stop(&self) {
        self.stop.notify_waiters();
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.progress.send_replace(Progress::Idle);
    }
}

impl Shell {
    /// Asks where, and saves the journal there; `None` when the person did not want to after all.
    pub(crate) async fn save_journal(&self, copy: JournalCopy) -> Result<Option<SavedJournal>, CommandError> {
        let engine = self.engine()?;
        // Before a place is asked for.
        if let Some(why) = self.app_state().await?.journal.save.why {
            return Err(CommandError::refused(why));
        }
        let _turn = self
            .saving
            .begin()
            .ok_or_else(|| CommandError::refused("The journal is being saved already."))?;
        let Some(place) = ask_where("Save the journal", &copy.file_name(&today())).await else {
            return Ok(None);
        };
        let so_far = |bytes| {
            self.saving.progress.send_replace(Progress::Coming(bytes));
        };
        so_far(0);
        tokio::select! {
            saved = engine.save_journal(copy.into(), &place, so_far) => Ok(Some(SavedJournal::new(saved?, &place))),
            () = self.saving.stop.notified() => Ok(None),
        }
    }

    /// Asks where, and saves both notes of a log that has shown two histories there; `None` when the person did not want to
    /// after all.
    pub(crate) async fn save_evidence(&self) -> Result<Option<String>, CommandError> {
        let engine = self.engine()?;
        // Before a place is asked for.
        if self.app_state().await?.journal.alarm.is_none() {
            return Err(CommandError::not_found());
        }
        let name = format!("countersign-evidence-{}.json", today());
        let Some(place) = ask_where("Save the evidence", &name).await else {
            return Ok(None);
        };
        engine.save_evidence(&place).await?;
        Ok(Some(place.display().to_string()))
    }
}

/// The system's own dialog, which asks before it names a file that is there already.
async fn ask_where(title: &str, name: &str) -> Option<PathBuf> {
    let dialog = AsyncFileDialog::new().set_title(title).set_file_name(name);
    let dialog = match std::env::home_dir() {
        Some(home) => dialog.set_directory(home),
        None => dialog,
    };
    let chosen = dialog.save_file().await?;
    Some(chosen.path().to_owned())
}

/// 2026-11-23
fn today() -> String {
    SystemClock.now().to_string().chars().take(10).collect()
}

/// As a file manager counts.
pub(crate) fn amount(bytes: u64) -> String {
    if bytes < 1_000_000 {
        return format!("{} kB", bytes.div_ceil(1_000));
    }
    let tenths = bytes / 100_000;
    format!("{}.{} MB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_journal_is_saved_at_a_time_and_the_next_when_it_is_over() {
        let saving = Saving::default();
        let turn = saving.begin().unwrap();
        assert_eq!(saving.so_far(), None, "the person is being asked where");
        saving.progress.send_replace(Progress::Coming(0));
        assert_eq!(saving.so_far().as_deref(), Some("0 kB"), "it is under way");
        assert!(saving.begin().is_none(), "a second one would ask for a place too");
        drop(turn);
        assert!(saving.begin().is_some());
    }

    #[test]
    fn an_amount_is_told_in_tenths_of_a_megabyte_and_a_small_one_in_kilobytes() {
        assert_eq!(amount(12_399_999), "12.3 MB");
        assert_eq!(amount(1_000_000), "1.0 MB");
        assert_eq!(amount(999_001), "1000 kB");
        assert_eq!(amount(1), "1 kB");
    }
}

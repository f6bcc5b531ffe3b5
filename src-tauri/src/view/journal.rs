//! The journal as a person takes it away.

use std::path::Path;

use countersign_engine::Export;
use serde::{Deserialize, Serialize};
use specta::Type;

use super::count;
use crate::files::amount;

/// What is saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum JournalCopy {
    Whole,
    /// Without what people and agents wrote.
    Redacted,
    /// For a spreadsheet; not evidence.
    Table,
}

/// A journal in a file.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct SavedJournal {
    pub path: String,
    /// Entries.
    pub entries: u32,
    /// Such as "12.4 MB".
    pub amount: String,
    /// The command that checks it; null for what is no evidence.
    pub check: Option<String>,
}

impl JournalCopy {
    pub(crate) fn file_name(self, day: &str) -> String {
        match self {
            Self::Whole => format!("journal-{day}.bundle"),
            Self::Redacted => format!("journal-redacted-{day}.bundle"),
            Self::Table => format!("journal-table-not-evidence-{day}.csv"),
        }
    }
}

impl From<JournalCopy> for Export {
    fn from(copy: JournalCopy) -> Self {
        match copy {
            JournalCopy::Whole => Self::Whole,
            JournalCopy::Redacted => Self::Redacted,
            JournalCopy::Table => Self::Table,
        }
    }
}

impl SavedJournal {
    pub(crate) fn new(saved: countersign_engine::SavedJournal, path: &Path) -> Self {
        Self {
            path: path.display().to_string(),
            entries: count(saved.entries),
            amount: amount(saved.bytes),
            check: saved.check,
        }
    }
}

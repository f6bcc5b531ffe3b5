//! What a shell shows: plain values with every word in them, so that a page holds no rule.

pub mod app;
pub mod card;
pub mod connections;
pub mod inbox;
pub mod lineage;
pub mod people;
pub mod questions;
pub mod radar;
pub mod requests;
pub mod rules;
pub mod stops;

mod today;
mod trail;
mod words;

use countersign_domain::{
    UnixMillis,
    render::{flat, visible},
};

pub(crate) use words::{Words, view};

/// Words in which nothing hides or reorders, whoever wrote them.
pub(crate) fn plain(text: &str) -> String {
    flat(&visible(text))
}

/// Where a proposal stands for this person, in words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StateView {
    pub kind: StateKind,
    /// Such as "Saved on this device. Counts only if sent before 14:30".
    pub words: String,
    /// When it came to be so.
    pub at: Option<UnixMillis>,
    pub tone: Tone,
}

/// The state as a page tells states apart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum StateKind {
    Proposed,
    /// Decided on this device, and the server does not have it.
    Saved,
    /// The server has taken the decision; the journal here does not say so yet.
    Sent,
    /// This person's approval counts, and others are needed.
    Effective,
    /// Approved, and waiting so that it can be undone.
    Held,
    Pending,
    Running,
    Completed,
    Failed,
    Unknown,
    Rejected,
    Expired,
    Withdrawn,
    Superseded,
    Denied,
    /// This person's decision does not count.
    Refused,
}

/// How the words feel.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Tone {
    Neutral,
    Busy,
    Good,
    Bad,
    Warn,
}

/// Whether this person may do something, and why not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Permission {
    /// A sentence when not.
    pub why_not: Option<String>,
}

impl Permission {
    /// Allowed.
    pub const YES: Self = Self { why_not: None };

    /// Whether it is allowed.
    pub const fn is_allowed(&self) -> bool {
        self.why_not.is_none()
    }

    pub(crate) fn no(why: impl Into<String>) -> Self {
        Self {
            why_not: Some(why.into()),
        }
    }
}

//! What the page is given and what it gives back. Made here, generated for TypeScript by [`crate::bindings`].
//!
//! A view model carries everything that the page shows, down to the words: the page holds no rule. Numbers fit a
//! JavaScript number, so there is no 64-bit integer; times are RFC 3339.

pub mod app;
pub mod card;
pub mod connections;
pub mod inbox;
pub mod people;
pub mod requests;

use serde::{Deserialize, Serialize};
use specta::Type;

/// Untrusted text in pieces. `escape` is a visible stand-in for a character that hides or reorders, such as ⟦U+202E⟧.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Span {
    Text { text: String },
    Escape { text: String },
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum Risk {
    Low,
    Medium,
    High,
    Critical,
}

#[derive(Clone, Copy, Debug, Serialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    Neutral,
    Busy,
    Good,
    Bad,
    Warn,
}

#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct StateView {
    pub kind: StateKind,
    /// The state in words, such as "Saved on this device, counts only if sent before 14:30".
    pub words: String,
    /// RFC 3339: when it came to be so.
    pub at: Option<String>,
    pub tone: Tone,
}

#[derive(Clone, Copy, Debug, Serialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum StateKind {
    Proposed,
    Saved,
    Sent,
    Effective,
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
    Refused,
}

#[derive(Clone, Copy, Debug, Serialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum ProposerKind {
    Agent,
    User,
    System,
}

#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Permission {
    pub allowed: bool,
    /// A sentence, when not allowed.
    pub why: Option<String>,
}

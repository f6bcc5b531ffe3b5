//! What the page is given and what it gives back. Made here, generated for TypeScript by the module `bindings`.
//!
//! A view model carries everything that the page shows, down to the words: the page holds no rule. Numbers fit a
//! JavaScript number, so there is no 64-bit integer; times are RFC 3339.

pub mod app;
pub mod card;
pub mod connections;
pub mod edit;
pub mod inbox;
pub mod journal;
pub mod people;
pub mod radar;
pub mod requests;
pub mod rules;
pub mod setup;
pub mod stops;

mod preview;
mod render_card;
mod result;
mod through;

use countersign_domain::{UnixMillis, record, render};
use countersign_engine::views;
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

impl From<record::Risk> for Risk {
    fn from(risk: record::Risk) -> Self {
        match risk {
            record::Risk::Low => Self::Low,
            record::Risk::Medium => Self::Medium,
            record::Risk::High => Self::High,
            record::Risk::Critical => Self::Critical,
        }
    }
}

impl From<Risk> for record::Risk {
    fn from(risk: Risk) -> Self {
        match risk {
            Risk::Low => Self::Low,
            Risk::Medium => Self::Medium,
            Risk::High => Self::High,
            Risk::Critical => Self::Critical,
        }
    }
}

impl From<views::Tone> for Tone {
    fn from(tone: views::Tone) -> Self {
        match tone {
            views::Tone::Neutral => Self::Neutral,
            views::Tone::Busy => Self::Busy,
            views::Tone::Good => Self::Good,
            views::Tone::Bad => Self::Bad,
            views::Tone::Warn => Self::Warn,
        }
    }
}

impl From<views::StateView> for StateView {
    fn from(state: views::StateView) -> Self {
        Self {
            kind: state.kind.into(),
            words: state.words,
            at: state.at.map(time),
            tone: state.tone.into(),
        }
    }
}

impl From<views::StateKind> for StateKind {
    fn from(kind: views::StateKind) -> Self {
        match kind {
            views::StateKind::Proposed => Self::Proposed,
            views::StateKind::Saved => Self::Saved,
            views::StateKind::Sent => Self::Sent,
            views::StateKind::Effective => Self::Effective,
            views::StateKind::Held => Self::Held,
            views::StateKind::Pending => Self::Pending,
            views::StateKind::Running => Self::Running,
            views::StateKind::Completed => Self::Completed,
            views::StateKind::Failed => Self::Failed,
            views::StateKind::Unknown => Self::Unknown,
            views::StateKind::Rejected => Self::Rejected,
            views::StateKind::Expired => Self::Expired,
            views::StateKind::Withdrawn => Self::Withdrawn,
            views::StateKind::Superseded => Self::Superseded,
            views::StateKind::Denied => Self::Denied,
            views::StateKind::Refused => Self::Refused,
        }
    }
}

impl From<record::ProposerKind> for ProposerKind {
    fn from(kind: record::ProposerKind) -> Self {
        match kind {
            record::ProposerKind::Agent => Self::Agent,
            record::ProposerKind::User => Self::User,
            record::ProposerKind::System => Self::System,
        }
    }
}

impl From<views::Permission> for Permission {
    fn from(permission: views::Permission) -> Self {
        Self {
            allowed: permission.is_allowed(),
            why: permission.why_not,
        }
    }
}

/// Rendered text as it is.
pub(crate) fn spans(rendered: render::Spans) -> Vec<Span> {
    rendered
        .into_iter()
        .map(|span| match span {
            render::Span::Plain(text) => Span::Text { text },
            render::Span::Escape(code) => Span::Escape {
                text: format!("⟦{code}⟧"),
            },
        })
        .collect()
}

/// Text from outside, made harmless to look at; it may have several lines.
pub(crate) fn visible(text: &str) -> Vec<Span> {
    let mut pieces = Vec::new();
    for (number, line) in text.split('\n').enumerate() {
        if number > 0 {
            pieces.push(Span::Text {
                text: "\n".to_owned(),
            });
        }
        pieces.extend(spans(render::visible(line.strip_suffix('\r').unwrap_or(line))));
    }
    pieces
}

/// A line in which what would not be seen is visible already, as the journal's lists keep it.
pub(crate) fn line(text: &str) -> Vec<Span> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, escape, after)) = next_escape(rest) {
        pieces.extend(spans(render::visible(before)));
        pieces.push(Span::Escape {
            text: escape.to_owned(),
        });
        rest = after;
    }
    pieces.extend(spans(render::visible(rest)));
    pieces
}

/// The first `⟦U+…⟧`, with what stands before and after it.
fn next_escape(text: &str) -> Option<(&str, &str, &str)> {
    let from = text.find("⟦U+")?;
    let to = from + text[from..].find('⟧')? + '⟧'.len_utf8();
    Some((&text[..from], &text[from..to], &text[to..]))
}

pub(crate) fn time(at: UnixMillis) -> String {
    at.to_string()
}

/// Whole seconds until then; none once it has passed.
pub(crate) fn seconds_until(then: UnixMillis, now: UnixMillis) -> u32 {
    u32::try_from((then.since(now).0 / 1000).max(0)).unwrap_or(u32::MAX)
}

/// A count that a JavaScript number holds.
pub(crate) fn count(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

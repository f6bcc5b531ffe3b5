//! What a person asks for, and the tasks that were made.

use serde::Serialize;
use specta::Type;

use super::{Risk, Span, card::CardNode};

/// What a text would propose, shown while it is typed.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct DraftView {
    pub matched: bool,
    /// How to write it, when nothing matched.
    pub help: Option<String>,
    /// The forms that are understood.
    pub examples: Vec<String>,
    /// Null when nothing matched.
    pub draft: Option<Draft>,
}

#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Draft {
    pub tool: String,
    pub sentence: Vec<Span>,
    pub body: Vec<CardNode>,
    pub risk: Risk,
    pub decision: PolicyDecision,
    /// Why policy decides so, a sentence.
    pub reason: String,
}

#[derive(Clone, Copy, Debug, Serialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum PolicyDecision {
    Allow,
    Deny,
    RequiresApproval,
}

#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Submitted {
    pub id: String,
}

#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct TaskPage {
    pub rows: Vec<Task>,
    pub next: Option<String>,
}

#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    pub id: String,
    pub title: Vec<Span>,
    pub description: Option<Vec<Span>>,
    pub priority: TaskPriority,
    /// `YYYY-MM-DD`, or RFC 3339.
    pub due_date: Option<String>,
    /// RFC 3339.
    pub created_at: String,
    /// The proposal that made it.
    pub proposal_id: String,
}

#[derive(Clone, Copy, Debug, Serialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum TaskPriority {
    Low,
    Normal,
    High,
}

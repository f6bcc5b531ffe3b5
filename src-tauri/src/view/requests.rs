//! What a person asks for, and the tasks that were made.

use countersign_domain::record;
use countersign_engine::views::requests::{self, DraftOutcome};
use serde::Serialize;
use specta::Type;

use super::{Risk, Span, card::CardNode, edit::FieldProblem, render_card, spans, time, visible};

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
    /// What is wrong with the time.
    pub problem: Option<FieldProblem>,
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

impl From<requests::Draft> for DraftView {
    fn from(draft: requests::Draft) -> Self {
        let (help, understood) = match draft.outcome {
            DraftOutcome::NotUnderstood { help } => (Some(help), None),
            DraftOutcome::Refused { why, .. } => (Some(why), None),
            DraftOutcome::Understood(understood) => (None, Some(Draft::from(*understood))),
        };
        Self {
            matched: understood.is_some(),
            help,
            examples: draft.examples,
            draft: understood,
            problem: draft.problem.map(Into::into),
        }
    }
}

impl From<requests::Understood> for Draft {
    fn from(understood: requests::Understood) -> Self {
        Self {
            tool: understood.tool,
            sentence: spans(understood.view.sentence.clone()),
            body: render_card::body(understood.view),
            risk: understood.risk.into(),
            decision: match understood.decision {
                record::PolicyDecision::Allow => PolicyDecision::Allow,
                record::PolicyDecision::Deny => PolicyDecision::Deny,
                record::PolicyDecision::RequiresApproval => PolicyDecision::RequiresApproval,
            },
            reason: understood.reason,
        }
    }
}

impl From<requests::Tasks> for TaskPage {
    fn from(page: requests::Tasks) -> Self {
        let rows = page.tasks.into_iter().map(|task| Task {
            id: task.id.to_string(),
            title: visible(&task.title),
            description: task.description.as_deref().map(visible),
            priority: match task.priority {
                record::TaskPriority::Low => TaskPriority::Low,
                record::TaskPriority::Normal => TaskPriority::Normal,
                record::TaskPriority::High => TaskPriority::High,
            },
            due_date: task.due_date,
            created_at: time(task.created_at),
            proposal_id: task.proposal.to_string(),
        });
        Self {
            rows: rows.collect(),
            next: page.next,
        }
    }
}

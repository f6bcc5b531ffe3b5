//! What stands still, and what this person may do about it.

use countersign_domain::record;
use countersign_engine::views::stops;
use serde::{Deserialize, Serialize};
use specta::Type;

use super::{Permission, Span, card::Confirm, line, time};

/// What a stop covers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Scope {
    Tenant,
    Agent { id: String },
    Tool { id: String },
}

/// One stop, as the journal has it or as this device has signed it.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct StopRow {
    pub scope: Scope,
    /// Such as "Everything" or "What Bookkeeper proposes".
    pub what: String,
    /// Such as "Ana stopped it 12:04: mails go to everybody."
    pub words: String,
    /// RFC 3339.
    pub at: String,
    /// What had begun under it and is not over, oldest first.
    pub in_flight: Vec<InFlight>,
    pub release: Permission,
    /// What must be typed to release it; null when nothing.
    pub confirm: Option<Confirm>,
}

/// A call that had begun before it was stopped.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct InFlight {
    /// The proposal.
    pub id: String,
    pub sentence: Vec<Span>,
    /// RFC 3339.
    pub begun_at: String,
}

/// Something that can be stopped.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct StopChoice {
    pub scope: Scope,
    pub what: String,
}

impl From<stops::StopRow> for StopRow {
    fn from(row: stops::StopRow) -> Self {
        Self {
            scope: row.scope.into(),
            what: row.what,
            words: row.words,
            at: time(row.at),
            in_flight: row
                .in_flight
                .iter()
                .map(|call| InFlight {
                    id: call.id.to_string(),
                    sentence: line(&call.sentence),
                    begun_at: time(call.begun_at),
                })
                .collect(),
            release: row.release.into(),
            confirm: row.confirm.map(Into::into),
        }
    }
}

impl From<stops::StopChoice> for StopChoice {
    fn from(choice: stops::StopChoice) -> Self {
        Self {
            scope: choice.scope.into(),
            what: choice.what,
        }
    }
}

impl From<record::Scope> for Scope {
    fn from(scope: record::Scope) -> Self {
        match scope {
            record::Scope::Tenant => Self::Tenant,
            record::Scope::Agent(id) => Self::Agent { id: id.to_string() },
            record::Scope::Tool(id) => Self::Tool { id },
        }
    }
}

impl Scope {
    /// As the engine names it; `None` for what is no agent's id.
    pub(crate) fn named(self) -> Option<record::Scope> {
        Some(match self {
            Self::Tenant => record::Scope::Tenant,
            Self::Agent { id } => record::Scope::Agent(id.parse().ok()?),
            Self::Tool { id } => record::Scope::Tool(id),
        })
    }
}

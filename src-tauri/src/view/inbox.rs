//! The lists of proposals.

use countersign_domain::UnixMillis;
use countersign_engine::views::inbox;
use serde::{Deserialize, Serialize};
use specta::Type;

use super::{ProposerKind, Risk, Span, StateView, count, line, seconds_until, time, visible};

#[derive(Clone, Debug, Deserialize, Type)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InboxQuery {
    pub view: InboxView,
    pub search: Option<String>,
    pub risk: Option<Risk>,
    pub after: Option<String>,
    /// 1 to 200.
    pub limit: u32,
}

#[derive(Clone, Copy, Debug, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum InboxView {
    ToDecide,
    InProgress,
    Done,
}

#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct InboxPage {
    pub rows: Vec<InboxRow>,
    /// Cursor for the next page; null at the end.
    pub next: Option<String>,
    /// Rows in this view under this filter.
    pub total: u32,
    /// `total` is a floor: show "50+".
    pub capped: bool,
    /// Set when `rows` is empty and this is the first page.
    pub empty: Option<EmptyKind>,
    pub today: Today,
}

/// Which empty list this is. The three are told apart by the core.
#[derive(Clone, Copy, Debug, Serialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum EmptyKind {
    FirstRun,
    Zero,
    Filter,
}

/// Since midnight, local time.
#[derive(Clone, Copy, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Today {
    /// Approved by this person.
    pub approved: u32,
    /// Rejected by this person.
    pub rejected: u32,
    /// Allowed by policy without asking.
    pub automatic: u32,
}

#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct InboxRow {
    pub id: String,
    pub sentence: Vec<Span>,
    pub tool: String,
    pub risk: Risk,
    pub proposer: RowProposer,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub expires_at: String,
    /// Seconds until expiry when this was made.
    pub expires_in_seconds: u32,
    pub state: StateView,
    /// Whether this person can decide it.
    pub decidable: bool,
}

#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct RowProposer {
    pub kind: ProposerKind,
    pub name: Vec<Span>,
}

impl From<InboxQuery> for inbox::InboxQuery {
    fn from(query: InboxQuery) -> Self {
        Self {
            view: match query.view {
                InboxView::ToDecide => inbox::InboxView::ToDecide,
                InboxView::InProgress => inbox::InboxView::InProgress,
                InboxView::Done => inbox::InboxView::Done,
            },
            search: query.search,
            risk: query.risk.map(Into::into),
            after: query.after,
            limit: query.limit,
        }
    }
}

impl InboxPage {
    pub(crate) fn new(page: inbox::InboxPage, now: UnixMillis) -> Self {
        Self {
            rows: page.rows.into_iter().map(|row| InboxRow::new(row, now)).collect(),
            next: page.next,
            total: count(page.total),
            capped: page.capped,
            empty: page.empty.map(|empty| match empty {
                inbox::Empty::FirstRun => EmptyKind::FirstRun,
                inbox::Empty::Zero => EmptyKind::Zero,
                inbox::Empty::Filter => EmptyKind::Filter,
            }),
            today: Today {
                approved: page.today.approved,
                rejected: page.today.rejected,
                automatic: page.today.automatic,
            },
        }
    }
}

impl InboxRow {
    fn new(row: inbox::InboxRow, now: UnixMillis) -> Self {
        Self {
            id: row.id.to_string(),
            sentence: line(&row.sentence),
            tool: row.tool,
            risk: row.risk.into(),
            proposer: RowProposer {
                kind: row.proposer_kind.into(),
                name: visible(&row.proposer),
            },
            created_at: time(row.created_at),
            expires_at: time(row.expires_at),
            expires_in_seconds: seconds_until(row.expires_at, now),
            state: row.state.into(),
            decidable: row.decidable,
        }
    }
}

//! What is not over, and whose move it is.

use countersign_engine::views::radar;
use serde::Serialize;
use specta::Type;

use super::{Risk, Span, line, time};

/// Everything that is not over, what is due first ahead.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Radar {
    pub rows: Vec<RadarRow>,
    /// There is more than is looked at.
    pub capped: bool,
}

#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct RadarRow {
    pub id: String,
    pub sentence: Vec<Span>,
    pub risk: Risk,
    /// Such as "Waits for an answer of Billing bot".
    pub words: String,
    /// RFC 3339: from then on it has been theirs.
    pub since: String,
    /// RFC 3339: from then on it waits too long.
    pub due: String,
    pub overdue: bool,
    /// Where it is listed: to decide, else in progress.
    pub to_decide: bool,
}

impl From<radar::Radar> for Radar {
    fn from(radar: radar::Radar) -> Self {
        let rows = radar.rows.into_iter().map(|row| RadarRow {
            id: row.id.to_string(),
            sentence: line(&row.sentence),
            risk: row.risk.into(),
            words: row.words,
            since: time(row.since),
            due: time(row.due),
            overdue: row.overdue,
            to_decide: row.to_decide,
        });
        Self {
            rows: rows.collect(),
            capped: radar.capped,
        }
    }
}

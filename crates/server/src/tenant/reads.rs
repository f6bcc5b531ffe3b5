//! Reads over committed state: one proposal with its bodies, lists, tasks.

use std::collections::BTreeSet;

use countersign_domain::{
    Record, UnixMillis,
    fold::Status,
    id::{ProposalId, TaskId},
    record::{Preview, Proposal, Receipt, Risk, TaskPriority},
    wire::TaskSummary,
};
use rusqlite::{Connection, types::Value};

use super::{Tenant, entries, proposals, proposals::Stored, writer::StoreError};

/// A proposal with the bodies that the card and the detail view need.
#[derive(Clone, Debug)]
pub struct ProposalBodies {
    pub stored: Stored,
    pub proposal: Proposal,
    pub preview: Option<Preview>,
    pub receipt: Option<Receipt>,
}

/// The stored records on which a run stands.
#[derive(Clone, Debug)]
pub struct Evidence {
    pub stored: Stored,
    pub proposal: Record,
    /// Every standing decision.
    pub decisions: Vec<Record>,
}

/// Which proposals a list wants.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// As computed at the time of reading.
    pub status: Option<Status>,
    pub tool: Option<String>,
    pub risk: Option<Risk>,
    /// Words that all occur in its sentence; empty for all.
    pub words: Vec<String>,
    /// Only this actor's own.
    pub proposer: Option<String>,
    /// Only those created before this entry: the key of the page before.
    pub before: Option<u64>,
}

impl Tenant {
    /// One proposal's state.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn proposal(&self, id: ProposalId) -> Result<Option<Stored>, StoreError> {
        self.read(move |connection| proposals::find(connection, id)).await
    }

    /// One proposal with its bodies.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn proposal_bodies(&self, id: ProposalId) -> Result<Option<ProposalBodies>, StoreError> {
        self.read(move |connection| bodies(connection, id)).await
    }

    /// The record at `seq`.
    ///
    /// # Errors
    /// When the store fails or there is none.
    pub async fn record_at(&self, seq: u64) -> Result<Record, StoreError> {
        self.read(move |connection| entries::record_at(connection, seq).map(|(_, record)| record))
            .await
    }

    /// Proposals, newest first, at most `limit`.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn proposals(&self, filter: Filter, limit: u32) -> Result<Vec<Stored>, StoreError> {
        let now = self.now();
        self.read(move |connection| list(connection, &filter, limit, now))
            .await
    }

    /// Tasks made so far, newest first, before the given key, each with its own.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn tasks(
        &self,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<(u64, TaskSummary)>, StoreError> {
        self.read(move |connection| tasks(connection, before, limit))
            .await
    }

    /// Everyone whom this tenant has mailed before, in lower case.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn known_recipients(&self, among: Vec<String>) -> Result<BTreeSet<String>, StoreError> {
        self.read(move |connection| {
            let mut known = connection.prepare_cached("SELECT 1 FROM known_recipient WHERE address = ?1")?;
            let mut found = BTreeSet::new();
            for address in among {
                if known.exists([&address])? {
                    found.insert(address);
                }
            }
            Ok(found)
        })
        .await
    }
}

fn bodies(connection: &Connection, id: ProposalId) -> Result<Option<ProposalBodies>, StoreError> {
    let Some(stored) = proposals::find(connection, id)? else {
        return Ok(None);
    };
    let (_, record) = entries::record_at(connection, stored.state.created_seq)?;
    let body = |seq: Option<u64>| seq.map(|seq| entries::record_at(connection, seq)).transpose();
    let preview = body(stored.preview_seq)?
        .map(|(_, record)| record.body())
        .transpose();
    let receipt = body(stored.receipt_seq)?
        .map(|(_, record)| record.body())
        .transpose();
    Ok(Some(ProposalBodies {
        proposal: record.body().map_err(StoreError::damaged)?,
        preview: preview.map_err(StoreError::damaged)?,
        receipt: receipt.map_err(StoreError::damaged)?,
        stored,
    }))
}

pub(super) fn evidence(connection: &Connection, id: ProposalId) -> Result<Evidence, StoreError> {
    let stored = proposals::find(connection, id)?
        .ok_or_else(|| StoreError::damaged("a leased proposal is missing"))?;
    let (_, proposal) = entries::record_at(connection, stored.state.created_seq)?;
    let decisions = stored
        .state
        .standing()
        .map(|cast| entries::record_at(connection, cast.seq).map(|(_, record)| record))
        .collect::<Result<_, _>>()?;
    Ok(Evidence {
        stored,
        proposal,
        decisions,
    })
}

fn list(
    connection: &Connection,
    filter: &Filter,
    limit: u32,
    now: UnixMillis,
) -> Result<Vec<Stored>, StoreError> {
    let mut sql = format!("SELECT {} FROM proposal WHERE 1", proposals::COLUMNS);
    let mut values: Vec<Value> = Vec::new();
    let mut and = |clause: &str, value: Option<Value>| {
        sql.push_str(" AND ");
        sql.push_str(clause);
        values.extend(value);
    };
    match filter.status {
        // Whoever asks for what is open does not want what has run out, entry or no entry.
        Some(status @ (Status::Proposed | Status::Pending)) => {
            and("status = ?", Some(Value::Integer(status as i64)));
            and("expires_ms > ?", Some(Value::Integer(now.0)));
        }
        Some(Status::Expired) => {
            and(
                "(status = 8 OR (status IN (0, 1) AND expires_ms <= ?))",
                Some(Value::Integer(now.0)),
            );
        }
        Some(
            status @ (Status::Running
            | Status::Completed
            | Status::Failed
            | Status::Unknown
            | Status::Rejected
            | Status::Denied
            | Status::Withdrawn
            | Status::Superseded),
        ) => and("status = ?", Some(Value::Integer(status as i64))),
        None => {}
    }
    if let Some(tool) = &filter.tool {
        and("tool = ?", Some(Value::Text(tool.clone())));
    }
    if let Some(risk) = filter.risk {
        and("risk = ?", Some(Value::Integer(risk as i64)));
    }
    if let Some(proposer) = &filter.proposer {
        and("proposer = ?", Some(Value::Text(proposer.clone())));
    }
    for word in &filter.words {
        and(
            "instr(lower(sentence), ?) > 0",
            Some(Value::Text(word.to_lowercase())),
        );
    }
    if let Some(before) = filter.before {
        and(
            "created_seq < ?",
            Some(Value::Integer(super::desk::to_sql(before)?)),
        );
    }
    sql.push_str(" ORDER BY created_seq DESC LIMIT ?");
    values.push(Value::Integer(i64::from(limit)));
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(rusqlite::params_from_iter(values))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(proposals::read(row)?);
    }
    Ok(found)
}

fn tasks(
    connection: &Connection,
    before: Option<u64>,
    limit: u32,
) -> Result<Vec<(u64, TaskSummary)>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT seq, id, title, description, due_date, priority, created_ms, proposal FROM task
         WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2",
    )?;
    let before = before.map_or(Ok(i64::MAX), super::desk::to_sql)?;
    let mut rows = statement.query((before, limit))?;
    let mut tasks = Vec::new();
    while let Some(row) = rows.next()? {
        let priority: String = row.get(5)?;
        let task = TaskSummary {
            id: TaskId::from_slice(&row.get::<_, Vec<u8>>(1)?).map_err(StoreError::damaged)?,
            title: row.get(2)?,
            description: row.get(3)?,
            due_date: row.get(4)?,
            priority: match priority.as_str() {
                "low" => TaskPriority::Low,
                "high" => TaskPriority::High,
                _ => TaskPriority::Normal,
            },
            created_at: UnixMillis(row.get(6)?),
            proposal_id: ProposalId::from_slice(&row.get::<_, Vec<u8>>(7)?).map_err(StoreError::damaged)?,
        };
        tasks.push((row.get::<_, i64>(0)?.unsigned_abs(), task));
    }
    Ok(tasks)
}

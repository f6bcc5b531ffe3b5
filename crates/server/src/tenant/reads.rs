//! Reads over committed state: one proposal with its bodies, lists, tasks.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use countersign_domain::{
    Record, UnixMillis,
    fold::Status,
    id::{DeviceId, ProposalId, TaskId},
    record::{Body, Kind, Preview, Proposal, Receipt, Risk, TaskPriority, Verdict},
    wire::{ReviewedDecision, ReviewedRecord, TaskSummary},
};
use rusqlite::{Connection, types::Value};

use super::{
    Tenant,
    decide::{after, signed_after},
    entries, proposals,
    proposals::Stored,
    search,
    writer::StoreError,
};

/// A proposal with the bodies that the card and the detail view need.
#[derive(Clone, Debug)]
pub struct ProposalBodies {
    pub stored: Arc<Stored>,
    pub proposal: Arc<Proposal>,
    pub preview: Option<Preview>,
    pub receipt: Option<Receipt>,
}

/// The stored records on which a run stands.
#[derive(Clone, Debug)]
pub struct Evidence {
    pub stored: Arc<Stored>,
    pub proposal: Record,
    /// What people were shown of its effect.
    pub preview: Option<Record>,
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
    /// Its sentence has words that begin with each of these, in any order; empty for all.
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
    pub async fn proposal(&self, id: ProposalId) -> Result<Option<Arc<Stored>>, StoreError> {
        if let Some(stored) = self.inner.recent.get(id) {
            return Ok(Some(stored));
        }
        self.read(move |connection| Ok(proposals::find(connection, id)?.map(Arc::new)))
            .await
    }

    /// One proposal with its bodies.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn proposal_bodies(&self, id: ProposalId) -> Result<Option<ProposalBodies>, StoreError> {
        Ok(self.bodies([id]).await?.remove(&id))
    }

    /// Proposals with their bodies, without those that are not there.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) async fn bodies(
        &self,
        ids: impl IntoIterator<Item = ProposalId>,
    ) -> Result<BTreeMap<ProposalId, ProposalBodies>, StoreError> {
        let (mut found, mut absent) = (BTreeMap::new(), Vec::new());
        for id in ids {
            match self.at_hand(id) {
                Some(stored) => drop(found.insert(id, bodies(stored)?)),
                None => absent.push(id),
            }
        }
        if !absent.is_empty() {
            found.extend(self.read(move |connection| bodies_in(connection, absent)).await?);
        }
        Ok(found)
    }

    /// The proposal with every record that its card and its run stand on, where all of that is in memory.
    pub(super) fn at_hand(&self, id: ProposalId) -> Option<Arc<Stored>> {
        let stored = self.inner.recent.get(id)?;
        let complete = needed(&stored).all(|seq| stored.records.contains_key(&seq));
        complete.then_some(stored)
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
        if !filter.words.is_empty() {
            self.index_sentences().await?;
        }
        self.read(move |connection| list(connection, &filter, limit, now))
            .await
    }

    /// How many proposals there are in each status, as journalled, in the order of [`Status::ALL`].
    ///
    /// # Errors
    /// When the store fails.
    pub async fn counts(&self) -> Result<Vec<u64>, StoreError> {
        self.read(|connection| {
            let mut count = connection.prepare_cached("SELECT count(*) FROM proposal WHERE status = ?1")?;
            let of = |(status, _)| count.query_row([status as i64], |row| row.get::<_, i64>(0));
            let counts = Status::ALL.into_iter().map(of);
            Ok(counts
                .map(|count| count.map(i64::unsigned_abs))
                .collect::<Result<_, _>>()?)
        })
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

    /// What a device has approved with numbers above `seq` and what had begun by then, and what else it has signed with such
    /// numbers, each newest first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn doubted(
        &self,
        device: DeviceId,
        seq: u64,
    ) -> Result<(Vec<ReviewedDecision>, Vec<ReviewedRecord>), StoreError> {
        let now = self.now();
        self.read(move |connection| {
            Ok((
                doubted(connection, device, seq, now)?,
                others_doubted(connection, device, seq)?,
            ))
        })
        .await
    }

    /// Everyone whom this tenant has mailed before, in lower case.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn known_recipients(&self, among: Vec<String>) -> Result<BTreeSet<String>, StoreError> {
        if among.is_empty() {
            return Ok(BTreeSet::new());
        }
        self.read(move |connection| known_recipients(connection, among))
            .await
    }
}

/// Those of the addresses that this tenant has mailed before.
pub(super) fn known_recipients(
    connection: &Connection,
    among: Vec<String>,
) -> Result<BTreeSet<String>, StoreError> {
    let mut known = connection.prepare_cached("SELECT 1 FROM known_recipient WHERE address = ?1")?;
    let mut found = BTreeSet::new();
    for address in among {
        if known.exists([&address])? {
            found.insert(address);
        }
    }
    Ok(found)
}

fn doubted(
    db: &Connection,
    device: DeviceId,
    seq: u64,
    now: UnixMillis,
) -> Result<Vec<ReviewedDecision>, StoreError> {
    let digests = after(db, device, seq)?;
    let signed = signed_after(db, device, seq)?;
    let decided = signed.iter().filter(|entry| entry.kind == Kind::Decision);
    // A refused one stands with its device.
    let about = decided.filter_map(|entry| entry.subject.strip_prefix("proposal/")?.parse().ok());
    let (mut seen, mut found) = (BTreeSet::new(), Vec::new());
    for id in about {
        if !seen.insert(id) {
            continue;
        }
        let Some(stored) = proposals::find(db, id)?.filter(|stored| stored.state.begun.is_some()) else {
            continue;
        };
        let status = stored.status(now);
        let counted = stored.state.standing().filter(|cast| {
            cast.device == Some(device) && cast.verdict == Verdict::Approve && digests.contains(&cast.digest)
        });
        found.extend(counted.map(|cast| ReviewedDecision {
            proposal_id: id,
            tool_id: stored.state.tool.clone(),
            sentence: stored.sentence.clone(),
            verdict: cast.verdict,
            at: cast.at,
            status,
        }));
    }
    Ok(found)
}

/// What else a device has signed with numbers above `seq` that moves something. One that was refused stands with its device.
fn others_doubted(db: &Connection, device: DeviceId, seq: u64) -> Result<Vec<ReviewedRecord>, StoreError> {
    const KINDS: [Kind; 7] = [
        Kind::Endorse,
        Kind::Stop,
        Kind::Release,
        Kind::Rules,
        Kind::Resolution,
        Kind::Withdraw,
        Kind::Receipt,
    ];
    let itself = format!("device/{device}");
    let mut signed = signed_after(db, device, seq)?;
    signed.retain(|entry| entry.subject != itself && KINDS.contains(&entry.kind));
    Ok(signed)
}

/// The entries on which a proposal's card and its run stand.
fn needed(stored: &Stored) -> impl Iterator<Item = u64> {
    let state = &stored.state;
    [Some(state.created_seq), stored.preview_seq, stored.receipt_seq]
        .into_iter()
        .flatten()
        .chain(state.standing().map(|cast| cast.seq))
}

/// The proposal with these records, read from the file.
pub(super) fn with_records(connection: &Connection, id: ProposalId) -> Result<Option<Stored>, StoreError> {
    let Some(mut stored) = proposals::find(connection, id)? else {
        return Ok(None);
    };
    let read = |seq| entries::record_at(connection, seq).map(|(_, record)| (seq, Arc::new(record)));
    stored.records = needed(&stored).map(read).collect::<Result<_, _>>()?;
    Ok(Some(stored))
}

fn bodies_in(
    connection: &Connection,
    ids: Vec<ProposalId>,
) -> Result<Vec<(ProposalId, ProposalBodies)>, StoreError> {
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        if let Some(stored) = with_records(connection, id)? {
            found.push((id, bodies(Arc::new(stored))?));
        }
    }
    Ok(found)
}

fn bodies(stored: Arc<Stored>) -> Result<ProposalBodies, StoreError> {
    let proposal = match &stored.proposal {
        Some(proposal) => Arc::clone(proposal),
        None => Arc::new(body(&stored, stored.state.created_seq)?),
    };
    Ok(ProposalBodies {
        proposal,
        preview: stored.preview_seq.map(|seq| body(&stored, seq)).transpose()?,
        receipt: stored.receipt_seq.map(|seq| body(&stored, seq)).transpose()?,
        stored,
    })
}

pub(super) fn evidence(stored: &Arc<Stored>) -> Result<Evidence, StoreError> {
    let decisions = stored.state.standing();
    Ok(Evidence {
        proposal: record(stored, stored.state.created_seq)?.clone(),
        preview: stored
            .preview_seq
            .map(|seq| record(stored, seq).cloned())
            .transpose()?,
        decisions: decisions
            .map(|cast| record(stored, cast.seq).cloned())
            .collect::<Result<_, _>>()?,
        stored: Arc::clone(stored),
    })
}

fn record(stored: &Stored, seq: u64) -> Result<&Record, StoreError> {
    let record = stored.records.get(&seq);
    record
        .map(|record| &**record)
        .ok_or_else(|| StoreError::damaged("a record is missing"))
}

fn body<B: Body>(stored: &Stored, seq: u64) -> Result<B, StoreError> {
    record(stored, seq)?.body().map_err(StoreError::damaged)
}

fn list(
    connection: &Connection,
    filter: &Filter,
    limit: u32,
    now: UnixMillis,
) -> Result<Vec<Stored>, StoreError> {
    let mut values: Vec<Value> = Vec::new();
    // A search goes through its hits from the newest on, and stops when the page is full.
    let (from, key) = if filter.words.is_empty() {
        ("proposal WHERE 1", "created_seq")
    } else {
        values.push(Value::Text(search::query(&filter.words)));
        let hits = "proposal_text CROSS JOIN proposal ON created_seq = proposal_text.rowid WHERE proposal_text MATCH ?";
        (hits, "proposal_text.rowid")
    };
    let mut sql = format!("SELECT {} FROM {from}", proposals::COLUMNS);
    let mut and = |clause: &str, value: Option<Value>| {
        sql.push_str(" AND ");
        sql.push_str(clause);
        values.extend(value);
    };
    match filter.status {
        // Whoever asks for what is open does not want what has run out, entry or no entry.
        Some(status) if status.is_open() => {
            and("status = ?", Some(Value::Integer(status as i64)));
            and("expires_ms > ?", Some(Value::Integer(now.0)));
        }
        Some(Status::Expired) => {
            and(
                "(status = 8 OR (status IN (0, 1) AND expires_ms <= ?))",
                Some(Value::Integer(now.0)),
            );
        }
        Some(status) => and("status = ?", Some(Value::Integer(status as i64))),
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
    if let Some(before) = filter.before {
        and(
            &format!("{key} < ?"),
            Some(Value::Integer(super::desk::to_sql(before)?)),
        );
    }
    sql.push_str(&format!(" ORDER BY {key} DESC LIMIT ?"));
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

//! A proposal's row: its folded state and what is projected from it for look-ups.

use std::{collections::BTreeMap, sync::Arc};

use countersign_domain::{
    Record, UnixMillis,
    fold::{ProposalState, Status},
    id::ProposalId,
    record::{Body, Expire, Kind, Proposal, Risk},
};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    desk::{Desk, to_sql},
    writer::StoreError,
};

/// A stored proposal.
#[derive(Clone, Debug)]
pub struct Stored {
    pub state: ProposalState,
    /// The idempotency key under which it was proposed.
    pub tool_call_id: String,
    /// What it will do, in a line.
    pub sentence: String,
    pub preview_seq: Option<u64>,
    pub receipt_seq: Option<u64>,
    /// Number of the newest lease; 0 before the first.
    pub fence: u64,
    /// What was proposed, while that is in memory.
    pub(super) proposal: Option<Arc<Proposal>>,
    /// Records about it that are at hand, by sequence number: those that were appended while it was in memory. The
    /// others are in the file.
    pub(super) records: BTreeMap<u64, Arc<Record>>,
}

impl Stored {
    /// Where it stands at `now`.
    pub fn status(&self, now: UnixMillis) -> Status {
        self.state.status(now)
    }

    /// About how many bytes of memory it takes.
    pub(super) fn weight(&self) -> usize {
        const STATE: usize = 2_048;
        // The proposal twice: as it was signed for, and as it is read.
        let read = self.proposal.as_ref().and_then(|_| self.records.values().next());
        STATE
            + read.map_or(0, |record| record.bytes().len())
            + self
                .records
                .values()
                .map(|record| record.bytes().len())
                .sum::<usize>()
    }

    /// Keeps the records about it that were read beforehand, so that whoever runs it need not read them. Of one that is
    /// over nothing is kept: it may have been erased since.
    pub(super) fn keep(&mut self, seen: &Self, now: UnixMillis) {
        if self.status(now).is_open() {
            let records = seen
                .records
                .iter()
                .map(|(seq, record)| (*seq, Arc::clone(record)));
            self.records.extend(records);
        }
    }

    /// When it may begin; `None` unless it is pending.
    pub fn due(&self) -> Option<UnixMillis> {
        self.state.held_until()
    }
}

/// The columns that [`read`] takes, in its order.
pub(super) const COLUMNS: &str = "state, tool_call_id, sentence, preview_seq, receipt_seq, fence";

/// Reads a row of [`COLUMNS`].
pub(super) fn read(row: &Row<'_>) -> Result<Stored, StoreError> {
    let state: String = row.get(0)?;
    let seq = |index| -> Result<Option<u64>, rusqlite::Error> {
        Ok(row.get::<_, Option<i64>>(index)?.map(i64::unsigned_abs))
    };
    Ok(Stored {
        state: serde_json::from_str(&state).map_err(StoreError::damaged)?,
        tool_call_id: row.get(1)?,
        sentence: row.get(2)?,
        preview_seq: seq(3)?,
        receipt_seq: seq(4)?,
        fence: row.get::<_, i64>(5)?.unsigned_abs(),
        proposal: None,
        records: BTreeMap::new(),
    })
}

/// Finds a proposal by its id.
pub(super) fn find(connection: &Connection, id: ProposalId) -> Result<Option<Stored>, StoreError> {
    connection
        .prepare_cached("SELECT state, tool_call_id, sentence, preview_seq, receipt_seq, fence FROM proposal WHERE id = ?1")?
        .query_row([&id.as_bytes()[..]], |row| Ok(read(row)))
        .optional()?
        .transpose()
}

const fn risk_rank(risk: Risk) -> i64 {
    risk as i64
}

impl Desk {
    /// Finds a proposal by its id, with what the running command has saved.
    pub(super) fn proposal(&self, id: ProposalId) -> Result<Option<Stored>, StoreError> {
        match self.at_hand(id) {
            Some(stored) => Ok(Some(stored)),
            None => find(self.connection(), id),
        }
    }

    /// Stores a new proposal's row. Its entry has been appended.
    pub(super) fn insert(&mut self, stored: &mut Stored) -> Result<(), StoreError> {
        self.offer(stored);
        let state = &stored.state;
        self.connection()
            .prepare_cached(
                "INSERT INTO proposal (created_seq, id, status, risk, tool, proposer, executor, expires_ms, due_ms,
                     sentence, tool_call_id, preview_seq, receipt_seq, fence, state)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, NULL, NULL, ?12, ?13)",
            )?
            .execute(params![
                to_sql(state.created_seq)?,
                &state.id.as_bytes()[..],
                state.recorded_status() as i64,
                risk_rank(state.risk),
                state.tool,
                state.proposer.id,
                state.executor.device().map(|device| *device.as_bytes()),
                state.expires_at.0,
                stored.due().map(|due| due.0),
                stored.sentence,
                stored.tool_call_id,
                to_sql(stored.fence)?,
                serde_json::to_string(state).map_err(StoreError::damaged)?,
            ])?;
        self.changed(stored);
        Ok(())
    }

    /// Appends an entry about a proposal and folds it in. [`Self::save`] follows once all of them are.
    pub(super) fn extend(&mut self, stored: &mut Stored, record: &Record) -> Result<u64, StoreError> {
        let seq = self.append_about(record, format!("proposal/{}", stored.state.id))?;
        stored
            .state
            .apply(seq, self.now(), record)
            .map_err(StoreError::damaged)?;
        stored.records.insert(seq, Arc::new(record.clone()));
        // Another one, or one that was refused, is journalled and is not the proposal's.
        if stored.state.preview == Some(record.digest) {
            stored.preview_seq = Some(seq);
        } else if record.kind == Kind::Receipt {
            stored.receipt_seq = Some(seq);
        }
        Ok(seq)
    }

    /// The same for a body that the server itself makes.
    pub(super) fn extend_with<B: Body>(&mut self, stored: &mut Stored, body: &B) -> Result<u64, StoreError> {
        let record = Record::unsigned(body).map_err(StoreError::damaged)?;
        self.extend(stored, &record)
    }

    /// Writes a changed row, and notes who has to hear of it.
    pub(super) fn save(&mut self, stored: &mut Stored) -> Result<(), StoreError> {
        self.offer(stored);
        let state = &stored.state;
        let seq = |value: Option<u64>| value.map(to_sql).transpose();
        self.connection()
            .prepare_cached(
                "UPDATE proposal SET status = ?2, due_ms = ?3, preview_seq = ?4, receipt_seq = ?5, fence = ?6, state = ?7,
                     risk = ?8 WHERE created_seq = ?1",
            )?
            .execute(params![
                to_sql(state.created_seq)?,
                state.recorded_status() as i64,
                stored.due().map(|due| due.0),
                seq(stored.preview_seq)?,
                seq(stored.receipt_seq)?,
                to_sql(stored.fence)?,
                serde_json::to_string(state).map_err(StoreError::damaged)?,
                risk_rank(state.risk),
            ])?;
        self.changed(stored);
        Ok(())
    }

    /// Writes a new lease's number: nothing else about the proposal has changed.
    pub(super) fn save_fence(&mut self, stored: &Stored) -> Result<(), StoreError> {
        self.connection()
            .prepare_cached("UPDATE proposal SET fence = ?2 WHERE created_seq = ?1")?
            .execute(params![to_sql(stored.state.created_seq)?, to_sql(stored.fence)?])?;
        self.changed(stored);
        Ok(())
    }

    /// Writes the `expire` entry that a proposal whose time is up is still owed.
    pub(super) fn settle(&mut self, stored: &mut Stored) -> Result<(), StoreError> {
        let recorded = stored.state.recorded_status();
        if stored.status(self.now()) == Status::Expired && recorded != Status::Expired {
            let expire = Expire {
                at: stored.state.expires_at,
                proposal: stored.state.id,
            };
            self.extend_with(stored, &expire)?;
            self.save(stored)?;
        }
        Ok(())
    }
}

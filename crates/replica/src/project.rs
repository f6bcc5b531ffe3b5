//! From entries to the tables that lists are read from.
//!
//! Each proposal that a page touches is loaded once, folded in memory, and written once at the page's end.

use std::collections::BTreeMap;

use countersign_domain::{
    Digest, Record, UnixMillis,
    canonical::Object,
    fold::{Closed, Merged, ProposalState, Status},
    id::ProposalId,
    manifest::Pinned,
    record::{Effect, Kind, Outcome, Proposal, ProposerKind, Receipt, TaskPriority},
    render,
    wire::WireEntry,
};
use rusqlite::{Connection, params};

use crate::{
    ReadError, StorageError,
    entries::{self, Content, proposal_of, stored_content, to_sql},
    fold::{self, Folded, Gap},
    search,
};

/// What one run of entries does to the tables, until [`Projection::finish`].
pub(crate) struct Projection<'a> {
    connection: &'a Connection,
    templates: &'a mut BTreeMap<Digest, String>,
    /// `None`: there is no such proposal here.
    touched: BTreeMap<ProposalId, Option<Touched>>,
    /// What is not to be shown any more.
    erased: Vec<ProposalId>,
}

struct Touched {
    folded: Folded,
    /// What is written once, when the proposal is new.
    new: Option<Texts>,
}

struct Texts {
    sentence: String,
    search: String,
}

/// Which list a proposal is in.
pub(crate) const fn list_of(status: Status) -> &'static str {
    match status {
        Status::Proposed => "to_decide",
        Status::Pending | Status::Running | Status::Unknown => "in_progress",
        Status::Completed
        | Status::Failed
        | Status::Rejected
        | Status::Denied
        | Status::Expired
        | Status::Withdrawn
        | Status::Superseded => "done",
    }
}

/// When time alone moves it to `done`; `None` when it does not, or has by `clock`.
pub(crate) fn lapses(state: &ProposalState, clock: UnixMillis) -> Option<UnixMillis> {
    state.status(clock).is_open().then_some(state.expires_at)
}

/// When it was decided, one way or the other.
pub(crate) fn decided_at(state: &ProposalState) -> Option<UnixMillis> {
    match state.merged() {
        Merged::Approved { at } | Merged::Rejected { at } => Some(at),
        Merged::Open { .. } => None,
    }
}

/// When its run ended, or it was closed without one.
pub(crate) fn ended_at(state: &ProposalState) -> Option<UnixMillis> {
    match (&state.ended, &state.closed) {
        (Some(ended), _) => Some(ended.at),
        (None, Some(Closed::Withdrawn { at } | Closed::Superseded { at, .. } | Closed::Expired { at })) => {
            Some(*at)
        }
        (None, None) => None,
    }
}

pub(crate) const fn proposer_kind(kind: ProposerKind) -> &'static str {
    match kind {
        ProposerKind::Agent => "agent",
        ProposerKind::User => "user",
        ProposerKind::System => "system",
    }
}

const fn priority(priority: TaskPriority) -> &'static str {
    match priority {
        TaskPriority::Low => "low",
        TaskPriority::Normal => "normal",
        TaskPriority::High => "high",
    }
}

impl<'a> Projection<'a> {
    pub(crate) const fn new(connection: &'a Connection, templates: &'a mut BTreeMap<Digest, String>) -> Self {
        Self {
            connection,
            templates,
            touched: BTreeMap::new(),
            erased: Vec::new(),
        }
    }

    /// Takes the next entry, whose row is stored already.
    pub(crate) fn take(&mut self, entry: &WireEntry, content: &Content) -> Result<(), StorageError> {
        let Some(id) = proposal_of(&entry.subject) else {
            return match content {
                Content::Known(record) => self.signed(record),
                Content::Missing | Content::Newer => Ok(()),
            };
        };
        if !self.touched.contains_key(&id) {
            let loaded = load(self.connection, id, entry.seq)?.map(|folded| Touched { folded, new: None });
            self.touched.insert(id, loaded);
        }
        let known = self.touched.get_mut(&id).and_then(Option::as_mut);
        match (known, content) {
            (Some(touched), content) => touched.folded.take(entry.seq, entry.at, content),
            (None, Content::Known(record)) => {
                if let Some((folded, proposal)) = Folded::begin(entry.seq, id, record) {
                    let new = Some(self.texts(&proposal)?);
                    self.touched.insert(id, Some(Touched { folded, new }));
                }
            }
            (None, Content::Missing | Content::Newer) => {}
        }
        if let Content::Known(record) = content {
            if record.kind == Kind::Erase {
                self.erase(id, entry.seq)?;
            } else if record.kind == Kind::Receipt {
                self.task(entry, record.body().ok())?;
            }
            self.signed(record)?;
        }
        Ok(())
    }

    /// Writes what was touched, and moves to `done` what has lapsed by `clock`, the time of the newest entry. Returns
    /// the proposals that have changed.
    pub(crate) fn finish(self, clock: UnixMillis) -> Result<Vec<ProposalId>, StorageError> {
        self.connection
            .prepare_cached("UPDATE proposal SET list = 'done', lapses_ms = NULL WHERE lapses_ms <= ?1")?
            .execute([clock.0])?;
        let (mut changed, mut texts) = (self.erased, Vec::new());
        for (id, touched) in self.touched {
            if let Some(Touched { folded, new }) = touched {
                match new {
                    Some(new) => {
                        insert(self.connection, &folded, &new.sentence, clock)?;
                        texts.push((folded.state.created_seq, new.search));
                    }
                    None => update(self.connection, &folded, clock)?,
                }
                changed.push(id);
            }
        }
        // After all rows: each statement with a trigger would make the full-text index write out what it has gathered.
        let mut index = self
            .connection
            .prepare_cached("INSERT INTO proposal_text (rowid, text) VALUES (?1, ?2)")?;
        for (seq, text) in texts {
            index.execute(params![to_sql(seq)?, text])?;
        }
        Ok(changed)
    }

    fn texts(&mut self, proposal: &Proposal) -> Result<Texts, StorageError> {
        let template = self.template(&proposal.tool.id, proposal.tool.manifest)?;
        let sentence = sentence(template, proposal);
        let search = search::text(&sentence, proposal);
        Ok(Texts { sentence, search })
    }

    fn template(&mut self, tool: &str, manifest: Digest) -> Result<Option<&str>, StorageError> {
        if !self.templates.contains_key(&manifest)
            && let Some(found) = find_manifest(self.connection, tool, manifest).or_else(storage_only)?
        {
            self.templates.insert(manifest, found.sentence.clone());
        }
        Ok(self.templates.get(&manifest).map(String::as_str))
    }

    /// The task that a receipt has made.
    fn task(&self, entry: &WireEntry, receipt: Option<Receipt>) -> Result<(), StorageError> {
        let Some(receipt) = receipt else {
            return Ok(());
        };
        if let (Outcome::Completed, Some(effect)) = (receipt.outcome, receipt.effect) {
            let Effect::TaskCreated {
                description,
                due_date,
                id,
                priority: urgency,
                title,
            } = effect;
            self.connection
                .prepare_cached(
                    "INSERT INTO task (seq, id, title, description, due_date, priority, created_ms, proposal)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING",
                )?
                .execute(params![
                    to_sql(entry.seq)?,
                    &id.as_bytes()[..],
                    title,
                    description,
                    due_date,
                    priority(urgency),
                    entry.at.0,
                    &receipt.proposal.as_bytes()[..]
                ])?;
        }
        Ok(())
    }

    /// Takes out what was written about a proposal, here as in the tenant's own file, and everything that was made of it.
    /// The headers stay.
    fn erase(&mut self, id: ProposalId, seq: u64) -> Result<(), StorageError> {
        for mut entry in entries::about_proposal(self.connection, id, seq.saturating_sub(1))? {
            // A body that does not fit its header says nothing, and has no reason to stay either.
            let erasable = match stored_content(&mut entry) {
                Ok(Content::Known(record)) => {
                    let erasable = record.is_erasable();
                    if erasable {
                        self.unsigned(&record)?;
                    }
                    erasable
                }
                Ok(Content::Missing | Content::Newer) => false,
                Err(error) => storage_only::<()>(error).map(|_| true)?,
            };
            if erasable {
                self.connection
                    .prepare_cached("DELETE FROM body WHERE seq = ?1")?
                    .execute([to_sql(entry.seq)?])?;
            }
        }
        let id_bytes = &id.as_bytes()[..];
        self.connection
            .prepare_cached(
                "DELETE FROM proposal_text WHERE rowid = (SELECT created_seq FROM proposal WHERE id = ?1)",
            )?
            .execute([id_bytes])?;
        for table in ["proposal WHERE id", "task WHERE proposal"] {
            self.connection
                .prepare_cached(&format!("DELETE FROM {table} = ?1"))?
                .execute([id_bytes])?;
        }
        self.touched.insert(id, None);
        self.erased.push(id);
        Ok(())
    }

    /// Forgets the number that a device has used for a record: a desktop that comes later never hears of it.
    fn unsigned(&self, record: &Record) -> Result<(), StorageError> {
        if let Some((device, device_seq)) = record.link() {
            self.connection
                .prepare_cached(
                    "DELETE FROM device_record WHERE device = ?1 AND device_seq = ?2 AND digest = ?3",
                )?
                .execute(params![
                    &device.as_bytes()[..],
                    to_sql(device_seq)?,
                    &record.digest.as_bytes()[..]
                ])?;
        }
        Ok(())
    }

    /// Notes the number that a device has used for a record, and whether it had used it for another one.
    fn signed(&self, record: &Record) -> Result<(), StorageError> {
        let Some((device, device_seq)) = record.link() else {
            return Ok(());
        };
        let (device, device_seq) = (&device.as_bytes()[..], to_sql(device_seq)?);
        let digest = &record.digest.as_bytes()[..];
        let inserted = self
            .connection
            .prepare_cached(
                "INSERT INTO device_record (device, device_seq, digest) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
            )?
            .execute(params![device, device_seq, digest])?;
        if inserted == 0 {
            self.connection
                .prepare_cached(
                    "INSERT INTO device_fork (device, device_seq)
                     SELECT device, device_seq FROM device_record
                     WHERE device = ?1 AND device_seq = ?2 AND digest <> ?3
                     ON CONFLICT DO NOTHING",
                )?
                .execute(params![device, device_seq, digest])?;
        }
        Ok(())
    }
}

/// A manifest that cannot be read makes a plain sentence; only a failing database stops the fold.
fn storage_only<T>(error: ReadError) -> Result<Option<T>, StorageError> {
    match error {
        ReadError::Storage(error) => Err(error),
        ReadError::Tampered { .. } | ReadError::Root | ReadError::Projection(_) => Ok(None),
    }
}

/// The line that lists show. Without the manifest it is the tool's id.
pub(crate) fn sentence(template: Option<&str>, proposal: &Proposal) -> String {
    let empty = Object::new();
    let spans = match template {
        Some(template) => render::sentence(template, proposal.args.as_object().unwrap_or(&empty)),
        None => render::visible(&proposal.tool.id),
    };
    render::flat(&spans)
}

/// The manifest with this digest, from its body, checked.
pub(crate) fn find_manifest(
    connection: &Connection,
    tool: &str,
    manifest: Digest,
) -> Result<Option<Pinned>, ReadError> {
    for mut entry in entries::about(connection, &format!("tool/{tool}"))? {
        if entry.digest == manifest
            && let Content::Known(record) = stored_content(&mut entry)?
        {
            let manifest = record.body().ok();
            return Ok(manifest.and_then(|manifest| Pinned::new(manifest).ok()));
        }
    }
    Ok(None)
}

/// What the entries before `seq` say of a proposal.
pub(crate) fn load(
    connection: &Connection,
    id: ProposalId,
    seq: u64,
) -> Result<Option<Folded>, StorageError> {
    let mut earlier = entries::about_proposal(connection, id, seq.saturating_sub(1))?;
    fold::fold(id, &mut earlier, stored_content)
        .map(|folded| folded.map(|(folded, _)| folded))
        .map_err(|error| match error {
            ReadError::Storage(error) => error,
            error @ (ReadError::Tampered { .. } | ReadError::Root | ReadError::Projection(_)) => {
                StorageError::damaged(error)
            }
        })
}

fn insert(
    connection: &Connection,
    folded: &Folded,
    sentence: &str,
    clock: UnixMillis,
) -> Result<(), StorageError> {
    let state = &folded.state;
    connection
        .prepare_cached(
            "INSERT INTO proposal (created_seq, id, last_seq, status, list, lapses_ms, risk, tool, sentence, proposer,
                 proposer_kind, created_ms, expires_ms, executor, connection, decided_ms, ended_ms, gap)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)",
        )?
        .execute(params![
            to_sql(state.created_seq)?,
            &state.id.as_bytes()[..],
            to_sql(folded.last_seq)?,
            state.recorded_status().name(),
            list_of(state.status(clock)),
            lapses(state, clock).map(|at| at.0),
            state.risk as i64,
            state.tool,
            sentence,
            search::flat(&state.proposer.name),
            proposer_kind(state.proposer.kind),
            state.created_at.0,
            state.expires_at.0,
            state.executor.device().as_ref().map(|id| &id.as_bytes()[..]),
            state.connection.as_ref().map(|named| &named.id.as_bytes()[..]),
            decided_at(state).map(|at| at.0),
            ended_at(state).map(|at| at.0),
            folded.gap.map(Gap::name),
        ])?;
    Ok(())
}

fn update(connection: &Connection, folded: &Folded, clock: UnixMillis) -> Result<(), StorageError> {
    let state = &folded.state;
    connection
        .prepare_cached(
            "UPDATE proposal SET last_seq = ?2, status = ?3, list = ?4, lapses_ms = ?5, decided_ms = ?6, ended_ms = ?7,
                 gap = ?8, risk = ?9 WHERE created_seq = ?1",
        )?
        .execute(params![
            to_sql(state.created_seq)?,
            to_sql(folded.last_seq)?,
            state.recorded_status().name(),
            list_of(state.status(clock)),
            lapses(state, clock).map(|at| at.0),
            decided_at(state).map(|at| at.0),
            ended_at(state).map(|at| at.0),
            folded.gap.map(Gap::name),
            state.risk as i64,
        ])?;
    Ok(())
}

//! One line: as it is stored, and as it is at a time.

use countersign_domain::{
    UnixMillis,
    fold::Status,
    id::{ConnectionId, DeviceId, ProposalId},
    record::{Executor, Holder, ProposerKind, Risk},
};

use crate::{Gap, Reader, StorageError, entries::from_sql, fold::Folded, project, search};

/// One line of a list. Never what a decision is made on: that is a [`crate::Card`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    pub id: ProposalId,
    pub created_seq: u64,
    /// The newest entry about it.
    pub last_seq: u64,
    /// At the `now` that was asked for.
    pub status: Status,
    pub risk: Risk,
    pub tool: String,
    /// What it does, in a line, with what would not be seen made visible.
    pub sentence: String,
    pub proposer: String,
    pub proposer_kind: ProposerKind,
    pub created_at: UnixMillis,
    pub expires_at: UnixMillis,
    pub executor: Executor,
    pub connection: Option<ConnectionId>,
    pub decided_at: Option<UnixMillis>,
    pub ended_at: Option<UnixMillis>,
    /// Why it cannot be decided here.
    pub gap: Option<Gap>,
}

/// A line as it is stored: with the status that the entries alone give, and the list it is in at the newest entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Stored {
    row: Row,
    list: String,
    lapses: Option<UnixMillis>,
}

impl Stored {
    /// What has to be stored.
    pub(crate) fn of(folded: &Folded, sentence: String, clock: UnixMillis) -> Self {
        let state = &folded.state;
        Self {
            row: Row {
                id: state.id,
                created_seq: state.created_seq,
                last_seq: folded.last_seq,
                status: state.recorded_status(),
                risk: state.risk,
                tool: state.tool.clone(),
                sentence,
                proposer: search::flat(&state.proposer.name),
                proposer_kind: state.proposer.kind,
                created_at: state.created_at,
                expires_at: state.expires_at,
                executor: state.executor,
                connection: state.connection.as_ref().map(|named| named.id),
                decided_at: project::decided_at(state),
                ended_at: project::ended_at(state),
                gap: folded.gap,
            },
            list: project::list_of(state.status(clock)).to_owned(),
            lapses: project::lapses(state, clock),
        }
    }
}

impl Reader {
    /// One proposal's line at `now`.
    ///
    /// # Errors
    /// When the database fails.
    pub fn row(&self, id: ProposalId, now: UnixMillis) -> Result<Option<Row>, StorageError> {
        let now = self.clock(now)?;
        let sql = format!("SELECT {COLUMNS} FROM proposal WHERE id = ?1");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query([&id.as_bytes()[..]])?;
        rows.next()?.map(|row| read(row, now)).transpose()
    }

    pub(crate) fn stored(&self, id: ProposalId) -> Result<Option<Stored>, StorageError> {
        let sql = format!("SELECT {COLUMNS} FROM proposal WHERE id = ?1");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query([&id.as_bytes()[..]])?;
        let Some(row) = rows.next()? else {
            return Ok(None);
        };
        Ok(Some(Stored {
            row: read(row, UnixMillis(i64::MIN))?,
            list: row.get(16)?,
            lapses: row.get::<_, Option<i64>>(17)?.map(UnixMillis),
        }))
    }
}

pub(super) const COLUMNS: &str =
    "proposal.created_seq, id, last_seq, status, risk, tool, sentence, proposer, proposer_kind,
    created_ms, expires_ms, executor, connection, decided_ms, ended_ms, gap, list, lapses_ms";

/// Whose line it is, of [`COLUMNS`].
pub(super) fn id(row: &rusqlite::Row<'_>) -> Result<ProposalId, StorageError> {
    let id = row.get_ref(1)?.as_blob().map_err(StorageError::damaged)?;
    ProposalId::from_slice(id).map_err(|_| StorageError::damaged("a stored id is not one"))
}

/// Reads [`COLUMNS`].
pub(super) fn read(row: &rusqlite::Row<'_>, now: UnixMillis) -> Result<Row, StorageError> {
    let blob = |at: usize| -> Result<Option<&[u8]>, StorageError> {
        row.get_ref(at)?.as_blob_or_null().map_err(StorageError::damaged)
    };
    let text = |at: usize| -> Result<&str, StorageError> {
        row.get_ref(at)?.as_str().map_err(StorageError::damaged)
    };
    let time = |at: usize| -> Result<Option<UnixMillis>, StorageError> {
        Ok(row.get::<_, Option<i64>>(at)?.map(UnixMillis))
    };
    let not_one = |what| StorageError::damaged(format!("a stored {what} is not one"));
    let recorded = Status::from_name(text(3)?).ok_or_else(|| not_one("status"))?;
    let expires_at = UnixMillis(row.get(10)?);
    let kind = text(8)?;
    Ok(Row {
        created_seq: from_sql(row.get(0)?),
        id: id(row)?,
        last_seq: from_sql(row.get(2)?),
        status: recorded.at(now, expires_at),
        risk: usize::try_from(row.get::<_, i64>(4)?)
            .ok()
            .and_then(|risk| Risk::ALL.get(risk).copied())
            .ok_or_else(|| not_one("risk"))?,
        tool: row.get(5)?,
        sentence: row.get(6)?,
        proposer: row.get(7)?,
        proposer_kind: [ProposerKind::Agent, ProposerKind::User, ProposerKind::System]
            .into_iter()
            .find(|known| project::proposer_kind(*known) == kind)
            .ok_or_else(|| not_one("proposer"))?,
        created_at: UnixMillis(row.get(9)?),
        expires_at,
        executor: match blob(11)? {
            None => Holder::Tenant,
            Some(device) => Holder::Device(DeviceId::from_slice(device).map_err(|_| not_one("device"))?),
        },
        connection: blob(12)?
            .map(ConnectionId::from_slice)
            .transpose()
            .map_err(|_| not_one("connection"))?,
        decided_at: time(13)?,
        ended_at: time(14)?,
        gap: match row.get_ref(15)?.as_str_or_null().map_err(StorageError::damaged)? {
            None => None,
            Some(name) => Some(Gap::from_name(name).ok_or_else(|| not_one("gap"))?),
        },
    })
}

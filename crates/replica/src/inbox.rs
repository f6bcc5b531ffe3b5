//! Lists of proposals, and how many there are.
//!
//! Lists page by key, never by offset. What time alone has moved since the newest entry is put right on reading, so a
//! list and a count are exact at `now`.

use core::{fmt, str::FromStr};

use countersign_domain::{
    UnixMillis,
    fold::Status,
    id::{ConnectionId, DeviceId, ProposalId},
    record::{Executor, Holder, ProposerKind, Risk},
};
use rusqlite::{ToSql, named_params, params};

use crate::{
    Gap, Reader, StorageError,
    entries::{from_sql, to_sql},
    fold::Folded,
    project, search,
};

/// Most rows of one page.
const MAX_ROWS: u32 = 500;

/// How many search hits are looked at for one page: a word that most proposals have costs no more than a rare one.
const MAX_HITS: u32 = 2_000;

/// Which proposals, and in which order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum View {
    /// Proposed and not expired: the worst risk first, then the oldest. A row stays where it is until it is decided.
    ToDecide,
    /// Approved and waiting, running, or of unknown outcome: the newest first.
    InProgress,
    /// Final: what changed last first.
    Done,
    /// All: the newest first.
    All,
}

/// What a list leaves out.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filter {
    pub risk: Option<Risk>,
    /// The tool's id.
    pub tool: Option<String>,
    /// Words that all have to be in it, the last one as a prefix. With a search every view is newest first.
    pub search: Option<String>,
}

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

/// Some rows, and where they go on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page {
    /// A search may find fewer than were asked for and still go on.
    pub rows: Vec<Row>,
    /// `None` when there is nothing more.
    pub next: Option<Cursor>,
}

/// A place in a list. Its text form means nothing to anyone else.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cursor {
    /// Only [`View::ToDecide`] without a search looks at it.
    risk: Risk,
    seq: u64,
}

/// The text is no cursor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a place in a list")]
pub struct InvalidCursor;

/// How many proposals there are in each view.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// By risk, mildest first.
    pub to_decide: [u64; 4],
    pub in_progress: u64,
    /// Of those in progress: what may have happened, and waits for people.
    pub unknown: u64,
    pub done: u64,
}

impl Counts {
    /// All that wait for a decision.
    pub const fn to_decide(&self) -> u64 {
        let [low, medium, high, critical] = self.to_decide;
        low + medium + high + critical
    }
}

impl Reader {
    /// One page of a list at `now`, after `after`.
    ///
    /// # Errors
    /// When the database fails.
    pub fn inbox(
        &self,
        view: View,
        filter: &Filter,
        after: Option<&Cursor>,
        limit: u32,
        now: UnixMillis,
    ) -> Result<Page, StorageError> {
        let list = List {
            reader: self,
            filter,
            now: self.clock(now)?,
            limit: limit.clamp(1, MAX_ROWS) as usize,
        };
        let query = match &filter.search {
            Some(typed) => self.query(typed)?,
            None => None,
        };
        match (query, view) {
            (Some(query), _) => list.search(view, &query, after),
            (None, View::ToDecide) => list.to_decide(after),
            (None, View::InProgress) => list.in_progress(after),
            (None, View::Done) => list.done(after),
            (None, View::All) => list.all(after),
        }
    }

    /// How many there are at `now`.
    ///
    /// # Errors
    /// When the database fails.
    pub fn counts(&self, now: UnixMillis) -> Result<Counts, StorageError> {
        let now = self.clock(now)?;
        let mut counts = Counts::default();
        let mut add = |list: &str, risk: i64, n: u64| {
            let counter = match list {
                "to_decide" => usize::try_from(risk)
                    .ok()
                    .and_then(|risk| counts.to_decide.get_mut(risk)),
                "in_progress" => Some(&mut counts.in_progress),
                _ => Some(&mut counts.done),
            };
            if let Some(counter) = counter {
                *counter = counter.wrapping_add(n);
            }
        };
        let mut tally = self
            .connection
            .prepare_cached("SELECT list, risk, n FROM tally")?;
        let mut rows = tally.query([])?;
        while let Some(row) = rows.next()? {
            add(
                row.get_ref(0)?.as_str().map_err(StorageError::damaged)?,
                row.get(1)?,
                from_sql(row.get(2)?),
            );
        }
        let mut lapsed = self.connection.prepare_cached(
            "SELECT list, risk, count(*) FROM proposal INDEXED BY proposal_lapses WHERE lapses_ms <= ?1
             GROUP BY list, risk",
        )?;
        let mut rows = lapsed.query([now.0])?;
        while let Some(row) = rows.next()? {
            let n = from_sql(row.get(2)?);
            add(
                row.get_ref(0)?.as_str().map_err(StorageError::damaged)?,
                row.get(1)?,
                n.wrapping_neg(),
            );
            add("done", 0, n);
        }
        counts.unknown = self
            .connection
            .prepare_cached(
                "SELECT count(*) FROM proposal INDEXED BY proposal_unknown WHERE status = 'unknown'",
            )?
            .query_row([], |row| row.get(0))
            .map(from_sql)?;
        Ok(counts)
    }

    /// Proposals that go through this connection and are not over at the newest entry.
    ///
    /// # Errors
    /// When the database fails.
    pub fn open_over(&self, connection: ConnectionId) -> Result<u64, StorageError> {
        Ok(self
            .connection
            .prepare_cached(
                "SELECT count(*) FROM proposal INDEXED BY proposal_connection WHERE connection = ?1 AND list <> 'done'",
            )?
            .query_row([&connection.as_bytes()[..]], |row| row.get(0))
            .map(from_sql)?)
    }

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

    /// The query for what a person typed; `None` when there is no word in it.
    fn query(&self, typed: &str) -> Result<Option<String>, StorageError> {
        let (mut words, open) = search::words(typed);
        if !typed.is_ascii() {
            // Whether it is one word, the tokenizer alone knows; the index has no place for two in a row.
            let mut probe = self
                .connection
                .prepare_cached("SELECT 1 FROM proposal_text WHERE proposal_text MATCH ?1 LIMIT 1")?;
            words.retain(|word| word.is_ascii() || probe.exists([format!("\"{word}\"")]).is_ok());
        }
        Ok(search::query(&words, open))
    }

    /// Whether a proposal is found by the words of its own line.
    pub(crate) fn is_searchable(&self, id: ProposalId) -> Result<bool, StorageError> {
        let (seq, sentence): (i64, String) = self
            .connection
            .prepare_cached("SELECT created_seq, sentence FROM proposal WHERE id = ?1")?
            .query_row([&id.as_bytes()[..]], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let Some(query) = self.query(&format!("{sentence} "))? else {
            return Ok(true);
        };
        Ok(self
            .connection
            .prepare_cached("SELECT 1 FROM proposal_text WHERE proposal_text MATCH ?1 AND rowid = ?2")?
            .exists(params![query, seq])?)
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

    /// Proposals with all these words, at most `limit`: those that say them in their one line first, then the newest.
    /// Ranks the newest [`MAX_HITS`] only.
    ///
    /// # Errors
    /// When the database fails.
    pub fn search(&self, words: &str, limit: u32, now: UnixMillis) -> Result<Vec<Row>, StorageError> {
        let Some(query) = self.query(words)? else {
            return Ok(Vec::new());
        };
        let now = self.clock(now)?;
        let wanted: Vec<String> = search::words(words)
            .0
            .into_iter()
            .map(str::to_lowercase)
            .collect();
        let sql = hits_sql(COLUMNS);
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(named_params! {":query": query, ":seq": i64::MAX, ":hits": RANKED})?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let row = read(row, now)?;
            let line = row.sentence.to_lowercase();
            let missing = wanted.iter().filter(|word| !line.contains(*word)).count();
            found.push((missing, row));
        }
        // Stable, so that equals stay newest first.
        found.sort_by_key(|(missing, _)| *missing);
        Ok(found
            .into_iter()
            .take(limit.min(MAX_ROWS) as usize)
            .map(|(_, row)| row)
            .collect())
    }
}

/// How many hits are ranked.
const RANKED: u32 = 500;

const COLUMNS: &str =
    "proposal.created_seq, id, last_seq, status, risk, tool, sentence, proposer, proposer_kind,
    created_ms, expires_ms, executor, connection, decided_ms, ended_ms, gap, list, lapses_ms";

/// Hits of a search from `:seq` on, newest first, at most `:hits`, with these columns.
fn hits_sql(columns: &str) -> String {
    format!(
        "SELECT {columns} FROM proposal_text CROSS JOIN proposal ON proposal.created_seq = proposal_text.rowid
         WHERE proposal_text MATCH :query AND proposal_text.rowid < :seq
         ORDER BY proposal_text.rowid DESC LIMIT :hits"
    )
}

struct List<'a> {
    reader: &'a Reader,
    filter: &'a Filter,
    now: UnixMillis,
    limit: usize,
}

impl List<'_> {
    fn to_decide(&self, after: Option<&Cursor>) -> Result<Page, StorageError> {
        let worst = after.map_or(Risk::Critical, |cursor| cursor.risk);
        let sql = match self.filter.tool {
            None => format!(
                "SELECT {COLUMNS} FROM proposal INDEXED BY proposal_to_decide WHERE list = 'to_decide'
                 AND risk = :risk AND created_seq > :seq AND lapses_ms > :now ORDER BY created_seq LIMIT :limit"
            ),
            Some(_) => format!(
                "SELECT {COLUMNS} FROM proposal INDEXED BY proposal_to_decide_tool WHERE list = 'to_decide'
                 AND tool = :tool AND risk = :risk AND created_seq > :seq AND lapses_ms > :now
                 ORDER BY created_seq LIMIT :limit"
            ),
        };
        let mut rows = Vec::new();
        for risk in Risk::ALL.into_iter().rev().filter(|risk| *risk <= worst) {
            if self.filter.risk.is_some_and(|only| only != risk) {
                continue;
            }
            let from = after
                .filter(|cursor| cursor.risk == risk)
                .map_or(0, |cursor| cursor.seq);
            let limit = self.limit + 1 - rows.len();
            let (level, from, limit) = (risk as i64, to_sql(from)?, to_sql(limit as u64)?);
            let mut parameters: Vec<(&str, &dyn ToSql)> = vec![
                (":risk", &level),
                (":seq", &from),
                (":now", &self.now.0),
                (":limit", &limit),
            ];
            if let Some(tool) = &self.filter.tool {
                parameters.push((":tool", tool));
            }
            self.collect(&sql, &parameters, &mut rows)?;
            if rows.len() > self.limit {
                break;
            }
        }
        Ok(self.page(rows, |row| row.created_seq))
    }

    fn in_progress(&self, after: Option<&Cursor>) -> Result<Page, StorageError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM proposal INDEXED BY proposal_in_progress WHERE list = 'in_progress'
             AND created_seq < :seq AND (lapses_ms IS NULL OR lapses_ms > :now) {}
             ORDER BY created_seq DESC LIMIT :limit",
            self.residual()
        );
        self.newest_first(&sql, true, after, |row| row.created_seq)
    }

    fn all(&self, after: Option<&Cursor>) -> Result<Page, StorageError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM proposal WHERE created_seq < :seq {} ORDER BY created_seq DESC LIMIT :limit",
            self.residual()
        );
        self.newest_first(&sql, false, after, |row| row.created_seq)
    }

    fn done(&self, after: Option<&Cursor>) -> Result<Page, StorageError> {
        let index = match (&self.filter.tool, self.filter.risk) {
            (Some(_), _) => "proposal_done_tool",
            (None, Some(_)) => "proposal_done_risk",
            (None, None) => "proposal_done",
        };
        let recorded = format!(
            "SELECT {COLUMNS} FROM proposal INDEXED BY {index} WHERE list = 'done' AND last_seq < :seq {}
             ORDER BY last_seq DESC LIMIT :limit",
            self.residual()
        );
        // What time alone has ended since the newest entry. Few, so sorting them costs nothing.
        let lapsed = format!(
            "SELECT {COLUMNS} FROM proposal INDEXED BY proposal_lapses WHERE lapses_ms <= :now
             AND last_seq < :seq {} ORDER BY last_seq DESC LIMIT :limit",
            self.residual()
        );
        let mut rows = Vec::new();
        for (sql, timed) in [(recorded, false), (lapsed, true)] {
            self.descend(&sql, timed, after, &mut rows)?;
        }
        rows.sort_by_key(|row| core::cmp::Reverse(row.last_seq));
        Ok(self.page(rows, |row| row.last_seq))
    }

    fn search(&self, view: View, query: &str, after: Option<&Cursor>) -> Result<Page, StorageError> {
        let list = match view {
            View::ToDecide => Some("to_decide"),
            View::InProgress => Some("in_progress"),
            View::Done => Some("done"),
            View::All => None,
        };
        // Of most hits no more is read than says whether they are wanted.
        let sql = hits_sql("created_seq, lapses_ms, list, risk, tool");
        let line = format!("SELECT {COLUMNS} FROM proposal WHERE created_seq = ?1");
        let mut line = self.reader.connection.prepare_cached(&line)?;
        let mut statement = self.reader.connection.prepare_cached(&sql)?;
        let from = after.map_or(Ok(i64::MAX), |cursor| to_sql(cursor.seq))?;
        let mut hits = statement.query(named_params! {":query": query, ":seq": from, ":hits": MAX_HITS})?;
        let (mut rows, mut seen, mut last) = (Vec::new(), 0, 0);
        while let Some(hit) = hits.next()? {
            if rows.len() == self.limit {
                return Ok(Page {
                    rows,
                    next: Some(Cursor {
                        risk: Risk::Low,
                        seq: last,
                    }),
                });
            }
            seen += 1;
            last = from_sql(hit.get(0)?);
            let lapsed = hit.get::<_, Option<i64>>(1)?.is_some_and(|at| at <= self.now.0);
            let recorded = hit.get_ref(2)?.as_str().map_err(StorageError::damaged)?;
            let actual = if lapsed { "done" } else { recorded };
            let wanted = list.is_none_or(|list| list == actual)
                && self
                    .filter
                    .risk
                    .is_none_or(|risk| hit.get::<_, i64>(3).is_ok_and(|found| found == risk as i64))
                && self.filter.tool.as_ref().is_none_or(|tool| {
                    hit.get_ref(4)
                        .is_ok_and(|found| found.as_str().is_ok_and(|found| found == tool))
                });
            if wanted {
                rows.push(line.query_row([to_sql(last)?], |row| Ok(read(row, self.now)))??);
            }
        }
        let next = (seen == MAX_HITS).then_some(Cursor {
            risk: Risk::Low,
            seq: last,
        });
        Ok(Page { rows, next })
    }

    /// Conditions of the filter that no index may help with.
    fn residual(&self) -> String {
        let mut conditions = String::new();
        if self.filter.risk.is_some() {
            conditions.push_str(" AND risk = :risk");
        }
        if self.filter.tool.is_some() {
            conditions.push_str(" AND tool = :tool");
        }
        conditions
    }

    fn newest_first(
        &self,
        sql: &str,
        timed: bool,
        after: Option<&Cursor>,
        seq: impl Fn(&Row) -> u64,
    ) -> Result<Page, StorageError> {
        let mut rows = Vec::new();
        self.descend(sql, timed, after, &mut rows)?;
        Ok(self.page(rows, seq))
    }

    fn descend(
        &self,
        sql: &str,
        timed: bool,
        after: Option<&Cursor>,
        rows: &mut Vec<Row>,
    ) -> Result<(), StorageError> {
        let from = after.map_or(Ok(i64::MAX), |cursor| to_sql(cursor.seq))?;
        let limit = to_sql(self.limit as u64 + 1)?;
        let risk = self.filter.risk.map(|risk| risk as i64);
        let mut parameters: Vec<(&str, &dyn ToSql)> = vec![(":seq", &from), (":limit", &limit)];
        if timed {
            parameters.push((":now", &self.now.0));
        }
        if let Some(risk) = &risk {
            parameters.push((":risk", risk));
        }
        if let Some(tool) = &self.filter.tool {
            parameters.push((":tool", tool));
        }
        self.collect(sql, &parameters, rows)
    }

    fn collect(
        &self,
        sql: &str,
        parameters: &[(&str, &dyn ToSql)],
        into: &mut Vec<Row>,
    ) -> Result<(), StorageError> {
        let mut statement = self.reader.connection.prepare_cached(sql)?;
        let mut rows = statement.query(parameters)?;
        while let Some(row) = rows.next()? {
            into.push(read(row, self.now)?);
        }
        Ok(())
    }

    /// Cuts the rows to the page; that there was one more says that it goes on.
    fn page(&self, mut rows: Vec<Row>, seq: impl Fn(&Row) -> u64) -> Page {
        let more = rows.len() > self.limit;
        rows.truncate(self.limit);
        let next = rows.last().filter(|_| more).map(|row| Cursor {
            risk: row.risk,
            seq: seq(row),
        });
        Page { rows, next }
    }
}

/// Reads [`COLUMNS`].
fn read(row: &rusqlite::Row<'_>, now: UnixMillis) -> Result<Row, StorageError> {
    let blob = |at: usize| -> Result<Option<&[u8]>, StorageError> {
        row.get_ref(at)?.as_blob_or_null().map_err(StorageError::damaged)
    };
    let text = |at: usize| -> Result<&str, StorageError> {
        row.get_ref(at)?.as_str().map_err(StorageError::damaged)
    };
    let time = |at: usize| -> Result<Option<UnixMillis>, StorageError> {
        Ok(row.get::<_, Option<i64>>(at)?.map(UnixMillis))
    };
    let id = |what| StorageError::damaged(format!("a stored {what} is not one"));
    let recorded = Status::from_name(text(3)?).ok_or_else(|| id("status"))?;
    let expires_at = UnixMillis(row.get(10)?);
    let kind = text(8)?;
    Ok(Row {
        created_seq: from_sql(row.get(0)?),
        id: ProposalId::from_slice(blob(1)?.unwrap_or_default()).map_err(|_| id("id"))?,
        last_seq: from_sql(row.get(2)?),
        status: recorded.at(now, expires_at),
        risk: usize::try_from(row.get::<_, i64>(4)?)
            .ok()
            .and_then(|risk| Risk::ALL.get(risk).copied())
            .ok_or_else(|| id("risk"))?,
        tool: row.get(5)?,
        sentence: row.get(6)?,
        proposer: row.get(7)?,
        proposer_kind: [ProposerKind::Agent, ProposerKind::User, ProposerKind::System]
            .into_iter()
            .find(|known| project::proposer_kind(*known) == kind)
            .ok_or_else(|| id("proposer"))?,
        created_at: UnixMillis(row.get(9)?),
        expires_at,
        executor: match blob(11)? {
            None => Holder::Tenant,
            Some(device) => Holder::Device(DeviceId::from_slice(device).map_err(|_| id("device"))?),
        },
        connection: blob(12)?
            .map(ConnectionId::from_slice)
            .transpose()
            .map_err(|_| id("connection"))?,
        decided_at: time(13)?,
        ended_at: time(14)?,
        gap: match row.get_ref(15)?.as_str_or_null().map_err(StorageError::damaged)? {
            None => None,
            Some(name) => Some(Gap::from_name(name).ok_or_else(|| id("gap"))?),
        },
    })
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.risk as u8, self.seq)
    }
}

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let (risk, seq) = text.split_once('.').ok_or(InvalidCursor)?;
        let cursor = Self {
            risk: risk
                .parse()
                .ok()
                .and_then(|risk: usize| Risk::ALL.get(risk).copied())
                .ok_or(InvalidCursor)?,
            seq: seq
                .parse()
                .ok()
                .filter(|seq| to_sql(*seq).is_ok())
                .ok_or(InvalidCursor)?,
        };
        if cursor.to_string() == text {
            Ok(cursor)
        } else {
            Err(InvalidCursor)
        }
    }
}

//! Lists of proposals, and how many there are.
//!
//! Lists page by key, never by offset. What time alone has moved since the newest entry is put right on reading, so a
//! list and a count are exact at `now`.

mod counts;
mod list;
mod row;
mod words;

use core::{fmt, str::FromStr};

use countersign_domain::{UnixMillis, id::ProposalId, record::Risk};

pub use counts::Counts;
pub use row::Row;
pub(crate) use row::Stored;

use self::list::List;
use crate::{Reader, StorageError, entries::to_sql};

/// Most rows of one page.
const MAX_ROWS: u32 = 500;

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
            (None, View::ToDecide) => list.to_decide(after, &|_| false),
            (None, View::InProgress) => list.in_progress(after),
            (None, View::Done) => list.done(after),
            (None, View::All) => list.all(after),
        }
    }

    /// One page of [`View::ToDecide`] without what `decided` picks: what somebody has decided and these entries do not say
    /// yet. A search is not asked.
    ///
    /// # Errors
    /// When the database fails.
    pub fn to_decide(
        &self,
        filter: &Filter,
        after: Option<&Cursor>,
        limit: u32,
        now: UnixMillis,
        decided: &dyn Fn(ProposalId) -> bool,
    ) -> Result<Page, StorageError> {
        let list = List {
            reader: self,
            filter,
            now: self.clock(now)?,
            limit: limit.clamp(1, MAX_ROWS) as usize,
        };
        list.to_decide(after, decided)
    }

    /// What is not over, of each status the oldest `limit`; and whether there are more.
    ///
    /// # Errors
    /// When the database fails.
    pub fn oldest(&self, limit: u32, now: UnixMillis) -> Result<(Vec<Row>, bool), StorageError> {
        let list = List {
            reader: self,
            filter: &Filter::default(),
            now: self.clock(now)?,
            limit: limit.clamp(1, MAX_ROWS) as usize,
        };
        list.oldest()
    }

    /// What may have happened and waits for people, the oldest first: `limit` of them at most. A search is not asked.
    ///
    /// # Errors
    /// When the database fails.
    pub fn unknown(&self, filter: &Filter, limit: u32, now: UnixMillis) -> Result<Vec<Row>, StorageError> {
        let list = List {
            reader: self,
            filter,
            now: self.clock(now)?,
            limit: limit.clamp(1, MAX_ROWS) as usize,
        };
        list.unknown()
    }
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

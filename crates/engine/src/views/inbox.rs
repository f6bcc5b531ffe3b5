//! Lists of proposals: what the journal says, with what this person has decided here laid over it.

use std::sync::Arc;

use countersign_domain::{
    UnixMillis,
    fold::Status,
    id::ProposalId,
    people::People,
    record::{Kind, Mode, ProposerKind, Risk, Role},
};
use countersign_replica::{Cursor, Filter, Reader, Row, View};

use super::{StateKind, StateView, Tone, Words, today, words::view};
use crate::{Engine, EngineError, journal::JournalError, overlay::Overlay, rules, seat::Seat};

/// Which list, and what of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InboxQuery {
    pub view: InboxView,
    /// Words that all have to be in it.
    pub search: Option<String>,
    pub risk: Option<Risk>,
    /// Where the page before ended.
    pub after: Option<String>,
    /// 1 to 200.
    pub limit: u32,
}

/// The three lists.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InboxView {
    ToDecide,
    InProgress,
    Done,
}

/// Some rows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InboxPage {
    pub rows: Vec<InboxRow>,
    pub next: Option<String>,
    /// Rows in this view under this filter; a floor when `capped`.
    pub total: u64,
    pub capped: bool,
    /// Why there is nothing, on a first page without rows.
    pub empty: Option<Empty>,
    /// With an empty list to decide: what was done today.
    pub today: Today,
}

/// The three empty lists.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Empty {
    /// Nothing was ever proposed.
    FirstRun,
    Zero,
    /// The filter lets nothing through.
    Filter,
}

/// Since midnight.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Today {
    pub approved: u32,
    pub rejected: u32,
    /// Allowed by policy without asking; counted among the newest 500.
    pub automatic: u32,
}

/// Most rows of unknown outcome above the list to decide; the others are among those in progress.
const MOST_UNKNOWN: u32 = 50;

/// One line. What a decision is made on is the card.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InboxRow {
    pub id: ProposalId,
    /// What would not be seen is visible in it.
    pub sentence: String,
    pub tool: String,
    pub risk: Risk,
    pub proposer: String,
    pub proposer_kind: ProposerKind,
    pub created_at: UnixMillis,
    pub expires_at: UnixMillis,
    pub state: StateView,
    /// Whether this person can decide it.
    pub decidable: bool,
}

impl Engine {
    /// One page of a list.
    ///
    /// # Errors
    /// When nobody is signed in, or the cursor is none.
    pub async fn inbox(&self, query: InboxQuery) -> Result<InboxPage, EngineError> {
        let seat = self.seat()?;
        if let Some(page) = seat.first_look.page(&query) {
            return Ok(page);
        }
        let overlay = Overlay::load(&seat).await?;
        let people = seat.people().await?;
        let after = query.after.as_deref().map(str::parse).transpose();
        let after: Option<Cursor> = after.map_err(|_| EngineError::invalid("after", "That page is gone."))?;
        let lister = Lister {
            seat: Arc::clone(&seat),
            people,
            overlay,
            query: query.clone(),
        };
        let mut page = seat
            .journal
            .read(move |reader| lister.page(reader, after))
            .await?;
        if page.rows.is_empty() && query.after.is_none() && query.view == InboxView::ToDecide {
            page.today = today::today(&seat).await?;
        }
        Ok(page)
    }

    /// The proposal that comes next in the list to decide, other than this one.
    ///
    /// # Errors
    /// When nobody is signed in.
    pub async fn next_to_decide(&self, than: ProposalId) -> Result<Option<ProposalId>, EngineError> {
        let seat = self.seat()?;
        if seat.first_look.is_over().is_err() {
            return Ok(None);
        }
        let lister = Lister {
            seat: Arc::clone(&seat),
            people: seat.people().await?,
            overlay: Overlay::load(&seat).await?,
            query: InboxQuery {
                view: InboxView::ToDecide,
                search: None,
                risk: None,
                after: None,
                limit: 20,
            },
        };
        let next = seat.journal.read(move |reader| lister.next(reader, than));
        Ok(next.await?)
    }
}

struct Lister {
    seat: Arc<Seat>,
    people: Arc<People>,
    overlay: Overlay,
    query: InboxQuery,
}

impl Lister {
    fn page(&self, reader: &Reader, after: Option<Cursor>) -> Result<InboxPage, JournalError> {
        let filter = Filter {
            risk: self.query.risk,
            tool: None,
            search: self.query.search.clone().filter(|words| !words.trim().is_empty()),
        };
        let filtered = filter.risk.is_some() || filter.search.is_some();
        let (now, limit) = (self.seat.now(), self.query.limit.clamp(1, 200));
        let found = if self.query.view == InboxView::ToDecide && filter.search.is_none() {
            reader.to_decide(&filter, after.as_ref(), limit, now, &|id| {
                self.overlay.is_mine(id)
            })?
        } else {
            reader.inbox(self.view(), &filter, after.as_ref(), limit, now)?
        };
        let mut rows = Vec::new();
        if self.query.view == InboxView::ToDecide && after.is_none() && filter.search.is_none() {
            // Before everything else: it may have happened, and nobody knows.
            for row in reader.unknown(&filter, MOST_UNKNOWN, now)? {
                rows.push(self.row(reader, row)?);
            }
        }
        if self.query.view == InboxView::InProgress && after.is_none() {
            self.add_mine(reader, &filter, &mut rows)?;
        }
        for row in found.rows {
            let mine = self.overlay.is_mine(row.id);
            let elsewhere = mine && self.query.view == InboxView::ToDecide;
            let first = self.query.view == InboxView::InProgress && mine;
            if !elsewhere && !first {
                rows.push(self.row(reader, row)?);
            }
        }
        let (total, capped) = self.total(reader, &filter, rows.len(), found.next.is_some())?;
        let empty = (rows.is_empty() && found.next.is_none() && after.is_none()).then(|| {
            if filtered {
                Empty::Filter
            } else if reader
                .inbox(View::All, &Filter::default(), None, 1, now)
                .is_ok_and(|all| all.rows.is_empty())
            {
                Empty::FirstRun
            } else {
                Empty::Zero
            }
        });
        Ok(InboxPage {
            rows,
            next: found.next.map(|next| next.to_string()),
            total,
            capped,
            empty,
            today: Today::default(),
        })
    }

    /// The first that can be decided, other than this one.
    fn next(&self, reader: &Reader, than: ProposalId) -> Result<Option<ProposalId>, JournalError> {
        let passed = |id: ProposalId| id == than || self.overlay.is_mine(id);
        let (now, limit) = (self.seat.now(), self.query.limit);
        let found = reader.to_decide(&Filter::default(), None, limit, now, &passed)?;
        for row in found.rows {
            if self.decidable(reader, &row)? {
                return Ok(Some(row.id));
            }
        }
        Ok(None)
    }

    const fn view(&self) -> View {
        match self.query.view {
            InboxView::ToDecide => View::ToDecide,
            InboxView::InProgress => View::InProgress,
            InboxView::Done => View::Done,
        }
    }

    /// What this person has decided here is in progress, whatever the journal says yet.
    fn add_mine(
        &self,
        reader: &Reader,
        filter: &Filter,
        rows: &mut Vec<InboxRow>,
    ) -> Result<(), JournalError> {
        for id in self.overlay.ids() {
            let Some(row) = reader.row(id, self.seat.now())? else {
                continue;
            };
            let words = filter.search.as_deref().unwrap_or_default().to_lowercase();
            let line = row.sentence.to_lowercase();
            let fits = filter.risk.is_none_or(|risk| risk == row.risk)
                && words.split_whitespace().all(|word| line.contains(word));
            if fits {
                rows.push(self.row(reader, row)?);
            }
        }
        Ok(())
    }

    fn row(&self, reader: &Reader, row: Row) -> Result<InboxRow, JournalError> {
        let words = Words::new(&self.seat, &self.people);
        let mine = self.overlay.get(row.id);
        let state = match mine.and_then(|mine| words.under_way(row.status, row.created_at, mine)) {
            Some(state) => state,
            None => self.journalled(reader, &row, &words)?,
        };
        let decidable = mine.is_none() && row.status == Status::Proposed && self.decidable(reader, &row)?;
        Ok(InboxRow {
            id: row.id,
            sentence: row.sentence,
            tool: row.tool,
            risk: row.risk,
            proposer: row.proposer,
            proposer_kind: row.proposer_kind,
            created_at: row.created_at,
            expires_at: row.expires_at,
            state,
            decidable,
        })
    }

    /// What has come of it is told exactly, and so is who ended it; the rest of a long list is told from its line.
    fn journalled(&self, reader: &Reader, row: &Row, words: &Words<'_>) -> Result<StateView, JournalError> {
        let mine = self.overlay.get(row.id);
        let exact = mine.is_some()
            || matches!(
                row.status,
                Status::Pending | Status::Running | Status::Rejected | Status::Withdrawn
            )
            || (row.status == Status::Proposed && reader.has_entry(row.id, Kind::Remark)?);
        let card = if exact { reader.proposal(row.id)? } else { None };
        Ok(match card {
            Some(card) => words.state(&card.state, mine),
            None => line_state(words, row),
        })
    }

    fn decidable(&self, reader: &Reader, row: &Row) -> Result<bool, JournalError> {
        let person = self.seat.person();
        if row.gap.is_some() || !self.people.role(person).is_some_and(Role::decides) {
            return Ok(false);
        }
        // Only in a company can it matter who proposed it, and a line does not say.
        let may_be_own = self.people.mode() == Mode::Company
            && (row.proposer_kind == ProposerKind::User
                || self.people.agents.values().any(|agent| agent.owner.is_some()));
        if !may_be_own {
            return Ok(true);
        }
        let card = reader.proposal(row.id)?;
        Ok(card.is_some_and(|card| rules::decidable(&card, &self.people, person, self.seat.now())))
    }

    fn total(
        &self,
        reader: &Reader,
        filter: &Filter,
        here: usize,
        more: bool,
    ) -> Result<(u64, bool), JournalError> {
        let floor = u64::try_from(here).unwrap_or(u64::MAX);
        if filter.search.is_some() || (filter.risk.is_some() && self.query.view != InboxView::ToDecide) {
            return Ok((floor, more));
        }
        let counts = reader.counts(self.seat.now())?;
        let mine = reader.to_decide_among(self.overlay.ids(), self.seat.now())?;
        let mine = match filter.risk {
            Some(risk) => mine[risk as usize],
            None => mine.iter().sum(),
        };
        Ok(match self.query.view {
            InboxView::ToDecide => {
                let all = match filter.risk {
                    Some(risk) => counts.to_decide[risk as usize],
                    None => counts.to_decide(),
                };
                let unknown = reader.unknown(filter, MOST_UNKNOWN, self.seat.now())?.len();
                let unknown = u64::try_from(unknown).unwrap_or(u64::MAX);
                (all.saturating_sub(mine).saturating_add(unknown), false)
            }
            InboxView::InProgress => (counts.in_progress.saturating_add(mine), false),
            InboxView::Done => (counts.done, false),
        })
    }
}

/// The state as a list's line has it.
fn line_state(words: &Words<'_>, row: &Row) -> StateView {
    let ended = |what: &str| {
        row.ended_at
            .map_or_else(|| what.to_owned(), |at| format!("{what} {}", words.time(at)))
    };
    match row.status {
        Status::Proposed => view(
            StateKind::Proposed,
            "Waits for a decision",
            Some(row.created_at),
            Tone::Neutral,
        ),
        Status::Pending => view(StateKind::Pending, "Approved", row.decided_at, Tone::Good),
        Status::Running => view(StateKind::Running, "Running", None, Tone::Busy),
        Status::Completed => view(StateKind::Completed, ended("Done"), row.ended_at, Tone::Good),
        Status::Failed => view(StateKind::Failed, ended("Failed"), row.ended_at, Tone::Bad),
        Status::Unknown => view(
            StateKind::Unknown,
            "Unknown: may have happened",
            row.ended_at,
            Tone::Warn,
        ),
        Status::Rejected => view(StateKind::Rejected, "Rejected", row.decided_at, Tone::Bad),
        Status::Denied => view(StateKind::Denied, "Denied by policy", None, Tone::Bad),
        Status::Expired => {
            let expired = format!("Expired {}", words.time(row.expires_at));
            view(StateKind::Expired, expired, Some(row.expires_at), Tone::Warn)
        }
        Status::Withdrawn => view(
            StateKind::Withdrawn,
            "Taken back by its proposer",
            row.ended_at,
            Tone::Neutral,
        ),
        Status::Superseded => view(StateKind::Superseded, "Replaced", row.ended_at, Tone::Neutral),
    }
}

//! How many there are.

use countersign_domain::{
    UnixMillis,
    id::{ConnectionId, ProposalId},
};
use rusqlite::{OptionalExtension, params};

use crate::{Reader, StorageError, entries::from_sql};

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

    /// How many of these are in [`super::View::ToDecide`] at `now`, by risk, mildest first.
    ///
    /// # Errors
    /// When the database fails.
    pub fn to_decide_among(
        &self,
        among: impl Iterator<Item = ProposalId>,
        now: UnixMillis,
    ) -> Result<[u64; 4], StorageError> {
        let now = self.clock(now)?;
        let mut statement = self.connection.prepare_cached(
            "SELECT risk FROM proposal WHERE id = ?1 AND list = 'to_decide' AND lapses_ms > ?2",
        )?;
        let mut counts = [0; 4];
        for id in among {
            let risk = statement
                .query_row(params![&id.as_bytes()[..], now.0], |row| row.get::<_, i64>(0))
                .optional()?;
            let risk = risk.and_then(|risk| usize::try_from(risk).ok());
            if let Some(count) = risk.and_then(|risk| counts.get_mut(risk)) {
                *count += 1;
            }
        }
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
}

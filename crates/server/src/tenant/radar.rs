//! Whose move it is, of everything that is not over.

use countersign_domain::{
    UnixMillis,
    fold::ProposalState,
    people::People,
    radar::{self, MOST_OF_A_STATUS, Move, WAITING},
};
use rusqlite::Connection;

use super::{
    Tenant,
    proposals::{self, Stored},
    writer::StoreError,
};

impl Tenant {
    /// What is not over with whose move it is, what is due first ahead; and whether there are more than are looked at.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn radar(&self) -> Result<(Vec<(Stored, Move)>, bool), StoreError> {
        let (now, people) = (self.now(), self.people());
        let (found, capped) = self
            .read(move |connection| oldest(connection, MOST_OF_A_STATUS, now))
            .await?;
        let moves = found.into_iter().filter_map(|stored| {
            let next = waits_for(&people, &stored.state, now)?;
            Some((stored, next))
        });
        let mut moves: Vec<_> = moves.collect();
        moves.sort_by_key(|(_, next)| next.due);
        Ok((moves, capped))
    }
}

/// Whose move it is.
pub(crate) fn waits_for(people: &People, state: &ProposalState, now: UnixMillis) -> Option<Move> {
    let stopped = people.stopped(&state.proposer, &state.tool);
    radar::next_move(state, stopped.map(|(_, stopped)| stopped.at), now)
}

/// Of each status that is not over the oldest `most`; and whether there are more.
fn oldest(db: &Connection, most: u32, now: UnixMillis) -> Result<(Vec<Stored>, bool), StoreError> {
    let sql = format!(
        "SELECT {} FROM proposal WHERE status = ?1 AND (status > 1 OR expires_ms > ?2) ORDER BY created_seq LIMIT ?3",
        proposals::COLUMNS
    );
    let mut statement = db.prepare_cached(&sql)?;
    let (mut found, mut capped) = (Vec::new(), false);
    for status in WAITING {
        let whole = found.len() + most as usize;
        let mut rows = statement.query((status as i64, now.0, most + 1))?;
        while let Some(row) = rows.next()? {
            found.push(proposals::read(row)?);
        }
        capped |= found.len() > whole;
        found.truncate(whole);
    }
    Ok((found, capped))
}

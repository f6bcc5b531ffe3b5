//! Who has how many proposals that wait for people: what keeps software that does not stop from filling the inbox.

use std::collections::HashMap;

use countersign_domain::{
    UnixMillis,
    fold::{ProposalState, Status},
    id::ProposalId,
};
use rusqlite::Connection;

use super::writer::StoreError;

/// By proposer: what waits, and until when at most.
#[derive(Debug)]
pub(super) struct Waiting(HashMap<String, HashMap<ProposalId, UnixMillis>>);

impl Waiting {
    /// Reads it from the file, the running transaction included.
    pub(super) fn read(connection: &Connection) -> Result<Self, StoreError> {
        let mut waiting = HashMap::<String, HashMap<ProposalId, UnixMillis>>::new();
        let mut statement =
            connection.prepare("SELECT proposer, id, expires_ms FROM proposal WHERE status = 0")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let id = ProposalId::from_slice(&row.get::<_, Vec<u8>>(1)?).map_err(StoreError::damaged)?;
            let of = waiting.entry(row.get(0)?).or_default();
            of.insert(id, UnixMillis(row.get(2)?));
        }
        Ok(Self(waiting))
    }

    /// Takes a changed proposal into account.
    pub(super) fn note(&mut self, state: &ProposalState) {
        let proposer = &state.proposer.id;
        if state.recorded_status() != Status::Proposed {
            if let Some(of) = self.0.get_mut(proposer) {
                of.remove(&state.id);
            }
        } else if let Some(of) = self.0.get_mut(proposer) {
            of.insert(state.id, state.expires_at);
        } else {
            self.0
                .insert(proposer.clone(), [(state.id, state.expires_at)].into());
        }
    }

    /// Whether so many of the proposer's wait at `now`.
    pub(super) fn has(&mut self, proposer: &str, most: usize, now: UnixMillis) -> bool {
        let Some(of) = self.0.get_mut(proposer) else {
            return most == 0;
        };
        if of.len() >= most {
            // What has run out waits no more, whether or not anybody wrote that down.
            of.retain(|_, expires_at| *expires_at > now);
        }
        of.len() >= most
    }
}

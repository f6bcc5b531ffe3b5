//! What people have said no to, by what was asked for. Whoever asks for the same again is told, and it is never allowed by
//! itself.
//!
//! Kept in memory beside the file. What a batch notes and then loses is noted all the same: it makes somebody ask once more,
//! and nothing else.

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
};

use countersign_domain::{
    Digest, Millis, UnixMillis,
    id::{ProposalId, UserId},
    record::{Decision, Proposal},
};
use rusqlite::{Connection, params};

use super::{Tenant, desk::Desk, entries, proposals::Stored, writer::StoreError};

/// For how long a no is remembered against the same request.
const REMEMBERED: Millis = Millis::hours(30 * 24);

/// The last no to a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Denied {
    pub at: UnixMillis,
    pub by: UserId,
    pub reason: Option<String>,
}

/// Every no that is remembered, by the digest of what was asked for.
#[derive(Debug, Default)]
pub(super) struct Denials(RwLock<HashMap<Digest, Denied>>);

impl Denials {
    /// Those that are still remembered.
    pub(super) fn read(connection: &Connection, now: UnixMillis) -> Result<Self, StoreError> {
        let since = UnixMillis(now.0 - REMEMBERED.0);
        let mut statement =
            connection.prepare("SELECT intent, at_ms, person, reason FROM denial WHERE at_ms > ?1")?;
        let mut rows = statement.query([since.0])?;
        let mut denials = HashMap::new();
        while let Some(row) = rows.next()? {
            let intent = Digest::from_slice(&row.get::<_, Vec<u8>>(0)?).map_err(StoreError::damaged)?;
            let by = UserId::from_slice(&row.get::<_, Vec<u8>>(2)?).map_err(StoreError::damaged)?;
            let (at, reason) = (UnixMillis(row.get(1)?), row.get(3)?);
            denials.insert(intent, Denied { at, by, reason });
        }
        Ok(Self(RwLock::new(denials)))
    }

    pub(super) fn get(&self, intent: Digest, now: UnixMillis) -> Option<Denied> {
        let denials = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let found = denials
            .get(&intent)
            .filter(|denied| now.since(denied.at) < REMEMBERED);
        found.cloned()
    }

    fn put(&self, intent: Digest, denied: Denied) {
        let mut denials = self.0.write().unwrap_or_else(PoisonError::into_inner);
        denials.insert(intent, denied);
    }
}

impl Tenant {
    /// The last no to the same request, if it is remembered.
    pub(crate) fn denied_before(&self, intent: Digest) -> Option<Denied> {
        self.inner.denials.get(intent, self.now())
    }
}

/// Forgets the words with which this proposal was denied: that it was, by whom and when stays.
pub(super) fn forget_words(desk: &Desk, id: ProposalId, intent: Digest) -> Result<(), StoreError> {
    let changed = desk
        .connection()
        .prepare_cached("UPDATE denial SET reason = NULL WHERE intent = ?1 AND proposal = ?2")?
        .execute(params![intent.as_bytes(), id.as_bytes()])?;
    if changed > 0
        && let Some(denied) = desk.denials().get(intent, desk.now())
    {
        desk.denials().put(
            intent,
            Denied {
                reason: None,
                ..denied
            },
        );
    }
    Ok(())
}

/// Remembers the no that was just said.
pub(super) fn note(desk: &Desk, stored: &Stored, decision: &Decision) -> Result<(), StoreError> {
    let intent = match &stored.proposal {
        Some(proposal) => proposal.intent(),
        None => {
            let (_, record) = entries::record_at(desk.connection(), stored.state.created_seq)?;
            record.body::<Proposal>().map_err(StoreError::damaged)?.intent()
        }
    }
    .map_err(StoreError::damaged)?;
    let denied = Denied {
        at: desk.now(),
        by: decision.approver,
        reason: decision.comment.clone(),
    };
    desk.connection()
        .prepare_cached(
            "INSERT INTO denial (intent, proposal, at_ms, person, reason) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (intent) DO UPDATE SET proposal = excluded.proposal, at_ms = excluded.at_ms,
                 person = excluded.person, reason = excluded.reason",
        )?
        .execute(params![
            intent.as_bytes(),
            stored.state.id.as_bytes(),
            denied.at.0,
            &denied.by.as_bytes()[..],
            denied.reason,
        ])?;
    desk.denials().put(intent, denied);
    Ok(())
}

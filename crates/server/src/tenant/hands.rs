//! What the server's own executor gets to do: a call is leased in the commit that makes it due, so that nobody has to
//! look for it.
//!
//! These leases are in memory: the process that would begin such a call ends with them. Their numbers are in the file, so
//! that none is given twice. Losing a message costs time, never a call: the executor also looks by itself, with a claim.

use std::{collections::HashMap, sync::Arc};

use countersign_domain::{
    Digest, UnixMillis,
    execution::{Authority, Blocked, LEASE},
    id::ProposalId,
    record::Holder,
};
use tokio::sync::mpsc;

use super::{desk::Desk, proposals::Stored, writer::StoreError};

/// What a commit has for the server's own executor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Work {
    /// It may begin this call, under this fence.
    Leased(ProposalId, u64),
    /// A call is held until then.
    Held(UnixMillis),
}

/// The server's own executor, as the writer knows it.
#[derive(Clone, Debug)]
pub(super) struct Hands {
    /// The tools it has, by the digests of their manifests.
    pub manifests: Arc<[Digest]>,
    pub work: mpsc::UnboundedSender<Work>,
}

/// The leases that the server's own executor has and has not begun, each with its end. What a batch changes counts once
/// it is committed.
#[derive(Debug, Default)]
pub(super) struct Leases {
    committed: HashMap<ProposalId, UnixMillis>,
    batch: HashMap<ProposalId, Option<UnixMillis>>,
}

impl Leases {
    /// Until when it stands.
    pub(super) fn of(&self, proposal: ProposalId) -> Option<UnixMillis> {
        let committed = || self.committed.get(&proposal).copied();
        self.batch.get(&proposal).copied().unwrap_or_else(committed)
    }

    pub(super) fn give(&mut self, proposal: ProposalId, until: UnixMillis) {
        self.batch.insert(proposal, Some(until));
    }

    pub(super) fn end(&mut self, proposal: ProposalId) {
        if self.of(proposal).is_some() {
            self.batch.insert(proposal, None);
        }
    }

    /// Ends all of them: whoever had them is gone.
    pub(super) fn end_all(&mut self) {
        self.committed.clear();
        self.batch.clear();
    }

    pub(super) fn commit(&mut self) {
        for (proposal, until) in self.batch.drain() {
            match until {
                Some(until) => self.committed.insert(proposal, until),
                None => self.committed.remove(&proposal),
            };
        }
    }

    pub(super) fn abandon(&mut self) {
        self.batch.clear();
    }
}

impl Desk {
    /// Whether a stop stands over it: nothing in its scope is leased, and nothing begins.
    pub(super) fn stands_still(&self, stored: &Stored) -> bool {
        let people = self.people();
        // Nearly always there is none.
        !people.stops.is_empty()
            && people
                .stopped(&stored.state.proposer, &stored.state.tool)
                .is_some()
    }

    /// Leases to the server's own executor what may begin now. The caller saves.
    pub(super) fn offer(&mut self, stored: &mut Stored) {
        let (id, now) = (stored.state.id, self.now());
        if stored.state.executor != Holder::Tenant {
            return;
        }
        let authority = Authority::of(&stored.state, now);
        let still = self.stands_still(stored);
        if authority.is_err() || still {
            self.leases().end(id);
        }
        if still {
            return;
        }
        let manifest = stored.state.manifest;
        let there = self
            .hands()
            .is_some_and(|hands| !hands.work.is_closed() && hands.manifests.contains(&manifest));
        if !there || self.leases().of(id).is_some_and(|until| until > now) {
            return;
        }
        match authority {
            Ok(_) => {
                stored.fence += 1;
                self.leases().give(id, now + LEASE);
                self.put_to_work(Work::Leased(id, stored.fence));
            }
            Err(Blocked::Held(until)) => self.put_to_work(Work::Held(until)),
            // An approval that has become too old is voided where the executor looks by itself.
            Err(Blocked::Status(_) | Blocked::Stale(..)) => {}
        }
    }
}

/// The executor has not begun it and will not: it may be leased again.
pub(super) fn give_back(desk: &mut Desk, proposal: ProposalId, fence: u64) -> Result<(), StoreError> {
    let newest = desk.proposal(proposal)?.map(|stored| stored.fence);
    if newest == Some(fence) {
        desk.leases().end(proposal);
    }
    Ok(())
}

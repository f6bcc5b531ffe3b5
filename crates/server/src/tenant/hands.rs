//! What the server's own executor gets to do: a call is leased in the commit that makes it due, so that nobody has to
//! look for it.
//!
//! Losing a message costs time, never a call: the executor also looks by itself, with a claim.

use std::sync::Arc;

use countersign_domain::{
    Digest, UnixMillis,
    execution::{Authority, Blocked},
    id::ProposalId,
    record::Holder,
};
use tokio::sync::mpsc;

use super::{desk::Desk, proposals::Stored, run::LEASE};

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

impl Desk {
    /// Leases to the server's own executor what may begin now. The caller saves.
    pub(super) fn offer(&mut self, stored: &mut Stored) {
        let now = self.now();
        let can = self
            .hands()
            .is_some_and(|hands| hands.manifests.contains(&stored.state.manifest));
        let leased = stored.lease.is_some_and(|until| until > now);
        if stored.state.executor != Holder::Tenant || !can || leased {
            return;
        }
        match Authority::of(&stored.state, now) {
            Ok(_) => {
                stored.fence += 1;
                stored.lease = Some(now + LEASE);
                self.put_to_work(Work::Leased(stored.state.id, stored.fence));
            }
            Err(Blocked::Held(until)) => self.put_to_work(Work::Held(until)),
            // An approval that has become too old is voided where the executor looks by itself.
            Err(Blocked::Status(_) | Blocked::Stale(..)) => {}
        }
    }
}

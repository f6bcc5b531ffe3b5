//! Proposals that recent commits touched, as committed: what is proposed, decided and run within minutes is not read back
//! from the file at every step.
//!
//! INVARIANT: only the writer puts something in, after the commit that holds it and before anyone is told; so what is
//! here is the newest committed state, and what is not is in the file.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, PoisonError, RwLock},
};

use countersign_domain::id::ProposalId;

use super::proposals::Stored;

/// How much of it is kept, in bytes.
const ROOM: usize = 4 << 20;

/// The newest state of some proposals.
#[derive(Debug, Default)]
pub(super) struct Recent(RwLock<Shelf>);

#[derive(Debug, Default)]
struct Shelf {
    kept: HashMap<ProposalId, Arc<Stored>>,
    /// In the order in which they came; the first makes room.
    order: VecDeque<ProposalId>,
    bytes: usize,
}

impl Recent {
    /// The proposal as the last commit left it; `None` when it has to be read from the file.
    pub(super) fn get(&self, id: ProposalId) -> Option<Arc<Stored>> {
        let shelf = self.0.read().unwrap_or_else(PoisonError::into_inner);
        shelf.kept.get(&id).map(Arc::clone)
    }

    /// The proposal is to be read from the file again, if it is still there.
    pub(super) fn forget(&self, id: ProposalId) {
        let mut shelf = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(gone) = shelf.kept.remove(&id) {
            shelf.bytes -= gone.weight();
            shelf.order.retain(|kept| *kept != id);
        }
    }

    /// Takes what a commit has changed.
    pub(super) fn put(&self, changed: impl Iterator<Item = Stored>) {
        let mut shelf = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for stored in changed {
            let id = stored.state.id;
            shelf.bytes += stored.weight();
            match shelf.kept.insert(id, Arc::new(stored)) {
                Some(before) => shelf.bytes -= before.weight(),
                None => shelf.order.push_back(id),
            }
        }
        while shelf.bytes > ROOM
            && let Some(oldest) = shelf.order.pop_front()
        {
            if let Some(gone) = shelf.kept.remove(&oldest) {
                shelf.bytes -= gone.weight();
            }
        }
    }
}

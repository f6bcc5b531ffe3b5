//! What this person has decided here and the journal does not say yet, laid over what it says.

use std::{collections::BTreeMap, sync::Arc};

use countersign_domain::{id::ProposalId, record::Kind};

use crate::{
    seat::Seat,
    store::{Entry, Held, StoreError, outbox, settings},
    withdraw,
};

/// The person's own decisions that are under way, by proposal.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overlay(Arc<BTreeMap<ProposalId, Mine>>);

/// What is under way about one proposal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Mine {
    /// A rejection or a withdrawal in its time for undo.
    Held(Held),
    /// The newest decision, withdrawal or word on the outcome that the journal does not have.
    Signed(Entry),
}

impl Overlay {
    /// As it is at this moment.
    pub(crate) async fn load(seat: &Seat) -> Result<Self, StoreError> {
        let account = seat.account.id;
        let (open, held) = seat
            .store
            .read(move |db| Ok((outbox::open(db, account)?, settings::held(db, account)?)))
            .await?;
        let mut mine = BTreeMap::new();
        for entry in open {
            let Some(id) = entry.proposal else {
                continue;
            };
            let said = matches!(entry.kind, Kind::Decision | Kind::Resolution)
                || (entry.kind == Kind::Withdraw && !is_withdrawn(seat, &entry, id).await?);
            if said {
                mine.insert(id, Mine::Signed(entry));
            }
        }
        mine.extend(held.into_iter().map(|held| (held.proposal, Mine::Held(held))));
        Ok(Self(Arc::new(mine)))
    }

    /// What is under way about a proposal.
    pub(crate) fn get(&self, id: ProposalId) -> Option<&Mine> {
        self.0.get(&id)
    }

    /// Whether the person has decided it here, counted or not.
    pub(crate) fn is_mine(&self, id: ProposalId) -> bool {
        self.0.contains_key(&id)
    }

    /// Every proposal that is under way.
    pub(crate) fn ids(&self) -> impl ExactSizeIterator<Item = ProposalId> + '_ {
        self.0.keys().copied()
    }
}

/// Whether the journal says already that the proposal was taken back.
async fn is_withdrawn(seat: &Seat, entry: &Entry, id: ProposalId) -> Result<bool, StoreError> {
    let now = seat.now();
    let row = seat.journal.read(move |reader| Ok(reader.row(id, now)?)).await;
    let row = row.map_err(StoreError::damaged)?;
    Ok(row.is_some_and(|row| withdraw::is_journalled(entry, row.status)))
}

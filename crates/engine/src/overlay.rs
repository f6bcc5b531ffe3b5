//! What this person has decided here and the journal does not say yet, laid over what it says.

use std::{collections::BTreeMap, sync::Arc};

use countersign_domain::{fold::Status, id::ProposalId, record::Kind};

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
        Ok(Self(Arc::new(under_way(seat, open, held).await?)))
    }

    /// What is under way about one proposal. Nothing is read of the others, of which there may be thousands.
    pub(crate) async fn of(seat: &Seat, id: ProposalId) -> Result<Option<Mine>, StoreError> {
        let account = seat.account.id;
        let (open, held) = seat
            .store
            .read(move |db| {
                let open = outbox::open_about(db, account, id)?;
                Ok((open, settings::held_about(db, account, id)?))
            })
            .await?;
        Ok(under_way(seat, open, held).await?.remove(&id))
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

/// `open` in its order.
async fn under_way(
    seat: &Seat,
    open: Vec<Entry>,
    held: Vec<Held>,
) -> Result<BTreeMap<ProposalId, Mine>, StoreError> {
    let taken_back = open.iter().filter(|entry| entry.kind == Kind::Withdraw);
    let statuses = statuses(seat, taken_back.filter_map(|entry| entry.proposal).collect()).await?;
    let mut mine = BTreeMap::new();
    for entry in open {
        // What was refused stands in nobody's way: see the module `refused`.
        let Some(id) = entry.proposal.filter(|_| !entry.state.is_refused()) else {
            continue;
        };
        let is_journalled = |status| withdraw::is_journalled(&entry, status);
        let said = matches!(entry.kind, Kind::Decision | Kind::Resolution)
            || (entry.kind == Kind::Withdraw && !statuses.get(&id).copied().is_some_and(is_journalled));
        if said {
            mine.insert(id, Mine::Signed(entry));
        }
    }
    mine.extend(held.into_iter().map(|held| (held.proposal, Mine::Held(held))));
    Ok(mine)
}

/// Where the journal has these.
async fn statuses(seat: &Seat, ids: Vec<ProposalId>) -> Result<BTreeMap<ProposalId, Status>, StoreError> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let now = seat.now();
    let rows = seat
        .journal
        .read(move |reader| {
            let rows = ids.into_iter().map(|id| reader.row(id, now));
            Ok(rows.collect::<Result<Vec<_>, _>>()?)
        })
        .await
        .map_err(StoreError::damaged)?;
    Ok(rows
        .into_iter()
        .flatten()
        .map(|row| (row.id, row.status))
        .collect())
}

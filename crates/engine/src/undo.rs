//! Taking back. An undo is a new record; a number of the device's chain is never used twice.

use std::sync::Arc;

use countersign_domain::{
    Digest, Record,
    id::ProposalId,
    record::{Assurance, Decision, Verdict},
};
use countersign_replica::Card;

use crate::{
    decide::{shown, sign, told},
    error::EngineError,
    overlay::{Mine, Overlay},
    rules,
    seat::Seat,
    store::{EntryState, outbox, settings},
};

/// Takes back what the person said: a held rejection is let go, an approval is retracted by a new record.
pub(crate) async fn undo(seat: &Arc<Seat>, id: ProposalId) -> Result<(), EngineError> {
    let account = seat.account.id;
    if seat
        .store
        .write(move |tx| settings::release(tx, account, id))
        .await?
    {
        told(seat, id);
        return Ok(());
    }
    let card = seat
        .journal
        .read(move |reader| Ok(reader.proposal(id)?))
        .await?
        .ok_or_else(EngineError::not_found)?;
    let mine = Overlay::of(seat, id).await?;
    let approval = undoable(seat, &card, mine.as_ref())
        .ok_or_else(|| EngineError::refused("It cannot be undone any more."))?;
    let stored = seat.store.read(move |db| outbox::envelope(db, approval)).await?;
    let view = match stored.and_then(|envelope| Record::from_envelope(envelope).ok()?.body::<Decision>().ok())
    {
        Some(decision) => decision.view,
        None => shown(&card).0,
    };
    sign(
        seat,
        &card,
        Verdict::Retract,
        view,
        Assurance::Device,
        None,
        Some(approval),
    )
    .await?;
    told(seat, id);
    Ok(())
}

/// The person's approval that can still be taken back.
pub(crate) fn undoable(seat: &Seat, card: &Card, mine: Option<&Mine>) -> Option<Digest> {
    if !card.state.status(seat.now()).is_open() {
        return None;
    }
    match mine {
        Some(Mine::Held(_)) => None,
        Some(Mine::Signed(entry)) => {
            let alive = match &entry.state {
                EntryState::Waiting => true,
                EntryState::Answered(answer) | EntryState::Folded(answer) => answer.effective,
            };
            (alive && entry.verdict == Some(Verdict::Approve)).then_some(entry.digest)
        }
        None => rules::standing_approval(&card.state, seat.person()).map(|cast| cast.digest),
    }
}

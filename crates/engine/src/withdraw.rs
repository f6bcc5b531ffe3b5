//! Taking one's own request back: held for undo as a rejection is, then signed by this device like everything that it
//! says.

use std::sync::Arc;

use countersign_domain::{
    fold::Status,
    id::ProposalId,
    record::{Actor, Kind, Withdraw},
};

use crate::{
    decide::{UNDO, shown, told},
    error::EngineError,
    overlay::Overlay,
    rules::{self, Viewer},
    seat::{About, Seat, nonce},
    store::{Entry, EntryState, Held, HeldWhat, settings},
};

/// Holds the withdrawal of a request of this person's own that is still open.
pub(crate) async fn withdraw(seat: &Arc<Seat>, id: ProposalId) -> Result<(), EngineError> {
    let card = seat.journal.read(move |reader| Ok(reader.proposal(id)?)).await?;
    let card = card.ok_or_else(EngineError::not_found)?;
    if Overlay::of(seat, id).await?.is_some() {
        return Err(EngineError::refused("You have decided this already."));
    }
    let viewer = Viewer {
        person: seat.person(),
        device: seat.device(),
        now: seat.now(),
    };
    let why_not = match rules::withdraw(&card, &*seat.people().await?, viewer) {
        Some(arm) => arm.why_not,
        None => Some("There is nothing of yours to take back.".to_owned()),
    };
    if let Some(why) = why_not {
        return Err(EngineError::refused(why));
    }
    let held = Held {
        proposal: id,
        what: HeldWhat::Withdraw,
        view: shown(&card).0,
        comment: None,
        due: viewer.now + UNDO,
        created: viewer.now,
    };
    let account = seat.account.id;
    seat.store
        .write(move |tx| settings::hold(tx, account, &held))
        .await?;
    told(seat, id);
    Ok(())
}

/// Signs a withdrawal whose time for undo is over, in one transaction with its end.
pub(crate) async fn sign(seat: &Arc<Seat>, id: ProposalId) -> Result<(), EngineError> {
    let (signer, now, nonce) = (Arc::clone(seat), seat.now(), nonce()?);
    seat.store
        .write(move |tx| {
            if !settings::release(tx, signer.account.id, id)? {
                // Undone a moment ago.
                return Ok(());
            }
            let about = About {
                proposal: Some(id),
                verdict: None,
                expires_at: None,
                now,
            };
            signer.sign(tx, &about, |seq, previous| Withdraw {
                at: now,
                by: Actor::User(signer.person()),
                device: Some(signer.device()),
                device_seq: Some(seq),
                nonce,
                previous,
                proposal: id,
                reason: None,
            })?;
            Ok(())
        })
        .await?;
    Ok(())
}

/// Whether a journal in which its proposal stands so shows what this withdrawal, which the tenant has taken, has done.
pub(crate) fn is_journalled(entry: &Entry, status: Status) -> bool {
    let taken = matches!(&entry.state, EntryState::Answered(answer) if answer.effective);
    taken && entry.kind == Kind::Withdraw && status == Status::Withdrawn
}

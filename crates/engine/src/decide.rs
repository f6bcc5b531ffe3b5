//! Deciding: durable on this device before it is shown as saved, signed over exactly the bytes that were shown.
//!
//! The form that comes in carries no content. The card is made again from checked bodies and has to be the very card
//! that the person saw. An undo is a new record; a number of the device's chain is never used twice.

use std::{sync::Arc, time::Duration};

use countersign_domain::{
    Digest, Millis,
    id::{DecisionId, ProposalId},
    record::{Assurance, CheckpointSeen, Decision, Verdict},
    render::{Confirm, RENDERER},
};
use countersign_faults::{Point, crash_point};
use countersign_replica::Card;
use uuid::Uuid;

use crate::{
    error::EngineError,
    event::EngineEvent,
    overlay::Overlay,
    rules::{self, Viewer},
    seat::{About, Seat, nonce},
    store::{Held, HeldWhat, account, settings},
    withdraw,
};

/// How long a rejection, or a request that is taken back, waits before it is signed.
pub(crate) const UNDO: Millis = Millis::seconds(5);
/// Longest comment, in characters.
pub const MAX_COMMENT: usize = 2_000;

/// What a person says about a card.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decide {
    pub id: ProposalId,
    /// The digest of the card that was on the screen.
    pub view: Digest,
    pub verdict: Choice,
    pub comment: Option<String>,
    /// What was typed where the card asked for it.
    pub confirmation: Option<String>,
}

/// Yes or no. Taking an approval back is [`crate::Engine::undo`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Choice {
    Approve,
    Reject,
}

/// The card that is decided, checked.
struct Looked {
    card: Card,
    view: Digest,
    confirm: Option<Confirm>,
}

pub(crate) async fn decide(seat: &Arc<Seat>, form: &Decide) -> Result<(), EngineError> {
    let comment = comment(form)?;
    let looked = look(seat, form).await?;
    match form.verdict {
        Choice::Approve => {
            let assurance = confirmed(&looked, form.confirmation.as_deref())?;
            sign(
                seat,
                &looked.card,
                Verdict::Approve,
                looked.view,
                assurance,
                comment,
                None,
            )
            .await?;
        }
        Choice::Reject => {
            let now = seat.now();
            let held = Held {
                proposal: form.id,
                what: HeldWhat::Reject,
                view: looked.view,
                comment,
                due: now + UNDO,
                created: now,
            };
            let account = seat.account.id;
            seat.store
                .write(move |tx| settings::hold(tx, account, &held))
                .await?;
        }
    }
    told(seat, form.id);
    Ok(())
}

fn comment(form: &Decide) -> Result<Option<String>, EngineError> {
    let text = form
        .comment
        .as_deref()
        .map(str::trim)
        .filter(|text| !text.is_empty());
    match (text, form.verdict) {
        (None, Choice::Reject) => Err(EngineError::invalid("comment", "Say why you reject it.")),
        (Some(text), _) if text.chars().count() > MAX_COMMENT => {
            Err(EngineError::invalid("comment", "At most 2,000 characters."))
        }
        (text, _) => Ok(text.map(str::to_owned)),
    }
}

/// Makes the card again and compares it with what the person saw.
async fn look(seat: &Arc<Seat>, form: &Decide) -> Result<Looked, EngineError> {
    let id = form.id;
    let card = seat
        .journal
        .read(move |reader| Ok(reader.proposal(id)?))
        .await?
        .ok_or_else(EngineError::not_found)?;
    if Overlay::of(seat, id).await?.is_some() {
        return Err(EngineError::refused("You have decided this already."));
    }
    let people = seat.people().await?;
    let viewer = Viewer {
        person: seat.person(),
        device: seat.device(),
        now: seat.now(),
    };
    let arm = match form.verdict {
        Choice::Approve => rules::approve(&card, &people, viewer),
        Choice::Reject => rules::reject(&card, &people, viewer),
    };
    if let Some(why) = arm.why_not {
        return Err(EngineError::refused(why));
    }
    let (view, confirm) = shown(&card);
    if view != form.view {
        return Err(EngineError::refused(
            "The card has changed since you opened it. Look again.",
        ));
    }
    let confirm =
        confirm.filter(|_| rules::needed(&card, &people, viewer.person) == Assurance::DeviceConfirmed);
    Ok(Looked { card, view, confirm })
}

/// The digest that a decision about this card names. What cannot be rendered can be rejected by its own digest.
pub(crate) fn shown(card: &Card) -> (Digest, Option<Confirm>) {
    match card
        .view()
        .ok()
        .and_then(|view| Some((view.digest().ok()?, view.confirm)))
    {
        Some((digest, confirm)) => (digest, Some(confirm)),
        None => (card.state.digest, None),
    }
}

/// How sure it is that the person meant it.
fn confirmed(looked: &Looked, typed: Option<&str>) -> Result<Assurance, EngineError> {
    let Some(confirm) = &looked.confirm else {
        return Ok(Assurance::Device);
    };
    let wanted = match confirm {
        Confirm::Type { text, .. } => text.clone(),
        Confirm::Match { number } => number.to_string(),
    };
    if typed.map(str::trim) == Some(wanted.trim()) {
        Ok(Assurance::DeviceConfirmed)
    } else {
        Err(EngineError::invalid(
            "confirmation",
            "That is not what the card asks you to type.",
        ))
    }
}

/// Signs a decision and stores it, in one transaction that is on the disk when this answers.
pub(crate) async fn sign(
    seat: &Arc<Seat>,
    card: &Card,
    verdict: Verdict,
    view: Digest,
    assurance: Assurance,
    comment: Option<String>,
    retracts: Option<Digest>,
) -> Result<(), EngineError> {
    let (signer, state) = (Arc::clone(seat), card.state.clone());
    let (now, offline, nonce) = (seat.now(), !seat.is_online(), nonce()?);
    seat.store
        .write(move |tx| {
            let seen = account::seen(tx, signer.account.id)?;
            let held = settings::release(tx, signer.account.id, state.id)?;
            if verdict == Verdict::Reject && !held {
                // Undone a moment ago.
                return Ok(());
            }
            let about = About {
                proposal: Some(state.id),
                verdict: Some(verdict),
                expires_at: Some(state.expires_at),
                now,
            };
            signer.sign(tx, &about, |seq, previous| Decision {
                approver: signer.person(),
                assurance,
                checkpoint: seen.map(|seen| CheckpointSeen {
                    root: seen.root,
                    size: seen.size,
                }),
                comment,
                decided_at: now,
                device: Some(signer.device()),
                device_seq: Some(seq),
                expires_at: state.expires_at,
                id: DecisionId::from_uuid(Uuid::now_v7()),
                nonce,
                offline,
                previous,
                preview: state.preview,
                proposal: state.id,
                proposal_digest: state.digest,
                renderer: RENDERER,
                retracts,
                tenant: signer.tenant(),
                verdict,
                view,
            })?;
            crash_point(Point::DecisionSigned);
            Ok(())
        })
        .await?;
    crash_point(Point::DecisionKept);
    Ok(())
}

/// Signs the rejections, and what else is held, whose time for undo is over. Says when the next one is due.
pub(crate) async fn sign_due(seat: &Arc<Seat>) -> Result<Option<Duration>, EngineError> {
    let account = seat.account.id;
    let held = seat.store.read(move |db| settings::held(db, account)).await?;
    let now = seat.now();
    for held in held.iter().filter(|held| held.due <= now) {
        let id = held.proposal;
        let card = seat.journal.read(move |reader| Ok(reader.proposal(id)?)).await?;
        match card {
            Some(_) if held.what == HeldWhat::Withdraw => withdraw::sign(seat, id).await?,
            Some(card) => {
                let comment = held.comment.clone();
                sign(
                    seat,
                    &card,
                    Verdict::Reject,
                    held.view,
                    Assurance::Device,
                    comment,
                    None,
                )
                .await?;
            }
            // Nothing to sign about: the copy of the journal is being fetched again. The next pass looks again.
            None => continue,
        }
        seat.tell(EngineEvent::ProposalChanged(id));
    }
    let next = held.iter().map(|held| held.due).filter(|due| *due > now).min();
    Ok(next.map(|due| Duration::from_millis(due.since(now).0.unsigned_abs())))
}

pub(crate) fn told(seat: &Seat, id: ProposalId) {
    seat.wakes.sync.notify_one();
    seat.wakes.notify.notify_one();
    seat.tell(EngineEvent::ProposalChanged(id));
}

//! What a person says beside decisions: stop, release, and what became of a call that nobody knows of. Signed by this
//! device at once and sent like everything that it signs, so that it works offline too.

use std::sync::Arc;

use countersign_domain::{
    Digest, acts,
    fold::Status,
    id::ProposalId,
    people::People,
    record::{Body, LONGEST_SENTENCE, Nonce, Reason, Release, Resolution, Scope, Stop, is_sentence},
};
use countersign_replica::Card;

use crate::{
    Arm, Engine, EngineError, EngineEvent,
    overlay::Overlay,
    rules::{self, Viewer},
    seat::{About, Seat, nonce},
};

/// What somebody types where nobody else is there to agree.
pub(crate) const RELEASE: &str = "release";
/// What somebody types to let the rules ask less, where nobody else is there to agree.
pub(crate) const LOOSEN: &str = "loosen";
/// What somebody types to settle what became of money, where nobody else is there to agree.
pub(crate) const SETTLE: &str = "settle";

/// A person's word on an unknown outcome.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Resolve {
    pub id: ProposalId,
    pub happened: bool,
    /// How the person knows, at most 500 characters on one line.
    pub note: Option<String>,
    /// What was typed, where something has to be.
    pub confirmation: Option<String>,
}

impl Engine {
    /// Stops: once the tenant has it, nothing in its scope begins.
    ///
    /// # Errors
    /// When this person or this device may not, it is stopped already, or the reason is too long.
    pub async fn stop(&self, scope: Scope, reason: Option<String>) -> Result<(), EngineError> {
        let seat = self.seat()?;
        let reason = plain(reason, "reason")?;
        let (people, now, nonce) = (seat.people().await?, seat.now(), nonce()?);
        if people.stops.contains_key(&scope) {
            return Err(EngineError::refused("It is stopped already."));
        }
        let stop = Stop {
            at: now,
            by: seat.person(),
            device: Some(seat.device()),
            device_seq: None,
            nonce,
            previous: None,
            reason,
            scope,
            tenant: seat.tenant(),
        };
        judge(&seat, &people, acts::stop(&people, &stop))?;
        sign(&seat, None, stop, |stop, seq, previous| {
            (stop.device_seq, stop.previous) = (Some(seq), previous);
        })
        .await
    }

    /// Wants the stop that stands over `scope` to end.
    ///
    /// # Errors
    /// When this person or this device may not, has said so already, or what has to be typed was not.
    pub async fn release(&self, scope: Scope, confirmation: Option<String>) -> Result<(), EngineError> {
        let seat = self.seat()?;
        let (people, now, nonce) = (seat.people().await?, seat.now(), nonce()?);
        let stop = people.stops.get(&scope).map(|stopped| stopped.digest);
        let stop = stop.ok_or_else(|| EngineError::refused("Nothing is stopped there any more."))?;
        let confirmed = typed(confirmation.as_deref(), RELEASE);
        if !people.second_needed() && !confirmed {
            return Err(not_typed(RELEASE));
        }
        let release = Release {
            at: now,
            by: seat.person(),
            confirmed,
            device: Some(seat.device()),
            device_seq: None,
            nonce,
            previous: None,
            scope,
            stop,
            tenant: seat.tenant(),
        };
        judge(&seat, &people, acts::release(&people, &release))?;
        sign(&seat, None, release, |release, seq, previous| {
            (release.device_seq, release.previous) = (Some(seq), previous);
        })
        .await
    }

    /// Says what became of a call whose outcome is unknown.
    ///
    /// # Errors
    /// When this person or this device may not, its outcome is known, or what has to be typed was not.
    pub async fn resolve(&self, form: Resolve) -> Result<(), EngineError> {
        let seat = self.seat()?;
        let id = form.id;
        let note = plain(form.note, "note")?;
        let card = seat.journal.read(move |reader| Ok(reader.proposal(id)?)).await?;
        let card = card.ok_or_else(EngineError::not_found)?;
        if Overlay::of(&seat, id).await?.is_some() {
            return Err(EngineError::refused(
                "You have said it already; it is on its way.",
            ));
        }
        let (people, now, nonce) = (seat.people().await?, seat.now(), nonce()?);
        let confirmed = typed(form.confirmation.as_deref(), SETTLE);
        if acts::takes_confirmation(&people, &card.state) && !confirmed {
            return Err(not_typed(SETTLE));
        }
        let word = Resolution {
            at: now,
            by: seat.person(),
            confirmed,
            device: Some(seat.device()),
            device_seq: None,
            fence: card.state.begun.as_ref().map_or(0, |begun| begun.fence),
            happened: form.happened,
            nonce,
            note,
            previous: None,
            proposal: id,
            proposal_digest: card.state.digest,
        };
        judge(&seat, &people, acts::resolve(&people, &card.state, &word, now))?;
        sign(&seat, Some(id), word, |word, seq, previous| {
            (word.device_seq, word.previous) = (Some(seq), previous);
        })
        .await
    }
}

/// Whether this person may settle the outcome; `None` where it is known, or nothing has begun.
pub(crate) fn settle(card: &Card, people: &People, viewer: Viewer) -> Option<Arm> {
    if card.state.status(viewer.now) != Status::Unknown {
        return None;
    }
    let word = |happened| Resolution {
        at: viewer.now,
        by: viewer.person,
        confirmed: true,
        device: Some(viewer.device),
        device_seq: None,
        fence: card.state.begun.as_ref().map_or(0, |begun| begun.fence),
        happened,
        nonce: Nonce::from_bytes([0; 16]),
        note: None,
        previous: None,
        proposal: card.state.id,
        proposal_digest: card.state.digest,
    };
    // One who has said one thing may still say the other.
    let may = [true, false].map(|happened| acts::resolve(people, &card.state, &word(happened), viewer.now));
    let why_not = match may {
        [Err(reason), Err(_)] => Some(reason.to_string()),
        [Ok(()), _] | [_, Ok(())] => rules::why_not_sign(people, viewer),
    };
    Some(Arm {
        why_not,
        after_ms: rules::STILL_MS,
        must_read_to_end: false,
        open_first: true,
    })
}

pub(crate) fn typed(confirmation: Option<&str>, word: &str) -> bool {
    confirmation.is_some_and(|typed| typed.trim().eq_ignore_ascii_case(word))
}

pub(crate) fn not_typed(word: &str) -> EngineError {
    EngineError::invalid("confirmation", format!("Type “{word}” to confirm it."))
}

fn plain(text: Option<String>, field: &str) -> Result<Option<String>, EngineError> {
    let text = text
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty());
    match &text {
        Some(text) if !is_sentence(text) => Err(EngineError::invalid(
            field,
            format!("One plain line of at most {LONGEST_SENTENCE} characters."),
        )),
        Some(_) | None => Ok(text),
    }
}

/// What the tenant would refuse is refused here, and so is what this device cannot sign.
pub(crate) fn judge(seat: &Seat, people: &People, verdict: Result<(), Reason>) -> Result<(), EngineError> {
    let viewer = Viewer {
        person: seat.person(),
        device: seat.device(),
        now: seat.now(),
    };
    let why_not = rules::why_not_sign(people, viewer);
    match (verdict, why_not) {
        (Err(reason), _) => Err(EngineError::refused(reason.to_string())),
        (Ok(()), Some(why)) => Err(EngineError::refused(why)),
        (Ok(()), None) => Ok(()),
    }
}

/// Signs a body as it is, with the device's next number in it, and stores it.
pub(crate) async fn sign<B: Body + Send + 'static>(
    seat: &Arc<Seat>,
    proposal: Option<ProposalId>,
    mut body: B,
    link: fn(&mut B, u64, Option<Digest>),
) -> Result<(), EngineError> {
    let (signer, now) = (Arc::clone(seat), seat.now());
    seat.store
        .write(move |tx| {
            let about = About {
                proposal,
                verdict: None,
                expires_at: None,
                now,
            };
            signer.sign(tx, &about, |seq, previous| {
                link(&mut body, seq, previous);
                body
            })?;
            Ok(())
        })
        .await?;
    seat.wakes.sync.notify_one();
    match proposal {
        Some(id) => seat.tell(EngineEvent::ProposalChanged(id)),
        None => seat.tell(EngineEvent::StateChanged),
    }
    Ok(())
}

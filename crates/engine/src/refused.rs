//! What this person signed and does not count, told until they have seen it.
//!
//! On the card and in the lists the journal speaks as soon as it can: of a call that was refused here and has run since, it
//! says that it is done. That the refusal came too late is told apart from it, also after a restart.

use countersign_domain::id::ProposalId;

use crate::{
    Engine, EngineError, EngineEvent,
    seat::Seat,
    store::outbox,
    views::{StateView, Words},
};

/// Most that are told at once, of which each is read as a card is: the frame is read after every change. The next ones come when
/// these are seen.
const MOST: usize = 20;

/// Something of this person's that does not count.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refused {
    pub id: ProposalId,
    /// What was proposed, untrusted.
    pub sentence: String,
    /// Why it does not count, and what came first.
    pub state: StateView,
}

impl Engine {
    /// The person has seen what became of what they signed about this proposal.
    ///
    /// # Errors
    /// When nobody is signed in.
    pub async fn saw_refused(&self, id: ProposalId) -> Result<(), EngineError> {
        let seat = self.seat()?;
        let account = seat.account.id;
        seat.store.write(move |tx| outbox::seen(tx, account, id)).await?;
        seat.tell(EngineEvent::StateChanged);
        Ok(())
    }
}

/// What the person has not seen, oldest first. Of what is erased there is nothing to tell.
pub(crate) async fn refused(seat: &Seat) -> Result<Vec<Refused>, EngineError> {
    let account = seat.account.id;
    let unseen = seat
        .store
        .read(move |db| outbox::refused_unseen(db, account))
        .await?;
    if unseen.is_empty() {
        return Ok(Vec::new());
    }
    let (people, now) = (seat.people().await?, seat.now());
    let found = seat
        .journal
        .read(move |reader| {
            let mut found = Vec::new();
            for entry in unseen.into_iter().take(MOST) {
                let Some(id) = entry.proposal else { continue };
                if let (Some(row), Some(card)) = (reader.row(id, now)?, reader.proposal(id)?) {
                    found.push((entry, row.sentence, card.state));
                }
            }
            Ok(found)
        })
        .await?;
    let words = Words::new(seat, &people);
    let told = found.into_iter().map(|(entry, sentence, state)| Refused {
        id: state.id,
        sentence,
        state: words.does_not_count(&state, &entry),
    });
    Ok(told.collect())
}

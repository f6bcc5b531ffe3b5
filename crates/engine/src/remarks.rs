//! Asking the proposer, and answering: signed by this device at once and sent like everything that it signs.

use countersign_domain::{
    Digest,
    id::ProposalId,
    people::People,
    record::{Actor, LONGEST_REMARK, Nonce, Remark},
    remarks,
};
use countersign_replica::Card;

use crate::{
    Arm, Engine, EngineError,
    acts::{judge, sign},
    rules::{self, Viewer},
    seat::nonce,
    views::questions::under_way,
};

impl Engine {
    /// Asks the proposer something. It changes nothing about the proposal, whose time goes on.
    ///
    /// # Errors
    /// When this person or this device may not, it is over, or the text is empty or too long.
    pub async fn ask(&self, id: ProposalId, text: String) -> Result<(), EngineError> {
        self.remark(id, None, text).await
    }

    /// Answers a question about a request of this person's own.
    ///
    /// # Errors
    /// As [`Self::ask`], and when it was answered already.
    pub async fn answer(&self, id: ProposalId, question: Digest, text: String) -> Result<(), EngineError> {
        self.remark(id, Some(question), text).await
    }

    async fn remark(&self, id: ProposalId, answers: Option<Digest>, text: String) -> Result<(), EngineError> {
        let seat = self.seat()?;
        let text = text.trim().to_owned();
        if text.is_empty() {
            return Err(EngineError::invalid("text", "Write something first."));
        }
        if text.chars().count() > LONGEST_REMARK {
            return Err(EngineError::invalid("text", "At most 2,000 characters."));
        }
        let card = seat.journal.read(move |reader| Ok(reader.proposal(id)?)).await?;
        let card = card.ok_or_else(EngineError::not_found)?;
        let said = under_way(&seat, id).await?;
        if answers.is_some() && said.iter().any(|(_, remark)| remark.answers == answers) {
            return Err(EngineError::refused(
                "You have answered it; the answer is on its way.",
            ));
        }
        let (people, now) = (seat.people().await?, seat.now());
        let viewer = Viewer {
            person: seat.person(),
            device: seat.device(),
            now,
        };
        let remark = Remark {
            nonce: nonce()?,
            text,
            ..body(&card, viewer, answers)
        };
        judge(
            &seat,
            &people,
            remarks::remark(&people, &card.state, &remark, now),
        )?;
        sign(&seat, Some(id), remark, |remark, seq, previous| {
            (remark.device_seq, remark.previous) = (Some(seq), previous);
        })
        .await
    }
}

/// Whether this person may ask; `None` where that is never theirs, or it is over.
pub(crate) fn ask(card: &Card, people: &People, viewer: Viewer) -> Option<Arm> {
    offered(card, people, viewer, None)
}

/// Whether this person may answer this question; `None` where that is not theirs.
pub(crate) fn answer(card: &Card, people: &People, viewer: Viewer, question: Digest) -> Option<Arm> {
    offered(card, people, viewer, Some(question))
}

fn offered(card: &Card, people: &People, viewer: Viewer, answers: Option<Digest>) -> Option<Arm> {
    remarks::remark(people, &card.state, &body(card, viewer, answers), viewer.now).ok()?;
    Some(Arm {
        why_not: rules::why_not_sign(people, viewer),
        after_ms: 0,
        must_read_to_end: false,
        open_first: false,
    })
}

fn body(card: &Card, viewer: Viewer, answers: Option<Digest>) -> Remark {
    Remark {
        answers,
        at: viewer.now,
        by: Actor::User(viewer.person),
        device: Some(viewer.device),
        device_seq: None,
        nonce: Nonce::from_bytes([0; 16]),
        previous: None,
        proposal: card.state.id,
        proposal_digest: card.state.digest,
        text: "?".to_owned(),
    }
}

//! What was asked of the proposer, with what this device has said and the journal does not have yet.

use countersign_domain::{
    Digest, UnixMillis,
    id::ProposalId,
    people::People,
    record::{Actor, Remark},
};
use countersign_replica::Card;

use super::Words;
use crate::{Arm, EngineError, remarks, rules::Viewer, seat::Seat, store::outbox};

/// A question.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QuestionItem {
    pub question: Digest,
    /// Such as "Ana asked" or "You asked".
    pub who: String,
    pub at: UnixMillis,
    /// Somebody's own words.
    pub text: String,
    pub answer: Option<AnswerItem>,
    /// Whether this person may answer it.
    pub may_answer: Option<Arm>,
    /// Saved on this device; the journal does not have it.
    pub on_its_way: bool,
}

/// The answer to a question.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AnswerItem {
    /// Such as "Billing bot answered".
    pub who: String,
    pub at: UnixMillis,
    /// Somebody's own words.
    pub text: String,
    pub on_its_way: bool,
}

pub(super) async fn questions(
    seat: &Seat,
    words: &Words<'_>,
    card: &Card,
    people: &People,
    viewer: Viewer,
) -> Result<Vec<QuestionItem>, EngineError> {
    let asked = card.state.questions.iter().map(|asked| QuestionItem {
        question: asked.digest,
        who: format!("{} asked", words.named(Actor::User(asked.by))),
        at: asked.at,
        text: asked.text.clone(),
        answer: asked.answer.as_ref().map(|answer| AnswerItem {
            who: format!("{} answered", words.named(answer.by)),
            at: answer.at,
            text: answer.text.clone(),
            on_its_way: false,
        }),
        may_answer: remarks::answer(card, people, viewer, asked.digest),
        on_its_way: false,
    });
    let mut items: Vec<_> = asked.collect();
    for (digest, remark) in under_way(seat, card.state.id).await? {
        let (who, at, text) = (words.named(remark.by), remark.at, remark.text);
        match remark.answers {
            None if !items.iter().any(|item| item.question == digest) => items.push(QuestionItem {
                question: digest,
                who: format!("{who} asked"),
                at,
                text,
                answer: None,
                may_answer: None,
                on_its_way: true,
            }),
            None => {}
            Some(question) => {
                let item = items.iter_mut().find(|item| item.question == question);
                if let Some(item) = item.filter(|item| item.answer.is_none()) {
                    item.may_answer = None;
                    item.answer = Some(AnswerItem {
                        who: format!("{who} answered"),
                        at,
                        text,
                        on_its_way: true,
                    });
                }
            }
        }
    }
    Ok(items)
}

/// What this device has said about it that the tenant has not refused.
pub(crate) async fn under_way(seat: &Seat, id: ProposalId) -> Result<Vec<(Digest, Remark)>, EngineError> {
    let account = seat.account.id;
    let said = seat
        .store
        .read(move |db| outbox::said::<Remark>(db, account, Some(id)))
        .await?;
    let unrefused = said.into_iter().filter(|(entry, _)| !entry.state.is_refused());
    Ok(unrefused.map(|(entry, remark)| (entry.digest, remark)).collect())
}

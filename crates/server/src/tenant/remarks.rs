//! What a signed-in person or an agent says about a proposal: a question, or the answer to one.

use std::sync::Arc;

use countersign_domain::{
    Digest,
    fold::Status,
    id::ProposalId,
    record::{Actor, Reason, Remark},
    remarks,
};

use super::{Tenant, desk::Desk, writer::Answer};
use crate::random;

impl Tenant {
    /// Takes a question, or with `answers` the answer to one, of a caller who may see the proposal.
    ///
    /// # Errors
    /// When the store fails; inside, why it does not count; `None` when there is no such proposal.
    pub async fn remark(
        &self,
        id: ProposalId,
        by: Actor,
        answers: Option<Digest>,
        text: String,
    ) -> Answer<(), Option<(Reason, Status)>> {
        let text: Arc<str> = text.into();
        self.write(move |desk| remark(desk, id, by, answers, &text)).await
    }
}

fn remark(
    desk: &mut Desk,
    id: ProposalId,
    by: Actor,
    answers: Option<Digest>,
    text: &str,
) -> Answer<(), Option<(Reason, Status)>> {
    let Some(mut stored) = desk.proposal(id)? else {
        return Ok(Err(None));
    };
    let now = desk.now();
    let said = Remark {
        answers,
        at: now,
        by,
        device: None,
        device_seq: None,
        nonce: random::nonce(),
        previous: None,
        proposal: id,
        proposal_digest: stored.state.digest,
        text: text.to_owned(),
    };
    if let Err(reason) = remarks::remark(desk.people(), &stored.state, &said, now) {
        return Ok(Err(Some((reason, stored.status(now)))));
    }
    desk.extend_with(&mut stored, &said)?;
    desk.save(&mut stored)?;
    Ok(Ok(()))
}

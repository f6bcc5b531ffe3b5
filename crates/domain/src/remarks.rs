//! Whether a question about a proposal, or the answer to one, counts. Pure: asked by the server when it arrives, and by a
//! desktop before it offers it.

use crate::{
    UnixMillis,
    fold::ProposalState,
    people::People,
    record::{Actor, MOST_QUESTIONS, Proposer, Reason, Remark, Role},
};

/// Whether a remark counts: a question of somebody who decides and has not proposed it, or the proposer's first answer to
/// one, while it is neither over nor begun.
///
/// # Errors
/// Why it does not.
pub fn remark(
    people: &People,
    proposal: &ProposalState,
    remark: &Remark,
    now: UnixMillis,
) -> Result<(), Reason> {
    if proposal.digest != remark.proposal_digest {
        return Err(Reason::DigestMismatch);
    }
    let entitled = match (remark.answers, remark.by) {
        (None, Actor::User(person)) => {
            let own = speaks_for(&proposal.proposer, remark.by);
            people.role(person).is_some_and(Role::decides)
                && !own
                && proposal.questions.len() < MOST_QUESTIONS
        }
        (None, Actor::Agent(_) | Actor::Server) => false,
        (Some(_), by) => speaks_for(&proposal.proposer, by),
    };
    if !entitled {
        return Err(Reason::NotEligible);
    }
    if !remark.fits() {
        return Err(Reason::ViewMismatch);
    }
    proposal.status(now).still_open()?;
    let waits = |digest| {
        let mut asked = proposal
            .questions
            .iter()
            .filter(|question| question.digest == digest);
        asked.any(|question| question.answer.is_none())
    };
    match remark.answers {
        Some(question) if !waits(question) => Err(Reason::Decided),
        Some(_) | None => Ok(()),
    }
}

/// Whether somebody is the proposer, or the person that it acts for.
pub fn speaks_for(proposer: &Proposer, by: Actor) -> bool {
    match by {
        Actor::User(user) => user.to_string() == proposer.id || proposer.on_behalf_of == Some(user),
        Actor::Agent(agent) => agent.to_string() == proposer.id,
        Actor::Server => false,
    }
}

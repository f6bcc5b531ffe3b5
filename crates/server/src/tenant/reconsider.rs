//! Policy asked again: when somebody decides, when a call is leased and begun, and when no preview has come.
//!
//! INVARIANT: a later answer only tightens. What is stricter is journalled, and counts from that entry on; what is
//! milder is not even written down.

use countersign_domain::{
    Millis,
    fold::PREVIEW_WAIT,
    id::ProposalId,
    record::{Evaluation, Holder, Phase, Preview, PreviewOutcome},
};
use countersign_policy::Call;

use super::{
    desk::Desk,
    proposals::Stored,
    writer::{Answer, StoreError},
};
use crate::random;

impl Desk {
    /// Asks policy again about a proposal that has not begun.
    pub(super) fn reconsider(&mut self, stored: &mut Stored, phase: Phase) -> Result<(), StoreError> {
        if !stored.status(self.now()).is_open() {
            return Ok(());
        }
        let state = &stored.state;
        let tool = self.people().tools.get(&state.tool);
        let answer = self.policy().evaluate(&Call {
            tool: &state.tool,
            registered: tool.is_some(),
            risk: state.risk,
            effect: state.effect,
            proposer: state.proposer.kind,
            hold: tool.map_or(Millis(0), |(_, manifest)| manifest.hold),
            money: tool.is_some_and(|(_, manifest)| manifest.money),
            denied_before: false,
            mode: self.people().mode(),
            table: &self.people().rules.table,
        });
        if !state.is_tightened_by(answer.decision, answer.requirement) {
            return Ok(());
        }
        let evaluation = Evaluation {
            bundle: self.policy().bundle(),
            decision: answer.decision,
            evaluated_at: self.now(),
            nonce: random::nonce(),
            phase,
            policies: answer.policies,
            proposal: state.id,
            proposal_digest: state.digest,
            reason: answer.reason,
            requirement: answer.requirement,
        };
        self.extend_with(stored, &evaluation)?;
        self.save(stored)
    }
}

/// Says of what has waited long enough for a device's preview that there is none, and returns how many there were. It
/// can be decided from then on, one step riskier.
pub(super) fn mark_unseen(desk: &mut Desk) -> Answer<usize, std::convert::Infallible> {
    let overdue = overdue(desk)?;
    for id in &overdue {
        let Some(mut stored) = desk.proposal(*id)? else {
            continue;
        };
        let preview = Preview {
            by: Holder::Tenant,
            device_seq: None,
            made_at: desk.now(),
            nonce: random::nonce(),
            outcome: PreviewOutcome::Unavailable {
                reason: "The device that holds the connection did not answer within a minute.".to_owned(),
            },
            previous: None,
            proposal: *id,
            proposal_digest: stored.state.digest,
        };
        desk.extend_with(&mut stored, &preview)?;
        desk.save(&mut stored)?;
        desk.reconsider(&mut stored, Phase::Decide)?;
    }
    Ok(Ok(overdue.len()))
}

fn overdue(desk: &Desk) -> Result<Vec<ProposalId>, StoreError> {
    let mut statement = desk.connection().prepare_cached(
        "SELECT id FROM proposal INDEXED BY proposal_unseen JOIN entry ON entry.seq = created_seq
         WHERE status = 0 AND executor IS NOT NULL AND preview_seq IS NULL AND expires_ms > ?1 AND at_ms <= ?2",
    )?;
    let now = desk.now().0;
    let mut rows = statement.query([now, now - PREVIEW_WAIT.0])?;
    let mut overdue = Vec::new();
    while let Some(row) = rows.next()? {
        overdue.push(ProposalId::from_slice(&row.get::<_, Vec<u8>>(0)?).map_err(StoreError::damaged)?);
    }
    Ok(overdue)
}

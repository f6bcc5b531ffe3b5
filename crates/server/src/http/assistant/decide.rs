//! Approve and reject, by a signed-in person without a device.

use std::sync::Arc;

use axum::extract::State;
use countersign_domain::{
    Digest, Record,
    fold::Status,
    id::{DecisionId, ProposalId, UserId},
    record::{Actor, Assurance, Decision, Reason, Verdict},
    render::RENDERER,
    wire::{Approval, Approve, DecidedAnswer, Reject},
};

use super::within;
use crate::{
    App,
    cards::views,
    http::{auth::Caller, body::Json, error::ApiError},
    random,
    tenant::{DecideRefusal, ProposalBodies, Stored, Tenant},
};

/// `POST /api/assistant/approve`
pub(crate) async fn approve(
    State(app): State<App>,
    caller: Caller,
    Json(request): Json<Approve>,
) -> Result<axum::Json<DecidedAnswer>, ApiError> {
    let comment = within(request.comment, "comment")?;
    let (stored, decision) = decide(
        &app,
        &caller,
        request.ai_tool_call_id,
        Verdict::Approve,
        comment.clone(),
    )
    .await?;
    let approval = Approval::Approved {
        approved_at: decision.decided_at,
        approved_by: decision.approver,
        comment,
    };
    Ok(axum::Json(decided(&caller.tenant, &stored, approval)))
}

/// `POST /api/assistant/reject`
pub(crate) async fn reject(
    State(app): State<App>,
    caller: Caller,
    Json(request): Json<Reject>,
) -> Result<axum::Json<DecidedAnswer>, ApiError> {
    let reason = within(Some(request.reason), "reason")?.filter(|reason| !reason.trim().is_empty());
    let reason = reason.ok_or_else(|| ApiError::missing("reason"))?;
    let (stored, decision) = decide(
        &app,
        &caller,
        request.ai_tool_call_id,
        Verdict::Reject,
        Some(reason.clone()),
    )
    .await?;
    let approval = Approval::Rejected {
        rejected_at: decision.decided_at,
        rejected_by: decision.approver,
        reason,
    };
    Ok(axum::Json(decided(&caller.tenant, &stored, approval)))
}

/// Makes and stores the decision of a signed-in person without a device.
async fn decide(
    app: &App,
    caller: &Caller,
    id: ProposalId,
    verdict: Verdict,
    comment: Option<String>,
) -> Result<(Stored, Arc<Decision>), ApiError> {
    let Actor::User(approver) = caller.actor else {
        return Err(ApiError::forbidden(
            "not_eligible",
            "Forbidden: An agent's key cannot decide",
        ));
    };
    let bodies = caller
        .tenant
        .to_decide([id])
        .await?
        .remove(&id)
        .ok_or_else(ApiError::not_found)?;
    let own = bodies.stored.state.proposer.id == caller.actor_id();
    if !caller.sees_all() && !own {
        return Err(ApiError::not_found());
    }
    let accepted = views(&app.rules().registry, &caller.tenant, &bodies)?;
    let view = accepted.first().map(|(_, digest)| *digest).ok_or_else(|| {
        let status = bodies.stored.status(caller.tenant.now());
        match status.still_open() {
            Err(reason) => late(&bodies.stored, reason, Some(status)),
            Ok(()) => ApiError::conflict(
                "view_mismatch",
                "Conflict: The card of this proposal cannot be made: its tool or connection has changed",
                status,
            ),
        }
    })?;
    let decision = Arc::new(session_decision(
        &caller.tenant,
        approver,
        &bodies,
        verdict,
        comment,
        view,
    ));
    let record = Record::unsigned(&*decision).map_err(ApiError::internal)?;
    match caller
        .tenant
        .decide_by_session(Arc::new(record), Arc::clone(&decision), approver, accepted)
        .await?
    {
        Ok(stored) => Ok((stored, decision)),
        Err(DecideRefusal::Reason(reason, status)) => {
            let now = caller
                .tenant
                .proposal(id)
                .await?
                .ok_or_else(ApiError::not_found)?;
            Err(late(&now, reason, status))
        }
    }
}

fn session_decision(
    tenant: &Tenant,
    approver: UserId,
    bodies: &ProposalBodies,
    verdict: Verdict,
    comment: Option<String>,
    view: Digest,
) -> Decision {
    let state = &bodies.stored.state;
    Decision {
        approver,
        assurance: Assurance::Session,
        checkpoint: None,
        comment,
        decided_at: tenant.now(),
        device: None,
        device_seq: None,
        expires_at: state.expires_at,
        id: DecisionId::from_uuid(random::uuid()),
        nonce: random::nonce(),
        offline: false,
        previous: None,
        preview: state.preview,
        proposal: state.id,
        proposal_digest: state.digest,
        renderer: RENDERER,
        retracts: None,
        tenant: tenant.id(),
        verdict,
        view,
    }
}

/// The same, with what came first where something did: when, and by whom.
fn late(stored: &Stored, reason: Reason, status: Option<Status>) -> ApiError {
    refusal(reason, status).after(stored.state.came_first(reason))
}

/// Why a decision changed nothing, as HTTP says it.
pub(super) fn refusal(reason: Reason, status: Option<Status>) -> ApiError {
    match (reason, status) {
        (Reason::UnknownProposal, _) | (_, None) => ApiError::not_found(),
        (Reason::NotEligible | Reason::SelfApproval | Reason::AssuranceTooLow, _) => {
            ApiError::forbidden(reason.code(), format!("Forbidden: {reason}"))
        }
        (
            Reason::DigestMismatch
            | Reason::BadSignature
            | Reason::DeviceRevoked
            | Reason::Fork
            | Reason::OtherHistory
            | Reason::ViewMismatch
            | Reason::Expired
            | Reason::Decided
            | Reason::Superseded
            | Reason::Withdrawn
            | Reason::TooLate
            | Reason::DeniedByPolicy,
            Some(status),
        ) => ApiError::conflict(reason.code(), format!("Conflict: {reason}"), status),
    }
}

fn decided(tenant: &Tenant, stored: &Stored, approval: Approval) -> DecidedAnswer {
    DecidedAnswer {
        ok: true,
        ai_tool_call_id: stored.state.id,
        status: stored.status(tenant.now()),
        tool_name: stored.state.tool.clone(),
        tool_call_id: stored.tool_call_id.clone(),
        approval,
    }
}

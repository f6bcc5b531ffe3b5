//! Questions to the proposer, and the answers.

use axum::extract::Path;
use countersign_domain::{
    Digest,
    record::{Actor, LONGEST_REMARK},
    wire::{AnswerRequest, AskRequest, ProposalDetail},
};

use super::{decide::refusal, parse_id, read::detail, visible};
use crate::http::{auth::Caller, body::Json, error::ApiError};

/// `POST /api/assistant/proposals/{id}/ask`
pub(crate) async fn ask(
    caller: Caller,
    Path(id): Path<String>,
    Json(request): Json<AskRequest>,
) -> Result<axum::Json<ProposalDetail>, ApiError> {
    let by = Actor::User(caller.person()?);
    remark(&caller, &id, by, None, request.text).await
}

/// `POST /api/assistant/proposals/{id}/answer`
pub(crate) async fn answer(
    caller: Caller,
    Path(id): Path<String>,
    Json(request): Json<AnswerRequest>,
) -> Result<axum::Json<ProposalDetail>, ApiError> {
    remark(&caller, &id, caller.actor, Some(request.question), request.text).await
}

async fn remark(
    caller: &Caller,
    id: &str,
    by: Actor,
    answers: Option<Digest>,
    text: String,
) -> Result<axum::Json<ProposalDetail>, ApiError> {
    let id = parse_id(id)?;
    visible(caller, id).await?;
    if text.trim().is_empty() || text.chars().count() > LONGEST_REMARK {
        let message = "Bad Request: A text has 1 to 2,000 characters";
        return Err(ApiError::bad_request("invalid_field", message).with_field("text"));
    }
    match caller.tenant.remark(id, by, answers, text).await? {
        Ok(()) => {}
        Err(None) => return Err(ApiError::not_found()),
        Err(Some((reason, status))) => return Err(refusal(reason, Some(status))),
    }
    let bodies = caller.tenant.proposal_bodies(id).await?;
    let bodies = bodies.ok_or_else(ApiError::not_found)?;
    Ok(axum::Json(detail(bodies, &caller.tenant)?))
}

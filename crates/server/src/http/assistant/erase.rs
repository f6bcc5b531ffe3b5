//! Erasing what was written about a request that is over, for who is asked to by a person whom it is about.

use axum::{extract::Path, http::StatusCode};
use countersign_domain::{fold::Status, wire::EraseRequest};

use super::{decide::refusal, parse_id, plain, visible};
use crate::{
    http::{auth::Caller, body::Json, error::ApiError},
    tenant::EraseRefusal,
};

/// `POST /api/assistant/proposals/{id}/erase`: owners and admins. From its answer on the proposal is absent here, and desktops
/// forget it when they hear of it.
pub(crate) async fn erase(
    caller: Caller,
    Path(id): Path<String>,
    Json(request): Json<EraseRequest>,
) -> Result<StatusCode, ApiError> {
    let (by, id) = (caller.person()?, parse_id(&id)?);
    let stored = visible(&caller, id).await?;
    caller.manager()?;
    let reason = plain(Some(request.reason), "reason")?.ok_or_else(|| ApiError::missing("reason"))?;
    match caller.tenant.erase(id, by, reason).await? {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(EraseRefusal::NotFound) => Err(ApiError::not_found()),
        Err(EraseRefusal::Open(status)) => Err(open(status)),
        Err(EraseRefusal::Reason(reason)) => Err(refusal(reason, Some(stored.status(caller.tenant.now())))),
    }
}

fn open(status: Status) -> ApiError {
    let name = status.name();
    ApiError::conflict(
        "wrong_state",
        format!("Conflict: Only what is over can be erased; this is {name}"),
        status,
    )
}

//! People settle what became of a call whose outcome is unknown.

use axum::extract::Path;
use countersign_domain::{
    record::Resolution,
    wire::{ProposalDetail, ResolveRequest},
};

use super::{decide::refusal, parse_id, plain, read::detail, visible};
use crate::{
    http::{auth::Caller, body::Json, error::ApiError},
    random,
    tenant::ResolveRefusal,
};

/// `POST /api/assistant/proposals/{id}/resolve`
pub(crate) async fn resolve(
    caller: Caller,
    Path(id): Path<String>,
    Json(request): Json<ResolveRequest>,
) -> Result<axum::Json<ProposalDetail>, ApiError> {
    let (by, id) = (caller.person()?, parse_id(&id)?);
    visible(&caller, id).await?;
    let note = plain(request.note, "note")?;
    let nonce = random::nonce();
    let resolved = caller
        .tenant
        .resolve(id, move |stored, at| {
            Some(Resolution {
                at,
                by,
                confirmed: false,
                device: None,
                device_seq: None,
                fence: stored.state.begun.as_ref()?.fence,
                happened: request.happened,
                nonce,
                note: note.clone(),
                previous: None,
                proposal: id,
                proposal_digest: stored.state.digest,
            })
        })
        .await?;
    match resolved {
        Ok(_) => {}
        Err(ResolveRefusal::NotFound) => return Err(ApiError::not_found()),
        Err(ResolveRefusal::Reason(reason, status)) => return Err(refusal(reason, Some(status))),
    }
    let bodies = caller.tenant.proposal_bodies(id).await?;
    let bodies = bodies.ok_or_else(ApiError::not_found)?;
    Ok(axum::Json(detail(bodies, &caller.tenant)?))
}

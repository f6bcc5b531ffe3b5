//! The emergency stop, and its end.

use axum::http::StatusCode;
use countersign_domain::{
    fold::Status,
    record::{Reason, Release, Stop},
    wire::{InFlight, ReleaseRequest, StopList, StopRequest, StopSummary},
};

use super::{assistant::plain, auth::Caller, body::Json, error::ApiError};
use crate::{
    random,
    tenant::{Act, Filter},
};

/// Most calls that are listed as in flight.
const MOST_IN_FLIGHT: u32 = 200;

/// `GET /api/stop`
pub(crate) async fn list(caller: Caller) -> Result<axum::Json<StopList>, ApiError> {
    caller.person()?;
    let people = caller.tenant.people();
    let stops = people.stops.iter().map(|(scope, stopped)| StopSummary {
        scope: scope.clone(),
        stop: stopped.digest,
        at: stopped.at,
        by: stopped.by,
        reason: stopped.reason.clone(),
        releases: stopped.releases.iter().copied().collect(),
        needed: u32::try_from(people.wanting()).unwrap_or(u32::MAX),
    });
    let mut in_flight = Vec::new();
    if !people.stops.is_empty() {
        let running = Filter {
            status: Some(Status::Running),
            proposer: (!caller.sees_all()).then(|| caller.actor_id()),
            ..Filter::default()
        };
        for stored in caller.tenant.proposals(running, MOST_IN_FLIGHT).await? {
            let state = &stored.state;
            if let Some(begun) = &state.begun
                && people.stopped(&state.proposer, &state.tool).is_some()
            {
                in_flight.push(InFlight {
                    id: state.id,
                    sentence: stored.sentence.clone(),
                    begun_at: begun.at,
                });
            }
        }
    }
    let stops = stops.collect();
    Ok(axum::Json(StopList { stops, in_flight }))
}

/// `POST /api/stop`
pub(crate) async fn stop(
    caller: Caller,
    Json(request): Json<StopRequest>,
) -> Result<(StatusCode, axum::Json<StopList>), ApiError> {
    let by = caller.person()?;
    let act = Act::Stop(Stop {
        at: caller.tenant.now(),
        by,
        device: None,
        device_seq: None,
        nonce: random::nonce(),
        previous: None,
        reason: plain(request.reason, "reason")?,
        scope: request.scope,
        tenant: caller.tenant.id(),
    });
    caller.tenant.act(act).await?.map_err(refusal)?;
    Ok((StatusCode::CREATED, list(caller).await?))
}

/// `POST /api/stop/release`
pub(crate) async fn release(
    caller: Caller,
    Json(request): Json<ReleaseRequest>,
) -> Result<axum::Json<StopList>, ApiError> {
    let by = caller.person()?;
    let act = Act::Release(Release {
        at: caller.tenant.now(),
        by,
        confirmed: false,
        device: None,
        device_seq: None,
        nonce: random::nonce(),
        previous: None,
        scope: request.scope,
        stop: request.stop,
        tenant: caller.tenant.id(),
    });
    caller.tenant.act(act).await?.map_err(refusal)?;
    list(caller).await
}

/// Why an act changed nothing, as HTTP says it.
pub(super) fn refusal(reason: Reason) -> ApiError {
    match reason {
        Reason::NotEligible | Reason::SelfApproval | Reason::AssuranceTooLow => {
            ApiError::forbidden(reason.code(), format!("Forbidden: {reason}"))
        }
        Reason::UnknownProposal
        | Reason::DigestMismatch
        | Reason::BadSignature
        | Reason::DeviceRevoked
        | Reason::Fork
        | Reason::ViewMismatch
        | Reason::Expired
        | Reason::Decided
        | Reason::Superseded
        | Reason::Withdrawn
        | Reason::TooLate
        | Reason::OtherHistory
        | Reason::DeniedByPolicy => ApiError::conflict_bare(reason.code(), format!("Conflict: {reason}")),
    }
}

//! The executor's side for devices: claim, begin, confirm, complete, refuse, all fenced (design §6).

use std::sync::Arc;

use axum::extract::{Path, State};
use countersign_domain::{
    Record,
    dsse::Envelope,
    id::{DeviceId, UserId},
    people::Device,
    record::{Begin, Body, Holder, Receipt, is_sentence},
    wire::{
        Claim, Claimed, ConfirmFence, ExecutionAnswer, ExecutionRecord, Lease, LeaseRefused, RefuseLease,
    },
};

use super::{assistant::parse_id, auth::Caller, body::Json, error::ApiError};
use crate::{
    App,
    tenant::{RunRefusal, Stored, Tenant},
};

/// Most leases that one claim gets.
const MAX_LEASES: u32 = 32;

/// `POST /api/executions/claim`
pub(crate) async fn claim(
    caller: Caller,
    Json(request): Json<Claim>,
) -> Result<axum::Json<Claimed>, ApiError> {
    let user = caller.person()?;
    own_device(&caller.tenant, user, request.device)?;
    let holder = Holder::Device(request.device);
    let limit = request.limit.clamp(1, MAX_LEASES);
    Ok(axum::Json(
        caller
            .tenant
            .claim(holder, request.manifests.into(), limit)
            .await?,
    ))
}

/// `POST /api/executions/{id}/begin`
pub(crate) async fn begin(
    caller: Caller,
    Path(id): Path<String>,
    Json(request): Json<ExecutionRecord>,
) -> Result<axum::Json<ExecutionAnswer>, ApiError> {
    let (record, begin) = signed::<Begin>(&caller, request.record, |begin| begin.executor)?;
    if parse_id(&id)? != begin.proposal {
        return Err(ApiError::not_found());
    }
    let digest = record.digest;
    let answer = caller.tenant.begin(Arc::new(record), Arc::new(begin)).await?;
    answered(&caller.tenant, answer, digest)
}

/// `POST /api/executions/{id}/confirm`
pub(crate) async fn confirm(
    caller: Caller,
    Path(id): Path<String>,
    Json(request): Json<ConfirmFence>,
) -> Result<axum::Json<Lease>, ApiError> {
    let user = caller.person()?;
    own_device(&caller.tenant, user, request.device)?;
    let (id, holder) = (parse_id(&id)?, Holder::Device(request.device));
    let confirmed = caller.tenant.confirm(id, holder, request.fence).await?;
    Ok(axum::Json(confirmed.map_err(refusal)?))
}

/// `POST /api/executions/{id}/complete`
pub(crate) async fn complete(
    caller: Caller,
    Path(id): Path<String>,
    Json(request): Json<ExecutionRecord>,
) -> Result<axum::Json<ExecutionAnswer>, ApiError> {
    let (record, receipt) = signed::<Receipt>(&caller, request.record, |receipt| receipt.executor)?;
    if parse_id(&id)? != receipt.proposal {
        return Err(ApiError::not_found());
    }
    if receipt.effect.is_some() {
        // Only the server's own tools change the tenant's store.
        return Err(ApiError::bad_request(
            "invalid_field",
            "A device's receipt has no effect on the tenant's store",
        ));
    }
    if !receipt.is_plain() {
        // Everybody who opens the card would read it.
        return Err(ApiError::bad_request(
            "invalid_field",
            "A receipt's sentences are one plain line of at most 500 characters each",
        )
        .with_field("summary"));
    }
    let digest = record.digest;
    let answer = caller
        .tenant
        .complete(Arc::new(record), Arc::new(receipt))
        .await?;
    answered(&caller.tenant, answer, digest)
}

/// `POST /api/executions/{id}/refuse`
pub(crate) async fn refuse(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Json(request): Json<RefuseLease>,
) -> Result<axum::Json<LeaseRefused>, ApiError> {
    let user = caller.person()?;
    own_device(&caller.tenant, user, request.device)?;
    let reason = request.reason.trim();
    if reason.is_empty() || !is_sentence(reason) {
        return Err(ApiError::missing("reason"));
    }
    let (id, holder) = (parse_id(&id)?, Holder::Device(request.device));
    let rules = request.renew.then(|| app.rules().clone());
    let refused = caller
        .tenant
        .refuse(id, holder, request.fence, reason.to_owned(), rules)
        .await?;
    let stored = refused.map_err(refusal)?;
    Ok(axum::Json(LeaseRefused {
        status: stored.status(caller.tenant.now()),
    }))
}

/// A record of the kind `B` that one of the caller's devices signed as the executor it names.
fn signed<B: Body>(
    caller: &Caller,
    envelope: Envelope,
    executor: impl Fn(&B) -> Holder,
) -> Result<(Record, B), ApiError> {
    let user = caller.person()?;
    let malformed = |error| ApiError::bad_request("malformed", format!("Bad Request: {error}"));
    let record = Record::from_envelope(envelope).map_err(malformed)?;
    let body: B = record.body().map_err(malformed)?;
    let Holder::Device(device) = executor(&body) else {
        return Err(ApiError::forbidden(
            "bad_signature",
            "Forbidden: The record names another executor",
        ));
    };
    let known = own_device(&caller.tenant, user, device)?;
    match body.link() {
        Some((_, seq)) if record.is_signed_by(&known.key_of(seq)) => Ok((record, body)),
        Some(_) | None => Err(ApiError::forbidden(
            "bad_signature",
            "Forbidden: The signature is not that device's",
        )),
    }
}

/// An active device of this person.
fn own_device(tenant: &Tenant, user: UserId, device: DeviceId) -> Result<Device, ApiError> {
    let people = tenant.people();
    match people.devices.get(&device) {
        Some(known) if known.user == user && known.is_active() => Ok(known.clone()),
        Some(known) if known.user == user => Err(ApiError::forbidden(
            "device_revoked",
            "Forbidden: The device is not in service",
        )),
        Some(_) | None => Err(ApiError::not_found()),
    }
}

fn answered(
    tenant: &Tenant,
    answer: Result<Stored, RunRefusal>,
    digest: countersign_domain::Digest,
) -> Result<axum::Json<ExecutionAnswer>, ApiError> {
    let stored = answer.map_err(refusal)?;
    Ok(axum::Json(ExecutionAnswer {
        status: stored.status(tenant.now()),
        digest,
    }))
}

/// Why a step was not taken, as HTTP says it.
fn refusal(refusal: RunRefusal) -> ApiError {
    match refusal {
        RunRefusal::NotFound => ApiError::not_found(),
        RunRefusal::Fenced => ApiError::conflict_bare("fenced", "Conflict: The lease is no longer yours"),
        RunRefusal::State(status) => {
            let message = format!("Conflict: Tool call status is '{}'", status.name());
            ApiError::conflict("wrong_state", message, status)
        }
        RunRefusal::Held(until) => {
            ApiError::conflict_bare("held", format!("Conflict: It is held until {until}"))
        }
        RunRefusal::Stopped => ApiError::conflict_bare("stopped", "Conflict: A stop stands over it"),
        RunRefusal::Attempts => ApiError::conflict_bare(
            "attempts",
            "Conflict: The receipt tells of more requests than the call may take",
        ),
        RunRefusal::DigestMismatch => {
            ApiError::conflict_bare("digest_mismatch", "Conflict: The record is about other bytes")
        }
    }
}

//! Device keys: a key asks to enter service, somebody vouches for it, it leaves service (design §4).

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use countersign_domain::{
    Record,
    id::DeviceId,
    people::Device,
    record::Enrol,
    wire::{
        Challenge, DeviceList, DeviceReview, DeviceState, DeviceSummary, EndorseRequest, EnrolRequest,
        Enrolled, RevokeRequest,
    },
};
use countersign_faults::{Point, crash_point};

use super::{
    auth::Caller,
    body::Json,
    error::ApiError,
    people::{id, name},
};
use crate::{App, tenant::Trust};

/// Longest reason of a revocation, in characters.
const LONGEST_REASON: usize = 500;

/// `GET /api/devices`: everybody's for who manages the tenant, else one's own.
pub(crate) async fn list(caller: Caller) -> Result<axum::Json<DeviceList>, ApiError> {
    let (user, role) = caller.member()?;
    let people = caller.tenant.people();
    let shown = people
        .devices
        .iter()
        .filter(|(_, device)| role.manages() || device.user == user);
    let devices = shown.map(|(id, device)| {
        let state = standing(device);
        DeviceSummary {
            id: *id,
            user_id: device.user,
            name: device.name.clone(),
            public_key: device.key,
            state,
            enrolled_at: device.enrolled_at,
            endorsed_by: device.endorsed_by,
            // Its own person reads it off the new device; who vouches for it types what that person says.
            code: (state == DeviceState::Waiting && device.user == user).then(|| device.code()),
        }
    });
    Ok(axum::Json(DeviceList {
        devices: devices.collect(),
    }))
}

/// `POST /api/devices/challenge`
pub(crate) async fn challenge(
    State(app): State<App>,
    caller: Caller,
) -> Result<axum::Json<Challenge>, ApiError> {
    let user = caller.person()?;
    let challenge = app
        .control()
        .challenge(caller.tenant.id(), user, app.now())
        .await?;
    Ok(axum::Json(Challenge { challenge }))
}

/// `POST /api/devices/enrol`
pub(crate) async fn enrol(
    State(app): State<App>,
    caller: Caller,
    Json(request): Json<EnrolRequest>,
) -> Result<axum::Json<Enrolled>, ApiError> {
    let user = caller.person()?;
    let malformed =
        |error| ApiError::bad_request("malformed", format!("Bad Request: {error}")).with_field("record");
    let record = Record::from_envelope(request.record).map_err(malformed)?;
    let enrol: Enrol = record.body().map_err(malformed)?;
    if !record.is_signed_by(&enrol.public_key) {
        return Err(ApiError::forbidden(
            "bad_signature",
            "Forbidden: The record is not signed by the key that it brings",
        ));
    }
    if enrol.user != user || enrol.tenant != caller.tenant.id() {
        return Err(ApiError::forbidden(
            "forbidden",
            "Forbidden: The record is about another person or tenant",
        ));
    }
    if name(&enrol.name)? != enrol.name {
        return Err(ApiError::missing("name"));
    }
    let device_id = enrol.device;
    let again = caller
        .tenant
        .people()
        .devices
        .get(&device_id)
        .is_some_and(|known| known.enrol == record.digest);
    if !again {
        let fresh = app
            .control()
            .spend_challenge(enrol.challenge, enrol.tenant, user, app.now())
            .await?;
        if !fresh {
            let message = "Conflict: The challenge is unknown, used or too old; ask for a new one";
            return Err(ApiError::conflict_bare("stale_challenge", message));
        }
    }
    let device = caller.tenant.enrol(Arc::new(record), Arc::new(enrol)).await??;
    crash_point(Point::EnrolStored);
    Ok(axum::Json(Enrolled {
        device_id,
        standing: standing(&device),
        code: device.code(),
    }))
}

/// `POST /api/devices/{id}/endorse`
pub(crate) async fn endorse(
    State(app): State<App>,
    caller: Caller,
    Path(device): Path<String>,
    Json(request): Json<EndorseRequest>,
) -> Result<StatusCode, ApiError> {
    let user = caller.manager()?;
    let device: DeviceId = id(&device)?;
    // Six digits are few: an admin's stolen session must not try them all.
    app.throttle()
        .attempt_at(&format!("endorse {user} {device}"), app.now())
        .map_err(ApiError::throttled)?;
    caller.tenant.endorse(user, device, request.code).await??;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /api/devices/{id}/revoke`
pub(crate) async fn revoke(
    State(app): State<App>,
    caller: Caller,
    Path(device): Path<String>,
    Json(request): Json<RevokeRequest>,
) -> Result<StatusCode, ApiError> {
    let user = caller.person()?;
    let reason = request.reason.trim();
    if reason.is_empty() || reason.chars().count() > LONGEST_REASON {
        return Err(ApiError::missing("reason"));
    }
    let trust = match request.compromised_since {
        Some(_) if request.decisions_stand => return Err(ApiError::missing("decisionsStand")),
        Some(since) if since > app.now() => return Err(ApiError::missing("compromisedSince")),
        Some(since) => Trust::Before(since),
        None if request.decisions_stand => Trust::Everything,
        None => Trust::Nothing,
    };
    caller
        .tenant
        .revoke_device(user, id(&device)?, reason.to_owned(), trust)
        .await??;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /api/devices/{id}/review`: one's own, or anybody's for who manages the tenant.
pub(crate) async fn review(
    caller: Caller,
    Path(device): Path<String>,
) -> Result<axum::Json<DeviceReview>, ApiError> {
    let (user, role) = caller.member()?;
    let device_id: DeviceId = id(&device)?;
    let people = caller.tenant.people();
    let device = people.devices.get(&device_id);
    let device = device.filter(|device| role.manages() || device.user == user);
    let Some((device, revoked_at)) = device.and_then(|device| Some((device, device.revoked_at?))) else {
        return Err(ApiError::not_found());
    };
    let (decisions, others) = caller.tenant.doubted(device_id, device.last_good_seq).await?;
    Ok(axum::Json(DeviceReview {
        device_id,
        revoked_at,
        compromised_since: device.compromised_since,
        last_good_seq: device.last_good_seq,
        decisions,
        others,
    }))
}

fn standing(device: &Device) -> DeviceState {
    if device.revoked_at.is_some() {
        DeviceState::Revoked
    } else if device.is_active() {
        DeviceState::Active
    } else {
        DeviceState::Waiting
    }
}

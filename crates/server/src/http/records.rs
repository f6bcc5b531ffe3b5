//! `POST /api/records`: what a device signed, in its order, with a final answer for each.

use std::sync::Arc;

use axum::extract::State;
use countersign_domain::{
    Record,
    dsse::Envelope,
    id::UserId,
    record::{Decision, InvalidRecord, Kind, Reason},
    wire::{MAX_RECORDS, PushRecords, PushedRecords, RecordResult},
};

use super::{auth::Caller, body::Json, error::ApiError};
use crate::{
    App,
    cards::views,
    tenant::{Act, SignedBody, Tenant},
};

/// Takes up to [`MAX_RECORDS`] envelopes. Each is answered by itself: one that is refused blocks nothing behind it.
pub(crate) async fn push(
    State(app): State<App>,
    caller: Caller,
    Json(request): Json<PushRecords>,
) -> Result<axum::Json<PushedRecords>, ApiError> {
    let user = caller.person()?;
    if request.records.len() > MAX_RECORDS {
        return Err(ApiError::too_large());
    }
    let mut results = Vec::with_capacity(request.records.len());
    for envelope in request.records {
        results.push(take(&app, &caller.tenant, user, envelope).await?);
    }
    Ok(axum::Json(PushedRecords { results }))
}

async fn take(
    app: &App,
    tenant: &Tenant,
    user: UserId,
    envelope: Envelope,
) -> Result<RecordResult, ApiError> {
    let digest = envelope.digest();
    let refused = |reason: &str| RecordResult {
        digest,
        effective: false,
        reason: Some(reason.to_owned()),
        status: None,
    };
    let record = match Record::from_envelope(envelope) {
        Ok(record) => record,
        Err(InvalidRecord::UnknownKind(_)) => return Ok(refused("unknown_kind")),
        Err(InvalidRecord::Body(_) | InvalidRecord::Signatures) => return Ok(refused("malformed")),
    };
    let body = match record.kind {
        Kind::Decision => return decision(app, tenant, user, record).await,
        Kind::Endorse => record.body().map(SignedBody::Endorse),
        Kind::Withdraw => record.body().map(SignedBody::Withdraw),
        Kind::Preview => record.body().map(SignedBody::Preview),
        Kind::Resolution => record.body().map(SignedBody::Resolution),
        Kind::Stop => record.body().map(Act::Stop).map(SignedBody::Act),
        Kind::Release => record.body().map(Act::Release).map(SignedBody::Act),
        Kind::Rules => record.body().map(Act::Rules).map(SignedBody::Act),
        Kind::Remark => record.body().map(SignedBody::Remark),
        Kind::Rotate => record.body().map(SignedBody::Rotate),
        Kind::Genesis
        | Kind::Member
        | Kind::Invite
        | Kind::Agent
        | Kind::Connection
        | Kind::Manifest
        | Kind::Enrol
        | Kind::Revoke
        | Kind::Refuse
        | Kind::Proposal
        | Kind::Evaluation
        | Kind::Void
        | Kind::Supersede
        | Kind::Expire
        | Kind::Begin
        | Kind::Receipt
        | Kind::Lapse
        | Kind::Erase => return Ok(refused("not_taken_here")),
    };
    let Ok(body) = body else {
        return Ok(refused("malformed"));
    };
    let result = tenant.take_signed(Arc::new(record), body, user).await?;
    warn_of_fork(&result, user);
    Ok(result)
}

async fn decision(
    app: &App,
    tenant: &Tenant,
    user: UserId,
    record: Record,
) -> Result<RecordResult, ApiError> {
    let Ok(decision) = record.body::<Decision>() else {
        let reason = Some("malformed".to_owned());
        return Ok(RecordResult {
            digest: record.digest,
            effective: false,
            reason,
            status: None,
        });
    };
    // The proposal's bytes never change, so its card can be made before the writer is asked.
    let views = match tenant.to_decide(decision.proposal).await? {
        Some(bodies) => views(&app.rules().registry, tenant, &bodies)?,
        None => Vec::new(),
    };
    let result = tenant.decide_by_device(Arc::new(record), user, views).await?;
    warn_of_fork(&result, user);
    Ok(result)
}

fn warn_of_fork(result: &RecordResult, user: UserId) {
    if result.reason.as_deref() == Some(Reason::Fork.code()) {
        tracing::warn!(user = %user, "A device has signed two records with one number; it is out of service.");
    }
}

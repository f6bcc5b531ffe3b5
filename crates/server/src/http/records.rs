//! `POST /api/records`: what a device signed, in its order, with a final answer for each.

use std::sync::Arc;

use axum::extract::State;
use countersign_domain::{
    Record,
    dsse::Envelope,
    id::UserId,
    record::{InvalidRecord, Kind, Reason},
    wire::{MAX_RECORDS, PushRecords, PushedRecords, RecordResult},
};

use super::{auth::Caller, body::Json, error::ApiError};
use crate::{
    App,
    cards::views,
    tenant::{Act, SignedBody, SignedDecision, Tenant, Views},
};

/// A record that goes to the tenant's store, or its answer where it is none that is taken here.
type Read = Result<(Arc<Record>, SignedBody), RecordResult>;

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
    let (mut results, mut together) = (Vec::with_capacity(request.records.len()), Vec::new());
    for read in request.records.into_iter().map(read) {
        // A card shows the preview: it is made once that is stored.
        if is_decision(&read) && together.iter().any(is_preview) {
            results.extend(take(&app, &caller.tenant, user, std::mem::take(&mut together)).await?);
        }
        together.push(read);
    }
    results.extend(take(&app, &caller.tenant, user, together).await?);
    Ok(axum::Json(PushedRecords { results }))
}

const fn is_decision(read: &Read) -> bool {
    matches!(read, Ok((_, SignedBody::Decision(_))))
}

const fn is_preview(read: &Read) -> bool {
    matches!(read, Ok((_, SignedBody::Preview(_))))
}

fn read(envelope: Envelope) -> Read {
    let digest = envelope.digest();
    let refused = |reason: &str| RecordResult {
        digest,
        effective: false,
        reason: Some(reason.to_owned()),
        status: None,
    };
    let record = match Record::from_envelope(envelope) {
        Ok(record) => record,
        Err(InvalidRecord::UnknownKind(_)) => return Err(refused("unknown_kind")),
        Err(InvalidRecord::Body(_) | InvalidRecord::Signatures) => return Err(refused("malformed")),
    };
    let body = match record.kind {
        // Its proposal is looked up with those of the others.
        Kind::Decision => record.body().map(|decision| {
            let (views, seen) = (Views::new(), None);
            SignedBody::Decision(Box::new(SignedDecision {
                decision,
                views,
                seen,
            }))
        }),
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
        | Kind::Erase => return Err(refused("not_taken_here")),
    };
    match body {
        Ok(body) => Ok((Arc::new(record), body)),
        Err(_) => Err(refused("malformed")),
    }
}

/// Has the tenant take what can be taken, in one commit, and puts the answers in the order of the records.
async fn take(
    app: &App,
    tenant: &Tenant,
    user: UserId,
    mut together: Vec<Read>,
) -> Result<Vec<RecordResult>, ApiError> {
    show(app, tenant, &mut together).await?;
    let (mut signed, mut places) = (Vec::new(), Vec::with_capacity(together.len()));
    for read in together {
        places.push(read.map(|read| signed.push(read)));
    }
    if signed.is_empty() {
        return Ok(places.into_iter().filter_map(Result::err).collect());
    }
    let mut taken = tenant.take_signed(signed, user).await?.into_iter();
    let results: Vec<_> = places
        .into_iter()
        .filter_map(|place| place.map_or_else(Some, |()| taken.next()))
        .collect();
    results.iter().for_each(|result| warn_of_fork(result, user));
    Ok(results)
}

/// Makes the cards that decisions have to name. A proposal's bytes never change, so that the writer need not be asked.
async fn show(app: &App, tenant: &Tenant, together: &mut [Read]) -> Result<(), ApiError> {
    let mut decisions: Vec<_> = together
        .iter_mut()
        .filter_map(|read| match read {
            Ok((_, SignedBody::Decision(signed))) => Some(signed),
            Ok(_) | Err(_) => None,
        })
        .collect();
    let ids: Vec<_> = decisions.iter().map(|signed| signed.decision.proposal).collect();
    let bodies = tenant.to_decide(ids).await?;
    for signed in &mut decisions {
        if let Some(bodies) = bodies.get(&signed.decision.proposal) {
            signed.views = views(&app.rules().registry, tenant, bodies)?;
            signed.seen = Some(Arc::clone(&bodies.stored));
        }
    }
    Ok(())
}

fn warn_of_fork(result: &RecordResult, user: UserId) {
    if result.reason.as_deref() == Some(Reason::Fork.code()) {
        tracing::warn!(user = %user, "A device has signed two records with one number; it is out of service.");
    }
}

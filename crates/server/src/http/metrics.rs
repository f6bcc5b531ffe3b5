//! `GET /metrics`: the process's counts for a monitoring system. They name no tenant and nobody.

use axum::{
    extract::{FromRequestParts as _, MatchedPath, Request, State},
    http::{header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use countersign_domain::fold::Status;

use super::{auth::Caller, error::ApiError, places::Stay};
use crate::{
    App,
    metrics::{METRICS, Standing},
    serve::Peer,
};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// For whoever asks from this machine, and for an owner or admin from elsewhere. Behind a proxy everybody seems to ask from
/// this machine, so there it takes the credential.
pub(crate) async fn read(State(app): State<App>, request: Request) -> Result<impl IntoResponse, ApiError> {
    let (mut parts, _) = request.into_parts();
    if !is_local(&parts, &app) {
        Caller::from_request_parts(&mut parts, &app).await?.manager()?;
    }
    let mut now = Standing {
        proposals: Status::ALL.map(|(status, _)| (status, 0)).into(),
        waiting: app.places().taken(Stay::Wait),
        streams: app.places().taken(Stay::Stream),
        ..Standing::default()
    };
    for tenant in app.tenants().all() {
        now.entries += tenant.head_size();
        for (sum, count) in now.proposals.iter_mut().zip(tenant.counts().await?) {
            sum.1 += count;
        }
    }
    let text = METRICS.text(&now).map_err(ApiError::internal)?;
    Ok(([(header::CONTENT_TYPE, OPEN_METRICS)], text))
}

/// Counts a request once it is answered.
pub(crate) async fn count(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    METRICS.answered(route, response.status().as_u16());
    response
}

fn is_local(parts: &Parts, app: &App) -> bool {
    let peer = parts.extensions.get::<Peer>();
    !app.is_behind_proxy() && peer.is_some_and(|Peer(address)| address.ip().to_canonical().is_loopback())
}

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

/// For whoever asks from this machine. Behind a proxy everybody seems to, so there and from elsewhere it takes an owner or
/// admin; and where there are several tenants nobody, for one's sums less one's own are the others'.
pub(crate) async fn read(State(app): State<App>, request: Request) -> Result<impl IntoResponse, ApiError> {
    let (mut parts, _) = request.into_parts();
    if !is_local(&parts, &app) {
        Caller::from_request_parts(&mut parts, &app).await?.manager()?;
        if app.tenants().all().len() > 1 {
            return Err(ApiError::forbidden(
                "not_eligible",
                "Forbidden: With several tenants these counts are read from the server's own machine only",
            ));
        }
    }
    let mut now = Standing {
        proposals: Status::ALL.map(|(status, _)| (status, 0)).into(),
        waiting: app.places().taken(Stay::Wait),
        streams: app.places().taken(Stay::Stream),
        ..Standing::default()
    };
    for tenant in app.tenants().all() {
        now.entries += tenant.head_size();
        match tenant.counts().await {
            Ok(counts) => {
                for (sum, count) in now.proposals.iter_mut().zip(counts) {
                    sum.1 += count;
                }
            }
            // One broken store must not hide how the others are.
            Err(error) => tracing::error!(tenant = %tenant.id(), "Proposals cannot be counted: {error}"),
        }
        match tenant.radar().await {
            Ok((moves, _)) => {
                let overdue = moves.iter().filter(|(_, next)| next.is_overdue(tenant.now()));
                now.overdue += overdue.count() as u64;
            }
            Err(error) => {
                tracing::error!(tenant = %tenant.id(), "What waits too long cannot be counted: {error}")
            }
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
    let forwarded =
        parts.headers.contains_key(header::FORWARDED) || parts.headers.contains_key("x-forwarded-for");
    !app.is_behind_proxy()
        && !forwarded
        && peer.is_some_and(|Peer(address)| address.ip().to_canonical().is_loopback())
}

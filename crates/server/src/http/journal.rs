//! Sync: journal pages with proofs, the head, and server-sent events that say no more than the head (design §7).

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::State,
    response::sse::{Event, KeepAlive, Sse},
};
use countersign_domain::wire::{Head, JournalPage, MAX_JOURNAL_PAGE};
use futures::{Stream, StreamExt as _, stream};
use serde::Deserialize;

use super::{auth::Caller, body::Query, error::ApiError, places::Stay};
use crate::{App, tenant::Sight};

/// Where to go on, and how far.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PageQuery {
    #[serde(default)]
    after: u64,
    limit: Option<u32>,
}

/// `GET /api/journal`
pub(crate) async fn page(
    caller: Caller,
    Query(query): Query<PageQuery>,
) -> Result<axum::Json<JournalPage>, ApiError> {
    // A page of none still proves that what the caller has is a part of the head.
    let limit = query.limit.unwrap_or(1_000).min(MAX_JOURNAL_PAGE);
    let sight = sight(&caller)?;
    Ok(axum::Json(caller.tenant.page(query.after, limit, sight).await?))
}

/// `GET /api/journal/checkpoint`
pub(crate) async fn checkpoint(caller: Caller) -> Result<axum::Json<Head>, ApiError> {
    sight(&caller)?;
    Ok(axum::Json(caller.tenant.head()))
}

/// `GET /api/journal/events`: the new head after each commit. A client that falls behind gets the newest only. The stream
/// ends with its session or membership, and with the server.
pub(crate) async fn events(
    State(app): State<App>,
    caller: Caller,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    sight(&caller)?;
    let place = app.places().take(caller.credential, Stay::Stream)?;
    let stream = stream::unfold(
        (caller.tenant.clone(), caller.tenant.follow(), true, place),
        |(tenant, mut head, first, place)| async move {
            if !first {
                head.changed().await.ok()?;
            }
            head.mark_unchanged();
            let event = Event::default().event("head").json_data(tenant.head()).ok()?;
            Some((Ok(event), (tenant, head, false, place)))
        },
    );
    let over = async move {
        tokio::select! {
            () = caller.ended(&app) => (),
            () = app.stopping() => (),
        }
    };
    let stream = stream.take_until(Box::pin(over));
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(Duration::from_secs(20))))
}

/// What of the bodies the caller may see. An agent's key gets no journal at all.
fn sight(caller: &Caller) -> Result<Sight, ApiError> {
    caller.person()?;
    Ok(if caller.sees_all() {
        Sight::All
    } else {
        Sight::Own(caller.actor_id())
    })
}

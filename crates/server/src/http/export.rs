//! `GET /api/journal/export`: the journal as evidence, streamed, and a view of it for spreadsheets.
//!
//! One journal has one bundle for each size and profile, so a download goes on by byte range; see `docs/adr/0007`.

use std::{io, pin::Pin};

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use countersign_domain::{bundle::Profile, wire::SNAPSHOT_SIZE};
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use serde::Deserialize;

use super::{
    auth::Caller,
    body::Query,
    csv,
    error::ApiError,
    places::{Place, Stay},
};
use crate::{
    App,
    tenant::{Export, StoreError, Tenant, file_name},
};

const BUNDLE: &str = "application/vnd.countersign.bundle";

/// How many rows of the view are read at once.
const ROWS: u32 = 256;

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExportQuery {
    #[serde(default)]
    format: Format,
    #[serde(default = "full")]
    profile: Profile,
    size: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Format {
    #[default]
    Bundle,
    Csv,
}

const fn full() -> Profile {
    Profile::Full
}

type Pieces = Pin<Box<dyn Stream<Item = Result<Bytes, StoreError>> + Send>>;

/// `GET /api/journal/export`
pub(crate) async fn get(
    State(app): State<App>,
    caller: Caller,
    asked: HeaderMap,
    Query(query): Query<ExportQuery>,
) -> Result<Response, ApiError> {
    let (_, role) = caller.member()?;
    if !role.exports() {
        return Err(ApiError::forbidden(
            "not_eligible",
            "Forbidden: Only an owner, admin or auditor can export the journal",
        ));
    }
    let place = app.places().take(caller.credential, Stay::Export)?;
    let tenant = caller.tenant.clone();
    let export = bundle(&tenant, query.size, query.profile).await?;
    let size = export.size();
    let (mut response, pieces) = match query.format {
        Format::Bundle => send_bundle(&tenant, export, query, &asked).await?,
        Format::Csv => view(tenant.clone(), size, query.profile),
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(HeaderName::from_static(SNAPSHOT_SIZE), size.into());
    let over = async move {
        tokio::select! {
            () = caller.ended(&app) => (),
            () = app.stopping() => (),
        }
    };
    *response.body_mut() = Body::from_stream(guarded(pieces, over, place));
    Ok(response)
}

async fn bundle(tenant: &Tenant, size: Option<u64>, profile: Profile) -> Result<Export, ApiError> {
    let export = tenant.export(size, profile).await?;
    export.ok_or_else(|| {
        ApiError::bad_request(
            "invalid_query",
            "Bad Request: The journal has not so many entries",
        )
    })
}

/// The bundle, or what is missing of one that broke off.
async fn send_bundle(
    tenant: &Tenant,
    export: Export,
    query: ExportQuery,
    asked: &HeaderMap,
) -> Result<(Response, Pieces), ApiError> {
    let (size, profile) = (export.size(), query.profile.name());
    let tag = format!("\"{size}-{profile}-{}\"", export.erasures());
    let headers = [
        (header::CONTENT_TYPE, BUNDLE.to_owned()),
        (
            header::CONTENT_DISPOSITION,
            attachment(tenant, size, &format!("{profile}.bundle")),
        ),
        (header::ETAG, tag.clone()),
    ];
    // Without a size the same address is another bundle tomorrow: there is nothing to go on with.
    let Some(from) = query.size.and_then(|_| start(asked, &tag)) else {
        return Ok((headers.into_response(), bundle_pieces(export, 0)));
    };
    let length = length(bundle(tenant, query.size, query.profile).await?).await?;
    let range = |status, range: String| (status, headers, [(header::CONTENT_RANGE, range)]).into_response();
    if from >= length {
        let nothing = range(StatusCode::RANGE_NOT_SATISFIABLE, format!("bytes */{length}"));
        return Ok((nothing, stream::empty().boxed()));
    }
    let rest = range(
        StatusCode::PARTIAL_CONTENT,
        format!("bytes {from}-{}/{length}", length - 1),
    );
    Ok((rest, bundle_pieces(export, from)))
}

/// Rows for a spreadsheet.
fn view(tenant: Tenant, size: u64, profile: Profile) -> (Response, Pieces) {
    let headers = [
        (
            header::CONTENT_TYPE,
            "text/csv; charset=utf-8; header=present".to_owned(),
        ),
        (
            header::CONTENT_DISPOSITION,
            attachment(
                &tenant,
                size,
                &format!("{}-view-not-evidence.csv", profile.name()),
            ),
        ),
    ];
    let rows = stream::try_unfold(0, move |after| {
        let tenant = tenant.clone();
        async move {
            if after == size {
                return Ok(None);
            }
            let entries = tenant.entries(after, size, ROWS).await?;
            let last = entries.last().map_or(size, |entry| entry.seq);
            let people = tenant.people();
            let mut text = if after == 0 { csv::head() } else { String::new() };
            text.extend(entries.iter().map(|entry| csv::row(entry, profile, &people)));
            Ok(Some((Bytes::from(text), last)))
        }
    });
    (headers.into_response(), rows.boxed())
}

fn attachment(tenant: &Tenant, size: u64, rest: &str) -> String {
    format!("attachment; filename=\"{}\"", file_name(tenant.id(), size, rest))
}

/// Where the caller wants to go on: the one form `bytes=N-`, of this very bundle.
fn start(asked: &HeaderMap, tag: &str) -> Option<u64> {
    let same = asked
        .get(header::IF_RANGE)
        .is_none_or(|is| is.as_bytes() == tag.as_bytes());
    let range = asked.get(header::RANGE).filter(|_| same)?.to_str().ok()?;
    range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
}

/// How many bytes it has: made once to be counted.
async fn length(export: Export) -> Result<u64, StoreError> {
    let (mut length, mut left) = (0, Some(export));
    while let Some(export) = left {
        let (piece, rest) = export.piece().await?;
        length += piece.len() as u64;
        left = rest;
    }
    Ok(length)
}

/// The bundle from this byte on. What comes before is made as well: the last line sums it up.
fn bundle_pieces(export: Export, from: u64) -> Pieces {
    let pieces = stream::try_unfold((Some(export), from), |(export, skip)| async move {
        let Some(export) = export else { return Ok(None) };
        let (piece, rest) = export.piece().await?;
        let skipped = piece.len().min(usize::try_from(skip).unwrap_or(usize::MAX));
        let left = Bytes::from(piece).slice(skipped..);
        Ok(Some((left, (rest, skip - skipped as u64))))
    });
    // An empty piece would say nothing, and some write it as the end.
    pieces
        .try_filter(|piece| futures::future::ready(!piece.is_empty()))
        .boxed()
}

/// Breaks off, so that nobody takes it for whole, when the caller's credential ends or the server does.
fn guarded(
    pieces: Pieces,
    over: impl Future<Output = ()> + Send + 'static,
    place: Place,
) -> impl Stream<Item = io::Result<Bytes>> + Send {
    let over: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(over);
    stream::try_unfold(
        (pieces, over, place),
        |(mut pieces, mut over, place)| async move {
            let piece = tokio::select! {
                biased;
                () = &mut over => Some(Err(io::Error::other("the export was ended"))),
                piece = pieces.next() => piece.map(|piece| piece.map_err(|error| {
                    tracing::error!("An export broke off: {error}");
                    io::Error::other(error)
                })),
            };
            Ok(piece.transpose()?.map(|piece| (piece, (pieces, over, place))))
        },
    )
}

//! `GET /api/snapshot`: a whole replica for a fresh device, compressed with zstd (design §7).

use axum::{
    body::{Body, Bytes},
    http::{HeaderName, header},
    response::{IntoResponse, Response},
};
use countersign_domain::wire::SNAPSHOT_SIZE;
use futures::{TryStreamExt as _, stream};
use tokio::io::{AsyncReadExt as _, BufReader};

use super::{auth::Caller, error::ApiError};

/// Bytes of one piece of the answer.
const PIECE: usize = 256 * 1024;

/// For roles that see everything; the others take the journal page by page.
pub(crate) async fn get(caller: Caller) -> Result<Response, ApiError> {
    caller.person()?;
    if !caller.sees_all() {
        return Err(ApiError::forbidden(
            "not_eligible",
            "Forbidden: Your role here reads the journal page by page",
        ));
    }
    let (path, size) = caller.tenant.snapshot().await?;
    let file = tokio::fs::File::open(path).await.map_err(ApiError::internal)?;
    let length = file.metadata().await.map_err(ApiError::internal)?.len();
    let pieces = stream::try_unfold(BufReader::with_capacity(PIECE, file), |mut file| async move {
        let mut piece = Vec::with_capacity(PIECE);
        let read = file.read_buf(&mut piece).await?;
        Ok::<_, std::io::Error>((read > 0).then(|| (Bytes::from(piece), file)))
    });
    let headers = [
        (header::CONTENT_TYPE, "application/zstd".to_owned()),
        (header::CONTENT_LENGTH, length.to_string()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (HeaderName::from_static(SNAPSHOT_SIZE), size.to_string()),
    ];
    Ok((headers, Body::from_stream(pieces.into_stream())).into_response())
}

//! A fresh device far behind its tenant starts from a snapshot; the journal's tail then comes page by page.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::{client::CallError, first_look, seat::Seat, store::account};

/// From how many entries on a snapshot is worth it: below, the pages are there as fast.
const FAR: u64 = if cfg!(test) { 60 } else { 5_000 };

/// How many pieces may wait to be unpacked.
const PIECES: usize = 64;

/// Takes a snapshot when there is nothing here and much at the tenant. Whatever goes wrong with it costs only time: the
/// pages are pulled from the first entry then.
pub(crate) async fn start(seat: &Arc<Seat>) -> anyhow::Result<()> {
    if seat.journal.size().await? > 0 {
        return Ok(());
    }
    let id = seat.account.id;
    let seen = seat.store.read(move |db| account::seen(db, id)).await?;
    // A device that has verified a checkpoint before goes by pages, past the very size it has seen.
    if seen.is_some() || seat.is_cut_off() || seat.client.head().await?.size < FAR {
        return Ok(());
    }
    first_look::begin(seat).await;
    let fetched = fetch(seat).await;
    first_look::end(seat);
    if let Err(error) = fetched {
        tracing::warn!("The tenant's snapshot did not come; the journal is pulled page by page: {error:#}");
    }
    Ok(())
}

async fn fetch(seat: &Seat) -> anyhow::Result<()> {
    let mut download = match seat.client.snapshot().await {
        Ok(download) => download,
        // Roles that do not see everything have no snapshot.
        Err(CallError::Refused { .. }) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let proof = seat.client.journal(download.size, 0).await?;
    // Unpacked as it comes.
    let (pieces, coming) = mpsc::channel(PIECES);
    let (here, came) = tokio::join!(
        async move {
            while let Some(piece) = download.next().await? {
                if pieces.send(piece).await.is_err() {
                    break;
                }
            }
            Ok::<(), CallError>(())
        },
        seat.journal.unpack(coming)
    );
    here?;
    came?;
    seat.journal.start_from(seat.log(), proof).await?;
    Ok(())
}

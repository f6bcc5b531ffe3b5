//! A fresh device far behind its tenant starts from a snapshot; the journal's tail then comes page by page.

use std::sync::Arc;

use crate::{client::CallError, seat::Seat};

/// From how many entries on a snapshot is worth it: below, the pages are there as fast.
const FAR: u64 = if cfg!(test) { 60 } else { 5_000 };

/// Takes a snapshot when there is nothing here and much at the tenant. Whatever goes wrong with it costs only time: the
/// pages are pulled from the first entry then.
pub(crate) async fn start(seat: &Arc<Seat>) -> anyhow::Result<()> {
    let here = seat
        .journal
        .read(|reader| Ok(reader.head()?.map_or(0, |head| head.size)))
        .await?;
    let seen = {
        let id = seat.account.id;
        seat.store
            .read(move |db| crate::store::account::seen(db, id))
            .await?
    };
    // A device that has verified a checkpoint before goes by pages, past the very size it has seen.
    if here > 0 || seen.is_some() || seat.is_cut_off() || seat.client.head().await?.size < FAR {
        return Ok(());
    }
    let (packed, size) = match seat.client.snapshot().await {
        Ok(snapshot) => snapshot,
        // Roles that do not see everything have no snapshot.
        Err(CallError::Refused { .. }) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let proof = seat.client.journal(size, 0).await?;
    seat.journal.start_from(packed, seat.log(), proof).await?;
    Ok(())
}

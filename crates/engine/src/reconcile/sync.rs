//! Sync: rejections whose time for undo is over are signed, what was signed goes up, the journal comes down.

use std::{sync::Arc, time::Duration};

use super::{pause, pauses, preview, pull, push, snapshot};
use crate::{
    client::CallError,
    decide, enrol,
    event::EngineEvent,
    seat::{LinkState, Seat},
};

/// How often it looks without a hint: a lost hint costs at most this.
const PERIOD: Duration = Duration::from_secs(20);

/// Syncs until the task is dropped.
pub(crate) async fn run(seat: &Arc<Seat>) {
    if let Err(error) = pull::forget_all_erased(seat).await {
        tracing::warn!("What was erased may still be kept on this device: {error:#}");
    }
    let mut tries = pauses();
    loop {
        let rest = match reconcile(seat).await {
            Ok(next) => {
                tries = pauses();
                seat.set_trouble(None);
                next.map_or(PERIOD, |due| due.min(PERIOD))
            }
            Err(error) => {
                failed(seat, &error);
                tries.next().unwrap_or(PERIOD)
            }
        };
        pause(&seat.wakes.sync, rest).await;
    }
}

/// One pass. Says when a held rejection becomes due, if one is held.
pub(crate) async fn reconcile(seat: &Arc<Seat>) -> anyhow::Result<Option<Duration>> {
    // Side by side: a rejection is signed on time also without a network, and what is new does not wait for what goes up.
    let (up, down) = tokio::join!(up(seat), down(seat));
    let (due, sent) = up?;
    down?;
    let previewed = preview::make(seat).await? && push::push(seat).await?;
    if sent || previewed {
        // What went up is in the journal by now.
        pull::pull(seat).await?;
    }
    pull::fold_outbox(seat).await?;
    seat.set_link(LinkState::Online);
    seat.wakes.execute.notify_one();
    seat.wakes.notify.notify_one();
    seat.wakes.radar.notify_one();
    Ok(due)
}

/// What this device has to say. Says when a held rejection becomes due, and whether anything was sent.
async fn up(seat: &Arc<Seat>) -> anyhow::Result<(Option<Duration>, bool)> {
    let due = decide::sign_due(seat).await?;
    enrol::settle(seat).await?;
    Ok((due, push::push(seat).await?))
}

/// What the tenant has to say.
async fn down(seat: &Arc<Seat>) -> anyhow::Result<()> {
    // What is here is all that there is of a log that shows two histories: nothing is fetched again from there.
    if seat.journal.is_suspect() && seat.fork().await?.is_none() && seat.journal.heal().await? {
        seat.tell(EngineEvent::InboxChanged);
    }
    snapshot::start(seat).await?;
    pull::pull(seat).await?;
    Ok(())
}

fn failed(seat: &Seat, error: &anyhow::Error) {
    match error.downcast_ref::<CallError>() {
        Some(error) if error.is_retryable() => {
            tracing::debug!("Sync waits for the tenant: {error:?}");
            seat.set_link(LinkState::Offline);
        }
        Some(CallError::SignIn) => {
            seat.set_link(LinkState::Offline);
            seat.session_over.notify_one();
        }
        Some(_) | None => {
            tracing::warn!("Sync failed: {error:#}");
            // The link first: whoever reads why nothing comes finds it stalled.
            seat.set_link(LinkState::Stalled);
            seat.set_trouble(Some(trouble(error).to_owned()));
        }
    }
}

/// What a person is told, and what to do about it.
fn trouble(error: &anyhow::Error) -> &'static str {
    // A tenant answers whoever is no member of it as if it did not exist.
    if let Some(CallError::Refused { status: 404, .. }) = error.downcast_ref::<CallError>() {
        return "This tenant does not know you any more, so nothing new comes and nothing is sent. Ask one of its owners; \
                what is here stays.";
    }
    let full = error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<rusqlite::Error>())
        .any(|error| error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull));
    if full {
        "This computer's disk is full, so nothing new can be taken in and nothing runs from here. Make room: it goes on by itself."
    } else {
        "What the tenant sends cannot be taken in here. It is tried again by itself; if this stays, the log says why."
    }
}

/// Listens for hints until the task is dropped: each wakes sync, and so does the end of the stream.
pub(crate) async fn listen(seat: &Arc<Seat>) {
    let mut tries = pauses();
    loop {
        if !seat.is_cut_off()
            && let Ok(mut events) = seat.client.events().await
        {
            tries = pauses();
            while let Ok(Some(_head)) = events.next().await {
                if seat.is_cut_off() {
                    break;
                }
                seat.wakes.sync.notify_one();
            }
            seat.wakes.sync.notify_one();
        }
        pause(&seat.wakes.hints, tries.next().unwrap_or(PERIOD)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_called_by_its_name_wherever_it_is_met() {
        let full = || {
            let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL);
            rusqlite::Error::SqliteFailure(code, None)
        };
        let of_the_replica =
            countersign_replica::ApplyError::from(countersign_replica::StorageError::from(full()));
        let met = [
            anyhow::Error::from(crate::journal::JournalError::from(of_the_replica)),
            anyhow::Error::from(crate::store::StoreError::from(full())),
        ];
        for error in met {
            assert!(
                trouble(&error).starts_with("This computer's disk is full"),
                "{error:#}"
            );
        }
        assert!(trouble(&anyhow::anyhow!("a page of another tenant")).contains("tried again"));
    }
}

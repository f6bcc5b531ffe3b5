//! How many requests have waited too long, for the frame of the window. The frame is read after every change and must not
//! look at a card for this, so the number is kept beside it and made anew at a pace of its own: soon after the journal has
//! changed, and every minute, since a request comes to wait too long with nothing happening. A number that is another one
//! is told with the hint that the frame is read again after.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use super::pause;
use crate::{event::EngineEvent, seat::Seat, views::radar::radar};

/// How often it looks without a hint. What waits too long has done so for minutes at least.
const PERIOD: Duration = Duration::from_secs(60);
/// The least time between two looks: each folds everything that is not over.
const REST: Duration = Duration::from_secs(10);

/// Keeps the number right until the task is dropped.
pub(crate) async fn run(seat: &Arc<Seat>) {
    loop {
        if let Err(error) = reconcile(seat).await {
            tracing::warn!("What waits too long could not be counted: {error:#}");
        }
        tokio::time::sleep(REST).await;
        pause(&seat.wakes.radar, PERIOD).await;
    }
}

/// One pass.
pub(crate) async fn reconcile(seat: &Seat) -> anyhow::Result<()> {
    let overdue = radar(seat).await?.overdue();
    if seat.overdue.swap(overdue, Ordering::Relaxed) != overdue {
        seat.tell(EngineEvent::StateChanged);
    }
    Ok(())
}

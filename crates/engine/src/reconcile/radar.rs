//! How many requests have waited too long, for the frame of the window. The frame is read after every change and must not
//! look at a card for this, so the number is kept beside it and made anew at a pace of its own: soon after the journal has
//! changed, and when the next request comes to wait too long, which it does with nothing happening. A number that is another
//! one is told with the hint that the frame is read again after.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use super::pause;
use crate::{event::EngineEvent, seat::Seat, views::radar::radar};

/// The least time between two looks: each folds everything that is not over.
const REST: Duration = Duration::from_secs(10);
/// The most: a computer that slept, or was given another time, has waited less than it thinks.
const PERIOD: Duration = Duration::from_secs(600);

/// Keeps the number right until the task is dropped.
pub(crate) async fn run(seat: &Arc<Seat>) {
    loop {
        let next = reconcile(seat).await.unwrap_or_else(|error| {
            tracing::warn!("What waits too long could not be counted: {error:#}");
            PERIOD
        });
        tokio::time::sleep(REST).await;
        pause(&seat.wakes.radar, next).await;
    }
}

/// One pass. In how long the number is another one, if nothing happens.
pub(crate) async fn reconcile(seat: &Seat) -> anyhow::Result<Duration> {
    let (radar, now) = (radar(seat).await?, seat.now());
    let overdue = radar.overdue();
    if seat.overdue.swap(overdue, Ordering::Relaxed) != overdue {
        seat.tell(EngineEvent::StateChanged);
    }
    let waiting = radar.rows.iter().filter(|row| !row.overdue);
    let next = waiting.map(|row| row.due.since(now).0).min();
    Ok(next.map_or(PERIOD, |next| {
        Duration::from_millis(next.max(0).unsigned_abs()).min(PERIOD)
    }))
}

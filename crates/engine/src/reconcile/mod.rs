//! Background work: reconcilers. Each compares what is with what should be and closes the gap; it takes no input, may
//! run at any time and any number of times, and is woken by a timer or a hint.

pub(crate) mod execute;
mod ledger;
pub(crate) mod notify;
mod pull;
mod push;
pub(crate) mod sync;

use std::{future::Future, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::{sync::Notify, task::JoinSet};

use crate::seat::Seat;

/// The running reconcilers of a seat. Dropping it stops them.
#[derive(Debug)]
pub(crate) struct Tasks(#[expect(dead_code, reason = "held for its drop")] JoinSet<()>);

impl Tasks {
    /// Starts the reconcilers of a seat.
    pub(crate) fn start(seat: &Arc<Seat>) -> Self {
        let mut tasks = JoinSet::new();
        keep(
            &mut tasks,
            "sync",
            seat,
            |seat| async move { sync::run(&seat).await },
        );
        keep(&mut tasks, "hints", seat, |seat| async move {
            sync::listen(&seat).await
        });
        keep(&mut tasks, "execute", seat, |seat| async move {
            execute::run(&seat).await
        });
        keep(&mut tasks, "notify", seat, |seat| async move {
            notify::run(&seat).await
        });
        Self(tasks)
    }
}

/// Runs a task for ever. One that dies is noticed, said, and started again: its work is idempotent.
fn keep<F, W>(tasks: &mut JoinSet<()>, name: &'static str, seat: &Arc<Seat>, work: W)
where
    W: Fn(Arc<Seat>) -> F + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let seat = Arc::clone(seat);
    tasks.spawn(async move {
        let mut pauses = pauses();
        loop {
            let died = futures::FutureExt::catch_unwind(AssertUnwindSafe(work(Arc::clone(&seat)))).await;
            let why = if died.is_err() { "panicked" } else { "ended" };
            tracing::error!(task = name, "A background task has {why}; it is started again.");
            seat.set_trouble(Some(format!(
                "A background task ({name}) failed and was started again."
            )));
            tokio::time::sleep(pauses.next().unwrap_or(LONGEST)).await;
        }
    });
}

/// Longest pause between two tries.
const LONGEST: Duration = Duration::from_secs(30);

/// Growing pauses with jitter, so that many devices do not come back at once.
pub(crate) fn pauses() -> impl Iterator<Item = Duration> + Send {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(250))
        .with_max_delay(LONGEST)
        .with_jitter()
        .without_max_times()
        .build()
}

/// Waits for a hint, at most so long.
pub(crate) async fn pause(wake: &Notify, time: Duration) {
    tokio::select! {
        () = wake.notified() => (),
        () = tokio::time::sleep(time) => (),
    }
}

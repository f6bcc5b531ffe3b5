//! Background work: reconcilers. Each compares what is with what should be and closes the gap; it takes no input, may
//! run at any time and any number of times, and is woken by a timer or a hint.

pub(crate) mod execute;
pub(crate) mod ledger;
pub(crate) mod notify;
pub(crate) mod preview;
pub(crate) mod pull;
pub(crate) mod push;
pub(crate) mod radar;
pub(crate) mod snapshot;
pub(crate) mod sync;

use std::{collections::BTreeMap, future::Future, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::{
    sync::Notify,
    task::{AbortHandle, JoinSet},
};

use crate::seat::Seat;

/// The running reconcilers of a seat. Dropping it stops them.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    running: JoinSet<()>,
    names: BTreeMap<&'static str, AbortHandle>,
}

impl Tasks {
    /// Starts the reconcilers of a seat.
    pub(crate) fn start(seat: &Arc<Seat>) -> Self {
        let mut tasks = Self::default();
        tasks.keep("sync", seat, |seat| async move { sync::run(&seat).await });
        tasks.keep("hints", seat, |seat| async move { sync::listen(&seat).await });
        tasks.keep("execute", seat, |seat| async move { execute::run(&seat).await });
        tasks.keep("notify", seat, |seat| async move { notify::run(&seat).await });
        tasks.keep("radar", seat, |seat| async move { radar::run(&seat).await });
        tasks
    }

    /// Stops all of them, and waits until they have stopped.
    pub(crate) async fn end(mut self) {
        self.running.shutdown().await;
    }

    /// Stops one of them, for tests that do its work step by step.
    #[cfg(test)]
    pub(crate) fn stop(&self, name: &str) {
        self.names[name].abort();
    }

    fn keep<F, W>(&mut self, name: &'static str, seat: &Arc<Seat>, work: W)
    where
        W: Fn(Arc<Seat>) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let kept = keep(name, Arc::clone(seat), work);
        self.names.insert(name, self.running.spawn(kept));
    }
}

/// Runs a task for ever. One that dies is noticed, said, and started again: its work is idempotent.
async fn keep<F, W>(name: &'static str, seat: Arc<Seat>, work: W)
where
    W: Fn(Arc<Seat>) -> F + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
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

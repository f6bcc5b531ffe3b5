//! Notices on the desktop, over the session bus.
//!
//! A notice only opens a card: the one action that it offers is *Open*. Each has a task of its own, which shows it,
//! waits for the person, and takes it back when it is retracted. The wait also keeps the bus connection open, without
//! which some desktops close the notice at once.

use std::{collections::BTreeMap, time::Duration};

use countersign_domain::record::Risk;
use countersign_engine::ports::{Notice, NoticeActions, NoticeId, Notifier, NotifyError};
use notify_rust::{Hint, Notification, NotificationHandle, NotificationResponse, Timeout, Urgency};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
};

/// How soon a notice that could not be shown is tried again: notification daemons restart.
const TRY_AGAIN: Duration = Duration::from_secs(30);

/// The desktop's notices. Cloning it gives another handle to the same ones.
#[derive(Clone, Debug)]
pub(crate) struct DesktopNotifier {
    asks: mpsc::UnboundedSender<Ask>,
}

#[derive(Debug)]
enum Ask {
    Show(Notice),
    Retract(NoticeId),
    /// Take everything back, and say when that is done.
    Close(oneshot::Sender<()>),
}

impl DesktopNotifier {
    /// The notifier, and the task that it needs to run. What the person opens goes to `opened`.
    pub(crate) fn new(opened: NoticeActions) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (asks, inbox) = mpsc::unbounded_channel();
        (Self { asks }, run(inbox, opened))
    }

    /// Takes all notices back: at the end of the app nobody would answer a click on one.
    pub(crate) async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.asks.send(Ask::Close(done)).is_ok() {
            // It is dropped unsent when the task has died, and then there is nothing to wait for.
            let _ = closed.await;
        }
    }
}

impl Notifier for DesktopNotifier {
    fn notify(&self, notice: &Notice) -> Result<(), NotifyError> {
        self.asks
            .send(Ask::Show(notice.clone()))
            .map_err(|_| NotifyError("the app is ending".to_owned()))
    }

    fn retract(&self, about: NoticeId) {
        // At the end of the app its notices go by themselves.
        drop(self.asks.send(Ask::Retract(about)));
    }
}

async fn run(mut asks: mpsc::UnboundedReceiver<Ask>, opened: NoticeActions) {
    let mut wanted: BTreeMap<NoticeId, watch::Sender<Notice>> = BTreeMap::new();
    let mut shown = JoinSet::new();
    loop {
        tokio::select! {
            ask = asks.recv() => match ask {
                Some(Ask::Show(notice)) => match wanted.get(&notice.id) {
                    Some(current) if !current.is_closed() => drop(current.send_replace(notice)),
                    Some(_) | None => {
                        let (sender, receiver) = watch::channel(notice.clone());
                        wanted.insert(notice.id, sender);
                        shown.spawn(present(receiver, opened.clone()));
                    }
                },
                // Its task sees that nobody wants it any more.
                Some(Ask::Retract(id)) => drop(wanted.remove(&id)),
                Some(Ask::Close(done)) => {
                    wanted.clear();
                    while shown.join_next().await.is_some() {}
                    let _ = done.send(());
                    return;
                }
                None => return,
            },
            Some(ended) = shown.join_next() => {
                if let Err(error) = ended {
                    tracing::warn!("A notice was lost: {error}");
                }
                wanted.retain(|_, sender| !sender.is_closed());
            }
        }
    }
}

/// Shows one notice until it is opened, dismissed or retracted; a change takes the place of what is on the screen.
async fn present(mut wanted: watch::Receiver<Notice>, opened: NoticeActions) {
    let mut on_screen = None;
    loop {
        let notice = wanted.borrow_and_update().clone();
        let handle = match notification(&notice, on_screen).show_async().await {
            Ok(handle) => handle,
            Err(error) => {
                tracing::warn!("A notice cannot be shown, it will be tried again: {error}");
                tokio::select! {
                    changed = wanted.changed() => if changed.is_err() { return },
                    () = tokio::time::sleep(TRY_AGAIN) => (),
                }
                continue;
            }
        };
        on_screen = Some(handle.id());
        tokio::select! {
            response = response(&handle) => {
                if matches!(response, Some(NotificationResponse::Default | NotificationResponse::Action(_))) {
                    // Nobody listens only when the app ends.
                    let _ = opened.send(notice.id);
                    // Some desktops leave it on the screen, where nobody would take it back any more.
                    handle.close_async().await;
                }
                return;
            }
            changed = wanted.changed() => if changed.is_err() {
                handle.close_async().await;
                return;
            },
        }
    }
}

async fn response(handle: &NotificationHandle) -> Option<NotificationResponse> {
    let mut given = None;
    handle
        .wait_for_action_async(|response| given = Some(response.clone()))
        .await;
    given
}

fn notification(notice: &Notice, replaces: Option<u32>) -> Notification {
    let grave = matches!(notice.risk, Risk::High | Risk::Critical);
    let mut notification = Notification::new();
    notification
        .appname("Countersign")
        .icon("countersign")
        .hint(Hint::DesktopEntry("Countersign".to_owned()))
        .summary(&notice.title)
        .body(&notice.body)
        // A click on the notice itself arrives only where `default` is offered.
        .action("default", "Open")
        .urgency(if grave { Urgency::Critical } else { Urgency::Normal })
        .timeout(if grave { Timeout::Never } else { Timeout::Default });
    if let Some(id) = replaces {
        notification.id(id);
    }
    notification
}

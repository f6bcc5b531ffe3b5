//! Whether the desktop has a place for tray icons, which may come late and go any time.

use futures::{StreamExt, stream};
use tauri::{AppHandle, Manager, Runtime};
use tokio::sync::watch;
use zbus::{Connection, fdo::DBusProxy, proxy::CacheProperties};

use crate::shell::Shell;

const WATCHER: &str = "org.kde.StatusNotifierWatcher";

/// The part of the watcher that says whether something shows icons.
/// <https://www.freedesktop.org/wiki/Specifications/StatusNotifierItem/StatusNotifierWatcher/>
#[zbus::proxy(
    interface = "org.kde.StatusNotifierWatcher",
    default_service = "org.kde.StatusNotifierWatcher",
    default_path = "/StatusNotifierWatcher"
)]
trait Watcher {
    #[zbus(property)]
    fn is_status_notifier_host_registered(&self) -> zbus::Result<bool>;
    #[zbus(signal)]
    fn status_notifier_host_registered(&self) -> zbus::Result<()>;
    #[zbus(signal)]
    fn status_notifier_host_unregistered(&self) -> zbus::Result<()>;
}

/// Keeps the shell's knowledge of the tray right, as long as the app runs.
pub(crate) async fn keep_watch<R: Runtime>(app: AppHandle<R>) {
    let present = &app.state::<Shell>().tray_host;
    if let Err(error) = watch(present).await {
        tracing::info!("There is no tray: {error}");
    }
    present.send_replace(false);
}

/// Keeps `present` true while there is a host. Ends with the session bus.
///
/// # Errors
/// When there is no session bus, and so no tray either.
async fn watch(present: &watch::Sender<bool>) -> zbus::Result<()> {
    let bus = Connection::session().await?;
    let names = DBusProxy::new(&bus).await?;
    let watcher = WatcherProxy::builder(&bus)
        .cache_properties(CacheProperties::No)
        .build()
        .await?;
    // Listening starts before the first look, so that no change falls between the two.
    let owners = names
        .receive_name_owner_changed_with_args(&[(0, WATCHER)])
        .await?;
    let registered = watcher.receive_status_notifier_host_registered().await?;
    let unregistered = watcher.receive_status_notifier_host_unregistered().await?;
    let mut changes = stream::select(
        owners.map(drop),
        stream::select(registered.map(drop), unregistered.map(drop)),
    );
    loop {
        let there = names.name_has_owner(WATCHER.try_into()?).await?
            && watcher
                .is_status_notifier_host_registered()
                .await
                .unwrap_or(false);
        present.send_if_modified(|present| std::mem::replace(present, there) != there);
        if changes.next().await.is_none() {
            return Ok(());
        }
    }
}

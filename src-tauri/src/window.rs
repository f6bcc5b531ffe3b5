//! The one window: made, shown, closed, and brought to a card.

use anyhow::Context;
use countersign_domain::id::ProposalId;
use tauri::{AppHandle, Manager, Runtime, Url, WebviewWindow, WebviewWindowBuilder};
use tauri_specta::Event;
use tokio::sync::watch;

use crate::view::app::EngineEvent;

pub(crate) const LABEL: &str = "main";

/// Makes the window that the configuration describes, closed to every page but ours.
pub(crate) fn open<R: Runtime>(app: &AppHandle<R>) -> anyhow::Result<()> {
    let config = app
        .config()
        .app
        .windows
        .iter()
        .find(|window| window.label == LABEL)
        .context("the configuration has no window `main`")?;
    WebviewWindowBuilder::from_config(app, config)?
        .on_navigation(is_ours)
        .build()?;
    Ok(())
}

/// Whether the window may go to `url`: our own pages, and nothing else in the world.
pub(crate) fn is_ours(url: &Url) -> bool {
    let (scheme, host) = if cfg!(any(windows, target_os = "android")) {
        ("http", "tauri.localhost")
    } else {
        ("tauri", "localhost")
    };
    url.scheme() == scheme
        && url.host_str() == Some(host)
        && url.port().is_none()
        && url.username().is_empty()
        && url.password().is_none()
}

/// Brings the window in front of the person, from wherever it is.
pub(crate) fn show<R: Runtime>(app: &AppHandle<R>) {
    let Some(window) = app.get_webview_window(LABEL) else {
        return;
    };
    if let Err(error) = bring_to_front(&window) {
        tracing::warn!("The window could not be shown: {error}");
    }
}

/// Takes the window away. Only for where the tray brings it back.
pub(crate) fn hide<R: Runtime>(app: &AppHandle<R>) {
    if let Some(window) = app.get_webview_window(LABEL)
        && let Err(error) = window.hide()
    {
        tracing::warn!("The window could not be hidden: {error}");
    }
}

/// Puts the window aside, where the desktop keeps it within reach.
pub(crate) fn minimise<R: Runtime>(app: &AppHandle<R>) {
    if let Some(window) = app.get_webview_window(LABEL)
        && let Err(error) = window.minimize()
    {
        tracing::warn!("The window could not be minimised: {error}");
    }
}

/// Whether a person can see or find the window.
pub(crate) fn is_visible<R: Runtime>(app: &AppHandle<R>) -> bool {
    app.get_webview_window(LABEL)
        .is_some_and(|window| window.is_visible().unwrap_or(true))
}

fn bring_to_front<R: Runtime>(window: &WebviewWindow<R>) -> tauri::Result<()> {
    window.show()?;
    window.unminimize()?;
    window.set_focus()
}

/// The card that the page is to open next. A link can start the app, long before the page listens to anything.
#[derive(Clone, Debug, Default)]
pub(crate) struct Navigation {
    wanted: watch::Sender<Option<ProposalId>>,
    page_listens: watch::Sender<bool>,
}

impl Navigation {
    /// Brings the window to a card.
    pub(crate) fn go<R: Runtime>(&self, app: &AppHandle<R>, id: ProposalId) {
        self.wanted.send_replace(Some(id));
        show(app);
    }

    /// The page has a place for cards and listens to events.
    pub(crate) fn page_listens(&self) {
        self.page_listens.send_replace(true);
    }

    /// Tells the page, as soon as it listens. Runs as long as the app.
    pub(crate) async fn deliver<R: Runtime>(self, app: AppHandle<R>) {
        let (mut wanted, mut listens) = (self.wanted.subscribe(), self.page_listens.subscribe());
        // Both senders live in `self`, so neither wait fails.
        while listens.wait_for(|listens| *listens).await.is_ok()
            && wanted.wait_for(Option::is_some).await.is_ok()
        {
            if let Some(id) = self.wanted.send_replace(None) {
                let navigate = EngineEvent::Navigate { id: id.to_string() };
                if let Err(error) = navigate.emit(&app) {
                    tracing::warn!("The page could not be told to open a card: {error}");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_goes_nowhere_but_to_our_pages() {
        for ours in [
            "tauri://localhost",
            "tauri://localhost/",
            "tauri://localhost/assets/index.js",
        ] {
            assert!(is_ours(&ours.parse().unwrap()), "{ours} is embedded in the app");
        }
        for foreign in FOREIGN {
            let url: Url = foreign.parse().unwrap();
            assert!(!is_ours(&url), "{foreign} is not ours");
        }
    }

    const FOREIGN: &[&str] = &[
        "http://localhost",
        "https://localhost",
        "http://localhost:5173",
        "http://tauri.localhost",
        "https://tauri.localhost",
        "http://tauri.evil.com",
        "https://tauri.localhost.evil.com",
        "http://tauri.localhost@evil.com",
        "https://evil.com/tauri://localhost",
        "tauri://evil.com",
        "tauri://localhost.evil.com",
        "tauri://localhost:8080",
        "tauri://localhost@evil.com",
        "tauri://user@localhost",
        "tauri://user:pass@localhost",
        "tauri://LOCALHOST.",
        "tauri://127.0.0.1",
        "tauri://[::1]",
        "tauri:localhost",
        "tauri:///localhost",
        "ipc://localhost",
        "http://ipc.localhost",
        "asset://localhost",
        "http://asset.localhost",
        "isolation://localhost",
        "file:///etc/passwd",
        "file://localhost/etc/passwd",
        "about:blank",
        "about:srcdoc",
        "javascript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "blob:tauri://localhost/0192f3a4",
        "view-source:tauri://localhost",
        "ftp://localhost",
        "ws://localhost",
        "wss://evil.com",
        "mailto:a@b.example",
        "countersign://proposal/0192f3a4-0000-7000-8000-0123456789ab",
        "smb://evil.com/share",
        "chrome://settings",
        "webkit://inspector",
        "intent://evil#Intent;end",
    ];
}

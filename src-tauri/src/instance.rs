//! One app for each desktop session: a second start hands its arguments to the first and ends.

use std::time::Duration;

use tauri::{AppHandle, Runtime, plugin::TauriPlugin};
use zbus::blocking::{Connection, connection};

/// How long the bus may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The plugin that sees to it.
pub(crate) fn only<R: Runtime>(
    again: impl Fn(&AppHandle<R>, Vec<String>) + Send + Sync + 'static,
) -> TauriPlugin<R> {
    tauri_plugin_single_instance::init(move |app, arguments, _folder| again(app, arguments))
}

/// Waits until the bus knows about an app that was just killed. Else this start would be handed on to the dead one, and
/// end with it.
///
/// One question is enough: the bus answers for a dead owner only once it has taken the name away from it.
pub(crate) fn outlive_the_dead(identifier: &str) {
    let name = format!("{identifier}.SingleInstance");
    let asked = bus().and_then(|bus| {
        bus.call_method(
            Some(name.as_str()),
            "/",
            Some("org.freedesktop.DBus.Peer"),
            "Ping",
            &(),
        )
    });
    if let Err(error) = asked {
        tracing::debug!("No other Countersign answers: {error}");
    }
}

fn bus() -> zbus::Result<Connection> {
    connection::Builder::session()?.method_timeout(PATIENCE).build()
}

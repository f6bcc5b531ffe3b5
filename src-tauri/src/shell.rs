//! What the commands, the tray and the event loop share.

use tokio::sync::watch;

use crate::{
    error::{CommandError, ErrorCode},
    window::Navigation,
};

/// The app's one shared thing. It holds handles, no state of its own.
#[derive(Debug, Default)]
pub struct Shell {
    pub navigation: Navigation,
    /// Whether the desktop shows our icon.
    pub tray_host: watch::Sender<bool>,
}

impl Shell {
    pub fn toggle_notifications(&self) {}

    pub fn not_yet<T>(&self) -> Result<T, CommandError> {
        Err(CommandError {
            code: ErrorCode::NotReady,
            message: "Countersign is still starting.".to_owned(),
            field: None,
        })
    }
}

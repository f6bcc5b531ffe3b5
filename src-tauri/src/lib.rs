//! The desktop app: a window, a tray and notifications around the engine.
//!
//! Glue only. What may be decided, and what the page says, comes from the engine; a command is one call into it.

mod bindings;
mod commands;
mod error;
#[cfg(test)]
mod ipc_tests;
mod links;

mod shell;
mod tray;
mod view;
mod window;

use std::io;

use tauri::{AppHandle, Manager, RunEvent, Runtime, WindowEvent};
use tracing_subscriber::{EnvFilter, fmt};

use crate::{links::Launch, shell::Shell};

/// Runs the app until it is quit.
///
/// # Errors
/// When the window's library cannot start, as without a display.
pub fn run() -> anyhow::Result<()> {
    log_to_stderr();
    let launch = Launch::from_arguments(std::env::args().skip(1));
    let bindings = bindings::builder();
    let app = tauri::Builder::default()
        // First, so that a second start ends before it does anything else.
        .plugin(tauri_plugin_single_instance::init(|app, arguments, _folder| {
            started_again(app, &arguments);
        }))
        .manage(Shell::default())
        .invoke_handler(bindings.invoke_handler())
        .setup(move |app| {
            bindings.mount_events(app);
            window::open(app.handle())?;
            let navigation = &app.state::<Shell>().navigation;
            tauri::async_runtime::spawn(navigation.clone().deliver(app.handle().clone()));
            if let Some(id) = launch.open {
                navigation.go(app.handle(), id);
            }
            Ok(())
        })
        .build(context())?;
    app.run(on_event);
    Ok(())
}

/// The configuration, the capabilities and the page, as they were when this was compiled.
fn context<R: Runtime>() -> tauri::Context<R> {
    tauri::generate_context!()
}

/// Somebody opened the app, or a link, while it runs.
fn started_again<R: Runtime>(app: &AppHandle<R>, arguments: &[String]) {
    let launch = Launch::from_arguments(arguments.iter().skip(1));
    match launch.open {
        Some(id) => app.state::<Shell>().navigation.go(app, id),
        None => window::show(app),
    }
}

fn on_event<R: Runtime>(app: &AppHandle<R>, event: RunEvent) {
    if let RunEvent::WindowEvent {
        label,
        event: WindowEvent::CloseRequested { api, .. },
        ..
    } = event
        && label == window::LABEL
        && *app.state::<Shell>().tray_host.borrow()
    {
        api.prevent_close();
        window::hide(app);
    }
}

fn log_to_stderr() {
    let filter =
        EnvFilter::try_from_env("COUNTERSIGN_LOG").unwrap_or_else(|_| EnvFilter::new("info,zbus=warn"));
    fmt().with_env_filter(filter).with_writer(io::stderr).init();
}

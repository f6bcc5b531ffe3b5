//! The desktop app: a window, a tray and notices around the engine.
//!
//! Glue only. What may be decided, and what the page says, comes from the engine; a command is one call into it.

pub mod commands;
pub mod error;
pub mod shell;
pub mod view;

mod bindings;
mod copies;
mod embedded;
mod events;
mod files;
mod first_run;
mod instance;
#[cfg(test)]
mod ipc_tests;
mod links;
mod log;
mod notifier;
mod samples;
mod tray;
mod window;

use std::{env, path::PathBuf, time::Duration};

use anyhow::Context;
use tauri::{App, AppHandle, Manager, RunEvent, Runtime, WindowEvent, async_runtime};
use tokio::sync::mpsc;

use crate::{links::Launch, notifier::DesktopNotifier, shell::Shell};

/// How long the end of the app waits for requests under way.
const GOODBYE: Duration = Duration::from_secs(5);

/// Runs the app until it is quit.
///
/// # Errors
/// When it cannot start at all, as without a display.
pub fn run() -> anyhow::Result<()> {
    let launch = Launch::from_arguments(env::args().skip(1));
    let context = context();
    instance::outlive_the_dead(&context.config().identifier);
    let bindings = bindings::builder();
    let app = tauri::Builder::default()
        // First, so that a second start ends before it does anything else.
        .plugin(instance::only(started_again))
        .invoke_handler(bindings.invoke_handler())
        .setup(move |app| {
            bindings.mount_events(app);
            Ok(set_up(app, launch)?)
        })
        .build(context)?;
    app.run(on_event);
    Ok(())
}

/// The configuration, the capabilities and the page, as they were when this was compiled.
fn context<R: Runtime>() -> tauri::Context<R> {
    tauri::generate_context!()
}

fn set_up<R: Runtime>(app: &App<R>, launch: Launch) -> anyhow::Result<()> {
    let data = match env::var_os("COUNTERSIGN_DATA_DIR") {
        Some(folder) => PathBuf::from(folder),
        None => app
            .path()
            .app_data_dir()
            .context("this system names no folder for an app's data")?,
    };
    // The only one by here: a second start has ended, and two would write into one file.
    let log = log::start(&data);
    let (pressed, presses) = mpsc::unbounded_channel();
    let (notifier, notices) = DesktopNotifier::new(pressed);
    let shell = Shell::new(data, log, notifier);
    let navigation = shell.navigation.clone();
    app.manage(shell);
    window::open(app.handle())?;

    let handle = app.handle();
    async_runtime::spawn(notices);
    async_runtime::spawn(navigation.clone().deliver(handle.clone()));
    async_runtime::spawn(events::follow(handle.clone()));
    async_runtime::spawn(events::follow_notices(handle.clone(), presses));
    async_runtime::spawn(tray::host::keep_watch(handle.clone()));
    async_runtime::spawn(tray::run(handle.clone()));
    async_runtime::spawn(events::end_when_told(handle.clone()));
    async_runtime::spawn(start(handle.clone(), launch.on_this_computer));
    if let Some(id) = launch.open {
        navigation.go(handle, id);
    }
    Ok(())
}

async fn start<R: Runtime>(app: AppHandle<R>, on_this_computer: bool) {
    let shell = app.state::<Shell>();
    shell.start().await;
    if on_this_computer && let Err(error) = shell.start_here_unasked().await {
        tracing::error!("Nothing was set up on this computer: {}", error.message);
    }
    events::look_again(&app);
}

/// Somebody opened the app, or a link, while it runs. Where it could not open that is also another try, as it was told.
fn started_again<R: Runtime>(app: &AppHandle<R>, arguments: Vec<String>) {
    let launch = Launch::from_arguments(arguments.iter().skip(1));
    let shell = app.state::<Shell>();
    match launch.open {
        Some(id) => shell.navigation.go(app, id),
        None => window::show(app),
    }
    if shell.is_stuck() {
        async_runtime::spawn(start(app.clone(), launch.on_this_computer));
    }
}

fn on_event<R: Runtime>(app: &AppHandle<R>, event: RunEvent) {
    if let RunEvent::Exit = event {
        end(app);
    } else if let RunEvent::WindowEvent {
        label,
        event: WindowEvent::CloseRequested { api, .. },
        ..
    } = event
        && label == window::LABEL
    {
        api.prevent_close();
        if *app.state::<Shell>().tray_host.borrow() {
            window::hide(app);
        } else {
            // Nothing but the window leads to the app, so it stays where a person finds it.
            window::minimise(app);
        }
    }
}

/// The last that is done. Everything that matters is on the disk.
fn end<R: Runtime>(app: &AppHandle<R>) {
    let end = async { tokio::time::timeout(GOODBYE, app.state::<Shell>().end()).await };
    if async_runtime::block_on(end).is_err() {
        tracing::warn!("Something was still under way at the end.");
    }
    // At once: the C libraries' own clean-up would take SQLCipher away from under the threads that still use it.
    signal_hook::low_level::exit(0);
}

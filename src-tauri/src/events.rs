//! Hints from the engine on their way to the page, the tray and the window.

use countersign_engine::{EngineEvent as Hint, Phase, ports::NoticeId};
use tauri::{AppHandle, Manager, Runtime};
use tauri_specta::Event;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{broadcast::error::RecvError, mpsc},
};

use crate::{shell::Shell, view::app::EngineEvent, window};

/// Passes the engine's hints on, as long as the app runs.
pub(crate) async fn follow<R: Runtime>(app: AppHandle<R>) {
    let shell = app.state::<Shell>();
    let Ok(engine) = shell.engine() else { return };
    let mut hints = engine.events();
    loop {
        match hints.recv().await {
            Ok(Hint::ProposalChanged(id)) => emit(&app, EngineEvent::ProposalChanged { id: id.to_string() }),
            Ok(Hint::InboxChanged) => emit(&app, EngineEvent::InboxChanged),
            Ok(Hint::ConnectionChanged) => emit(&app, EngineEvent::ConnectionChanged),
            Ok(Hint::StateChanged) => {
                emit(&app, EngineEvent::StateChanged);
                if matches!(engine.phase(), Phase::SignIn { .. }) {
                    shell.resume().await;
                }
            }
            Ok(Hint::Open(id)) => shell.navigation.go(&app, id),
            Ok(Hint::OpenInbox) => window::show(&app),
            // Some were missed; what they said is all there to be asked for.
            Err(RecvError::Lagged(_)) => look_again(&app),
            Err(RecvError::Closed) => return,
        }
        shell.glance.notify_one();
    }
}

/// Passes on what the person pressed in a notice.
pub(crate) async fn follow_notices<R: Runtime>(
    app: AppHandle<R>,
    pressed: mpsc::UnboundedReceiver<NoticeId>,
) {
    if let Ok(engine) = app.state::<Shell>().engine() {
        engine.follow_notices(pressed).await;
    }
}

/// Has everything asked for again.
pub(crate) fn look_again<R: Runtime>(app: &AppHandle<R>) {
    emit(app, EngineEvent::StateChanged);
    emit(app, EngineEvent::InboxChanged);
    app.state::<Shell>().glance.notify_one();
}

/// Ends the app in good order when its person, the session or the system ends it.
pub(crate) async fn end_when_told<R: Runtime>(app: AppHandle<R>) {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::warn!("The app cannot listen for its end.");
        return;
    };
    let shell = app.state::<Shell>();
    tokio::select! {
        _ = terminate.recv() => (),
        _ = interrupt.recv() => (),
        () = shell.quit.notified() => (),
    }
    app.exit(0);
}

fn emit<R: Runtime>(app: &AppHandle<R>, event: EngineEvent) {
    if let Err(error) = event.emit(app) {
        tracing::warn!("The page missed a hint: {error}");
    }
}

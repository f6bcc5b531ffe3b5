//! Who may call what, asked of the real capabilities.

use tauri::{
    WebviewWindow, WebviewWindowBuilder,
    ipc::{CallbackFn, InvokeBody},
    test::{INVOKE_KEY, MockRuntime, get_ipc_response, mock_builder},
    webview::InvokeRequest,
};

use tokio::sync::mpsc;

use crate::{bindings, bindings::tests::COMMANDS, context, notifier::DesktopNotifier, shell::Shell};

/// The answer's error, if it is one.
fn call(
    window: &WebviewWindow<MockRuntime>,
    command: &str,
    body: InvokeBody,
    url: &str,
) -> Result<(), String> {
    let url = url.parse().map_err(|_| "no address".to_owned())?;
    let request = InvokeRequest {
        cmd: command.to_owned(),
        callback: CallbackFn(0),
        error: CallbackFn(1),
        url,
        body,
        headers: tauri::http::HeaderMap::new(),
        invoke_key: INVOKE_KEY.to_owned(),
    };
    get_ipc_response(window, request)
        .map(drop)
        .map_err(|error| error.to_string())
}

#[test]
fn each_command_answers_the_window_main_and_nobody_else() {
    let data = tempfile::tempdir().unwrap();
    // Nobody listens to what is pressed, and no notice is shown: its task never runs.
    let (notifier, _notices) = DesktopNotifier::new(mpsc::unbounded_channel().0);
    let app = mock_builder()
        .manage(Shell::new(data.path().to_owned(), None, notifier))
        .invoke_handler(bindings::builder().invoke_handler())
        .build(context())
        .unwrap();
    let main = WebviewWindowBuilder::new(&app, "main", Default::default())
        .build()
        .unwrap();
    let other = WebviewWindowBuilder::new(&app, "other", Default::default())
        .build()
        .unwrap();
    let empty = || InvokeBody::Json(serde_json::json!({}));

    for command in COMMANDS {
        let refused = call(&other, command, empty(), "tauri://localhost").unwrap_err();
        assert!(
            refused.contains("not allowed"),
            "{command} from another window: {refused}"
        );
        let refused = call(&main, command, empty(), "https://tauri.evil.com").unwrap_err();
        assert!(
            refused.contains("not allowed"),
            "{command} from another page: {refused}"
        );
        if let Err(answer) = call(&main, command, empty(), "tauri://localhost") {
            assert!(
                !answer.contains("not allowed"),
                "{command} from the window: {answer}"
            );
        }
    }
    for command in [
        "plugin:event|emit",
        "plugin:window|close",
        "plugin:webview|create_webview",
        "plugin:app|version",
    ] {
        let refused = call(&main, command, empty(), "tauri://localhost").unwrap_err();
        assert!(
            refused.contains("not allowed"),
            "{command} is not ours to give: {refused}"
        );
    }
}

//! What the page may ask for: each command is one call into the engine and its mapping to a view model.

use tauri::State;

use crate::{
    error::CommandError,
    shell::Shell,
    view::{
        app::{AppState, ConnectCompany, FirstAgent, JournalCheck, StartHere},
        card::{Card, Decide, Decided},
        connections::{ConnectionForm, Connections, TestResult},
        inbox::{InboxPage, InboxQuery},
        people::{Agents, Device, InviteForm, InviteMade, People, Role},
        requests::{DraftView, Submitted, TaskPage},
    },
};

type Answer<T> = Result<T, CommandError>;

/// Everything the frame of the window needs. Asked at start and after every hint.
#[tauri::command]
#[specta::specta]
pub async fn app_state(shell: State<'_, Shell>) -> Answer<AppState> {
    shell.not_yet()
}

/// First run, *On this computer*: makes tenant, owner, device key and one agent key.
#[tauri::command]
#[specta::specta]
pub async fn start_here(shell: State<'_, Shell>, form: StartHere) -> Answer<FirstAgent> {
    let _ = form;
    shell.not_yet()
}

/// Sends the sample proposals through the real agent endpoint. Solo tenants only.
#[tauri::command]
#[specta::specta]
pub async fn load_samples(shell: State<'_, Shell>) -> Answer<()> {
    shell.not_yet()
}

/// First run *Connect to a company*, joining with an invite, and signing in again.
#[tauri::command]
#[specta::specta]
pub async fn connect_company(shell: State<'_, Shell>, form: ConnectCompany) -> Answer<()> {
    let _ = form;
    shell.not_yet()
}

/// Asks the keychain again. An error keeps the keychain screen, with the new message.
#[tauri::command]
#[specta::specta]
pub async fn retry_keychain(shell: State<'_, Shell>) -> Answer<()> {
    shell.not_yet()
}

#[tauri::command]
#[specta::specta]
pub async fn sign_out(shell: State<'_, Shell>) -> Answer<()> {
    shell.not_yet()
}

#[tauri::command]
#[specta::specta]
pub async fn inbox(shell: State<'_, Shell>, query: InboxQuery) -> Answer<InboxPage> {
    let _ = query;
    shell.not_yet()
}

/// The trusted card of one proposal, rendered from bodies checked against their leaves.
#[tauri::command]
#[specta::specta]
pub async fn card(shell: State<'_, Shell>, id: String) -> Answer<Card> {
    let _ = id;
    shell.not_yet()
}

/// Durable before it answers. Carries no content: the core signs its own stored bytes.
#[tauri::command]
#[specta::specta]
pub async fn decide(shell: State<'_, Shell>, form: Decide) -> Answer<Decided> {
    let _ = form;
    shell.not_yet()
}

/// Takes back this person's own approval (a new signed record), while it is possible.
#[tauri::command]
#[specta::specta]
pub async fn undo(shell: State<'_, Shell>, id: String) -> Answer<()> {
    let _ = id;
    shell.not_yet()
}

/// What the text would propose. Makes nothing.
#[tauri::command]
#[specta::specta]
pub async fn draft_request(shell: State<'_, Shell>, text: String) -> Answer<DraftView> {
    let _ = text;
    shell.not_yet()
}

#[tauri::command]
#[specta::specta]
pub async fn submit_request(shell: State<'_, Shell>, text: String) -> Answer<Submitted> {
    let _ = text;
    shell.not_yet()
}

/// Tasks made so far, newest first, 100 at a time.
#[tauri::command]
#[specta::specta]
pub async fn tasks(shell: State<'_, Shell>, after: Option<String>) -> Answer<TaskPage> {
    let _ = after;
    shell.not_yet()
}

#[tauri::command]
#[specta::specta]
pub async fn connections(shell: State<'_, Shell>) -> Answer<Connections> {
    shell.not_yet()
}

#[tauri::command]
#[specta::specta]
pub async fn add_connection(shell: State<'_, Shell>, form: ConnectionForm) -> Answer<()> {
    let _ = form;
    shell.not_yet()
}

#[tauri::command]
#[specta::specta]
pub async fn test_connection(shell: State<'_, Shell>, id: String) -> Answer<TestResult> {
    let _ = id;
    shell.not_yet()
}

#[tauri::command]
#[specta::specta]
pub async fn remove_connection(shell: State<'_, Shell>, id: String) -> Answer<()> {
    let _ = id;
    shell.not_yet()
}

#[tauri::command]
#[specta::specta]
pub async fn people(shell: State<'_, Shell>) -> Answer<People> {
    shell.not_yet()
}

#[tauri::command]
#[specta::specta]
pub async fn invite(shell: State<'_, Shell>, form: InviteForm) -> Answer<InviteMade> {
    let _ = form;
    shell.not_yet()
}

#[tauri::command]
#[specta::specta]
pub async fn change_role(shell: State<'_, Shell>, id: String, role: Role) -> Answer<()> {
    let _ = id;
    let _ = role;
    shell.not_yet()
}

#[tauri::command]
#[specta::specta]
pub async fn remove_member(shell: State<'_, Shell>, id: String) -> Answer<()> {
    let _ = id;
    shell.not_yet()
}

#[tauri::command]
#[specta::specta]
pub async fn devices(shell: State<'_, Shell>) -> Answer<Vec<Device>> {
    shell.not_yet()
}

#[tauri::command]
#[specta::specta]
pub async fn revoke_device(shell: State<'_, Shell>, id: String, reason: String) -> Answer<()> {
    let _ = id;
    let _ = reason;
    shell.not_yet()
}

#[tauri::command]
#[specta::specta]
pub async fn agents(shell: State<'_, Shell>) -> Answer<Agents> {
    shell.not_yet()
}

#[tauri::command]
#[specta::specta]
pub async fn create_agent(shell: State<'_, Shell>, name: String) -> Answer<FirstAgent> {
    let _ = name;
    shell.not_yet()
}

#[tauri::command]
#[specta::specta]
pub async fn revoke_agent(shell: State<'_, Shell>, id: String) -> Answer<()> {
    let _ = id;
    shell.not_yet()
}

#[tauri::command]
#[specta::specta]
pub async fn set_notifications_paused(shell: State<'_, Shell>, paused: bool) -> Answer<()> {
    let _ = paused;
    shell.not_yet()
}

/// Recomputes the whole tree from the first entry. May take seconds.
#[tauri::command]
#[specta::specta]
pub async fn verify_journal(shell: State<'_, Shell>) -> Answer<JournalCheck> {
    shell.not_yet()
}

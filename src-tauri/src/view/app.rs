//! The frame of the window: where the app is, who is here, and how things stand.

use serde::{Deserialize, Serialize};
use specta::Type;
use tauri_specta::Event;

use super::people::Role;

/// What the frame of the window shows, whatever page is open.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct AppState {
    pub phase: Phase,
    /// Null before there is a tenant.
    pub tenant: Option<Tenant>,
    pub person: Option<Person>,
    /// This device.
    pub device: Option<ThisDevice>,
    pub link: Link,
    /// To decide, by risk.
    pub counts: RiskCounts,
    pub notifications_paused: bool,
    pub journal: JournalState,
    /// The version of the app, for Settings.
    pub version: String,
}

/// Where the app is. Each has its own screen.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum Phase {
    Starting,
    FirstRun,
    Keychain { message: String },
    SignIn { tenant_url: String, email: String },
    Fatal { message: String },
    Ready,
}

#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Tenant {
    pub name: String,
    pub mode: TenantMode,
    /// This person's role.
    pub role: Role,
}

#[derive(Clone, Copy, Debug, Serialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum TenantMode {
    Solo,
    Company,
}

#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Person {
    pub name: String,
    pub email: String,
}

#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct ThisDevice {
    pub name: String,
    pub fingerprint: String,
}

#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Link {
    pub state: LinkState,
    /// RFC 3339: the data is as of this time; null when nothing was pulled yet.
    pub as_of: Option<String>,
    /// Age of the data in seconds when this was made.
    pub age_seconds: Option<u32>,
    /// Records signed here and not yet accepted there.
    pub waiting_to_send: u32,
}

#[derive(Clone, Copy, Debug, Serialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    Online,
    Connecting,
    Offline,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct RiskCounts {
    pub low: u32,
    pub medium: u32,
    pub high: u32,
    pub critical: u32,
}

#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct JournalState {
    /// Entries.
    pub size: u32,
    /// Whether everything pulled so far was verified.
    pub verified: bool,
    /// A sentence when a fork or rollback was seen; stays until it is settled.
    pub alarm: Option<String>,
}

#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct JournalCheck {
    /// Entries checked.
    pub size: u32,
    pub ok: bool,
    pub words: String,
}

#[derive(Clone, Debug, Deserialize, Type)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StartHere {
    pub name: String,
    pub email: Option<String>,
    /// Whether to send the sample proposals.
    pub samples: bool,
}

/// A fresh agent key. Shown once.
#[derive(Clone, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct FirstAgent {
    pub agent_name: String,
    pub api_key: String,
    /// A whole command line that works as it stands.
    pub curl: String,
    pub propose_url: String,
}

impl core::fmt::Debug for FirstAgent {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("FirstAgent")
            .field("agent_name", &self.agent_name)
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Deserialize, Type)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConnectCompany {
    pub url: String,
    pub email: String,
    /// With an invite this is the new password.
    pub password: String,
    /// Joining for the first time; null to sign in.
    pub invite: Option<JoinWithInvite>,
}

impl core::fmt::Debug for ConnectCompany {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("ConnectCompany")
            .field("url", &self.url)
            .field("email", &self.email)
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Deserialize, Type)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JoinWithInvite {
    pub code: String,
    pub name: String,
}

impl core::fmt::Debug for JoinWithInvite {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("JoinWithInvite")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A hint: re-ask the commands. Never build state out of it.
#[derive(Clone, Debug, Serialize, Deserialize, Type, Event)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EngineEvent {
    ProposalChanged { id: String },
    InboxChanged,
    ConnectionChanged,
    StateChanged,
    Navigate { id: String },
}

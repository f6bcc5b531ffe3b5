//! The frame of the window: where the app is, who is here, and how things stand.

use countersign_domain::record;
use countersign_engine::views::app;
use serde::{Deserialize, Serialize};
use specta::Type;
use tauri_specta::Event;

use super::{Permission, Span, StateView, count, line, people::Role, stops::StopRow, time};
use crate::embedded::address;

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
    /// Null once this device's signatures count.
    pub device_waits: Option<DeviceWaits>,
    /// Nothing that is signed here counts, for good.
    pub device_revoked: bool,
    /// This person's devices that wait to be confirmed and may be from here, by name.
    pub devices_to_confirm: Vec<String>,
    pub link: Link,
    /// To decide, by risk.
    pub counts: RiskCounts,
    /// How many requests have waited too long.
    pub overdue: u32,
    pub notifications_paused: bool,
    pub journal: JournalState,
    /// A sentence while something in the background does not work.
    pub trouble: Option<String>,
    /// What this person signed and does not count, as long as they have not seen that.
    pub refused: Vec<Refused>,
    /// What stands still, the widest first.
    pub stops: Vec<StopRow>,
    /// Whether this person may stop something.
    pub stop: Permission,
    /// The file that the app's log is in; null where it cannot be kept.
    pub log: Option<String>,
    /// The version of the app, for Settings.
    pub version: String,
}

/// Something of this person's that does not count.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Refused {
    pub id: String,
    pub sentence: Vec<Span>,
    /// Why it does not count, and what came first.
    pub state: StateView,
}

/// Where the app is. Each has its own screen.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum Phase {
    Starting,
    FirstRun,
    Keychain {
        message: String,
        /// Where the keychain has no entry of this device: decisions and other records that were saved here and never sent.
        lost: Option<u32>,
    },
    SignIn {
        tenant_url: String,
        email: String,
    },
    Fatal {
        message: String,
    },
    Ready,
}

#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Tenant {
    pub name: String,
    pub mode: TenantMode,
    /// Whether it is inside this app, on this computer.
    pub here: bool,
    /// This person's role.
    pub role: Role,
    /// The key that signs the tenant's log: what `countersign-verify --trust` takes.
    pub log_key: String,
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
    /// Null where none was given.
    pub email: Option<String>,
}

#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct ThisDevice {
    pub name: String,
    pub fingerprint: String,
}

/// This device has to be confirmed first.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct DeviceWaits {
    /// Six digits, typed where it is confirmed.
    pub code: String,
    /// This person's devices that may confirm it, by name.
    pub own: Vec<String>,
    /// The other people who may, by name.
    pub who: Vec<String>,
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
    /// The tenant answers, and what it says cannot be taken in here; `trouble` says why.
    Stalled,
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
    /// Whether this person may take it away as a file.
    pub save: Permission,
}

#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct JournalCheck {
    /// Entries checked.
    pub size: u32,
    pub ok: bool,
    pub words: String,
}

/// A copy of the tenant on this computer.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct BackedUp {
    pub folder: String,
    /// Entries of its journal, each of them checked.
    pub entries: u32,
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

impl From<countersign_engine::Refused> for Refused {
    fn from(refused: countersign_engine::Refused) -> Self {
        Self {
            id: refused.id.to_string(),
            sentence: line(&refused.sentence),
            state: refused.state.into(),
        }
    }
}

impl AppState {
    /// `trouble` is what keeps the engine from running at all.
    pub(crate) fn new(
        state: Option<app::AppState>,
        trouble: Option<String>,
        log: Option<String>,
        version: String,
        here: bool,
    ) -> Self {
        let (phase, home) = state.map_or((Phase::Starting, None), |state| (state.phase.into(), state.home));
        let signed_out = || Permission {
            allowed: false,
            why: Some("Sign in first.".to_owned()),
        };
        let base = Self {
            phase: trouble.map_or(phase, |message| Phase::Fatal { message }),
            tenant: None,
            person: None,
            device: None,
            device_waits: None,
            device_revoked: false,
            devices_to_confirm: Vec::new(),
            link: Link {
                state: LinkState::Connecting,
                as_of: None,
                age_seconds: None,
                waiting_to_send: 0,
            },
            counts: RiskCounts::default(),
            overdue: 0,
            notifications_paused: false,
            journal: JournalState {
                size: 0,
                verified: false,
                alarm: None,
                save: signed_out(),
            },
            trouble: None,
            refused: Vec::new(),
            stops: Vec::new(),
            stop: signed_out(),
            log,
            version,
        };
        match home {
            None => base,
            Some(home) => Self {
                link: Link {
                    state: home.link.state.into(),
                    as_of: home.link.as_of.map(time),
                    age_seconds: home.age_seconds.map(count),
                    waiting_to_send: home.waiting_to_send,
                },
                counts: home.counts.into(),
                overdue: count(home.overdue),
                notifications_paused: home.notifications_paused,
                journal: JournalState {
                    size: count(home.journal_size),
                    verified: home.alarm.is_none() && home.journal_size > 0,
                    alarm: home.alarm,
                    save: home.export.into(),
                },
                trouble: home.trouble,
                refused: home.refused.into_iter().map(Into::into).collect(),
                stops: home.stops.into_iter().map(Into::into).collect(),
                stop: home.stop.into(),
                device_revoked: home.device_revoked,
                devices_to_confirm: home.devices_to_confirm,
                device_waits: home.device_waits.map(|waits| DeviceWaits {
                    code: waits.code,
                    own: waits.own,
                    who: waits.who,
                }),
                tenant: home.tenant.and_then(|tenant| Tenant::new(tenant, here)),
                person: Some(Person {
                    // The address stands for the name until the journal is here.
                    name: address(home.person_name).unwrap_or_else(|| "You".to_owned()),
                    email: address(home.email),
                }),
                device: Some(ThisDevice {
                    name: home.device_name,
                    fingerprint: home.device_fingerprint,
                }),
                ..base
            },
        }
    }
}

impl Tenant {
    /// A person without a role is no member any more.
    fn new(tenant: app::TenantView, here: bool) -> Option<Self> {
        let mode = match tenant.mode {
            record::Mode::Solo => TenantMode::Solo,
            record::Mode::Company => TenantMode::Company,
        };
        Some(Self {
            name: tenant.name,
            mode,
            here,
            role: tenant.role?.into(),
            log_key: tenant.log_key,
        })
    }
}

impl From<countersign_engine::Phase> for Phase {
    fn from(phase: countersign_engine::Phase) -> Self {
        match phase {
            countersign_engine::Phase::Starting => Self::Starting,
            countersign_engine::Phase::FirstRun => Self::FirstRun,
            countersign_engine::Phase::Keychain { message, lost } => Self::Keychain { message, lost },
            countersign_engine::Phase::SignIn { tenant_url, email } => Self::SignIn { tenant_url, email },
            countersign_engine::Phase::Fatal { message } => Self::Fatal { message },
            countersign_engine::Phase::Ready => Self::Ready,
        }
    }
}

impl From<countersign_engine::LinkState> for LinkState {
    fn from(state: countersign_engine::LinkState) -> Self {
        match state {
            countersign_engine::LinkState::Online => Self::Online,
            countersign_engine::LinkState::Connecting => Self::Connecting,
            countersign_engine::LinkState::Offline => Self::Offline,
            countersign_engine::LinkState::Stalled => Self::Stalled,
        }
    }
}

/// Mildest first, as the engine counts.
impl From<[u64; 4]> for RiskCounts {
    fn from([low, medium, high, critical]: [u64; 4]) -> Self {
        Self {
            low: count(low),
            medium: count(medium),
            high: count(high),
            critical: count(critical),
        }
    }
}

impl From<app::JournalCheck> for JournalCheck {
    fn from(check: app::JournalCheck) -> Self {
        Self {
            size: count(check.size),
            ok: check.ok,
            words: check.words,
        }
    }
}

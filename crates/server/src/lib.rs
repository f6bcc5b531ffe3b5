//! The tenant server: HTTP API, store, automations. The binary `countersign-server` serves it; the desktop app embeds it.

mod app;
mod config;
mod control;
mod health;
mod http;
mod keeper;
mod metrics;
mod names;
mod provider;
mod schema;
mod serve;
mod server;

pub mod backup;
pub mod cards;
pub mod clock;
pub mod executor;
pub mod export;
pub mod ingress;
pub mod random;
pub mod tenant;

pub(crate) use app::App;
pub use config::{Config, MAX_OPEN, MAX_RATE, Transport};
pub use control::{ControlError, Token};
pub use provider::{ProviderSettings, SettingsError};
pub use server::{
    AgentKeyError, EndorseError, FoundError, ListenError, Listening, NewTenant, OpenError, PasswordError,
    Server,
};

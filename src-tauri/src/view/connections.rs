//! Ways out of the tenant: what they are, and the forms that add one.

use serde::{Deserialize, Serialize};
use specta::Type;

use super::{Permission, Tone};

#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Connections {
    pub rows: Vec<Connection>,
    /// Whether this person may add one, and why not.
    pub add: Permission,
}

#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Connection {
    pub id: String,
    pub name: String,
    pub kind: ConnectionKind,
    pub holder: Holder,
    /// The holding device's name, when another device holds it.
    pub holder_name: Option<String>,
    /// Host and the like, never a secret.
    pub summary: String,
    /// State in words, such as "Ready, last used 10:02".
    pub status: String,
    pub tone: Tone,
    /// Proposals not yet final that would run over it.
    pub used_by: u32,
    /// Only the holder can test.
    pub may_test: bool,
    pub may_remove: bool,
}

#[derive(Clone, Copy, Debug, Serialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionKind {
    Smtp,
    Http,
}

#[derive(Clone, Copy, Debug, Serialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum Holder {
    ThisDevice,
    OtherDevice,
    Tenant,
}

#[derive(Clone, Debug, Deserialize, Type)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ConnectionForm {
    Smtp(SmtpForm),
    Http(HttpForm),
}

#[derive(Clone, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct SmtpForm {
    pub name: String,
    pub host: String,
    pub port: u16,
    pub tls: Tls,
    pub username: String,
    pub password: String,
    pub from: String,
}

impl core::fmt::Debug for SmtpForm {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("SmtpForm")
            .field("name", &self.name)
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, Debug, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum Tls {
    Implicit,
    Starttls,
    None,
}

#[derive(Clone, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct HttpForm {
    pub name: String,
    /// `https://host/base`; plain http only to loopback.
    pub base_url: String,
    /// Path prefixes below the base, such as `/v1/orders`.
    pub allowed_paths: Vec<String>,
    /// The whole header value, such as `Bearer ...`; kept in the keychain.
    pub authorization: Option<String>,
    /// Minutes during which the peer honours an Idempotency-Key; null when it does not.
    pub idempotency_window_minutes: Option<u32>,
}

impl core::fmt::Debug for HttpForm {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("HttpForm")
            .field("name", &self.name)
            .field("base_url", &self.base_url)
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct TestResult {
    pub ok: bool,
    pub words: String,
}

//! Ways out of the tenant: what they are, and the forms that add one.

use countersign_domain::record;
use countersign_engine::views::connections::{self, HeldBy, NewConnection, Way};
use countersign_tools::{
    email::{self, SmtpConfig},
    http::{HttpConfig, Method},
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use specta::Type;

use super::{Permission, Tone, count};

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

impl From<connections::Connections> for Connections {
    fn from(all: connections::Connections) -> Self {
        Self {
            rows: all.rows.into_iter().map(Into::into).collect(),
            add: all.add.into(),
        }
    }
}

impl From<connections::ConnectionRow> for Connection {
    fn from(row: connections::ConnectionRow) -> Self {
        let (holder, holder_name) = match row.holder {
            HeldBy::ThisDevice => (Holder::ThisDevice, None),
            HeldBy::OtherDevice(name) => (Holder::OtherDevice, Some(name)),
            HeldBy::Tenant => (Holder::Tenant, None),
        };
        Self {
            id: row.id.to_string(),
            name: row.name,
            kind: match row.kind {
                record::ConnectionKind::Smtp => ConnectionKind::Smtp,
                record::ConnectionKind::Http => ConnectionKind::Http,
            },
            holder,
            holder_name,
            summary: row.summary,
            status: row.status,
            tone: row.tone.into(),
            used_by: count(row.used_by),
            may_test: row.may_test,
            may_remove: row.may_remove,
        }
    }
}

impl From<ConnectionForm> for NewConnection {
    fn from(form: ConnectionForm) -> Self {
        match form {
            ConnectionForm::Smtp(form) => Self {
                name: form.name,
                secret: filled(form.password).map(SecretString::from),
                way: Way::Smtp(SmtpConfig {
                    from: form.from,
                    host: form.host,
                    port: form.port,
                    tls: match form.tls {
                        Tls::Implicit => email::Tls::Implicit,
                        Tls::Starttls => email::Tls::Starttls,
                        Tls::None => email::Tls::None,
                    },
                    username: filled(form.username),
                }),
            },
            ConnectionForm::Http(form) => {
                let secret = form.authorization.and_then(filled);
                Self {
                    name: form.name,
                    way: Way::Http(HttpConfig {
                        allowed_methods: METHODS.to_vec(),
                        allowed_path_prefixes: form.allowed_paths,
                        auth_header: secret.as_ref().map(|_| "Authorization".to_owned()),
                        base_url: form.base_url,
                        idempotency_window_s: form
                            .idempotency_window_minutes
                            .map(|minutes| i64::from(minutes) * 60),
                    }),
                    secret: secret.map(SecretString::from),
                }
            }
        }
    }
}

/// The form narrows by path; what a call does is on its card.
const METHODS: [Method; 6] = [
    Method::Get,
    Method::Head,
    Method::Post,
    Method::Put,
    Method::Patch,
    Method::Delete,
];

/// The form's name of a field that the tools name after the stored configuration.
pub(crate) fn form_field(field: &str) -> String {
    let stem = field.split(['[', '.']).next().unwrap_or(field);
    match stem {
        "base_url" => "baseUrl",
        "allowed_path_prefixes" | "allowed_methods" => "allowedPaths",
        "auth_header" => "authorization",
        "idempotency_window_s" => "idempotencyWindowMinutes",
        other => other,
    }
    .to_owned()
}

/// A field that was left empty was not filled in.
fn filled(text: String) -> Option<String> {
    (!text.trim().is_empty()).then_some(text)
}

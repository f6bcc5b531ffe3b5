//! Connections of every kind: whether a configuration can be one, and whether it works.

use countersign_domain::{canonical::Value, record::ConnectionKind};
use secrecy::SecretString;

use crate::{InputError, email, http};

/// Why a connection does not work. The sentence is for people and carries the other side's words.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct ConnectError {
    /// A machine code: `config`, `unreachable`, `tls`, `auth`, `refused`.
    pub code: &'static str,
    pub message: String,
}

impl ConnectError {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}

/// Whether a public configuration can be that of a connection of this kind. Asked when one is made.
///
/// # Errors
/// With the field at fault.
pub fn check(kind: ConnectionKind, config: &Value) -> Result<(), InputError> {
    match kind {
        ConnectionKind::Smtp => email::SmtpConfig::read(config).map(drop),
        ConnectionKind::Http => http::HttpConfig::read(config).map(drop),
    }
}

/// Connects, makes the connection private, signs in where the kind has a sign-in of its own, and leaves. Sends nothing
/// that could have an effect.
///
/// # Errors
/// The first step that did not work.
pub async fn test(
    kind: ConnectionKind,
    config: &Value,
    secret: Option<&SecretString>,
) -> Result<(), ConnectError> {
    match kind {
        ConnectionKind::Smtp => email::test_connection(config, secret).await,
        ConnectionKind::Http => http::test_connection(config).await,
    }
}

impl From<InputError> for ConnectError {
    fn from(error: InputError) -> Self {
        Self::new("config", error.message)
    }
}

//! What a person is told when something does not work: a code, because somebody branches on it, and a sentence.

use countersign_domain::record::Reason;

use crate::{
    client::{CallError, InvalidAddress},
    journal::JournalError,
    ports::SecretStoreError,
    store::StoreError,
};

/// An answer that is no.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct EngineError {
    pub code: ErrorCode,
    /// A sentence: what happened, what was kept, what to do.
    pub message: String,
    /// The form's field at fault.
    pub field: Option<String>,
}

/// What the caller may do about it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ErrorCode {
    /// Not in this phase.
    NotReady,
    /// It needs the tenant, and the tenant cannot be reached.
    Offline,
    /// The rules or the tenant say no.
    Refused,
    NotFound,
    /// The keychain does not work.
    Keychain,
    /// A field of the form.
    Invalid,
    /// A mistake of ours, or a broken disk.
    Internal,
}

impl EngineError {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            field: None,
        }
    }

    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Refused, message)
    }

    pub(crate) fn signed_out() -> Self {
        Self::new(ErrorCode::NotReady, "Sign in first.")
    }

    pub(crate) fn offline() -> Self {
        Self::new(
            ErrorCode::Offline,
            "This needs the tenant, which cannot be reached. Nothing was changed.",
        )
    }

    pub(crate) fn not_found() -> Self {
        Self::new(ErrorCode::NotFound, "It is not here any more.")
    }

    pub(crate) fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: ErrorCode::Invalid,
            message: message.into(),
            field: Some(field.into()),
        }
    }

    /// Logged here, once; the person gets a sentence without the details.
    pub(crate) fn internal(error: impl core::fmt::Display) -> Self {
        tracing::error!("{error:#}");
        Self::new(
            ErrorCode::Internal,
            "Something failed on this device. Nothing was changed; the log has the details.",
        )
    }
}

impl From<CallError> for EngineError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Transport(cause) => {
                tracing::info!("The tenant cannot be reached: {cause}");
                Self::new(
                    ErrorCode::Offline,
                    "This needs the tenant, which cannot be reached. Nothing was changed.",
                )
            }
            CallError::Busy { .. } => {
                Self::new(ErrorCode::Offline, "The tenant is busy. Try again in a moment.")
            }
            CallError::SignIn => Self::new(ErrorCode::NotReady, "Your session is over. Sign in again."),
            CallError::Refused {
                status,
                message,
                field,
                ..
            } => {
                let code = match (status, &field) {
                    (404, _) => ErrorCode::NotFound,
                    (_, Some(_)) => ErrorCode::Invalid,
                    (_, None) => ErrorCode::Refused,
                };
                Self {
                    code,
                    message: for_people(&message),
                    field,
                }
            }
            CallError::Protocol(cause) => {
                tracing::warn!("The tenant's answer is not understood: {cause}");
                Self::refused("The tenant answered in a way that this version does not understand.")
            }
        }
    }
}

/// The wire's sentences begin with the name of their status and have no full stop; a person reads neither.
fn for_people(message: &str) -> String {
    let name = |before: &str| before.split(' ').all(|word| word.starts_with(char::is_uppercase));
    let sentence = match message.split_once(": ") {
        Some((before, sentence)) if name(before) => sentence,
        Some(_) | None => message,
    };
    if sentence.ends_with(['.', '?']) {
        sentence.to_owned()
    } else {
        format!("{sentence}.")
    }
}

impl From<SecretStoreError> for EngineError {
    fn from(error: SecretStoreError) -> Self {
        Self::new(ErrorCode::Keychain, error.to_string())
    }
}

impl From<InvalidAddress> for EngineError {
    fn from(error: InvalidAddress) -> Self {
        Self::invalid("url", error.to_string())
    }
}

impl From<StoreError> for EngineError {
    fn from(error: StoreError) -> Self {
        if error.is_full() {
            tracing::error!("{error:#}");
            return Self::new(
                ErrorCode::Internal,
                "There is no room left on this disk. Nothing was saved; make room and try again.",
            );
        }
        if matches!(error, StoreError::Closed) {
            return Self::signed_out();
        }
        Self::internal(error)
    }
}

impl From<JournalError> for EngineError {
    fn from(error: JournalError) -> Self {
        if matches!(error, JournalError::Closed) {
            return Self::signed_out();
        }
        Self::internal(error)
    }
}

impl From<std::io::Error> for EngineError {
    fn from(error: std::io::Error) -> Self {
        Self::internal(error)
    }
}

impl From<getrandom::Error> for EngineError {
    fn from(error: getrandom::Error) -> Self {
        Self::internal(error)
    }
}

impl From<Reason> for EngineError {
    fn from(reason: Reason) -> Self {
        Self::refused(reason.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_tenant_answers_is_told_as_a_sentence_for_people() {
        for (wire, told) in [
            ("Conflict: That name is taken", "That name is taken."),
            ("Bad Request: Is it: this?", "Is it: this?"),
            ("The name of it: unknown", "The name of it: unknown."),
        ] {
            assert_eq!(for_people(wire), told, "{wire}");
        }
    }
}

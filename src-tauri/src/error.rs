//! What a person is told when a command fails.

use countersign_engine::EngineError;
use countersign_server::FoundError;
use serde::Serialize;
use specta::Type;

/// What a person is told: a code only where the page branches, and a sentence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct CommandError {
    pub code: ErrorCode,
    pub message: String,
    /// The name of the form field at fault (as in the form's type), if one is.
    pub field: Option<String>,
}

/// Only where the page branches: `field` problems are `invalid`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    NotReady,
    Offline,
    Refused,
    NotFound,
    Keychain,
    Invalid,
    Internal,
}

impl CommandError {
    pub(crate) fn not_ready(message: impl Into<String>) -> Self {
        Self {
            code: ErrorCode::NotReady,
            message: message.into(),
            field: None,
        }
    }

    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self {
            code: ErrorCode::Refused,
            message: message.into(),
            field: None,
        }
    }

    /// An id of another form than ours names nothing.
    pub(crate) fn not_found() -> Self {
        Self {
            code: ErrorCode::NotFound,
            message: "It is not here any more.".to_owned(),
            field: None,
        }
    }

    pub(crate) fn invalid(field: &str, message: impl Into<String>) -> Self {
        Self {
            code: ErrorCode::Invalid,
            message: message.into(),
            field: Some(field.to_owned()),
        }
    }
}

impl From<EngineError> for CommandError {
    fn from(error: EngineError) -> Self {
        let code = match error.code {
            countersign_engine::ErrorCode::NotReady => ErrorCode::NotReady,
            countersign_engine::ErrorCode::Offline => ErrorCode::Offline,
            countersign_engine::ErrorCode::Refused => ErrorCode::Refused,
            countersign_engine::ErrorCode::NotFound => ErrorCode::NotFound,
            countersign_engine::ErrorCode::Keychain => ErrorCode::Keychain,
            countersign_engine::ErrorCode::Invalid => ErrorCode::Invalid,
            countersign_engine::ErrorCode::Internal => ErrorCode::Internal,
        };
        Self {
            code,
            message: error.message,
            field: error.field,
        }
    }
}

/// What the embedded tenant says. Only the form's own fields are named; the rest is in the log.
impl From<anyhow::Error> for CommandError {
    fn from(error: anyhow::Error) -> Self {
        match error.downcast_ref::<FoundError>() {
            Some(FoundError::Name | FoundError::Owner) => {
                Self::invalid("name", "A name has 1 to 80 visible characters.")
            }
            Some(FoundError::Email) => Self::invalid("email", "This is not an e-mail address."),
            Some(
                FoundError::Password
                | FoundError::WrongPassword
                | FoundError::Busy
                | FoundError::Control(_)
                | FoundError::Store(_)
                | FoundError::Folder(_),
            )
            | None => {
                tracing::error!("The tenant on this computer cannot be made or opened: {error:#}");
                let message = format!("This computer's tenant cannot be opened: {error}. Nothing was lost.");
                Self {
                    code: ErrorCode::Internal,
                    message,
                    field: None,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_told_which_of_its_fields_is_at_fault() {
        for (error, field) in [(FoundError::Owner, "name"), (FoundError::Email, "email")] {
            let told = CommandError::from(anyhow::Error::from(error));
            assert_eq!(told.code, ErrorCode::Invalid, "the page marks the field");
            assert_eq!(
                told.field.as_deref(),
                Some(field),
                "the field's name in the form's type"
            );
        }
    }

    #[test]
    fn what_went_wrong_inside_is_told_as_internal() {
        let told = CommandError::from(anyhow::Error::from(FoundError::Busy));
        assert_eq!(told.code, ErrorCode::Internal, "no field is at fault");
        assert_eq!(told.field, None, "no field is at fault");
    }
}

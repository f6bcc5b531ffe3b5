//! What a person is told when a command fails.

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

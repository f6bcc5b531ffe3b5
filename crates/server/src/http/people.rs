//! What the calls about people share: their refusals, and how they read names and ids.

use super::error::ApiError;
use crate::{names, tenant::PeopleRefusal};

impl From<PeopleRefusal> for ApiError {
    fn from(refusal: PeopleRefusal) -> Self {
        match refusal {
            PeopleRefusal::NotFound => Self::not_found(),
            PeopleRefusal::Forbidden => {
                Self::forbidden("forbidden", "Forbidden: Only an owner or admin can do this")
            }
            PeopleRefusal::NeedsOwner => {
                Self::forbidden("needs_owner", "Forbidden: Only an owner can do this")
            }
            PeopleRefusal::LastOwner => {
                Self::conflict_bare("last_owner", "Conflict: A tenant needs at least one owner")
            }
            PeopleRefusal::AlreadyMember => {
                Self::conflict_bare("already_member", "Conflict: That person is a member already")
            }
            PeopleRefusal::NameTaken => {
                Self::conflict_bare("name_taken", "Conflict: That name is taken").with_field("name")
            }
            PeopleRefusal::TooMany => Self::conflict_bare(
                "too_many",
                "Conflict: There are too many already; remove one first",
            ),
            PeopleRefusal::NotYourDevice => Self::bad_request(
                "invalid_field",
                "Bad Request: The holder must be a device of yours in service",
            )
            .with_field("holder"),
            PeopleRefusal::DeviceKnown => Self::conflict_bare(
                "device_known",
                "Conflict: That device or its key has been enrolled before",
            ),
            PeopleRefusal::NotWaiting => Self::conflict_bare(
                "not_waiting",
                "Conflict: The device does not wait for an endorsement",
            ),
            PeopleRefusal::AnotherPerson => Self::forbidden(
                "another_person",
                "Forbidden: Another person has to vouch for your device",
            ),
            PeopleRefusal::WrongCode => Self::unprocessable(
                "wrong_code",
                "Unprocessable: That is not the code that the device shows",
            )
            .with_field("code"),
        }
    }
}

/// A name that fits, from a field of that name.
pub(super) fn name(text: &str) -> Result<String, ApiError> {
    names::name(text).ok_or_else(|| ApiError::missing("name"))
}

/// An id from a path: what is not an id is as absent as an unknown one.
pub(super) fn id<T: std::str::FromStr>(text: &str) -> Result<T, ApiError> {
    text.parse().map_err(|_| ApiError::not_found())
}

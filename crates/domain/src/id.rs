//! Ids are types. All are UUIDs (v7 when we make them, RFC 9562); text form is the hyphenated lower-case one.
//!
//! Making a new id needs randomness and a clock, so the shells do it and pass the result in.

use core::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The text is not the hyphenated lower-case form of a UUID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a valid id")]
pub struct InvalidId;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps a UUID that a shell has made or a database has kept.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The id's sixteen bytes, the form in which databases keep it.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// Reads what [`Self::as_bytes`] gave.
            ///
            /// # Errors
            /// When there are not exactly sixteen bytes.
            pub fn from_slice(bytes: &[u8]) -> Result<Self, InvalidId> {
                Uuid::from_slice(bytes).map(Self).map_err(|_| InvalidId)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            /// Only the canonical spelling is an id: two spellings of one id would be two names for one record.
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let uuid = Uuid::try_parse(text).map_err(|_| InvalidId)?;
                let mut buffer = [0_u8; uuid::fmt::Hyphenated::LENGTH];
                if uuid.as_hyphenated().encode_lower(&mut buffer) == text { Ok(Self(uuid)) } else { Err(InvalidId) }
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut buffer = [0_u8; uuid::fmt::Hyphenated::LENGTH];
                serializer.serialize_str(self.0.as_hyphenated().encode_lower(&mut buffer))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(crate::text::FromText::new())
            }
        }
    )*};
}

ids! {
    /// A tenant: one company, or one person on one computer.
    TenantId;
    /// A person who signs in.
    UserId;
    /// A piece of software that proposes with a key of its own.
    AgentId;
    /// One enrolled device key of one person in one tenant.
    DeviceId;
    /// A proposed tool call.
    ProposalId;
    /// One decision of one person.
    DecisionId;
    /// A way out of the tenant: an SMTP account, an allow-listed host.
    ConnectionId;
    /// A task in the tenant's own task list.
    TaskId;
    /// An invitation to become a member.
    InviteId;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_spelling_of_an_id_is_that_id() {
        let id = "0192f3a4-0000-7000-8000-0123456789ab";
        assert!(
            id.parse::<ProposalId>().is_ok(),
            "hyphenated lower case is the one form"
        );
        for other in [&id.to_uppercase(), &id.replace('-', ""), &format!("{{{id}}}"), ""] {
            assert!(
                other.parse::<ProposalId>().is_err(),
                "{other:?} must not be a second name"
            );
        }
    }
}

//! The rules of Countersign, pure: no IO, no clock, no randomness, no async.
//!
//! Everything else in the workspace depends on this crate and it depends on none of them. `now` and every nonce are
//! arguments. Server and desktop fold the same journal with the functions here, so they cannot disagree.

pub mod acts;
pub mod bundle;
pub mod canonical;
pub mod decision;
pub mod digest;
pub mod dsse;
pub mod execution;
pub mod fold;
pub mod form;
pub mod id;
pub mod intent;
pub mod journal;
pub mod link;
pub mod manifest;
pub mod people;
pub mod radar;
pub mod record;
pub mod remarks;
pub mod render;
pub mod time;
pub mod wire;

#[cfg(feature = "schema")]
mod schema;
mod text;

pub use digest::Digest;
pub use record::Record;
pub use time::{Millis, UnixMillis};

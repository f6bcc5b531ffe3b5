//! Randomness: the one place that asks the operating system for it.

use countersign_domain::record::Nonce;
use uuid::Uuid;

/// Fresh random bytes.
///
/// # Panics
/// When the operating system has no randomness to give: nothing that the server does would be safe then.
#[allow(
    clippy::expect_used,
    reason = "no key, token or nonce may be made without randomness"
)]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives randomness");
    bytes
}

/// A nonce for a record body.
pub fn nonce() -> Nonce {
    Nonce::from_bytes(bytes())
}

/// A new id, ordered by time (UUIDv7, RFC 9562). Wrap it in the id type it is for.
pub fn uuid() -> Uuid {
    Uuid::now_v7()
}

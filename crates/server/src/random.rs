//! Randomness: the one place that asks for it.

use countersign_domain::record::Nonce;
use rand::RngExt as _;
use uuid::Uuid;

/// Fresh random bytes of the operating system, for what is secret: keys, tokens, salts.
///
/// # Panics
/// When the operating system has no randomness to give: nothing that the server does would be safe then.
#[allow(
    clippy::expect_used,
    reason = "no key, token or salt may be made without randomness"
)]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives randomness");
    bytes
}

/// A nonce for a record body, which keeps the body's digest from being guessed. From the thread's own generator (ChaCha12,
/// seeded by the operating system): a proposal and its run take half a dozen of them.
pub fn nonce() -> Nonce {
    Nonce::from_bytes(rand::rng().random())
}

/// A new id, ordered by time (UUIDv7, RFC 9562). Wrap it in the id type it is for.
pub fn uuid() -> Uuid {
    Uuid::now_v7()
}

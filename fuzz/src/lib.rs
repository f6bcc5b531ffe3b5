//! Everything in Countersign that reads what others have written, each as a function of bytes. It panics where a promise
//! does not hold, and says whether the bytes were taken.
//!
//! Two drivers run them. `tests/changed.rs` changes seeds by chance, as many each time. libFuzzer (`src/bin/libfuzzer.rs`,
//! `scripts/fuzz.sh`) looks for inputs that go another way, for as long as it is given; what it has found is in `corpus/`,
//! and what ever breaks a reader is put there too.

#![allow(
    clippy::expect_used,
    reason = "a reader's broken promise, or a seed that cannot be made, has to fail the test"
)]

mod links;
mod logs;
mod records;
pub mod seeds;

/// One reader.
#[derive(Debug)]
pub struct Target {
    pub name: &'static str,
    /// Whether the bytes were taken for what they should be.
    pub read: fn(&[u8]) -> bool,
    /// How many changed seeds `make test` reads: as many as take it some seconds.
    pub short: u64,
}

/// All of them.
pub const TARGETS: &[Target] = &[
    target("envelope", records::envelope, 120_000),
    target("canonical", records::canonical, 60_000),
    target("proposal", records::proposal, 120_000),
    target("decision", records::decision, 150_000),
    target("bundle", logs::bundle, 3_000),
    target("note", logs::note, 150_000),
    target("proofs", logs::proofs, 6_000),
    target("pages", logs::pages, 10_000),
    target("snapshot", logs::snapshot, 1_500),
    target("link", links::link, 300_000),
];

const fn target(name: &'static str, read: fn(&[u8]) -> bool, short: u64) -> Target {
    Target { name, read, short }
}

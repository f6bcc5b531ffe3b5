//! Stories over a real server in the same process: people with devices, agents with keys, a real mail server.

mod asking;
#[cfg(target_os = "linux")]
mod closing;
mod damage;
mod deciding;
mod editing;
mod erasing;
mod executing;
mod exporting;
mod keychain;
mod keys;
mod late;
mod looking;
mod managing;
mod noticing;
mod proxy;
mod radar;
mod repeating;
mod ruling;
mod scheduling;
#[path = "../../../verify/tests/bundles/seeded.rs"]
#[allow(dead_code, reason = "shared with suites that use more of it")]
mod seeded;
mod stopping;
mod syncing;
mod trouble;
mod vouching;
mod withdrawing;
mod world;

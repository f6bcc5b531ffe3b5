//! The protocol of execution (design §6), every state of it: claim and lease, begin, intent, the call, the receipt; each
//! executor stopped at each step, each message lost or delivered twice, and people, policy and time in between.
//!
//! Of the product are: the fold and the merge (`fold`), what a person's decision and word do (`decision`, `acts`), what a
//! stop covers (`people`), and every rule of a run (`execution`): the authority, which lease admits whom, whether a begin
//! is accepted, whether a receipt is taken, what is known after a crash, whether a request may be made again and what its
//! answer says. The model's own are the steps that executor and server take in which order (`countersign_tools::executor`,
//! the server's `tenant/run.rs` and the desktop's `reconcile/execute.rs`), what a crash leaves of them, the network, and
//! the target of the call.
//!
//! Each way in which it could be broken is a variant of the model ([`model::Broken`]), and each has to be caught.

// Helpers of tests are tests to clippy too.
#![cfg(test)]
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "the model's own lists are long, and each match is about a few of them"
)]

mod calls;
mod model;
mod properties;
mod state;
mod steps;

use std::time::Instant;

use countersign_domain::record::EffectClass;
use stateright::{Checker as _, HasDiscoveries, Model as _};

use crate::model::{Broken, Protocol};

const CLASSES: [EffectClass; 5] = [
    EffectClass::Read,
    EffectClass::Local,
    EffectClass::Idempotent,
    EffectClass::Checkable,
    EffectClass::Opaque,
];

/// Whether the long families run: `make test-long`.
fn is_long() -> bool {
    std::env::var_os("COUNTERSIGN_LONG").is_some()
}

#[test]
fn no_order_of_steps_crashes_and_words_runs_what_was_not_approved_or_runs_it_twice() {
    for effect in CLASSES {
        // How much people, policy and time do in one history, beside everything that executors do.
        let (hands, acts) = if is_long() { (3, 2) } else { (2, 2) };
        let began = Instant::now();
        let checker = Protocol::new(effect, hands, acts)
            .checker()
            .threads(2)
            .spawn_bfs()
            .join();
        checker.assert_properties();
        println!(
            "{effect:?}: {} states with {hands} executors and 3 fences, {acts} acts of people, {:.1} s",
            checker.unique_state_count(),
            began.elapsed().as_secs_f64()
        );
    }
}

#[test]
fn every_broken_variant_of_the_protocol_is_caught() {
    for broken in Broken::ALL {
        let began = Instant::now();
        let checker = Protocol::new(broken.class(), 2, 2)
            .broken(broken)
            .checker()
            .threads(2)
            .finish_when(HasDiscoveries::AnyFailures)
            .spawn_bfs()
            .join();
        let found: Vec<_> = properties::NEVER_BROKEN
            .iter()
            .filter(|name| checker.discovery(name).is_some())
            .collect();
        println!(
            "{broken:?}: {found:?} after {} states, {:.1} s",
            checker.unique_state_count(),
            began.elapsed().as_secs_f64()
        );
        assert!(!found.is_empty(), "{broken:?} passes for the protocol");
    }
}

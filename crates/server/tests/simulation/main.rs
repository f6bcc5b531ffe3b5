//! One seed, one history: a tenant's server, three devices of which one lies, two executors and the target of their calls,
//! with messages lost, doubled and late, clocks that jump, processes that end at any step, keys and members that go, rules
//! that change, stops, and a server that lies.
//!
//! Real are the tenant's store with all its commands and files, policy's seed rules, the executor, the recovery, every
//! record, signature and check, and the devices' copies of the journal with their verification. The simulation has the
//! scheduler, the time, the network, the tools and their target, and a device's outbox (`device.rs`). Nothing in what it
//! decides comes from a thread, a clock or chance that is not the seed's: each history is lived twice and has to be the
//! same, step by step. The ids and nonces that the server draws are not in the account that is compared, since nothing
//! may depend on them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::unwrap_in_result,
    clippy::wildcard_enum_match_arm,
    reason = "a test that cannot go on has failed, and looks at the kinds that it is about"
)]

mod device;
mod net;
mod oracle;
mod run;
#[path = "../../../verify/tests/bundles/seeded.rs"]
#[allow(dead_code, reason = "shared with a suite that uses more of it")]
mod seeded;
mod steps;
mod tools;
mod world;

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Mutex,
    time::Instant,
};

use world::{Template, World};

/// What has to have been seen, or the run has shown nothing.
const SOMETIMES: [&str; 49] = [
    "decision: unknown_proposal",
    "decision: digest_mismatch",
    "decision: bad_signature",
    "decision: device_revoked",
    "decision: fork",
    "decision: other_history",
    "decision: not_eligible",
    "decision: self_approval",
    "decision: view_mismatch",
    "decision: assurance_too_low",
    "decision: expired",
    "decision: decided",
    "decision: superseded",
    "decision: withdrawn",
    "decision: too_late",
    "decision: denied_by_policy",
    "record: fenced",
    "record: stopped",
    "record: not_found",
    "not begun: fenced",
    "not begun: stopped",
    "a begun call goes silent",
    "a receipt after the silence",
    "it is not known",
    "people settle what is not known",
    "a stop",
    "a stop with calls in flight",
    "a fork takes its device out of service",
    "the server is killed",
    "the server dies in a run",
    "a device dies in a run",
    "the answer to a begin is lost",
    "a call goes unanswered",
    "a call that was made again completes",
    "a call that was made again is not known",
    "a late page fits",
    "a late page is refused",
    "a dropped record is found",
    "a log that went back is found",
    "a split view is found, with both checkpoints",
    "assistant.create_task ends completed",
    "sim.read ends completed",
    "sim.opaque ends completed",
    "sim.opaque ends unknown",
    "sim.keyed ends completed",
    "sim.checked ends completed",
    "sim.mail ends completed",
    "sim.mail ends unknown",
    "sim.mail ends failed",
];

/// What a thousand histories may miss: in the long run it has to have been seen.
const RARELY: [&str; 1] = ["a late receipt contradicts people"];

/// From how many histories on.
const MANY: u64 = 10_000;

type Reached = BTreeMap<String, u64>;

/// Lives one history.
fn live(runtime: &tokio::runtime::Runtime, seed: u64, template: &Template) -> Result<World, String> {
    let mut world = World::new(seed, template);
    let lived = catch_unwind(AssertUnwindSafe(|| runtime.block_on(world.live())));
    let why = match lived {
        Ok(Ok(())) => return Ok(world),
        Ok(Err(why)) => why,
        Err(panic) => panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .unwrap_or_else(|| "it panicked".to_owned()),
    };
    let last = world.trace.len().saturating_sub(60);
    Err(format!("{why}\n  {}", world.trace[last..].join("\n  ")))
}

fn both(runtime: &tokio::runtime::Runtime, seed: u64, template: &Template) -> Result<World, String> {
    let first = live(runtime, seed, template)?;
    let second = live(runtime, seed, template)?;
    match first
        .trace
        .iter()
        .zip(&second.trace)
        .position(|(one, other)| one != other)
    {
        Some(at) => Err(format!(
            "lived twice it is not the same from step {at} on:\n  {}\n  {}",
            first.trace[at], second.trace[at]
        )),
        None if first.trace.len() != second.trace.len() => Err("lived twice it is not as long".to_owned()),
        None => Ok(first),
    }
}

#[test]
fn in_every_history_nothing_runs_unapproved_or_twice_nothing_is_lost_and_lies_are_found() {
    let began = Instant::now();
    let (first, count) = seeded::cases(1_000, 100_000);
    let template = runtime().block_on(Template::new());
    let all: Mutex<(Reached, u64)> = Mutex::default();
    seeded::each(first, count, |seed| {
        thread_local! {
            static RUNTIME: tokio::runtime::Runtime = runtime();
        }
        let world = RUNTIME
            .with(|runtime| both(runtime, seed, &template))
            .map_err(|why| {
                let test =
                    "in_every_history_nothing_runs_unapproved_or_twice_nothing_is_lost_and_lies_are_found";
                format!("{why}\n{}", seeded::replay(seed, test))
            })?;
        let mut all = all.lock().unwrap();
        for what in world.reached {
            *all.0.entry(what).or_default() += 1;
        }
        all.1 += world.oracle.seen;
        Ok(())
    });
    let (reached, entries) = all.into_inner().unwrap();
    println!(
        "{count} histories, each twice, {entries} entries, {:.0} s",
        began.elapsed().as_secs_f64()
    );
    for (what, histories) in &reached {
        println!("{histories:>7} {what}");
    }
    if count > 1 {
        let missing: Vec<_> = SOMETIMES
            .iter()
            .chain(RARELY.iter().filter(|_| count >= MANY))
            .filter(|what| !reached.contains_key(**what))
            .collect();
        assert!(missing.is_empty(), "never seen: {missing:?}");
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
}

//! Server and desktop are killed, at every named point and at any time, while people and software work. Whatever happens:
//! no call has two effects, no saved decision is lost, no state says what is not so, every database is whole, and the
//! journal verifies from its first entry. docs/guarantees.md says what is promised.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]

mod drained;
mod history;
mod restored;
#[path = "../../crates/verify/tests/bundles/seeded.rs"]
#[allow(dead_code, reason = "shared with a suite that uses more of it")]
mod seeded;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use countersign_e2e::faults::{Death, PATIENCE, Said, World, await_end};
use countersign_faults::Point;

use history::{History, KINDS, Summary};
use seeded::Seeded;

/// Where the server can be killed while it serves.
const OF_THE_SERVER: &[Point] = &[
    Point::ControlMigrated,
    Point::TenantMigrated,
    Point::ProposalStored,
    Point::DecisionStored,
    Point::ClaimStored,
    Point::BeginWritten,
    Point::BeginStored,
    Point::IntentStored,
    Point::ReceiptWritten,
    Point::ReceiptStored,
    Point::LocalWritten,
    Point::LocalStored,
    Point::CheckpointStored,
    Point::CheckpointSigned,
    Point::CallAhead,
    Point::CallMade,
    Point::SnapshotBuilt,
    Point::SnapshotPacked,
];

/// Where a desktop can be killed that is set up.
const OF_THE_DESKTOP: &[Point] = &[
    Point::DeviceMigrated,
    Point::DecisionSigned,
    Point::DecisionKept,
    Point::PushAhead,
    Point::PushSent,
    Point::PushKept,
    Point::PageTaken,
    Point::Claimed,
    Point::BeginKept,
    Point::BeginAnswered,
    Point::IntentAhead,
    Point::IntentKept,
    Point::CallAhead,
    Point::CallMade,
    Point::ReceiptKept,
];

/// Where a desktop can be killed that is being set up.
const OF_THE_ARRIVAL: &[Point] = &[
    Point::KeychainWritten,
    Point::DeviceMigrated,
    Point::EnrolSigned,
    Point::EnrolAnswered,
    // Here it is the server that is killed.
    Point::EnrolStored,
];

/// Kills in each world.
const KILLS: u64 = 100;

/// Worlds beside each other: while one waits for a hold or a lease, others work.
const AT_ONCE: u64 = 16;

/// From how many worlds on every point and every end has to have been met.
const MANY: u64 = 6;

/// Kills of each kind.
#[derive(Clone, Default, Debug)]
struct Kills {
    at: BTreeMap<Point, u64>,
    /// Between a request's effect and its answer.
    at_effect: u64,
    at_any_time: u64,
}

impl Kills {
    fn total(&self) -> u64 {
        self.at.values().sum::<u64>() + self.at_effect + self.at_any_time
    }

    fn add(&mut self, other: &Self) {
        for (point, count) in &other.at {
            *self.at.entry(*point).or_default() += count;
        }
        self.at_effect += other.at_effect;
        self.at_any_time += other.at_any_time;
    }
}

#[test]
fn whenever_server_or_desktop_is_killed_nothing_happens_twice_and_nothing_is_lost() {
    let (first, worlds) = seeded::cases(6, 200);
    let begin = Instant::now();
    let next = Arc::new(AtomicU64::new(first));
    let running: Vec<_> = (0..AT_ONCE.min(worlds))
        .map(|_| {
            let next = Arc::clone(&next);
            thread::spawn(move || several_worlds(&next, first + worlds))
        })
        .collect();
    let (mut all, mut end) = (Kills::default(), Summary::default());
    for worlds in running {
        let (kills, summary) = worlds.join().unwrap();
        all.add(&kills);
        end.add(&summary);
    }
    eprintln!(
        "{} kills in {worlds} worlds and {:?}: {all:?}\n{end:?}",
        all.total(),
        begin.elapsed()
    );
    if worlds < MANY {
        return;
    }
    let points = OF_THE_SERVER.iter().chain(OF_THE_DESKTOP).chain(OF_THE_ARRIVAL);
    let missed: Vec<_> = points.filter(|point| !all.at.contains_key(point)).collect();
    assert!(missed.is_empty(), "nothing was ever killed at {missed:?}");
    assert!(all.total() >= worlds * KILLS, "{} kills", all.total());
    assert!(
        end.completed > 0
            && end.unknown > 0
            && end.again > 0
            && end.failed > 0
            && end.mails_completed > 0
            && end.mails_unknown > 0,
        "a run that never saw one of the ends has shown nothing: {end:?}"
    );
}

/// One world after the other, until another thread has begun the last of them.
fn several_worlds(next: &AtomicU64, end: u64) -> (Kills, Summary) {
    let (mut all, mut summaries) = (Kills::default(), Summary::default());
    loop {
        let seed = next.fetch_add(1, Ordering::SeqCst);
        if seed >= end {
            return (all, summaries);
        }
        let (kills, summary) = one_world(seed).unwrap_or_else(|error| {
            // The others end with the world that they are in.
            next.store(end, Ordering::SeqCst);
            panic!(
                "{error:#}\n{}",
                seeded::replay(seed, "whenever_server_or_desktop_is_killed")
            )
        });
        all.add(&kills);
        summaries.add(&summary);
    }
}

fn one_world(seed: u64) -> Result<(Kills, Summary)> {
    let mut random = Seeded::new(seed);
    let mut history = History::new()?;
    let lived = live(&mut history, &mut random, seed);
    lived.with_context(|| history.world.remains())
}

fn live(history: &mut History, random: &mut Seeded, seed: u64) -> Result<(Kills, Summary)> {
    let mut done = Kills::default();
    // Each world begins elsewhere, so that together they come to every point.
    let (mut of_the_server, mut of_the_desktop) = (random.below(1_000), random.below(1_000));
    arrive(&mut history.world, &mut done, seed)?;
    while done.total() < KILLS {
        match random.below(10) {
            0..=3 => {
                of_the_desktop += 1;
                let point = OF_THE_DESKTOP[of_the_desktop % OF_THE_DESKTOP.len()];
                let count = 1 + random.below(2) as u64;
                restart_hand(&mut history.world, Some((point, count)), &mut done)?;
                work(history, random)?;
                let patience = Duration::from_millis(2_500);
                let death = await_end(&mut history.world.hand, patience)?;
                note(&mut done, point, death);
            }
            4..=6 => {
                of_the_server += 1;
                let point = OF_THE_SERVER[of_the_server % OF_THE_SERVER.len()];
                // What the server passes once while it starts, and what only one kind of call comes to.
                let seldom = matches!(
                    point,
                    Point::ControlMigrated | Point::TenantMigrated | Point::IntentStored
                );
                let count = if seldom { 1 } else { 1 + random.below(2) as u64 };
                restart_server(&mut history.world, Some((point, count)), &mut done)?;
                work(history, random)?;
                if point == Point::IntentStored {
                    (0..KINDS).try_for_each(|_| history.ask())?;
                }
                if matches!(point, Point::SnapshotBuilt | Point::SnapshotPacked) {
                    history.world.ask_for_a_snapshot();
                }
                let death = await_end(&mut history.world.server, Duration::from_millis(2_500))?;
                note(&mut done, point, death);
            }
            7 => {
                restart_hand(&mut history.world, None, &mut done)?;
                history
                    .world
                    .target
                    .end_at_effect(history.world.hand.as_ref().context("a desktop")?.id(), true);
                let before = history.world.target.fatal().len();
                work(history, random)?;
                await_end(&mut history.world.hand, Duration::from_millis(4_000))?;
                history.world.target.spare();
                if history.world.target.fatal().len() > before {
                    done.at_effect += 1;
                } else {
                    done.at_any_time += 1;
                }
            }
            _ => {
                work(history, random)?;
                let patience = Duration::from_millis(random.below(600) as u64);
                let victim = if random.below(2) == 0 {
                    &mut history.world.hand
                } else {
                    &mut history.world.server
                };
                if victim.is_some() {
                    await_end(victim, patience)?;
                    done.at_any_time += 1;
                }
            }
        }
    }
    let summary = history.settle(Duration::from_secs(180))?;
    Ok((done, summary))
}

fn note(done: &mut Kills, point: Point, death: Death) {
    match death {
        Death::AtPoint => *done.at.entry(point).or_default() += 1,
        Death::Killed => done.at_any_time += 1,
    }
}

/// A few things more to do, with both at work.
fn work(history: &mut History, random: &mut Seeded) -> Result<()> {
    let world = &mut history.world;
    if world.server.is_none() {
        world.start_server(None)?;
    }
    if world.hand.is_none() {
        world.start_hand(None)?;
    }
    for _ in 0..=random.below(3) {
        history.ask()?;
    }
    Ok(())
}

fn restart_hand(world: &mut World, armed: Option<(Point, u64)>, done: &mut Kills) -> Result<()> {
    if let Some(hand) = world.hand.take() {
        hand.kill()?;
        done.at_any_time += 1;
    }
    world.start_hand(armed)
}

fn restart_server(world: &mut World, armed: Option<(Point, u64)>, done: &mut Kills) -> Result<()> {
    if let Some(server) = world.server.take() {
        server.kill()?;
        done.at_any_time += 1;
    }
    world.start_server(armed)
}

/// A new desktop is killed on its way in, or the server is: one device comes of it, and the way in stays open.
fn arrive(world: &mut World, done: &mut Kills, seed: u64) -> Result<()> {
    let begun = world.devices()?.len();
    let point = OF_THE_ARRIVAL[seed as usize % OF_THE_ARRIVAL.len()];
    let (said, armed) = (Arc::new(Mutex::default()), Some((point, 1)));
    let mut arriving = if point == Point::EnrolStored {
        restart_server(world, armed, done)?;
        Some(world.fresh_hand("arrival", None, &said)?)
    } else {
        Some(world.fresh_hand("arrival", armed, &said)?)
    };
    let victim = if point == Point::EnrolStored {
        &mut world.server
    } else {
        &mut arriving
    };
    let death = await_end(victim, PATIENCE)?;
    ensure!(death == Death::AtPoint, "it never came to {point:?}");
    note(done, point, death);
    if world.server.is_none() {
        world.start_server(None)?;
    }
    let mut again = match arriving {
        Some(arriving) => arriving,
        None => world.fresh_hand("arrival", None, &said)?,
    };
    let begin = Instant::now();
    while !Said::of(&said).is_ready() || world.devices()?.len() == begun {
        ensure!(again.ended()?.is_none(), "it could not come in any more");
        ensure!(begin.elapsed() < PATIENCE, "it never came in after {point:?}");
        thread::sleep(Duration::from_millis(50));
    }
    ensure!(world.devices()?.len() == begun + 1, "one computer, one device");
    again.kill()?;
    Ok(())
}

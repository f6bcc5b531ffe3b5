//! Decisions that were taken offline are on their way to the tenant, and either side is killed meanwhile, over and over. Each
//! is answered once and what it approves runs once; what was decided elsewhere in the meantime stays as it was decided.

use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use countersign_e2e::faults::{Death, PATIENCE, Process, Said, World, await_end, text};
use countersign_faults::Point;
use serde_json::{Value, json};

use crate::seeded::{self, Seeded};

/// How much is in a round.
#[derive(Clone, Copy, Debug)]
struct Form {
    decisions: usize,
    kills: u64,
}

/// The decisions take three requests.
const SHORT: Form = Form {
    decisions: 220,
    kills: 5,
};
/// As many decisions as somebody comes back with in the benchmark: ten requests, of which most go out more than once.
const LONG: Form = Form {
    decisions: 1_000,
    kills: 20,
};

/// How many are rejected elsewhere meanwhile, and how many approved.
const ELSEWHERE: usize = 8;

/// Where somebody is killed: the desktop or the server, the n-th time that it comes to a point, or at any time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kill {
    Desktop(Option<(Point, u64)>),
    Server(Option<(Point, u64)>),
}

/// One after the other, from round to round.
const WAYS: [Kill; 10] = [
    // The tenant has the first request, and nobody has heard its answer.
    Kill::Desktop(Some((Point::PushSent, 1))),
    Kill::Server(Some((Point::DecisionStored, 1))),
    Kill::Desktop(None),
    Kill::Desktop(Some((Point::PushKept, 1))),
    Kill::Server(Some((Point::LocalStored, 30))),
    Kill::Server(Some((Point::DecisionStored, 2))),
    Kill::Desktop(Some((Point::PushAhead, 2))),
    Kill::Server(None),
    Kill::Desktop(Some((Point::PushSent, 2))),
    Kill::Desktop(Some((Point::PageTaken, 1))),
];

/// What somebody has said of it elsewhere, while this desktop was away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Elsewhere {
    Nothing,
    Rejected,
    Approved,
}

#[test]
fn decisions_taken_offline_are_answered_once_and_run_once_however_often_either_side_is_killed() {
    let form = if seeded::is_long() { LONG } else { SHORT };
    let (first, rounds) = seeded::cases(2, 10);
    let (begin, mut at_point) = (Instant::now(), 0);
    for seed in first..first + rounds {
        let mut world = World::new().unwrap();
        let lived = round(&mut world, seed, form).with_context(|| world.remains());
        at_point += lived.unwrap_or_else(|error| {
            panic!(
                "{error:#}\n{}",
                seeded::replay(seed, "decisions_taken_offline_are_answered_once")
            )
        });
    }
    let kills = rounds * form.kills;
    eprintln!(
        "{kills} kills in {rounds} rounds of {} decisions and {:?}, {at_point} of them at the point that was armed",
        form.decisions,
        begin.elapsed()
    );
    assert!(
        rounds == 1 || at_point >= rounds,
        "hardly any kill was where it was meant to be"
    );
}

/// Says how many kills were at their point.
fn round(world: &mut World, seed: u64, form: Form) -> Result<u64> {
    let mut random = Seeded::new(seed);
    order(world, "hold")?;
    let asked = ask(world, form.decisions)?;
    world.catch_up()?;
    order(world, "away")?;
    let mut elsewhere = BTreeMap::new();
    for (number, id) in asked.keys().enumerate() {
        let said = match number {
            ..ELSEWHERE => Elsewhere::Rejected,
            _ if number < 2 * ELSEWHERE => Elsewhere::Approved,
            _ => Elsewhere::Nothing,
        };
        match said {
            Elsewhere::Rejected => {
                let form = json!({"aiToolCallId": id, "reason": "Not this quarter."});
                world.post("/api/assistant/reject", &form)?;
            }
            Elsewhere::Approved => drop(world.post("/api/assistant/approve", &json!({"aiToolCallId": id}))?),
            Elsewhere::Nothing => {}
        }
        elsewhere.insert(id.clone(), said);
    }
    order(world, "decide")?;
    all_saved(world, form.decisions)?;
    order(world, "back")?;

    let mut at_point = 0;
    for number in 0..form.kills {
        let way = WAYS[(seed * form.kills + number) as usize % WAYS.len()];
        if kill(world, &mut random, way)? == Death::AtPoint {
            at_point += 1;
        }
    }
    world.recover()?;
    let ends = answered(world, &asked)?;
    judge(world, &asked, &elsewhere, &ends)?;
    world.verify()?;
    Ok(at_point)
}

/// Has the agent ask for tasks, each of a title of its own.
fn ask(world: &World, decisions: usize) -> Result<BTreeMap<String, String>> {
    let mut asked = BTreeMap::new();
    for number in 0..decisions {
        let title = format!("Number {number}");
        let body = json!({"text": format!("create task: {title}")});
        let (status, answer) = world.propose(&format!("ask-{number}"), &body)?;
        ensure!(status == 200, "a proposal: {status} {answer}");
        asked.insert(text(&answer["proposalRecord"], "aiToolCallId")?, title);
    }
    Ok(asked)
}

fn order(world: &mut World, order: &str) -> Result<()> {
    let said = world.said.clone();
    world.hand.as_mut().context("a desktop")?.order(order, &said)
}

/// Waits until every decision is on the desktop's disk, as long as there are more and more of them.
fn all_saved(world: &World, decisions: usize) -> Result<()> {
    let (mut saved, mut since) = (0, Instant::now());
    while saved < decisions {
        thread::sleep(Duration::from_millis(20));
        let so_far = Said::of(&world.said).saved.len();
        if so_far > saved {
            (saved, since) = (so_far, Instant::now());
        }
        ensure!(since.elapsed() < PATIENCE, "{saved} of {decisions} are saved");
    }
    Ok(())
}

/// Kills somebody, with the other one at work. The desktop sends what waits as soon as it has been started.
fn kill(world: &mut World, random: &mut Seeded, way: Kill) -> Result<Death> {
    let (armed, of_the_desktop) = match way {
        Kill::Desktop(armed) => (armed, true),
        Kill::Server(armed) => (armed, false),
    };
    let patience = match armed {
        Some(_) => Duration::from_millis(2_500),
        None => Duration::from_millis(random.below(400) as u64),
    };
    if of_the_desktop {
        if is_down(&mut world.server)? {
            world.start_server(None)?;
        }
        if armed.is_some() || is_down(&mut world.hand)? {
            end(&mut world.hand)?;
            world.start_hand(armed)?;
        }
        await_end(&mut world.hand, patience)
    } else {
        if armed.is_some() || is_down(&mut world.server)? {
            end(&mut world.server)?;
            world.start_server(armed)?;
        }
        if is_down(&mut world.hand)? {
            world.start_hand(None)?;
        }
        await_end(&mut world.server, patience)
    }
}

fn end(process: &mut Option<Process>) -> Result<()> {
    if let Some(process) = process.take() {
        process.kill()?;
    }
    Ok(())
}

fn is_down(process: &mut Option<Process>) -> Result<bool> {
    Ok(match process {
        Some(process) => process.ended()?.is_some(),
        None => true,
    })
}

/// Waits until the tenant has what the desktop has said of each, and everything has come to its end.
fn answered(world: &World, asked: &BTreeMap<String, String>) -> Result<BTreeMap<String, Value>> {
    let mut ends = BTreeMap::new();
    for id in asked.keys() {
        let begin = Instant::now();
        let end = loop {
            let detail = world.get(&format!("/api/assistant/proposals/{id}"))?;
            let over = matches!(detail["status"].as_str(), Some("completed" | "rejected"));
            if over && !offline(&detail)?.is_empty() {
                break detail;
            }
            ensure!(
                begin.elapsed() < PATIENCE,
                "{id} is lost or never came to its end: {detail}"
            );
            thread::sleep(Duration::from_millis(100));
        };
        ends.insert(id.clone(), end);
    }
    Ok(ends)
}

/// What was decided without a network.
fn offline(detail: &Value) -> Result<Vec<&Value>> {
    let decisions = detail["decisions"].as_array().context("decisions")?;
    Ok(decisions
        .iter()
        .filter(|decision| decision["offline"] == true)
        .collect())
}

/// 0 lost, 0 doubled, and nothing that was decided elsewhere is overwritten.
fn judge(
    world: &World,
    asked: &BTreeMap<String, String>,
    elsewhere: &BTreeMap<String, Elsewhere>,
    ends: &BTreeMap<String, Value>,
) -> Result<()> {
    let tasks = world.tasks()?;
    for (id, title) in asked {
        let end = &ends[id];
        let decisions = offline(end)?;
        ensure!(
            decisions.len() == 1,
            "decided once, and journalled otherwise: {end}"
        );
        let reason = decisions[0]["void"].as_str();
        let said = elsewhere[id];
        let told = match said {
            Elsewhere::Nothing => reason.is_none(),
            Elsewhere::Rejected => reason == Some("decided"),
            Elsewhere::Approved => matches!(reason, Some("decided" | "too_late")),
        };
        ensure!(
            told,
            "{said:?} elsewhere, and {reason:?} is what is said of this one: {end}"
        );
        let (status, runs) = match said {
            Elsewhere::Rejected => ("rejected", 0),
            Elsewhere::Nothing | Elsewhere::Approved => ("completed", 1),
        };
        let made = tasks.iter().filter(|task| *task == title).count();
        ensure!(
            end["status"] == status && made == runs,
            "{said:?} elsewhere, and it ran {made} times: {end}"
        );
    }
    ensure!(tasks.len() == asked.len() - ELSEWHERE, "{} tasks", tasks.len());
    let quarantined = world.devices()?.iter().any(|device| device["state"] == "revoked");
    ensure!(!quarantined, "a crash must not look like a key in two hands");
    Ok(())
}

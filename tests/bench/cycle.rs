//! B1 and B2: propose → policy → decide → claim, begin, complete → answer, every step durable and in the journal.
//!
//! With a session three calls: an agent proposes a task, a signed-in person approves it, and the agent's execute joins
//! the one run, which the server's own executor claims, begins and completes. With a device four: it reads the proposal,
//! makes the card, and sends its signed approval.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{fill, http::Connection, machine, server::Running, signer::Signer};

/// One round's throughput and latencies.
struct Round {
    cycles: usize,
    /// By how many entries the journal grew.
    entries: u64,
    took: Duration,
    /// Processor time of the server, which tells more than the rate when others use the machine too.
    server: Duration,
    each: Vec<Duration>,
}

static NUMBER: AtomicU64 = AtomicU64::new(0);

/// B1.
pub(crate) fn one_client() -> Result<()> {
    measure("B1", &[(1, 2_000)], true)
}

/// B2.
pub(crate) fn many_clients() -> Result<()> {
    measure("B2", &[(32, 20_000), (128, 20_000)], true)
}

/// How fast the journal grows with 128 clients, for B13.
pub(crate) fn journalled(cycles: usize) -> Result<()> {
    measure("B13", &[(128, cycles)], false)
}

/// So many cycles with so many clients each, decided by sessions and, where it is asked for, by devices.
fn measure(name: &str, loads: &[(usize, usize)], signed: bool) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let folder = tempfile::tempdir()?;
    let server = Running::start(folder.path())?;
    let before = NUMBER.load(Ordering::Relaxed);
    let most = loads.iter().map(|(clients, _)| *clients).max().unwrap_or(0);
    let mut sessions = runtime.block_on(sessions(&server, most))?;
    let mut devices = if signed {
        runtime.block_on(devices(&server, most))?
    } else {
        Vec::new()
    };
    for (clients, cycles) in loads {
        for (by, deciders) in [("session", &mut sessions), ("device", &mut devices)] {
            if deciders.is_empty() {
                continue;
            }
            let mut rounds = Vec::new();
            for _ in 0..5 {
                let some = deciders.split_off(most - clients);
                let (round, some) = runtime.block_on(run(&server, some, cycles / 5))?;
                deciders.extend(some);
                rounds.push(round);
            }
            report(name, *clients, by, &mut rounds);
        }
    }
    runtime.block_on(check(&server, NUMBER.load(Ordering::Relaxed) - before))?;
    println!("  server RSS after the runs: {} MB", server.rss_mb()?);
    Ok(())
}

/// Who approves.
enum Decider {
    Session(Connection),
    Device(Box<Signer>),
}

async fn sessions(server: &Running, count: usize) -> Result<Vec<Decider>> {
    let mut sessions = Vec::with_capacity(count);
    for _ in 0..count {
        let connection = Connection::open(&server.address, &server.person()).await?;
        sessions.push(Decider::Session(connection));
    }
    Ok(sessions)
}

async fn devices(server: &Running, count: usize) -> Result<Vec<Decider>> {
    let signers = Signer::enrol(server, count).await?;
    Ok(signers.into_iter().map(Box::new).map(Decider::Device).collect())
}

impl Decider {
    async fn approve(&mut self, id: &str) -> Result<()> {
        match self {
            Self::Session(connection) => {
                let body = format!(r#"{{"aiToolCallId":"{id}"}}"#);
                connection.expect("/api/assistant/approve", &body).await?;
                Ok(())
            }
            Self::Device(signer) => signer.approve(id).await,
        }
    }
}

/// Runs `cycles` cycles, as many at once as there are deciders.
async fn run(server: &Running, deciders: Vec<Decider>, cycles: usize) -> Result<(Round, Vec<Decider>)> {
    let clients = deciders.len();
    let local = tokio::task::LocalSet::new();
    let size = fill::head(server).await?.size;
    let (begin, before) = (Instant::now(), server.processor_time()?);
    let (each, deciders) = local
        .run_until(async {
            let tasks: Vec<_> = deciders
                .into_iter()
                .map(|decider| {
                    let (address, agent) = (server.address.clone(), server.agent());
                    tokio::task::spawn_local(client(address, agent, decider, cycles.div_ceil(clients)))
                })
                .collect();
            let (mut each, mut deciders) = (Vec::new(), Vec::new());
            for task in tasks {
                let (decider, took) = task.await??;
                deciders.push(decider);
                each.extend(took);
            }
            anyhow::Ok((each, deciders))
        })
        .await?;
    let took = begin.elapsed();
    let round = Round {
        cycles: each.len(),
        server: server.processor_time()?.saturating_sub(before),
        entries: fill::head(server).await?.size - size,
        took,
        each,
    };
    Ok((round, deciders))
}

async fn client(
    address: String,
    agent: String,
    mut decider: Decider,
    cycles: usize,
) -> Result<(Decider, Vec<Duration>)> {
    let mut agent = Connection::open(&address, &agent).await?;
    let mut each = Vec::with_capacity(cycles);
    for _ in 0..cycles {
        let begin = Instant::now();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let text = format!(r#"{{"text":"create task: Measure {number}"}}"#);
        let answer = agent.expect("/api/assistant/propose", &text).await?;
        let answer: Value = serde_json::from_slice(&answer)?;
        let id = answer["proposalRecord"]["aiToolCallId"]
            .as_str()
            .context("no id")?;
        decider.approve(id).await?;
        let body = format!(r#"{{"aiToolCallId":"{id}"}}"#);
        let answer = agent.expect("/api/assistant/execute", &body).await?;
        ensure!(
            String::from_utf8_lossy(&answer).contains(r#""status":"completed""#),
            "not completed"
        );
        each.push(begin.elapsed());
    }
    Ok((decider, each))
}

/// Every task is there once.
pub(crate) async fn check(server: &Running, wanted: u64) -> Result<()> {
    let mut person = Connection::open(&server.address, &server.person()).await?;
    let (mut next, mut tasks) = (String::new(), 0_u64);
    loop {
        let (status, page) = person.get(&format!("/api/tasks?limit=200{next}")).await?;
        ensure!(status == 200, "tasks: {status}");
        let page: Value = serde_json::from_slice(&page)?;
        tasks += page["tasks"].as_array().context("no tasks")?.len() as u64;
        match page["next"].as_str() {
            Some(key) => next = format!("&after={key}"),
            None => break,
        }
    }
    ensure!(tasks == wanted, "{wanted} approvals made {tasks} tasks");
    println!("  checked: {wanted} approvals made {tasks} tasks, each once");
    Ok(())
}

/// Prints the median round.
fn report(name: &str, clients: usize, by: &str, rounds: &mut [Round]) {
    let rate = |round: &Round| round.cycles as f64 / round.took.as_secs_f64();
    rounds.sort_by(|left, right| rate(left).total_cmp(&rate(right)));
    let (least, most) = (rate(&rounds[0]), rate(&rounds[rounds.len() - 1]));
    let median = &mut rounds[rounds.len() / 2];
    let per_second = rate(median);
    median.each.sort_unstable();
    let at =
        |share: f64| median.each[((median.each.len() - 1) as f64 * share) as usize].as_secs_f64() * 1000.0;
    println!(
        "  {name} {clients:>3} clients, {by}: {per_second:>7.0} cycles/s (rounds {least:.0} to {most:.0}), \
         {:.0} journal entries/s, p50 {:.2} ms, p99 {:.2} ms, server {:.0} µs of processor a cycle; {}",
        median.entries as f64 / median.took.as_secs_f64(),
        at(0.5),
        at(0.99),
        median.server.as_secs_f64() * 1e6 / median.cycles as f64,
        machine::load().unwrap_or_default()
    );
}

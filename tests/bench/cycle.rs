//! B1 and B2: propose → policy → decide → claim, begin, complete → answer, every step durable and in the journal.
//!
//! Three calls: an agent proposes a task, a signed-in person approves it, and the agent's execute joins the one run,
//! which the server's own executor claims, begins and completes.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{http::Connection, machine, server::Running};

/// One round's throughput and latencies.
struct Round {
    cycles: usize,
    took: Duration,
    /// Processor time of the server, which tells more than the rate when others use the machine too.
    server: Duration,
    each: Vec<Duration>,
}

static NUMBER: AtomicU64 = AtomicU64::new(0);

/// B1.
pub(crate) fn one_client() -> Result<()> {
    measure("B1", &[(1, 2_000)])
}

/// B2.
pub(crate) fn many_clients() -> Result<()> {
    measure("B2", &[(32, 20_000), (128, 20_000)])
}

fn measure(name: &str, loads: &[(usize, usize)]) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let folder = tempfile::tempdir()?;
    let server = Running::start(folder.path())?;
    let before = NUMBER.load(Ordering::Relaxed);
    for (clients, cycles) in loads {
        let mut rounds = Vec::new();
        for _ in 0..5 {
            rounds.push(runtime.block_on(run(&server, *clients, cycles / 5))?);
        }
        report(name, *clients, &mut rounds);
    }
    runtime.block_on(check(&server, NUMBER.load(Ordering::Relaxed) - before))?;
    println!("  server RSS after the runs: {} MB", server.rss_mb()?);
    Ok(())
}

/// Runs `cycles` cycles from `clients` connections at once.
async fn run(server: &Running, clients: usize, cycles: usize) -> Result<Round> {
    let local = tokio::task::LocalSet::new();
    let (begin, before) = (Instant::now(), server.processor_time()?);
    let each = local
        .run_until(async {
            let tasks: Vec<_> = (0..clients)
                .map(|_| {
                    let (address, agent, person) = (server.address.clone(), server.agent(), server.person());
                    tokio::task::spawn_local(client(address, agent, person, cycles.div_ceil(clients)))
                })
                .collect();
            let mut each = Vec::new();
            for task in tasks {
                each.extend(task.await??);
            }
            anyhow::Ok(each)
        })
        .await?;
    Ok(Round {
        cycles: each.len(),
        took: begin.elapsed(),
        server: server.processor_time()?.saturating_sub(before),
        each,
    })
}

async fn client(address: String, agent: String, person: String, cycles: usize) -> Result<Vec<Duration>> {
    let mut agent = Connection::open(&address, &agent).await?;
    let mut person = Connection::open(&address, &person).await?;
    let mut each = Vec::with_capacity(cycles);
    for _ in 0..cycles {
        let begin = Instant::now();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let (status, answer) = agent
            .post(
                "/api/assistant/propose",
                &format!(r#"{{"text":"create task: Measure {number}"}}"#),
            )
            .await?;
        ensure!(
            status == 200,
            "propose: {status} {}",
            String::from_utf8_lossy(&answer)
        );
        let answer: Value = serde_json::from_slice(&answer)?;
        let id = answer["proposalRecord"]["aiToolCallId"]
            .as_str()
            .context("no id")?;
        let body = format!(r#"{{"aiToolCallId":"{id}"}}"#);
        let (status, answer) = person.post("/api/assistant/approve", &body).await?;
        ensure!(
            status == 200,
            "approve: {status} {}",
            String::from_utf8_lossy(&answer)
        );
        let (status, answer) = agent.post("/api/assistant/execute", &body).await?;
        ensure!(
            status == 200,
            "execute: {status} {}",
            String::from_utf8_lossy(&answer)
        );
        ensure!(
            String::from_utf8_lossy(&answer).contains(r#""status":"completed""#),
            "not completed"
        );
        each.push(begin.elapsed());
    }
    Ok(each)
}

/// Every task is there once.
async fn check(server: &Running, wanted: u64) -> Result<()> {
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
    ensure!(tasks == wanted, "{wanted} cycles made {tasks} tasks");
    println!("  checked: {wanted} cycles made {tasks} tasks, each once");
    Ok(())
}

/// Prints the median round.
fn report(name: &str, clients: usize, rounds: &mut [Round]) {
    let rate = |round: &Round| round.cycles as f64 / round.took.as_secs_f64();
    rounds.sort_by(|left, right| rate(left).total_cmp(&rate(right)));
    let (least, most) = (rate(&rounds[0]), rate(&rounds[rounds.len() - 1]));
    let median = &mut rounds[rounds.len() / 2];
    let per_second = rate(median);
    median.each.sort_unstable();
    let at =
        |share: f64| median.each[((median.each.len() - 1) as f64 * share) as usize].as_secs_f64() * 1000.0;
    println!(
        "  {name} {clients:>3} clients, session: {per_second:>7.0} cycles/s (rounds {least:.0} to {most:.0}), \
         p50 {:.2} ms, p99 {:.2} ms, server {:.0} µs of processor a cycle; {}",
        at(0.5),
        at(0.99),
        median.server.as_secs_f64() * 1e6 / median.cycles as f64,
        machine::load().unwrap_or_default()
    );
}

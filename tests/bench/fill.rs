//! A tenant with many proposals, made as agents make them: over HTTP, each through policy, each durable.

use anyhow::{Context, Result, ensure};
use countersign_domain::wire::Head;
use serde_json::{Value, json};

use crate::{http::Connection, server::Running};

const CLIENTS: u64 = 64;
/// Of so many proposals one is rejected, so that two lists have something in them.
const REJECTED: u64 = 10;

const VERBS: [&str; 5] = [
    "Pay the invoice of",
    "Call",
    "Send the report to",
    "Review the contract with",
    "Order spare parts from",
];
const FIRMS: [&str; 8] = [
    "Nordwind",
    "Meridian",
    "Acme",
    "Contoso",
    "Halden",
    "Brightwater",
    "Kestrel",
    "Oakfield",
];

/// How many of `count` proposals wait for a decision.
pub(crate) const fn waiting(count: u64) -> u64 {
    count - count.div_ceil(REJECTED)
}

/// What the proposal with this number would have done. Its number is a word that no other has.
fn task(number: u64) -> Value {
    let (verb, firm) = (VERBS[(number % 5) as usize], FIRMS[(number / 5 % 8) as usize]);
    json!({
        "toolId": "assistant.create_task",
        "input": {
            "title": format!("{verb} {firm}, case {number:07}"),
            "description": format!(
                "The customer wrote again on Monday. Reference {firm}-{}, amount {}.{:02} EUR, cost centre {}.",
                number * 7919 % 1_000_003, number * 31 % 20_000, number % 100, number % 97
            ),
        },
    })
}

/// Proposes those from `from` up to and without `to`, and has every tenth rejected by a signed-in person.
pub(crate) async fn fill(server: &Running, from: u64, to: u64) -> Result<()> {
    let local = tokio::task::LocalSet::new();
    local
        .run_until(async {
            let tasks: Vec<_> = (0..CLIENTS)
                .map(|client| {
                    let (address, agent, person) = (server.address.clone(), server.agent(), server.person());
                    let numbers = (from..to).filter(move |number| number % CLIENTS == client);
                    tokio::task::spawn_local(propose_all(address, agent, person, numbers))
                })
                .collect();
            for task in tasks {
                task.await??;
            }
            Ok(())
        })
        .await
}

async fn propose_all(
    address: String,
    agent: String,
    person: String,
    numbers: impl Iterator<Item = u64>,
) -> Result<()> {
    let mut agent = Connection::open(&address, &agent).await?;
    let mut person = Connection::open(&address, &person).await?;
    for number in numbers {
        let id = propose(&mut agent, number).await?;
        if number % REJECTED == 0 {
            reject(&mut person, &id).await?;
        }
    }
    Ok(())
}

/// Proposes one and gives its id.
pub(crate) async fn propose(agent: &mut Connection, number: u64) -> Result<String> {
    let answer = agent
        .expect("/api/assistant/propose", &task(number).to_string())
        .await?;
    let answer: Value = serde_json::from_slice(&answer)?;
    let id = answer["proposalRecord"]["aiToolCallId"].as_str();
    Ok(id.context("no id")?.to_owned())
}

/// Has a signed-in person reject one.
pub(crate) async fn reject(person: &mut Connection, id: &str) -> Result<()> {
    let body = json!({ "aiToolCallId": id, "reason": "Not this quarter." });
    person.expect("/api/assistant/reject", &body.to_string()).await?;
    Ok(())
}

/// The server's own word on how many entries its journal has, and on their root.
pub(crate) async fn head(server: &Running) -> Result<Head> {
    let mut person = Connection::open(&server.address, &server.person()).await?;
    let (status, answer) = person.get("/api/journal/checkpoint").await?;
    ensure!(status == 200, "checkpoint: {status}");
    Ok(serde_json::from_slice(&answer)?)
}

//! What a monitoring system reads, and who else does.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::*;
use crate::Transport;

/// The answer to a request without a credential, over a connection from this machine.
async fn scraped(world: &World) -> String {
    asked(world, "").await
}

/// The same with more headers.
async fn asked(world: &World, headers: &str) -> String {
    let listening = world.server.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listening.address();
    let read = async {
        let mut connection = TcpStream::connect(address).await.unwrap();
        let request =
            format!("GET /metrics HTTP/1.1\r\nHost: localhost\r\n{headers}Connection: close\r\n\r\n");
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        answer
    };
    tokio::select! {
        () = world.server.serve(listening, std::future::pending()) => unreachable!("nothing stops it"),
        answer = read => answer,
    }
}

/// A counter's value. Tests that run beside this one count in the same process.
fn value(text: &str, counter: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(counter));
    let line = line.unwrap_or_else(|| panic!("no {counter} in {text}"));
    line.trim().parse().unwrap()
}

#[tokio::test]
async fn a_monitoring_system_on_this_machine_reads_counts_that_name_nobody() {
    let world = World::new().await;
    let (agent, key) = world.agent("secretive-bot").await;
    let propose = world.bare(Method::POST, "/api/assistant/propose").token(&key);
    let text = json!({"text": "create task: Call the bank"});
    assert_eq!(propose.tenant(world.acme).json(text).await.status, 200);
    let listens = world.opened(&world.ada.token, "/api/journal/events").await;

    let before = scraped(&world).await;
    let propose = world.bare(Method::POST, "/api/assistant/propose").token(&key);
    let text = json!({"text": "system health"});
    let answer = propose.tenant(world.acme).json(text).await;
    let id = answer.body["proposalRecord"]["aiToolCallId"].clone();
    let execute = world.bare(Method::POST, "/api/assistant/execute").token(&key);
    let ran = execute
        .tenant(world.acme)
        .json(json!({ "aiToolCallId": id }))
        .await;
    assert_eq!(ran.status, 200, "it runs by itself");
    let runs = "countersign_runs_total{outcome=\"completed\"}";
    // Whoever waits for a run may be told before it is counted.
    let answer = loop {
        let answer = scraped(&world).await;
        if value(&answer, runs) > value(&before, runs) {
            break answer;
        }
    };
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("application/openmetrics-text"), "{answer}");
    for counter in [
        "countersign_requests_total{route=\"/api/assistant/propose\",status=\"2xx\"}",
        "countersign_commit_commands_count",
        "countersign_commit_seconds_count",
    ] {
        let (before, after) = (value(&before, counter), value(&answer, counter));
        assert!(after > before, "{counter} was {before} and is {after}");
    }
    for line in [
        "countersign_proposals{status=\"proposed\"} 1\n",
        "countersign_proposals{status=\"completed\"} 1\n",
        "countersign_overdue 0\n",
        "countersign_open_calls{kind=\"stream\"} 1\n",
        "# EOF\n",
    ] {
        assert!(answer.contains(line), "no {line} in {answer}");
    }
    let entries = format!("countersign_journal_entries {}\n", world.store().head().size);
    assert!(answer.contains(&entries), "{answer}");
    for name in [
        &*world.acme.to_string(),
        &agent,
        &key,
        &world.ada.id.to_string(),
        &world.ada.token,
        "Acme",
        "secretive-bot",
        "Call the bank",
        "ada@acme.example",
    ] {
        assert!(!answer.contains(name), "{name} is nobody's business");
    }
    drop(listens);

    world.pass(Millis::hours(25));
    let late = scraped(&world).await;
    assert!(
        late.contains("countersign_overdue 1\n"),
        "nobody has decided for a day: {late}"
    );
}

#[tokio::test]
async fn elsewhere_and_behind_a_proxy_only_who_manages_reads_them() {
    let world = World::configured(Mode::Company, |config| config.transport = Transport::BehindProxy).await;
    assert!(
        scraped(&world).await.starts_with("HTTP/1.1 401"),
        "a proxy is always near"
    );
    let world = World::new().await;
    assert!(
        asked(&world, "X-Forwarded-For: 192.0.2.7\r\n")
            .await
            .starts_with("HTTP/1.1 401"),
        "also one that the server was not told of"
    );
    let (bob, eve) = (
        world.join("bob", "admin").await,
        world.join("eve", "auditor").await,
    );
    let (_, key) = world.agent("bot").await;
    let status = async |token: &str| world.opened(token, "/metrics").await.status().as_u16();
    assert_eq!(status(&world.ada.token).await, 200);
    assert_eq!(status(&bob.token).await, 200);
    assert_eq!(status(&eve.token).await, 403);
    assert_eq!(status(&key).await, 403);
    assert_eq!(status("nothing").await, 401);
    world
        .server
        .found_tenant(founding("Globex", "gus@globex.example", Mode::Company))
        .await
        .unwrap();
    assert_eq!(
        status(&world.ada.token).await,
        403,
        "what is not hers is somebody else's"
    );
}

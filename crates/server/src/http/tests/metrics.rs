//! What a monitoring system reads, and who else does.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::*;
use crate::Transport;

/// The answer to a request without a credential, over a connection from this machine.
async fn scraped(world: &World) -> String {
    let listening = world.server.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listening.address();
    let read = async {
        let mut connection = TcpStream::connect(address).await.unwrap();
        let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
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

#[tokio::test]
async fn a_monitoring_system_on_this_machine_reads_counts_that_name_nobody() {
    let world = World::new().await;
    let (agent, key) = world.agent("secretive-bot").await;
    let propose = world.bare(Method::POST, "/api/assistant/propose").token(&key);
    let text = json!({"text": "create task: Call the bank"});
    assert_eq!(propose.tenant(world.acme).json(text).await.status, 200);
    let listens = world.opened(&world.ada.token, "/api/journal/events").await;

    let answer = scraped(&world).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("application/openmetrics-text"), "{answer}");
    for line in [
        "countersign_requests_total{route=\"/api/assistant/propose\",status=\"2xx\"}",
        "countersign_proposals{status=\"proposed\"} 1\n",
        "countersign_proposals{status=\"completed\"} 0\n",
        "countersign_runs_total{outcome=\"completed\"}",
        "countersign_commit_commands_bucket",
        "countersign_commit_seconds_count",
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
}

#[tokio::test]
async fn elsewhere_and_behind_a_proxy_only_who_manages_reads_them() {
    let world = World::configured(Mode::Company, |config| config.transport = Transport::BehindProxy).await;
    assert!(
        scraped(&world).await.starts_with("HTTP/1.1 401"),
        "a proxy is always near"
    );
    let world = World::new().await;
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
}

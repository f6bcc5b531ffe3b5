//! How a fresh device comes to have everything: a snapshot, then the journal's tail, then the head as it moves.

use std::time::Duration;

use axum::{body::to_bytes, http::StatusCode, response::Response};
use countersign_domain::{
    UnixMillis,
    wire::{Head, JournalPage},
};
use countersign_replica::{Key, Log, Reader, Replica, SignedHead};
use futures::StreamExt as _;

use super::{World, request};

impl World {
    async fn opened(&self, path: &str, token: &str) -> Response {
        self.send(request("GET", path, token, self.tenant), String::new())
            .await
    }

    async fn bytes(&self, path: &str) -> Vec<u8> {
        let answer = self.opened(path, &self.person).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        to_bytes(answer.into_body(), 1 << 26).await.unwrap().to_vec()
    }

    async fn page(&self, after: u64) -> JournalPage {
        serde_json::from_slice(
            &self
                .bytes(&format!("/api/journal?after={after}&limit=5000"))
                .await,
        )
        .unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fresh_device_catches_up_by_snapshot_and_tail() {
    let world = World::company().await;
    for number in 0..20 {
        world.propose(&format!("create task: Before {number}")).await;
    }
    let packed = world.bytes("/api/snapshot").await;
    for number in 0..5 {
        world.propose(&format!("create task: After {number}")).await;
    }
    let plain = world.folder.path().join("snapshot.db");
    std::fs::write(&plain, zstd::decode_all(&packed[..]).unwrap()).unwrap();

    // An empty page after the snapshot proves that it is a part of the signed head.
    let log = Log {
        tenant: world.tenant,
        key: None,
    };
    let size = Reader::open(&plain, None).unwrap().head().unwrap().unwrap().size;
    let proof: JournalPage =
        serde_json::from_slice(&world.bytes(&format!("/api/journal?after={size}&limit=0")).await).unwrap();
    let key = Key::from_bytes([7; 32]);
    let path = world.folder.path().join("replica.db");
    let head = SignedHead {
        checkpoint: &proof.checkpoint,
        consistency: &proof.consistency,
    };
    let mut replica = match Replica::from_snapshot(&plain, &path, Some(&key), &log, head) {
        Ok(replica) => replica,
        Err(error) => panic!("the server's own snapshot is taken: {error}"),
    };
    let mut after = replica.reader().unwrap().head().unwrap().unwrap().size;
    loop {
        let applied = replica.apply(&world.page(after).await, &log).unwrap();
        after = applied.size;
        if !applied.is_behind() {
            break;
        }
    }
    let counts = replica.reader().unwrap().counts(UnixMillis(0)).unwrap();
    assert_eq!(
        counts.to_decide.iter().sum::<u64>(),
        25,
        "every proposal is there"
    );
    let raw = std::fs::read(&path).unwrap();
    assert!(!raw.starts_with(b"SQLite format 3"), "encrypted at rest");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_head_is_told_as_it_moves() {
    let world = World::company().await;
    let answer = world.opened("/api/journal/events", &world.person).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let mut pieces = answer.into_body().into_data_stream();
    let mut next = async || -> Head {
        let piece = tokio::time::timeout(Duration::from_secs(20), pieces.next())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        let text = String::from_utf8(piece.to_vec()).unwrap();
        let data = text
            .lines()
            .find_map(|line| line.strip_prefix("data:"))
            .unwrap()
            .trim();
        serde_json::from_str(data).unwrap()
    };
    let first = next().await;
    world.propose("create task: Something new").await;
    let second = next().await;
    assert!(second.size > first.size, "{} then {}", first.size, second.size);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agents_key_gets_no_snapshot_and_no_events() {
    let world = World::company().await;
    for path in ["/api/snapshot", "/api/journal/events", "/api/journal"] {
        let answer = world.opened(path, &world.agent).await;
        assert!(answer.status().is_client_error(), "{path}: {}", answer.status());
    }
}

//! What a device says that it had seen of the journal when it decided.

use countersign_domain::{
    Digest,
    record::{Assurance, CheckpointSeen, Decision},
};

use super::{devices::Device, records::refused, *};

#[tokio::test]
async fn who_has_seen_another_history_than_the_tenants_decides_nothing_and_leaves_nothing_in_the_journal() {
    let world = World::new().await;
    let (bob, adas) = (world.join("bob", "approver").await, world.adas_device().await);
    let mut seen = Vec::new();
    for title in ["one", "two", "three"] {
        let task = world.task_by(&bob, title).await;
        seen.push((task, world.shown_head()));
    }

    let (task, now) = seen[2].clone();
    let root = Digest::of(b"another history");
    let (before, after, size) = (now.size - 1, now.size + 1, (1 << 53) - 1);
    for other in [
        CheckpointSeen { root, ..now },
        CheckpointSeen { root, size: 1 },
        CheckpointSeen { root, size: 0 },
        CheckpointSeen { size: before, ..now },
        // What is to come nobody has seen.
        CheckpointSeen { size: after, ..now },
        CheckpointSeen { root, size },
    ] {
        let answer = world.decide_upon(&adas, &task, other).await;
        assert_eq!(refused(&answer), "other_history", "{other:?}");
        assert_eq!(world.shown_head(), now, "{other:?} leaves nothing");
    }

    // The same device goes on with what it really had seen, however long ago.
    for (task, seen) in seen {
        let answer = world.decide_upon(&adas, &task, seen).await;
        assert_eq!(answer["effective"], true, "{answer}");
    }
}

impl World {
    fn shown_head(&self) -> CheckpointSeen {
        let head = self.store().head();
        CheckpointSeen {
            root: head.root,
            size: head.size,
        }
    }

    async fn decide_upon(&self, device: &Device, task: &str, seen: CheckpointSeen) -> Value {
        let decision = Decision {
            checkpoint: Some(seen),
            ..self.approving(device, &self.ada, task, Assurance::Device).await
        };
        device.push(self, &self.ada, &decision).await
    }
}

//! The snapshot for new desktops.

use std::time::Duration;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_companys_snapshot_is_ready_before_anybody_asks_for_it() {
    let world = World::new().await;
    for number in 0..20 {
        world.propose(&format!("create task: {number}")).await;
    }
    let file = world.folder.path().join("snapshot.zst");
    let keeper = tokio::spawn(keep_ready(world.tenant.clone()));
    let made = tokio::time::timeout(Duration::from_secs(30), async {
        while !file.exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    made.await.expect("made in a quiet moment");
    let (path, size) = world.tenant.snapshot().await.unwrap();
    assert_eq!(
        (path, size),
        (file, world.tenant.head().size),
        "and who asks gets that one"
    );
    keeper.abort();
}

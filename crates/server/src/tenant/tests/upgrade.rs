//! Files of earlier versions.

use refinery::Target;

use super::*;

/// A copy of a tenant's file as version 3 of its schema had it: entries apart from their bodies.
fn as_version_3(newer: &Path, folder: &Path) {
    let newer = newer.join("tenant.db");
    let mut old = Connection::open(folder.join("tenant.db")).unwrap();
    writer::set_up(&old).unwrap();
    let runner = found::migrations::migrations::runner().set_target(Target::Version(3));
    runner.run(&mut old).unwrap();
    old.execute("ATTACH ?1 AS newer", [newer.to_str().unwrap()])
        .unwrap();
    old.execute_batch(
        "INSERT INTO entry SELECT seq, at_ms, kind, subject, digest, nodes FROM newer.entry;
         INSERT INTO body SELECT seq, bytes, keyid, sig FROM newer.entry;
         INSERT INTO proposal SELECT * FROM newer.proposal;
         INSERT INTO proposal_key SELECT * FROM newer.proposal_key;
         INSERT INTO device_record SELECT * FROM newer.device_record;
         INSERT INTO task SELECT * FROM newer.task;
         INSERT INTO head SELECT * FROM newer.head;
         DETACH newer;",
    )
    .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_an_earlier_version_is_taken_over_with_everything_in_it() {
    let world = World::new().await;
    let done = world.propose("create task: Call the bank").await.state.id;
    world.decide(done, Verdict::Approve, 1).await;
    world.run_everything().await;
    let open = world.propose("create task: Not yet").await.state.id;
    let before = world.tenant.page(0, 100, Sight::All).await.unwrap();
    let tasks = world.tenant.tasks(None, 10).await.unwrap();
    let (id, folder, clock) = (world.tenant.id(), world.folder, world.clock);
    drop(world.tenant);
    let older = tempfile::tempdir().unwrap();
    as_version_3(folder.path(), older.path());

    let tenant = Tenant::open(older.path(), clock, Arc::new(SeedRules), id).unwrap();
    let after = tenant.page(0, 100, Sight::All).await.unwrap();
    assert_eq!(
        serde_json::to_value(&after).unwrap(),
        serde_json::to_value(&before).unwrap(),
        "the same journal, signatures and proofs included"
    );
    let kept = tenant.tasks(None, 10).await.unwrap();
    assert_eq!((kept.len(), &kept[0].1.title), (1, &tasks[0].1.title));
    let status = |id| {
        let tenant = tenant.clone();
        async move {
            tenant
                .proposal(id)
                .await
                .unwrap()
                .unwrap()
                .state
                .recorded_status()
        }
    };
    assert_eq!(
        (status(done).await, status(open).await),
        (Status::Completed, Status::Proposed)
    );
    assert!(
        tenant.people().devices.contains_key(&world.device),
        "and everyone who belongs to it"
    );
}

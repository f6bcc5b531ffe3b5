//! Runs: one effect.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approved_task_is_made_once_and_a_low_risk_call_runs_by_itself() {
    let world = World::new().await;
    let health = world.propose("system health").await;
    assert_eq!(
        health.state.recorded_status(),
        Status::Pending,
        "policy allows what is low"
    );
    let task = world.propose("create task: Review quarterly report").await;
    assert_eq!(world.status(task.state.id).await, Status::Proposed);
    world.run_everything().await;
    assert_ne!(
        world.status(health.state.id).await,
        Status::Pending,
        "nobody has to call execute"
    );
    assert_eq!(
        world.status(task.state.id).await,
        Status::Proposed,
        "nothing runs that people did not approve"
    );

    let result = world.decide(task.state.id, Verdict::Approve, 1).await;
    assert!(result.effective, "{result:?}");
    world.run_everything().await;
    world.run_everything().await;
    assert_eq!(world.status(task.state.id).await, Status::Completed);
    let tasks = world.tenant.tasks(None, 10).await.unwrap();
    assert_eq!(tasks.len(), 1, "the effect is there once");
    assert_eq!(tasks[0].1.title, "Review quarterly report");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_parallel_executors_one_runs_a_call() {
    let world = Arc::new(World::new().await);
    let task = world.propose("create task: x").await.state.id;
    world.decide(task, Verdict::Approve, 1).await;
    let runs: Vec<_> = (0..8)
        .map(|_| {
            let world = Arc::clone(&world);
            tokio::spawn(async move { world.run_everything().await })
        })
        .collect();
    for run in runs {
        run.await.unwrap();
    }
    assert_eq!(world.tenant.tasks(None, 10).await.unwrap().len(), 1, "one effect");
    let ended = world
        .tenant
        .proposal(task)
        .await
        .unwrap()
        .unwrap()
        .state
        .ended
        .clone()
        .unwrap();
    assert_eq!(ended.outcome, Outcome::Completed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_claims_nothing_that_is_not_its_own() {
    let world = World::new().await;
    let task = world.propose("create task: x").await.state;
    world.decide(task.id, Verdict::Approve, 1).await;
    let manifests: Arc<[_]> = [task.manifest].into();
    let claimed = world
        .tenant
        .claim(Holder::Device(world.device), manifests, 10)
        .await
        .unwrap();
    assert!(
        claimed.leases.is_empty(),
        "the server runs what has no connection"
    );
}

//! Runs: one effect.

use countersign_domain::{execution::RunRefusal, record::Begin};
use countersign_tools::executor::Intent;

use super::*;

impl World {
    /// The server's own executor leases an approved task; what it would begin.
    async fn leased(&self, task: ProposalId) -> Begin {
        let manifests = self.rules.registry.manifests();
        let manifests = manifests.map(|(digest, _)| digest).collect();
        let claimed = self.tenant.claim(Holder::Tenant, manifests, 10).await.unwrap();
        let mut leases = claimed.leases.into_iter();
        let lease = leases.find(|lease| lease.proposal_id == task).unwrap();
        Begin {
            at: self.clock.now(),
            authority: lease.authority,
            device_seq: None,
            executor: Holder::Tenant,
            fence: lease.fence,
            nonce: random::nonce(),
            preview: None,
            previous: None,
            proposal: task,
            proposal_digest: self.tenant.proposal(task).await.unwrap().unwrap().state.digest,
        }
    }

    async fn begins(&self, begin: &Begin) -> Result<Status, RunRefusal> {
        let record = Arc::new(Record::unsigned(begin).unwrap());
        let begun = self.tenant.begin(record, Arc::new(begin.clone())).await.unwrap();
        begun.map(|stored| stored.status(self.clock.now()))
    }

    /// Ada approves, for so long.
    async fn approve_for(&self, task: ProposalId, time: Millis, device_seq: u64) {
        let (record, views) = self.signed(task, Verdict::Approve, device_seq).await;
        let decision = Decision {
            expires_at: self.clock.now() + time,
            ..record.body().unwrap()
        };
        let record = Arc::new(Record::signed(&decision, &self.key).unwrap());
        let told = self.push(&record, &views).await;
        assert!(told.unwrap().effective);
    }
}

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
    assert_eq!(
        world.status(health.state.id).await,
        Status::Completed,
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approval_whose_own_time_is_over_is_void_before_a_lease_and_before_a_begin() {
    let world = World::new().await;
    let task = world.propose("create task: x").await.state.id;
    let short = Millis::seconds(30);
    world.approve_for(task, short, 1).await;
    world.advance(short);
    world.run_everything().await;
    assert_eq!(world.status(task).await, Status::Proposed, "nothing was leased");

    world.approve_for(task, short, 2).await;
    let begin = world.leased(task).await;
    world.advance(short);
    assert_eq!(
        world.begins(&begin).await,
        Err(RunRefusal::State(Status::Proposed)),
        "the lease stands for a minute, the approval does not"
    );
    let state = world.tenant.proposal(task).await.unwrap().unwrap();
    let voids: Vec<_> = state.state.voids.values().copied().collect();
    assert_eq!(voids, [Reason::Expired; 2], "and the journal says why");
    world.decide(task, Verdict::Approve, 3).await;
    world.run_everything().await;
    assert_eq!(world.status(task).await, Status::Completed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_begin_again_gets_the_same_answer_and_its_silence_is_noticed_once_and_in_time() {
    let world = World::new().await;
    let task = world.propose("create task: x").await.state.id;
    world.decide(task, Verdict::Approve, 1).await;
    let begin = world.leased(task).await;
    assert_eq!(world.begins(&begin).await, Ok(Status::Running));
    let size = world.tenant.head().size;
    assert_eq!(world.begins(&begin).await, Ok(Status::Running));
    let another = Begin {
        nonce: random::nonce(),
        ..begin
    };
    assert_eq!(
        world.begins(&another).await,
        Err(RunRefusal::State(Status::Running)),
        "a call begins once"
    );
    assert_eq!(world.tenant.head().size, size, "and nothing more is journalled");

    world.advance(Millis(LEASE.0 - 1));
    assert_eq!(world.tenant.lapse().await.unwrap(), 0, "it may still answer");
    world.advance(Millis(1));
    assert_eq!(world.tenant.lapse().await.unwrap(), 1);
    assert_eq!(world.status(task).await, Status::Unknown);
    assert_eq!(world.tenant.lapse().await.unwrap(), 0, "once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_server_had_begun_when_it_stopped_failed_before_its_intent_and_is_unknown_behind_it() {
    let world = World::new().await;
    let mut begun = Vec::new();
    for number in 1..=2 {
        let task = world.propose(&format!("create task: {number}")).await.state.id;
        world.decide(task, Verdict::Approve, number).await;
        let begin = world.leased(task).await;
        assert_eq!(world.begins(&begin).await, Ok(Status::Running));
        begun.push(begin);
    }
    let [before, behind] = &begun[..] else {
        unreachable!()
    };
    let intent = Intent {
        at: world.clock.now(),
        attempt: 1,
        fence: behind.fence,
        proposal: behind.proposal,
        proposal_digest: behind.proposal_digest,
        reference: None,
    };
    let text = serde_json::to_string(&intent).unwrap();
    let intend = async |fence| {
        let intended = world.tenant.intend(behind.proposal, fence, text.clone());
        intended.await.unwrap()
    };
    assert_eq!(
        intend(behind.fence + 1).await,
        Err(RunRefusal::Fenced),
        "of another lease"
    );
    assert_eq!(intend(behind.fence).await, Ok(()));
    crate::executor::settle_interrupted(&world.tenant).await.unwrap();
    assert_eq!(world.status(before.proposal).await, Status::Failed);
    assert_eq!(world.status(behind.proposal).await, Status::Unknown);
    let size = world.tenant.head().size;
    crate::executor::settle_interrupted(&world.tenant).await.unwrap();
    world.advance(LEASE);
    assert_eq!(world.tenant.lapse().await.unwrap(), 0, "their leases are over");
    assert_eq!(world.tenant.head().size, size, "it is said once");
}

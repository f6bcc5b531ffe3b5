//! What was proposed to a tool as it was before a newer version of the server started.

use countersign_domain::{fold::Closed, record::Proposal};

use super::changed_tools::with_changed_tasks;
use super::*;

impl World {
    /// The server is started again in a version whose task tool is another.
    async fn update(&self, most: usize) {
        let rules = Rules {
            registry: Arc::new(with_changed_tasks(most)),
            policy: Arc::clone(&self.rules.policy),
            max_open: None,
        };
        self.tenant.update_tools(rules).await.unwrap();
    }

    async fn successor(&self, of: ProposalId) -> Option<ProposalId> {
        let old = self.tenant.proposal(of).await.unwrap().unwrap();
        assert_eq!(old.status(self.clock.now()), Status::Superseded);
        match old.state.closed.clone() {
            Some(Closed::Superseded { successor, .. }) => successor,
            other => panic!("{other:?}"),
        }
    }

    async fn record(&self, id: ProposalId) -> Arc<Proposal> {
        self.tenant.proposal_bodies(id).await.unwrap().unwrap().proposal
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_proposed_to_a_tool_that_changed_is_made_again_and_asks_again() {
    let world = World::new().await;
    let request = wire::Propose {
        text: Some("create task: Call the bank".to_owned()),
        note: Some("They asked for it.".to_owned()),
        run: Some("nightly".to_owned()),
        ..wire::Propose::default()
    };
    let proposed = world
        .rules
        .propose(&world.tenant, world.proposer(), request, Some("key-1"));
    let Understood::Stored { stored, .. } = proposed.await.unwrap() else {
        panic!("not understood");
    };
    let old = stored.state.id;
    assert!(world.decide(old, Verdict::Approve, 1).await.effective);
    assert_eq!(world.status(old).await, Status::Pending, "approved, not begun");
    world.advance(Millis::hours(1));

    world.tenant.update_tools(world.rules.clone()).await.unwrap();
    assert_eq!(
        world.status(old).await,
        Status::Pending,
        "the same tools change nothing"
    );
    let size = world.tenant.head().size;
    world.update(200).await;
    let new = world.successor(old).await.expect("the request still fits");
    assert_eq!(
        world.tenant.head().size,
        size + 4,
        "manifest, supersede, proposal, evaluation"
    );
    assert_eq!(
        world.status(new).await,
        Status::Proposed,
        "no decision carries over"
    );
    let (before, after) = (world.record(old).await, world.record(new).await);
    assert_eq!(after.supersedes, Some(old));
    assert_ne!(after.tool.manifest, before.tool.manifest);
    assert_eq!(
        (&after.proposer, &after.untrusted, &after.args, after.expires_at),
        (
            &before.proposer,
            &before.untrusted,
            &before.args,
            before.expires_at
        ),
        "the same request, and not for longer"
    );
    let late = world.decide(old, Verdict::Approve, 2).await;
    assert_eq!(
        (late.effective, late.reason.as_deref()),
        (false, Some("superseded"))
    );
    world.run_everything().await;
    assert!(
        world.tenant.tasks(None, 10).await.unwrap().is_empty(),
        "nothing has run"
    );

    world.update(200).await;
    assert_eq!(
        world.status(new).await,
        Status::Proposed,
        "one change, one successor"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_names_the_successor() {
    let world = World::new().await;
    let rules = Rules {
        registry: Arc::new(with_changed_tasks(200)),
        policy: Arc::clone(&world.rules.policy),
        max_open: None,
    };
    let ask = async |rules: &Rules, key| {
        let request = wire::Propose {
            text: Some("create task: once".to_owned()),
            ..wire::Propose::default()
        };
        match rules
            .propose(&world.tenant, world.proposer(), request, key)
            .await
            .unwrap()
        {
            Understood::Stored { stored, created, .. } => (stored.state.id, created),
            other @ (Understood::NoIntent | Understood::NoTool) => panic!("{other:?}"),
        }
    };
    for key in [None, Some("the proposer's own")] {
        let (old, created) = ask(&world.rules, key).await;
        assert!(created);
        world.tenant.update_tools(rules.clone()).await.unwrap();
        let new = world.successor(old).await.unwrap();
        assert_eq!(
            ask(&rules, key).await,
            (new, false),
            "whoever asks again under the same key gets what took its place"
        );
        world.tenant.update_tools(world.rules.clone()).await.unwrap();
        let newest = world.successor(new).await.unwrap();
        assert_eq!(ask(&world.rules, key).await, (newest, false), "and again");
        world
            .tenant
            .withdraw(newest, Actor::Server, None)
            .await
            .unwrap()
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_changed_tool_does_not_take_is_closed_with_the_reason_and_what_is_over_stays_as_it_is() {
    let world = World::new().await;
    let done = world.propose("create task: done").await.state.id;
    world.decide(done, Verdict::Approve, 1).await;
    world.run_everything().await;
    let long = world
        .propose("create task: A title of more than twenty characters")
        .await
        .state
        .id;
    let short = world.propose("create task: short").await.state.id;
    let other = world.propose("system health").await.state.id;
    let old = world.propose("create task: old").await.state;
    let lasts = wire::Propose {
        text: Some("create task: over soon".to_owned()),
        expires_at: Some(world.clock.now() + Millis::seconds(90)),
        ..wire::Propose::default()
    };
    let lasts = world
        .rules
        .propose(&world.tenant, world.proposer(), lasts, None)
        .await
        .unwrap();
    let Understood::Stored { stored: lasts, .. } = lasts else {
        panic!("not understood");
    };
    world.advance(Millis::seconds(90));
    world.update(20).await;

    assert_eq!(world.successor(long).await, None);
    let closed = world
        .tenant
        .proposal(long)
        .await
        .unwrap()
        .unwrap()
        .state
        .closed
        .clone();
    let Some(Closed::Superseded { reason, .. }) = closed else {
        panic!("{closed:?}");
    };
    assert!(reason.contains("title"), "it says what does not fit: {reason}");
    assert!(world.successor(short).await.is_some());
    assert!(world.successor(old.id).await.is_some());
    assert_eq!(world.status(done).await, Status::Completed);
    assert_eq!(
        world.status(other).await,
        Status::Pending,
        "another tool has not changed"
    );
    assert_eq!(
        world.status(lasts.state.id).await,
        Status::Expired,
        "what has run out is not made again"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_successor_is_there_after_a_restart_with_the_key_that_names_it() {
    let world = World::new().await;
    let old = world.propose("create task: x").await.state.id;
    world.update(200).await;
    let new = world.successor(old).await.unwrap();
    let (id, clock, folder) = (world.tenant.id(), world.clock.clone(), world.folder);
    drop(world.tenant);
    let tenant = Tenant::open(folder.path(), clock, Arc::new(SeedRules), id).unwrap();
    let there = tenant.proposal(new).await.unwrap().unwrap();
    assert_eq!(there.state.recorded_status(), Status::Proposed);
    let keys: Vec<Vec<u8>> = tenant
        .read(|file| {
            let mut keys = file.prepare("SELECT proposal FROM proposal_key")?;
            let keys = keys.query_map([], |row| row.get(0))?;
            Ok(keys.collect::<Result<_, _>>()?)
        })
        .await
        .unwrap();
    assert_eq!(keys, [new.as_bytes().to_vec()]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_runs_without_asking_is_closed_and_not_made_again() {
    let world = World::new().await;
    let id = world.propose("system health").await.state.id;
    let manifests = world.rules.registry.manifests().map(|(digest, _)| digest);
    let claimed = world.tenant.claim(Holder::Tenant, manifests.collect(), 10).await;
    let fence = claimed.unwrap().leases[0].fence;
    let drift = "What the call would do is not what people were shown.".to_owned();
    let rules = Some(world.rules.clone());
    let refused = world.tenant.refuse(id, Holder::Tenant, fence, drift, rules).await;
    assert!(refused.unwrap().is_ok());
    assert_eq!(world.successor(id).await, None, "it would go round in circles");
}

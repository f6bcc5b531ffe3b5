//! The server's own executor is told of a call by the commit that makes it due.

use countersign_domain::Digest;
use countersign_policy::{Answer as Says, Call, Policy};

use super::*;

/// The seed's rules, with time to take an approval back.
struct Patient;

const HOLD: Millis = Millis::seconds(10);

impl Policy for Patient {
    fn bundle(&self) -> Digest {
        Digest::of(b"patient")
    }

    fn evaluate(&self, call: &Call<'_>) -> Says {
        let mut says = SeedRules.evaluate(call);
        says.requirement.hold = HOLD;
        says
    }
}

impl World {
    fn manifests(&self) -> Arc<[Digest]> {
        self.rules
            .registry
            .manifests()
            .map(|(digest, _)| digest)
            .collect()
    }

    async fn claimed(&self) -> Vec<(ProposalId, u64)> {
        let claimed = self
            .tenant
            .claim(Holder::Tenant, self.manifests(), 10)
            .await
            .unwrap();
        let leases = claimed.leases.into_iter();
        leases.map(|lease| (lease.proposal_id, lease.fence)).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_leased_in_the_commit_that_makes_it_due_and_to_nobody_else() {
    let world = World::new().await;
    let mut work = world.tenant.serve(world.manifests()).await.unwrap();
    let task = world.propose("create task: x").await.state.id;
    assert!(work.try_recv().is_err(), "nobody has approved it");
    world.decide(task, Verdict::Approve, 1).await;
    assert_eq!(
        work.try_recv(),
        Ok(Work::Leased(task, 1)),
        "told before the approver's answer"
    );
    assert_eq!(world.claimed().await, [], "it is leased");
    world.advance(LEASE);
    assert_eq!(
        world.claimed().await,
        [(task, 2)],
        "who has not begun in time has lost it"
    );
    let run = async |fence| {
        let begun = crate::executor::run_one(&world.tenant, &world.rules.registry, task, fence).await;
        (begun, world.status(task).await)
    };
    assert_eq!(
        run(1).await,
        (false, Status::Pending),
        "the older fence begins nothing, and gives nothing back that is not its own"
    );
    assert_eq!(world.claimed().await, []);
    assert_eq!(run(2).await, (true, Status::Completed));
    assert_eq!(world.tenant.tasks(None, 10).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_executor_hears_until_when_a_call_is_held() {
    let mut world = World::new().await;
    world.rules.policy = Arc::new(Patient);
    let mut work = world.tenant.serve(world.manifests()).await.unwrap();
    let task = world.propose("create task: x").await.state.id;
    let approved = world.tenant.now();
    world.decide(task, Verdict::Approve, 1).await;
    assert_eq!(work.try_recv(), Ok(Work::Held(approved + HOLD)));
    assert_eq!(world.claimed().await, []);
    world.advance(HOLD);
    assert_eq!(world.claimed().await, [(task, 1)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_binds_nobody_once_the_server_has_stopped() {
    let world = World::new().await;
    let _work = world.tenant.serve(world.manifests()).await.unwrap();
    let task = world.propose("create task: x").await.state.id;
    world.decide(task, Verdict::Approve, 1).await;
    assert_eq!(world.status(task).await, Status::Pending);
    let (id, folder, clock) = (world.tenant.id(), world.folder, world.clock);
    drop(world.tenant);
    let tenant = Tenant::open(folder.path(), clock, Arc::new(SeedRules), id).unwrap();
    let manifests: Arc<[Digest]> = world
        .rules
        .registry
        .manifests()
        .map(|(digest, _)| digest)
        .collect();
    let claimed = tenant.claim(Holder::Tenant, manifests, 10).await.unwrap();
    assert_eq!(
        claimed.leases.len(),
        1,
        "a lease in the memory of a process that has ended binds nobody"
    );
    assert_eq!(claimed.leases[0].fence, 2, "and its number is not used again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_executor_had_when_it_died_is_the_next_ones_at_once() {
    let world = World::new().await;
    let mut first = world.tenant.serve(world.manifests()).await.unwrap();
    let told = world.propose("create task: told").await.state.id;
    world.decide(told, Verdict::Approve, 1).await;
    assert_eq!(first.try_recv(), Ok(Work::Leased(told, 1)));
    drop(first);
    let meanwhile = world.propose("create task: meanwhile").await.state.id;
    world.decide(meanwhile, Verdict::Approve, 2).await;
    let _second = world.tenant.serve(world.manifests()).await.unwrap();
    assert_eq!(world.claimed().await, [(told, 2), (meanwhile, 1)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_taken_back_before_it_began_and_approved_again_is_leased_again() {
    let world = World::new().await;
    let mut work = world.tenant.serve(world.manifests()).await.unwrap();
    let task = world.propose("create task: x").await.state.id;
    world.decide(task, Verdict::Approve, 1).await;
    assert_eq!(work.try_recv(), Ok(Work::Leased(task, 1)));
    world.decide(task, Verdict::Retract, 2).await;
    assert_eq!(world.status(task).await, Status::Proposed);
    world.decide(task, Verdict::Approve, 3).await;
    assert_eq!(work.try_recv(), Ok(Work::Leased(task, 2)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_that_waits_is_leased_however_much_of_it_there_is() {
    const WAITING: u64 = 150;
    let world = World::new().await;
    for number in 1..=WAITING {
        let task = world.propose(&format!("create task: {number}")).await.state.id;
        world.decide(task, Verdict::Approve, number).await;
    }
    let mut leased = std::collections::BTreeSet::new();
    loop {
        let some = world.claimed().await;
        if some.is_empty() {
            break;
        }
        assert!(some.into_iter().all(|(id, _)| leased.insert(id)), "nothing twice");
    }
    assert_eq!(leased.len() as u64, WAITING);
}

//! Decisions: one truth, and a final answer for each.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_thousand_approvals_at_once_one_counts_and_the_others_are_told() {
    let world = Arc::new(World::new().await);
    let task = world.propose("create task: x").await.state.id;
    let mut decisions = Vec::new();
    for device_seq in 1..=1_000 {
        decisions.push(world.signed(task, Verdict::Approve, device_seq).await);
    }
    let calls: Vec<_> = decisions
        .into_iter()
        .map(|(record, views)| {
            let world = Arc::clone(&world);
            tokio::spawn(async move {
                world
                    .tenant
                    .decide_by_device(record, world.owner, views)
                    .await
                    .unwrap()
            })
        })
        .collect();
    let mut effective = 0;
    for call in calls {
        let result = call.await.unwrap();
        effective += usize::from(result.effective);
        if !result.effective {
            // Arrival is not signing order: a number below one that was taken is a used number.
            let reason = result.reason.as_deref();
            assert!(
                matches!(reason, Some("decided" | "fork" | "device_revoked")),
                "every loser is told why, not {reason:?}"
            );
        }
    }
    assert_eq!(effective, 1, "one takes effect");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_envelope_gets_the_same_answer_for_ever() {
    let world = World::new().await;
    let task = world.propose("create task: x").await.state.id;
    let (record, views) = world.signed(task, Verdict::Approve, 1).await;
    let first = world
        .tenant
        .decide_by_device(Arc::clone(&record), world.owner, views.clone())
        .await
        .unwrap();
    let size = world.tenant.head().size;
    world.run_everything().await;
    for _ in 0..20 {
        let again = world
            .tenant
            .decide_by_device(Arc::clone(&record), world.owner, views.clone())
            .await
            .unwrap();
        assert_eq!(again, first, "a repeated envelope is not a new decision");
    }
    assert_eq!(
        world.tenant.head().size,
        size + 2,
        "only begin and receipt were added"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_records_with_one_number_take_the_device_out_of_service() {
    let world = World::new().await;
    let (first, second) = (
        world.propose("create task: x").await,
        world.propose("create task: y").await,
    );
    assert!(world.decide(first.state.id, Verdict::Approve, 1).await.effective);
    let forked = world.decide(second.state.id, Verdict::Approve, 1).await;
    assert_eq!(forked.reason.as_deref(), Some(Reason::Fork.code()));
    let people = world.tenant.people();
    assert!(
        !people.devices[&world.device].is_active(),
        "the key may be in two hands"
    );
    assert_eq!(
        world.status(first.state.id).await,
        Status::Proposed,
        "what it approved and has not begun is void"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn approve_against_reject_in_parallel_ends_in_one_truth() {
    for round in 0..20 {
        let world = Arc::new(World::new().await);
        let task = world.propose("create task: x").await.state.id;
        let (approve, views) = world.signed(task, Verdict::Approve, 1 + round % 2).await;
        let (reject, _) = world.signed(task, Verdict::Reject, 2 - round % 2).await;
        let (left, right) = (Arc::clone(&world), Arc::clone(&world));
        let other = views.clone();
        let approve =
            tokio::spawn(async move { left.tenant.decide_by_device(approve, left.owner, views).await });
        let reject =
            tokio::spawn(async move { right.tenant.decide_by_device(reject, right.owner, other).await });
        let (approve, reject) = (approve.await.unwrap().unwrap(), reject.await.unwrap().unwrap());
        let status = world.status(task).await;
        world.run_everything().await;
        if reject.effective {
            assert_eq!(status, Status::Rejected, "any valid reject wins before begin");
            assert_eq!(world.status(task).await, Status::Rejected, "and nothing runs");
        } else {
            // The device's own order was broken on the way, so the reject did not count: neither may the approval.
            assert!(
                !approve.effective || status != Status::Rejected,
                "both parties know how it stands"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_proposal_is_expired_whether_or_not_anyone_wrote_it_down() {
    let world = World::new().await;
    let task = world.propose("create task: x").await.state;
    world.advance(task.expires_at.since(world.clock.now()));
    assert_eq!(world.status(task.id).await, Status::Expired);
    let expired = Filter {
        status: Some(Status::Expired),
        ..Filter::default()
    };
    assert_eq!(world.tenant.proposals(expired, 10).await.unwrap().len(), 1);
    let open = Filter {
        status: Some(Status::Proposed),
        ..Filter::default()
    };
    assert!(world.tenant.proposals(open, 10).await.unwrap().is_empty());
    let late = world.decide(task.id, Verdict::Approve, 1).await;
    assert_eq!((late.effective, late.reason.as_deref()), (false, Some("expired")));
}

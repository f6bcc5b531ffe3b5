//! Decisions: one truth, and a final answer for each.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_envelope_gets_the_same_answer_for_ever() {
    let world = World::new().await;
    let task = world.propose("create task: x").await.state.id;
    let (record, views) = world.signed(task, Verdict::Approve, 1).await;
    let first = world.push(&record, &views).await.unwrap();
    let size = world.tenant.head().size;
    world.run_everything().await;
    for _ in 0..20 {
        let again = world.push(&record, &views).await.unwrap();
        assert_eq!(again, first, "a repeated envelope is not a new decision");
    }
    assert_eq!(
        world.tenant.head().size,
        size + 2,
        "only begin and receipt were added"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_records_that_come_together_one_that_cannot_be_stored_keeps_waiting_only_what_is_behind_it() {
    let mut world = World::new().await;
    let (mut ids, mut records) = (Vec::new(), Vec::new());
    for number in 1..=3 {
        let id = world.propose(&format!("create task: {number}")).await.state.id;
        records.push(world.signed(id, Verdict::Approve, number).await);
        ids.push(id);
    }
    let (folder, damaged) = (world.folder.path().to_owned(), ids[1]);
    let write = async |world: &World, sql: &'static str| {
        let done = world
            .tenant
            .never(move |desk| Ok(desk.connection().execute(sql, [&damaged.as_bytes()[..]])?));
        assert_eq!(done.await.unwrap(), 1);
    };
    write(&world, "UPDATE proposal SET state = '!' || state WHERE id = ?1").await;
    world.again(&folder);
    assert!(
        world.push_all(&records).await.is_err(),
        "one of them cannot be read"
    );
    assert_eq!(world.status(ids[0]).await, Status::Pending);
    assert_eq!(
        world.status(ids[2]).await,
        Status::Proposed,
        "its number comes behind one that is not there: taken now it would make a fork of that one"
    );

    write(
        &world,
        "UPDATE proposal SET state = substr(state, 2) WHERE id = ?1",
    )
    .await;
    world.again(&folder);
    let answers = world.push_all(&records).await.unwrap();
    assert!(answers.iter().all(|answer| answer.effective), "{answers:?}");
    let size = world.tenant.head().size;
    assert_eq!(world.push_all(&records).await.unwrap(), answers, "for ever");
    assert_eq!(world.tenant.head().size, size);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_records_with_one_number_take_the_device_out_of_service() {
    let world = World::new().await;
    let (first, second) = (
        world.propose("create task: x").await,
        world.propose("create task: y").await,
    );
    assert!(world.decide(first.state.id, Verdict::Approve, 1).await.effective);
    let (twin, views) = world.signed(second.state.id, Verdict::Approve, 1).await;
    let send = async || world.push(&twin, &views).await.unwrap();
    let forked = send().await;
    assert_eq!(forked.reason.as_deref(), Some(Reason::Fork.code()));
    assert_eq!(send().await, forked, "one envelope has one answer, for ever");
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

/// A rejection of the person at the keyboard, without a device.
async fn reject_by_session(world: &World, id: ProposalId) -> Result<Stored, decide::DecideRefusal> {
    let (device, views) = world.signed(id, Verdict::Reject, 1).await;
    let decision = Decision {
        assurance: Assurance::Session,
        device: None,
        device_seq: None,
        ..device.body().unwrap()
    };
    let record = Record::unsigned(&decision).unwrap();
    let tenant = &world.tenant;
    tenant
        .decide_by_session(Arc::new(record), Arc::new(decision), world.owner, views)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn approve_against_reject_in_parallel_ends_in_one_truth() {
    const ROUNDS: u64 = 40;
    let (mut rejected, mut ran) = (0_u64, 0_u64);
    for round in 0..ROUNDS {
        let world = Arc::new(World::new().await);
        let task = world.propose("create task: x").await.state.id;
        let (approve, views) = world.signed(task, Verdict::Approve, 1).await;
        let (left, right) = (Arc::clone(&world), Arc::clone(&world));
        // The last one comes when everything is over.
        let (over, wait) = tokio::sync::oneshot::channel();
        let approve = tokio::spawn(async move {
            let approved = left.push(&approve, &views).await.unwrap();
            left.run_everything().await;
            let _ = over.send(());
            approved
        });
        let late = std::time::Duration::from_micros(150 * round);
        let reject = tokio::spawn(async move {
            if round + 1 == ROUNDS {
                wait.await.unwrap();
            }
            tokio::time::sleep(late).await;
            reject_by_session(&right, task).await
        });
        let (approve, reject) = (approve.await.unwrap(), reject.await.unwrap());
        world.run_everything().await;
        let tasks = world.tenant.tasks(None, 10).await.unwrap().len();
        if reject.is_ok() {
            rejected += 1;
            assert_eq!(
                (world.status(task).await, tasks),
                (Status::Rejected, 0),
                "a reject that was taken before begin wins, and nothing runs"
            );
            let told = approve.reason.as_deref();
            assert!(approve.effective || told == Some("decided"), "{approve:?}");
        } else {
            ran += 1;
            assert!(approve.effective, "nothing else can have been in its way");
            assert_eq!((world.status(task).await, tasks), (Status::Completed, 1));
        }
    }
    assert!(
        ran > 0 && ran + rejected == ROUNDS,
        "{rejected} rejected, {ran} ran"
    );
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

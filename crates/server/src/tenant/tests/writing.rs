//! The writer and its file: nothing lost, nothing half-written.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_there_again_after_a_restart_and_the_journal_verifies_from_the_first_entry() {
    let world = World::new().await;
    let task = world.propose("create task: x").await.state.id;
    world.decide(task, Verdict::Approve, 1).await;
    world.run_everything().await;
    let head = world.tenant.head();
    let (id, folder, clock) = (world.tenant.id(), world.folder, world.clock);
    drop(world.tenant);

    let tenant = Tenant::open(folder.path(), clock, Arc::new(SeedRules), id).unwrap();
    assert_eq!((tenant.head().size, tenant.head().root), (head.size, head.root));
    assert_eq!(tenant.role(world.owner), Some(Role::Owner));
    let log_key = tenant.people().tenant.as_ref().unwrap().log_key;
    let mut frontier = Frontier::new();
    let mut folded: Option<ProposalState> = None;
    loop {
        // Small pages, so that every page's end is checked against the head.
        let page = tenant.page(frontier.size(), 3, Sight::All).await.unwrap();
        if page.entries.is_empty() {
            break;
        }
        for entry in &page.entries {
            let record = entry.record().expect("every body is the one its header names");
            let header = Header {
                at: entry.at,
                digest: entry.digest,
                kind: HeaderKind::known(record.kind.name()),
                seq: entry.seq,
                subject: entry.subject.clone(),
            };
            frontier.append(header.leaf_hash());
            if entry.subject == format!("proposal/{task}") {
                match &mut folded {
                    None => {
                        folded = Some(ProposalState::new(
                            &record.body().unwrap(),
                            entry.digest,
                            entry.seq,
                        ))
                    }
                    Some(state) => state.apply(entry.seq, entry.at, &record).unwrap(),
                }
            }
        }
        let checkpoint = Checkpoint::open(&page.checkpoint, id, &log_key).unwrap();
        let (size, root) = (frontier.size(), frontier.root());
        verify_consistency(size, root, checkpoint.size, checkpoint.root, &page.consistency).unwrap();
    }
    assert_eq!(
        (frontier.size(), frontier.root()),
        (head.size, head.root),
        "the tree is the one that was signed"
    );
    let stored = tenant.proposal(task).await.unwrap().unwrap().state.clone();
    assert_eq!(
        folded,
        Some(stored),
        "the fold of the journal is the stored projection"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_command_leaves_nothing_behind() {
    let world = World::new().await;
    let (size, root) = (world.tenant.head().size, world.tenant.head().root);
    let tenant_id = world.tenant.id();
    let refused: Result<(), ()> = world
        .tenant
        .write(move |desk| {
            let agent = AgentId::from_uuid(random::uuid());
            found::append(
                desk,
                &Agent {
                    agent,
                    at: desk.now(),
                    by: Actor::Server,
                    name: "Never".to_owned(),
                    nonce: random::nonce(),
                    owner: None,
                    revoked: false,
                    tenant: tenant_id,
                },
            )?;
            Ok(Err(()))
        })
        .await
        .unwrap();
    assert_eq!(refused, Err(()));
    assert_eq!(
        (world.tenant.head().size, world.tenant.head().root),
        (size, root),
        "not in the tree"
    );
    assert_eq!(world.tenant.people().agents.len(), 1, "not in memory");
    world.propose("create task: x").await;
    assert_eq!(
        world.tenant.head().size,
        size + 2,
        "and the numbers go on without a gap"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_command_that_has_written_takes_nothing_of_its_batch_with_it() {
    let world = World::new().await;
    let mut ids = Vec::new();
    for title in ["a", "b", "c"] {
        ids.push(world.propose(&format!("create task: {title}")).await.state.id);
    }
    let size = world.tenant.head().size;
    // The writer is held in one command until the others have queued, so that they are one batch.
    let (open, gate) = std::sync::mpsc::channel::<()>();
    let held = world.tenant.never(move |_| {
        let _ = gate.recv();
        Ok(())
    });
    let withdraw = |id, refuse: bool| {
        world.tenant.write(move |desk| {
            let withdrawn = decide::withdraw(desk, id, Actor::Server, None)?.map(|_| ());
            Ok(if refuse {
                Err(())
            } else {
                withdrawn.map_err(|_| ())
            })
        })
    };
    let (held, first, refused, last, ()) = tokio::join!(
        held,
        withdraw(ids[0], false),
        withdraw(ids[1], true),
        withdraw(ids[2], false),
        async move { open.send(()).unwrap() }
    );
    held.unwrap();
    assert_eq!(
        (first.unwrap(), refused.unwrap(), last.unwrap()),
        (Ok(()), Err(()), Ok(()))
    );
    assert_eq!(world.status(ids[0]).await, Status::Withdrawn);
    assert_eq!(
        world.status(ids[1]).await,
        Status::Proposed,
        "as it was, also in memory"
    );
    assert_eq!(world.status(ids[2]).await, Status::Withdrawn);
    assert_eq!(world.tenant.head().size, size + 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_a_newer_version_or_with_an_unreadable_past_is_refused_and_not_touched() {
    let world = World::new().await;
    let (id, folder, clock) = (world.tenant.id(), world.folder, world.clock);
    drop(world.tenant);
    let path = folder.path().join("tenant.db");
    let connection = Connection::open(&path).unwrap();
    connection
        .execute(
            "INSERT INTO refinery_schema_history VALUES (99, 'future', '2030-01-01T00:00:00Z', '1')",
            [],
        )
        .unwrap();
    connection.close().unwrap();
    let error = Tenant::open(folder.path(), clock.clone(), Arc::new(SeedRules), id).unwrap_err();
    assert!(matches!(error, StoreError::Newer), "{error}");
    let connection = Connection::open(&path).unwrap();
    connection
        .execute_batch(
            "DELETE FROM refinery_schema_history WHERE version = 99;
             UPDATE refinery_schema_history SET checksum = 'x' WHERE version = 1",
        )
        .unwrap();
    connection.close().unwrap();
    let damaged = Tenant::open(folder.path(), clock, Arc::new(SeedRules), id).unwrap_err();
    assert!(matches!(damaged, StoreError::Damaged(_)), "{damaged}");
    assert!(
        error.to_string().contains("newer version"),
        "a sentence that a person understands"
    );
}

//! Proposals: one for each key, and how they are found.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_proposals_under_one_key_are_one_proposal() {
    let world = Arc::new(World::new().await);
    let calls: Vec<_> = (0..50)
        .map(|_| {
            let world = Arc::clone(&world);
            tokio::spawn(async move { world.propose("create task: once").await.state.id })
        })
        .collect();
    let mut ids = std::collections::BTreeSet::new();
    for call in calls {
        ids.insert(call.await.unwrap());
    }
    assert_eq!(ids.len(), 1, "one key, one proposal");
    assert_eq!(
        world
            .tenant
            .proposals(Filter::default(), 100)
            .await
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_free_again_once_its_proposal_is_over() {
    let world = World::new().await;
    let first = world.propose("create task: again").await.state.id;
    assert!(world.decide(first, Verdict::Reject, 1).await.effective);
    let second = world.propose("create task: again").await.state.id;
    assert_ne!(first, second, "a rejected proposal does not hold its key");
    assert!(world.decide(second, Verdict::Approve, 2).await.effective);
    world.run_everything().await;
    assert_eq!(world.status(second).await, Status::Completed);
    assert_eq!(
        world.propose("create task: again").await.state.id,
        second,
        "a completed one holds it for a day"
    );
    world.advance(Millis::hours(24));
    assert_ne!(
        world.propose("create task: again").await.state.id,
        second,
        "and no longer"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proposals_are_found_by_beginnings_of_their_words_in_any_order() {
    let world = World::new().await;
    let find = async |words: &[&str], before: Option<u64>| {
        let filter = Filter {
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            before,
            ..Filter::default()
        };
        let found = world.tenant.proposals(filter, 2).await.unwrap();
        found
            .into_iter()
            .map(|stored| stored.state.id)
            .collect::<Vec<_>>()
    };
    assert!(find(&["report"], None).await.is_empty(), "there is nothing yet");
    let mut reports = Vec::new();
    for quarter in ["first", "second", "third"] {
        let text = format!("create task: Review the {quarter} quarterly Report of Caf\u{e9} Zo\u{eb}");
        reports.push(world.propose(&text).await.state);
    }
    let other = world
        .propose("create task: Call the bank; \"urgent\"")
        .await
        .state
        .id;
    let [first, second, third] = [0, 1, 2].map(|at| reports[at].id);

    assert_eq!(
        find(&["repo", "REVIEW"], None).await,
        [third, second],
        "newest first"
    );
    let before = Some(reports[1].created_seq);
    assert_eq!(find(&["repo", "review"], before).await, [first], "page by page");
    assert_eq!(find(&["second", "report"], None).await, [second]);
    assert_eq!(
        find(&["cafe", "zoe"], None).await.len(),
        2,
        "accents do not matter"
    );
    assert_eq!(
        find(&["\"urgent\""], None).await,
        [other],
        "quotes are not syntax"
    );
    assert_eq!(find(&["bank", "OR", "report"], None).await, [], "nor is OR");
    assert_eq!(find(&["bank", "report"], None).await, []);

    let late = world.propose("create task: One more report").await.state.id;
    assert_eq!(
        find(&["report"], None).await,
        [late, third],
        "what came since is found too"
    );
    let open = Filter {
        words: vec!["report".to_owned()],
        status: Some(Status::Rejected),
        ..Filter::default()
    };
    assert!(world.tenant.proposals(open.clone(), 5).await.unwrap().is_empty());
    world.decide(late, Verdict::Reject, 1).await;
    assert_eq!(world.tenant.proposals(open, 5).await.unwrap()[0].state.id, late);
}

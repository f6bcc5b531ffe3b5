//! The store's promises, without HTTP: one effect, one truth, nothing lost.

pub(crate) mod changed_tools;
mod full;
mod hands;
mod mirror;
mod successors;
mod upgrade;

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use countersign_domain::{
    Millis, Record, UnixMillis,
    dsse::SigningKey,
    fold::{ProposalState, Status},
    id::{AgentId, DecisionId, DeviceId, ProposalId, TenantId, UserId},
    journal::{Checkpoint, Frontier, Header, Kind as HeaderKind, verify_consistency},
    record::{
        Actor, Agent, Assurance, Decision, Endorse, Endorsement, Enrol, Holder, Mode, Outcome, Proposer,
        ProposerKind, Reason, Role, Verdict,
    },
    render::RENDERER,
    wire,
};
use countersign_policy::SeedRules;
use countersign_tools::{Registry, health::Elsewhere};

use super::*;
use crate::{
    cards,
    ingress::{Rules, Understood},
    random,
};

/// A clock that only tests move.
#[derive(Debug)]
struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.0.load(Ordering::SeqCst))
    }
}

struct World {
    folder: tempfile::TempDir,
    clock: Arc<TestClock>,
    tenant: Tenant,
    rules: Rules,
    owner: UserId,
    agent: AgentId,
    device: DeviceId,
    key: SigningKey,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(TestClock(AtomicI64::new(1_795_354_008_000)));
        let registry = Arc::new(Registry::standard(Arc::new(Elsewhere)).unwrap());
        let rules = Rules {
            registry: Arc::clone(&registry),
            policy: Arc::new(SeedRules),
            max_open: None,
        };
        let owner = UserId::from_uuid(random::uuid());
        let founding = Founding {
            tenant: TenantId::from_uuid(random::uuid()),
            name: "Acme".to_owned(),
            mode: Mode::Company,
            owner,
            owner_email: "ada@acme.example".to_owned(),
            owner_name: "Ada".to_owned(),
            manifests: registry
                .manifests()
                .map(|(_, manifest)| manifest.clone())
                .collect(),
            log_seed: random::bytes(),
        };
        let tenant = Tenant::create(folder.path(), clock.clone(), Arc::clone(&rules.policy), founding)
            .await
            .unwrap();
        let key = SigningKey::from_seed(&random::bytes());
        let (agent, device) = (
            AgentId::from_uuid(random::uuid()),
            DeviceId::from_uuid(random::uuid()),
        );
        let world = Self {
            folder,
            clock,
            tenant,
            rules,
            owner,
            agent,
            device,
            key,
        };
        world.add_agent_and_device().await;
        world
    }

    async fn add_agent_and_device(&self) {
        let (tenant, owner, agent, device) = (self.tenant.id(), self.owner, self.agent, self.device);
        let enrol = Enrol {
            challenge: random::nonce(),
            device,
            name: "Ada's laptop".to_owned(),
            nonce: random::nonce(),
            public_key: self.key.public_key(),
            tenant,
            user: owner,
        };
        let record = Record::signed(&enrol, &self.key).unwrap();
        self.tenant
            .never(move |desk| {
                let by = Actor::User(owner);
                found::append(
                    desk,
                    &Agent {
                        agent,
                        at: desk.now(),
                        by,
                        name: "Bookkeeper".to_owned(),
                        nonce: random::nonce(),
                        owner: None,
                        revoked: false,
                        tenant,
                    },
                )?;
                desk.append(&record, &enrol)?;
                let by = Endorsement::FirstDevice;
                let (at, nonce) = (desk.now(), random::nonce());
                found::append(
                    desk,
                    &Endorse {
                        at,
                        by,
                        device,
                        device_seq: None,
                        enrol: record.digest,
                        nonce,
                        previous: None,
                        tenant,
                    },
                )
            })
            .await
            .unwrap();
    }

    fn proposer(&self) -> Proposer {
        Proposer {
            id: self.agent.to_string(),
            kind: ProposerKind::Agent,
            name: "Bookkeeper".to_owned(),
            on_behalf_of: None,
            run: None,
        }
    }

    async fn propose(&self, text: &str) -> Stored {
        let request = wire::Propose {
            text: Some(text.to_owned()),
            ..wire::Propose::default()
        };
        match self
            .rules
            .propose(&self.tenant, self.proposer(), request, None)
            .await
            .unwrap()
        {
            Understood::Stored { stored, .. } => *stored,
            other @ (Understood::NoIntent | Understood::NoTool) => {
                panic!("{text:?} was understood as {other:?}")
            }
        }
    }

    /// A decision as Ada's device signs it.
    async fn signed(&self, id: ProposalId, verdict: Verdict, device_seq: u64) -> (Arc<Record>, Views) {
        let bodies = self.tenant.proposal_bodies(id).await.unwrap().unwrap();
        let views = cards::views(&self.rules.registry, &self.tenant, &bodies).unwrap();
        let decision = Decision {
            approver: self.owner,
            assurance: Assurance::Device,
            checkpoint: None,
            comment: None,
            decided_at: self.clock.now(),
            device: Some(self.device),
            device_seq: Some(device_seq),
            expires_at: bodies.stored.state.expires_at,
            id: DecisionId::from_uuid(random::uuid()),
            nonce: random::nonce(),
            offline: false,
            previous: None,
            preview: None,
            proposal: id,
            proposal_digest: bodies.stored.state.digest,
            renderer: RENDERER,
            retracts: (verdict == Verdict::Retract)
                .then(|| bodies.stored.state.standing().next().unwrap().digest),
            tenant: self.tenant.id(),
            verdict,
            view: views[0].1,
        };
        (Arc::new(Record::signed(&decision, &self.key).unwrap()), views)
    }

    async fn decide(&self, id: ProposalId, verdict: Verdict, device_seq: u64) -> wire::RecordResult {
        let (record, views) = self.signed(id, verdict, device_seq).await;
        self.tenant
            .decide_by_device(record, self.owner, views)
            .await
            .unwrap()
    }

    async fn run_everything(&self) {
        crate::executor::reconcile(&self.tenant, &self.rules.registry)
            .await
            .unwrap();
    }

    async fn status(&self, id: ProposalId) -> Status {
        self.tenant
            .proposal(id)
            .await
            .unwrap()
            .unwrap()
            .status(self.clock.now())
    }

    fn advance(&self, by: Millis) {
        self.clock.0.fetch_add(by.0, Ordering::SeqCst);
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
async fn a_file_of_a_newer_version_is_refused_and_not_touched() {
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
    let error = Tenant::open(folder.path(), clock, Arc::new(SeedRules), id).unwrap_err();
    assert!(matches!(error, StoreError::Newer), "{error}");
    assert!(
        error.to_string().contains("newer version"),
        "a sentence that a person understands"
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

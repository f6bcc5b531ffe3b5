//! The executor over a store that remembers the order of what it was asked, and fails where it is told to.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicI64, AtomicUsize, Ordering},
};

use async_trait::async_trait;
use countersign_domain::{
    Digest, Millis, UnixMillis,
    canonical::{Object, Value},
    dsse::SigningKey,
    fold::ProposalState,
    id::{ConnectionId, DecisionId, DeviceId, ProposalId, TenantId, UserId},
    manifest::{CardField, Idempotency, Manifest, Shape},
    record::{
        Actor, Assurance, Connection, ConnectionKind, ConnectionRef, Decision, EffectClass, Evaluation,
        Holder, Nonce, Outcome, Phase, PolicyDecision, PreviewOutcome, Proposal, Proposer, ProposerKind,
        Record, Requirement, Risk, ToolRef, Untrusted, Verdict,
    },
};
use uuid::Uuid;

use super::*;
use crate::{Assessment, Call, Facts, InputError, Tool};

const NOW: UnixMillis = UnixMillis(1_795_354_008_000);
const NONCE: Nonce = Nonce::from_bytes([7; 16]);

fn tenant() -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(1))
}

fn device() -> DeviceId {
    DeviceId::from_uuid(Uuid::from_u128(2))
}

fn proposal_id() -> ProposalId {
    ProposalId::from_uuid(Uuid::from_u128(3))
}

fn connection_id() -> ConnectionId {
    ConnectionId::from_uuid(Uuid::from_u128(4))
}

fn ada() -> UserId {
    UserId::from_uuid(Uuid::from_u128(5))
}

fn key() -> SigningKey {
    SigningKey::from_seed(&[9; 32])
}

/// What the test's tool does when it runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Behaviour {
    Complete,
    HangBefore,
    HangAfter,
    PanicBefore,
    PanicAfter,
    LieAfterMarking,
    Babble,
}

struct Probe {
    manifest: Manifest,
    behaviour: Behaviour,
    runs: AtomicUsize,
    log: Log,
}

type Log = Arc<Mutex<Vec<&'static str>>>;

#[async_trait]
impl Tool for Probe {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn normalise(&self, input: Value) -> Result<Value, InputError> {
        Ok(input)
    }

    fn assess(&self, _args: &Value, _facts: &dyn Facts) -> Assessment {
        Assessment {
            risk: Risk::Medium,
            reasons: Vec::new(),
        }
    }

    fn needs_secret(&self, _config: &Value) -> bool {
        true
    }

    fn reference(&self, call: &Call<'_>) -> Option<String> {
        Some(call.proposal.to_string())
    }

    async fn preview(&self, _call: &Call<'_>) -> PreviewOutcome {
        PreviewOutcome::Unavailable {
            reason: String::new(),
        }
    }

    async fn run(&self, call: &Call<'_>) -> Ran {
        self.runs.fetch_add(1, Ordering::SeqCst);
        self.log.lock().unwrap().push("run");
        match self.behaviour {
            Behaviour::Complete => Ran::completed("Done"),
            Behaviour::HangBefore => core::future::pending().await,
            Behaviour::HangAfter => {
                call.dispatch.mark();
                core::future::pending().await
            }
            Behaviour::PanicBefore => panic!("before"),
            Behaviour::PanicAfter => {
                call.dispatch.mark();
                panic!("after")
            }
            Behaviour::LieAfterMarking => {
                call.dispatch.mark();
                Ran::not_dispatched("refused", "Nothing happened, honestly")
            }
            Behaviour::Babble => Ran::completed("x\n".repeat(2000))
                .with_result(Object::from_iter([("long", "y".repeat(MAX_RESULT))])),
        }
    }
}

fn manifest(effect: EffectClass, connection: Option<ConnectionKind>) -> Manifest {
    Manifest {
        card: vec![CardField {
            arg: "word".into(),
            label: "Word".into(),
            shape: Shape::Line,
        }],
        confirm: None,
        connection,
        description: "A tool for tests.".into(),
        effect,
        hold: Millis(0),
        id: "test.probe".into(),
        idempotency: Idempotency::None,
        risk: Risk::Medium,
        schema: countersign_domain::canonical::parse(
            br#"{"type":"object","properties":{"word":{"type":"string"}},"additionalProperties":false}"#,
        )
        .unwrap(),
        sentence: "Say {word}".into(),
        title: "Probe".into(),
        version: "1.0.0".into(),
    }
}

/// Everything that one execution needs, to be tampered with before it.
struct World {
    registry: Registry,
    probe: Arc<Probe>,
    ledger: Fake,
    leased: Leased,
    secrets: Vault,
}

struct Vault(Result<Option<&'static str>, &'static str>);

#[async_trait]
impl Secrets for Vault {
    async fn secret(&self, _connection: ConnectionId) -> Result<Option<SecretString>, SecretError> {
        self.0
            .map(|secret| secret.map(SecretString::from))
            .map_err(|error| SecretError(error.to_owned()))
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fails {
    Never,
    AtStored,
    AtSecondStored,
    AtRefuse,
    AtBegin,
    BeginRefused,
    AtIntend,
    AtComplete,
}

struct Fake {
    stored: Mutex<Stored>,
    /// What the bytes become after the intent: somebody changed the database underneath.
    after_intent: Option<Stored>,
    fails: Fails,
    log: Log,
    clock: AtomicI64,
    reads: AtomicUsize,
    completion: Mutex<Option<Completion>>,
    intent: Mutex<Option<Intent>>,
}

impl Fake {
    #[expect(
        clippy::unwrap_in_result,
        reason = "the error is the test's own, the lock is not"
    )]
    fn note(&self, what: &'static str, failing: Fails) -> Result<(), LedgerError> {
        self.log.lock().unwrap().push(what);
        if self.fails == failing {
            Err(LedgerError::new("the disk is full"))
        } else {
            Ok(())
        }
    }
}

#[async_trait]
impl Ledger for Fake {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.clock.fetch_add(1, Ordering::SeqCst))
    }

    async fn stored(&self, _proposal: ProposalId) -> Result<Stored, LedgerError> {
        let second = self.reads.fetch_add(1, Ordering::SeqCst) == 1;
        self.note(
            "stored",
            if second {
                Fails::AtSecondStored
            } else {
                Fails::AtStored
            },
        )?;
        Ok(self.stored.lock().unwrap().clone())
    }

    async fn refuse(&self, _proposal: ProposalId, _fence: u64, _drift: &Drift) -> Result<(), LedgerError> {
        self.note("refuse", Fails::AtRefuse)
    }

    async fn begin(&self, _beginning: &Beginning) -> Result<BeginAnswer, LedgerError> {
        self.note("begin", Fails::AtBegin)?;
        Ok(if self.fails == Fails::BeginRefused {
            BeginAnswer::Refused {
                reason: "withdrawn".into(),
            }
        } else {
            BeginAnswer::Begun
        })
    }

    async fn intend(&self, intent: &Intent) -> Result<(), LedgerError> {
        self.note("intend", Fails::AtIntend)?;
        *self.intent.lock().unwrap() = Some(intent.clone());
        if let Some(changed) = &self.after_intent {
            *self.stored.lock().unwrap() = changed.clone();
        }
        Ok(())
    }

    async fn complete(&self, completion: &Completion) -> Result<(), LedgerError> {
        self.note("complete", Fails::AtComplete)?;
        *self.completion.lock().unwrap() = Some(completion.clone());
        Ok(())
    }

    async fn apply_local(
        &self,
        _beginning: &Beginning,
        completion: &Completion,
    ) -> Result<BeginAnswer, LedgerError> {
        self.note("apply_local", Fails::AtBegin)?;
        if self.fails == Fails::BeginRefused {
            return Ok(BeginAnswer::Refused {
                reason: "withdrawn".into(),
            });
        }
        *self.completion.lock().unwrap() = Some(completion.clone());
        Ok(BeginAnswer::Begun)
    }
}

fn connection(config: &str) -> Connection {
    Connection {
        at: NOW,
        by: Actor::User(ada()),
        config: countersign_domain::canonical::parse(config.as_bytes()).unwrap(),
        holder: Holder::Device(device()),
        id: connection_id(),
        kind: ConnectionKind::Smtp,
        name: "Office mail".into(),
        nonce: NONCE,
        removed: false,
        tenant: tenant(),
    }
}

fn approval(proposal_digest: Digest) -> Decision {
    Decision {
        approver: ada(),
        assurance: Assurance::Device,
        checkpoint: None,
        comment: None,
        decided_at: NOW,
        device: Some(device()),
        device_seq: Some(1),
        expires_at: NOW + Millis::hours(1),
        id: DecisionId::from_uuid(Uuid::from_u128(6)),
        nonce: NONCE,
        offline: false,
        previous: None,
        preview: None,
        proposal: proposal_id(),
        proposal_digest,
        renderer: 1,
        retracts: None,
        tenant: tenant(),
        verdict: Verdict::Approve,
        view: Digest::of(b"view"),
    }
}

fn world(behaviour: Behaviour) -> World {
    world_of(EffectClass::Opaque, behaviour, |_| {})
}

fn world_of(effect: EffectClass, behaviour: Behaviour, change: impl FnOnce(&mut Proposal)) -> World {
    let outside = effect == EffectClass::Opaque;
    let manifest = manifest(effect, outside.then_some(ConnectionKind::Smtp));
    let connection = outside.then(|| connection(r#"{"host":"mail.example"}"#));
    let mut proposal = Proposal {
        args: Object::from_iter([("word", "hello")]).into(),
        connection: connection.as_ref().map(|connection| ConnectionRef {
            config: connection.config_digest().unwrap(),
            holder: connection.holder,
            id: connection.id,
        }),
        created_at: NOW,
        effect,
        expires_at: NOW + Millis::hours(72),
        id: proposal_id(),
        nonce: NONCE,
        not_before: None,
        proposer: Proposer {
            id: "agent".into(),
            kind: ProposerKind::Agent,
            name: "Bot".into(),
            on_behalf_of: None,
            run: None,
        },
        retry_of: None,
        risk: Risk::Medium,
        risk_reasons: Vec::new(),
        supersedes: None,
        tenant: tenant(),
        tool: ToolRef {
            id: manifest.id.clone(),
            manifest: manifest.digest().unwrap(),
            version: manifest.version.clone(),
        },
        untrusted: Untrusted::default(),
    };
    change(&mut proposal);
    let record = Record::unsigned(&proposal).unwrap();
    let decision = Record::signed(&approval(record.digest), &key()).unwrap();
    let evaluation = Record::unsigned(&Evaluation {
        bundle: Digest::of(b"rules"),
        decision: PolicyDecision::RequiresApproval,
        evaluated_at: NOW,
        nonce: NONCE,
        phase: Phase::Propose,
        policies: Vec::new(),
        proposal: proposal.id,
        proposal_digest: record.digest,
        reason: String::new(),
        requirement: Requirement {
            assurance: Assurance::Session,
            hold: Millis(0),
            quorum: 1,
        },
    })
    .unwrap();
    let mut state = ProposalState::new(&proposal, record.digest, 1);
    state.apply(2, NOW, &evaluation).unwrap();
    state.apply(3, NOW, &decision).unwrap();
    let authority = Authority::of(&state, NOW).unwrap();
    let log = Log::default();
    let probe = Arc::new(Probe {
        manifest,
        behaviour,
        runs: AtomicUsize::new(0),
        log: Arc::clone(&log),
    });
    let executor = connection
        .as_ref()
        .map_or(Holder::Tenant, |connection| connection.holder);
    World {
        registry: Registry::new([Arc::clone(&probe) as Arc<dyn Tool>]).unwrap(),
        probe,
        ledger: Fake {
            stored: Mutex::new(Stored {
                proposal: record,
                connection,
                approvals: vec![Approval {
                    record: decision,
                    key: Some(key().public_key()),
                }],
            }),
            after_intent: None,
            fails: Fails::Never,
            log,
            clock: AtomicI64::new(NOW.0),
            reads: AtomicUsize::new(0),
            completion: Mutex::new(None),
            intent: Mutex::new(None),
        },
        leased: Leased {
            deadline: Duration::from_millis(50),
            ..Leased::new(authority, 4, executor)
        },
        secrets: Vault(Ok(Some("hunter2"))),
    }
}

impl World {
    fn failing(mut self, fails: Fails) -> Self {
        self.ledger.fails = fails;
        self
    }

    fn tampered(self, change: impl FnOnce(&mut Stored)) -> Self {
        change(&mut self.ledger.stored.lock().unwrap());
        self
    }

    async fn run(&self) -> Result<Executed, ExecuteError> {
        execute(self.leased.clone(), &self.ledger, &self.registry, &self.secrets).await
    }

    fn log(&self) -> Vec<&'static str> {
        self.ledger.log.lock().unwrap().clone()
    }

    fn runs(&self) -> usize {
        self.probe.runs.load(Ordering::SeqCst)
    }
}

fn ended(executed: Result<Executed, ExecuteError>) -> Completion {
    match executed {
        Ok(Executed::Ended(completion)) => *completion,
        other => panic!("it did not end: {other:?}"),
    }
}

fn drift(executed: Result<Executed, ExecuteError>) -> Drift {
    match executed {
        Ok(Executed::Drifted(drift)) => drift,
        other => panic!("no drift: {other:?}"),
    }
}

#[tokio::test]
async fn the_steps_come_in_the_one_order_and_the_tool_runs_once() {
    let world = world(Behaviour::Complete);
    let completion = ended(world.run().await);
    assert_eq!(
        world.log(),
        ["stored", "begin", "intend", "stored", "run", "complete"],
        "durable intent before the call, bytes checked on both sides of begin"
    );
    assert_eq!(completion.outcome, Outcome::Completed);
    assert_eq!(completion.fence, 4);
    assert_eq!(
        completion.reference,
        Some(proposal_id().to_string()),
        "the key written in the intent"
    );
    assert_eq!(world.runs(), 1);
    assert!(completion.started_at < completion.finished_at);
}

#[tokio::test]
async fn a_local_tool_is_begun_ended_and_applied_in_one_step() {
    let world = world_of(EffectClass::Local, Behaviour::Complete, |_| {});
    assert_eq!(ended(world.run().await).outcome, Outcome::Completed);
    assert_eq!(
        world.log(),
        ["stored", "run", "apply_local"],
        "no begin without its receipt"
    );
}

#[tokio::test]
async fn a_local_tool_whose_begin_is_refused_has_no_effect() {
    let world = world_of(EffectClass::Local, Behaviour::Complete, |_| {}).failing(Fails::BeginRefused);
    assert_eq!(
        world.run().await.unwrap(),
        Executed::NotBegun {
            reason: "withdrawn".into()
        }
    );
    assert!(
        world.ledger.completion.lock().unwrap().is_none(),
        "nothing was applied"
    );
}

#[tokio::test]
async fn nothing_runs_when_a_step_before_the_intent_fails() {
    for fails in [Fails::AtStored, Fails::AtBegin, Fails::BeginRefused] {
        let world = world(Behaviour::Complete).failing(fails);
        let executed = world.run().await;
        assert_eq!(world.runs(), 0, "{fails:?}");
        assert!(
            !matches!(executed, Ok(Executed::Ended(_))),
            "{fails:?} has no receipt to give"
        );
    }
}

#[tokio::test]
async fn an_intent_that_cannot_be_stored_is_failed_and_not_dispatched() {
    for fails in [Fails::AtIntend, Fails::AtSecondStored] {
        let world = world(Behaviour::Complete).failing(fails);
        let completion = ended(world.run().await);
        assert_eq!(world.runs(), 0, "{fails:?}");
        assert_eq!(
            (completion.outcome, completion.dispatched),
            (Outcome::Failed, false),
            "{fails:?}"
        );
        assert_eq!(completion.failure.unwrap().code, "not_dispatched");
    }
}

#[tokio::test]
async fn a_receipt_that_cannot_be_stored_comes_back_and_the_call_is_not_repeated() {
    let world = world(Behaviour::Complete).failing(Fails::AtComplete);
    match world.run().await {
        Err(ExecuteError::Complete(completion, _)) => assert_eq!(completion.outcome, Outcome::Completed),
        other => panic!("the receipt was lost: {other:?}"),
    }
    assert_eq!(world.runs(), 1);
}

#[tokio::test]
async fn a_locked_or_empty_keychain_leaves_the_proposal_pending() {
    let mut locked = world(Behaviour::Complete);
    locked.secrets = Vault(Err("locked"));
    assert!(matches!(locked.run().await, Err(ExecuteError::Secret(_))));
    assert_eq!(locked.log(), ["stored"], "nothing has begun");
    let mut empty = world(Behaviour::Complete);
    empty.secrets = Vault(Ok(None));
    assert!(matches!(empty.run().await, Err(ExecuteError::NoSecret(_))));
    assert_eq!(empty.log(), ["stored"], "nothing has begun");
}

#[tokio::test]
async fn changed_bytes_are_found_before_begin() {
    type Case = (&'static str, fn(&mut Stored), fn(&Drift) -> bool);
    let changes: [Case; 9] = [
        (
            "other arguments under the old digest",
            |stored| {
                let mut proposal: Proposal = stored.proposal.body().unwrap();
                proposal.args = Object::from_iter([("word", "goodbye")]).into();
                stored.proposal.body = Record::unsigned(&proposal).unwrap().body;
            },
            |drift| *drift == Drift::Proposal,
        ),
        (
            "another proposal with its own digest",
            |stored| {
                let mut proposal: Proposal = stored.proposal.body().unwrap();
                proposal.args = Object::from_iter([("word", "goodbye")]).into();
                stored.proposal = Record::unsigned(&proposal).unwrap();
            },
            |drift| *drift == Drift::Proposal,
        ),
        (
            "another configuration",
            |stored| stored.connection = Some(connection(r#"{"host":"evil.example"}"#)),
            |drift| *drift == Drift::Connection,
        ),
        (
            "a removed connection",
            |stored| stored.connection.as_mut().unwrap().removed = true,
            |drift| *drift == Drift::Connection,
        ),
        (
            "no connection",
            |stored| stored.connection = None,
            |drift| *drift == Drift::Connection,
        ),
        (
            "no approval",
            |stored| stored.approvals.clear(),
            |drift| matches!(drift, Drift::Approval(_)),
        ),
        (
            "an approval whose signature was taken off",
            |stored| stored.approvals[0].record.signature = None,
            |drift| matches!(drift, Drift::Signature(_)),
        ),
        (
            "an approval signed by another key",
            |stored| stored.approvals[0].key = Some(SigningKey::from_seed(&[1; 32]).public_key()),
            |drift| matches!(drift, Drift::Signature(_)),
        ),
        (
            "an approval that names a device nobody knows",
            |stored| stored.approvals[0].key = None,
            |drift| matches!(drift, Drift::Signature(_)),
        ),
    ];
    for (what, change, expected) in changes {
        let world = world(Behaviour::Complete).tampered(change);
        let found = drift(world.run().await);
        assert!(expected(&found), "{what}: {found:?}");
        assert_eq!(world.log(), ["stored", "refuse"], "{what}");
    }
}

#[tokio::test]
async fn bytes_that_change_after_begin_are_failed_and_not_dispatched() {
    let mut world = world(Behaviour::Complete);
    let mut changed = world.ledger.stored.lock().unwrap().clone();
    changed.connection = Some(connection(r#"{"host":"evil.example"}"#));
    world.ledger.after_intent = Some(changed);
    let completion = ended(world.run().await);
    assert_eq!(world.runs(), 0, "what runs is what was shown");
    assert_eq!(
        (completion.outcome, completion.dispatched),
        (Outcome::Failed, false)
    );
}

#[tokio::test]
async fn a_call_of_another_tool_version_executor_effect_or_schema_does_not_run() {
    type Case = (fn(&mut Proposal), Drift);
    let cases: [Case; 4] = [
        (
            |proposal| proposal.tool.manifest = Digest::of(b"older"),
            Drift::Manifest,
        ),
        (|proposal| proposal.tool.id = "test.gone".into(), Drift::NoTool),
        (|proposal| proposal.effect = EffectClass::Read, Drift::Effect),
        (
            |proposal| proposal.connection.as_mut().unwrap().holder = Holder::Tenant,
            Drift::Executor,
        ),
    ];
    for (change, expected) in cases {
        let world = world_of(EffectClass::Opaque, Behaviour::Complete, change);
        assert_eq!(drift(world.run().await), expected);
        assert_eq!(world.runs(), 0);
    }
    let world = world_of(EffectClass::Opaque, Behaviour::Complete, |proposal| {
        proposal.args = Object::from_iter([("word", Value::Integer(1))]).into();
    });
    assert!(
        matches!(drift(world.run().await), Drift::Arguments(_)),
        "checked again, also by a device"
    );
}

#[tokio::test]
async fn a_tool_that_hangs_or_dies_is_unknown_once_its_call_may_have_left() {
    for (behaviour, outcome, code) in [
        (Behaviour::HangBefore, Outcome::Failed, "timeout"),
        (Behaviour::HangAfter, Outcome::Unknown, "timeout"),
        (Behaviour::PanicBefore, Outcome::Failed, "crashed"),
        (Behaviour::PanicAfter, Outcome::Unknown, "crashed"),
        (Behaviour::LieAfterMarking, Outcome::Unknown, "contradiction"),
    ] {
        let world = world(behaviour);
        let completion = ended(world.run().await);
        assert_eq!(completion.outcome, outcome, "{behaviour:?}");
        assert_eq!(
            completion.dispatched,
            outcome == Outcome::Unknown,
            "{behaviour:?}"
        );
        assert_eq!(completion.failure.unwrap().code, code, "{behaviour:?}");
        assert_eq!(world.runs(), 1, "{behaviour:?} is not tried again");
    }
}

#[tokio::test]
async fn what_a_tool_says_is_made_to_fit_a_receipt() {
    let world = world(Behaviour::Babble);
    let completion = ended(world.run().await);
    assert!(completion.summary.chars().count() <= 500 && !completion.summary.contains('\n'));
    let receipt = completion.record(NONCE, Some((2, Some(Digest::of(b"previous")))));
    assert!(
        Record::unsigned(&receipt).is_ok(),
        "a receipt always fits a record"
    );
    assert_eq!((receipt.device_seq, receipt.fence), (Some(2), 4));
}

#[test]
fn a_crash_is_unknown_only_after_the_intent_and_only_with_an_effect() {
    let interrupted = |effect, intended: bool| Interrupted {
        proposal: proposal_id(),
        proposal_digest: Digest::of(b"p"),
        executor: Holder::Tenant,
        fence: 1,
        effect,
        begun_at: NOW,
        intent: intended.then(|| Intent {
            at: NOW,
            fence: 1,
            proposal: proposal_id(),
            proposal_digest: Digest::of(b"p"),
            reference: Some("<key>".into()),
        }),
    };
    for effect in [
        EffectClass::Opaque,
        EffectClass::Idempotent,
        EffectClass::Checkable,
    ] {
        let before = recover(interrupted(effect, false), NOW);
        assert_eq!(
            (before.outcome, before.dispatched),
            (Outcome::Failed, false),
            "{effect:?}"
        );
        let after = recover(interrupted(effect, true), NOW);
        assert_eq!(
            (after.outcome, after.dispatched),
            (Outcome::Unknown, true),
            "{effect:?}"
        );
        assert_eq!(
            after.reference.as_deref(),
            Some("<key>"),
            "people can look for it at the target"
        );
    }
    let read = recover(interrupted(EffectClass::Read, true), NOW);
    assert_eq!(
        read.outcome,
        Outcome::Failed,
        "a read that was cut off changed nothing"
    );
}

//! The executor over a store that remembers the order of what it was asked, and fails where it is told to.

mod again;
mod drift;
mod endings;
mod mutations;
mod steps;

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
        Holder, Nonce, Outcome, Phase, PolicyDecision, Preview, PreviewOutcome, Proposal, Proposer,
        ProposerKind, Record, Requirement, Risk, ToolRef, Untrusted, Verdict,
    },
};
use uuid::Uuid;

use super::*;
use crate::{Assessment, Call, Facts, InputError, Tool};

const NOW: UnixMillis = UnixMillis(1_795_354_008_000);
/// How long the test's target knows a call again.
const WINDOW: Millis = Millis::hours(1);
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
    CompleteUnder(&'static str),
    Refuse,
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

    fn key_window(&self, _config: &Value) -> Option<Millis> {
        (self.manifest.effect == EffectClass::Idempotent).then_some(WINDOW)
    }

    fn reference(&self, call: &Call<'_>) -> Option<String> {
        Some(call.proposal.to_string())
    }

    async fn preview(&self, call: &Call<'_>) -> PreviewOutcome {
        let word = call.args.as_object().and_then(|args| args.get("word")?.as_str());
        foreseen(word.unwrap_or_default())
    }

    async fn run(&self, call: &Call<'_>) -> Ran {
        self.runs.fetch_add(1, Ordering::SeqCst);
        self.log.lock().unwrap().push("run");
        match self.behaviour {
            Behaviour::Complete => Ran::completed("Done"),
            Behaviour::CompleteUnder(key) => Ran::completed("Done").with_reference(key),
            Behaviour::Refuse => Ran::refused("refused", "The other side said no"),
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

/// What the test's tool says that it would do with a word.
fn foreseen(word: &str) -> PreviewOutcome {
    PreviewOutcome::Shown {
        content: Object::from_iter([("says", format!("{word} to everybody"))]).into(),
    }
}

fn manifest(effect: EffectClass, connection: Option<ConnectionKind>) -> Manifest {
    Manifest {
        money: false,
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
    AtConfirm,
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
    beginning: Mutex<Option<Beginning>>,
    completion: Mutex<Option<Completion>>,
    intent: Mutex<Option<Intent>>,
    /// What the tenant says of a call that is to be made again.
    confirmation: Confirmation,
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

    async fn begin(&self, beginning: &Beginning) -> Result<BeginAnswer, LedgerError> {
        self.note("begin", Fails::AtBegin)?;
        *self.beginning.lock().unwrap() = Some(beginning.clone());
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

    async fn confirm(&self, _proposal: ProposalId, _fence: u64) -> Result<Confirmation, LedgerError> {
        self.note("confirm", Fails::AtConfirm)?;
        Ok(self.confirmation.clone())
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

/// Policy asks for so many.
fn asks(proposal: &Record, quorum: u32) -> Record {
    Record::unsigned(&Evaluation {
        bundle: Digest::of(b"rules"),
        decision: PolicyDecision::RequiresApproval,
        evaluated_at: NOW,
        nonce: NONCE,
        phase: Phase::Propose,
        policies: vec!["seed.medium".to_owned()],
        proposal: proposal_id(),
        proposal_digest: proposal.digest,
        reason: "Medium risk tool".to_owned(),
        requirement: Requirement {
            settlers: 1,
            assurance: Assurance::Session,
            hold: Millis(0),
            quorum,
        },
    })
    .unwrap()
}

fn world(behaviour: Behaviour) -> World {
    world_of(EffectClass::Opaque, behaviour, |_| {})
}

fn world_of(effect: EffectClass, behaviour: Behaviour, change: impl FnOnce(&mut Proposal)) -> World {
    let outside = matches!(effect, EffectClass::Opaque | EffectClass::Idempotent);
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
            contributors: Default::default(),
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
    let evaluation = asks(&record, 1);
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
                preview: None,
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
            beginning: Mutex::new(None),
            completion: Mutex::new(None),
            intent: Mutex::new(None),
            confirmation: Confirmation::Stands {
                authority: authority.clone(),
                begun_at: NOW,
                now: NOW,
            },
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

    /// People were shown this before they approved.
    fn shown(self, outcome: PreviewOutcome) -> Self {
        let mut leased = self.leased.clone();
        let world = self.tampered(|stored| {
            let preview = Preview {
                by: Holder::Device(device()),
                device_seq: Some(1),
                made_at: NOW,
                nonce: NONCE,
                outcome,
                previous: None,
                proposal: proposal_id(),
                proposal_digest: stored.proposal.digest,
            };
            let preview = Record::signed(&preview, &key()).unwrap();
            let decision = Decision {
                preview: Some(preview.digest),
                ..approval(stored.proposal.digest)
            };
            let decision = Record::signed(&decision, &key()).unwrap();
            let body: Proposal = stored.proposal.body().unwrap();
            let mut state = ProposalState::new(&body, stored.proposal.digest, 1);
            for record in [&asks(&stored.proposal, 1), &preview, &decision] {
                state.apply(2, NOW, record).unwrap();
            }
            leased.authority = Authority::of(&state, NOW).unwrap();
            stored.preview = Some(preview);
            stored.approvals[0].record = decision;
        });
        Self { leased, ..world }
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

//! Tools of every class of effect, and the target that counts what they do to it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use countersign_domain::{
    Millis,
    canonical::{Object, Value, parse},
    id::ProposalId,
    manifest::{CardField, Idempotency, Manifest, Shape},
    record::{ConnectionKind, EffectClass, PreviewOutcome, Risk},
};
use countersign_tools::{Assessment, Call, Facts, InputError, Ran, Registry, Tool, create_task::CreateTask};
use tokio::sync::Notify;

/// Run by the server, or over the connection of a device. The tenant's own task list is the `local` one.
pub(crate) const TOOLS: [(&str, EffectClass, bool); 6] = [
    ("assistant.create_task", EffectClass::Local, false),
    ("sim.read", EffectClass::Read, false),
    ("sim.opaque", EffectClass::Opaque, false),
    ("sim.keyed", EffectClass::Idempotent, true),
    ("sim.checked", EffectClass::Checkable, true),
    ("sim.mail", EffectClass::Opaque, true),
];

/// What the target does with the next call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Behaviour {
    Does,
    /// And the answer never comes.
    DoesInSilence,
    Refuses,
    /// Neither an effect nor an answer.
    Swallows,
    /// The executor's process ends when the call has left, before its effect or behind it.
    DiesBefore,
    DiesBehind,
    /// The tool panics when the call has left.
    Panics,
}

impl Behaviour {
    pub(crate) const ALL: [Self; 7] = [
        Self::Does,
        Self::DoesInSilence,
        Self::Refuses,
        Self::Swallows,
        Self::DiesBefore,
        Self::DiesBehind,
        Self::Panics,
    ];
}

/// What is beyond the network: calls and effects of each proposal.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) next: Mutex<Behaviour>,
    pub(crate) calls: Mutex<BTreeMap<ProposalId, u32>>,
    pub(crate) effects: Mutex<BTreeMap<ProposalId, u32>>,
    /// Told when the process that makes the call has to end.
    pub(crate) death: Notify,
}

impl Target {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            next: Mutex::new(Behaviour::Does),
            calls: Mutex::default(),
            effects: Mutex::default(),
            death: Notify::new(),
        })
    }

    pub(crate) fn calls_of(&self, id: ProposalId) -> u32 {
        self.calls.lock().unwrap().get(&id).copied().unwrap_or(0)
    }

    pub(crate) fn effects_of(&self, id: ProposalId) -> u32 {
        self.effects.lock().unwrap().get(&id).copied().unwrap_or(0)
    }

    async fn called(&self, call: &Call<'_>, effect: EffectClass) -> Ran {
        *self.calls.lock().unwrap().entry(call.proposal).or_default() += 1;
        let does = || {
            let mut effects = self.effects.lock().unwrap();
            let had = effects.entry(call.proposal).or_default();
            // One that knows the key has done it already.
            let known = effect == EffectClass::Idempotent && *had > 0;
            *had += u32::from(effect != EffectClass::Read && !known);
        };
        let next = *self.next.lock().unwrap();
        call.dispatch.mark();
        match next {
            Behaviour::Does => {
                does();
                Ran::completed("It was done")
            }
            Behaviour::Refuses => Ran::refused("refused", "The target said no."),
            Behaviour::DoesInSilence => {
                does();
                core::future::pending().await
            }
            Behaviour::Swallows => core::future::pending().await,
            Behaviour::DiesBefore => {
                self.death.notify_one();
                core::future::pending().await
            }
            Behaviour::DiesBehind => {
                does();
                self.death.notify_one();
                core::future::pending().await
            }
            Behaviour::Panics => {
                does();
                std::panic::resume_unwind(Box::new("the tool has a fault"))
            }
        }
    }
}

struct SimTool {
    manifest: Manifest,
    target: Arc<Target>,
}

#[async_trait]
impl Tool for SimTool {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn normalise(&self, input: Value) -> Result<Value, InputError> {
        Ok(input)
    }

    fn assess(&self, args: &Value, _facts: &dyn Facts) -> Assessment {
        let named = args
            .as_object()
            .and_then(|args| args.get("risk")?.as_str().map(str::to_owned));
        let risk = Risk::ALL
            .into_iter()
            .find(|risk| Some(risk.name()) == named.as_deref());
        Assessment {
            risk: risk.unwrap_or(Risk::Critical),
            reasons: Vec::new(),
        }
    }

    fn key_window(&self, _config: &Value) -> Option<Millis> {
        (self.manifest.effect == EffectClass::Idempotent).then_some(Millis::hours(6))
    }

    async fn preview(&self, _call: &Call<'_>) -> PreviewOutcome {
        PreviewOutcome::Shown {
            content: Object::from_iter([("effect", "one more")]).into(),
        }
    }

    async fn run(&self, call: &Call<'_>) -> Ran {
        self.target.called(call, self.manifest.effect).await
    }
}

/// The tools of both executors, calling this target.
pub(crate) fn registry(target: &Arc<Target>) -> Arc<Registry> {
    let own = TOOLS.iter().skip(1).map(|(id, effect, outside)| {
        Arc::new(SimTool {
            manifest: manifest(id, *effect, *outside),
            target: Arc::clone(target),
        }) as Arc<dyn Tool>
    });
    let tasks = Arc::new(CreateTask::new().unwrap()) as Arc<dyn Tool>;
    Arc::new(Registry::new(own.chain([tasks])).unwrap())
}

fn manifest(id: &str, effect: EffectClass, outside: bool) -> Manifest {
    let schema = br#"{"type":"object","properties":{"risk":{"type":"string"},"word":{"type":"string"}},"required":["risk","word"],"additionalProperties":false}"#;
    let field = |arg: &str, label: &str| CardField {
        arg: arg.to_owned(),
        label: label.to_owned(),
        shape: Shape::Line,
    };
    Manifest {
        card: vec![field("word", "Word"), field("risk", "Risk")],
        confirm: None,
        connection: outside.then_some(ConnectionKind::Http),
        description: "Does one thing to the target.".to_owned(),
        effect,
        hold: Millis::seconds(10),
        id: id.to_owned(),
        idempotency: match effect {
            EffectClass::Idempotent => Idempotency::IdempotencyKey,
            _ => Idempotency::None,
        },
        money: id == "sim.mail",
        risk: Risk::Low,
        schema: parse(schema).unwrap(),
        sentence: "Do {word}".to_owned(),
        title: id.to_owned(),
        version: "1.0.0".to_owned(),
    }
}

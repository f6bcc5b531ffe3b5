//! The store's promises, without HTTP: one effect, one truth, nothing lost.

pub(crate) mod changed_tools;
mod damage;
mod deciding;
mod full;
mod hands;
mod mirror;
mod proposing;
mod running;
mod schema;
#[path = "../../../verify/tests/bundles/seeded.rs"]
#[allow(dead_code, reason = "shared with suites that use more of it")]
mod seeded;
mod successors;
mod upgrade;
mod writing;

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
    /// First, so that it looks before the folder goes.
    _auditor: super::Auditor,
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
            _auditor: tenant.auditor(),
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
            contributors: Default::default(),
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
        self.push(&record, &views).await.unwrap()
    }

    /// Ada's device sends a decision, with the cards that the server has made for it.
    async fn push(&self, record: &Arc<Record>, views: &Views) -> Result<wire::RecordResult, StoreError> {
        let answers = self.push_all(&[(Arc::clone(record), views.clone())]).await;
        Ok(answers?.remove(0))
    }

    /// Several of them together.
    async fn push_all(
        &self,
        records: &[(Arc<Record>, Views)],
    ) -> Result<Vec<wire::RecordResult>, StoreError> {
        let sent = records.iter().map(|(record, views)| {
            let signed = SignedDecision {
                decision: record.body().unwrap(),
                views: views.clone(),
                seen: None,
            };
            (Arc::clone(record), SignedBody::Decision(Box::new(signed)))
        });
        let answers = self.tenant.take_signed(sent.collect(), self.owner).await?;
        assert_eq!(answers.len(), records.len(), "each has its answer");
        Ok(answers)
    }

    /// The same tenant, from what is on the disk.
    fn again(&mut self, folder: &Path) {
        self.tenant = Tenant::open(
            folder,
            self.clock.clone(),
            Arc::clone(&self.rules.policy),
            self.tenant.id(),
        )
        .unwrap();
        self._auditor = self.tenant.auditor();
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

//! A proposal with its journal, and the world in which a decision about it arrives.

use countersign_domain::{
    Digest, Millis, Record, UnixMillis,
    canonical::{Object, Value},
    decision::{Circumstances, Credential, DeviceStanding, Effective, verify_decision},
    dsse::SigningKey,
    fold::ProposalState,
    id::{DecisionId, DeviceId, ProposalId, TenantId, UserId},
    record::{
        Assurance, Begin, Body, Decision, EffectClass, Evaluation, Holder, Mode, Nonce, Outcome, Phase,
        PolicyDecision, Proposal, Proposer, ProposerKind, Reason, Receipt, Requirement, Risk, Role, ToolRef,
        Untrusted, Verdict, Void,
    },
};
use uuid::Uuid;

/// 2026-11-22T13:26:48.120Z, when the proposal is made.
pub(crate) const START: UnixMillis = UnixMillis(1_795_354_008_120);

/// So many milliseconds after [`START`].
pub(crate) fn at(millis: i64) -> UnixMillis {
    START + Millis(millis)
}

pub(crate) fn uuid(number: u128) -> Uuid {
    Uuid::from_u128(0x0192_f3a4_0000_7000_8000_0000_0000_0000 | number)
}

pub(crate) fn tenant() -> TenantId {
    TenantId::from_uuid(uuid(1))
}

pub(crate) fn person(number: u8) -> UserId {
    UserId::from_uuid(uuid(0x100 + u128::from(number)))
}

pub(crate) fn device(number: u8) -> DeviceId {
    DeviceId::from_uuid(uuid(0x200 + u128::from(number)))
}

pub(crate) fn key(number: u8) -> SigningKey {
    SigningKey::from_seed(&[number; 32])
}

pub(crate) fn nonce(number: u8) -> Nonce {
    Nonce::from_bytes([number; 16])
}

pub(crate) fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

/// An agent of the tenant wants to create a task.
pub(crate) fn proposal() -> Proposal {
    Proposal {
        args: Value::Object(Object::from_iter([("title", "Call the bank")])),
        connection: None,
        created_at: START,
        effect: EffectClass::Local,
        expires_at: START + Millis::hours(72),
        id: ProposalId::from_uuid(uuid(0x300)),
        nonce: nonce(1),
        not_before: None,
        proposer: Proposer {
            contributors: Default::default(),
            id: uuid(0x400).to_string(),
            kind: ProposerKind::Agent,
            name: "bookkeeper".to_owned(),
            on_behalf_of: None,
            run: None,
        },
        retry_of: None,
        risk: Risk::Low,
        risk_reasons: Vec::new(),
        supersedes: None,
        tenant: tenant(),
        tool: ToolRef {
            id: "assistant.create_task".to_owned(),
            manifest: digest("manifest"),
            version: "1.0.0".to_owned(),
        },
        untrusted: Untrusted::default(),
    }
}

pub(crate) const fn needs(quorum: u32, assurance: Assurance) -> Requirement {
    Requirement {
        settlers: 1,
        assurance,
        hold: Millis(0),
        quorum,
    }
}

/// A proposal and the journal entries about it.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    pub(crate) proposal: Proposal,
    pub(crate) entries: Vec<(UnixMillis, Record)>,
}

impl Story {
    /// Just proposed; policy has not been asked.
    pub(crate) fn untold() -> Self {
        Self {
            proposal: proposal(),
            entries: Vec::new(),
        }
    }

    /// Proposed at [`START`], and policy asks for people.
    pub(crate) fn needing(requirement: Requirement) -> Self {
        Self::ruled(PolicyDecision::RequiresApproval, requirement)
    }

    pub(crate) fn ruled(decision: PolicyDecision, requirement: Requirement) -> Self {
        let mut story = Self::untold();
        story.rule(START, decision, requirement);
        story
    }

    pub(crate) fn digest(&self) -> Digest {
        Record::unsigned(&self.proposal).unwrap().digest
    }

    /// The state after all entries.
    pub(crate) fn state(&self) -> ProposalState {
        self.after(self.entries.len())
    }

    /// The state after the first `count` entries, folded from nothing.
    pub(crate) fn after(&self, count: usize) -> ProposalState {
        let mut state = ProposalState::new(&self.proposal, self.digest(), 10);
        for (seq, (at, record)) in (11..).zip(&self.entries[..count]) {
            state.apply(seq, *at, record).unwrap();
        }
        state
    }

    pub(crate) fn enter(&mut self, at: UnixMillis, body: &impl Body) -> Digest {
        let record = Record::unsigned(body).unwrap();
        let digest = record.digest;
        self.entries.push((at, record));
        digest
    }

    pub(crate) fn rule(&mut self, at: UnixMillis, decision: PolicyDecision, requirement: Requirement) {
        let evaluation = self.evaluation(decision, requirement);
        self.enter(at, &evaluation);
    }

    pub(crate) fn approve(&mut self, at: UnixMillis, who: u8) -> Digest {
        let decision = self.decision(who, Verdict::Approve, at);
        self.enter(at, &decision)
    }

    pub(crate) fn reject(&mut self, at: UnixMillis, who: u8) -> Digest {
        let decision = self.decision(who, Verdict::Reject, at);
        self.enter(at, &decision)
    }

    pub(crate) fn retract(&mut self, at: UnixMillis, who: u8, approval: Digest) -> Digest {
        let mut decision = self.decision(who, Verdict::Retract, at);
        decision.retracts = Some(approval);
        self.enter(at, &decision)
    }

    pub(crate) fn void(&mut self, at: UnixMillis, decision: Digest, reason: Reason) {
        let void = Void {
            at,
            decision,
            proposal: self.proposal.id,
            reason,
        };
        self.enter(at, &void);
    }

    pub(crate) fn begin(&mut self, at: UnixMillis, fence: u64) -> Digest {
        let begin = Begin {
            at,
            authority: Vec::new(),
            device_seq: None,
            executor: Holder::Tenant,
            fence,
            nonce: nonce(2),
            preview: None,
            previous: None,
            proposal: self.proposal.id,
            proposal_digest: self.digest(),
        };
        self.enter(at, &begin)
    }

    pub(crate) fn receipt(&mut self, at: UnixMillis, fence: u64, outcome: Outcome) -> Digest {
        let receipt = Receipt {
            attempts: None,
            device_seq: None,
            dispatched: true,
            effect: None,
            executor: Holder::Tenant,
            failure: None,
            fence,
            finished_at: at,
            nonce: nonce(3),
            outcome,
            previous: None,
            proposal: self.proposal.id,
            proposal_digest: self.digest(),
            reference: None,
            result: None,
            started_at: at,
            summary: "Done.".to_owned(),
        };
        self.enter(at, &receipt)
    }

    pub(crate) fn evaluation(&self, decision: PolicyDecision, requirement: Requirement) -> Evaluation {
        Evaluation {
            bundle: digest("bundle"),
            decision,
            evaluated_at: START,
            nonce: nonce(4),
            phase: Phase::Propose,
            policies: vec!["seed".to_owned()],
            proposal: self.proposal.id,
            proposal_digest: self.digest(),
            reason: "Somebody looks at it first.".to_owned(),
            requirement,
        }
    }

    /// A decision of `who` on the person's own device, seen on the right card.
    pub(crate) fn decision(&self, who: u8, verdict: Verdict, at: UnixMillis) -> Decision {
        Decision {
            approver: person(who),
            assurance: Assurance::DeviceConfirmed,
            checkpoint: None,
            comment: None,
            decided_at: at,
            device: Some(device(who)),
            device_seq: Some(1),
            expires_at: at + Millis::hours(24),
            id: DecisionId::from_uuid(uuid(0x500 + u128::from(who))),
            nonce: nonce(5),
            offline: false,
            previous: None,
            preview: None,
            proposal: self.proposal.id,
            proposal_digest: self.digest(),
            renderer: 1,
            retracts: None,
            tenant: tenant(),
            verdict,
            view: digest("card"),
        }
    }
}

/// What a decision meets on arrival.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) tenant: TenantId,
    pub(crate) mode: Mode,
    pub(crate) state: Option<ProposalState>,
    pub(crate) role: Option<Role>,
    pub(crate) agent_owner: Option<UserId>,
    /// Known by this session; by `device` when there is none.
    pub(crate) session: Option<UserId>,
    pub(crate) device: Option<DeviceStanding>,
    /// What signs the decision.
    pub(crate) key: SigningKey,
    pub(crate) views: Vec<(u32, Digest)>,
    pub(crate) now: UnixMillis,
}

impl World {
    /// A company in which approver 1 decides on an enrolled device, a minute after the proposal was made.
    pub(crate) fn of(story: &Story) -> Self {
        Self {
            tenant: tenant(),
            mode: Mode::Company,
            state: Some(story.state()),
            role: Some(Role::Approver),
            agent_owner: None,
            session: None,
            device: Some(DeviceStanding {
                user: person(1),
                key: key(1).public_key(),
                revoked: false,
                forked: false,
                last_seq: 0,
            }),
            key: key(1),
            views: vec![(1, digest("card"))],
            now: at(60_000),
        }
    }

    /// The decision as it would be sent here: signed, or bare for a session.
    pub(crate) fn record(&self, decision: &Decision) -> Record {
        if self.session.is_some() {
            Record::unsigned(decision).unwrap()
        } else {
            Record::signed(decision, &self.key).unwrap()
        }
    }

    pub(crate) fn judge(&self, decision: &Decision) -> Result<Effective, Reason> {
        self.judge_record(&self.record(decision))
    }

    /// # Panics
    /// When the record is no decision at all.
    pub(crate) fn judge_record(&self, record: &Record) -> Result<Effective, Reason> {
        let signed = self.device.clone().and_then(|device| device.signed(record));
        let circumstances = Circumstances {
            tenant: self.tenant,
            mode: self.mode,
            proposal: self.state.as_ref(),
            role: self.role,
            agent_owner: self.agent_owner,
            credential: self
                .session
                .map_or(Credential::Device(signed.as_ref()), Credential::Session),
            views: &self.views,
        };
        verify_decision(record, &circumstances, self.now).map_err(|error| error.unwrap())
    }
}

/// Turns a decision into what a signed-in person without a device has the server write.
pub(crate) fn by_session(decision: &mut Decision) {
    decision.device = None;
    decision.device_seq = None;
    decision.assurance = Assurance::Session;
}

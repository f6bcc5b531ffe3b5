//! What a journal says of proposals and what becomes of them.

use countersign_domain::{
    Digest, Millis,
    canonical::{Object, Value},
    id::{DecisionId, ProposalId, TaskId, UserId},
    record::{
        Actor, Assurance, Begin, Body as _, CheckpointSeen, Decision, EffectClass, Evaluation, Executor,
        Expire, Failure, Holder, Lapse, Outcome, Phase, PolicyDecision, Preview, PreviewOutcome, Proposal,
        Proposer, ProposerKind, Reason, Receipt, Record, Refuse, Remark, Requirement, Supersede,
        TaskPriority, ToolRef, Untrusted, Verdict, Void, Withdraw,
    },
    render::RENDERER,
};

use super::{Draft, JournalBuilder, TestDevice};

impl JournalBuilder {
    /// Proposes, and lets policy ask for one approval by a session.
    pub fn propose(&mut self, draft: Draft) -> ProposalId {
        let id = self.propose_only(draft);
        self.evaluate(id, PolicyDecision::RequiresApproval, 1);
        id
    }

    pub fn propose_only(&mut self, draft: Draft) -> ProposalId {
        let id = ProposalId::from_slice(&self.id()).expect("sixteen bytes");
        let mut args = Object::new();
        args.insert("title", draft.title);
        let proposal = Proposal {
            args: args.into(),
            connection: draft.connection,
            created_at: self.at,
            effect: EffectClass::Local,
            expires_at: self.at + draft.lifetime,
            id,
            nonce: self.nonce(),
            not_before: None,
            proposer: draft.proposer.unwrap_or_else(|| Proposer {
                contributors: Default::default(),
                id: "01900000-0000-7000-8000-00000000000a".to_owned(),
                kind: ProposerKind::Agent,
                name: "Helpful agent".to_owned(),
                on_behalf_of: None,
                run: None,
            }),
            retry_of: None,
            risk: draft.risk,
            risk_reasons: vec!["It makes a task.".to_owned()],
            supersedes: None,
            tenant: self.tenant,
            tool: draft.tool.unwrap_or_else(|| ToolRef {
                id: self.manifest.id.clone(),
                manifest: self.manifest.digest().expect("within the profile"),
                version: self.manifest.version.clone(),
            }),
            untrusted: Untrusted {
                evidence: Vec::new(),
                note: draft.note,
            },
        };
        let digest = self.append(&proposal);
        self.proposals.insert(id, (digest, proposal.expires_at));
        id
    }

    pub fn evaluate(&mut self, proposal: ProposalId, decision: PolicyDecision, quorum: u32) {
        let evaluation = Evaluation {
            bundle: Digest::of(b"rules"),
            decision,
            evaluated_at: self.at,
            nonce: self.nonce(),
            phase: Phase::Propose,
            policies: vec!["default".to_owned()],
            proposal,
            proposal_digest: self.digest_of(proposal),
            reason: "A task needs one approval.".to_owned(),
            requirement: Requirement {
                settlers: 1,
                assurance: Assurance::Session,
                hold: Millis(0),
                quorum,
            },
        };
        self.append(&evaluation);
    }

    pub fn preview(&mut self, proposal: ProposalId) -> Digest {
        let preview = Preview {
            by: Holder::Tenant,
            device_seq: None,
            made_at: self.at,
            nonce: self.nonce(),
            outcome: PreviewOutcome::Shown {
                content: Value::from("A new task"),
            },
            previous: None,
            proposal,
            proposal_digest: self.digest_of(proposal),
        };
        let digest = self.append(&preview);
        self.previews.insert(proposal, digest);
        digest
    }

    /// Decides by session.
    pub fn decide(&mut self, proposal: ProposalId, approver: UserId, verdict: Verdict) -> Digest {
        let decision = self.decision(proposal, approver, verdict, None);
        self.append(&decision)
    }

    /// Takes an approval back by session.
    pub fn retract(&mut self, proposal: ProposalId, approver: UserId, approval: Digest) -> Digest {
        let decision = Decision {
            retracts: Some(approval),
            ..self.decision(proposal, approver, Verdict::Retract, None)
        };
        self.append(&decision)
    }

    /// Decides by a device's signature.
    pub fn decide_on(&mut self, proposal: ProposalId, device: &mut TestDevice, verdict: Verdict) -> Digest {
        device.seq += 1;
        let decision = self.decision(proposal, device.user, verdict, Some(device));
        let digest = self.append_signed(&decision, &device.key);
        device.previous = Some(digest);
        digest
    }

    /// Decides by a device's signature in a way that does not count: the void stands before the decision.
    pub fn decide_in_vain(
        &mut self,
        proposal: ProposalId,
        device: &mut TestDevice,
        verdict: Verdict,
        reason: Reason,
    ) -> Digest {
        device.seq += 1;
        let decision = self.decision(proposal, device.user, verdict, Some(device));
        let record = Record::signed(&decision, &device.key).expect("within the profile");
        device.previous = Some(record.digest);
        self.void(proposal, record.digest, reason);
        self.append_record(decision.subject(), record)
    }

    /// Decides about a proposal that there is not: the record stands with its device, behind its refusal.
    pub fn decide_astray(&mut self, like: ProposalId, device: &mut TestDevice) -> Digest {
        device.seq += 1;
        let absent = ProposalId::from_slice(&self.id()).expect("sixteen bytes");
        let decision = Decision {
            proposal: absent,
            ..self.decision(like, device.user, Verdict::Approve, Some(device))
        };
        let record = Record::signed(&decision, &device.key).expect("within the profile");
        device.previous = Some(record.digest);
        let refuse = Refuse {
            at: self.at,
            device: device.id,
            reason: Reason::UnknownProposal,
            record: record.digest,
        };
        self.append(&refuse);
        self.append_record(refuse.subject(), record)
    }

    pub fn void(&mut self, proposal: ProposalId, decision: Digest, reason: Reason) {
        let void = Void {
            at: self.at,
            decision,
            proposal,
            reason,
        };
        self.append(&void);
    }

    pub fn withdraw(&mut self, proposal: ProposalId) {
        let withdraw = Withdraw {
            at: self.at,
            by: Actor::User(self.owner),
            device: None,
            device_seq: None,
            nonce: self.nonce(),
            previous: None,
            proposal,
            reason: None,
        };
        self.append(&withdraw);
    }

    /// Asks the proposer, or with `answers` has the owner answer for it.
    pub fn remark(&mut self, proposal: ProposalId, by: UserId, answers: Option<Digest>) -> Digest {
        let remark = Remark {
            answers,
            at: self.at,
            by: Actor::User(by),
            device: None,
            device_seq: None,
            nonce: self.nonce(),
            previous: None,
            proposal,
            proposal_digest: self.digest_of(proposal),
            text: "Is this the new account?".to_owned(),
        };
        let record = Record::unsigned(&remark).expect("within the profile");
        self.append_record(remark.subject(), record)
    }

    pub fn supersede(&mut self, proposal: ProposalId, successor: Option<ProposalId>) {
        let supersede = Supersede {
            at: self.at,
            proposal,
            reason: "Replaced by its proposer".to_owned(),
            successor,
        };
        self.append(&supersede);
    }

    pub fn expire(&mut self, proposal: ProposalId) {
        let expire = Expire {
            at: self.at,
            proposal,
        };
        self.append(&expire);
    }

    pub fn begin(&mut self, proposal: ProposalId, authority: Vec<Digest>) {
        let begin = Begin {
            at: self.at,
            authority,
            device_seq: None,
            executor: Executor::Tenant,
            fence: 1,
            nonce: self.nonce(),
            preview: self.previews.get(&proposal).copied(),
            previous: None,
            proposal,
            proposal_digest: self.digest_of(proposal),
        };
        self.append(&begin);
    }

    /// Ends a run; a completed one has made a task.
    pub fn receipt(&mut self, proposal: ProposalId, outcome: Outcome) {
        let completed = outcome == Outcome::Completed;
        let task = TaskId::from_slice(&self.id()).expect("sixteen bytes");
        let receipt = Receipt {
            attempts: None,
            device_seq: None,
            dispatched: true,
            effect: completed.then(|| countersign_domain::record::Effect::TaskCreated {
                description: None,
                due_date: None,
                id: task,
                priority: TaskPriority::Normal,
                title: "Call Ada".to_owned(),
            }),
            executor: Executor::Tenant,
            failure: (!completed).then(|| Failure {
                code: "refused".to_owned(),
                message: "The target said no.".to_owned(),
            }),
            fence: 1,
            finished_at: self.at,
            nonce: self.nonce(),
            outcome,
            previous: None,
            proposal,
            proposal_digest: self.digest_of(proposal),
            reference: None,
            result: None,
            started_at: self.at,
            summary: "Made a task".to_owned(),
        };
        self.append(&receipt);
    }

    pub fn lapse(&mut self, proposal: ProposalId) {
        let lapse = Lapse {
            at: self.at,
            fence: 1,
            proposal,
        };
        self.append(&lapse);
    }

    /// Digest of a proposal's own record.
    pub fn digest_of(&self, proposal: ProposalId) -> Digest {
        self.proposals[&proposal].0
    }

    fn decision(
        &mut self,
        proposal: ProposalId,
        approver: UserId,
        verdict: Verdict,
        device: Option<&TestDevice>,
    ) -> Decision {
        let (proposal_digest, expires_at) = self.proposals[&proposal];
        Decision {
            approver,
            assurance: if device.is_some() {
                Assurance::Device
            } else {
                Assurance::Session
            },
            // A device says which journal it has seen.
            checkpoint: device.map(|_| CheckpointSeen {
                root: self.frontier.root(),
                size: self.size(),
            }),
            comment: None,
            decided_at: self.at,
            device: device.map(|device| device.id),
            device_seq: device.map(|device| device.seq),
            expires_at,
            id: DecisionId::from_slice(&self.id()).expect("sixteen bytes"),
            nonce: self.nonce(),
            offline: false,
            previous: device.and_then(|device| device.previous),
            preview: self.previews.get(&proposal).copied(),
            proposal,
            proposal_digest,
            renderer: RENDERER,
            retracts: None,
            tenant: self.tenant,
            verdict,
            view: Digest::of(b"card"),
        }
    }
}

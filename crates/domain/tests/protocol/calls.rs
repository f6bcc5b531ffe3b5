//! The call as the product sees it: folded from its entries, judged by the product's own rules.
//!
//! Each distinct state of the fold is kept once and named by a number, so that a state of the model is small. Entries have
//! no numbers of their own here, and times are those of [`now`]: states that differ in nothing else are one.

use std::{
    collections::HashMap,
    sync::{OnceLock, PoisonError, RwLock},
};

use countersign_domain::{
    Digest, Millis, Record, UnixMillis, acts,
    canonical::{Object, Value},
    decision::{Circumstances, Credential, verify_decision},
    fold::ProposalState,
    id::{AgentId, DecisionId, ProposalId, TenantId, UserId},
    people::People,
    record::{
        Actor, Agent, Assurance, Begin, Body, Decision, EffectClass, Evaluation, Expire, Holder, Lapse,
        Member, Mode, Nonce, Outcome, Phase, PolicyDecision, Proposal, Proposer, ProposerKind, Reason,
        Receipt, Requirement, Resolution, Risk, Role, Scope, Stop, ToolRef, Untrusted, Verdict, Void,
        Withdraw,
    },
};
use uuid::Uuid;

use crate::{
    model::{FENCES, sent},
    state::{Ask, Event, Sent},
};

const APPROVALS: [Event; 2] = [Event::AnaApproves, Event::BenApproves];

/// A state of the fold.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct CallId(u32);

/// An entry of the journal about the call, beside what people decide.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Entry {
    Decided(Event),
    Void(Event, Reason),
    Withdrawn,
    Expired,
    /// Policy asks for two people from here on.
    Tightened,
    Begun(Ask),
    Ended(Sent),
    Lapsed(u8),
    Word(Event, u8),
}

pub(crate) const START: UnixMillis = UnixMillis(1_795_354_008_120);
const HOLD: Millis = Millis::seconds(10);
const NONCE: Nonce = Nonce::from_bytes([7; 16]);
/// The last of [`now`].
pub(crate) const LATEST: u8 = 3;

/// The times of the model: the call is held, it is due, Ana's approval is too old, the proposal is.
pub(crate) fn now(clock: u8) -> UnixMillis {
    START
        + [
            Millis(0),
            Millis::seconds(60),
            Millis::hours(2),
            Millis::hours(80),
        ][usize::from(clock)]
}

/// Every state that was met, and what follows each.
pub(crate) struct Calls {
    proposal: Proposal,
    pub(crate) digest: Digest,
    /// As long as nothing is stopped, and under a stop.
    people: [People; 2],
    /// Ana's approval and Ben's.
    approvals: [Digest; 2],
    begins: HashMap<Ask, (Begin, Digest)>,
    receipts: HashMap<Sent, (Receipt, Digest)>,
    /// By their numbers; each is set once.
    states: Box<[OnceLock<Box<ProposalState>>]>,
    known: RwLock<Known>,
}

/// Most distinct states of the fold.
const MOST: usize = 1 << 17;

#[derive(Default)]
struct Known {
    ids: HashMap<String, CallId>,
    after: HashMap<(CallId, Entry, u8), CallId>,
    taken: HashMap<(CallId, Event, u8), bool>,
}

impl Calls {
    pub(crate) fn new(effect: EffectClass) -> Self {
        let proposal = proposal(effect);
        let digest = Record::unsigned(&proposal).unwrap().digest;
        let free = people();
        let mut stopped = free.clone();
        let stop = Record::unsigned(&stop()).unwrap();
        acts::stop(&free, &self::stop()).expect("Ben may stop");
        stopped.apply(START, &stop).unwrap();
        let mut calls = Self {
            proposal,
            digest,
            people: [free, stopped],
            approvals: [digest; 2],
            begins: HashMap::new(),
            receipts: HashMap::new(),
            states: (0..MOST).map(|_| OnceLock::new()).collect(),
            known: RwLock::default(),
        };
        calls.approvals = APPROVALS.map(|event| digest_of(&calls.decision(event).expect("a decision")));
        calls.prepare();
        calls
    }

    /// Makes every begin and receipt that there can be.
    fn prepare(&mut self) {
        for fence in 1..=FENCES {
            for authority in 0..4 {
                let begin = self.make_begin(Ask { fence, authority });
                let digest = digest_of(&begin);
                self.begins.insert(Ask { fence, authority }, (begin, digest));
            }
            for outcome in [Outcome::Completed, Outcome::Failed, Outcome::Unknown] {
                for dispatched in [false, true] {
                    let sent = sent(fence, outcome, dispatched);
                    let receipt = self.make_receipt(sent);
                    let digest = digest_of(&receipt);
                    self.receipts.insert(sent, (receipt, digest));
                }
            }
        }
    }

    /// Proposed, to be decided by one person, and approved by Ana.
    pub(crate) fn approved(&self) -> CallId {
        let mut state = ProposalState::new(&self.proposal, self.digest, 1);
        state.apply(1, START, &self.evaluation(1)).unwrap();
        let proposed = self.keep(state);
        assert!(
            self.takes(proposed, Event::AnaApproves, 0),
            "the first approval counts"
        );
        self.after(proposed, Entry::Decided(Event::AnaApproves), 0)
    }

    pub(crate) fn get(&self, call: CallId) -> &ProposalState {
        self.states[call.0 as usize]
            .get()
            .expect("a number is given with its state")
    }

    pub(crate) fn begin(&self, ask: Ask) -> &(Begin, Digest) {
        &self.begins[&ask]
    }

    pub(crate) fn receipt(&self, sent: Sent) -> &(Receipt, Digest) {
        &self.receipts[&sent]
    }

    /// The state after one more entry.
    pub(crate) fn after(&self, call: CallId, entry: Entry, clock: u8) -> CallId {
        let key = (call, entry, clock);
        let known = self
            .known
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .after
            .get(&key)
            .copied();
        if let Some(known) = known {
            return known;
        }
        let mut state = self.get(call).clone();
        state
            .apply(1, now(clock), &self.record(entry))
            .expect("an entry of this call");
        let after = self.keep(state);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.after.insert(key, after);
        after
    }

    /// Whether what a person decides, or says of an unknown outcome, counts at this moment.
    pub(crate) fn takes(&self, call: CallId, event: Event, clock: u8) -> bool {
        let key = (call, event, clock);
        let known = self
            .known
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .taken
            .get(&key)
            .copied();
        known.unwrap_or_else(|| {
            let taken = self.judge(self.get(call), event, now(clock));
            let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
            known.taken.insert(key, taken);
            taken
        })
    }

    pub(crate) fn is_stopped(&self, stopped: bool) -> bool {
        let people = &self.people[usize::from(stopped)];
        people
            .stopped(&self.proposal.proposer, &self.proposal.tool.id)
            .is_some()
    }

    fn judge(&self, call: &ProposalState, event: Event, now: UnixMillis) -> bool {
        let Some(decision) = self.decision(event) else {
            let begun = call.begun.as_ref().map_or(0, |begun| begun.fence);
            let word = self.word(event, u8::try_from(begun).unwrap());
            return acts::resolve(&self.people[0], call, &word, now).is_ok();
        };
        let record = Record::unsigned(&decision).unwrap();
        let world = Circumstances {
            tenant: self.proposal.tenant,
            mode: Mode::Company,
            proposal: Some(call),
            role: self.people[0].role(decision.approver),
            agent_owner: None,
            credential: Credential::Session(decision.approver),
            views: &[(1, Digest::of(b"card"))],
        };
        verify_decision(&record, &world, now).is_ok()
    }

    fn keep(&self, state: ProposalState) -> CallId {
        let text = serde_json::to_string(&state).unwrap();
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(id) = known.ids.get(&text) {
            return *id;
        }
        let id = CallId(u32::try_from(known.ids.len()).unwrap());
        self.states[known.ids.len()]
            .set(Box::new(state))
            .expect("a new number");
        known.ids.insert(text, id);
        id
    }

    fn record(&self, entry: Entry) -> Record {
        let proposal = self.proposal.id;
        match entry {
            Entry::Decided(event) => Record::unsigned(&self.decision(event).expect("a decision")),
            Entry::Void(event, reason) => Record::unsigned(&Void {
                at: START,
                decision: self.approval(event),
                proposal,
                reason,
            }),
            Entry::Withdrawn => Record::unsigned(&Withdraw {
                at: START,
                by: Actor::Server,
                device: None,
                device_seq: None,
                nonce: NONCE,
                previous: None,
                proposal,
                reason: None,
            }),
            Entry::Expired => Record::unsigned(&Expire { at: START, proposal }),
            Entry::Tightened => Ok(self.evaluation(2)),
            Entry::Begun(ask) => Record::unsigned(&self.begin(ask).0),
            Entry::Ended(sent) => Record::unsigned(&self.receipt(sent).0),
            Entry::Lapsed(fence) => Record::unsigned(&Lapse {
                at: START,
                fence: u64::from(fence),
                proposal,
            }),
            Entry::Word(event, fence) => Record::unsigned(&self.word(event, fence)),
        }
        .expect("within the profile")
    }

    /// The record with which a person approves.
    pub(crate) fn approval(&self, event: Event) -> Digest {
        self.approvals[usize::from(event == Event::BenApproves)]
    }

    /// Policy's answer: so many people. Session decisions, so that no signature has to be made for each state.
    fn evaluation(&self, quorum: u32) -> Record {
        Record::unsigned(&Evaluation {
            bundle: Digest::of(b"rules"),
            decision: PolicyDecision::RequiresApproval,
            evaluated_at: START,
            nonce: NONCE,
            phase: Phase::Propose,
            policies: Vec::new(),
            proposal: self.proposal.id,
            proposal_digest: self.digest,
            reason: String::new(),
            requirement: asks(quorum),
        })
        .unwrap()
    }

    fn make_begin(&self, ask: Ask) -> Begin {
        Begin {
            at: START,
            authority: self.named(ask.authority),
            device_seq: None,
            executor: Holder::Tenant,
            fence: u64::from(ask.fence),
            nonce: NONCE,
            preview: None,
            previous: None,
            proposal: self.proposal.id,
            proposal_digest: self.digest,
        }
    }

    fn make_receipt(&self, sent: Sent) -> Receipt {
        Receipt {
            attempts: None,
            device_seq: None,
            dispatched: sent.dispatched,
            effect: None,
            executor: Holder::Tenant,
            failure: None,
            fence: u64::from(sent.fence),
            finished_at: START,
            nonce: NONCE,
            outcome: sent.outcome.0,
            previous: None,
            proposal: self.proposal.id,
            proposal_digest: self.digest,
            reference: None,
            result: None,
            started_at: START,
            summary: String::new(),
        }
    }

    /// The approvals as a set: the first bit is Ana's, the second Ben's.
    pub(crate) fn authority(&self, approvals: &[Digest]) -> u8 {
        let [ana, ben] = self
            .approvals
            .map(|approval| u8::from(approvals.contains(&approval)));
        ana | ben << 1
    }

    fn named(&self, authority: u8) -> Vec<Digest> {
        let mut named: Vec<_> = (0..2)
            .filter(|bit| authority >> bit & 1 == 1)
            .map(|bit| self.approvals[bit])
            .collect();
        named.sort_unstable();
        named
    }

    fn decision(&self, event: Event) -> Option<Decision> {
        let (approver, verdict, id) = match event {
            Event::AnaApproves => (ana(), Verdict::Approve, 1),
            Event::BenApproves => (ben(), Verdict::Approve, 2),
            Event::AnaRetracts => (ana(), Verdict::Retract, 3),
            Event::BenRejects => (ben(), Verdict::Reject, 4),
            _ => return None,
        };
        let expires_at = START
            + if approver == ana() {
                Millis::hours(1)
            } else {
                Millis::hours(72)
            };
        Some(Decision {
            approver,
            assurance: Assurance::Session,
            checkpoint: None,
            comment: None,
            decided_at: START,
            device: None,
            device_seq: None,
            expires_at,
            id: DecisionId::from_uuid(Uuid::from_u128(id)),
            nonce: NONCE,
            offline: false,
            preview: None,
            previous: None,
            proposal: self.proposal.id,
            proposal_digest: self.digest,
            renderer: 1,
            retracts: (event == Event::AnaRetracts).then_some(self.approvals[0]),
            tenant: self.proposal.tenant,
            verdict,
            view: Digest::of(b"card"),
        })
    }

    fn word(&self, event: Event, fence: u8) -> Resolution {
        Resolution {
            at: START,
            by: ben(),
            confirmed: false,
            device: None,
            device_seq: None,
            fence: u64::from(fence),
            happened: event == Event::ItHappened,
            nonce: NONCE,
            note: None,
            previous: None,
            proposal: self.proposal.id,
            proposal_digest: self.digest,
        }
    }
}

pub(crate) const fn asks(quorum: u32) -> Requirement {
    Requirement {
        assurance: Assurance::Session,
        hold: HOLD,
        quorum,
        settlers: 1,
    }
}

fn tenant() -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(1))
}

fn ana() -> UserId {
    UserId::from_uuid(Uuid::from_u128(2))
}

fn ben() -> UserId {
    UserId::from_uuid(Uuid::from_u128(3))
}

fn agent() -> AgentId {
    AgentId::from_uuid(Uuid::from_u128(4))
}

fn people() -> People {
    let mut people = People::default();
    let genesis = countersign_domain::record::Genesis {
        created_at: START,
        log_key: countersign_domain::dsse::SigningKey::from_seed(&[1; 32]).public_key(),
        mode: Mode::Company,
        name: "Acme".to_owned(),
        nonce: NONCE,
        tenant: tenant(),
    };
    people.apply(START, &Record::unsigned(&genesis).unwrap()).unwrap();
    for (user, name) in [(ana(), "Ana"), (ben(), "Ben")] {
        let member = Member {
            at: START,
            by: Actor::Server,
            email: format!("{name}@acme.example"),
            name: name.to_owned(),
            nonce: NONCE,
            role: Some(Role::Approver),
            tenant: tenant(),
            user,
        };
        people.apply(START, &Record::unsigned(&member).unwrap()).unwrap();
    }
    let agent = Agent {
        agent: agent(),
        at: START,
        by: Actor::Server,
        name: "Bookkeeper".to_owned(),
        nonce: NONCE,
        owner: None,
        revoked: false,
        tenant: tenant(),
    };
    people.apply(START, &Record::unsigned(&agent).unwrap()).unwrap();
    people
}

fn stop() -> Stop {
    Stop {
        at: START,
        by: ben(),
        device: None,
        device_seq: None,
        nonce: NONCE,
        previous: None,
        reason: None,
        scope: Scope::Agent(agent()),
        tenant: tenant(),
    }
}

fn proposal(effect: EffectClass) -> Proposal {
    Proposal {
        args: Value::Object(Object::from_iter([("word", "hello")])),
        connection: None,
        created_at: START,
        effect,
        expires_at: START + Millis::hours(72),
        id: ProposalId::from_uuid(Uuid::from_u128(5)),
        nonce: NONCE,
        not_before: None,
        proposer: Proposer {
            contributors: Default::default(),
            id: agent().to_string(),
            kind: ProposerKind::Agent,
            name: "Bookkeeper".to_owned(),
            on_behalf_of: None,
            run: None,
        },
        retry_of: None,
        risk: Risk::Medium,
        risk_reasons: Vec::new(),
        supersedes: None,
        tenant: tenant(),
        tool: ToolRef {
            id: "test.probe".to_owned(),
            manifest: Digest::of(b"manifest"),
            version: "1.0.0".to_owned(),
        },
        untrusted: Untrusted::default(),
    }
}

fn digest_of(body: &impl Body) -> Digest {
    Record::unsigned(body).expect("within the profile").digest
}

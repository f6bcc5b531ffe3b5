//! An approved call with its records, and each of them changed.

use countersign_domain::{
    canonical,
    decision::{Circumstances, Credential, DeviceStanding, verify_decision},
    dsse,
    execution::{self, NotBegun, RunRefusal},
    manifest::Pinned,
    record::{Begin, Mode, Preview, Reason, Role},
    render::{RENDERER, render},
};

use super::{Moment, Seeded, change::change, *};

/// The call as it was approved.
pub(super) struct Scene {
    world: World,
    runtime: tokio::runtime::Runtime,
    proposal: Record,
    preview: Record,
    /// That two people are needed. One has approved, so that a looser evaluation would let it run.
    evaluation: Record,
    decision: Record,
    authority: Authority,
    begin: Begin,
}

/// A record of other bytes, with the digest that they have.
fn with_body(record: &Record, body: Vec<u8>) -> Record {
    Record::new(record.kind, body, record.signature.clone())
}

fn changed(record: &Record, rng: &mut Seeded) -> Record {
    with_body(record, change(record.bytes(), rng))
}

fn expect<T: core::fmt::Debug + PartialEq>(found: T, right: &[T]) -> Result<String, String> {
    if right.contains(&found) {
        Ok(format!("{found:?}"))
    } else {
        Err(format!("the answer is {found:?}, and should be one of {right:?}"))
    }
}

impl Scene {
    pub(super) fn new() -> Self {
        let world = world(Behaviour::Complete);
        let stored = world.ledger.stored.lock().unwrap().clone();
        let proposal = stored.proposal;
        let preview = Record::signed(
            &Preview {
                by: Holder::Device(device()),
                device_seq: Some(1),
                made_at: NOW,
                nonce: NONCE,
                outcome: foreseen("hello"),
                previous: None,
                proposal: proposal_id(),
                proposal_digest: proposal.digest,
            },
            &key(),
        )
        .unwrap();
        let body: Proposal = proposal.body().unwrap();
        let pinned = Pinned::new(world.probe.manifest.clone()).unwrap();
        let shown: Preview = preview.body().unwrap();
        let view = render(
            &body,
            proposal.digest,
            Some(&shown),
            &pinned,
            stored.connection.as_ref(),
        )
        .unwrap();
        let decision = Decision {
            preview: Some(preview.digest),
            renderer: RENDERER,
            view: view.digest().unwrap(),
            ..approval(proposal.digest)
        };
        let decision = Record::signed(&decision, &key()).unwrap();
        let mut state = ProposalState::new(&body, proposal.digest, 1);
        for record in [&asks(&proposal, 1), &preview, &decision] {
            state.apply(2, NOW, record).unwrap();
        }
        let authority = Authority::of(&state, NOW).unwrap();
        let begin = Begin {
            at: NOW,
            authority: authority.approvals().to_vec(),
            device_seq: Some(2),
            executor: Holder::Device(device()),
            fence: 4,
            nonce: NONCE,
            preview: Some(preview.digest),
            previous: None,
            proposal: proposal_id(),
            proposal_digest: proposal.digest,
        };
        execution::begin(&state, &begin, false, NOW).expect("unchanged it begins");
        let evaluation = asks(&proposal, 2);
        let scene = Self {
            world,
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build()
                .unwrap(),
            proposal,
            preview,
            evaluation,
            decision,
            authority,
            begin,
        };
        let arrived = scene.decide(
            &scene.decision,
            &scene.undecided(&scene.proposal, &scene.preview).unwrap(),
            None,
        );
        assert_eq!(arrived, Ok(()), "unchanged the decision counts");
        Authorised::verify(&scene.leased(), scene.stored(), &scene.world.registry)
            .expect("unchanged it is verified");
        scene
    }

    pub(super) fn runs(&self) -> usize {
        self.world.runs()
    }

    fn leased(&self) -> Leased {
        Leased {
            authority: self.authority.clone(),
            ..self.world.leased.clone()
        }
    }

    fn stored(&self) -> Stored {
        let connection = self.world.ledger.stored.lock().unwrap().connection.clone();
        Stored {
            proposal: self.proposal.clone(),
            preview: Some(self.preview.clone()),
            connection,
            approvals: vec![Approval {
                record: self.decision.clone(),
                key: Some(key().public_key()),
            }],
        }
    }

    /// Before anybody has decided; `None` where the records cannot be read or do not belong together.
    fn undecided(&self, proposal: &Record, preview: &Record) -> Option<ProposalState> {
        let body: Proposal = proposal.body().ok()?;
        let mut state = ProposalState::new(&body, proposal.digest, 1);
        state.apply(2, NOW, &asks(&self.proposal, 1)).ok()?;
        state.apply(3, NOW, preview).ok()?;
        Some(state)
    }

    /// The decision about what was shown arrives where something is otherwise.
    fn decide(
        &self,
        record: &Record,
        state: &ProposalState,
        views: Option<Vec<(u32, Digest)>>,
    ) -> Result<(), Reason> {
        let decision: Decision = self.decision.body().unwrap();
        let standing = DeviceStanding {
            user: ada(),
            key: key().public_key(),
            revoked: false,
            forked: false,
            last_seq: 0,
        };
        let signed = standing.signed(record);
        let views = views.unwrap_or_else(|| vec![(decision.renderer, decision.view)]);
        let world = Circumstances {
            tenant: tenant(),
            mode: Mode::Company,
            proposal: Some(state),
            role: Some(Role::Approver),
            agent_owner: None,
            credential: Credential::Device(signed.as_ref()),
            views: &views,
        };
        match verify_decision(record, &world, NOW) {
            Ok(_) => Ok(()),
            // It cannot be read: it is refused as malformed before anything is asked.
            Err(Err(_)) => Err(Reason::BadSignature),
            Err(Ok(reason)) => Err(reason),
        }
    }

    /// The executor over changed bytes: found under the lease, or behind the intent.
    fn execute(&self, changed: Stored, moment: Moment) -> Drift {
        let begun = moment == Moment::Begun;
        let ledger = Fake {
            stored: Mutex::new(if begun { self.stored() } else { changed.clone() }),
            after_intent: begun.then_some(changed.clone()),
            fails: Fails::Never,
            log: Log::default(),
            clock: AtomicI64::new(NOW.0),
            reads: AtomicUsize::new(0),
            beginning: Mutex::new(None),
            completion: Mutex::new(None),
            intent: Mutex::new(None),
            confirmation: Confirmation::Stopped,
        };
        let world = &self.world;
        let run = execute(self.leased(), &ledger, &world.registry, &world.secrets);
        let executed = self.runtime.block_on(run);
        match executed {
            Ok(Executed::Drifted(drift)) if !begun => drift,
            Ok(Executed::Ended(ended)) if begun => {
                // Its sentence is the drift's: that is found again by the same check.
                let drift =
                    Authorised::verify(&self.leased(), changed, &world.registry).expect_err("it was changed");
                assert_eq!((ended.outcome, ended.dispatched), (Outcome::Failed, false));
                assert!(ended.summary.contains(&drift.to_string()), "{ended:?}");
                drift
            }
            other => panic!("it was not found: {other:?}"),
        }
    }

    fn server_begins(&self, state: &ProposalState) -> Result<(), NotBegun> {
        execution::begin(state, &self.begin, false, NOW)
    }

    pub(super) fn proposal(&self, rng: &mut Seeded, moment: Moment) -> Result<String, String> {
        let other = changed(&self.proposal, rng);
        if matches!(moment, Moment::Leased | Moment::Begun) {
            let stored = Stored {
                proposal: other,
                ..self.stored()
            };
            return expect(self.execute(stored, moment), &[Drift::Proposal]);
        }
        let Some(mut state) = self.undecided(&other, &self.preview) else {
            return Ok("it cannot be read".to_owned());
        };
        if moment == Moment::Proposed {
            return expect(
                self.decide(&self.decision, &state, None),
                &[Err(Reason::DigestMismatch)],
            );
        }
        state
            .apply(4, NOW, &self.decision)
            .map_err(|error| error.to_string())?;
        expect(
            self.server_begins(&state),
            &[Err(NotBegun::Refused(RunRefusal::DigestMismatch))],
        )
    }

    pub(super) fn preview(&self, rng: &mut Seeded, moment: Moment) -> Result<String, String> {
        let other = changed(&self.preview, rng);
        if moment == Moment::Approved {
            // The executor says that it has shown something else.
            let begin = Begin {
                preview: Some(other.digest),
                ..self.begin.clone()
            };
            let mut state = self.undecided(&self.proposal, &self.preview).expect("unchanged");
            state.apply(4, NOW, &self.decision).expect("unchanged");
            return expect(
                execution::begin(&state, &begin, false, NOW),
                &[Err(NotBegun::Refused(RunRefusal::DigestMismatch))],
            );
        }
        if moment != Moment::Proposed {
            let stored = Stored {
                preview: Some(other),
                ..self.stored()
            };
            return expect(self.execute(stored, moment), &[Drift::Preview]);
        }
        match self.undecided(&self.proposal, &other) {
            Some(state) => expect(
                self.decide(&self.decision, &state, None),
                &[Err(Reason::ViewMismatch)],
            ),
            None => Ok("it cannot be read".to_owned()),
        }
    }

    pub(super) fn decision(&self, rng: &mut Seeded, moment: Moment) -> Result<String, String> {
        let other = changed(&self.decision, rng);
        let mut state = self.undecided(&self.proposal, &self.preview).expect("unchanged");
        match moment {
            Moment::Proposed => expect(self.decide(&other, &state, None), &[Err(Reason::BadSignature)]),
            Moment::Approved => {
                if state.apply(4, NOW, &other).is_err() {
                    return Ok("it cannot be read".to_owned());
                }
                match self.server_begins(&state) {
                    Err(
                        NotBegun::Refused(RunRefusal::Fenced | RunRefusal::State(_)) | NotBegun::Stale(..),
                    ) => Ok("another authority".to_owned()),
                    other => Err(format!("{other:?}")),
                }
            }
            Moment::Leased | Moment::Begun => {
                let drift = self.execute(self.approved_by(other), moment);
                expect(drift, &[Drift::Approval(self.decision.digest)])
            }
        }
    }

    fn approved_by(&self, record: Record) -> Stored {
        Stored {
            approvals: vec![Approval {
                record,
                key: Some(key().public_key()),
            }],
            ..self.stored()
        }
    }

    /// The signature, or whose it is said to be.
    pub(super) fn envelope(&self, rng: &mut Seeded, moment: Moment) -> Result<String, String> {
        let mut other = self.decision.clone();
        let signature = other.signature.as_mut().expect("it is signed");
        match rng.below(4) {
            0 => signature.keyid = Digest::of(&rng.number().to_be_bytes()),
            1 => other.signature = None,
            2 => {
                let stranger = dsse::SigningKey::from_seed(&[8; 32]);
                let decision: Decision = other.body().unwrap();
                other.signature = Record::signed(&decision, &stranger).unwrap().signature;
            }
            _ => {
                let at = rng.below(64);
                signature.sig[at] ^= 1 << rng.below(8);
            }
        }
        let state = self.undecided(&self.proposal, &self.preview).expect("unchanged");
        match moment {
            Moment::Proposed => expect(self.decide(&other, &state, None), &[Err(Reason::BadSignature)]),
            Moment::Approved | Moment::Leased | Moment::Begun => {
                let drift = self.execute(self.approved_by(other), moment);
                expect(drift, &[Drift::Signature(self.decision.digest)])
            }
        }
    }

    pub(super) fn manifest(&self, rng: &mut Seeded, moment: Moment) -> Result<String, String> {
        let manifest = &self.world.probe.manifest;
        let bytes = change(&canonical::to_vec(manifest).unwrap(), rng);
        let Ok(other) = with_body(&Record::unsigned(manifest).unwrap(), bytes).body::<Manifest>() else {
            return Ok("it cannot be read".to_owned());
        };
        if moment == Moment::Proposed {
            return self.unseen(&Pinned::new(other).unwrap(), self.stored().connection.as_ref());
        }
        let tool = Probe {
            manifest: other,
            behaviour: Behaviour::Complete,
            runs: AtomicUsize::new(0),
            log: Log::default(),
        };
        let same_id = tool.manifest.id == manifest.id;
        let Ok(registry) = Registry::new([Arc::new(tool) as Arc<dyn Tool>]) else {
            return Ok("it is no manifest".to_owned());
        };
        let found = Authorised::verify(&self.leased(), self.stored(), &registry).map(|_| ());
        expect(
            found,
            &[Err(if same_id { Drift::Manifest } else { Drift::NoTool })],
        )
    }

    pub(super) fn configuration(&self, rng: &mut Seeded, moment: Moment) -> Result<String, String> {
        let mut connection = self.stored().connection.expect("there is one");
        let bytes = change(&canonical::to_vec(&connection.config).unwrap(), rng);
        let Ok(config) = canonical::parse(&bytes) else {
            return Ok("it cannot be read".to_owned());
        };
        if canonical::to_vec(&config)
            .is_ok_and(|same| Some(Digest::of(&same)) == connection.config_digest().ok())
        {
            return Ok("it is the same, written otherwise".to_owned());
        }
        connection.config = config;
        if moment == Moment::Proposed {
            let pinned = Pinned::new(self.world.probe.manifest.clone()).unwrap();
            return self.unseen(&pinned, Some(&connection));
        }
        let stored = Stored {
            connection: Some(connection),
            ..self.stored()
        };
        expect(self.execute(stored, moment), &[Drift::Connection])
    }

    /// No card is made of it, so no decision is about one.
    fn unseen(&self, manifest: &Pinned, connection: Option<&Connection>) -> Result<String, String> {
        let (body, shown): (Proposal, Preview) =
            (self.proposal.body().unwrap(), self.preview.body().unwrap());
        if render(&body, self.proposal.digest, Some(&shown), manifest, connection).is_ok() {
            return Err("a card is made of it".to_owned());
        }
        let state = self.undecided(&self.proposal, &self.preview).expect("unchanged");
        expect(
            self.decide(&self.decision, &state, Some(Vec::new())),
            &[Err(Reason::ViewMismatch)],
        )
    }

    /// Policy is asked again before each begin, and only tightens what is there: a looser evaluation loosens nothing.
    pub(super) fn evaluation(&self, rng: &mut Seeded) -> Result<String, String> {
        let other = changed(&self.evaluation, rng);
        let body: Proposal = self.proposal.body().unwrap();
        let mut state = ProposalState::new(&body, self.proposal.digest, 1);
        if state.apply(2, NOW, &other).is_err() {
            return Ok("it cannot be read".to_owned());
        }
        for record in [&self.preview, &self.decision] {
            state.apply(3, NOW, record).map_err(|error| error.to_string())?;
        }
        let genuine: Evaluation = self.evaluation.body().unwrap();
        if state.is_tightened_by(genuine.decision, genuine.requirement) {
            state
                .apply(4, NOW, &self.evaluation)
                .map_err(|error| error.to_string())?;
        }
        match self.server_begins(&state) {
            Err(NotBegun::Refused(RunRefusal::State(status))) => Ok(format!("still {}", status.name())),
            other => Err(format!("{other:?}")),
        }
    }
}

//! What happens next: one of the things that people, software, machines and liars do, as the seed has it.

use std::sync::Arc;

use countersign_domain::{
    Digest, Millis, Record, UnixMillis,
    canonical::{Object, Value},
    fold::Status,
    id::ProposalId,
    record::{
        Actor, ApprovalRule, Begin, Decision, Holder, Preview, Proposer, ProposerKind, Release, Resolution,
        Role, Rules, Scope, Stop, Verdict, Withdraw,
    },
    wire::Propose,
};
use countersign_server::tenant::{Act, Tenant, Trust};

use crate::{
    device::{Out, nonce},
    tools::TOOLS,
    world::{Check, World},
};

/// Steps of one history, before everything comes to rest.
const STEPS: usize = 90;

impl World {
    pub(crate) async fn live(&mut self) -> Check {
        self.look().await?;
        for _ in 0..STEPS {
            let (drawn, time) = (self.rng.below(100), self.rng.below(12_000));
            self.pass(Millis(i64::try_from(time).unwrap()));
            self.step_of(drawn).await?;
            self.look().await?;
        }
        self.rest().await?;
        self.verify().await
    }

    async fn step_of(&mut self, drawn: usize) -> Check {
        let at = self.rng.below(3);
        match drawn {
            0..=13 => self.propose_one(None).await,
            14..=17 => self.previews(0).await,
            18..=34 => self.decides(at).await,
            35..=45 => self.push(at).await,
            46..=57 => {
                let limit = u32::try_from(1 + self.rng.below(30)).unwrap();
                self.pull(at, limit).await
            }
            58..=66 => self.server_runs().await,
            67..=75 => self.device_runs(0).await,
            76 => {
                self.reach("the server is killed");
                self.restart().await
            }
            77 => {
                self.devices[at].crash();
                Ok(())
            }
            78 => {
                let hours = 1 + self.rng.below(30);
                self.pass(Millis::hours(i64::try_from(hours).unwrap()));
                Ok(())
            }
            79..=80 => self.clocks(at),
            81..=82 => self.silence().await,
            83..=84 => self.stops(at).await,
            85..=86 => self.releases().await,
            87 => self.rules_change().await,
            88 => self.people_change().await,
            89..=90 => self.withdraws().await,
            91..=93 => self.settles_unknown().await,
            94..=96 => self.misbehaves().await,
            97..=98 => self.lie(at % 2).await,
            _ => self.replaces().await,
        }
    }

    /// Somebody wants something done.
    pub(crate) async fn propose_one(&mut self, supersedes: Option<ProposalId>) -> Check {
        let (proposer, request) = self.wish(supersedes);
        let server = self.server();
        let asked = self.rules.propose(&server, proposer, request, None).await;
        self.log(if asked.is_ok() { "proposed" } else { "not proposed" });
        Ok(())
    }

    /// The same on another server.
    pub(crate) async fn propose_to(&mut self, server: &Tenant) -> bool {
        let (proposer, request) = self.wish(None);
        self.rules.propose(server, proposer, request, None).await.is_ok()
    }

    fn wish(&mut self, supersedes: Option<ProposalId>) -> (Proposer, Propose) {
        let (tool, _, outside) = *self.rng.pick(&TOOLS);
        let word = format!("word {}", self.rng.number());
        let risk = *self.rng.pick(&["low", "medium", "medium", "high", "critical"]);
        let input: Value = if tool == "assistant.create_task" {
            Object::from_iter([("title", word)]).into()
        } else {
            Object::from_iter([("risk", risk.to_owned()), ("word", word)]).into()
        };
        let bob = self.people[1];
        let (kind, id, name, behalf) = match self.rng.below(6) {
            0 => (ProposerKind::User, bob.to_string(), "Bob", None),
            1 => (
                ProposerKind::Agent,
                self.agent.to_string(),
                "Bookkeeper",
                Some(bob),
            ),
            _ => (ProposerKind::Agent, self.agent.to_string(), "Bookkeeper", None),
        };
        let minutes = *self.rng.pick(&[3, 60, 4_000]);
        let request = Propose {
            tool_id: Some(tool.to_owned()),
            input: Some(input),
            connection: outside.then_some(self.connection),
            expires_at: Some(self.now() + Millis::seconds(60 * minutes)),
            supersedes,
            ..Propose::default()
        };
        let proposer = Proposer {
            contributors: Default::default(),
            id,
            kind,
            name: name.to_owned(),
            on_behalf_of: behalf,
            run: None,
        };
        (proposer, request)
    }

    async fn replaces(&mut self) -> Check {
        let old = self.any();
        self.propose_one(old).await
    }

    /// The device says what the calls over its connection would do.
    async fn previews(&mut self, at: usize) -> Check {
        let Some(card) = self.pick(at, false) else {
            return Ok(());
        };
        if !card.state.awaits_preview() || card.state.executor != Holder::Device(self.devices[at].id) {
            return Ok(());
        }
        let now = self.now_at(at);
        let people = self.devices[at].reader().people().unwrap();
        let named = card.proposal.connection.as_ref();
        let connection = named.and_then(|named| people.connections.get(&named.id));
        let outcome = self.rules.registry.preview(&card.proposal, connection, now).await;
        let nonce = nonce(&mut self.rng);
        let device = &mut self.devices[at];
        let by = Holder::Device(device.id);
        device.sign(|seq, previous| Preview {
            by,
            device_seq: Some(seq),
            made_at: now,
            nonce,
            outcome,
            previous,
            proposal: card.state.id,
            proposal_digest: card.state.digest,
        });
        self.push(at).await
    }

    fn pick(&mut self, at: usize, pending: bool) -> Option<countersign_replica::Card> {
        self.devices[at].pick(&mut self.rng, pending)
    }

    pub(crate) fn decision(&mut self, at: usize, verdict: Verdict) -> Option<Decision> {
        let card = self.pick(at, verdict == Verdict::Retract)?;
        let now = self.now_at(at);
        self.devices[at].decision(&mut self.rng, &card, verdict, now)
    }

    pub(crate) fn sign_decision(&mut self, at: usize, decision: Decision) -> Arc<Record> {
        self.devices[at].sign(|seq, previous| Decision {
            device_seq: Some(seq),
            previous,
            ..decision
        })
    }

    async fn decides(&mut self, at: usize) -> Check {
        let verdict = match self.rng.below(12) {
            0 => Verdict::Reject,
            1 | 2 => Verdict::Retract,
            _ => Verdict::Approve,
        };
        let Some(decision) = self.decision(at, verdict) else {
            return Ok(());
        };
        let name = self.oracle.name(decision.proposal);
        self.log(format!("device {at} signs {verdict:?} of #{name}"));
        self.sign_decision(at, decision);
        if self.rng.below(2) == 0 {
            self.push(at).await
        } else {
            Ok(())
        }
    }

    fn clocks(&mut self, at: usize) -> Check {
        let hours = i64::try_from(self.rng.below(49)).unwrap() - 24;
        match self.rng.below(3) {
            0 => self.devices[at].skew = Millis::hours(hours).0,
            // The server's own clock goes back.
            1 => self.pass(Millis::seconds(-600)),
            _ => {
                let cut = &mut self.devices[at].cut_off;
                *cut = !*cut;
            }
        }
        Ok(())
    }

    /// A minute in which nobody says anything.
    async fn silence(&mut self) -> Check {
        self.pass(Millis::seconds(61));
        let server = self.server();
        if server.lapse().await.unwrap() > 0 {
            self.reach("a begun call goes silent");
        }
        server.mark_unseen().await.unwrap();
        Ok(())
    }

    pub(crate) async fn stops(&mut self, at: usize) -> Check {
        let (tool, ..) = *self.rng.pick(&TOOLS);
        let scope = match self.rng.below(3) {
            0 => Scope::Tenant,
            1 => Scope::Agent(self.agent),
            _ => Scope::Tool(tool.to_owned()),
        };
        let (by, tenant, now, nonce) = (self.people[at], self.tenant, self.now(), nonce(&mut self.rng));
        let stop = Stop {
            at: now,
            by,
            device: None,
            device_seq: None,
            nonce,
            previous: None,
            reason: None,
            scope,
            tenant,
        };
        if self.rng.below(2) == 0 {
            let device = &mut self.devices[at];
            let id = device.id;
            device.sign(|seq, previous| Stop {
                device: Some(id),
                device_seq: Some(seq),
                previous,
                ..stop
            });
            self.push(at).await?;
        } else if self.server().act(Act::Stop(stop)).await.unwrap().is_ok() {
            let flying = self
                .oracle
                .calls
                .values()
                .any(|call| call.begun.is_some() && call.outcome.is_none());
            self.reach(if flying {
                "a stop with calls in flight"
            } else {
                "a stop"
            });
        }
        Ok(())
    }

    pub(crate) async fn releases(&mut self) -> Check {
        let server = self.server();
        for (scope, stopped) in server.people().stops.clone() {
            for by in self.people {
                let release = Release {
                    at: self.now(),
                    by,
                    confirmed: true,
                    device: None,
                    device_seq: None,
                    nonce: nonce(&mut self.rng),
                    previous: None,
                    scope: scope.clone(),
                    stop: stopped.digest,
                    tenant: self.tenant,
                };
                // One who has said so, or decides no more, changes nothing.
                let _ = server.act(Act::Release(release)).await.unwrap();
            }
        }
        Ok(())
    }

    async fn rules_change(&mut self) -> Check {
        let (tool, ..) = *self.rng.pick(&TOOLS);
        if self.rng.below(3) == 0 {
            self.policy.denied.lock().unwrap().insert(tool.to_owned());
            self.log(format!("{tool} is denied from here on"));
            return Ok(());
        }
        let server = self.server();
        let mut table = server.people().rules.table.clone();
        table.push(ApprovalRule {
            hold: None,
            assurance: None,
            keep: None,
            lifetime: None,
            quorum: 2,
            risk: None,
            tool: Some(tool.to_owned()),
        });
        let rules = Rules {
            at: self.now(),
            base: server.people().rules.digest,
            by: self.people[0],
            confirmed: false,
            device: None,
            device_seq: None,
            nonce: nonce(&mut self.rng),
            previous: None,
            table,
            tenant: self.tenant,
        };
        let taken = server.act(Act::Rules(rules)).await.unwrap();
        self.log(format!("two people for {tool}: {taken:?}"));
        Ok(())
    }

    /// Keys and members go. Most histories keep theirs.
    async fn people_change(&mut self) -> Check {
        let (server, ana) = (self.server(), self.people[0]);
        let changed = match self.rng.below(8) {
            which @ (0 | 1) => {
                let since = self.now() + Millis::seconds(-120);
                let trust = *self
                    .rng
                    .pick(&[Trust::Nothing, Trust::Before(since), Trust::Everything]);
                let device = self.devices[which].id;
                let lost = server.revoke_device(ana, device, "It was lost.".to_owned(), trust);
                lost.await.unwrap()
            }
            2 => server
                .remove_member(Actor::User(ana), self.people[2])
                .await
                .unwrap(),
            3 | 4 => server
                .change_member(Actor::User(ana), self.people[1], Role::Member)
                .await
                .unwrap(),
            _ => server
                .change_member(Actor::User(ana), self.people[1], Role::Approver)
                .await
                .unwrap(),
        };
        self.log(format!("people change: {changed:?}"));
        Ok(())
    }

    async fn withdraws(&mut self) -> Check {
        let Some(id) = self.any() else { return Ok(()) };
        let (server, bob) = (self.server(), self.people[1]);
        let mine = server
            .proposal(id)
            .await
            .unwrap()
            .is_some_and(|stored| stored.state.proposer.id == bob.to_string());
        if mine && self.rng.below(2) == 0 {
            let (now, nonce) = (self.now_at(1), nonce(&mut self.rng));
            let device = &mut self.devices[1];
            let by = device.id;
            device.sign(|seq, previous| Withdraw {
                at: now,
                by: Actor::User(bob),
                device: Some(by),
                device_seq: Some(seq),
                nonce,
                previous,
                proposal: id,
                reason: None,
            });
            return self.push(1).await;
        }
        let by = if mine {
            Actor::User(bob)
        } else {
            Actor::Agent(self.agent)
        };
        let taken = server.withdraw(id, by, None).await.unwrap();
        self.log(format!("withdrawn: {}", taken.is_ok()));
        Ok(())
    }

    /// Somebody says what became of a call that is not known. They may be wrong.
    async fn settles_unknown(&mut self) -> Check {
        let unknown: Vec<_> = {
            let server = self.server();
            let mut found = Vec::new();
            for id in &self.oracle.order {
                let stored = server.proposal(*id).await.unwrap().unwrap();
                if stored.status(self.now()) == Status::Unknown {
                    found.push(*id);
                }
            }
            found
        };
        if unknown.is_empty() {
            return Ok(());
        }
        self.reach("it is not known");
        let (id, happened) = (*self.rng.pick(&unknown), self.rng.below(2) == 0);
        for by in [self.people[0], self.people[2]] {
            let nonce = nonce(&mut self.rng);
            let settled = self
                .server()
                .resolve(id, move |stored, at| {
                    Some(Resolution {
                        at,
                        by,
                        confirmed: true,
                        device: None,
                        device_seq: None,
                        fence: stored.state.begun.as_ref()?.fence,
                        happened,
                        nonce,
                        note: None,
                        previous: None,
                        proposal: stored.state.id,
                        proposal_digest: stored.state.digest,
                    })
                })
                .await
                .unwrap();
            if settled.is_ok_and(|stored| stored.state.resolved.is_some()) {
                self.reach("people settle what is not known");
            }
        }
        Ok(())
    }

    /// What a device in wrong hands signs.
    async fn misbehaves(&mut self) -> Check {
        const LIAR: usize = 2;
        let Some(decision) = self.decision(LIAR, Verdict::Approve) else {
            return Ok(());
        };
        let (other, far) = (self.any(), self.now() + Millis::hours(9_000));
        let lie = match self.rng.below(8) {
            0 => return self.forks(LIAR, decision).await,
            1 => {
                let Some(out) = self.devices[LIAR].outbox.first().cloned() else {
                    return Ok(());
                };
                return self.take(LIAR, &out.record).await.map(|_| ());
            }
            2 => Decision {
                decided_at: UnixMillis(0),
                expires_at: far,
                ..decision
            },
            3 => Decision {
                proposal: other.unwrap_or(decision.proposal),
                ..decision
            },
            4 => Decision {
                proposal: ProposalId::from_uuid(uuid::Uuid::from_u64_pair(self.rng.number(), 1)),
                ..decision
            },
            5 => Decision {
                view: Digest::of(b"another card"),
                ..decision
            },
            6 => Decision {
                approver: self.people[0],
                ..decision
            },
            _ => return self.begins_anothers(LIAR, decision.proposal).await,
        };
        self.sign_decision(LIAR, lie);
        self.push(LIAR).await
    }

    /// Two records with one number.
    async fn forks(&mut self, at: usize, decision: Decision) -> Check {
        let twin = Decision {
            verdict: Verdict::Reject,
            nonce: nonce(&mut self.rng),
            ..decision.clone()
        };
        let device = &mut self.devices[at];
        let (seq, previous) = (device.last_seq, device.previous);
        self.sign_decision(at, decision);
        let device = &mut self.devices[at];
        (device.last_seq, device.previous) = (seq, previous);
        self.sign_decision(at, twin);
        self.push(at).await?;
        let id = self.devices[at].id;
        if self
            .server()
            .people()
            .devices
            .get(&id)
            .is_some_and(|known| known.revoked_at.is_some())
        {
            self.reach("a fork takes its device out of service");
        }
        Ok(())
    }

    /// A begin of a call that another executor holds.
    async fn begins_anothers(&mut self, at: usize, proposal: ProposalId) -> Check {
        let digest = self
            .server()
            .proposal(proposal)
            .await
            .unwrap()
            .map(|stored| stored.state.digest);
        let fence = self.oracle.fences.get(&proposal).copied().unwrap_or(1);
        let (now, nonce) = (self.now(), nonce(&mut self.rng));
        let device = &mut self.devices[at];
        let executor = Holder::Device(device.id);
        device.sign(|seq, previous| Begin {
            at: now,
            authority: Vec::new(),
            device_seq: Some(seq),
            executor,
            fence,
            nonce,
            preview: None,
            previous,
            proposal,
            proposal_digest: digest.unwrap_or_else(|| Digest::of(b"of nothing")),
        });
        self.push(at).await
    }

    /// All faults are over: everything that waits has to come to its end.
    async fn rest(&mut self) -> Check {
        const ROUNDS: usize = 40;
        self.calm = true;
        // The clocks are right again: the server's may have gone back, and what it holds would wait for it.
        let behind = self.oracle.last_at - self.now().0;
        self.pass(Millis(behind.max(0)));
        self.restart().await?;
        for device in &mut self.devices {
            device.crash();
            (device.cut_off, device.skew) = (false, 0);
        }
        // Two people decide again: what loosens is not for one, and where one is alone it takes a device in service.
        let (ana, bob) = (Actor::User(self.people[0]), self.people[1]);
        let _ = self
            .server()
            .change_member(ana, bob, Role::Approver)
            .await
            .unwrap();
        for _ in 0..ROUNDS {
            self.releases().await?;
            self.silence().await?;
            for at in 0..3 {
                self.push(at).await?;
                self.pull(at, 1_000).await?;
                self.device_runs(at).await?;
            }
            self.server_runs().await?;
            self.look().await?;
            for at in 0..3 {
                self.push(at).await?;
                self.pull(at, 1_000).await?;
            }
            if self.is_at_rest().await {
                return self.look().await;
            }
        }
        Ok(())
    }

    async fn is_at_rest(&mut self) -> bool {
        let (server, now) = (self.server(), self.now());
        for id in &self.oracle.order {
            let stored = server.proposal(*id).await.unwrap().unwrap();
            if matches!(stored.status(now), Status::Pending | Status::Running) {
                return false;
            }
        }
        let size = server.head_size();
        let waits =
            |device: &crate::device::Device| device.outbox.iter().any(|out: &Out| out.answer.is_none());
        !self.oracle.is_stopped()
            && !self.devices.iter().any(waits)
            && (0..3).all(|at| self.size_at(at) == size)
    }
}

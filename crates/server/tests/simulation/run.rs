//! The two executors, the server's and a device's, both the one of `countersign_tools`; ended at any step.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use countersign_domain::{
    Digest, Record, UnixMillis,
    execution::{self, Authority, LEASE},
    id::{ConnectionId, ProposalId},
    people::People,
    record::{Holder, Kind, Outcome as Ended},
    wire::{Lease, WireEntry},
};
use countersign_server::{executor::Books, tenant::RunRefusal};
use countersign_tools::{
    Registry,
    executor::{
        Approval, BeginAnswer, Beginning, Completion, Confirmation, Drift, ExecuteError, Executed, Intent,
        Interrupted, Leased, Ledger, LedgerError, SecretError, Secrets, Settled, Stored, execute, settle,
    },
};
use secrecy::SecretString;
use tokio::sync::Mutex;

use crate::{
    device::{Row, nonce},
    tools::{Behaviour, Target},
    world::{Check, World},
};

/// How long a tool that is silent is waited for. Those that answer do so at once, so the time decides nothing.
const PATIENCE: Duration = Duration::from_millis(1);

/// A ledger whose process ends at one of its steps.
struct Mortal<'l> {
    inner: &'l dyn Ledger,
    target: &'l Target,
    step: AtomicU32,
    dies_at: Option<u32>,
}

impl Mortal<'_> {
    async fn step(&self) {
        if Some(self.step.fetch_add(1, Ordering::SeqCst)) == self.dies_at {
            self.target.death.notify_one();
            core::future::pending::<()>().await;
        }
    }
}

#[async_trait]
impl Ledger for Mortal<'_> {
    fn now(&self) -> UnixMillis {
        self.inner.now()
    }

    async fn stored(&self, proposal: ProposalId) -> Result<Stored, LedgerError> {
        self.step().await;
        self.inner.stored(proposal).await
    }

    async fn refuse(&self, proposal: ProposalId, fence: u64, drift: &Drift) -> Result<(), LedgerError> {
        self.inner.refuse(proposal, fence, drift).await
    }

    async fn begin(&self, beginning: &Beginning) -> Result<BeginAnswer, LedgerError> {
        self.step().await;
        let begun = self.inner.begin(beginning).await;
        self.step().await;
        begun
    }

    async fn intend(&self, intent: &Intent) -> Result<(), LedgerError> {
        let intended = self.inner.intend(intent).await;
        self.step().await;
        intended
    }

    async fn confirm(&self, proposal: ProposalId, fence: u64) -> Result<Confirmation, LedgerError> {
        let confirmed = self.inner.confirm(proposal, fence).await;
        self.step().await;
        confirmed
    }

    async fn complete(&self, completion: &Completion) -> Result<(), LedgerError> {
        self.step().await;
        let completed = self.inner.complete(completion).await;
        self.step().await;
        completed
    }

    async fn apply_local(&self, begun: &Beginning, ended: &Completion) -> Result<BeginAnswer, LedgerError> {
        self.step().await;
        let applied = self.inner.apply_local(begun, ended).await;
        self.step().await;
        applied
    }
}

struct NoSecrets;

#[async_trait]
impl Secrets for NoSecrets {
    async fn secret(&self, _: ConnectionId) -> Result<Option<SecretString>, SecretError> {
        Ok(None)
    }
}

/// How a run ended for its executor; `None` when the process did.
type Outcome<T> = Option<Result<T, ExecuteError>>;

impl<'l> Mortal<'l> {
    const fn new(inner: &'l dyn Ledger, target: &'l Target, dies_at: Option<u32>) -> Self {
        Self {
            inner,
            target,
            step: AtomicU32::new(0),
            dies_at,
        }
    }

    async fn run(&self, leased: Leased, registry: &Registry) -> Outcome<Executed> {
        tokio::select! {
            biased;
            () = self.target.death.notified() => None,
            ended = execute(leased, self, registry, &NoSecrets) => Some(ended),
        }
    }

    async fn settle(&self, interrupted: Interrupted, registry: &Registry) -> Outcome<Settled> {
        tokio::select! {
            biased;
            () = self.target.death.notified() => None,
            ended = settle(interrupted, PATIENCE, self, registry, &NoSecrets) => Some(ended),
        }
    }
}

impl World {
    fn manifests(&self) -> Arc<[Digest]> {
        self.rules
            .registry
            .manifests()
            .map(|(digest, _)| digest)
            .collect()
    }

    /// What the target does next, and at which step the executor's process ends.
    fn fate(&mut self) -> Option<u32> {
        let next = if self.fault(40) {
            *self.rng.pick(&Behaviour::ALL)
        } else {
            Behaviour::Does
        };
        *self.target.next.lock().unwrap() = next;
        self.fault(25).then(|| u32::try_from(self.rng.below(8)).unwrap())
    }

    /// The server's executor takes what is due.
    pub(crate) async fn server_runs(&mut self) -> Check {
        let server = self.server();
        let claimed = server.claim(Holder::Tenant, self.manifests(), 3).await.unwrap();
        for lease in &claimed.leases {
            self.oracle.leased(lease.proposal_id, lease.fence)?;
        }
        for lease in claimed.leases {
            let (id, fence) = (lease.proposal_id, lease.fence);
            if self.fault(10) {
                self.log("the server's executor leaves a lease");
                continue;
            }
            if self.fault(8) {
                // Somebody stops between its lease and its begin.
                self.stops(1).await?;
            }
            let stored = server
                .proposal(id)
                .await
                .unwrap()
                .ok_or("a leased proposal is gone")?;
            let Ok(authority) = Authority::of(&stored.state, self.now()) else {
                server.give_back(id, fence).await.unwrap();
                continue;
            };
            let dies_at = self.fate();
            let leased = Leased {
                deadline: PATIENCE,
                ..Leased::new(authority, fence, Holder::Tenant)
            };
            let books = Books::new(server.clone());
            let (registry, target) = (Arc::clone(&self.rules.registry), Arc::clone(&self.target));
            let ended = Mortal::new(&books, &target, dies_at).run(leased, &registry).await;
            let name = self.oracle.name(id);
            match ended {
                None => {
                    self.log(format!("the server dies while it runs #{name}"));
                    self.reach("the server dies in a run");
                    drop((server, books));
                    return self.restart().await;
                }
                Some(Ok(Executed::Ended(completion))) => {
                    self.log(format!("the server ran #{name}: {:?}", completion.outcome));
                }
                Some(Ok(Executed::NotBegun { reason })) => {
                    self.log(format!("the server may not begin #{name}: {reason}"));
                    self.reach(format!("not begun: {reason}"));
                    server.give_back(id, fence).await.unwrap();
                }
                Some(Ok(Executed::Unanswered)) => {
                    return Err("nothing that the server calls knows a key".to_owned());
                }
                Some(Ok(Executed::Drifted(drift))) => {
                    return Err(format!("drift where nothing has changed: {drift}"));
                }
                Some(Err(error)) => return Err(format!("the server's executor fails: {error}")),
            }
        }
        Ok(())
    }

    /// The server's process ends and is started again: what was in its memory is gone.
    pub(crate) async fn restart(&mut self) -> Check {
        self.server = None;
        let folder = self.folder.path().to_owned();
        let server = self.opened(&folder);
        countersign_server::executor::settle_interrupted(&server)
            .await
            .map_err(|error| format!("what was interrupted cannot be settled: {error:#}"))?;
        self.server = Some(server);
        Ok(())
    }

    /// What a crash or a lost answer has left of a device's call. False while it is not known.
    async fn device_settles(&mut self, at: usize) -> Result<bool, String> {
        let Some(row) = self.devices[at].row.clone() else {
            return Ok(true);
        };
        if !row.begun {
            self.push(at).await?;
            let begin = self.devices[at]
                .outbox
                .iter()
                .find(|out| out.record.digest == row.begin);
            match begin.and_then(|out| out.answer.clone()) {
                None => return Ok(false),
                Some((false, reason)) => {
                    self.reach(format!("not begun: {reason}"));
                    self.devices[at].row = None;
                    return Ok(true);
                }
                Some((true, _)) => {}
            }
        }
        let interrupted = Interrupted {
            proposal: row.proposal,
            proposal_digest: row.digest,
            executor: Holder::Device(self.devices[at].id),
            fence: row.fence,
            effect: row.effect,
            begun_at: row.at,
            intent: row.intent,
        };
        let (dies_at, now) = (self.fate(), self.now_at(at));
        let (registry, target) = (Arc::clone(&self.rules.registry), Arc::clone(&self.target));
        let ledger = DeviceLedger {
            world: Mutex::new(self),
            at,
            now,
        };
        let settled = Mortal::new(&ledger, &target, dies_at)
            .settle(interrupted, &registry)
            .await;
        match settled {
            None => {
                self.log(format!("device {at} dies while it settles what was interrupted"));
                self.devices[at].crash();
                Ok(false)
            }
            Some(Ok(Settled::Ended(completion))) => {
                let (outcome, attempts) = (completion.outcome, completion.attempts);
                self.log(format!(
                    "device {at} settles what was interrupted: {outcome:?} after {attempts}"
                ));
                match outcome {
                    Ended::Completed => self.reach("a call that was made again completes"),
                    Ended::Unknown if attempts > 1 => self.reach("a call that was made again is not known"),
                    Ended::Unknown | Ended::Failed => {}
                }
                Ok(true)
            }
            // One call after the other here.
            Some(Ok(Settled::Waits)) => {
                self.log(format!("device {at} waits with what was interrupted"));
                Ok(false)
            }
            Some(Err(error)) => {
                self.log(format!("device {at} cannot settle what was interrupted: {error}"));
                Ok(false)
            }
        }
    }

    fn keep_receipt(&mut self, at: usize, completion: &Completion) {
        let nonce = nonce(&mut self.rng);
        let device = &mut self.devices[at];
        device.sign(|seq, previous| completion.record(nonce, Some((seq, previous))));
        device.row = None;
    }

    /// The device's executor, as its reconciler goes.
    pub(crate) async fn device_runs(&mut self, at: usize) -> Check {
        if self.devices[at].cut_off || !self.device_settles(at).await? {
            return Ok(());
        }
        self.push(at).await?;
        if self.devices[at].waiting().is_some() || self.fault(10) {
            return Ok(());
        }
        let holder = Holder::Device(self.devices[at].id);
        if !self
            .server()
            .people()
            .devices
            .get(&self.devices[at].id)
            .is_some_and(|known| known.is_active())
        {
            return Ok(());
        }
        let claimed = self.server().claim(holder, self.manifests(), 1).await.unwrap();
        let Some(lease) = claimed.leases.into_iter().next() else {
            return Ok(());
        };
        self.oracle.leased(lease.proposal_id, lease.fence)?;
        if self.fault(15) {
            self.log(format!("device {at} never hears of its lease"));
            return Ok(());
        }
        self.pull(at, 1_000).await?;
        let Some(authority) = self.device_authority(at, &lease) else {
            return Ok(());
        };
        let dies_at = self.fate();
        let leased = Leased {
            deadline: PATIENCE,
            ..Leased::new(authority, lease.fence, holder)
        };
        if self.fault(20) {
            // The device sleeps on its lease.
            self.pass(countersign_domain::Millis::seconds(50));
        }
        if self.fault(8) {
            // Somebody stops while it has its lease and has not begun.
            self.stops((at + 1) % 2).await?;
        }
        let now = self.now_at(at);
        let (registry, target) = (Arc::clone(&self.rules.registry), Arc::clone(&self.target));
        let ledger = DeviceLedger {
            world: Mutex::new(self),
            at,
            now,
        };
        let ended = Mortal::new(&ledger, &target, dies_at)
            .run(leased, &registry)
            .await;
        let name = self.oracle.name(lease.proposal_id);
        match ended {
            None => {
                self.log(format!("device {at} dies while it runs #{name}"));
                self.reach("a device dies in a run");
                self.devices[at].crash();
            }
            Some(Ok(Executed::Ended(completion))) => {
                self.log(format!("device {at} ran #{name}: {:?}", completion.outcome));
                self.push(at).await?;
            }
            Some(Ok(Executed::NotBegun { reason })) => {
                self.log(format!("device {at} may not begin #{name}: {reason}"));
                self.reach(format!("not begun: {reason}"));
            }
            Some(Ok(Executed::Unanswered)) => {
                self.log(format!("device {at} hears nothing of #{name}"));
                self.reach("a call goes unanswered");
            }
            Some(Ok(Executed::Drifted(drift))) => {
                self.log(format!("device {at} finds drift in #{name}: {drift}"));
                self.reach("drift");
            }
            Some(Err(error)) => {
                self.log(format!("device {at} cannot go on with #{name}: {error}"));
                self.reach("the answer to a begin is lost");
            }
        }
        Ok(())
    }

    /// By this device's own copy: the server's word is not enough.
    fn device_authority(&mut self, at: usize, lease: &Lease) -> Option<Authority> {
        let card = self.devices[at].reader().proposal(lease.proposal_id).unwrap()?;
        let server_now = UnixMillis(lease.expires_at.0 - LEASE.0);
        let authority = Authority::of(&card.state, server_now).ok()?;
        (authority.approvals() == lease.authority).then_some(authority)
    }
}

struct DeviceLedger<'w> {
    world: Mutex<&'w mut World>,
    at: usize,
    now: UnixMillis,
}

fn lost() -> LedgerError {
    LedgerError::new("no answer".to_owned())
}

#[async_trait]
impl Ledger for DeviceLedger<'_> {
    fn now(&self) -> UnixMillis {
        self.now
    }

    async fn stored(&self, proposal: ProposalId) -> Result<Stored, LedgerError> {
        let mut world = self.world.lock().await;
        let reader = world.devices[self.at].reader();
        let people = reader.people().map_err(LedgerError::new)?;
        let history = reader.history(proposal).map_err(LedgerError::new)?;
        let records: Vec<Record> = history.iter().filter_map(WireEntry::record).collect();
        let own = records
            .iter()
            .find(|record| record.kind == Kind::Proposal)
            .cloned()
            .ok_or_else(lost)?;
        let body: countersign_domain::record::Proposal = own.body().map_err(LedgerError::new)?;
        let connection = body
            .connection
            .and_then(|named| people.connections.get(&named.id).cloned());
        let shown = reader.proposal(proposal).map_err(LedgerError::new)?;
        let shown = shown.and_then(|card| card.state.preview);
        let preview = records
            .iter()
            .find(|record| record.kind == Kind::Preview && Some(record.digest) == shown)
            .cloned();
        let approvals = records
            .into_iter()
            .filter(|record| record.kind == Kind::Decision)
            .map(|record| Approval {
                key: people.key_behind(&record),
                record,
            });
        Ok(Stored {
            proposal: own,
            preview,
            connection,
            approvals: approvals.collect(),
        })
    }

    async fn refuse(&self, proposal: ProposalId, fence: u64, drift: &Drift) -> Result<(), LedgerError> {
        let world = self.world.lock().await;
        let holder = Holder::Device(world.devices[self.at].id);
        let refused = world
            .server()
            .refuse(proposal, holder, fence, drift.to_string(), None)
            .await;
        refused.map(|_| ()).map_err(LedgerError::new)
    }

    async fn begin(&self, beginning: &Beginning) -> Result<BeginAnswer, LedgerError> {
        let mut world = self.world.lock().await;
        let nonce = nonce(&mut world.rng);
        let device = &mut world.devices[self.at];
        let effect = device
            .reader()
            .proposal(beginning.proposal)
            .map_err(LedgerError::new)?
            .ok_or_else(lost)?
            .proposal
            .effect;
        let begin = device
            .sign(|seq, previous| beginning.record(nonce, Some((seq, previous))))
            .digest;
        device.row = Some(Row {
            proposal: beginning.proposal,
            digest: beginning.proposal_digest,
            effect,
            fence: beginning.fence,
            begin,
            begun: false,
            intent: None,
            at: beginning.at,
        });
        for _ in 0..2 {
            world.push(self.at).await.map_err(LedgerError::new)?;
        }
        let device = &mut world.devices[self.at];
        let answer = device
            .outbox
            .iter()
            .find(|out| out.record.digest == begin)
            .and_then(|out| out.answer.clone());
        match answer.ok_or_else(lost)? {
            (true, _) => {
                if let Some(row) = &mut device.row {
                    row.begun = true;
                }
                Ok(BeginAnswer::Begun)
            }
            (false, reason) => {
                device.row = None;
                Ok(BeginAnswer::Refused { reason })
            }
        }
    }

    async fn confirm(&self, proposal: ProposalId, fence: u64) -> Result<Confirmation, LedgerError> {
        let mut world = self.world.lock().await;
        let (id, server) = (world.devices[self.at].id, world.server());
        let active = |people: &People| people.devices.get(&id).is_some_and(|known| known.is_active());
        if world.fault(20) {
            return Err(lost());
        }
        let over = |reason: &str| {
            Ok(Confirmation::Over {
                reason: reason.to_owned(),
            })
        };
        if !active(&server.people()) {
            return over("device_revoked");
        }
        let lease = match server
            .confirm(proposal, Holder::Device(id), fence)
            .await
            .map_err(LedgerError::new)?
        {
            Ok(lease) => lease,
            Err(RunRefusal::Stopped) => return Ok(Confirmation::Stopped),
            Err(refusal) => return over(&format!("{refusal:?}")),
        };
        world.pull(self.at, 1_000).await.map_err(LedgerError::new)?;
        let card = world.devices[self.at]
            .reader()
            .proposal(proposal)
            .map_err(LedgerError::new)?;
        let state = card.ok_or_else(lost)?.state;
        let begun_at = state.begun.as_ref().map(|begun| begun.at);
        match (
            execution::confirm(&state, Holder::Device(id), fence, false),
            begun_at,
        ) {
            (Ok(authority), Some(begun_at)) if authority.approvals() == lease.authority => {
                Ok(Confirmation::Stands {
                    authority,
                    begun_at,
                    now: UnixMillis(lease.expires_at.0 - LEASE.0),
                })
            }
            (Ok(_) | Err(_), _) => over("journal"),
        }
    }

    async fn intend(&self, intent: &Intent) -> Result<(), LedgerError> {
        let mut world = self.world.lock().await;
        let row = world.devices[self.at].row.as_mut().filter(|row| {
            let before = row.intent.as_ref().map_or(0, |intent| intent.attempt);
            row.begun && intent.attempt == before + 1
        });
        row.ok_or_else(lost)?.intent = Some(intent.clone());
        Ok(())
    }

    async fn complete(&self, completion: &Completion) -> Result<(), LedgerError> {
        self.world.lock().await.keep_receipt(self.at, completion);
        Ok(())
    }

    async fn apply_local(&self, _: &Beginning, _: &Completion) -> Result<BeginAnswer, LedgerError> {
        Ok(BeginAnswer::Refused {
            reason: "not_here".to_owned(),
        })
    }
}

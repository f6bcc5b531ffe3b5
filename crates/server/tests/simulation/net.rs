//! Between a device and the server: what goes up, what comes down, and what is lost, doubled, late or false on the way.

use std::sync::Arc;

use countersign_domain::{
    Record,
    record::{Begin, Decision, Holder, Kind, Receipt, Verdict},
};
use countersign_replica::{ApplyError, Log, Replica};
use countersign_server::{
    cards,
    tenant::{Act, RunRefusal, Sight, SignedBody, SignedDecision, Tenant},
};

use crate::world::{Check, World};

impl World {
    pub(crate) fn log_of(&self) -> Log {
        Log {
            tenant: self.tenant,
            key: None,
        }
    }

    /// Sends what waits, oldest first, until the network fails.
    pub(crate) async fn push(&mut self, at: usize) -> Check {
        while let Some(next) = self.devices[at].waiting() {
            if self.devices[at].cut_off || self.fault(20) {
                return Ok(());
            }
            let record = Arc::clone(&self.devices[at].outbox[next].record);
            let answer = self.take(at, &record).await?;
            if self.fault(20) {
                self.log(format!("the answer to device {at} is lost"));
                return Ok(());
            }
            self.devices[at].outbox[next].answer = Some(answer);
            if self.fault(30) {
                self.take(at, &record).await?;
            }
        }
        Ok(())
    }

    /// The server takes a record of this device, as its HTTP API does.
    pub(crate) async fn take(&mut self, at: usize, record: &Arc<Record>) -> Result<(bool, String), String> {
        let person = self.devices[at].person;
        let server = self.server();
        let answer = match record.kind {
            Kind::Begin | Kind::Receipt => self.step(&server, at, record).await,
            Kind::Decision | Kind::Preview | Kind::Withdraw | Kind::Resolution | Kind::Stop => {
                let body = match record.kind {
                    Kind::Decision => {
                        let decision: Decision = record.body().unwrap();
                        let shown = server.to_decide([decision.proposal]).await.unwrap();
                        let bodies = shown.get(&decision.proposal);
                        let views =
                            bodies.map(|bodies| cards::views(&self.rules.registry, &server, bodies).unwrap());
                        SignedBody::Decision(Box::new(SignedDecision {
                            seen: bodies.map(|bodies| Arc::clone(&bodies.stored)),
                            views: views.unwrap_or_default(),
                            decision,
                        }))
                    }
                    Kind::Preview => SignedBody::Preview(record.body().unwrap()),
                    Kind::Withdraw => SignedBody::Withdraw(record.body().unwrap()),
                    Kind::Resolution => SignedBody::Resolution(record.body().unwrap()),
                    _ => SignedBody::Act(Act::Stop(record.body().unwrap())),
                };
                let answers = server.take_signed(vec![(Arc::clone(record), body)], person).await;
                self.same(record, answers.unwrap().remove(0))?
            }
            other => return Err(format!("a device signs no {other}")),
        };
        let (counts, reason) = &answer;
        self.log(format!(
            "device {at}'s {} {}",
            record.kind,
            if *counts { "counts" } else { reason }
        ));
        if !counts {
            self.reach(format!(
                "{}: {reason}",
                if record.kind == Kind::Decision {
                    "decision"
                } else {
                    "record"
                }
            ));
        }
        Ok(answer)
    }

    /// The same envelope has the same answer for ever.
    fn same(
        &mut self,
        record: &Record,
        result: countersign_domain::wire::RecordResult,
    ) -> Result<(bool, String), String> {
        let answer = (result.effective, result.reason.clone().unwrap_or_default());
        let nobodys = answer.1 == "bad_signature";
        match self.answers.insert(record.digest, result.clone()) {
            Some(before) if before != result && !nobodys => {
                Err(format!("one envelope, two answers: {before:?} and {result:?}"))
            }
            Some(_) | None => Ok(answer),
        }
    }

    /// Begin and receipt have calls of their own, for devices in service.
    async fn step(&mut self, server: &Tenant, at: usize, record: &Arc<Record>) -> (bool, String) {
        let device = self.devices[at].id;
        let people = server.people();
        let known = people.devices.get(&device).filter(|known| known.is_active());
        if known.is_none()
            || !people
                .key_behind(record)
                .is_some_and(|key| record.is_signed_by(&key))
        {
            return (false, "device_revoked".to_owned());
        }
        let taken = if record.kind == Kind::Begin {
            let begin: Begin = record.body().unwrap();
            if begin.executor != Holder::Device(device) {
                return (false, "bad_signature".to_owned());
            }
            server.begin(Arc::clone(record), Arc::new(begin)).await.unwrap()
        } else {
            let receipt: Receipt = record.body().unwrap();
            if receipt.executor != Holder::Device(device) {
                return (false, "bad_signature".to_owned());
            }
            server
                .complete(Arc::clone(record), Arc::new(receipt))
                .await
                .unwrap()
        };
        match taken {
            Ok(_) => (true, String::new()),
            Err(refusal) => (false, code(&refusal)),
        }
    }

    /// Takes a page of the journal, and what else the network has.
    pub(crate) async fn pull(&mut self, at: usize, limit: u32) -> Check {
        if self.devices[at].cut_off || self.fault(15) {
            return Ok(());
        }
        let (server, log) = (self.server(), self.log_of());
        let size = self.size_at(at);
        let page = server.page(size, limit, Sight::All).await.unwrap();
        if self.fault(15) {
            self.devices[at].late.push(page);
            return Ok(());
        }
        let twice = self.fault(20);
        let (replica, _) = self.devices[at].open();
        replica
            .apply(&page, &log)
            .map_err(|error| format!("an honest page is refused: {error}"))?;
        if twice && !page.entries.is_empty() && replica.apply(&page, &log).is_ok() {
            return Err("a page is taken twice".to_owned());
        }
        if self.fault(30)
            && let Some(late) = self.devices[at].late.pop()
        {
            let before = self.size_at(at);
            let taken = self.devices[at].open().0.apply(&late, &log);
            let grew = self.size_at(at) - before;
            // It fits where it was cut, or not at all; what it says is true either way.
            if taken.is_err() && grew > 0 {
                return Err("a refused page has left something".to_owned());
            }
            self.reach(if taken.is_ok() {
                "a late page fits"
            } else {
                "a late page is refused"
            });
        }
        Ok(())
    }

    pub(crate) fn size_at(&mut self, at: usize) -> u64 {
        self.devices[at]
            .reader()
            .head()
            .unwrap()
            .map_or(0, |head| head.size)
    }

    /// The server lies to one device, which must see it at its next pull at the latest.
    pub(crate) async fn lie(&mut self, at: usize) -> Check {
        if self.devices[at].cut_off {
            return Ok(());
        }
        match self.rng.below(4) {
            0 => self.drop_a_record(at).await,
            1 => self.roll_back(at).await,
            which => self.split_view(at, which == 2).await,
        }
    }

    async fn caught_up(&mut self, at: usize) {
        let (server, log) = (self.server(), self.log_of());
        loop {
            let size = self.size_at(at);
            if size == server.head_size() {
                return;
            }
            let page = server.page(size, 1_000, Sight::All).await.unwrap();
            self.devices[at].open().0.apply(&page, &log).unwrap();
        }
    }

    /// A page without one of its entries, or with another's body.
    async fn drop_a_record(&mut self, at: usize) -> Check {
        let (server, log) = (self.server(), self.log_of());
        let size = self.size_at(at);
        let mut page = server.page(size, 1_000, Sight::All).await.unwrap();
        if page.entries.len() < 2 {
            return Ok(());
        }
        let which = self.rng.below(page.entries.len());
        match self.rng.below(3) {
            0 => drop(page.entries.remove(which)),
            1 => page.entries[which].body = page.entries[(which + 1) % page.entries.len()].body.clone(),
            _ => {
                // And the numbers closed up behind it.
                page.entries.remove(which);
                for entry in page.entries.iter_mut().skip(which) {
                    entry.seq -= 1;
                }
            }
        }
        let taken = self.devices[at].open().0.apply(&page, &log);
        // Without its last entries a page is a shorter page, and the next one has them.
        if taken.is_ok() && which < page.entries.len() {
            return Err("a page with a dropped or changed record is taken".to_owned());
        }
        self.reach("a dropped record is found");
        Ok(())
    }

    /// A copy of the log from before, which says less than the device has seen.
    async fn roll_back(&mut self, at: usize) -> Check {
        let older = self.aside();
        self.propose_one(None).await?;
        self.look().await?;
        self.caught_up(at).await;
        let old = self.opened(&older);
        if old.head_size() == self.server().head_size() {
            return Ok(());
        }
        let log = self.log_of();
        let page = old.page(old.head_size(), 10, Sight::All).await.unwrap();
        match self.devices[at].open().0.apply(&page, &log) {
            Err(ApplyError::Rollback { .. } | ApplyError::Fork { .. }) => {
                self.reach("a log that went back is found");
                Ok(())
            }
            other => Err(format!("a log that went back is not found: {other:?}")),
        }
    }

    /// Two logs under one key. The device sees one of them, then the other.
    async fn split_view(&mut self, at: usize, lie_first: bool) -> Check {
        self.caught_up(at).await;
        let folder = self.aside();
        let other = self.opened(&folder);
        let log = self.log_of();
        // Each goes its own way from here.
        let forked = self.propose_to(&other).await;
        self.propose_one(None).await?;
        self.look().await?;
        if !forked || other.head_size() == self.size_at(at) || self.server().head_size() == self.size_at(at) {
            return Ok(());
        }
        let before = self.size_at(at);
        let (first, second) = if lie_first {
            (other, self.server())
        } else {
            (self.server(), other)
        };
        let page = first.page(before, 1_000, Sight::All).await.unwrap();
        self.devices[at]
            .open()
            .0
            .apply(&page, &log)
            .map_err(|error| format!("the first of two views: {error}"))?;
        if lie_first {
            self.decides_upon_a_lie(at).await?;
        }
        let after = self.size_at(at).min(second.head_size());
        let page = second.page(after, 1_000, Sight::All).await.unwrap();
        let taken = self.devices[at].open().0.apply(&page, &log);
        if taken.is_ok() {
            return Err("a split view is not found at the next pull".to_owned());
        }
        self.reach(match taken {
            Err(ApplyError::Fork { .. }) => "a split view is found, with both checkpoints",
            _ => "a split view is found",
        });
        if lie_first {
            // People have settled it: the device begins anew from the log that is the tenant's.
            let path = self.devices[at].path.clone();
            self.devices[at].crash();
            for end in ["", "-wal", "-shm"] {
                let _ = std::fs::remove_file(format!("{}{end}", path.display()));
            }
            drop(Replica::open(&path, None).unwrap());
            self.caught_up(at).await;
        }
        Ok(())
    }

    /// The device decides by what it takes for the tenant's journal, and the tenant hears of it.
    async fn decides_upon_a_lie(&mut self, at: usize) -> Check {
        let Some(decision) = self.decision(at, Verdict::Approve) else {
            return Ok(());
        };
        let record = self.sign_decision(at, decision);
        let answer = self.take(at, &record).await?;
        self.look().await?;
        if answer.0 || self.oracle.records.contains(&record.digest) {
            return Err("what was decided upon another history is journalled".to_owned());
        }
        // To a device that is not there any more nothing is explained.
        if answer.1 != "other_history" && answer.1 != "bad_signature" {
            return Err(format!("another history is refused as {}", answer.1));
        }
        if let Some(out) = self.devices[at].outbox.last_mut() {
            out.answer = Some(answer);
        }
        Ok(())
    }

    /// A copy of the server's file as it is, made by way of the file's own library: to close a file that was read past it
    /// drops the locks of this process's connections, and the next of them to close takes itself for the last. Each copy has
    /// a place of its own, since the one before may still be closing.
    fn aside(&mut self) -> std::path::PathBuf {
        self.copies += 1;
        let folder = self.folder.path().join(format!("copy {}", self.copies));
        std::fs::create_dir(&folder).unwrap();
        let from = rusqlite::Connection::open(self.folder.path().join("tenant.db")).unwrap();
        from.backup(
            "main",
            folder.join("tenant.db"),
            None::<fn(rusqlite::backup::Progress)>,
        )
        .unwrap();
        folder
    }
}

fn code(refusal: &RunRefusal) -> String {
    match refusal {
        RunRefusal::NotFound => "not_found".to_owned(),
        RunRefusal::Fenced => "fenced".to_owned(),
        RunRefusal::State(status) => format!("wrong_state {}", status.name()),
        RunRefusal::Held(_) => "held".to_owned(),
        RunRefusal::Stopped => "stopped".to_owned(),
        RunRefusal::DigestMismatch => "digest_mismatch".to_owned(),
        RunRefusal::Attempts => "attempts".to_owned(),
    }
}

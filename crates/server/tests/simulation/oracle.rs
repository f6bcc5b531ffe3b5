//! What must hold, by an account of its own: it reads the entries one by one and counts, without the product's fold.

use std::collections::{BTreeMap, BTreeSet};

use countersign_domain::{
    Digest, Record, UnixMillis,
    execution::MOST_ATTEMPTS,
    id::{DeviceId, ProposalId, UserId},
    record::{
        Assurance, Begin, Decision, Evaluation, Expire, Kind, Member, Outcome, PolicyDecision, Proposal,
        Receipt, Refuse, Release, Requirement, Revoke, Role, Scope, Stop, Supersede, Verdict, Void, Withdraw,
    },
    wire::WireEntry,
};

#[derive(Default)]
pub(crate) struct Oracle {
    pub(crate) seen: u64,
    /// The time of the newest entry.
    pub(crate) last_at: i64,
    pub(crate) calls: BTreeMap<ProposalId, Call>,
    /// In the order in which they were proposed: their names in the trace.
    pub(crate) order: Vec<ProposalId>,
    roles: BTreeMap<UserId, Option<Role>>,
    /// Devices out of service, each with the last of its numbers that is trusted.
    revoked: BTreeMap<DeviceId, u64>,
    refused: BTreeSet<Digest>,
    stops: BTreeMap<Scope, (Digest, BTreeSet<UserId>)>,
    /// Every record that the journal has.
    pub(crate) records: BTreeSet<Digest>,
    /// The numbers that were leased, newest last.
    pub(crate) fences: BTreeMap<ProposalId, u64>,
}

/// One call as it was counted.
#[derive(Default)]
pub(crate) struct Call {
    tool: String,
    proposer: String,
    behalf: Option<UserId>,
    expires_at: i64,
    decision: Option<PolicyDecision>,
    required: Option<Requirement>,
    decisions: BTreeMap<Digest, (Decision, UnixMillis)>,
    void: BTreeSet<Digest>,
    over: bool,
    pub(crate) begun: Option<u64>,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) lapsed: bool,
}

impl Call {
    /// How often its target may be called: again only where it knows the call by its key.
    pub(crate) fn most_calls(&self) -> u32 {
        if self.tool == "sim.keyed" {
            u32::from(MOST_ATTEMPTS)
        } else {
            1
        }
    }
}

impl Oracle {
    /// Takes the next entry, and says what it is called in the trace.
    pub(crate) fn take(&mut self, entry: &WireEntry) -> Result<String, String> {
        let Some(record) = entry.record() else {
            return Err(format!("entry {} has no body", entry.seq));
        };
        if entry.seq != self.seen + 1 || entry.at.0 < self.last_at {
            return Err(format!("entry {} is out of order", entry.seq));
        }
        (self.seen, self.last_at) = (entry.seq, entry.at.0);
        self.records.insert(record.digest);
        let subject = match entry
            .subject
            .strip_prefix("proposal/")
            .and_then(|id| id.parse().ok())
        {
            Some(id) => {
                if record.kind == Kind::Proposal {
                    self.order.push(id);
                }
                self.about(id, entry.at, &record)?;
                format!("#{}", self.name(id))
            }
            None => {
                self.general(&record);
                String::new()
            }
        };
        Ok(format!(
            "{} {} at {} {subject}",
            entry.seq, entry.kind, entry.at.0
        ))
    }

    pub(crate) fn name(&self, id: ProposalId) -> usize {
        self.order
            .iter()
            .position(|known| *known == id)
            .unwrap_or(usize::MAX)
    }

    /// A lease was given.
    pub(crate) fn leased(&mut self, id: ProposalId, fence: u64) -> Result<(), String> {
        match self.fences.insert(id, fence) {
            Some(before) if before >= fence => Err(format!("the fence went from {before} to {fence}")),
            Some(_) | None => Ok(()),
        }
    }

    pub(crate) fn is_stopped(&self) -> bool {
        !self.stops.is_empty()
    }

    fn general(&mut self, record: &Record) {
        if self.refused.contains(&record.digest) {
            return;
        }
        match record.kind {
            Kind::Member => {
                let member: Member = record.body().unwrap();
                self.roles.insert(member.user, member.role);
            }
            Kind::Revoke => {
                let revoke: Revoke = record.body().unwrap();
                let good = revoke.last_good_seq.unwrap_or(0);
                let known = self.revoked.entry(revoke.device).or_insert(good);
                *known = good.min(*known);
            }
            Kind::Refuse => {
                self.refused.insert(record.body::<Refuse>().unwrap().record);
            }
            Kind::Stop => {
                let stop: Stop = record.body().unwrap();
                self.stops
                    .entry(stop.scope)
                    .or_insert((record.digest, BTreeSet::new()));
            }
            Kind::Release => {
                let release: Release = record.body().unwrap();
                let roles = &self.roles;
                let decides = |user: &UserId| roles.get(user).copied().flatten().is_some_and(Role::decides);
                let needed = roles.keys().filter(|user| decides(user)).count().min(2);
                if let Some((stop, by)) = self.stops.get_mut(&release.scope)
                    && *stop == release.stop
                {
                    by.insert(release.by);
                    if by.iter().filter(|user| decides(user)).count() >= needed {
                        self.stops.remove(&release.scope);
                    }
                }
            }
            _ => {}
        }
    }

    fn about(&mut self, id: ProposalId, at: UnixMillis, record: &Record) -> Result<(), String> {
        if record.kind == Kind::Begin {
            self.may_begin(id, at, &record.body().unwrap())?;
        }
        let call = self.calls.entry(id).or_default();
        match record.kind {
            Kind::Proposal => {
                let proposal: Proposal = record.body().unwrap();
                call.tool = proposal.tool.id;
                call.proposer = proposal.proposer.id;
                call.behalf = proposal.proposer.on_behalf_of;
                call.expires_at = proposal.expires_at.0;
            }
            Kind::Evaluation => {
                let says: Evaluation = record.body().unwrap();
                call.decision = call.decision.max(Some(says.decision));
                call.required = Some(
                    call.required
                        .map_or(says.requirement, |before| before.max(says.requirement)),
                );
            }
            Kind::Decision => {
                call.decisions
                    .entry(record.digest)
                    .or_insert((record.body().unwrap(), at));
            }
            Kind::Void => {
                call.void.insert(record.body::<Void>().unwrap().decision);
            }
            Kind::Withdraw => {
                call.over |= !call.void.contains(&record.digest) && record.body::<Withdraw>().is_ok()
            }
            Kind::Supersede => call.over |= record.body::<Supersede>().is_ok(),
            Kind::Expire => call.over |= record.body::<Expire>().is_ok(),
            Kind::Begin => call.begun = Some(record.body::<Begin>().unwrap().fence),
            Kind::Receipt => call.outcome = Some(record.body::<Receipt>().unwrap().outcome),
            Kind::Lapse => call.lapsed = true,
            _ => {}
        }
        Ok(())
    }

    /// Whether a begin at this place in the journal is right.
    fn may_begin(&self, id: ProposalId, at: UnixMillis, begin: &Begin) -> Result<(), String> {
        let call = self.calls.get(&id).ok_or("a begin of nothing")?;
        let wrong = |what: &str| Err(format!("proposal {} began {what}", self.name(id)));
        if call.begun.is_some() {
            return wrong("twice");
        }
        if self.fences.get(&id) != Some(&begin.fence) {
            return wrong("under another fence than the newest");
        }
        let covered = |scope: &Scope| match scope {
            Scope::Tenant => true,
            Scope::Tool(tool) => *tool == call.tool,
            Scope::Agent(agent) => agent.to_string() == call.proposer,
        };
        if self.stops.keys().any(covered) {
            return wrong("under a stop");
        }
        if call.over || call.expires_at <= at.0 {
            return wrong("when it was over");
        }
        let standing = || {
            call.decisions
                .iter()
                .filter(|(digest, _)| !call.void.contains(digest))
        };
        if standing().any(|(_, (decision, _))| decision.verdict == Verdict::Reject) {
            return wrong("against a no");
        }
        let required = call.required.ok_or("no evaluation")?;
        match call.decision {
            Some(PolicyDecision::Allow) => return Ok(()),
            Some(PolicyDecision::RequiresApproval) => {}
            Some(PolicyDecision::Deny) | None => return wrong("though policy denies it"),
        }
        let taken_back = |digest: &Digest, by: UserId| {
            standing().any(|(_, (decision, _))| decision.retracts == Some(*digest) && decision.approver == by)
        };
        let mut people = BTreeMap::new();
        for (digest, (decision, since)) in standing() {
            let by = decision.approver;
            let member = self.roles.get(&by).copied().flatten().is_some_and(Role::decides);
            let trusted = |good: &u64| decision.device_seq.is_some_and(|seq| seq <= *good);
            let device = decision
                .device
                .is_none_or(|device| self.revoked.get(&device).is_none_or(trusted));
            let sure = decision.assurance >= required.assurance
                && (decision.device.is_some() || decision.assurance == Assurance::Session);
            let apart = by.to_string() != call.proposer && call.behalf != Some(by);
            let counts =
                decision.verdict == Verdict::Approve && !taken_back(digest, by) && decision.expires_at > at;
            if counts && member && device && sure && apart {
                let first = people.entry(by).or_insert(*since);
                *first = (*first).min(*since);
            }
        }
        let mut times: Vec<_> = people.into_values().collect();
        times.sort_unstable();
        let needed = usize::try_from(required.quorum.max(1)).unwrap();
        match times.get(needed - 1) {
            None => wrong(&format!("with {} of {needed} people", times.len())),
            Some(whole) if *whole + required.hold > at => wrong("before its hold was over"),
            Some(_) => Ok(()),
        }
    }
}

//! The life of each proposal: folded as everywhere, and each step asked whether it was allowed at that moment.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use countersign_domain::{
    Digest, Record, UnixMillis, acts,
    decision::{Circumstances, Credential, verify_decision},
    execution::{Authority, Blocked},
    fold::ProposalState,
    id::{DeviceId, ProposalId},
    journal::Header,
    record::{
        Begin, Decision, EffectClass, Evaluation, Expire, Holder, Kind, Preview, Proposal, Proposer,
        ProposerKind, Reason, Receipt, Resolution, Risk, Verdict, Void,
    },
};

use crate::judge::{Found, Signed, World};

/// Every proposal of the journal.
#[derive(Debug, Default)]
pub(crate) struct Proposals(HashMap<ProposalId, Life>);

#[derive(Debug)]
enum Life {
    Open(Box<Open>),
    Over(Over),
}

/// Over for good. What comes still has to be refused first.
#[derive(Debug)]
struct Over {
    /// Records that were.
    refused: BTreeSet<Digest>,
    has_gap: bool,
}

#[derive(Debug)]
struct Open {
    state: ProposalState,
    /// The proposal's own body is here: who proposed it, until when, and who runs it are known.
    is_known: bool,
    /// An entry about it says something that cannot be read here.
    has_gap: bool,
    /// The device and number behind each signed approval.
    signers: BTreeMap<Digest, (DeviceId, u64)>,
}

impl Proposals {
    /// Takes an entry about a proposal, with who has signed it and its place in that device's chain.
    pub(crate) fn take(
        &mut self,
        header: &Header,
        record: &Record,
        (signed, link): (Signed<'_>, Option<(DeviceId, u64)>),
        world: &World<'_>,
        found: &mut Found,
    ) -> Result<(), String> {
        let Some(id) = about(header) else {
            // It may have been refused, and the refusal is what is missing.
            return if world.is_blurred {
                Ok(())
            } else {
                Err("the entry is about no proposal".to_owned())
            };
        };
        if record.kind == Kind::Proposal {
            return self.begin(header, id, record, world);
        }
        let life = self
            .0
            .get_mut(&id)
            .ok_or("it is about a proposal that is not in the journal")?;
        match life {
            Life::Over(over) => {
                // It changes nothing any more, but no body is of another spelling than its type's.
                record.subject().map_err(|error| error.to_string())?;
                over.step(record, found)
            }
            Life::Open(open) => {
                open.step(header.at, record, &signed, world, found)?;
                if record.kind == Kind::Decision
                    && let Some(link) = link
                {
                    open.signers.insert(record.digest, link);
                }
                open.state
                    .apply(header.seq, header.at, record)
                    .map_err(|error| error.to_string())?;
                if open.state.recorded_status().is_final() {
                    *life = Life::Over(Over {
                        refused: BTreeSet::new(),
                        has_gap: open.has_gap,
                    });
                }
                Ok(())
            }
        }
    }

    /// Notes an entry whose record cannot be read here; whether it is about a proposal.
    pub(crate) fn miss(&mut self, header: &Header, kind: Option<Kind>) -> bool {
        let Some(id) = about(header) else { return false };
        match self.0.get_mut(&id) {
            None => {
                let state = unknown(id, header);
                let has_gap = kind != Some(Kind::Proposal);
                self.0.insert(
                    id,
                    Life::Open(Box::new(Open {
                        state,
                        is_known: false,
                        has_gap,
                        signers: BTreeMap::new(),
                    })),
                );
            }
            Some(Life::Over(over)) => over.has_gap = true,
            Some(Life::Open(open)) => match kind {
                // Its digest is in the header, and that is all a decision has to name.
                Some(Kind::Preview) => {
                    let state = &mut open.state;
                    if state.preview.is_none() && !state.voids.contains_key(&header.digest) {
                        state.preview = Some(header.digest);
                    }
                }
                Some(Kind::Receipt) => {}
                Some(_) | None => open.has_gap = true,
            },
        }
        true
    }

    fn begin(
        &mut self,
        header: &Header,
        id: ProposalId,
        record: &Record,
        world: &World<'_>,
    ) -> Result<(), String> {
        let proposal: Proposal = record.body().map_err(|error| error.to_string())?;
        if proposal.id != id || proposal.tenant != world.opening.tenant {
            return Err("the proposal is not the one that the entry is about".to_owned());
        }
        let open = Open {
            state: ProposalState::new(&proposal, record.digest, header.seq),
            is_known: true,
            has_gap: false,
            signers: BTreeMap::new(),
        };
        match self.0.insert(id, Life::Open(Box::new(open))) {
            None => Ok(()),
            Some(_) => Err("there is a proposal of this id already".to_owned()),
        }
    }
}

impl Open {
    fn step(
        &self,
        at: UnixMillis,
        record: &Record,
        signed: &Signed<'_>,
        world: &World<'_>,
        found: &mut Found,
    ) -> Result<(), String> {
        match record.kind {
            Kind::Decision => self.decision(at, record, signed, world, found),
            Kind::Void => self.void(&body(record)?),
            Kind::Evaluation => self.same_bytes(body::<Evaluation>(record)?.proposal_digest),
            Kind::Preview if self.state.voids.contains_key(&record.digest) => Ok(()),
            Kind::Preview => self.same_bytes(body::<Preview>(record)?.proposal_digest),
            Kind::Expire => self.expire(at, &body(record)?),
            Kind::Begin => self.run(at, &body(record)?, world, found),
            Kind::Resolution => self.resolution(at, record, world),
            Kind::Receipt => self.receipt(&body(record)?),
            // Whether they belong to this proposal is for the fold to say.
            Kind::Withdraw
            | Kind::Remark
            | Kind::Supersede
            | Kind::Lapse
            | Kind::Proposal
            | Kind::Genesis
            | Kind::Member
            | Kind::Invite
            | Kind::Agent
            | Kind::Connection
            | Kind::Manifest
            | Kind::Enrol
            | Kind::Endorse
            | Kind::Revoke
            | Kind::Refuse
            | Kind::Stop
            | Kind::Release
            | Kind::Rules
            | Kind::Rotate => Ok(()),
            Kind::Erase if self.is_known && !self.has_gap => {
                Err("what was written about it was erased before it was over".to_owned())
            }
            Kind::Erase => Ok(()),
        }
    }

    /// A decision counts exactly when the rules say so at the time of its entry.
    fn decision(
        &self,
        at: UnixMillis,
        record: &Record,
        signed: &Signed<'_>,
        world: &World<'_>,
        found: &mut Found,
    ) -> Result<(), String> {
        let decision: Decision = body(record)?;
        let refused = self.state.voids.get(&record.digest).copied();
        if self
            .state
            .decisions
            .iter()
            .any(|cast| cast.digest == record.digest)
        {
            return Err("the same decision stands in the journal twice".to_owned());
        }
        let people = world.people;
        let in_service = decision
            .device
            .and_then(|device| people.devices.get(&device))
            .is_some_and(|device| device.endorsed_by.is_some());
        let credential = match signed {
            Signed::Nobody => Credential::Session(decision.approver),
            Signed::Device(by) => Credential::Device(Some(&**by).filter(|_| in_service)),
            Signed::Unknown => {
                found.decisions_not_judged += 1;
                return Ok(());
            }
        };
        // The card's own digest is taken as the device has signed it: making the card again is not part of this.
        let views = [(decision.renderer, decision.view)];
        let circumstances = Circumstances {
            tenant: world.opening.tenant,
            mode: people.mode(),
            proposal: Some(&self.state),
            role: people.role(decision.approver),
            agent_owner: people.owner_behind(&self.state.proposer),
            credential,
            views: &views,
        };
        let is_certain = !self.has_gap && !world.is_blurred;
        match (verify_decision(record, &circumstances, at), refused) {
            (Ok(_), None) => found.decisions_effective += 1,
            (Err(_), Some(_)) => found.decisions_refused += 1,
            (Err(Ok(reason)), None) if is_certain => {
                return Err(format!(
                    "the decision counts and must not ({}): {reason}",
                    reason.code()
                ));
            }
            (Err(Err(invalid)), None) => return Err(invalid.to_string()),
            (Ok(_), Some(reason)) if is_certain && self.is_known && is_judged_here(reason) => {
                return Err(format!(
                    "the decision was refused ({}) and must count",
                    reason.code()
                ));
            }
            (Ok(_), Some(_)) => found.decisions_refused += 1,
            (Err(Ok(_)), None) => found.decisions_not_judged += 1,
        }
        Ok(())
    }

    /// What has counted may stop to count, but nobody else takes back a no.
    fn void(&self, void: &Void) -> Result<(), String> {
        let cast = self.state.standing().find(|cast| cast.digest == void.decision);
        match cast.map(|cast| cast.verdict) {
            None | Some(Verdict::Approve) => Ok(()),
            Some(Verdict::Reject | Verdict::Retract) => {
                Err("it takes a person's no out of the count".to_owned())
            }
        }
    }

    fn expire(&self, at: UnixMillis, _: &Expire) -> Result<(), String> {
        if self.is_known && at < self.state.expires_at {
            return Err("it expired before its time".to_owned());
        }
        Ok(())
    }

    /// Nothing runs but what may run at that moment, on the approvals that it names, and once.
    fn run(&self, at: UnixMillis, begin: &Begin, world: &World<'_>, found: &mut Found) -> Result<(), String> {
        self.same_bytes(begin.proposal_digest)?;
        // Records of before it was named there do not name it.
        if begin.preview.is_some() && begin.preview != self.state.preview && !self.has_gap {
            return Err("it ran on another preview than the one that people were shown".to_owned());
        }
        let stopped = world.people.stopped(&self.state.proposer, &self.state.tool);
        if stopped.is_some() && self.is_known && !world.is_blurred {
            return Err("it began while a stop stood over it".to_owned());
        }
        if self.state.begun.is_some() {
            return Err("it began twice".to_owned());
        }
        if self.is_known && begin.executor != self.state.executor {
            return Err("it was begun by another executor than its own".to_owned());
        }
        if !world.is_blurred
            && begin
                .authority
                .iter()
                .any(|approval| !self.is_trusted(*approval, world))
        {
            return Err("it ran on the word of a device that was revoked".to_owned());
        }
        let problem = match Authority::of(&self.state, at) {
            Ok(authority) if authority.approvals() == begin.authority => {
                found.runs += 1;
                return Ok(());
            }
            Ok(_) => "it ran on other approvals than those that counted".to_owned(),
            Err(Blocked::Status(status)) => format!("it ran although it was {}", status.name()),
            Err(Blocked::Held(until)) => format!("it ran although it was held until {until}"),
            Err(Blocked::Stale(..)) => "it ran on an approval past its own time".to_owned(),
        };
        if self.has_gap {
            found.runs_not_judged += 1;
            return Ok(());
        }
        Err(problem)
    }

    /// Whether the device behind an approval is in service, or was in good hands when it signed it.
    fn is_trusted(&self, approval: Digest, world: &World<'_>) -> bool {
        let Some((device, seq)) = self.signers.get(&approval) else {
            return true;
        };
        let known = world.people.devices.get(device);
        known.is_some_and(|known| known.is_trusted(*seq))
    }

    /// People settle only what is not known, and only those who may.
    fn resolution(&self, at: UnixMillis, record: &Record, world: &World<'_>) -> Result<(), String> {
        let refused = self.state.voids.contains_key(&record.digest);
        if refused || self.has_gap || !self.is_known || world.is_blurred {
            return Ok(());
        }
        acts::resolve(world.people, &self.state, &body::<Resolution>(record)?, at)
            .map_err(|reason| format!("a word on the outcome counts and must not: {reason}"))
    }

    fn receipt(&self, receipt: &Receipt) -> Result<(), String> {
        self.same_bytes(receipt.proposal_digest)?;
        let begun = self.state.begun.as_ref();
        let of_the_run =
            begun.is_some_and(|begun| begun.fence == receipt.fence && begun.executor == receipt.executor);
        if !of_the_run && !self.has_gap {
            return Err("it tells of a run that was not begun".to_owned());
        }
        if self.is_known && !receipt.attempts_fit(self.state.effect) {
            return Err("it tells of more requests than such a call may take".to_owned());
        }
        Ok(())
    }

    fn same_bytes(&self, digest: Digest) -> Result<(), String> {
        if digest == self.state.digest || self.has_gap {
            Ok(())
        } else {
            Err("it is about other bytes than the proposal's".to_owned())
        }
    }
}

impl Over {
    /// Only what is refused first may follow an end.
    fn step(&mut self, record: &Record, found: &mut Found) -> Result<(), String> {
        match record.kind {
            Kind::Void => {
                self.refused.insert(body::<Void>(record)?.decision);
            }
            Kind::Begin => return Err("it ran although it was over".to_owned()),
            Kind::Decision if self.refused.contains(&record.digest) => found.decisions_refused += 1,
            Kind::Decision if self.has_gap => found.decisions_not_judged += 1,
            Kind::Decision => return Err("the decision counts although the proposal was over".to_owned()),
            Kind::Proposal
            | Kind::Preview
            | Kind::Evaluation
            | Kind::Withdraw
            | Kind::Supersede
            | Kind::Expire
            | Kind::Receipt
            | Kind::Lapse
            | Kind::Genesis
            | Kind::Member
            | Kind::Invite
            | Kind::Agent
            | Kind::Connection
            | Kind::Manifest
            | Kind::Enrol
            | Kind::Endorse
            | Kind::Revoke
            | Kind::Refuse
            | Kind::Remark
            | Kind::Resolution
            | Kind::Stop
            | Kind::Release
            | Kind::Rules
            | Kind::Rotate
            | Kind::Erase => {}
        }
        Ok(())
    }
}

/// Whether a refusal for this reason can be found out again from the journal alone. The others rest on what was on the
/// card, or on numbers of records that were refused too often to be journalled. For another history none is journalled.
const fn is_judged_here(reason: Reason) -> bool {
    !matches!(
        reason,
        Reason::ViewMismatch | Reason::Fork | Reason::DeviceRevoked | Reason::OtherHistory
    )
}

fn about(header: &Header) -> Option<ProposalId> {
    header.subject.strip_prefix("proposal/")?.parse().ok()
}

fn body<B: countersign_domain::record::Body>(record: &Record) -> Result<B, String> {
    record.body().map_err(|error| error.to_string())
}

/// The state of a proposal whose own body is not here. What it would have said loosens nothing that is judged without it:
/// it has no end, belongs to nobody, and is run by whoever begins it.
fn unknown(id: ProposalId, header: &Header) -> ProposalState {
    ProposalState {
        id,
        digest: header.digest,
        created_seq: header.seq,
        last_seq: header.seq,
        created_at: header.at,
        expires_at: UnixMillis(i64::MAX),
        not_before: None,
        proposer: Proposer {
            contributors: Default::default(),
            id: String::new(),
            kind: ProposerKind::System,
            name: String::new(),
            on_behalf_of: None,
            run: None,
        },
        tool: String::new(),
        manifest: Digest::of(b""),
        effect: EffectClass::Opaque,
        risk: Risk::Critical,
        executor: Holder::Tenant,
        connection: None,
        policy: None,
        preview: None,
        decisions: Vec::new(),
        voids: std::collections::BTreeMap::new(),
        closed: None,
        begun: None,
        lapsed_at: None,
        questions: Vec::new(),
        ended: None,
        said: std::collections::BTreeMap::new(),
        resolved: None,
        contradicted_at: None,
    }
}

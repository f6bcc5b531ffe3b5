//! Whether a decision counts: one pure function, asked by the server when it arrives and by the executor before it runs.

use crate::{
    Digest, UnixMillis,
    dsse::PublicKey,
    fold::{ProposalState, Status},
    id::{TenantId, UserId},
    record::{Assurance, Decision, InvalidRecord, Mode, Proposer, Reason, Record, Role, Verdict},
};

/// What is known about the world in which a decision arrives.
#[derive(Clone, Debug)]
pub struct Circumstances<'a> {
    pub tenant: TenantId,
    pub mode: Mode,
    /// The proposal that the decision names; `None` when there is none in this tenant.
    pub proposal: Option<&'a ProposalState>,
    /// The approver's present role; `None` when not a member.
    pub role: Option<Role>,
    /// The owner of the agent that proposed, when it is registered as a person's own.
    pub agent_owner: Option<UserId>,
    pub credential: Credential<'a>,
    /// The cards that count as *this* proposal's, as (renderer version, view digest).
    pub views: &'a [(u32, Digest)],
}

/// By what the approver is known.
#[derive(Clone, Debug)]
pub enum Credential<'a> {
    /// A signed-in session of that person.
    Session(UserId),
    /// The device that the decision names and that signed it; `None` when it did not, or was never in service here.
    Device(Option<&'a SignedBy<'a>>),
}

/// A device as the journal has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeviceStanding {
    pub user: UserId,
    pub key: PublicKey,
    pub revoked: bool,
    /// Two records with one number were seen.
    pub forked: bool,
    /// The highest sequence number that it has used; 0 when none.
    pub last_seq: u64,
}

impl DeviceStanding {
    /// Checks the device's signature, which costs more than everything else about a decision and is therefore done once;
    /// `None` when it did not sign these bytes.
    pub fn signed(self, record: &Record) -> Option<SignedBy<'_>> {
        record.is_signed_by(&self.key).then_some(SignedBy {
            standing: self,
            record,
        })
    }
}

/// A device together with a record that it was found to have signed. There is no other way to make one than
/// [`DeviceStanding::signed`].
#[derive(Clone, Debug)]
pub struct SignedBy<'r> {
    standing: DeviceStanding,
    record: &'r Record,
}

impl SignedBy<'_> {
    /// The device.
    pub const fn standing(&self) -> &DeviceStanding {
        &self.standing
    }
}

/// A decision that was found to count. There is no other way to make one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Effective {
    decision: Decision,
    digest: Digest,
}

impl Effective {
    /// What was decided.
    pub const fn decision(&self) -> &Decision {
        &self.decision
    }

    /// The record's digest.
    pub const fn digest(&self) -> Digest {
        self.digest
    }
}

/// Decides whether a decision counts at `now`, the server's time of receipt.
///
/// The checks have a fixed order, and who asks comes before what state the proposal is in: a stranger learns nothing.
///
/// # Errors
/// The first reason for which it does not count; `Err(Err(_))` when the record is not a decision at all.
pub fn verify_decision(
    record: &Record,
    world: &Circumstances<'_>,
    now: UnixMillis,
) -> Result<Effective, Result<Reason, InvalidRecord>> {
    let decision: Decision = record.body().map_err(Err)?;
    match check(record, &decision, world, now) {
        Ok(()) => Ok(Effective {
            decision,
            digest: record.digest,
        }),
        Err(reason) => Err(Ok(reason)),
    }
}

fn check(
    record: &Record,
    decision: &Decision,
    world: &Circumstances<'_>,
    now: UnixMillis,
) -> Result<(), Reason> {
    credential(record, decision, &world.credential)?;
    let proposal = world.proposal.ok_or(Reason::UnknownProposal)?;
    if decision.tenant != world.tenant || decision.proposal != proposal.id {
        return Err(Reason::UnknownProposal);
    }
    if decision.proposal_digest != proposal.digest {
        return Err(Reason::DigestMismatch);
    }
    if !world.role.is_some_and(Role::decides) {
        return Err(Reason::NotEligible);
    }
    let own = is_own(&proposal.proposer, world.agent_owner, decision.approver);
    if own && world.mode == Mode::Company && decision.verdict == Verdict::Approve {
        return Err(Reason::SelfApproval);
    }
    open(proposal, decision, now)?;
    match decision.verdict {
        Verdict::Approve if decision.expires_at <= now => Err(Reason::Expired),
        Verdict::Approve => approve(proposal, decision, world, own),
        // Nothing is loosened by these: a session is enough, an old card does no harm, and a late no is still a no.
        Verdict::Reject | Verdict::Retract => Ok(()),
    }
}

/// The approver is who the credential says, and the bytes are the ones that were signed.
fn credential(record: &Record, decision: &Decision, credential: &Credential<'_>) -> Result<(), Reason> {
    match credential {
        Credential::Session(user) => {
            let bare =
                decision.device.is_none() && decision.device_seq.is_none() && record.signature.is_none();
            if !bare || decision.assurance != Assurance::Session || *user != decision.approver {
                return Err(Reason::BadSignature);
            }
        }
        Credential::Device(device) => {
            let signed = device.filter(|signed| core::ptr::eq(signed.record, record));
            let device = signed.ok_or(Reason::BadSignature)?.standing();
            if decision.device.is_none() || device.user != decision.approver {
                return Err(Reason::BadSignature);
            }
            if device.revoked {
                return Err(Reason::DeviceRevoked);
            }
            // The same envelope again is answered before it comes here; another one with a used number is a fork.
            if device.forked || decision.device_seq.is_none_or(|seq| seq <= device.last_seq) {
                return Err(Reason::Fork);
            }
        }
    }
    Ok(())
}

/// Whether `person` proposed it, has it proposed in their name, owns the agent that did, or had a hand in what it came from.
pub fn is_own(proposer: &Proposer, agent_owner: Option<UserId>, person: UserId) -> bool {
    [proposer.person(), proposer.on_behalf_of, agent_owner].contains(&Some(person))
        || proposer.contributors.contains(&person)
}

/// The proposal's state still takes this verdict.
fn open(proposal: &ProposalState, decision: &Decision, now: UnixMillis) -> Result<(), Reason> {
    let status = proposal.status(now);
    status.still_open()?;
    let mut mine = proposal.approvals_of(decision.approver);
    let takes = match decision.verdict {
        // One that is too weak for a requirement that has grown since may be given again.
        Verdict::Approve => status == Status::Proposed && !mine.any(|cast| proposal.suffices(cast)),
        Verdict::Reject => true,
        Verdict::Retract => mine.any(|cast| Some(cast.digest) == decision.retracts),
    };
    if takes { Ok(()) } else { Err(Reason::Decided) }
}

/// What an approval needs beyond being allowed to decide.
fn approve(
    proposal: &ProposalState,
    decision: &Decision,
    world: &Circumstances<'_>,
    own: bool,
) -> Result<(), Reason> {
    if proposal.awaits_preview()
        || decision.preview != proposal.preview
        || !world.views.contains(&(decision.renderer, decision.view))
    {
        return Err(Reason::ViewMismatch);
    }
    let least = least_assurance(proposal, world.mode, own);
    if decision.assurance < least {
        Err(Reason::AssuranceTooLow)
    } else {
        Ok(())
    }
}

/// The least assurance with which an approval of `proposal` counts. In a solo tenant, where nobody else can look, an
/// approval of one's own proposal takes a device and a typed confirmation instead (design §4).
pub fn least_assurance(proposal: &ProposalState, mode: Mode, own: bool) -> Assurance {
    let required = proposal
        .policy
        .as_ref()
        .map_or(Assurance::DeviceConfirmed, |p| p.requirement.assurance);
    if own && mode == Mode::Solo {
        required.max(Assurance::DeviceConfirmed)
    } else {
        required
    }
}

//! Whether a call may begin: authority complete, not held, not over (design §6).

use crate::{
    Digest, UnixMillis,
    fold::{ProposalState, Status},
    id::ProposalId,
    record::{PolicyDecision, Reason},
};

/// What a run stands on. There is no way to make one but [`Authority::of`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Authority {
    proposal: ProposalId,
    digest: Digest,
    approvals: Vec<Digest>,
}

/// Why a call may not begin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Blocked {
    /// Its status is not `pending`.
    Status(Status),
    /// It is pending, and waits until then.
    Held(UnixMillis),
    /// An approval on which it stands is past its own time; it is voided before anything else happens.
    Stale(Digest, Reason),
}

impl Authority {
    /// The authority to run `proposal` at `now`.
    ///
    /// # Errors
    /// Why there is none.
    pub fn of(proposal: &ProposalState, now: UnixMillis) -> Result<Self, Blocked> {
        let status = proposal.status(now);
        if status != Status::Pending {
            return Err(Blocked::Status(status));
        }
        if let Some(stale) = proposal
            .standing()
            .find(|cast| cast.verdict == crate::record::Verdict::Approve && cast.expires_at <= now)
        {
            return Err(Blocked::Stale(stale.digest, Reason::Expired));
        }
        match proposal.held_until() {
            Some(until) if until > now => return Err(Blocked::Held(until)),
            Some(_) | None => {}
        }
        let allowed = proposal
            .policy
            .as_ref()
            .is_some_and(|policy| policy.decision == PolicyDecision::Allow);
        let approvals = if allowed { Vec::new() } else { proposal.authority() };
        Ok(Self {
            proposal: proposal.id,
            digest: proposal.digest,
            approvals,
        })
    }

    /// The proposal that may run.
    pub const fn proposal(&self) -> ProposalId {
        self.proposal
    }

    /// Digest of that proposal's record: what was approved, and nothing else.
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// Digests of the approvals; empty when policy allowed the call.
    pub fn approvals(&self) -> &[Digest] {
        &self.approvals
    }
}

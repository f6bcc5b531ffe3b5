//! The steps of a run, judged: whether a call may begin, under which lease, whether a receipt is taken, and what is known
//! after a crash (design §6). Pure: the server asks in its writer's transaction, the executor before it acts, and the model
//! of the protocol (`tests/protocol`) asks the same functions.

use crate::{
    Digest, Millis, UnixMillis,
    fold::{ProposalState, Status},
    id::ProposalId,
    record::{Begin, EffectClass, Executor, Outcome, PolicyDecision, Reason, Receipt},
};

/// How long a lease may wait for its begin, and a begun call for its receipt, before it counts as silent.
pub const LEASE: Millis = Millis::seconds(60);

/// Most requests for one begin: the first, and those that are made again under its key.
pub const MOST_ATTEMPTS: u8 = 3;

/// What a run stands on. There is no way to make one but [`Authority::of`] and [`confirm`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Authority {
    proposal: ProposalId,
    digest: Digest,
    preview: Option<Digest>,
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
        Ok(Self::standing(proposal))
    }

    /// Of the approvals that stand, or of none where policy allowed the call.
    fn standing(proposal: &ProposalState) -> Self {
        let allowed = proposal
            .policy
            .as_ref()
            .is_some_and(|policy| policy.decision == PolicyDecision::Allow);
        Self {
            proposal: proposal.id,
            digest: proposal.digest,
            preview: proposal.preview,
            approvals: if allowed { Vec::new() } else { proposal.authority() },
        }
    }

    /// The proposal that may run.
    pub const fn proposal(&self) -> ProposalId {
        self.proposal
    }

    /// Digest of that proposal's record: what was approved, and nothing else.
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// Digest of what people were shown of its effect, where there was something to show.
    pub const fn preview(&self) -> Option<Digest> {
        self.preview
    }

    /// Digests of the approvals; empty when policy allowed the call.
    pub fn approvals(&self) -> &[Digest] {
        &self.approvals
    }
}

/// Why an executor's step is not taken. Every one is final for its fence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunRefusal {
    /// No such proposal, or another executor's: the same answer.
    NotFound,
    /// The fence is not the newest, or no lease stands.
    Fenced,
    /// The proposal's state does not take the step.
    State(Status),
    /// It is held until then.
    Held(UnixMillis),
    /// A stop stands over it.
    Stopped,
    /// The record is about other bytes than the proposal's, or than those that people were shown of its effect.
    DigestMismatch,
    /// The receipt tells of more requests than the call may take.
    Attempts,
}

/// Whether a step is taken now, or was before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    New,
    /// The very same record was taken before, and gets the same answer.
    Again,
}

/// The newest lease of a call that has not begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// Its number: it grows with each lease of the call, and is 0 before the first.
    pub fence: u64,
    /// Until when it may be begun under; `None` once it has ended.
    pub until: Option<UnixMillis>,
}

impl Lease {
    /// Whether somebody may still begin under it.
    pub fn stands(self, now: UnixMillis) -> bool {
        self.until.is_some_and(|until| until > now)
    }

    /// Whether `by` may speak under `fence`, and has begun under it already.
    ///
    /// # Errors
    /// Why not.
    pub fn admits(
        self,
        call: &ProposalState,
        by: Executor,
        fence: u64,
        now: UnixMillis,
    ) -> Result<Step, RunRefusal> {
        if call.executor != by {
            return Err(RunRefusal::NotFound);
        }
        match &call.begun {
            Some(begun) if begun.fence == fence => Ok(Step::Again),
            None if self.fence == fence && self.stands(now) => Ok(Step::New),
            Some(_) | None => Err(RunRefusal::Fenced),
        }
    }
}

/// Why a begin is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotBegun {
    Refused(RunRefusal),
    /// An approval on which the call stands is past its own time: it is voided, and the begin judged again.
    Stale(Digest, Reason),
}

/// Whether a begin under a lease that admits it is accepted. Everything that it depends on is as of the transaction that
/// journals it: `stopped` is whether a stop stands over the call.
///
/// # Errors
/// Why not.
pub fn begin(call: &ProposalState, begin: &Begin, stopped: bool, now: UnixMillis) -> Result<(), NotBegun> {
    if stopped {
        return Err(NotBegun::Refused(RunRefusal::Stopped));
    }
    if begin.proposal_digest != call.digest {
        return Err(NotBegun::Refused(RunRefusal::DigestMismatch));
    }
    if begin.preview != call.preview {
        return Err(NotBegun::Refused(RunRefusal::DigestMismatch));
    }
    match Authority::of(call, now) {
        Ok(authority) if authority.approvals() == begin.authority => Ok(()),
        // What the executor checked is not what stands now: it claims again and looks again.
        Ok(_) => Err(NotBegun::Refused(RunRefusal::Fenced)),
        Err(Blocked::Held(until)) => Err(NotBegun::Refused(RunRefusal::Held(until))),
        Err(Blocked::Status(status)) => Err(NotBegun::Refused(RunRefusal::State(status))),
        Err(Blocked::Stale(approval, reason)) => Err(NotBegun::Stale(approval, reason)),
    }
}

/// Whether a receipt is taken. `digest` is its record's. A late one settles an unknown outcome; what is known stays.
///
/// # Errors
/// Why not.
pub fn complete(
    call: &ProposalState,
    receipt: &Receipt,
    digest: Digest,
    now: UnixMillis,
) -> Result<Step, RunRefusal> {
    let Some(begun) = &call.begun else {
        return Err(if call.executor == receipt.executor {
            RunRefusal::State(call.status(now))
        } else {
            RunRefusal::NotFound
        });
    };
    if begun.executor != receipt.executor {
        return Err(RunRefusal::NotFound);
    }
    if begun.fence != receipt.fence {
        return Err(RunRefusal::Fenced);
    }
    if receipt.proposal_digest != call.digest {
        return Err(RunRefusal::DigestMismatch);
    }
    if !receipt.attempts_fit(call.effect) {
        return Err(RunRefusal::Attempts);
    }
    match &call.ended {
        None => Ok(Step::New),
        Some(ended) if ended.digest == digest => Ok(Step::Again),
        Some(ended) if ended.outcome == Outcome::Unknown && receipt.outcome != Outcome::Unknown => {
            Ok(Step::New)
        }
        Some(_) => Err(RunRefusal::State(call.recorded_status())),
    }
}

/// Whether the fence under which `by` has begun a call still stands, so that its request may be made again under the same key
/// (design §6): nobody knows how it ended, and nobody has said so. As of one transaction; `stopped` is whether a stop stands
/// over the call.
///
/// # Errors
/// Why not. All but a stop are for good.
pub fn confirm(
    call: &ProposalState,
    by: Executor,
    fence: u64,
    stopped: bool,
) -> Result<Authority, RunRefusal> {
    if call.executor != by {
        return Err(RunRefusal::NotFound);
    }
    if call.begun.as_ref().is_none_or(|begun| begun.fence != fence) {
        return Err(RunRefusal::Fenced);
    }
    if call.effect != EffectClass::Idempotent || call.ended.is_some() || call.resolved.is_some() {
        return Err(RunRefusal::State(call.recorded_status()));
    }
    if stopped {
        return Err(RunRefusal::Stopped);
    }
    Ok(Authority::standing(call))
}

/// How long a target knows a request again by its key, and since when at the earliest, by one clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeyWindow {
    pub since: UnixMillis,
    pub length: Millis,
}

impl KeyWindow {
    /// Whether a request that is made `now` and takes `longest` at most gets there while its key is known. A clock that has
    /// gone back says nothing, so the answer is no.
    pub fn holds(self, now: UnixMillis, longest: Millis) -> bool {
        let spent = now.since(self.since).0;
        spent >= 0 && spent.saturating_add(longest.0.max(0)) < self.length.0
    }
}

/// What the answer to a request that was made again says of the call. Only a yes counts: a target that would know the key may
/// say no before it has looked for it, and what the first request did is then as little known as before.
pub const fn of_another_attempt(heard: Outcome) -> Outcome {
    match heard {
        Outcome::Completed => Outcome::Completed,
        Outcome::Failed | Outcome::Unknown => Outcome::Unknown,
    }
}

/// What is known of a call that had begun when its executor was interrupted. Without an intent nothing was sent: the
/// intent is durable before the call. With one, only a tool that changes nothing is known to have changed nothing.
pub const fn after_crash(effect: EffectClass, intended: bool) -> Outcome {
    match effect {
        EffectClass::Read => Outcome::Failed,
        EffectClass::Local | EffectClass::Idempotent | EffectClass::Checkable | EffectClass::Opaque => {
            if intended {
                Outcome::Unknown
            } else {
                Outcome::Failed
            }
        }
    }
}

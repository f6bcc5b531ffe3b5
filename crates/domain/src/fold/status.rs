//! Where a proposal stands.

use serde::{Deserialize, Serialize};

use super::{Closed, Merged, ProposalState};
use crate::{
    UnixMillis,
    record::{Outcome, PolicyDecision, Reason},
};

/// Where a proposal stands (design §5). `Pending` keeps the seed's meaning: approved, waiting to run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Proposed,
    Pending,
    Running,
    Completed,
    Failed,
    Unknown,
    Rejected,
    Denied,
    Expired,
    Withdrawn,
    Superseded,
}

impl Status {
    /// Every status with its name on the wire.
    pub const ALL: [(Self, &'static str); 11] = [
        (Self::Proposed, "proposed"),
        (Self::Pending, "pending"),
        (Self::Running, "running"),
        (Self::Completed, "completed"),
        (Self::Failed, "failed"),
        (Self::Unknown, "unknown"),
        (Self::Rejected, "rejected"),
        (Self::Denied, "denied"),
        (Self::Expired, "expired"),
        (Self::Withdrawn, "withdrawn"),
        (Self::Superseded, "superseded"),
    ];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    /// Reads a name from the wire.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(_, n)| *n == name)
            .map(|(status, _)| *status)
    }

    /// Whether nothing more will happen to the proposal by itself. `Unknown` waits for people or a late receipt.
    pub const fn is_final(self) -> bool {
        !matches!(
            self,
            Self::Proposed | Self::Pending | Self::Running | Self::Unknown
        )
    }

    /// Whether it is over, nothing has happened, and nothing else was asked for in its place: then the same may be asked for
    /// again.
    pub const fn came_to_nothing(self) -> bool {
        matches!(
            self,
            Self::Failed | Self::Rejected | Self::Denied | Self::Expired | Self::Withdrawn
        )
    }

    /// Whether it is neither over nor begun.
    pub const fn is_open(self) -> bool {
        self.still_open().is_ok()
    }

    /// That it is neither over nor begun.
    ///
    /// # Errors
    /// Why it is too late.
    pub const fn still_open(self) -> Result<(), Reason> {
        match self {
            Self::Proposed | Self::Pending => Ok(()),
            Self::Running | Self::Completed | Self::Failed | Self::Unknown => Err(Reason::TooLate),
            Self::Rejected => Err(Reason::Decided),
            Self::Denied => Err(Reason::DeniedByPolicy),
            Self::Expired => Err(Reason::Expired),
            Self::Withdrawn => Err(Reason::Withdrawn),
            Self::Superseded => Err(Reason::Superseded),
        }
    }

    /// What a recorded status is at `now`: what is open is over once it has expired, entry or no entry.
    #[must_use]
    pub fn at(self, now: UnixMillis, expires_at: UnixMillis) -> Self {
        if self.is_open() && expires_at <= now {
            Self::Expired
        } else {
            self
        }
    }
}

impl ProposalState {
    /// Where the proposal stands at `now`. Only expiry depends on `now`: an `expire` entry may be late, the answer
    /// is not.
    pub fn status(&self, now: UnixMillis) -> Status {
        self.recorded_status().at(now, self.expires_at)
    }

    /// Where the entries alone put the proposal, whatever the time is.
    pub fn recorded_status(&self) -> Status {
        if let Some(resolved) = self.resolved {
            return if resolved.happened {
                Status::Completed
            } else {
                Status::Failed
            };
        }
        if let Some(ended) = &self.ended {
            return match ended.outcome {
                Outcome::Completed => Status::Completed,
                Outcome::Failed => Status::Failed,
                Outcome::Unknown => Status::Unknown,
            };
        }
        if self.begun.is_some() {
            return if self.lapsed_at.is_some() {
                Status::Unknown
            } else {
                Status::Running
            };
        }
        let decision = self.policy.as_ref().map(|policy| policy.decision);
        // What people and policy have refused stays refused, whatever entry follows.
        match (decision, self.merged(), &self.closed) {
            (_, Merged::Rejected { .. }, _) => Status::Rejected,
            (Some(PolicyDecision::Deny), ..) => Status::Denied,
            (.., Some(Closed::Withdrawn { .. })) => Status::Withdrawn,
            (.., Some(Closed::Superseded { .. })) => Status::Superseded,
            (.., Some(Closed::Expired { .. })) => Status::Expired,
            (Some(PolicyDecision::Allow), ..)
            | (Some(PolicyDecision::RequiresApproval), Merged::Approved { .. }, None) => Status::Pending,
            (Some(PolicyDecision::RequiresApproval) | None, ..) => Status::Proposed,
        }
    }

    /// Since when it is over, when its newest entry is of `last`, but for one that only says that its time is up: that may be
    /// late. `None` while it is not over.
    pub fn over_since(&self, last: UnixMillis, now: UnixMillis) -> Option<UnixMillis> {
        let status = self.status(now);
        let expired = (status == Status::Expired).then_some(self.expires_at);
        status
            .is_final()
            .then(|| expired.map_or(last, |expired| last.max(expired)))
    }

    /// The earliest time at which a pending call may begin: its hold after the approval was whole, or the scheduled
    /// time when that is later. `None` while it is not pending.
    pub fn held_until(&self) -> Option<UnixMillis> {
        let policy = self.policy.as_ref()?;
        if self.recorded_status() != Status::Pending {
            return None;
        }
        let from = match (policy.decision, self.merged()) {
            (PolicyDecision::RequiresApproval, Merged::Approved { at }) => at,
            _ => policy.at,
        };
        let held = from + policy.requirement.hold;
        Some(self.not_before.map_or(held, |scheduled| held.max(scheduled)))
    }
}

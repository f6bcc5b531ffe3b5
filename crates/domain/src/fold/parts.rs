//! What the journal says of a proposal, piece by piece.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::{
    Digest, UnixMillis,
    id::{DeviceId, ProposalId, UserId},
    record::{Actor, Assurance, Executor, Failure, Outcome, PolicyDecision, Requirement, Verdict},
};

/// A question to the proposer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Time of its entry.
    pub at: UnixMillis,
    pub by: UserId,
    pub digest: Digest,
    pub text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answered>,
}

/// The answer to a question: the first one that the journal has.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answered {
    /// Time of its entry.
    pub at: UnixMillis,
    pub by: Actor,
    pub digest: Digest,
    pub text: String,
}

/// One person's word on an unknown outcome.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Said {
    pub at: UnixMillis,
    pub happened: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    pub digest: Digest,
}

/// What people have settled.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resolved {
    pub at: UnixMillis,
    pub happened: bool,
}

/// What policy has said so far: the newest evaluation, as far as it is not looser than those before.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicySays {
    pub decision: PolicyDecision,
    pub reason: String,
    pub policies: Vec<String>,
    pub requirement: Requirement,
    /// Time of the entry: for an allowed call the start of its hold.
    pub at: UnixMillis,
}

impl PolicySays {
    /// What it says after a later evaluation, which can only tighten it (design §8).
    pub(super) fn tightened(self, newest: Self) -> Self {
        let requirement = self.requirement.max(newest.requirement);
        match newest.decision.cmp(&self.decision) {
            Ordering::Less => Self { requirement, ..self },
            // The hold of an allowed call began when it was first allowed.
            Ordering::Equal => Self {
                requirement,
                at: self.at,
                ..newest
            },
            Ordering::Greater => Self {
                requirement,
                ..newest
            },
        }
    }
}

/// One decision in the journal.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cast {
    /// Time of the entry, the server's; what order and expiry go by.
    pub at: UnixMillis,
    pub digest: Digest,
    pub verdict: Verdict,
    pub approver: UserId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceId>,
    pub assurance: Assurance,
    pub decided_at: UnixMillis,
    pub expires_at: UnixMillis,
    pub offline: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retracts: Option<Digest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Sequence number of its entry: where its signed bytes are.
    pub seq: u64,
}

/// An end without a run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Closed {
    Withdrawn {
        at: UnixMillis,
    },
    Superseded {
        at: UnixMillis,
        reason: String,
        successor: Option<ProposalId>,
    },
    Expired {
        at: UnixMillis,
    },
}

impl Closed {
    /// When it was.
    pub const fn at(&self) -> UnixMillis {
        match self {
            Self::Withdrawn { at } | Self::Superseded { at, .. } | Self::Expired { at } => *at,
        }
    }
}

/// The accepted begin.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Begun {
    pub at: UnixMillis,
    pub executor: Executor,
    pub fence: u64,
    pub digest: Digest,
}

/// The accepted receipt.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ended {
    pub at: UnixMillis,
    pub outcome: Outcome,
    pub summary: String,
    pub started_at: UnixMillis,
    pub finished_at: UnixMillis,
    pub dispatched: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    pub digest: Digest,
}

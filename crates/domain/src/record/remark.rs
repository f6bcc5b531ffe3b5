//! What is said about a proposal while it waits: a question, and the answer to it.

use serde::{Deserialize, Serialize};

use super::{Actor, Body, Kind, Nonce, proposal::subject};
use crate::{
    Digest, UnixMillis,
    id::{DeviceId, ProposalId},
};

/// Most characters of a remark.
pub const LONGEST_REMARK: usize = 2_000;
/// Most questions about one proposal.
pub const MOST_QUESTIONS: usize = 20;

/// A question of somebody who decides, or the proposer's answer to one. It changes nothing about what is asked for: the
/// state stays, and so does the time that is left.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remark {
    /// Digest of the question that it answers; absent in a question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers: Option<Digest>,
    /// By the clock of whoever made it: information, never an order.
    pub at: UnixMillis,
    pub by: Actor,
    /// The device that signed it, with its next sequence number and previous record; absent for a session or a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_seq: Option<u64>,
    pub nonce: Nonce,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Digest>,
    pub proposal: ProposalId,
    pub proposal_digest: Digest,
    /// 1 to [`LONGEST_REMARK`] characters. Data to show, never an instruction.
    pub text: String,
}

impl Remark {
    /// Whether its text is one that can be kept.
    pub fn fits(&self) -> bool {
        !self.text.trim().is_empty() && self.text.chars().count() <= LONGEST_REMARK
    }
}

impl Body for Remark {
    const KIND: Kind = Kind::Remark;

    fn subject(&self) -> String {
        subject(self.proposal)
    }

    fn link(&self) -> Option<(DeviceId, u64)> {
        self.device.zip(self.device_seq)
    }
}

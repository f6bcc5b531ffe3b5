//! Taking a person's data out of the journal without touching what it proves.

use serde::{Deserialize, Serialize};

use super::{Body, Decision, Kind, Nonce, Record, Resolution, Withdraw};
use crate::{
    Digest, UnixMillis,
    id::{ProposalId, TenantId, UserId},
};

/// What was written about a finished proposal is gone: of every earlier entry about it that [`Record::is_erasable`] the body
/// is erased where the journal is kept. The headers stay, so the tree and every proof over it stay as they are.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Erase {
    pub at: UnixMillis,
    /// Owner or admin; absent where the tenant's rules had it erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<UserId>,
    pub nonce: Nonce,
    pub proposal: ProposalId,
    /// A sentence for people, at most 500 characters; it stays.
    pub reason: String,
    /// The record whose table of rules says that such a thing is kept no longer; absent where a person had it erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<Digest>,
    pub tenant: TenantId,
}

impl Body for Erase {
    const KIND: Kind = Kind::Erase;

    fn subject(&self) -> String {
        format!("proposal/{}", self.proposal)
    }
}

impl Record {
    /// Whether an erasure takes this record's body away: it holds what an agent, a tool or a person has written. Who
    /// decided, when, and on which bytes stays, with the signature, unless a comment stands in it.
    pub fn is_erasable(&self) -> bool {
        match self.kind {
            Kind::Proposal | Kind::Preview | Kind::Receipt | Kind::Remark => true,
            Kind::Decision => self
                .glance::<Decision>()
                .is_some_and(|body| body.comment.is_some()),
            Kind::Withdraw => self
                .glance::<Withdraw>()
                .is_some_and(|body| body.reason.is_some()),
            Kind::Resolution => self
                .glance::<Resolution>()
                .is_some_and(|body| body.note.is_some()),
            Kind::Evaluation
            | Kind::Void
            | Kind::Supersede
            | Kind::Expire
            | Kind::Begin
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
            | Kind::Stop
            | Kind::Release
            | Kind::Rules
            | Kind::Rotate
            | Kind::Erase => false,
        }
    }
}

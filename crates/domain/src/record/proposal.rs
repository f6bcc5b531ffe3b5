//! What is proposed, what policy said of it, what its holder previewed, and how it ends without running.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize, Serializer, ser::SerializeStruct as _};

use super::{Actor, Assurance, Body, Kind, Nonce, write_tagged};
use crate::{
    Digest, Millis, UnixMillis,
    canonical::{self, Value},
    id::{ConnectionId, DeviceId, ProposalId, TenantId, UserId},
};

/// A proposed tool call. Made by the server at ingress from the proposer's request; nothing in it changes afterwards.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proposal {
    /// The tool's input after normalisation and validation: an object, all of which is on the card.
    pub args: Value,
    /// The way out that the call uses; `None` for tools that act inside the tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<ConnectionRef>,
    pub created_at: UnixMillis,
    pub effect: EffectClass,
    /// From then on nobody can approve it (72 hours after `created_at` unless asked or ruled otherwise).
    pub expires_at: UnixMillis,
    pub id: ProposalId,
    pub nonce: Nonce,
    /// Earliest time to run, when the proposer asked for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<UnixMillis>,
    pub proposer: Proposer,
    /// The failed or unknown proposal that this one tries again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<ProposalId>,
    pub risk: Risk,
    /// Why the risk is what it is, a sentence each.
    pub risk_reasons: Vec<String>,
    /// The open proposal that this one replaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supersedes: Option<ProposalId>,
    pub tenant: TenantId,
    pub tool: ToolRef,
    /// The proposer's own words: shown apart, never trusted.
    #[serde(default, skip_serializing_if = "Untrusted::is_empty")]
    pub untrusted: Untrusted,
}

impl Proposal {
    /// What it asks for, apart from who asks and when: tool, target and normalised arguments. Two proposals with one
    /// intent would do the same.
    ///
    /// # Errors
    /// When the arguments break a limit of the canonical profile.
    pub fn intent(&self) -> Result<Digest, canonical::Error> {
        let target = self.connection.as_ref().map(|named| named.id.to_string());
        let args = canonical::to_vec(&self.args)?;
        let (tool, target) = (self.tool.id.as_bytes(), target.unwrap_or_default());
        Ok(Digest::of_parts(&[tool, b"\n", target.as_bytes(), b"\n", &args]))
    }
}

impl Body for Proposal {
    const KIND: Kind = Kind::Proposal;

    fn subject(&self) -> String {
        subject(self.id)
    }
}

impl Proposal {
    /// The same request of the same proposer, for the tool and the connection as they have become: it supersedes this one
    /// and ends when this one would have. Nothing that was decided about this one is about it.
    #[must_use]
    pub fn renewed(&self, renewal: Renewal) -> Self {
        Self {
            args: renewal.args,
            connection: renewal.connection,
            created_at: renewal.created_at,
            effect: renewal.effect,
            id: renewal.id,
            nonce: renewal.nonce,
            risk: renewal.risk,
            risk_reasons: renewal.risk_reasons,
            supersedes: Some(self.id),
            tool: renewal.tool,
            ..self.clone()
        }
    }
}

/// What of a request is made anew when its tool or its connection has changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Renewal {
    pub args: Value,
    pub connection: Option<ConnectionRef>,
    pub created_at: UnixMillis,
    pub effect: EffectClass,
    pub id: ProposalId,
    pub nonce: Nonce,
    pub risk: Risk,
    pub risk_reasons: Vec<String>,
    pub tool: ToolRef,
}

/// The journal subject of everything about one proposal.
pub(super) fn subject(id: ProposalId) -> String {
    format!("proposal/{id}")
}

/// Exactly which tool: its manifest's digest pins schema, card and effect class.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolRef {
    pub id: String,
    pub manifest: Digest,
    pub version: String,
}

/// Exactly which connection, in exactly which public configuration.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectionRef {
    /// Digest of the canonical public configuration.
    pub config: Digest,
    pub holder: Holder,
    pub id: ConnectionId,
}

/// Who holds a connection's secret, and so previews and executes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", content = "id", rename_all = "snake_case", deny_unknown_fields)]
pub enum Holder {
    /// The tenant server.
    Tenant,
    /// One enrolled device.
    Device(DeviceId),
}

impl Holder {
    /// The device, where it is one.
    pub const fn device(self) -> Option<DeviceId> {
        match self {
            Self::Tenant => None,
            Self::Device(device) => Some(device),
        }
    }
}

impl Serialize for Holder {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Tenant => write_tagged::<DeviceId, S>("tenant", None, serializer),
            Self::Device(id) => write_tagged("device", Some(id), serializer),
        }
    }
}

/// Who proposed, as the credential says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Proposer {
    /// Whoever else asked for what this came from, or has written on it; none of them approves it in a company.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub contributors: BTreeSet<UserId>,
    /// The agent's or user's id.
    pub id: String,
    pub kind: ProposerKind,
    /// The name under which it is registered.
    pub name: String,
    /// The person for whom the agent acts; that person never approves it in a company.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<UserId>,
    /// The proposer's own name for the run, at most 128 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
}

impl Proposer {
    /// The person who proposed, where it was one.
    pub fn person(&self) -> Option<UserId> {
        match self.kind {
            ProposerKind::User => self.id.parse().ok(),
            ProposerKind::Agent | ProposerKind::System => None,
        }
    }

    /// This proposer of what has come from a proposal of `before`: an edit of it, or the same once more. It is asked for in the
    /// name of whoever asked for that one, and everybody who could not approve that one cannot approve this one either.
    /// `owner` is the person behind the agent that made it.
    #[must_use]
    pub fn following(self, before: &Self, owner: Option<UserId>) -> Self {
        let me = self.person();
        let asked = before.on_behalf_of.or(before.person());
        let on_behalf_of = self.on_behalf_of.or(asked).filter(|asked| Some(*asked) != me);
        let others = [before.person(), before.on_behalf_of, owner]
            .into_iter()
            .flatten();
        let all = others.chain(before.contributors.iter().copied());
        let contributors = all
            .filter(|one| ![me, on_behalf_of].contains(&Some(*one)))
            .collect();
        Self {
            contributors,
            on_behalf_of,
            ..self
        }
    }
}

/// What sort of proposer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ProposerKind {
    Agent,
    User,
    System,
}

/// What a call may do to the world, and so what a crash leaves behind (design §6).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum EffectClass {
    /// Changes nothing.
    Read,
    /// Changes only the tenant's own store, in the transaction that records it.
    Local,
    /// May be sent again with the same key inside a declared window.
    Idempotent,
    /// A probe by unique reference tells whether it happened.
    Checkable,
    /// One attempt; when its outcome is not known, people decide.
    Opaque,
}

/// How bad a wrong call would be. Ordered: a later one is worse.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Risk {
    Low,
    Medium,
    High,
    Critical,
}

impl Risk {
    /// All four, mildest first.
    pub const ALL: [Self; 4] = [Self::Low, Self::Medium, Self::High, Self::Critical];

    /// One step worse, or the same when there is none.
    #[must_use]
    pub const fn raised(self) -> Self {
        match self {
            Self::Low => Self::Medium,
            Self::Medium => Self::High,
            Self::High | Self::Critical => Self::Critical,
        }
    }

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// What the proposer says beside the call. It is data to show, never an instruction.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Untrusted {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
    /// At most 2,000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Untrusted {
    /// Whether the proposer said nothing.
    pub fn is_empty(&self) -> bool {
        self.evidence.is_empty() && self.note.is_none()
    }
}

/// One thing that the proposer points at.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// At most 200 characters.
    pub title: String,
    /// At most 2,000 characters; never followed, never fetched.
    pub value: String,
}

/// What policy says to a call.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum PolicyDecision {
    // Ordered from loose to strict: a later evaluation may only move down this list.
    Allow,
    RequiresApproval,
    Deny,
}

/// When policy was asked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    Propose,
    Decide,
    Begin,
}

/// What has to come together before a call may run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// The least assurance that a counted approval has.
    pub assurance: Assurance,
    /// How long an approved call waits, so that its approval can be taken back.
    pub hold: Millis,
    /// How many distinct people.
    pub quorum: u32,
    /// How many distinct people settle an unknown outcome.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub settlers: u32,
}

const fn one() -> u32 {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
const fn is_one(number: &u32) -> bool {
    *number == 1
}

impl Requirement {
    /// The stricter of two requirements in every respect.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self {
            assurance: self.assurance.max(other.assurance),
            hold: self.hold.max(other.hold),
            quorum: self.quorum.max(other.quorum),
            settlers: self.settlers.max(other.settlers),
        }
    }
}

/// One evaluation of policy over one proposal; replayable from the bundle it names.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    /// Digest of the rules that were asked.
    pub bundle: Digest,
    pub decision: PolicyDecision,
    pub evaluated_at: UnixMillis,
    pub nonce: Nonce,
    pub phase: Phase,
    /// Ids of the rules that determined the answer.
    pub policies: Vec<String>,
    pub proposal: ProposalId,
    pub proposal_digest: Digest,
    /// A sentence for people.
    pub reason: String,
    pub requirement: Requirement,
}

impl Body for Evaluation {
    const KIND: Kind = Kind::Evaluation;

    fn subject(&self) -> String {
        subject(self.proposal)
    }
}

/// What the connection's holder says the call will do, made before anyone decides.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preview {
    /// Who made it: the holder of the connection, or the server.
    pub by: Holder,
    /// A device's next sequence number and previous record; absent when the server made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_seq: Option<u64>,
    pub made_at: UnixMillis,
    pub nonce: Nonce,
    pub outcome: PreviewOutcome,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Digest>,
    pub proposal: ProposalId,
    pub proposal_digest: Digest,
}

impl Body for Preview {
    const KIND: Kind = Kind::Preview;

    fn subject(&self) -> String {
        subject(self.proposal)
    }

    fn link(&self) -> Option<(DeviceId, u64)> {
        self.by.device().zip(self.device_seq)
    }
}

/// Whether there is anything to see beforehand.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum PreviewOutcome {
    /// The effect as the target would see it, in the tool's own form.
    Shown { content: Value },
    /// None could be made; the risk goes one step up.
    Unavailable { reason: String },
}

impl Serialize for PreviewOutcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("PreviewOutcome", 2)?;
        match self {
            Self::Shown { content } => {
                fields.serialize_field("content", content)?;
                fields.serialize_field("kind", "shown")?;
            }
            Self::Unavailable { reason } => {
                fields.serialize_field("kind", "unavailable")?;
                fields.serialize_field("reason", reason)?;
            }
        }
        fields.end()
    }
}

/// The proposer, or the person it acts for, takes the proposal back.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Withdraw {
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Body for Withdraw {
    const KIND: Kind = Kind::Withdraw;

    fn subject(&self) -> String {
        subject(self.proposal)
    }

    fn link(&self) -> Option<(DeviceId, u64)> {
        self.device.zip(self.device_seq)
    }
}

/// Another proposal takes this one's place, or what it relied on is gone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Supersede {
    pub at: UnixMillis,
    pub proposal: ProposalId,
    /// A sentence for people: "Replaced by its proposer", "The connection was removed".
    pub reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub successor: Option<ProposalId>,
}

impl Body for Supersede {
    const KIND: Kind = Kind::Supersede;

    fn subject(&self) -> String {
        subject(self.proposal)
    }
}

/// Nobody decided in time. Written before any later entry of the proposal; readers compute it from `now` anyway.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expire {
    pub at: UnixMillis,
    pub proposal: ProposalId,
}

impl Body for Expire {
    const KIND: Kind = Kind::Expire;

    fn subject(&self) -> String {
        subject(self.proposal)
    }
}

//! Records: what a journal entry's body says. One file per family; each kind has one canonical JSON form.
//!
//! A body is stored and signed as bytes and named only by its digest (SHA-256 over the DSSE PAE). Struct fields are
//! declared in canonical order, and the enums in them write themselves in it, so writing one needs no re-ordering;
//! nothing depends on that but speed.

mod decision;
mod device;
mod erase;
mod execution;
mod people;
mod proposal;
mod remark;
mod rules;
mod signer;
mod stop;
mod tenant;

use core::{fmt, str::FromStr};
use std::sync::OnceLock;

use serde::{Deserialize, Serialize, Serializer, de::DeserializeOwned, ser::SerializeStruct as _};

pub use decision::{Assurance, CheckpointSeen, Decision, Reason, Verdict, Void};
pub use device::{Endorse, Endorsement, Enrol, Refuse, Revoke, Rotate};
pub use erase::Erase;
pub use execution::{
    Begin, Effect, Executor, Failure, LONGEST_SENTENCE, Lapse, Outcome, Receipt, Resolution, TaskPriority,
    is_sentence,
};
pub use people::{Agent, Invite, Member, Role};
pub use proposal::{
    ConnectionRef, EffectClass, Evaluation, Evidence, Expire, Holder, Phase, PolicyDecision, Preview,
    PreviewOutcome, Proposal, Proposer, ProposerKind, Renewal, Requirement, Risk, Supersede, ToolRef,
    Untrusted, Withdraw,
};
pub use remark::{LONGEST_REMARK, MOST_QUESTIONS, Remark};
pub use rules::{
    ApprovalRule, LONGEST_HOLD, LONGEST_KEPT, MOST_PEOPLE, MOST_RULES, Rules, asked, kept, lifetime, loosens,
    shortest_kept,
};
pub use stop::{Release, Scope, Stop};
pub use tenant::{Connection, ConnectionKind, Genesis, Mode};

use crate::{
    Digest, canonical,
    dsse::{self, Envelope},
    id::DeviceId,
};

/// What a record is about. On the wire and in a header its snake-case name; in DSSE's payload type likewise.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Genesis,
    Member,
    Invite,
    Agent,
    Connection,
    Manifest,
    Enrol,
    Endorse,
    Revoke,
    Refuse,
    Proposal,
    Preview,
    Evaluation,
    Decision,
    Void,
    Withdraw,
    Supersede,
    Expire,
    Begin,
    Receipt,
    Lapse,
    Resolution,
    Stop,
    Release,
    Rules,
    Rotate,
    Erase,
    Remark,
}

impl Kind {
    /// Every kind that this version knows, with its name.
    pub const ALL: [(Self, &'static str); 28] = [
        (Self::Genesis, "genesis"),
        (Self::Member, "member"),
        (Self::Invite, "invite"),
        (Self::Agent, "agent"),
        (Self::Connection, "connection"),
        (Self::Manifest, "manifest"),
        (Self::Enrol, "enrol"),
        (Self::Endorse, "endorse"),
        (Self::Revoke, "revoke"),
        (Self::Refuse, "refuse"),
        (Self::Proposal, "proposal"),
        (Self::Preview, "preview"),
        (Self::Evaluation, "evaluation"),
        (Self::Decision, "decision"),
        (Self::Void, "void"),
        (Self::Withdraw, "withdraw"),
        (Self::Supersede, "supersede"),
        (Self::Expire, "expire"),
        (Self::Begin, "begin"),
        (Self::Receipt, "receipt"),
        (Self::Lapse, "lapse"),
        (Self::Resolution, "resolution"),
        (Self::Stop, "stop"),
        (Self::Release, "release"),
        (Self::Rules, "rules"),
        (Self::Rotate, "rotate"),
        (Self::Erase, "erase"),
        (Self::Remark, "remark"),
    ];

    /// The kind's name in headers and payload types.
    pub const fn name(self) -> &'static str {
        // ALL is in declaration order; a test holds the two together.
        Self::ALL[self as usize].1
    }

    /// DSSE's `payloadType` of this kind, version 1.
    pub fn payload_type(self) -> String {
        dsse::payload_type(self.name())
    }

    /// Reads a `payloadType`; `None` for a kind or version that this version of Countersign does not know.
    pub fn from_payload_type(text: &str) -> Option<Self> {
        text.strip_prefix("application/vnd.countersign.")?
            .strip_suffix(".v1+json")?
            .parse()
            .ok()
    }
}

/// The name is not that of a kind this version knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a kind of record that this version does not know")]
pub struct UnknownKind;

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        Self::ALL
            .iter()
            .find(|(_, name)| *name == text)
            .map(|(kind, _)| *kind)
            .ok_or(UnknownKind)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A typed record body.
pub trait Body: Serialize + DeserializeOwned {
    /// The kind that the body belongs to.
    const KIND: Kind;

    /// What the entry is about, as the header's `subject`: `proposal/<id>`, `member/<id>`, …
    fn subject(&self) -> String;

    /// Its place in a device's chain: which device signs it, and under which of that device's numbers. `None` for what no
    /// device signs, or one signs without a number.
    fn link(&self) -> Option<(DeviceId, u64)> {
        None
    }
}

/// Stored bytes of a body with its kind, and the signature when a device made it.
#[derive(Clone, Debug)]
pub struct Record {
    /// What the body is.
    pub kind: Kind,
    /// The one signature over the body's PAE; `None` for what the server says, which its checkpoint covers.
    pub signature: Option<dsse::Signature>,
    /// SHA-256 over the PAE: the record's name.
    pub digest: Digest,
    bytes: Vec<u8>,
    /// The kind whose spelling `bytes` were found to be. They never change, so one look is enough for however many readers.
    spelling: OnceLock<Kind>,
}

impl PartialEq for Record {
    /// The same bytes of the same kind under the same signature, whether their spelling was looked at or not.
    fn eq(&self, other: &Self) -> bool {
        (self.kind, self.digest, &self.signature, &self.bytes)
            == (other.kind, other.digest, &other.signature, &other.bytes)
    }
}

impl Eq for Record {}

/// The bytes are not a record of the kind they claim to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRecord {
    /// The payload type names no kind that this version knows.
    #[error(transparent)]
    UnknownKind(#[from] UnknownKind),
    /// The body is not in canonical form, or not of the kind's shape.
    #[error("not a valid record body: {0}")]
    Body(String),
    /// Not exactly one signature where one is needed.
    #[error("a record carries exactly one signature")]
    Signatures,
}

impl Record {
    /// The record of these bytes, whatever they say. The digest is theirs; the signature is carried, not checked.
    pub fn new(kind: Kind, bytes: Vec<u8>, signature: Option<dsse::Signature>) -> Self {
        let digest = dsse::record_digest(&kind.payload_type(), &bytes);
        Self {
            kind,
            signature,
            digest,
            bytes,
            spelling: OnceLock::new(),
        }
    }

    /// The record that the server itself makes from a body.
    ///
    /// # Errors
    /// When the body breaks a limit of the canonical profile (depth, size, integers).
    pub fn unsigned<B: Body>(body: &B) -> Result<Self, canonical::Error> {
        Ok(Self::new(B::KIND, canonical::to_vec(body)?, None))
    }

    /// The record that a device makes and signs.
    ///
    /// # Errors
    /// When the body breaks a limit of the canonical profile (depth, size, integers).
    pub fn signed<B: Body>(body: &B, key: &dsse::SigningKey) -> Result<Self, canonical::Error> {
        let envelope = key.sign(&B::KIND.payload_type(), canonical::to_vec(body)?);
        let signature = envelope.signatures.into_iter().next();
        Ok(Self::new(B::KIND, envelope.payload, signature))
    }

    /// Takes a record as it came over the wire. The signature is carried, not checked: that needs the key.
    ///
    /// # Errors
    /// When the kind is unknown, the body is not canonical, or there is not exactly one signature.
    pub fn from_envelope(envelope: Envelope) -> Result<Self, InvalidRecord> {
        let kind = Kind::from_payload_type(&envelope.payload_type).ok_or(UnknownKind)?;
        canonical::check(&envelope.payload).map_err(|error| InvalidRecord::Body(error.to_string()))?;
        let mut signatures = envelope.signatures.into_iter();
        match (signatures.next(), signatures.next()) {
            (Some(signature), None) => Ok(Self::new(kind, envelope.payload, Some(signature))),
            _ => Err(InvalidRecord::Signatures),
        }
    }

    /// The record in DSSE's JSON form.
    pub fn to_envelope(&self) -> Envelope {
        Envelope {
            payload_type: self.kind.payload_type(),
            payload: self.bytes.clone(),
            signatures: self.signature.iter().cloned().collect(),
        }
    }

    /// The bytes of the body: what is hashed and signed.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The same, without the record.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The typed body.
    ///
    /// # Errors
    /// When the record is of another kind, or its bytes are not those that this body writes: what is signed and hashed has one
    /// spelling.
    pub fn body<B: Body>(&self) -> Result<B, InvalidRecord> {
        if self.kind != B::KIND {
            return Err(InvalidRecord::Body(format!(
                "a {} where a {} was expected",
                self.kind,
                B::KIND
            )));
        }
        let read = if self.spelling.get() == Some(&B::KIND) {
            canonical::from_checked(&self.bytes)
        } else {
            canonical::exactly(&self.bytes).inspect(|_| {
                self.spelling.get_or_init(|| B::KIND);
            })
        };
        read.map_err(|error| InvalidRecord::Body(error.to_string()))
    }

    /// The typed body, to find the signer, the place in its chain and the words of people by, which are the same in every spelling.
    /// Whoever goes by what a record says reads [`Self::body`].
    fn glance<B: Body>(&self) -> Option<B> {
        canonical::from_slice(&self.bytes).ok()
    }

    /// Its place in the chain of the device that has signed it: see [`Body::link`].
    pub fn link(&self) -> Option<(DeviceId, u64)> {
        self.signature.as_ref()?;
        match self.kind {
            Kind::Decision => self.glance::<Decision>()?.link(),
            Kind::Begin => self.glance::<Begin>()?.link(),
            Kind::Receipt => self.glance::<Receipt>()?.link(),
            Kind::Preview => self.glance::<Preview>()?.link(),
            Kind::Withdraw => self.glance::<Withdraw>()?.link(),
            Kind::Endorse => self.glance::<Endorse>()?.link(),
            Kind::Resolution => self.glance::<Resolution>()?.link(),
            Kind::Stop => self.glance::<Stop>()?.link(),
            Kind::Release => self.glance::<Release>()?.link(),
            Kind::Rules => self.glance::<Rules>()?.link(),
            Kind::Remark => self.glance::<Remark>()?.link(),
            Kind::Rotate => self.glance::<Rotate>()?.link(),
            Kind::Genesis
            | Kind::Member
            | Kind::Invite
            | Kind::Agent
            | Kind::Connection
            | Kind::Manifest
            | Kind::Enrol
            | Kind::Revoke
            | Kind::Refuse
            | Kind::Proposal
            | Kind::Evaluation
            | Kind::Void
            | Kind::Supersede
            | Kind::Expire
            | Kind::Lapse
            | Kind::Erase => None,
        }
    }

    /// Whether `key` signed exactly these bytes.
    pub fn is_signed_by(&self, key: &dsse::PublicKey) -> bool {
        self.signature.is_some() && self.to_envelope().verify(key).is_ok()
    }
}

/// 128 random bits that keep a body's digest from being guessed; text form 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nonce([u8; 16]);

impl Nonce {
    /// Wraps bytes that a shell drew from the operating system's random source.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Nonce({})", hex::encode(self.0))
    }
}

impl FromStr for Nonce {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 16];
        let lower = !text.bytes().any(|b| b.is_ascii_uppercase());
        match hex::decode_to_slice(text, &mut bytes) {
            Ok(()) if lower => Ok(Self(bytes)),
            _ => Err("not 32 lower-case hexadecimal digits"),
        }
    }
}

impl Serialize for Nonce {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = [0_u8; 32];
        hex::encode_to_slice(self.0, &mut text).map_err(serde::ser::Error::custom)?;
        serializer.serialize_str(core::str::from_utf8(&text).map_err(serde::ser::Error::custom)?)
    }
}

impl<'de> Deserialize<'de> for Nonce {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(crate::text::FromText::new())
    }
}

/// Who did something: the credential's owner, never what a body claims.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Deserialize)]
#[serde(tag = "kind", content = "id", rename_all = "snake_case", deny_unknown_fields)]
pub enum Actor {
    /// A signed-in person.
    User(crate::id::UserId),
    /// An agent's key.
    Agent(crate::id::AgentId),
    /// The tenant server by itself.
    Server,
}

impl Serialize for Actor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::User(id) => write_tagged("user", Some(id), serializer),
            Self::Agent(id) => write_tagged("agent", Some(id), serializer),
            Self::Server => write_tagged::<crate::id::UserId, S>("server", None, serializer),
        }
    }
}

/// Writes what serde reads with `tag = "kind", content = "id"`. Serde itself writes the tag first, out of order.
fn write_tagged<T: Serialize, S: Serializer>(
    kind: &'static str,
    id: Option<&T>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut fields = serializer.serialize_struct("Tagged", 1 + usize::from(id.is_some()))?;
    if let Some(id) = id {
        fields.serialize_field("id", id)?;
    }
    fields.serialize_field("kind", kind)?;
    fields.end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_own_name_and_payload_type() {
        for (index, (kind, name)) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, index, "ALL follows the declaration");
            assert_eq!(kind.name(), name);
            assert_eq!(name.parse(), Ok(kind));
            assert_eq!(Kind::from_payload_type(&kind.payload_type()), Some(kind));
            assert_eq!(
                serde_json::to_string(&kind).unwrap(),
                format!("\"{name}\""),
                "one name everywhere"
            );
        }
        assert_eq!(
            Kind::from_payload_type("application/vnd.countersign.decision.v2+json"),
            None
        );
    }
}

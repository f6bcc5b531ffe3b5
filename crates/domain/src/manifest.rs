//! A tool's manifest: what it is called, what it takes, what it may do, and what the card shows of it.
//!
//! Its digest is in every proposal. A changed manifest is another tool for everything not yet begun (design §4).

use serde::{Deserialize, Serialize};

use crate::{
    Digest, Millis,
    canonical::{self, Value},
    dsse,
    record::{Body, ConnectionKind, EffectClass, Kind, Risk},
};

/// One version of one tool. The same bytes on server and desktop, so it carries no nonce.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// What the card shows, in order. An argument that is not named here is shown raw behind the others.
    pub card: Vec<CardField>,
    /// The argument whose text a person types for `device_confirmed`; absent: a number to match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm: Option<String>,
    /// The kind of connection that the tool needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<ConnectionKind>,
    /// For developers of agents: what the tool does, in a paragraph.
    pub description: String,
    pub effect: EffectClass,
    /// How long an approved call waits before it may run, so that the approval can be taken back.
    pub hold: Millis,
    /// `namespace.name`, lower case.
    pub id: String,
    /// How the target recognises a repeated call.
    pub idempotency: Idempotency,
    /// Whether it moves money: two people settle what is not known of it.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub money: bool,
    /// The least risk of a call; arguments may raise it.
    pub risk: Risk,
    /// JSON Schema (draft 2020-12) of the input.
    pub schema: Value,
    /// The card's first line, with `{argument}` in it: `Send an e-mail to {to}`.
    pub sentence: String,
    /// The tool's name for people.
    pub title: String,
    /// Semantic version of the tool.
    pub version: String,
}

impl Manifest {
    /// The digest that proposals pin.
    ///
    /// # Errors
    /// When the manifest breaks a limit of the canonical profile.
    pub fn digest(&self) -> Result<Digest, canonical::Error> {
        Ok(dsse::record_digest(
            &Kind::Manifest.payload_type(),
            &canonical::to_vec(self)?,
        ))
    }
}

/// A manifest together with its digest, which costs more than a whole card and is therefore computed once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pinned {
    digest: Digest,
    manifest: Manifest,
}

impl Pinned {
    /// Computes the digest.
    ///
    /// # Errors
    /// When the manifest breaks a limit of the canonical profile.
    pub fn new(manifest: Manifest) -> Result<Self, canonical::Error> {
        Ok(Self {
            digest: manifest.digest()?,
            manifest,
        })
    }

    /// What proposals name.
    pub const fn digest(&self) -> Digest {
        self.digest
    }
}

impl core::ops::Deref for Pinned {
    type Target = Manifest;

    fn deref(&self) -> &Manifest {
        &self.manifest
    }
}

impl Body for Manifest {
    const KIND: Kind = Kind::Manifest;

    fn subject(&self) -> String {
        format!("tool/{}", self.id)
    }
}

/// One line or block of the card.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CardField {
    /// Name of the argument.
    pub arg: String,
    /// Label for people.
    pub label: String,
    pub shape: Shape,
}

/// In which form a value is shown.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// One line of text.
    Line,
    /// Text as written, every line of it.
    Text,
    /// One e-mail address or a list of them.
    Recipients,
    /// An HTTP method.
    Method,
    /// A URL, taken apart.
    Url,
    /// Exact text that is sent as it stands: a request body.
    Code,
    /// A list of names with values: HTTP headers.
    Pairs,
    /// A calendar date.
    Date,
    /// Yes or no.
    Flag,
}

/// The key under which a target knows a call again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Idempotency {
    /// The target has no such key, or there is no target.
    None,
    /// The mail's Message-ID.
    MessageId,
    /// The `Idempotency-Key` request header (draft-ietf-httpapi-idempotency-key-header).
    IdempotencyKey,
}

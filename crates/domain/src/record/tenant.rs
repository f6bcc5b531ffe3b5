//! The tenant itself and its ways out.

use serde::{Deserialize, Serialize};

use super::{Actor, Body, Holder, Kind, Nonce};
use crate::{
    Digest, UnixMillis, canonical,
    canonical::Value,
    dsse::PublicKey,
    id::{ConnectionId, TenantId},
};

/// The journal's first entry: whose it is, and the key that signs its checkpoints.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    pub created_at: UnixMillis,
    pub log_key: PublicKey,
    pub mode: Mode,
    pub name: String,
    pub nonce: Nonce,
    pub tenant: TenantId,
}

impl Body for Genesis {
    const KIND: Kind = Kind::Genesis;

    fn subject(&self) -> String {
        format!("tenant/{}", self.tenant)
    }
}

/// One person, or people who check each other (design §4).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// One person: rules that separate people become device assurance plus a typed confirmation.
    Solo,
    Company,
}

/// A way out of the tenant, in its public part. The secret is with the holder and in no record.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Connection {
    pub at: UnixMillis,
    pub by: Actor,
    /// What the connection's kind defines: host, port, sender, allowed paths, …
    pub config: Value,
    pub holder: Holder,
    pub id: ConnectionId,
    pub kind: ConnectionKind,
    pub name: String,
    pub nonce: Nonce,
    /// Gone from here on; what has not begun over it is superseded.
    pub removed: bool,
    pub tenant: TenantId,
}

impl Connection {
    /// The digest under which proposals pin this public configuration.
    ///
    /// # Errors
    /// When the configuration breaks a limit of the canonical profile.
    pub fn config_digest(&self) -> Result<Digest, canonical::Error> {
        canonical::to_vec(&self.config).map(|bytes| Digest::of(&bytes))
    }
}

impl Body for Connection {
    const KIND: Kind = Kind::Connection;

    fn subject(&self) -> String {
        format!("connection/{}", self.id)
    }
}

/// What sort of way out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ConnectionKind {
    /// A mail account that sends.
    Smtp,
    /// One allow-listed HTTP origin.
    Http,
}

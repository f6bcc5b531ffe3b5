//! Device keys: one enters service, is vouched for, is replaced, leaves service (design §4).

use serde::{Deserialize, Serialize, Serializer};

use super::{Actor, Body, Kind, Nonce, Reason, write_tagged};
use crate::{
    Digest, UnixMillis, canonical,
    dsse::{self, Envelope, PublicKey, SigningKey},
    id::{DeviceId, TenantId, UserId},
};

/// A device's key asks to enter service. Signed by that key itself, which proves its possession; it signs nothing
/// that counts before an [`Endorse`] follows.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrol {
    /// The server's challenge, so that the record is fresh.
    pub challenge: Nonce,
    pub device: DeviceId,
    /// The person's name for it, at most 100 characters.
    pub name: String,
    pub nonce: Nonce,
    pub public_key: PublicKey,
    pub tenant: TenantId,
    pub user: UserId,
}

impl Body for Enrol {
    const KIND: Kind = Kind::Enrol;

    fn subject(&self) -> String {
        format!("device/{}", self.device)
    }
}

/// Somebody vouched for a device: its key is in service from here on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endorse {
    pub at: UnixMillis,
    pub by: Endorsement,
    pub device: DeviceId,
    /// The vouching device's next sequence number and previous record; absent when no device signed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_seq: Option<u64>,
    /// Digest of the enrol record, and so of the very key.
    pub enrol: Digest,
    pub nonce: Nonce,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Digest>,
    pub tenant: TenantId,
}

impl Body for Endorse {
    const KIND: Kind = Kind::Endorse;

    fn subject(&self) -> String {
        format!("device/{}", self.device)
    }

    fn link(&self) -> Option<(DeviceId, u64)> {
        match self.by {
            Endorsement::Device(by) => Some(by).zip(self.device_seq),
            Endorsement::FirstDevice | Endorsement::Admin(_) | Endorsement::Server => None,
        }
    }
}

/// Who vouched for a new device.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", content = "id", rename_all = "snake_case", deny_unknown_fields)]
pub enum Endorsement {
    /// The owner's sign-in, once, for the tenant's first device.
    FirstDevice,
    /// An enrolled device of the same person.
    Device(DeviceId),
    /// An admin who is another person.
    Admin(UserId),
    /// Somebody with a shell on the server.
    Server,
}

impl Serialize for Endorsement {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::FirstDevice => write_tagged::<DeviceId, S>("first_device", None, serializer),
            Self::Device(id) => write_tagged("device", Some(id), serializer),
            Self::Admin(id) => write_tagged("admin", Some(id), serializer),
            Self::Server => write_tagged::<DeviceId, S>("server", None, serializer),
        }
    }
}

/// A device goes on with a new key. Signed by the old one, which stands for the device, and by the new one inside it,
/// which proves its possession: nobody can hand a device a key that somebody else holds. Every later number of the
/// device's chain takes the new key; those up to this record's keep the old one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rotate {
    pub at: UnixMillis,
    pub device: DeviceId,
    pub device_seq: u64,
    /// The new key.
    pub key: PublicKey,
    pub nonce: Nonce,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Digest>,
    /// The new key's signature over what it takes over: see [`Rotate::proof`].
    pub proof: dsse::Signature,
    pub tenant: TenantId,
}

/// What the new key signs.
#[derive(Serialize)]
struct Takeover {
    device: DeviceId,
    device_seq: u64,
    key: PublicKey,
    nonce: Nonce,
    tenant: TenantId,
}

impl Takeover {
    const PAYLOAD_TYPE: &str = "application/vnd.countersign.takeover.v1+json";
}

impl Rotate {
    /// The new key's word that it takes over `device` after its record `device_seq`.
    ///
    /// # Errors
    /// When the body breaks a limit of the canonical profile, which identifiers do not.
    pub fn proof(
        new: &SigningKey,
        tenant: TenantId,
        device: DeviceId,
        device_seq: u64,
        nonce: Nonce,
    ) -> Result<dsse::Signature, canonical::Error> {
        let takeover = Takeover {
            device,
            device_seq,
            key: new.public_key(),
            nonce,
            tenant,
        };
        let body = canonical::to_vec(&takeover)?;
        Ok(new.signature(Takeover::PAYLOAD_TYPE, &body))
    }

    /// Whether the new key has signed that it takes over this device, here, after this number.
    pub fn is_proven(&self) -> bool {
        let takeover = Takeover {
            device: self.device,
            device_seq: self.device_seq,
            key: self.key,
            nonce: self.nonce,
            tenant: self.tenant,
        };
        let Ok(payload) = canonical::to_vec(&takeover) else {
            return false;
        };
        let envelope = Envelope {
            payload,
            payload_type: Takeover::PAYLOAD_TYPE.to_owned(),
            signatures: vec![self.proof.clone()],
        };
        envelope.verify(&self.key).is_ok()
    }
}

impl Body for Rotate {
    const KIND: Kind = Kind::Rotate;

    fn subject(&self) -> String {
        format!("device/{}", self.device)
    }

    fn link(&self) -> Option<(DeviceId, u64)> {
        Some((self.device, self.device_seq))
    }
}

/// A device's key leaves service at once: what arrives from it later never counts.
///
/// What it has signed up to `last_good_seq` keeps its meaning. Approvals with a higher number are void where nothing has
/// begun, each by an entry of its own; what had begun by then is for people to look at.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revoke {
    pub at: UnixMillis,
    pub by: Actor,
    /// Since when the key may have been in other hands, as people say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compromised_since: Option<UnixMillis>,
    pub device: DeviceId,
    /// The last of the device's numbers that is trusted; absent: none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_good_seq: Option<u64>,
    pub nonce: Nonce,
    /// A sentence for people, at most 500 characters.
    pub reason: String,
}

impl Body for Revoke {
    const KIND: Kind = Kind::Revoke;

    fn subject(&self) -> String {
        format!("device/{}", self.device)
    }
}

/// A record that a device has signed does not count, and is about nothing that it could be journalled with. Written
/// right *before* that record, under the same subject, so that no prefix of the journal ever counts it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refuse {
    pub at: UnixMillis,
    /// The device that signed it.
    pub device: DeviceId,
    pub reason: Reason,
    /// Digest of the record.
    pub record: Digest,
}

impl Body for Refuse {
    const KIND: Kind = Kind::Refuse;

    fn subject(&self) -> String {
        format!("device/{}", self.device)
    }
}

//! Signed records: DSSE v1 envelopes with one Ed25519 signature over the stored bytes of the body.
//!
//! What is signed and what is hashed is the PAE, which binds the payload type to the body: a body cannot be passed off
//! as a record of another kind. A record's name is SHA-256 over its PAE, see [`record_digest`].

use core::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::Signer as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Digest, text::FromText};

/// The pre-authentication encoding: the bytes that are signed and hashed.
pub fn pae(payload_type: &str, body: &[u8]) -> Vec<u8> {
    [pae_head(payload_type, body).as_bytes(), body].concat()
}

/// The payload type of a record of this kind, version 1; also of a kind that this version does not know.
pub fn payload_type(kind: &str) -> String {
    format!("application/vnd.countersign.{kind}.v1+json")
}

/// The one name of a record: SHA-256 over its PAE.
pub fn record_digest(payload_type: &str, body: &[u8]) -> Digest {
    Digest::of_parts(&[pae_head(payload_type, body).as_bytes(), body])
}

fn pae_head(payload_type: &str, body: &[u8]) -> String {
    format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), body.len())
}

/// A body, what kind of record it is, and who signed it. The JSON form is DSSE's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Envelope {
    /// The body's exact bytes, base64 in JSON.
    #[serde(with = "base64_text")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub payload: Vec<u8>,
    /// The record's kind as a media type.
    pub payload_type: String,
    /// Signatures over the PAE. [`Envelope::verify`] wants exactly one.
    pub signatures: Vec<Signature>,
}

/// One signature over an envelope's PAE.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// The [`PublicKey::key_id`] of the key that made it: a hint, it is the key that verifies.
    pub keyid: Digest,
    /// The 64 bytes of Ed25519, base64 in JSON.
    #[serde(with = "base64_text")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub sig: [u8; 64],
}

/// Why an envelope does not speak for a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Two signatures would leave open who the signer is, and none says nothing.
    #[error("the envelope has {0} signatures, not exactly one")]
    SignatureCount(usize),
    /// The signature claims another key.
    #[error("the envelope names another key")]
    OtherKey,
    /// The signature is not this key's over these bytes.
    #[error("the signature does not verify")]
    BadSignature,
}

impl Envelope {
    /// The record's one name.
    pub fn digest(&self) -> Digest {
        record_digest(&self.payload_type, &self.payload)
    }

    /// The key that the one signature claims: where to look the key up before [`Self::verify`].
    ///
    /// # Errors
    /// When there is not exactly one signature.
    pub fn claimed_key(&self) -> Result<Digest, Error> {
        self.signature().map(|signature| signature.keyid)
    }

    /// Holds when exactly one signature is there and it is `key`'s over exactly these bytes.
    ///
    /// # Errors
    /// With the first reason why not.
    pub fn verify(&self, key: &PublicKey) -> Result<(), Error> {
        let signature = self.signature()?;
        if signature.keyid != key.key_id() {
            return Err(Error::OtherKey);
        }
        let message = pae(&self.payload_type, &self.payload);
        if key.verify(&message, &signature.sig) {
            Ok(())
        } else {
            Err(Error::BadSignature)
        }
    }

    fn signature(&self) -> Result<&Signature, Error> {
        match &self.signatures[..] {
            [signature] => Ok(signature),
            signatures => Err(Error::SignatureCount(signatures.len())),
        }
    }
}

/// An Ed25519 public key with one spelling and of full order; text form is 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey(ed25519_dalek::VerifyingKey);

/// The bytes are not a key that we let sign anything.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a usable Ed25519 public key")]
pub struct InvalidKey;

impl PublicKey {
    /// Reads a key's 32 bytes.
    ///
    /// # Errors
    /// When they are no point, a second spelling of a point, or a point of small order: under such a key one signature
    /// fits many messages.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, InvalidKey> {
        let key = ed25519_dalek::VerifyingKey::from_bytes(bytes).map_err(|_| InvalidKey)?;
        let one_spelling = key.to_edwards().compress().as_bytes() == bytes;
        if one_spelling && !key.is_weak() {
            Ok(Self(key))
        } else {
            Err(InvalidKey)
        }
    }

    /// Reads what [`Self::as_bytes`] gave.
    ///
    /// # Errors
    /// As [`Self::from_bytes`], and when there are not exactly 32 bytes.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, InvalidKey> {
        Self::from_bytes(bytes.try_into().map_err(|_| InvalidKey)?)
    }

    /// The key's 32 bytes, the form in which databases keep it.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The key's name in envelopes: SHA-256 over its 32 bytes.
    pub fn key_id(&self) -> Digest {
        Digest::of(self.as_bytes())
    }

    /// Strict: also the signature has one spelling only, so a record that verifies cannot be respelled.
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.0
            .verify_strict(message, &ed25519_dalek::Signature::from_bytes(signature))
            .is_ok()
    }
}

/// An Ed25519 secret key. It never prints, and its memory is overwritten when it is dropped.
#[derive(Clone)]
pub struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    /// Makes the key that belongs to 32 random bytes of a shell. Who holds the seed holds the key: the caller wipes it.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(seed))
    }

    /// The half that everyone may know.
    pub fn public_key(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// Signs a body as a record of the given type.
    pub fn sign(&self, payload_type: &str, body: impl Into<Vec<u8>>) -> Envelope {
        let payload = body.into();
        let signatures = vec![self.signature(payload_type, &payload)];
        Envelope {
            payload,
            payload_type: payload_type.to_owned(),
            signatures,
        }
    }

    pub(crate) fn signature(&self, payload_type: &str, body: &[u8]) -> Signature {
        Signature {
            keyid: self.public_key().key_id(),
            sig: self.sign_bytes(&pae(payload_type, body)),
        }
    }

    /// Not public: the messages that one key signs must be told apart, and DSSE and the checkpoint's note are.
    pub(crate) fn sign_bytes(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey(of {:?})", self.public_key())
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature(by {:?})", self.keyid)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.as_bytes()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl FromStr for PublicKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        if text.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(InvalidKey);
        }
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| InvalidKey)?;
        Self::from_bytes(&bytes)
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(FromText::new())
    }
}

/// Bytes as padded standard base64 (RFC 4648 §4) with zero trailing bits: one spelling for one sequence of bytes.
mod base64_text {
    use super::*;

    pub(super) fn serialize<S: Serializer>(
        bytes: &impl AsRef<[u8]>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D, T>(deserializer: D) -> Result<T, D::Error>
    where
        D: Deserializer<'de>,
        T: TryFrom<Vec<u8>>,
    {
        let Base64(bytes) = deserializer.deserialize_str(FromText::new())?;
        T::try_from(bytes).map_err(|_| serde::de::Error::custom("base64 of the wrong length"))
    }

    struct Base64(Vec<u8>);

    impl FromStr for Base64 {
        type Err = base64::DecodeError;

        fn from_str(text: &str) -> Result<Self, Self::Err> {
            STANDARD.decode(text).map(Self)
        }
    }
}

#[cfg(test)]
mod vectors;

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = "http://example.com/HelloWorld";

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed(&[seed; 32])
    }

    #[test]
    fn the_pae_is_the_one_of_the_dsse_specification() {
        let expected = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world";
        assert_eq!(pae(TYPE, b"hello world"), expected);
        assert_eq!(
            record_digest(TYPE, b"hello world"),
            Digest::of(expected),
            "the digest is over the same bytes"
        );
        assert_eq!(pae("", b""), b"DSSEv1 0  0 ");
        assert_eq!(
            pae("é", "ü".as_bytes()),
            "DSSEv1 2 é 2 ü".as_bytes(),
            "lengths count bytes"
        );
    }

    #[test]
    fn keys_are_those_of_rfc_8032() {
        let mut seed = [0; 32];
        hex::decode_to_slice(
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            &mut seed,
        )
        .unwrap();
        let key = SigningKey::from_seed(&seed);
        let public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        assert_eq!(key.public_key().to_string(), public, "test 1 of §7.1");
        assert_eq!(public.parse(), Ok(key.public_key()));
        assert!(hex::encode(key.sign_bytes(b"")).starts_with("e5564300c360ac729086e2cc806e828a"));
    }

    #[test]
    fn what_is_signed_verifies_under_its_key_alone() {
        let envelope = key(1).sign(TYPE, *b"hello world");
        assert_eq!(envelope.verify(&key(1).public_key()), Ok(()));
        assert_eq!(envelope.claimed_key(), Ok(key(1).public_key().key_id()));
        assert_eq!(envelope.verify(&key(2).public_key()), Err(Error::OtherKey));
        assert_eq!(envelope.digest(), record_digest(TYPE, b"hello world"));
    }

    #[test]
    fn a_flipped_bit_anywhere_is_refused() {
        let public = key(1).public_key();
        let envelope = key(1).sign(TYPE, *b"hello world");
        for bit in 0..8 {
            for at in 0..envelope.payload.len() {
                let mut other = envelope.clone();
                other.payload[at] ^= 1 << bit;
                assert_eq!(
                    other.verify(&public),
                    Err(Error::BadSignature),
                    "payload byte {at} bit {bit}"
                );
            }
            for at in 0..64 {
                let mut other = envelope.clone();
                other.signatures[0].sig[at] ^= 1 << bit;
                assert_eq!(
                    other.verify(&public),
                    Err(Error::BadSignature),
                    "signature byte {at} bit {bit}"
                );
            }
            for at in 0..32 {
                let mut other = envelope.clone();
                let mut id = *other.signatures[0].keyid.as_bytes();
                id[at] ^= 1 << bit;
                other.signatures[0].keyid = Digest::from_bytes(id);
                assert_eq!(
                    other.verify(&public),
                    Err(Error::OtherKey),
                    "key id byte {at} bit {bit}"
                );
            }
            for at in 0..TYPE.len() {
                let mut other = envelope.payload_type.clone().into_bytes();
                other[at] ^= 1 << bit;
                if let Ok(payload_type) = String::from_utf8(other) {
                    let other = Envelope {
                        payload_type,
                        ..envelope.clone()
                    };
                    assert_eq!(
                        other.verify(&public),
                        Err(Error::BadSignature),
                        "type byte {at} bit {bit}"
                    );
                }
            }
        }
    }

    #[test]
    fn bytes_cannot_move_between_type_and_body() {
        let envelope = key(1).sign("a", *b"1 b 1 c");
        let other = Envelope {
            payload_type: "a 7 1 b".to_owned(),
            payload: b"c".to_vec(),
            ..envelope
        };
        assert_eq!(
            other.verify(&key(1).public_key()),
            Err(Error::BadSignature),
            "lengths are part of the PAE"
        );
    }

    #[test]
    fn exactly_one_signature_is_wanted() {
        let mut envelope = key(1).sign(TYPE, *b"hello world");
        envelope.signatures.push(envelope.signatures[0].clone());
        assert_eq!(
            envelope.verify(&key(1).public_key()),
            Err(Error::SignatureCount(2)),
            "even if both are good"
        );
        envelope.signatures.clear();
        assert_eq!(
            envelope.verify(&key(1).public_key()),
            Err(Error::SignatureCount(0))
        );
    }

    #[test]
    fn the_second_spelling_of_a_signature_is_refused() {
        // S and S + L verify alike unless the verifier wants the smaller one. L is the order of the group.
        let order = hex::decode("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010").unwrap();
        let mut envelope = key(1).sign(TYPE, *b"hello world");
        let mut carry = 0;
        for (byte, add) in envelope.signatures[0].sig[32..].iter_mut().zip(order) {
            let sum = u16::from(*byte) + u16::from(add) + carry;
            *byte = sum.to_le_bytes()[0];
            carry = sum >> 8;
        }
        assert_eq!(envelope.verify(&key(1).public_key()), Err(Error::BadSignature));
    }

    #[test]
    fn keys_of_small_order_are_refused() {
        for text in [
            "0100000000000000000000000000000000000000000000000000000000000000",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0000000000000000000000000000000000000000000000000000000000000080",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        ] {
            let bytes = hex::decode(text).unwrap();
            assert!(
                ed25519_dalek::VerifyingKey::try_from(&bytes[..]).is_ok(),
                "{text} is a point"
            );
            assert_eq!(
                text.parse::<PublicKey>(),
                Err(InvalidKey),
                "{text} fits any message"
            );
        }
    }

    #[test]
    fn a_key_has_one_spelling() {
        for low in 0xED..=0xFF {
            for high in [0x7F, 0xFF] {
                let mut bytes = [0xFF; 32];
                (bytes[0], bytes[31]) = (low, high);
                assert_eq!(
                    PublicKey::from_bytes(&bytes),
                    Err(InvalidKey),
                    "{low:x} {high:x} is not below p"
                );
            }
        }
        let public = key(1).public_key();
        assert_eq!(
            public.to_string().to_uppercase().parse::<PublicKey>(),
            Err(InvalidKey)
        );
        assert_eq!(PublicKey::from_slice(&public.as_bytes()[..31]), Err(InvalidKey));
        let json = serde_json::to_string(&public).unwrap();
        assert_eq!(json, format!("\"{public}\""));
        assert_eq!(serde_json::from_str::<PublicKey>(&json).unwrap(), public);
    }

    #[test]
    fn the_json_form_is_dsse() {
        let envelope = key(1).sign(TYPE, *b"hello world");
        insta::assert_json_snapshot!(envelope, @r#"
        {
          "payload": "aGVsbG8gd29ybGQ=",
          "payloadType": "http://example.com/HelloWorld",
          "signatures": [
            {
              "keyid": "34750f98bd59fcfc946da45aaabe933be154a4b5094e1c4abf42866505f3c97e",
              "sig": "Nrk8af+XDppIl0eJ8+q/+iZzBrfcnO4JSOHj7OUiv6PchqFqZz2QZsHYymPKVGJB5hl52X/qzoeOScPJBhdVDg=="
            }
          ]
        }
        "#);
        let json = serde_json::to_string(&envelope).unwrap();
        assert_eq!(serde_json::from_str::<Envelope>(&json).unwrap(), envelope);
        for (part, instead, why) in [
            ("\"payload\"", "\"more\":1,\"payload\"", "an unknown field"),
            (
                "\"keyid\"",
                "\"cert\":\"\",\"keyid\"",
                "an unknown field of a signature",
            ),
            ("aGVsbG8gd29ybGQ=", "aGVsbG8gd29ybGQ", "no padding"),
            (
                "aGVsbG8gd29ybGQ=",
                "aGVsbG8gd29ybGR=",
                "trailing bits that are not zero",
            ),
            ("aGVsbG8gd29ybGQ=", "aGVsbG8g d29ybGQ=", "white space"),
            ("\"sig\":\"", "\"sig\":\"AAAA", "a signature of 67 bytes"),
            (
                "\"signatures\"",
                "\"payloadType\":\"\",\"signatures\"",
                "a field twice",
            ),
        ] {
            let other = json.replacen(part, instead, 1);
            assert_ne!(other, json);
            assert!(
                serde_json::from_str::<Envelope>(&other).is_err(),
                "{why} is refused"
            );
        }
    }

    #[test]
    fn a_secret_key_does_not_print() {
        let printed = format!("{:?}", key(7));
        assert!(!printed.contains(&hex::encode([7_u8; 32])), "{printed}");
        assert!(!printed.contains("7, 7"), "{printed}");
    }
}

//! What every reader of a tenant sees of every entry.

use core::{fmt, str::FromStr};
use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::tree::leaf_hash;
use crate::{Digest, UnixMillis, canonical, text::FromText};

/// Longest leaf that is read piece by piece, in bytes: far below what a canonical document may have.
const PLAIN: usize = 1_024;

/// One entry of the journal. Its canonical bytes, with `"v":1`, are the leaf of the tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Wire", try_from = "Wire")]
pub struct Header {
    /// When it was appended; never before the entry ahead of it.
    pub at: UnixMillis,
    /// The record's one name.
    pub digest: Digest,
    /// What kind of record it is.
    pub kind: Kind,
    /// Its place in the journal, from 1 without gaps.
    pub seq: u64,
    /// What the record is about: the id of a proposal, a member, a device.
    pub subject: String,
}

impl Header {
    /// The canonical bytes: the leaf.
    pub fn to_bytes(&self) -> Vec<u8> {
        // Written by hand because the writer does this for every record. A test compares it with the slow way.
        let mut text = format!(
            r#"{{"at":"{}","digest":"{}","kind":"{}","seq":{},"subject":"#,
            self.at, self.digest, self.kind, self.seq
        );
        canonical::push_string(&mut text, &self.subject);
        text.push_str(r#","v":1}"#);
        text.into_bytes()
    }

    /// Reads a leaf.
    ///
    /// # Errors
    /// When the bytes are not the canonical form of a header of version 1.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, canonical::Error> {
        match Self::plain(bytes) {
            Some(header) => Ok(header),
            None => canonical::from_slice(bytes),
        }
    }

    /// A leaf in which nothing is escaped, piece by piece as [`Self::to_bytes`] writes it: whoever checks a journal reads
    /// one for every entry. What is not just so is `None`, and is read the slow way.
    fn plain(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > PLAIN || !bytes.iter().all(|byte| matches!(byte, b' '..=b'~')) {
            return None;
        }
        let text = core::str::from_utf8(bytes).ok()?;
        let (at, rest) = text.strip_prefix(r#"{"at":""#)?.split_at_checked(24)?;
        let (digest, rest) = rest.strip_prefix(r#"","digest":""#)?.split_at_checked(64)?;
        let (kind, rest) = rest.strip_prefix(r#"","kind":""#)?.split_once('"')?;
        let (seq, rest) = rest.strip_prefix(r#","seq":"#)?.split_once(',')?;
        let subject = rest.strip_prefix(r#""subject":""#)?.strip_suffix(r#"","v":1}"#)?;
        let counts = (b'1'..=b'9').contains(seq.as_bytes().first()?)
            && seq.bytes().all(|digit| digit.is_ascii_digit());
        let is_escaped = subject.bytes().any(|byte| byte == b'"' || byte == b'\\');
        if !counts || is_escaped {
            return None;
        }
        let seq = seq
            .parse()
            .ok()
            .filter(|seq| *seq <= canonical::MAX_INTEGER.unsigned_abs())?;
        Some(Self {
            at: at.parse().ok()?,
            digest: digest.parse().ok()?,
            kind: kind.parse().ok()?,
            seq,
            subject: subject.to_owned(),
        })
    }

    /// The hash of the leaf.
    pub fn leaf_hash(&self) -> Digest {
        leaf_hash(&self.to_bytes())
    }

    /// The leaf's place in the tree, from 0.
    pub const fn leaf_index(&self) -> u64 {
        self.seq.saturating_sub(1)
    }
}

/// What kind of record an entry is: `proposal`, `decision`, … A kind that this version does not know is a kind as well.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind(Cow<'static, str>);

/// The text is not a kind: 1 to 40 lower-case letters, digits, `_`, `-` and `.`, beginning with a letter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a kind of record")]
pub struct InvalidKind;

impl Kind {
    /// A kind that this version knows, for constants: anything else stops the build.
    ///
    /// # Panics
    /// When the name is not a kind.
    pub const fn known(name: &'static str) -> Self {
        assert!(is_kind(name), "not a kind of record");
        Self(Cow::Borrowed(name))
    }

    /// The kind's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

const fn is_kind(name: &str) -> bool {
    let name = name.as_bytes();
    if name.is_empty() || name.len() > 40 || !name[0].is_ascii_lowercase() {
        return false;
    }
    let mut at = 1;
    while at < name.len() {
        if !matches!(name[at], b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.') {
            return false;
        }
        at += 1;
    }
    true
}

impl FromStr for Kind {
    type Err = InvalidKind;

    fn from_str(name: &str) -> Result<Self, InvalidKind> {
        if is_kind(name) {
            Ok(Self(Cow::Owned(name.to_owned())))
        } else {
            Err(InvalidKind)
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kind({self})")
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(FromText::new())
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    at: UnixMillis,
    digest: Digest,
    kind: Kind,
    seq: u64,
    subject: String,
    v: u64,
}

impl From<Header> for Wire {
    fn from(
        Header {
            at,
            digest,
            kind,
            seq,
            subject,
        }: Header,
    ) -> Self {
        Self {
            at,
            digest,
            kind,
            seq,
            subject,
            v: 1,
        }
    }
}

impl TryFrom<Wire> for Header {
    type Error = &'static str;

    fn try_from(
        Wire {
            at,
            digest,
            kind,
            seq,
            subject,
            v,
        }: Wire,
    ) -> Result<Self, &'static str> {
        if v != 1 {
            return Err("a header of another version");
        }
        if !(1..=canonical::MAX_INTEGER.unsigned_abs()).contains(&seq) {
            return Err("a sequence number counts from 1 to at most 2^53−1");
        }
        Ok(Self {
            at,
            digest,
            kind,
            seq,
            subject,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header() -> Header {
        Header {
            at: UnixMillis(1_795_354_008_120),
            digest: Digest::of(b"body"),
            kind: Kind::known("proposal"),
            seq: 1,
            subject: "0192f3a4-0000-7000-8000-0123456789ab".to_owned(),
        }
    }

    /// What a byte of a header may be changed to.
    fn spelling() -> impl Strategy<Value = u8> {
        prop_oneof![
            prop::sample::select(&b"0123456789abcdefABCDEFTZ\"\\:,.-{} v\0\x7f\xc3"[..]),
            any::<u8>()
        ]
    }

    #[test]
    fn a_leaf_as_they_are_is_read_the_quick_way() {
        assert_eq!(Header::plain(&header().to_bytes()), Some(header()));
        let long = Header {
            subject: "x".repeat(PLAIN),
            ..header()
        };
        assert_eq!(Header::plain(&long.to_bytes()), None);
        assert_eq!(Header::from_bytes(&long.to_bytes()), Ok(long));
    }

    #[test]
    fn the_leaf_is_this_and_stays_this() {
        insta::assert_snapshot!(String::from_utf8(header().to_bytes()).unwrap(), @r#"{"at":"2026-11-22T13:26:48.120Z","digest":"230d8358dc8e8890b4c58deeb62912ee2f20357ae92a5cc861b98e68fe31acb5","kind":"proposal","seq":1,"subject":"0192f3a4-0000-7000-8000-0123456789ab","v":1}"#);
        insta::assert_snapshot!(header().leaf_hash(), @"7eafe24f328c58b8c73e488c75ba016cb651f69964159f2ce3ff6f29e50ca2a8");
    }

    #[test]
    fn only_a_canonical_header_of_version_1_is_read() {
        let text = String::from_utf8(header().to_bytes()).unwrap();
        assert_eq!(Header::from_bytes(text.as_bytes()), Ok(header()));
        for (part, instead, why) in [
            ("\"v\":1", "\"v\":2", "another version"),
            ("\"seq\":1", "\"seq\":0", "sequence numbers count from 1"),
            ("\"seq\":1", "\"seq\":9007199254740992", "beyond 2^53−1"),
            ("\"at\"", "\"also\":1,\"at\"", "an unknown field"),
            (",\"v\":1", "", "a missing field"),
            ("\"kind\":\"p", "\"kind\":\"P", "not a kind"),
            (",\"seq\"", ", \"seq\"", "another spelling"),
        ] {
            let other = text.replacen(part, instead, 1);
            assert_ne!(other, text);
            assert!(Header::from_bytes(other.as_bytes()).is_err(), "{why} is refused");
        }
    }

    #[test]
    fn a_kind_is_a_short_plain_word() {
        for name in ["proposal", "device_revoke", "a", "x2.y-z"] {
            assert_eq!(
                name.parse::<Kind>().map(|kind| kind.to_string()).as_deref(),
                Ok(name)
            );
        }
        for name in [
            "",
            "Proposal",
            "2x",
            "_a",
            "pro posal",
            "\"",
            "é",
            &"a".repeat(41),
        ] {
            assert_eq!(name.parse::<Kind>(), Err(InvalidKind), "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn the_quick_way_to_write_a_header_is_the_canonical_one(
            at in 0_i64..4_102_444_800_000,
            seq in 1..=canonical::MAX_INTEGER.unsigned_abs(),
            subject in ".{0,12}|[\u{0}-\u{40}\\\\]{0,8}",
            kind in "[a-z][a-z0-9_.-]{0,39}",
        ) {
            let header = Header { at: UnixMillis(at), kind: kind.parse().unwrap(), seq, subject, ..header() };
            let bytes = header.to_bytes();
            prop_assert_eq!(&bytes, &canonical::to_vec(&header).unwrap());
            prop_assert_eq!(Header::from_bytes(&bytes), Ok(header));
        }

        #[test]
        fn the_quick_way_to_read_a_header_takes_exactly_what_the_slow_one_takes(
            subject in "proposal/[0-9a-f]{4}|[ -~é]{0,6}",
            seq in 1..=canonical::MAX_INTEGER.unsigned_abs(),
            changes in prop::collection::vec((any::<prop::sample::Index>(), 0..3_u8, spelling()), 0..3),
        ) {
            let mut bytes = Header { seq, subject, ..header() }.to_bytes();
            for (place, how, byte) in changes {
                let place = place.index(bytes.len());
                match how {
                    0 => bytes[place] = byte,
                    1 => bytes.insert(place, byte),
                    _ => drop(bytes.remove(place)),
                }
            }
            let slow = canonical::from_slice::<Header>(&bytes);
            if let Some(quick) = Header::plain(&bytes) {
                prop_assert_eq!(Ok(&quick), slow.as_ref());
            }
            prop_assert_eq!(Header::from_bytes(&bytes), slow);
        }
    }
}

//! A journal as one file that proves itself: the evidence that an auditor is handed. `docs/bundle.md` is the format.
//!
//! Lines, in one order and one spelling, each a tag, a space and canonical JSON:
//!
//! ```text
//! countersign-bundle {…}   whose journal, as of which signed checkpoint, what is left out
//! segment {…}              the leaf hashes of the next entries (at most 256), and what of each is here
//! seal {…}                 the log's signature over the segment line
//! leaf {…}                 an entry's header, byte for byte the tree's leaf
//! body {…}                 its record's body, byte for byte what was journalled
//! sig {…}                  the device's signature over the body
//! …
//! end {…}                  what there was, and the digest of every byte before
//! ```
//!
//! A segment is sealed before its entries, so each entry is known to be the log's as it is read: the first one that is not
//! is named, and a file that breaks off is good as far as it goes. Nothing in a bundle says when or for whom it was made:
//! one journal has one bundle for each size and profile, and a download can go on where it broke off.

mod read;
mod write;

use core::str::FromStr;

use serde::{Deserialize, Serialize};

pub use read::{Checker, Content, Entry, Event, Fault, Place, read};
pub use write::{Unwritable, Writer};

use crate::{Digest, dsse::PublicKey, id::TenantId, record::Kind};

/// How many entries the log seals at once; only the last segment has fewer.
pub const SEGMENT: u64 = 256;

/// Longest line: the longest body, with its tag.
const MAX_LINE: usize = crate::canonical::MAX_BYTES + 64;

/// DSSE's type of what a seal signs. It is no kind of record, so no seal can pass for one.
const SEAL: &str = "application/vnd.countersign.bundle-segment.v1+json";

/// What a bundle leaves out.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// Nothing but what is erased.
    Full,
    /// What was asked for and what came of it: bodies of proposals, previews and receipts.
    Redacted,
}

/// The text is not the name of a profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a bundle's profile is `full` or `redacted`")]
pub struct UnknownProfile;

impl Profile {
    /// Whether bodies of this kind are left out.
    pub const fn withholds(self, kind: Kind) -> bool {
        match self {
            Self::Full => false,
            Self::Redacted => matches!(kind, Kind::Proposal | Kind::Preview | Kind::Receipt),
        }
    }

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Redacted => "redacted",
        }
    }
}

impl FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(name: &str) -> Result<Self, UnknownProfile> {
        [Self::Full, Self::Redacted]
            .into_iter()
            .find(|profile| profile.name() == name)
            .ok_or(UnknownProfile)
    }
}

/// The first line.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    /// The log's signed note for all the entries, with that one signature.
    pub checkpoint: String,
    /// 1.
    pub format: u32,
    /// The key that signs the checkpoint and the seals. Whether it is the right one is for the reader to know.
    pub log_key: PublicKey,
    pub profile: Profile,
    pub tenant: TenantId,
}

/// What the log seals of each segment.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Segment {
    /// SHA-256 over the first line without its newline: a segment belongs to one bundle.
    bundle: Digest,
    /// SHA-256 over the lines of its entries.
    digest: Digest,
    /// Sequence number of its first entry.
    first: u64,
    /// The leaf hash of each entry.
    leaves: Vec<Digest>,
    /// A letter for each entry: what is here of it.
    parts: String,
}

/// What is here of an entry beside its header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Part {
    Body,
    SignedBody,
    Withheld,
    Erased,
}

impl Part {
    const ALL: [(Self, char); 4] = [
        (Self::Body, 'b'),
        (Self::SignedBody, 's'),
        (Self::Withheld, 'w'),
        (Self::Erased, 'e'),
    ];

    const fn letter(self) -> char {
        Self::ALL[self as usize].1
    }

    fn of(letter: char) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(_, known)| *known == letter)
            .map(|(part, _)| *part)
    }
}

/// What a bundle had in it; together with its digest the last line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Counts {
    pub entries: u64,
    pub bodies: u64,
    pub signatures: u64,
    /// Left out by the profile.
    pub withheld: u64,
    /// Not in the journal any more.
    pub erased: u64,
}

impl Counts {
    fn add(&mut self, part: Part) {
        self.entries += 1;
        match part {
            Part::Body => self.bodies += 1,
            Part::SignedBody => {
                self.bodies += 1;
                self.signatures += 1;
            }
            Part::Withheld => self.withheld += 1,
            Part::Erased => self.erased += 1,
        }
    }

    fn end(self, digest: Digest) -> End {
        let Self {
            entries,
            bodies,
            signatures,
            withheld,
            erased,
        } = self;
        End {
            bodies,
            digest,
            entries,
            erased,
            signatures,
            withheld,
        }
    }
}

/// The last line. All of it follows from the lines before.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct End {
    bodies: u64,
    digest: Digest,
    entries: u64,
    erased: u64,
    signatures: u64,
    withheld: u64,
}

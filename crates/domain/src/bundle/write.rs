//! Making a bundle, piece by piece, from entries in order.

use sha2::{Digest as _, Sha256};

use super::{Counts, Opening, Part, Profile, SEAL, SEGMENT, Segment};
use crate::{
    Digest, canonical,
    dsse::SigningKey,
    journal::{Checkpoint, Header},
    record::Kind,
    wire::WireEntry,
};

/// Why entries are not the next segment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unwritable {
    /// Not in order, too many, too few, or of no kind.
    #[error("entry {0} is not the one that comes next")]
    Order(u64),
    #[error(transparent)]
    Canonical(#[from] canonical::Error),
}

/// A bundle in the making. It gives out bytes and keeps none.
#[derive(Debug)]
pub struct Writer {
    key: SigningKey,
    profile: Profile,
    size: u64,
    bundle: Digest,
    written: Sha256,
    counts: Counts,
}

impl Writer {
    /// Begins the bundle of the journal that `checkpoint` is about, and gives its first line. `key` is the log's.
    ///
    /// # Errors
    /// Never in practice: the line is within the canonical profile.
    pub fn begin(
        checkpoint: &Checkpoint,
        profile: Profile,
        key: SigningKey,
    ) -> Result<(Self, Vec<u8>), Unwritable> {
        let opening = canonical::to_vec(&Opening {
            checkpoint: checkpoint.sign(&key),
            format: 1,
            log_key: key.public_key(),
            profile,
            tenant: checkpoint.tenant,
        })?;
        let line = line("countersign-bundle", &opening);
        let mut writer = Self {
            key,
            profile,
            size: checkpoint.size,
            bundle: Digest::of(&line[..line.len() - 1]),
            written: Sha256::new(),
            counts: Counts::default(),
        };
        writer.written.update(&line);
        Ok((writer, line))
    }

    /// After which entry the next segment begins, and how many entries it has; `None` once all are written.
    pub const fn next(&self) -> Option<(u64, u64)> {
        let left = self.size - self.counts.entries;
        match left {
            0 => None,
            1..SEGMENT => Some((self.counts.entries, left)),
            SEGMENT.. => Some((self.counts.entries, SEGMENT)),
        }
    }

    /// The lines of the next segment, from exactly the entries that [`Self::next`] names.
    ///
    /// # Errors
    /// When they are others.
    pub fn segment(&mut self, entries: &[WireEntry]) -> Result<Vec<u8>, Unwritable> {
        let (after, expected) = self.next().ok_or(Unwritable::Order(self.size + 1))?;
        if entries.len() as u64 != expected {
            return Err(Unwritable::Order(after + 1));
        }
        let (mut lines, mut leaves, mut parts) = (Vec::new(), Vec::new(), String::new());
        for (entry, seq) in entries.iter().zip(after + 1..) {
            let header = entry.header().filter(|header| header.seq == seq);
            let header = header.ok_or(Unwritable::Order(seq))?;
            let part = self.entry(&header, entry, &mut lines)?;
            leaves.push(header.leaf_hash());
            parts.push(part.letter());
            self.counts.add(part);
        }
        let segment = canonical::to_vec(&Segment {
            bundle: self.bundle,
            digest: Digest::of(&lines),
            first: after + 1,
            leaves,
            parts,
        })?;
        let mut out = line("segment", &segment);
        let seal = self.key.sign(SEAL, segment).signatures;
        for seal in &seal {
            out.extend(line("seal", &canonical::to_vec(seal)?));
        }
        out.extend(lines);
        self.written.update(&out);
        Ok(out)
    }

    /// The last line.
    ///
    /// # Errors
    /// When entries are still missing.
    pub fn end(self) -> Result<Vec<u8>, Unwritable> {
        if let Some((after, _)) = self.next() {
            return Err(Unwritable::Order(after + 1));
        }
        let digest = Digest::from_bytes(self.written.finalize().into());
        Ok(line("end", &canonical::to_vec(&self.counts.end(digest))?))
    }

    fn entry(&self, header: &Header, entry: &WireEntry, lines: &mut Vec<u8>) -> Result<Part, Unwritable> {
        lines.extend(line("leaf", &header.to_bytes()));
        let withheld = entry
            .kind
            .parse()
            .is_ok_and(|kind: Kind| self.profile.withholds(kind));
        let Some(body) = &entry.body else {
            return Ok(if withheld { Part::Withheld } else { Part::Erased });
        };
        if withheld {
            return Ok(Part::Withheld);
        }
        lines.extend(line("body", body.as_bytes()));
        Ok(match &entry.signature {
            Some(signature) => {
                lines.extend(line("sig", &canonical::to_vec(signature)?));
                Part::SignedBody
            }
            None => Part::Body,
        })
    }
}

fn line(tag: &str, json: &[u8]) -> Vec<u8> {
    [tag.as_bytes(), b" ", json, b"\n"].concat()
}

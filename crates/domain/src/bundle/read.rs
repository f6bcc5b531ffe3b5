//! Reading a bundle line by line: that every byte is the log's, in its one spelling, and nothing is missing.
//!
//! What the entries say, whether the decisions count and whether they make the checkpoint's root, is for whoever folds
//! them: see `countersign-verify`.

use core::fmt;
use std::io::{self, BufRead};

use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::{Counts, MAX_LINE, Opening, Part, SEAL, SEGMENT, Segment};
use crate::{
    Digest, Record, UnixMillis, canonical,
    dsse::{Envelope, Signature},
    journal::{Checkpoint, Header, leaf_hash},
    record::{Kind, UnknownKind},
};

/// What is wrong with a bundle, and where it begins to be wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct Fault {
    pub place: Place,
    /// A sentence for people.
    pub problem: String,
}

/// A place in a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The first line, or what it speaks of as a whole.
    Opening,
    /// The entry with this sequence number.
    Entry(u64),
    /// Somewhere in these entries, as they were sealed together.
    Segment {
        first: u64,
        last: u64,
    },
    End,
}

impl Place {
    /// A fault here.
    pub fn fault(self, problem: impl Into<String>) -> Fault {
        Fault {
            place: self,
            problem: problem.into(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opening => f.write_str("the first line"),
            Self::Entry(seq) => write!(f, "entry {seq}"),
            Self::Segment { first, last } => write!(f, "entries {first} to {last}"),
            Self::End => f.write_str("the end"),
        }
    }
}

/// What a line has completed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    Opened(Opening, Checkpoint),
    Entry(Entry),
    Ended(Counts),
}

/// An entry that the log has sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub header: Header,
    pub leaf: Digest,
    pub content: Content,
}

/// What is here of an entry's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// The body that the header names. Its signature is carried, not checked: that needs the key.
    Known(Record),
    /// Of a kind that this version does not know.
    Newer,
    /// Left out by the bundle's profile.
    Withheld(Kind),
    /// Not in the journal any more.
    Erased(Kind),
}

/// Reads a bundle to its end, or to the first thing that is wrong with it, and says whether the end was there. `take` hears
/// what the lines have completed, with what was read by then, and may say what is wrong with that.
///
/// # Errors
/// When the bytes cannot be had.
pub fn read(
    mut bundle: impl BufRead,
    mut take: impl FnMut(Event, Counts) -> Result<(), String>,
) -> io::Result<Result<bool, Fault>> {
    let (mut checker, mut line) = (Checker::default(), Vec::new());
    loop {
        line.clear();
        let mut most = io::Read::take(&mut bundle, MAX_LINE as u64 + 1);
        most.read_until(b'\n', &mut line)?;
        let whole = line.pop_if(|last| *last == b'\n').is_some();
        let place = checker.place();
        if !whole && line.len() > MAX_LINE {
            return Ok(Err(place.fault("the line is longer than any may be")));
        }
        if !whole && (line.is_empty() || !checker.is_over()) {
            return Ok(Ok(checker.is_over()));
        }
        let taken = checker.line(&line).and_then(|event| match event {
            Some(event) => take(event, checker.counts()).map_err(|problem| place.fault(problem)),
            None => Ok(()),
        });
        if let Err(fault) = taken {
            return Ok(Err(fault));
        }
    }
}

/// A bundle that is being read.
#[derive(Debug)]
pub struct Checker {
    expects: Expects,
    read: Sha256,
    counts: Counts,
    clock: UnixMillis,
}

#[derive(Debug)]
enum Expects {
    Opening,
    Segment(Log, Option<Open>),
    Seal(Log, Vec<u8>),
    Leaf(Log, Open),
    Body(Log, Open, Header, Part),
    Signature(Log, Open, Header, Content),
    Nothing,
}

/// What the first line said.
#[derive(Debug)]
struct Log {
    opening: Opening,
    bundle: Digest,
    size: u64,
}

/// A sealed segment whose entries are being read.
#[derive(Debug)]
struct Open {
    segment: Segment,
    read: Sha256,
}

impl Default for Checker {
    fn default() -> Self {
        Self {
            expects: Expects::Opening,
            read: Sha256::new(),
            counts: Counts::default(),
            clock: UnixMillis(i64::MIN),
        }
    }
}

impl Checker {
    /// Whether the last line was the bundle's last.
    pub const fn is_over(&self) -> bool {
        matches!(self.expects, Expects::Nothing)
    }

    /// What was read so far.
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// The place that the next line belongs to.
    pub const fn place(&self) -> Place {
        match &self.expects {
            Expects::Opening => Place::Opening,
            Expects::Segment(log, _) if self.counts.entries == log.size => Place::End,
            Expects::Nothing => Place::End,
            Expects::Segment(..)
            | Expects::Seal(..)
            | Expects::Leaf(..)
            | Expects::Body(..)
            | Expects::Signature(..) => Place::Entry(self.counts.entries + 1),
        }
    }

    /// Takes the next line, without its newline. After a fault nothing more is to be learnt.
    ///
    /// # Errors
    /// When the line is not the one that comes next.
    pub fn line(&mut self, line: &[u8]) -> Result<Option<Event>, Fault> {
        let place = self.place();
        let at = |problem: &str| place.fault(problem);
        let (expects, event) = match core::mem::replace(&mut self.expects, Expects::Nothing) {
            Expects::Opening => {
                let (log, checkpoint) = open(line)?;
                let event = Event::Opened(log.opening.clone(), checkpoint);
                (Expects::Segment(log, None), Some(event))
            }
            Expects::Segment(log, read) if self.counts.entries == log.size => {
                read.map_or(Ok(()), Open::close)?;
                self.end(line)?;
                return Ok(Some(Event::Ended(self.counts)));
            }
            Expects::Segment(log, read) => {
                read.map_or(Ok(()), Open::close)?;
                let json =
                    tagged(line, "segment").ok_or_else(|| at("a sealed list of entries is missing here"))?;
                (Expects::Seal(log, json.to_vec()), None)
            }
            Expects::Seal(log, segment) => {
                let seal = tagged(line, "seal").ok_or_else(|| at("the log's seal is missing here"))?;
                let segment = self.seal(&log, segment, seal)?;
                let read = Sha256::new();
                (Expects::Leaf(log, Open { segment, read }), None)
            }
            Expects::Leaf(log, mut open) => {
                open.read(line);
                let json = tagged(line, "leaf").ok_or_else(|| at("the entry is missing here"))?;
                let (header, part) = self.leaf(&log, &open.segment, json)?;
                match (part, header.kind.as_str().parse()) {
                    (Part::Body | Part::SignedBody, _) => (Expects::Body(log, open, header, part), None),
                    (Part::Withheld, Ok(kind)) => {
                        self.entry(log, open, header, Content::Withheld(kind), part)
                    }
                    (Part::Erased, Ok(kind)) => self.entry(log, open, header, Content::Erased(kind), part),
                    (Part::Withheld | Part::Erased, Err(_)) => {
                        self.entry(log, open, header, Content::Newer, part)
                    }
                }
            }
            Expects::Body(log, mut open, header, part) => {
                open.read(line);
                let body = tagged(line, "body").ok_or_else(|| at("the body of the record is missing"))?;
                let content = match header.kind.as_str().parse() {
                    Ok(kind) => {
                        let record = Record::new(kind, body.to_vec(), None);
                        if record.digest != header.digest {
                            return Err(at("the body is not the one that the entry names"));
                        }
                        Content::Known(record)
                    }
                    // How a later version names its own kinds is for it to say; the seal covers the bytes all the same.
                    Err(UnknownKind) => Content::Newer,
                };
                if part == Part::SignedBody {
                    (Expects::Signature(log, open, header, content), None)
                } else {
                    self.entry(log, open, header, content, part)
                }
            }
            Expects::Signature(log, mut open, header, mut content) => {
                open.read(line);
                let json = tagged(line, "sig").ok_or_else(|| at("the signature of the record is missing"))?;
                let signature: Signature = parsed(json, "the signature", place)?;
                if let Content::Known(record) = &mut content {
                    record.signature = Some(signature);
                }
                self.entry(log, open, header, content, Part::SignedBody)
            }
            Expects::Nothing => return Err(Place::End.fault("something follows the end")),
        };
        self.expects = expects;
        self.read.update(line);
        self.read.update(b"\n");
        Ok(event)
    }

    fn seal(&self, log: &Log, segment: Vec<u8>, seal: &[u8]) -> Result<Segment, Fault> {
        let first = self.counts.entries + 1;
        let count = SEGMENT.min(log.size - self.counts.entries);
        let at = |problem: &str| Place::Entry(first).fault(problem);
        let seal: Signature = parsed(seal, "the log's seal", Place::Entry(first))?;
        let sealed = Envelope {
            payload: segment,
            payload_type: SEAL.to_owned(),
            signatures: vec![seal],
        };
        if sealed.verify(&log.opening.log_key).is_err() {
            return Err(at("the log has not sealed the list of entries that begins here"));
        }
        let segment: Segment = parsed(&sealed.payload, "the list of entries", Place::Entry(first))?;
        if segment.bundle != log.bundle {
            return Err(at("the list of entries that begins here is of another bundle"));
        }
        let whole = segment.leaves.len() as u64 == count && segment.parts.len() as u64 == count;
        if segment.first != first || !whole {
            return Err(at("the list of entries that begins here is of others"));
        }
        Ok(segment)
    }

    fn leaf(&mut self, log: &Log, segment: &Segment, json: &[u8]) -> Result<(Header, Part), Fault> {
        let seq = self.counts.entries + 1;
        let at = |problem: &str| Place::Entry(seq).fault(problem);
        let index = usize::try_from(seq - segment.first).map_err(|_| at("no such entry"))?;
        if segment.leaves.get(index) != Some(&leaf_hash(json)) {
            return Err(at("this is not the entry that the log sealed here"));
        }
        let header = Header::from_bytes(json).map_err(|error| at(&format!("not an entry: {error}")))?;
        if header.seq != seq {
            return Err(at("the entry is numbered otherwise"));
        }
        if header.at < self.clock {
            return Err(at("the entry is older than the one before it"));
        }
        self.clock = header.at;
        let part = segment
            .parts
            .as_bytes()
            .get(index)
            .and_then(|letter| Part::of(char::from(*letter)));
        let part = part.ok_or_else(|| at("the log says nothing readable of its body"))?;
        let kind = header.kind.as_str().parse::<Kind>();
        let withholds = kind.is_ok_and(|kind| log.opening.profile.withholds(kind));
        if withholds == (part == Part::Withheld) {
            Ok((header, part))
        } else {
            Err(at(
                "the bundle's profile does not go with what is here of the entry",
            ))
        }
    }

    fn entry(
        &mut self,
        log: Log,
        open: Open,
        header: Header,
        content: Content,
        part: Part,
    ) -> (Expects, Option<Event>) {
        self.counts.add(part);
        // That it is this one was found when the line was read.
        let place = usize::try_from(header.seq - open.segment.first).unwrap_or(usize::MAX);
        let leaf = open
            .segment
            .leaves
            .get(place)
            .copied()
            .unwrap_or_else(|| header.leaf_hash());
        let event = Event::Entry(Entry {
            header,
            leaf,
            content,
        });
        let last = open.segment.first + open.segment.leaves.len() as u64 - 1;
        if self.counts.entries < last {
            (Expects::Leaf(log, open), Some(event))
        } else {
            (Expects::Segment(log, Some(open)), Some(event))
        }
    }

    fn end(&self, line: &[u8]) -> Result<(), Fault> {
        let at = |problem: &str| Place::End.fault(problem);
        let json = tagged(line, "end").ok_or_else(|| at("the last line is missing"))?;
        let digest = Digest::from_bytes(self.read.clone().finalize().into());
        let expected = canonical::to_vec(&self.counts.end(digest)).map_err(|error| at(&error.to_string()))?;
        if json == expected {
            Ok(())
        } else {
            Err(at("the last line does not sum up what stands before it"))
        }
    }
}

impl Open {
    fn read(&mut self, line: &[u8]) {
        self.read.update(line);
        self.read.update(b"\n");
    }

    /// Its entries are over. Asked for only with the line behind them, so that whoever judges the last one speaks first.
    fn close(self) -> Result<(), Fault> {
        let first = self.segment.first;
        let last = first + self.segment.leaves.len() as u64 - 1;
        if Digest::from_bytes(self.read.finalize().into()) == self.segment.digest {
            Ok(())
        } else {
            Err(Place::Segment { first, last }.fault("a byte is not the one that the log sealed"))
        }
    }
}

fn open(line: &[u8]) -> Result<(Log, Checkpoint), Fault> {
    let at = |problem: &str| Place::Opening.fault(problem);
    let json = tagged(line, "countersign-bundle").ok_or_else(|| at("this is not a bundle of Countersign"))?;
    let opening: Opening = parsed(json, "what the bundle says of itself", Place::Opening)?;
    if opening.format != 1 {
        return Err(at("the bundle is of a format that this version does not know"));
    }
    // Signatures of others may stand in a note, and nothing here could vouch for their bytes.
    if opening.checkpoint.lines().count() != 5 {
        return Err(at("the checkpoint is not three lines and one signature"));
    }
    let checkpoint = Checkpoint::open(&opening.checkpoint, opening.tenant, &opening.log_key)
        .map_err(|error| at(&format!("the checkpoint does not hold: {error}")))?;
    if checkpoint.size == 0 {
        return Err(at("the checkpoint is of an empty journal"));
    }
    let log = Log {
        opening,
        bundle: Digest::of(line),
        size: checkpoint.size,
    };
    Ok((log, checkpoint))
}

fn tagged<'l>(line: &'l [u8], tag: &str) -> Option<&'l [u8]> {
    line.strip_prefix(tag.as_bytes())?.strip_prefix(b" ")
}

fn parsed<T: DeserializeOwned>(json: &[u8], what: &str, place: Place) -> Result<T, Fault> {
    canonical::from_slice(json).map_err(|error| place.fault(format!("{what} cannot be read: {error}")))
}

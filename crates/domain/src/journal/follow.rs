//! Following a log page by page without believing it: what a reader keeps, and what it holds every page against.
//!
//! A reader keeps the compact range of the entries that it has, and the signed heads that it has not reached. No page is
//! taken that does not continue the former and lead to the latter; two heads that do not go together are evidence.

use super::{
    checkpoint::{Checkpoint, CheckpointError},
    proof::{InvalidProof, verify_consistency},
    tree::Frontier,
};
use crate::{Digest, UnixMillis, dsse::PublicKey, id::TenantId};

/// How far a reader has followed a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Follower {
    pub tenant: TenantId,
    pub log_key: PublicKey,
    /// The tree of the entries that were taken.
    pub frontier: Frontier,
    /// Time of the newest of them.
    pub clock: UnixMillis,
    /// Verified heads, by size: the newest, and those beyond the entries that were taken.
    // INVARIANT: sizes rise.
    pub heads: Vec<Seen>,
}

/// A head that was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub size: u64,
    pub root: Digest,
    /// The note as the log has signed it.
    pub note: String,
}

/// What the log has sent is not how the log goes on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Departure {
    #[error("entry {found} came where entry {expected} was due")]
    Gap { expected: u64, found: u64 },
    #[error("entry {seq} is dated before the entry ahead of it")]
    TimeGoesBack { seq: u64 },
    #[error("the page goes beyond the signed head")]
    BeyondHead,
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    #[error("the page does not lead to the signed head: {0}")]
    Proof(InvalidProof),
    /// The log has signed a head that is smaller than one it signed before. Both signed notes are evidence.
    #[error("the log has gone back to an earlier state")]
    Rollback { ours: String, theirs: String },
    /// No proof joins what was taken to the head that the log has signed. Both signed notes are evidence.
    #[error("the log shows another history than before")]
    Fork { ours: String, theirs: String },
}

/// The head under which a page came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageHead {
    pub head: Checkpoint,
    note: String,
    began_empty: bool,
}

impl Follower {
    /// A reader that has nothing yet.
    pub const fn new(tenant: TenantId, log_key: PublicKey) -> Self {
        Self {
            tenant,
            log_key,
            frontier: Frontier::new(),
            clock: UnixMillis(i64::MIN),
            heads: Vec::new(),
        }
    }

    /// Takes the head of a page. The log never signs less than before, nor another root for the same size.
    ///
    /// # Errors
    /// When it has, or has not signed this at all.
    pub fn begin_page(&self, note: &str) -> Result<PageHead, Departure> {
        let head = Checkpoint::open(note, self.tenant, &self.log_key)?;
        let page = PageHead {
            head,
            note: note.to_owned(),
            began_empty: self.frontier.size() == 0,
        };
        match self.heads.last() {
            Some(ours) if page.head.size < ours.size => Err(Departure::Rollback {
                ours: ours.note.clone(),
                theirs: page.note,
            }),
            Some(ours) if page.head.size == ours.size && page.head.root != ours.root => Err(page.forks(ours)),
            Some(_) | None => Ok(page),
        }
    }

    /// Takes the next entry of the page. On the way past a size that the log has signed, the root must be the one that it
    /// signed.
    ///
    /// # Errors
    /// When it is not the next one, or the log has signed another.
    pub fn append(
        &mut self,
        page: &PageHead,
        seq: u64,
        at: UnixMillis,
        leaf: Digest,
    ) -> Result<(), Departure> {
        let expected = self.frontier.size() + 1;
        if seq != expected {
            return Err(Departure::Gap { expected, found: seq });
        }
        if at < self.clock {
            return Err(Departure::TimeGoesBack { seq });
        }
        self.frontier.append(leaf);
        self.clock = at;
        match self.heads.binary_search_by_key(&seq, |seen| seen.size) {
            // At the head itself a wrong root is for the proof to find: the page may be at fault, not the log.
            Ok(place) if seq != page.head.size && self.heads[place].root != self.frontier.root() => {
                Err(page.forks(&self.heads[place]))
            }
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Ends the page: what was taken is a part of its head, which is kept from here on.
    ///
    /// # Errors
    /// When the proof does not say so.
    pub fn end_page(&mut self, page: &PageHead, proof: &[Digest]) -> Result<(), Departure> {
        let (size, head) = (self.frontier.size(), &page.head);
        if size > head.size {
            return Err(Departure::BeyondHead);
        }
        match (
            verify_consistency(size, self.frontier.root(), head.size, head.root, proof),
            self.heads.last(),
        ) {
            (Ok(()), _) => {}
            (Err(InvalidProof::Root), Some(ours)) if !page.began_empty => return Err(page.forks(ours)),
            (Err(error), _) => return Err(Departure::Proof(error)),
        }
        self.heads
            .retain(|seen| seen.size > size && seen.size != head.size);
        self.heads.push(Seen {
            size: head.size,
            root: head.root,
            note: page.note.clone(),
        });
        Ok(())
    }
}

impl PageHead {
    fn forks(&self, ours: &Seen) -> Departure {
        Departure::Fork {
            ours: ours.note.clone(),
            theirs: self.note.clone(),
        }
    }
}

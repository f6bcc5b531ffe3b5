//! One proposal, folded from its entries: the state of the domain, and whether anything of it could not be read.

use countersign_domain::{
    Record, UnixMillis,
    fold::ProposalState,
    id::ProposalId,
    record::{Kind, Proposal},
    wire::WireEntry,
};

use crate::entries::Content;

/// Why a proposal is not known whole. It cannot be decided here then. Ordered: the later one is said when both hold.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Gap {
    /// A body is withheld from this reader, or erased.
    MissingBody,
    /// An entry says something that this version cannot read.
    NewerVersion,
}

impl Gap {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::MissingBody => "missing_body",
            Self::NewerVersion => "newer_version",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::MissingBody, Self::NewerVersion]
            .into_iter()
            .find(|gap| gap.name() == name)
    }
}

/// What the entries about one proposal come to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Folded {
    pub(crate) state: ProposalState,
    pub(crate) gap: Option<Gap>,
    /// The newest entry about it, whether it could be read or not.
    pub(crate) last_seq: u64,
}

impl Folded {
    /// Begins with the proposal's own entry; `None` when it is not that, or cannot be read.
    pub(crate) fn begin(seq: u64, id: ProposalId, record: &Record) -> Option<(Self, Proposal)> {
        if record.kind != Kind::Proposal {
            return None;
        }
        let proposal: Proposal = record.body().ok().filter(|body: &Proposal| body.id == id)?;
        let folded = Self {
            state: ProposalState::new(&proposal, record.digest, seq),
            gap: None,
            last_seq: seq,
        };
        Some((folded, proposal))
    }

    /// Takes a later entry. What cannot be read leaves the state as it is and is remembered as a gap.
    pub(crate) fn take(&mut self, seq: u64, at: UnixMillis, content: &Content) {
        let gap = match content {
            Content::Known(record) => match self.state.apply(seq, at, record) {
                Ok(()) => None,
                Err(_) => Some(Gap::NewerVersion),
            },
            Content::Missing => Some(Gap::MissingBody),
            Content::Newer => Some(Gap::NewerVersion),
        };
        self.gap = self.gap.max(gap);
        self.last_seq = seq;
    }
}

/// Folds all entries about one proposal; `None` when its own body is not here.
pub(crate) fn fold<E>(
    id: ProposalId,
    entries: &mut [WireEntry],
    content: impl Fn(&mut WireEntry) -> Result<Content, E>,
) -> Result<Option<(Folded, Proposal)>, E> {
    let mut folded: Option<(Folded, Proposal)> = None;
    for entry in entries {
        let content = content(entry)?;
        match (&mut folded, &content) {
            (Some((folded, _)), content) => folded.take(entry.seq, entry.at, content),
            (None, Content::Known(record)) => folded = Folded::begin(entry.seq, id, record),
            (None, Content::Missing | Content::Newer) => {}
        }
    }
    Ok(folded)
}

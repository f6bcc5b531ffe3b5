//! What a proposal took the place of, what took its place, and what it tries again.

use countersign_domain::{
    UnixMillis,
    fold::Closed,
    id::ProposalId,
    render::{self, Difference},
};
use countersign_replica::{Card, ReadError, Reader};

/// Where a proposal comes from and where it went.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Lineage {
    pub replaces: Option<Predecessor>,
    /// What took its place.
    pub replaced_by: Option<ProposalId>,
    /// The finished proposal that it tries again.
    pub retry_of: Option<ProposalId>,
}

/// The proposal that one took the place of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Predecessor {
    pub id: ProposalId,
    /// Such as "Edited by Ana".
    pub words: String,
    /// Every argument of the two records, with what became of it, and what they would do where only that differs; empty when
    /// the older one is not here.
    pub differences: Vec<Difference>,
}

/// `time` says one for this person.
pub(super) fn lineage(
    reader: &Reader,
    card: &Card,
    time: impl Fn(UnixMillis) -> String,
) -> Result<Lineage, ReadError> {
    let replaced_by = match &card.state.closed {
        Some(Closed::Superseded { successor, .. }) => *successor,
        Some(Closed::Withdrawn { .. } | Closed::Expired { .. }) | None => None,
    };
    let replaces = match card.proposal.supersedes {
        Some(id) => Some(predecessor(reader, id, card, time)?),
        None => None,
    };
    Ok(Lineage {
        replaces,
        replaced_by,
        retry_of: card.proposal.retry_of,
    })
}

fn predecessor(
    reader: &Reader,
    id: ProposalId,
    card: &Card,
    time: impl Fn(UnixMillis) -> String,
) -> Result<Predecessor, ReadError> {
    let old = reader.proposal(id)?;
    let closed = old.as_ref().and_then(|old| old.state.closed.as_ref());
    let reason = match closed {
        Some(Closed::Superseded { reason, .. }) => reason.as_str(),
        Some(Closed::Withdrawn { .. } | Closed::Expired { .. }) | None => "Made in place of another request",
    };
    let differences = old.as_ref().zip(card.manifest.as_ref());
    Ok(Predecessor {
        id,
        words: super::plain(reason),
        differences: differences.map_or_else(Vec::new, |(old, manifest)| {
            let mut found = render::differences(manifest, &old.proposal, &card.proposal, time);
            let foreseen = old.preview.as_ref().zip(card.preview.as_ref());
            found.extend(foreseen.and_then(|(before, after)| {
                render::foreseen_difference((&old.proposal, before), (&card.proposal, after))
            }));
            found
        }),
    })
}

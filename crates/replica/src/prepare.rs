//! What a page needs before anything of it is written: leaf hashes, and bodies checked and packed. For a long page a
//! second thread does this, a little ahead of the first.

use std::sync::mpsc::{SyncSender, sync_channel};

use countersign_domain::{Digest, wire::WireEntry};

use crate::{
    ApplyError, Malformed,
    entries::{self, Content, OtherBody},
    packed,
};

/// From how many entries on a second thread pays for itself.
const LONG: usize = 400;
/// How many entries it hands over at once, and how many such handfuls it may be ahead.
const HANDFUL: usize = 64;
const AHEAD: usize = 8;

/// An entry with all that can be known of it by itself.
pub(crate) struct Prepared {
    pub(crate) entry: WireEntry,
    pub(crate) leaf: Digest,
    pub(crate) content: Content,
    /// The body as it is stored.
    pub(crate) packed: Option<Vec<u8>>,
}

/// Prepares the entries of a page and hands them over in order.
pub(crate) fn each(
    entries: &[WireEntry],
    mut take: impl FnMut(Prepared) -> Result<(), ApplyError>,
) -> Result<(), ApplyError> {
    if entries.len() < LONG {
        return entries.iter().try_for_each(|entry| take(prepare(entry)?));
    }
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel(AHEAD);
        // When it panics, so does the scope, and nothing is committed.
        scope.spawn(move || run_ahead(entries, &sender));
        for handful in receiver {
            for prepared in handful? {
                take(prepared)?;
            }
        }
        Ok(())
    })
}

fn run_ahead(entries: &[WireEntry], sender: &SyncSender<Result<Vec<Prepared>, ApplyError>>) {
    for handful in entries.chunks(HANDFUL) {
        // Nobody listens any more when the page was refused.
        if sender.send(handful.iter().map(prepare).collect()).is_err() {
            return;
        }
    }
}

fn prepare(entry: &WireEntry) -> Result<Prepared, ApplyError> {
    let mut entry = entry.clone();
    let header = entry.header().ok_or(Malformed::Kind { seq: entry.seq })?;
    let content = entries::content(&mut entry).map_err(|OtherBody| Malformed::Body { seq: entry.seq })?;
    Ok(Prepared {
        leaf: header.leaf_hash(),
        packed: entry
            .body
            .as_ref()
            .map(|body| packed::pack(body.as_bytes()))
            .transpose()?,
        content,
        entry,
    })
}

//! The journal as it comes from a server, or from whoever says to be one. The honest one of [`seeds`] is known, so whatever
//! else is taken is a lie that was believed.

use std::io::Read as _;

use countersign_domain::{
    Digest,
    journal::{Checkpoint, Follower, Frontier, leaf_hash, verify_consistency, verify_inclusion},
    wire::JournalPage,
};
use countersign_replica::{Replica, SignedHead, StorageError};
use countersign_verify::{Options, Verdict, verify};

use crate::seeds;

/// No bundle is whole but the one that the log has made.
pub(crate) fn bundle(bytes: &[u8]) -> bool {
    let options = Options {
        trust: Some(seeds::journal().log_key().public_key()),
        ..Options::default()
    };
    let report = verify(bytes, &options).expect("memory can be read");
    let whole = report.verdict == Verdict::Whole;
    assert!(
        !whole || seeds::bundle() == bytes,
        "a changed bundle passes for whole"
    );
    drop(report.to_string());
    whole
}

/// A checkpoint has one spelling, and is the log's.
pub(crate) fn note(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    let journal = seeds::journal();
    let key = journal.log_key();
    let Ok(head) = Checkpoint::open(text, journal.tenant(), &key.public_key()) else {
        return false;
    };
    assert_eq!(
        text,
        journal.checkpoint(head.size),
        "a head that nobody has signed"
    );
    true
}

/// A proof over a small tree: taken exactly when it is the one. The bytes say which leaf, which sizes, and what is changed.
pub(crate) fn proofs(bytes: &[u8]) -> bool {
    let [count, place, old, at, change, rest @ ..] = bytes else {
        return false;
    };
    let size = 1 + u64::from(*count) % 64;
    let (index, old) = (u64::from(*place) % size, 1 + u64::from(*old) % size);
    let leaves: Vec<Digest> = (0..size)
        .map(|n| leaf_hash(&[rest, &n.to_be_bytes()].concat()))
        .collect();
    let root = |size: u64| {
        let mut tree = Frontier::new();
        leaves
            .iter()
            .take(usize::try_from(size).expect("small"))
            .for_each(|leaf| {
                tree.append(*leaf);
            });
        tree.root()
    };
    let all = |from: usize, to: usize| subtree(&leaves[from..to]);
    let mut inclusion = Vec::new();
    path(
        usize::try_from(index).expect("small"),
        0,
        leaves.len(),
        &all,
        &mut inclusion,
    );
    let leaf = leaves[usize::try_from(index).expect("small")];
    assert_eq!(
        verify_inclusion(leaf, index, size, root(size), &inclusion),
        Ok(())
    );
    let mut consistency = Vec::new();
    if old < size {
        prefix(
            usize::try_from(old).expect("small"),
            0,
            leaves.len(),
            true,
            &all,
            &mut consistency,
        );
    }
    assert_eq!(
        verify_consistency(old, root(old), size, root(size), &consistency),
        Ok(())
    );
    for proof in [&mut inclusion, &mut consistency] {
        match proof.len() {
            length @ 1.. if change % 3 == 0 => {
                let mut bytes = *proof[usize::from(*at) % length].as_bytes();
                bytes[usize::from(*change) % 32] ^= 1 << (at % 8);
                proof[usize::from(*at) % length] = Digest::from_bytes(bytes);
            }
            1.. if change % 3 == 1 => drop(proof.pop()),
            _ => proof.push(leaf),
        }
    }
    assert!(verify_inclusion(leaf, index, size, root(size), &inclusion).is_err());
    assert!(verify_consistency(old, root(old), size, root(size), &consistency).is_err());
    true
}

/// RFC 9162 §2.1, in its own words and without the code under test.
fn subtree(leaves: &[Digest]) -> Digest {
    match leaves {
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            countersign_domain::journal::node_hash(&subtree(left), &subtree(right))
        }
    }
}

/// The largest power of two below `count`.
const fn split(count: usize) -> usize {
    count.next_power_of_two() / 2
}

fn path(index: usize, from: usize, to: usize, all: &impl Fn(usize, usize) -> Digest, out: &mut Vec<Digest>) {
    if to - from == 1 {
        return;
    }
    let middle = from + split(to - from);
    if index < middle {
        path(index, from, middle, all, out);
        out.push(all(middle, to));
    } else {
        path(index, middle, to, all, out);
        out.push(all(from, middle));
    }
}

fn prefix(
    old: usize,
    from: usize,
    to: usize,
    known: bool,
    all: &impl Fn(usize, usize) -> Digest,
    out: &mut Vec<Digest>,
) {
    if old == to {
        if !known {
            out.push(all(from, to));
        }
        return;
    }
    let middle = from + split(to - from);
    if old <= middle {
        prefix(old, from, middle, known, all, out);
        out.push(all(middle, to));
    } else {
        prefix(old, middle, to, false, all, out);
        out.push(all(from, middle));
    }
}

/// No page is taken that is not a part of the log.
pub(crate) fn pages(bytes: &[u8]) -> bool {
    let Ok(page) = serde_json::from_slice::<JournalPage>(bytes) else {
        return false;
    };
    let journal = seeds::journal();
    let mut follower = Follower::new(journal.tenant(), journal.log_key().public_key());
    let Ok(head) = follower.begin_page(&page.checkpoint) else {
        return false;
    };
    for entry in &page.entries {
        let Some(header) = entry.header() else {
            return false;
        };
        if follower
            .append(&head, entry.seq, entry.at, header.leaf_hash())
            .is_err()
        {
            return false;
        }
        if let Some(record) = entry.record() {
            assert_eq!(record.digest, header.digest, "a body that was not journalled");
        }
    }
    if follower.end_page(&head, &page.consistency).is_err() {
        return false;
    }
    let honest = journal.page_as_of(0, page.entries.len(), head.head.size);
    let headers = |page: &JournalPage| {
        page.entries
            .iter()
            .map(|entry| entry.header())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        headers(&page),
        headers(&honest),
        "another history passes for the log's"
    );
    true
}

/// Most bytes that a packed snapshot may unfold to here.
const MOST: u64 = 4 * 1024 * 1024;

/// No snapshot is taken that is not a part of the log, and whatever is read from one that is taken is the log's.
pub(crate) fn snapshot(bytes: &[u8]) -> bool {
    let mut plain = Vec::new();
    let unpacked = zstd::Decoder::new(bytes).and_then(|packed| packed.take(MOST).read_to_end(&mut plain));
    // What does not unpack is tried as it is: the format is SQLite's, not the packing's.
    let plain = if unpacked.is_ok() { &plain[..] } else { bytes };
    let folder = tempfile::tempdir().expect("a folder");
    let (given, made) = (folder.path().join("given.db"), folder.path().join("made.db"));
    std::fs::write(&given, plain).expect("a file");
    let journal = seeds::journal();
    let size = journal.size();
    let note = journal.checkpoint(size);
    let head = SignedHead {
        checkpoint: &note,
        consistency: &[],
    };
    let Ok(replica) = Replica::from_snapshot(&given, &made, None, &journal.log(), head) else {
        assert!(!made.exists(), "nothing is left of what was refused");
        return false;
    };
    let reader = replica.reader().expect("a snapshot that was taken can be opened");
    let taken = reader.head().expect("it has a head").expect("of some entries");
    assert_eq!(taken.size, size, "another history passes for the log's");
    // A body is compared with its header when it is used, so one that does not unpack shows only here.
    let entries = match reader.entries(0, 10_000) {
        Ok(entries) => entries,
        Err(StorageError::Damaged(_)) => return true,
        Err(error) => panic!("what was taken can be read: {error}"),
    };
    for (ours, theirs) in journal.entries().iter().zip(&entries) {
        assert_eq!(ours.header(), theirs.header());
        assert!(theirs.record().is_none_or(|record| record.digest == ours.digest));
    }
    true
}

//! Broken disks: torn and flipped pages, files cut off, an old copy put in place. What a device then reads is right, or
//! it is told that it is not.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use super::{
    seeded::{self, Seeded},
    *,
};
use crate::Key;

const PAGE: usize = 4096;

fn key() -> Key {
    Key::from_bytes([7; 32])
}

/// A journal, and the files of a device that had some of it and then all of it.
struct Disk {
    journal: JournalBuilder,
    proposals: Vec<ProposalId>,
    older: Vec<u8>,
    newer: Vec<u8>,
    whole: Read,
}

/// What a device makes of a file.
#[derive(Clone, PartialEq, Eq)]
struct Read {
    journalled: String,
    /// Every proposal as its card would have it, held against its entries.
    cards: String,
    folded: String,
}

/// What a disk does wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// It gives back what nobody has written.
    Damage,
    /// It has said that a page was written and has not: what it gives back was right once.
    LostWrite,
}

impl Disk {
    fn new() -> Self {
        let steps: Vec<_> = (0..160_u8)
            .map(|at| (at % 18, at.wrapping_mul(37), at.wrapping_mul(91)))
            .collect();
        let (journal, proposals) = journal(&steps);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("replica.db");
        let until = |size: u64| {
            let mut replica = Replica::open(&path, Some(&key())).unwrap();
            let have = replica
                .reader()
                .unwrap()
                .head()
                .unwrap()
                .map_or(0, |head| head.size);
            let limit = usize::try_from(size - have).unwrap();
            replica.apply(&journal.page(have, limit), &journal.log()).unwrap();
            drop(replica);
            assert!(
                !path.with_extension("db-wal").exists(),
                "everything is in the one file"
            );
            fs::read(&path).unwrap()
        };
        let older = until(journal.size() / 2);
        let newer = until(journal.size());
        let whole = read(&path, &proposals).unwrap();
        Self {
            journal,
            proposals,
            older,
            newer,
            whole,
        }
    }

    /// The file as a broken disk gives it back, and what was done to it.
    fn broken(&self, random: &mut Seeded) -> (Vec<u8>, Fault, String) {
        let mut file = self.newer.clone();
        let pages = file.len() / PAGE;
        let at = random.below(pages) * PAGE;
        let mut fault = Fault::Damage;
        let what = match random.below(7) {
            0 | 1 => {
                let (byte, bit) = (random.below(file.len()), random.below(8));
                file[byte] ^= 1 << bit;
                format!("bit {bit} of byte {byte} is flipped")
            }
            2 => {
                file[at + PAGE / 2..at + PAGE].fill(0);
                format!("the second half of the page at {at} was never written")
            }
            3 => {
                // Of a page that was written again only the first half came to the disk.
                let from = self.older.len().min(at + PAGE / 2)..self.older.len().min(at + PAGE);
                file[from.clone()].copy_from_slice(&self.older[from]);
                format!("the second half of the page at {at} is of before")
            }
            4 => {
                let other = random.below(pages) * PAGE;
                file.copy_within(other..other + PAGE, at);
                format!("the page at {at} is that at {other}")
            }
            5 => {
                file.truncate(random.below(file.len()));
                format!("only {} bytes are left", file.len())
            }
            _ => {
                fault = Fault::LostWrite;
                let from = at.min(self.older.len())..(at + PAGE).min(self.older.len());
                file[from.clone()].copy_from_slice(&self.older[from]);
                format!("the page at {at} is of before")
            }
        };
        (file, fault, what)
    }
}

/// Reads everything there is; an error is what was hoped for.
fn read(path: &Path, proposals: &[ProposalId]) -> Result<Read, String> {
    let told = |error: &dyn std::fmt::Display| error.to_string();
    let replica = Replica::open(path, Some(&key())).map_err(|error| told(&error))?;
    let reader = replica.reader().map_err(|error| told(&error))?;
    let mut cards = String::new();
    for id in proposals {
        let card = reader.proposal(*id).map_err(|error| told(&error))?;
        cards.push_str(&format!("{card:?}\n"));
    }
    reader.verify_all().map_err(|error| told(&error))?;
    let tables = |tables: &[&str]| try_tables(&replica.connection, tables).map_err(|error| told(&error));
    Ok(Read {
        journalled: tables(&JOURNALLED)?,
        cards,
        folded: tables(&FOLDED)?,
    })
}

#[test]
fn whatever_a_broken_disk_gives_back_is_right_or_known_to_be_wrong() {
    let disk = Disk::new();
    let (first, count) = seeded::cases(300, 10_000);
    let (folder, noticed) = (tempfile::tempdir().unwrap(), AtomicU64::new(0));
    seeded::each(first, count, |seed| {
        let (file, fault, what) = disk.broken(&mut Seeded::new(seed));
        let path: PathBuf = folder.path().join(format!("{seed}.db"));
        fs::write(&path, &file).unwrap();
        let found = read(&path, &disk.proposals);
        fs::remove_file(&path).unwrap();
        let right = match found {
            Err(_) => {
                noticed.fetch_add(1, Ordering::SeqCst);
                true
            }
            Ok(found) if fault == Fault::Damage => found == disk.whole,
            // A row of a list may be of before: it is folded from the journal, and no code covers that it is the newest.
            // What was journalled, and every card, is right all the same.
            Ok(found) => {
                (found.journalled, found.cards) == (disk.whole.journalled.clone(), disk.whole.cards.clone())
            }
        };
        if right {
            return Ok(());
        }
        let replay = seeded::replay(seed, "whatever_a_broken_disk_gives_back");
        Err(format!("{what}, and nobody was told\n{replay}"))
    });
    let noticed = noticed.into_inner();
    assert!(
        count == 1 || noticed > count / 2,
        "{noticed} of {count} were noticed"
    );
}

#[test]
fn an_old_copy_put_in_place_goes_on_from_where_it_is() {
    let disk = Disk::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("replica.db");
    fs::write(&path, &disk.older).unwrap();
    let mut replica = Replica::open(&path, Some(&key())).unwrap();
    let have = replica.reader().unwrap().verify_all().unwrap().entries;
    assert_eq!(have, disk.journal.size() / 2, "it is whole, and of before");
    replica
        .apply(&disk.journal.page(have, 1_000), &disk.journal.log())
        .unwrap();
    drop(replica);
    assert!(read(&path, &disk.proposals).unwrap() == disk.whole);
}

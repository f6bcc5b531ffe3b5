//! What devices had seen of the journal when they decided.

use countersign_domain::{Digest, dsse::Envelope};

use super::*;
use crate::{
    ApplyError, OtherHistory, entries, packed,
    witness::{Blocks, Witness},
};

/// One journal that went two ways, with the same proposal to decide in both: what a device has decided upon the one stands
/// in the other. With it, the envelope that it signed.
fn forked() -> (JournalBuilder, Envelope) {
    let mut ours = JournalBuilder::new();
    let bob = ours.member("Bob", Role::Approver);
    let mut bobs = ours.device(bob);
    let id = ours.propose(Draft::default());
    let mut theirs = ours.clone();
    ours.propose(Draft::default());
    theirs.propose(Draft {
        risk: Risk::Critical,
        ..Draft::default()
    });
    theirs.decide_on(id, &mut bobs, Verdict::Approve);
    let decision = theirs.entries().last().unwrap().record().unwrap();
    let envelope = decision.to_envelope();
    ours.append_record(format!("proposal/{id}"), decision);
    (ours, envelope)
}

#[test]
fn a_log_that_shows_two_histories_to_two_devices_is_noticed_once_one_hears_of_the_others_decision() {
    let (journal, signed) = forked();
    let mut here = Here::new();
    let before = journal.size() - 1;
    let page = journal.page_as_of(0, 1_000, before);
    here.replica.apply(&page, &journal.log()).unwrap();
    let dump = here.dump();

    let verdict = here.replica.apply(&journal.page(before, 10), &journal.log());
    let Err(ApplyError::OtherHistory(other)) = verdict else {
        panic!("{verdict:?}");
    };
    let expected = OtherHistory {
        seq: journal.size(),
        size: journal.size() - 1,
        head: journal.checkpoint(journal.size()),
        record: signed,
    };
    assert_eq!(*other, expected);
    assert_eq!(here.dump(), dump, "nothing of the page is kept");
}

#[test]
fn what_came_in_a_snapshot_is_looked_at_when_somebody_asks() {
    let (journal, signed) = forked();
    // As a snapshot may have it: in the file, and never looked at on its way.
    let mut page = journal.page(0, 1_000);
    let last = page.entries.last_mut().unwrap();
    let decision = last.clone();
    last.body = None;
    let mut here = Here::new();
    here.replica.apply(&page, &journal.log()).unwrap();
    assert_eq!(here.reader().contradiction().unwrap(), None);
    let body = packed::pack(decision.body.as_ref().unwrap().as_bytes()).unwrap();
    entries::insert_body(&here.replica.connection, &decision, &body).unwrap();

    here.reader().verify_all().unwrap();
    let found = here.reader().contradiction().unwrap().unwrap();
    assert_eq!((found.seq, found.record), (journal.size(), signed));
    assert_eq!(found.head, journal.checkpoint(journal.size()));
}

#[test]
fn whatever_was_seen_and_whenever_it_is_the_journals_own_root_and_no_other() {
    let mut journal = JournalBuilder::new();
    let id = journal.propose(Draft::default());
    while journal.size() < 1_100 {
        journal.preview(id);
    }
    let here = Here::with(&journal);
    let connection = &here.replica.connection;
    let seen = |size: u64| Witness::new(size, journal.root(size), journal.size() + 1);
    let check = |witnesses| Blocks::default().contradicted(connection, witnesses).unwrap();

    // In one walk, and each by itself, with what was kept of the others.
    assert_eq!(check((0..=journal.size()).map(seen).collect()), None);
    let mut kept = Blocks::default();
    let mut sizes: Vec<u64> = (0..=journal.size()).collect();
    sizes.sort_by_key(|size| Digest::of(&size.to_be_bytes()));
    for size in sizes {
        assert_eq!(
            kept.contradicted(connection, vec![seen(size)]).unwrap(),
            None,
            "{size}"
        );
    }
    for size in [
        0, 1, 255, 256, 257, 511, 512, 513, 768, 1_023, 1_024, 1_025, 1_100,
    ] {
        let other = Witness::new(size, Digest::of(b"another"), journal.size() + 1);
        let among = (0..=journal.size()).map(|at| if at == size { other } else { seen(at) });
        assert_eq!(check(among.collect()), Some(other));
        let before = Witness::new(size, journal.root(size), size);
        assert_eq!(
            check(vec![before]),
            Some(before),
            "nobody has seen their own entry"
        );
    }
    let beyond = Witness::new(journal.size() + 1, journal.root(journal.size()), u64::MAX);
    assert_eq!(check(vec![beyond]), Some(beyond));
}

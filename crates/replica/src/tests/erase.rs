//! What the tenant has erased.

use countersign_domain::{
    UnixMillis,
    id::UserId,
    record::{Outcome, Role, Verdict},
};

use super::*;

/// A journal in which two requests about the same have come to their end.
fn journal() -> (JournalBuilder, UserId, [ProposalId; 2]) {
    let mut journal = JournalBuilder::new();
    let ada = journal.member("Ada", Role::Admin);
    let ids = ["Bake the zimtschnecke", "Eat the zimtschnecke"].map(|title| {
        let id = journal.propose(Draft {
            title: title.to_owned(),
            ..Draft::default()
        });
        let yes = journal.decide(id, ada, Verdict::Approve);
        journal.begin(id, vec![yes]);
        journal.receipt(id, Outcome::Completed);
        id
    });
    (journal, ada, ids)
}

fn found(here: &Here) -> Vec<ProposalId> {
    let rows = here.reader().search("zimtschnecke", 50, UnixMillis(0)).unwrap();
    rows.into_iter().map(|row| row.id).collect()
}

#[test]
fn is_in_no_list_and_in_no_body_and_the_rest_is_as_it_was() {
    let (mut journal, ada, [gone, kept]) = journal();
    let mut here = Here::with(&journal);
    assert_eq!(found(&here).len(), 2);
    journal.erase(gone, ada);
    here.pull(&journal, 100);
    assert_eq!(found(&here), [kept]);
    let reader = here.reader();
    assert_eq!(reader.proposal(gone).unwrap(), None);
    assert!(reader.proposal(kept).unwrap().is_some());
    assert!(!here.dump().contains("Bake"), "nor in any row");
    let bodies: Vec<_> = reader.history(gone).unwrap();
    assert!(
        bodies
            .iter()
            .any(|entry| entry.kind == "decision" && entry.body.is_some())
    );
    assert!(
        bodies
            .iter()
            .all(|entry| entry.kind != "proposal" || entry.body.is_none())
    );
    reader.verify_all().unwrap();
}

#[test]
fn a_desktop_that_had_it_and_one_that_never_did_come_to_the_same() {
    let (mut journal, ada, [gone, _]) = journal();
    let mut had = Here::with(&journal);
    journal.erase(gone, ada);
    had.pull(&journal, 100);
    for limit in [1, 3, 1_000] {
        let mut fresh = Here::new();
        fresh.pull(&journal, limit);
        assert_eq!(had.dump(), fresh.dump(), "{limit} entries at a time");
    }
}

#[test]
fn what_comes_about_it_later_does_not_bring_it_back() {
    let (mut journal, ada, [gone, kept]) = journal();
    let mut here = Here::with(&journal);
    journal.erase(gone, ada);
    journal.lapse(gone);
    here.pull(&journal, 100);
    assert_eq!(found(&here), [kept]);
    journal.lapse(gone);
    here.pull(&journal, 100);
    assert_eq!(found(&here), [kept]);
}

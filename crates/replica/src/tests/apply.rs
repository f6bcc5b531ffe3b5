use std::collections::BTreeMap;

use countersign_domain::{
    Digest, Millis, UnixMillis,
    fold::ProposalState,
    id::{ProposalId, TenantId},
    record::{Kind, Proposal, Risk, Role, Verdict},
    wire::{JournalPage, WireEntry},
};

use super::*;
use crate::{ApplyError, Gap, Log, Malformed, View};

/// The fold of the domain over entries in memory, without anything that this crate does.
fn plain_fold(entries: &[WireEntry]) -> BTreeMap<ProposalId, ProposalState> {
    let mut states = BTreeMap::new();
    for entry in entries
        .iter()
        .filter(|entry| entry.subject.starts_with("proposal/"))
    {
        let record = entry.record().unwrap();
        let id: ProposalId = entry.subject["proposal/".len()..].parse().unwrap();
        if record.kind == Kind::Proposal {
            let proposal: Proposal = record.body().unwrap();
            states.insert(id, ProposalState::new(&proposal, record.digest, entry.seq));
        } else {
            let state: &mut ProposalState = states.get_mut(&id).unwrap();
            state.apply(entry.seq, entry.at, &record).unwrap();
        }
    }
    states
}

/// What is kept of every proposal, compared with its entries on the way.
fn stored_states(here: &Here) -> BTreeMap<ProposalId, ProposalState> {
    let reader = here.reader();
    let list = reader
        .inbox(View::All, &crate::Filter::default(), None, 500, UnixMillis(0))
        .unwrap();
    list.rows
        .into_iter()
        .map(|row| (row.id, reader.proposal(row.id).unwrap().unwrap().state))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn what_is_stored_after_any_prefix_is_the_fold_of_that_prefix(steps in steps(60), cuts in proptest::collection::vec(1..12_usize, 1..8)) {
        let (journal, _) = journal(&steps);
        let mut here = Here::new();
        let mut size = 0;
        for cut in cuts.iter().cycle() {
            if size == journal.size() {
                break;
            }
            size = here.replica.apply(&journal.page(size, *cut), &journal.log()).unwrap().size;
            let prefix = &journal.entries()[..size as usize];
            prop_assert_eq!(stored_states(&here), plain_fold(prefix));
        }
    }

    #[test]
    fn page_boundaries_do_not_matter(steps in steps(60), limit in 1..9_usize) {
        let (journal, _) = journal(&steps);
        let (mut in_pages, mut at_once) = (Here::new(), Here::new());
        in_pages.pull(&journal, limit);
        at_once.pull(&journal, 10_000);
        prop_assert_eq!(in_pages.dump(), at_once.dump());
    }
}

#[test]
fn a_long_page_comes_to_the_same_as_short_ones() {
    let steps: Vec<_> = (0..1_500_u16)
        .map(|at| {
            (
                (at % 18) as u8,
                (at.wrapping_mul(37) >> 2) as u8,
                (at.wrapping_mul(91) >> 3) as u8,
            )
        })
        .collect();
    let (journal, _) = journal(&steps);
    let (mut in_pages, mut at_once) = (Here::new(), Here::new());
    in_pages.pull(&journal, 90);
    at_once.pull(&journal, 700);
    assert_eq!(in_pages.dump(), at_once.dump());
}

#[test]
fn a_long_page_with_one_wrong_entry_is_refused_and_changes_nothing() {
    let (journal, _) = journal(&[(0, 1, 1); 600]);
    let mut here = Here::new();
    here.pull(&journal, 20);
    let mut longer = journal.clone();
    for _ in 0..500 {
        longer.propose(Draft::default());
    }
    let good = longer.page(journal.size(), 10_000);
    let before = here.dump();
    for at in [0, 63, 64, 500, good.entries.len() - 1] {
        let mut page = good.clone();
        page.entries[at].body = Some("{}".to_owned());
        let verdict = here.replica.apply(&page, &journal.log());
        let expected = good.entries[at].seq;
        assert!(
            matches!(verdict, Err(ApplyError::Malformed(Malformed::Body { seq })) if seq == expected),
            "{verdict:?}"
        );
        assert_eq!(here.dump(), before);
    }
    here.replica.apply(&good, &journal.log()).unwrap();
}

#[test]
fn on_a_full_disk_a_page_is_taken_whole_or_not_at_all() {
    let (journal, _) = journal(&[(0, 1, 1); 400]);
    let mut here = Here::new();
    here.pull(&journal, 20);
    let mut longer = journal.clone();
    for _ in 0..200 {
        longer.propose(Draft::default());
    }
    let room = |here: &Here, more: i64| {
        let db = &here.replica.connection;
        let pages: i64 = db
            .pragma_query_value(None, "page_count", |row| row.get(0))
            .unwrap();
        db.pragma_update_and_check(None, "max_page_count", pages + more, |row| row.get::<_, i64>(0))
            .unwrap();
    };
    let before = here.dump();
    let page = longer.page(journal.size(), 10_000);
    let mut refused = 0;
    for more in 0..6 {
        room(&here, more);
        if here.replica.apply(&page, &longer.log()).is_err() {
            refused += 1;
            assert_eq!(here.dump(), before, "nothing half-written");
        }
    }
    assert_eq!(refused, 6, "so much does not fit into so little");
    room(&here, 100_000);
    here.replica.apply(&page, &longer.log()).unwrap();
    let mut elsewhere = Here::new();
    elsewhere.pull(&longer, 10_000);
    assert_eq!(here.dump(), elsewhere.dump());
}

#[test]
fn a_page_says_what_it_has_changed() {
    let mut journal = JournalBuilder::new();
    let ada = journal.member("Ada", Role::Approver);
    let first = journal.propose(Draft::default());
    let mut here = Here::new();
    let applied = here.replica.apply(&journal.page(0, 100), &journal.log()).unwrap();
    assert_eq!(applied.proposals, [first]);
    assert!(applied.people, "a member came");
    assert!(!applied.is_behind());
    journal.decide(first, ada, Verdict::Approve);
    let second = journal.propose(Draft::default());
    let applied = here
        .replica
        .apply(&journal.page(applied.size, 1), &journal.log())
        .unwrap();
    assert_eq!(applied.proposals, [first]);
    assert!(!applied.people);
    assert!(applied.is_behind(), "two entries are still to come");
    let applied = here
        .replica
        .apply(&journal.page(applied.size, 9), &journal.log())
        .unwrap();
    assert_eq!(applied.proposals, [second]);
    let applied = here
        .replica
        .apply(&journal.page(applied.size, 9), &journal.log())
        .unwrap();
    assert_eq!(
        applied.proposals,
        [],
        "an empty page proves the head and changes nothing"
    );
}

#[test]
fn a_page_with_anything_changed_in_it_is_refused_and_changes_nothing() {
    let mut journal = JournalBuilder::new();
    let ada = journal.member("Ada", Role::Approver);
    let id = journal.propose(Draft::default());
    let mut here = Here::with(&journal);
    let after = journal.size();
    journal.decide(id, ada, Verdict::Approve);
    journal.propose(Draft::default());
    journal.wait(Millis(10));
    let good = journal.page_as_of(after, 2, journal.size());
    let other = Digest::of(b"other");
    let before = here.dump();
    type Change = Box<dyn Fn(&mut JournalPage)>;
    let changes: [(&str, Change); 17] = [
        ("seq", Box::new(|page| page.entries[1].seq += 1)),
        ("a missing entry", Box::new(|page| drop(page.entries.remove(0)))),
        (
            "an entry twice",
            Box::new(|page| page.entries.insert(1, page.entries[0].clone())),
        ),
        ("order", Box::new(|page| page.entries.swap(0, 1))),
        (
            "a time",
            Box::new(|page| page.entries[0].at = page.entries[0].at + Millis(1)),
        ),
        (
            "an earlier time",
            Box::new(|page| page.entries[1].at = UnixMillis(0)),
        ),
        ("kind", Box::new(|page| page.entries[0].kind = "void".to_owned())),
        (
            "an unknown kind",
            Box::new(|page| page.entries[0].kind = "later".to_owned()),
        ),
        (
            "no kind",
            Box::new(|page| page.entries[0].kind = "No kind".to_owned()),
        ),
        ("subject", Box::new(|page| page.entries[0].subject.push('x'))),
        ("digest", Box::new(move |page| page.entries[0].digest = other)),
        (
            "body",
            Box::new(|page| page.entries[0].body = page.entries[1].body.clone()),
        ),
        ("an end cut off", Box::new(|page| drop(page.entries.pop()))),
        ("a proof hash", Box::new(move |page| page.consistency[0] = other)),
        (
            "a shorter proof",
            Box::new(|page| page.consistency.truncate(page.consistency.len() - 1)),
        ),
        (
            "a longer proof",
            Box::new(move |page| page.consistency.push(other)),
        ),
        (
            "the note",
            Box::new(|page| page.checkpoint = page.checkpoint.replace('A', "B")),
        ),
    ];
    for (what, change) in changes {
        let mut page = good.clone();
        change(&mut page);
        assert_ne!(page, good, "{what}");
        let verdict = here.replica.apply(&page, &journal.log());
        assert!(verdict.is_err(), "{what} is refused");
        assert_eq!(here.dump(), before, "{what} changes nothing");
    }
    here.replica.apply(&good, &journal.log()).unwrap();
}

#[test]
fn a_body_may_be_withheld_and_the_proposal_is_then_not_known_whole() {
    let mut journal = JournalBuilder::new();
    let ada = journal.member("Ada", Role::Approver);
    let whole = journal.propose(Draft::default());
    let hidden = journal.propose(Draft::default());
    journal.decide(whole, ada, Verdict::Approve);
    let mut page = journal.page(0, 100);
    for entry in &mut page.entries {
        if entry.subject == format!("proposal/{hidden}") || entry.kind == "decision" {
            entry.body = None;
        }
    }
    let mut here = Here::new();
    here.replica.apply(&page, &journal.log()).unwrap();
    let reader = here.reader();
    assert_eq!(reader.proposal(hidden).unwrap(), None, "its own body is withheld");
    let card = reader.proposal(whole).unwrap().unwrap();
    assert_eq!(card.gap, Some(Gap::MissingBody));
    assert_eq!(
        reader.head().unwrap().unwrap().size,
        journal.size(),
        "every header is here"
    );
    assert!(
        reader
            .history(hidden)
            .unwrap()
            .iter()
            .all(|entry| entry.body.is_none())
    );
}

#[test]
fn a_kind_of_a_later_version_is_kept_and_its_subject_says_so() {
    let mut journal = JournalBuilder::new();
    let id = journal.propose(Draft::default());
    let other = journal.propose(Draft::default());
    let body = "{\"v\":2}".to_owned();
    journal.append_entry("delegation", format!("proposal/{id}"), Some(body.clone()), None);
    journal.append_entry("delegation", "member/x".to_owned(), Some(body.clone()), None);
    let here = Here::with(&journal);
    let reader = here.reader();
    assert_eq!(reader.proposal(id).unwrap().unwrap().gap, Some(Gap::NewerVersion));
    assert_eq!(reader.proposal(other).unwrap().unwrap().gap, None);
    let list = reader
        .inbox(View::All, &crate::Filter::default(), None, 10, journal.at)
        .unwrap();
    assert_eq!(list.rows[1].gap, Some(Gap::NewerVersion), "the list says it too");
    assert_eq!(
        reader.entry(journal.size()).unwrap().unwrap().body,
        Some(body),
        "the body is kept"
    );
}

#[test]
fn an_unreadable_body_of_a_known_kind_stops_its_subject_and_nothing_else() {
    let mut journal = JournalBuilder::new();
    let id = journal.propose(Draft::default());
    let other = journal.propose(Draft::default());
    journal.append_entry(
        "decision",
        format!("proposal/{id}"),
        Some("{\"x\":1}".to_owned()),
        None,
    );
    let here = Here::with(&journal);
    let reader = here.reader();
    assert_eq!(reader.proposal(id).unwrap().unwrap().gap, Some(Gap::NewerVersion));
    assert_eq!(reader.proposal(other).unwrap().unwrap().gap, None);
}

#[test]
fn a_body_in_a_second_spelling_stops_its_subject_as_one_that_cannot_be_read() {
    let mut journal = JournalBuilder::new();
    let id = journal.propose(Draft::default());
    let mut honest = journal.clone();
    honest.withdraw(id);
    let body = honest.entries().last().unwrap().body.clone().unwrap();
    let (at, nothing) = (body.find("\"nonce\"").unwrap(), "\"device\":null,");
    let body = format!("{}{nothing}{}", &body[..at], &body[at..]);
    journal.append_entry("withdraw", format!("proposal/{id}"), Some(body), None);
    let here = Here::with(&journal);
    let card = here.reader().proposal(id).unwrap().unwrap();
    assert_eq!(card.gap, Some(Gap::NewerVersion));
}

#[test]
fn a_journal_begins_with_the_genesis_of_its_tenant() {
    let journal = JournalBuilder::new();
    let mut here = Here::new();
    let page = journal.page(0, 100);
    let mut headless = page.clone();
    headless.entries.remove(0);
    let verdict = here.replica.apply(&headless, &journal.log());
    assert!(
        matches!(verdict, Err(ApplyError::Malformed(Malformed::Genesis))),
        "{verdict:?}"
    );
    let elsewhere = Log {
        tenant: TenantId::from_slice(&[9; 16]).unwrap(),
        ..journal.log()
    };
    let verdict = here.replica.apply(&page, &elsewhere);
    assert!(
        matches!(verdict, Err(ApplyError::Malformed(Malformed::Genesis))),
        "{verdict:?}"
    );
    assert_eq!(here.reader().head().unwrap(), None);
    here.replica.apply(&page, &journal.log()).unwrap();
    let verdict = here.replica.apply(&page, &elsewhere);
    assert!(matches!(verdict, Err(ApplyError::OtherLog)), "{verdict:?}");
}

#[test]
fn the_first_genesis_pins_the_log_key() {
    let journal = JournalBuilder::new();
    let trusting = Log {
        key: None,
        ..journal.log()
    };
    let mut here = Here::new();
    here.replica.apply(&journal.page(0, 100), &trusting).unwrap();
    assert_eq!(
        here.reader().head().unwrap().unwrap().log_key,
        journal.log().key.unwrap()
    );
    let other_key = countersign_domain::dsse::SigningKey::from_seed(&[1; 32]).public_key();
    let other = Log {
        key: Some(other_key),
        ..journal.log()
    };
    let verdict = here.replica.apply(&journal.page(journal.size(), 1), &other);
    assert!(matches!(verdict, Err(ApplyError::OtherLog)), "{verdict:?}");
}

#[test]
fn a_log_that_goes_back_is_noticed() {
    let mut journal = JournalBuilder::new();
    journal.propose(Draft::default());
    let mut here = Here::with(&journal);
    let size = journal.size();
    let old = JournalPage {
        entries: Vec::new(),
        checkpoint: journal.checkpoint(size - 1),
        consistency: Vec::new(),
    };
    let before = here.dump();
    let verdict = here.replica.apply(&old, &journal.log());
    let Err(ApplyError::Rollback { ours, theirs }) = verdict else {
        panic!("{verdict:?}");
    };
    assert_eq!(
        (ours, theirs),
        (journal.checkpoint(size), journal.checkpoint(size - 1))
    );
    assert_eq!(here.dump(), before);
}

#[test]
fn a_log_with_two_histories_is_noticed() {
    let mut ours = JournalBuilder::new();
    ours.propose(Draft::default());
    let mut theirs = ours.clone();
    ours.propose(Draft::default());
    theirs.propose(Draft {
        risk: Risk::Critical,
        ..Draft::default()
    });
    let mut here = Here::with(&ours);
    let before = here.dump();
    let same_size = theirs.page(theirs.size(), 10);
    theirs.propose(Draft::default());
    let longer = theirs.page(ours.size(), 10);
    let longer_head_only = theirs.page_as_of(ours.size(), 0, theirs.size());
    for page in [same_size, longer, longer_head_only] {
        let verdict = here.replica.apply(&page, &ours.log());
        let Err(ApplyError::Fork { ours: mine, theirs }) = verdict else {
            panic!("{verdict:?}");
        };
        assert_eq!((mine, theirs), (ours.checkpoint(ours.size()), page.checkpoint));
        assert_eq!(here.dump(), before);
    }
}

#[test]
fn a_fork_beyond_what_has_been_pulled_is_noticed_on_the_way() {
    let mut ours = JournalBuilder::new();
    for _ in 0..5 {
        ours.propose(Draft::default());
    }
    let mut theirs = ours.clone();
    ours.propose(Draft::default());
    theirs.propose(Draft {
        risk: Risk::Critical,
        ..Draft::default()
    });
    theirs.propose(Draft::default());
    let mut here = Here::new();
    let size = here.replica.apply(&ours.page(0, 4), &ours.log()).unwrap().size;
    let size = here
        .replica
        .apply(&theirs.page(size, 4), &ours.log())
        .unwrap()
        .size;
    assert!(size < ours.size(), "both heads are still ahead");
    let verdict = here.replica.apply(&theirs.page(size, 100), &ours.log());
    let Err(ApplyError::Fork { ours: mine, .. }) = verdict else {
        panic!("{verdict:?}");
    };
    assert_eq!(mine, ours.checkpoint(ours.size()));
}

#[test]
fn a_page_beyond_the_signed_head_is_refused() {
    let mut journal = JournalBuilder::new();
    journal.propose(Draft::default());
    let page = JournalPage {
        checkpoint: journal.checkpoint(2),
        consistency: Vec::new(),
        ..journal.page(0, 100)
    };
    let verdict = Here::new().replica.apply(&page, &journal.log());
    assert!(
        matches!(verdict, Err(ApplyError::Malformed(Malformed::BeyondHead))),
        "{verdict:?}"
    );
}

#[test]
fn heads_that_move_while_pulling_are_all_held_to() {
    let (journal, _) = journal(&[(0, 1, 1); 20]);
    let mut here = Here::new();
    let (mut size, mut head) = (0, 5);
    while size < journal.size() {
        size = here
            .replica
            .apply(&journal.page_as_of(size, 3, head), &journal.log())
            .unwrap()
            .size;
        head = (head + 7).min(journal.size());
    }
    let kept: i64 = here
        .replica
        .connection
        .query_row("SELECT count(*) FROM checkpoint", [], |row| row.get(0))
        .unwrap();
    assert_eq!(kept, 1, "heads that were passed are dropped");
}

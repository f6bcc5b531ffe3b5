use countersign_domain::{UnixMillis, fold::Status, record::Holder};

use super::*;
use crate::{
    Counts, Cursor, Filter, View,
    testing::{START, TestDevice},
};

const VIEWS: [View; 4] = [View::ToDecide, View::InProgress, View::Done, View::All];

/// All rows of a view, page by page.
fn all(reader: &Reader, view: View, filter: &Filter, limit: u32, now: UnixMillis) -> Vec<crate::Row> {
    let (mut rows, mut after) = (Vec::new(), None);
    loop {
        let page = reader.inbox(view, filter, after.as_ref(), limit, now).unwrap();
        rows.extend(page.rows);
        match page.next {
            // Through its text, as a caller over HTTP has it.
            Some(next) => after = Some(next.to_string().parse::<Cursor>().unwrap()),
            None => return rows,
        }
    }
}

/// The rows that a view has to show, found the slow way: every proposal's own fold.
fn expected(reader: &Reader, view: View, now: UnixMillis, proposals: &[ProposalId]) -> Vec<ProposalId> {
    let mut rows: Vec<_> = proposals
        .iter()
        .map(|id| reader.proposal(*id).unwrap().unwrap().state)
        .filter(|state| match (view, state.status(now)) {
            (View::All, _) => true,
            (View::ToDecide, status) => status == Status::Proposed,
            (View::InProgress, status) => {
                matches!(status, Status::Pending | Status::Running | Status::Unknown)
            }
            (View::Done, status) => status.is_final(),
        })
        .collect();
    match view {
        View::ToDecide => rows.sort_by_key(|state| (core::cmp::Reverse(state.risk), state.created_seq)),
        View::InProgress | View::All => rows.sort_by_key(|state| core::cmp::Reverse(state.created_seq)),
        View::Done => rows.sort_by_key(|state| core::cmp::Reverse(state.last_seq)),
    }
    rows.into_iter().map(|state| state.id).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn every_view_shows_what_the_fold_says_in_its_order(steps in steps(60), limit in 1..7_u32, later in 0..900_i64) {
        let (journal, proposals) = journal(&steps);
        let here = Here::with(&journal);
        let reader = here.reader();
        let now = journal.at + Millis(later);
        for view in VIEWS {
            let rows = all(&reader, view, &Filter::default(), limit, now);
            let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
            prop_assert_eq!(ids, expected(&reader, view, now, &proposals), "{:?}", view);
            for row in rows {
                let state = reader.proposal(row.id).unwrap().unwrap().state;
                prop_assert_eq!(row.status, state.status(now));
            }
        }
    }

    #[test]
    fn counters_equal_a_recount(steps in steps(60), later in 0..900_i64) {
        let (journal, proposals) = journal(&steps);
        let here = Here::with(&journal);
        let reader = here.reader();
        let now = journal.at + Millis(later);
        let mut counts = Counts::default();
        for id in proposals {
            let state = reader.proposal(id).unwrap().unwrap().state;
            let status = state.status(now);
            if status == Status::Proposed {
                counts.to_decide[state.risk as usize] += 1;
            } else if status.is_final() {
                counts.done += 1;
            } else {
                counts.in_progress += 1;
                counts.unknown += u64::from(status == Status::Unknown);
            }
        }
        prop_assert_eq!(reader.counts(now).unwrap(), counts);
    }

    #[test]
    fn a_filter_takes_rows_away_and_changes_nothing_else(steps in steps(60), risk in 0..4_usize, limit in 1..7_u32) {
        let (journal, _) = journal(&steps);
        let here = Here::with(&journal);
        let reader = here.reader();
        let now = journal.at + Millis(100);
        let risk = Risk::ALL[risk];
        for view in VIEWS {
            let rows = all(&reader, view, &Filter::default(), 500, now);
            let of_risk = Filter { risk: Some(risk), ..Filter::default() };
            let kept: Vec<_> = rows.iter().filter(|row| row.risk == risk).cloned().collect();
            prop_assert_eq!(all(&reader, view, &of_risk, limit, now), kept.clone());
            let both = Filter { tool: Some("mail.send".to_owned()), ..of_risk };
            let kept: Vec<_> = kept.into_iter().filter(|row| row.tool == "mail.send").collect();
            prop_assert_eq!(all(&reader, view, &both, limit, now), kept);
            let of_tool = Filter { risk: None, ..both };
            let kept: Vec<_> = rows.into_iter().filter(|row| row.tool == "mail.send").collect();
            prop_assert_eq!(all(&reader, view, &of_tool, limit, now), kept.clone());
            let searched = Filter { search: Some("zoe tas".to_owned()), ..of_tool };
            let mut newest_first = kept;
            newest_first.sort_by_key(|row| core::cmp::Reverse(row.created_seq));
            prop_assert_eq!(all(&reader, view, &searched, limit, now), newest_first);
        }
    }

    #[test]
    fn nothing_that_a_person_types_is_an_error(words in ".{0,40}|[\"*^:(){}+\\-ANDORNEAT ]{0,20}") {
        let (journal, _) = journal(&[(0, 1, 1); 3]);
        let here = Here::with(&journal);
        let reader = here.reader();
        reader.search(&words, 10, journal.at).unwrap();
        let filter = Filter { search: Some(words), ..Filter::default() };
        reader.inbox(View::All, &filter, None, 10, journal.at).unwrap();
    }
}

#[test]
fn a_clock_that_is_behind_the_journal_brings_nothing_back() {
    let mut journal = JournalBuilder::new();
    journal.propose(Draft {
        lifetime: Millis(5),
        ..Draft::default()
    });
    journal.wait(Millis(1_000));
    journal.propose(Draft::default());
    let here = Here::with(&journal);
    let reader = here.reader();
    assert_eq!(
        reader.counts(START).unwrap().to_decide(),
        1,
        "the first has expired"
    );
    let rows = all(&reader, View::Done, &Filter::default(), 10, START);
    assert_eq!(rows[0].status, Status::Expired);
}

#[test]
fn search_finds_words_of_the_whole_call_in_any_spelling() {
    let mut journal = JournalBuilder::new();
    let first = journal.propose(Draft {
        title: "Überweisung an billing@acme.com".to_owned(),
        note: Some("because the fiscal year ends".to_owned()),
        ..Draft::default()
    });
    let second = journal.propose(Draft {
        title: "Send the fiscal report".to_owned(),
        ..Draft::default()
    });
    let third = journal.propose(Draft::default());
    let here = Here::with(&journal);
    let reader = here.reader();
    let search = |words: &str| -> Vec<ProposalId> {
        let rows = reader.search(words, 10, journal.at).unwrap();
        rows.into_iter().map(|row| row.id).collect()
    };
    assert_eq!(search("uberw"), [first], "without accents, and still being typed");
    assert_eq!(search("billing@acme.com"), [first]);
    assert_eq!(search("acme bill"), [first], "all words, in any order");
    assert_eq!(
        search("fiscal"),
        [second, first],
        "in the line before in the note"
    );
    assert_eq!(
        search("helpful"),
        [third, second, first],
        "the proposer; newest first"
    );
    assert_eq!(search("create_task in"), [third], "the tool and an argument");
    assert_eq!(
        search("fisc "),
        [],
        "a word that is not open any more has to be whole"
    );
    assert_eq!(search(" "), []);
}

#[test]
fn of_what_is_not_over_the_oldest_of_each_status_are_found_however_much_is_newer() {
    let mut journal = JournalBuilder::new();
    let ana = journal.member("Ana", Role::Approver);
    let mut pending = Vec::new();
    for _ in 0..3 {
        let id = journal.propose(Draft::default());
        journal.decide(id, ana, Verdict::Approve);
        pending.push(id);
    }
    let begun = journal.propose(Draft::default());
    let yes = journal.decide(begun, ana, Verdict::Approve);
    journal.begin(begun, vec![yes]);
    let worse = journal.propose(Draft {
        lifetime: Millis::hours(1),
        ..Draft::default()
    });
    let waits = journal.propose(Draft {
        risk: Risk::Critical,
        ..Draft::default()
    });
    let over = journal.propose(Draft::default());
    journal.decide(over, ana, Verdict::Reject);
    let here = Here::with(&journal);
    let oldest = |limit, now| {
        let (rows, more) = here.reader().oldest(limit, now).unwrap();
        (rows.into_iter().map(|row| row.id).collect::<Vec<_>>(), more)
    };
    assert_eq!(
        oldest(10, journal.at),
        (
            vec![worse, waits, pending[0], pending[1], pending[2], begun],
            false
        ),
        "whatever their risk"
    );
    assert_eq!(
        oldest(2, journal.at),
        (vec![worse, waits, pending[0], pending[1], begun], true)
    );
    assert_eq!(
        oldest(3, journal.at + Millis::hours(2)).0,
        [waits, pending[0], pending[1], pending[2], begun],
        "what has expired is over"
    );
}

#[test]
fn a_device_has_something_to_run_while_an_approved_call_of_its_own_waits() {
    let mut journal = JournalBuilder::new();
    let ana = journal.member("Ana", Role::Approver);
    let (mine, other) = (journal.device(ana), journal.device(ana));
    let connection = journal.connection(Holder::Device(mine.id));
    let id = journal.propose(Draft {
        connection: Some(connection),
        ..Draft::default()
    });
    journal.preview(id);
    let due = |journal: &JournalBuilder, device: &TestDevice, now| {
        Here::with(journal).reader().has_due(device.id, now).unwrap()
    };
    assert!(!due(&journal, &mine, journal.at), "nobody has approved it");
    let yes = journal.decide(id, ana, Verdict::Approve);
    assert!(due(&journal, &mine, journal.at));
    assert!(!due(&journal, &other, journal.at), "another device holds it");
    let late = journal.at + Millis::hours(24 * 365);
    assert!(!due(&journal, &mine, late), "its time is up");
    journal.begin(id, vec![yes]);
    assert!(!due(&journal, &mine, journal.at), "it runs");
}

#[test]
fn only_what_a_cursor_says_of_itself_is_a_cursor() {
    assert!("3.17".parse::<Cursor>().is_ok());
    for text in [
        "",
        "3",
        "4.1",
        "-1.2",
        "3.-1",
        "03.1",
        "3.01",
        "3.18446744073709551615",
        "a.b",
    ] {
        assert!(text.parse::<Cursor>().is_err(), "{text:?}");
    }
}

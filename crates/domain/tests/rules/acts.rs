//! Stopping and releasing, the table of rules, and settling what is not known.

use countersign_domain::{
    Digest, Millis, UnixMillis, acts,
    fold::{ProposalState, Status},
    id::AgentId,
    people::People,
    record::{
        ApprovalRule, Assurance, Begin, Body, Erase, Holder, Lapse, Mode, Outcome, Proposer, ProposerKind,
        Reason, Receipt, Record, Release, Resolution, Risk, Role, Rules, Scope, Stop, Void, asked, kept,
        lifetime, loosens, shortest_kept,
    },
};
use proptest::prelude::*;

use crate::{
    people::Book,
    support::{Story, at, device, digest, needs, nonce, person, tenant, uuid},
};

impl Book {
    /// Two who manage, one who approves, one who only proposes.
    fn company() -> Self {
        let mut book = Self::solo();
        book.member(1, 2, Some(Role::Admin));
        book.member(2, 3, Some(Role::Approver));
        book.member(3, 4, Some(Role::Member));
        book
    }

    fn stop(&mut self, who: u8, scope: Scope) -> Result<Digest, Reason> {
        let stop = stop(who, scope);
        acts::stop(&self.0, &stop)?;
        Ok(self.enter(at(10), &stop).digest)
    }

    fn release(&mut self, who: u8, scope: &Scope, stop: Digest, confirmed: bool) -> Result<(), Reason> {
        let release = Release {
            at: at(11),
            by: person(who),
            confirmed,
            device: confirmed.then(|| device(who)),
            device_seq: confirmed.then_some(1),
            nonce: nonce(who),
            previous: None,
            scope: scope.clone(),
            stop,
            tenant: tenant(),
        };
        acts::release(&self.0, &release)?;
        self.enter(at(11), &release);
        Ok(())
    }

    fn rules(&mut self, who: u8, table: &[ApprovalRule], confirmed: bool) -> Result<(), Reason> {
        let rules = Rules {
            at: at(12),
            base: self.0.rules.digest,
            by: person(who),
            confirmed,
            device: confirmed.then(|| device(who)),
            device_seq: confirmed.then_some(1),
            nonce: nonce(who),
            previous: None,
            table: table.to_vec(),
            tenant: tenant(),
        };
        acts::rules(&self.0, &rules)?;
        self.enter(at(12), &rules);
        Ok(())
    }
}

fn stop(who: u8, scope: Scope) -> Stop {
    Stop {
        at: at(10),
        by: person(who),
        device: None,
        device_seq: None,
        nonce: nonce(who),
        previous: None,
        reason: None,
        scope,
        tenant: tenant(),
    }
}

fn agent(number: u128) -> Proposer {
    Proposer {
        contributors: Default::default(),
        id: uuid(number).to_string(),
        kind: ProposerKind::Agent,
        name: "bot".to_owned(),
        on_behalf_of: None,
        run: None,
    }
}

fn stands_still(people: &People, proposer: &Proposer, tool: &str) -> bool {
    people.stopped(proposer, tool).is_some()
}

#[test]
fn a_stop_covers_the_tenant_an_agent_or_a_tool_and_nothing_else() {
    let scopes = [
        Scope::Tenant,
        Scope::Agent(AgentId::from_uuid(uuid(1))),
        Scope::Tool("email.send".to_owned()),
    ];
    let calls = [
        (agent(1), "email.send"),
        (agent(1), "http.request"),
        (agent(2), "email.send"),
        (agent(2), "http.request"),
    ];
    let covered = scopes.map(|scope| calls.each_ref().map(|(who, tool)| scope.covers(who, tool)));
    assert_eq!(
        covered,
        [[true; 4], [true, true, false, false], [true, false, true, false]]
    );
    let person = Proposer {
        contributors: Default::default(),
        kind: ProposerKind::User,
        ..agent(1)
    };
    assert!(
        !Scope::Agent(AgentId::from_uuid(uuid(1))).covers(&person, "email.send"),
        "a person is no agent"
    );
}

#[test]
fn whoever_decides_may_stop_and_two_people_release() {
    let mut book = Book::company();
    assert_eq!(
        book.stop(4, Scope::Tenant),
        Err(Reason::NotEligible),
        "a member only proposes"
    );
    let stop = book.stop(3, Scope::Tenant).unwrap();
    assert!(stands_still(&book.0, &agent(1), "email.send"));
    let second = book.stop(1, Scope::Tenant).unwrap();
    assert_eq!(
        book.release(1, &Scope::Tenant, second, false),
        Err(Reason::Decided),
        "the first stop stands"
    );
    book.release(3, &Scope::Tenant, stop, true).unwrap();
    assert_eq!(
        book.release(3, &Scope::Tenant, stop, true),
        Err(Reason::Decided),
        "the same word twice is one person's"
    );
    assert!(
        stands_still(&book.0, &agent(1), "email.send"),
        "one is not enough, confirmed or not"
    );
    assert_eq!(
        book.release(4, &Scope::Tenant, stop, false),
        Err(Reason::NotEligible)
    );
    book.release(1, &Scope::Tenant, stop, false).unwrap();
    assert!(!stands_still(&book.0, &agent(1), "email.send"));
    assert_eq!(
        book.release(2, &Scope::Tenant, stop, false),
        Err(Reason::Decided),
        "it is over"
    );
}

#[test]
fn the_word_of_somebody_who_has_left_releases_nothing() {
    let mut book = Book::company();
    let stop = book.stop(1, Scope::Tenant).unwrap();
    book.release(3, &Scope::Tenant, stop, false).unwrap();
    book.member(20, 3, None);
    book.release(1, &Scope::Tenant, stop, false).unwrap();
    assert!(
        stands_still(&book.0, &agent(1), "email.send"),
        "only one of the two is still there"
    );
    book.release(2, &Scope::Tenant, stop, false).unwrap();
    assert!(!stands_still(&book.0, &agent(1), "email.send"));
}

#[test]
fn a_release_of_an_earlier_stop_does_not_end_a_later_one() {
    let mut book = Book::solo();
    let first = book.stop(1, Scope::Tenant).unwrap();
    assert_eq!(
        book.release(1, &Scope::Tenant, first, false),
        Err(Reason::AssuranceTooLow),
        "alone it takes a confirmation"
    );
    book.release(1, &Scope::Tenant, first, true).unwrap();
    let mut again = stop(1, Scope::Tenant);
    again.nonce = nonce(99);
    book.enter(at(30), &again);
    assert_eq!(
        book.release(1, &Scope::Tenant, first, true),
        Err(Reason::Decided),
        "signed offline before"
    );
    assert!(stands_still(&book.0, &agent(1), "email.send"));
}

#[test]
fn what_is_not_there_is_not_stopped() {
    let mut book = Book::company();
    let nobody = Scope::Agent(AgentId::from_uuid(uuid(1)));
    for scope in [
        nobody,
        Scope::Tool("no.such".to_owned()),
        Scope::Tool("x\u{202E}".repeat(9_000)),
    ] {
        assert_eq!(book.stop(1, scope), Err(Reason::NotEligible));
    }
}

#[test]
fn a_person_wants_one_table_at_a_time() {
    let mut book = Book::company();
    book.rules(1, &[rule(None, None, 3)], false).unwrap();
    book.rules(1, &[rule(None, None, 2)], false).unwrap();
    book.rules(1, &[], false).unwrap();
    let wanted: Vec<_> = book
        .0
        .rules
        .wanted
        .iter()
        .map(|wanted| wanted.table.len())
        .collect();
    assert_eq!(wanted, [0], "the last one");
    let hidden = [rule(Some("x\u{202E}"), None, 3)];
    assert_eq!(
        book.rules(1, &hidden, false),
        Err(Reason::NotEligible),
        "everybody would read it"
    );
}

fn rule(tool: Option<&str>, risk: Option<Risk>, quorum: u32) -> ApprovalRule {
    ApprovalRule {
        assurance: None,
        hold: None,
        keep: None,
        lifetime: None,
        quorum,
        risk,
        tool: tool.map(str::to_owned),
    }
}

#[test]
fn tightening_is_at_once_and_loosening_takes_a_second_person() {
    let mut book = Book::company();
    let two = [rule(None, Some(Risk::High), 2)];
    assert_eq!(
        book.rules(3, &two, false),
        Err(Reason::NotEligible),
        "an approver does not begin it"
    );
    book.rules(2, &two, false).unwrap();
    assert_eq!(book.0.rules.table, two, "it asks more: one is enough");

    book.rules(1, &[], true).unwrap();
    assert_eq!(book.0.rules.table, two, "it asks less: it waits");
    assert_eq!(book.rules(1, &[], true), Err(Reason::Decided));
    let three = [rule(None, Some(Risk::High), 3)];
    book.rules(2, &three, false).unwrap();
    assert_eq!(book.0.rules.table, three);
    assert!(
        book.0.rules.wanted.is_empty(),
        "what was wanted over another table is over"
    );

    book.rules(1, &[], false).unwrap();
    book.rules(3, &[], false).unwrap();
    assert!(
        book.0.rules.table.is_empty(),
        "a second person who decides agrees"
    );
}

#[test]
fn a_table_is_written_over_the_one_that_was_seen_and_asks_for_no_more_people_than_there_are() {
    let mut book = Book::company();
    let stale = book.0.rules.digest;
    book.rules(1, &[rule(None, None, 2)], false).unwrap();
    let mut rules = Rules {
        at: at(12),
        base: stale,
        by: person(1),
        confirmed: false,
        device: None,
        device_seq: None,
        nonce: nonce(1),
        previous: None,
        table: vec![rule(None, None, 3)],
        tenant: tenant(),
    };
    assert_eq!(acts::rules(&book.0, &rules), Err(Reason::ViewMismatch));
    rules.base = book.0.rules.digest;
    assert_eq!(acts::rules(&book.0, &rules), Ok(()));
    for quorum in [0, 4] {
        rules.table = vec![rule(None, None, quorum)];
        assert_eq!(
            acts::rules(&book.0, &rules),
            Err(Reason::NotEligible),
            "{quorum} of three"
        );
    }
    rules.table = vec![rule(None, None, 3); 101];
    assert_eq!(acts::rules(&book.0, &rules), Err(Reason::NotEligible));
}

#[test]
fn a_time_to_live_is_in_whole_minutes_within_what_a_proposal_may_ask_for() {
    let mut book = Book::company();
    let minutes = |number: i64| Millis(number * 60_000);
    let living = |time: Millis| {
        [ApprovalRule {
            keep: None,
            lifetime: Some(time),
            ..rule(None, None, 1)
        }]
    };
    for wrong in [
        Millis(0),
        Millis(59_999),
        Millis(60_001),
        minutes(30 * 24 * 60 + 1),
        Millis(-60_000),
    ] {
        assert_eq!(
            book.rules(1, &living(wrong), false),
            Err(Reason::NotEligible),
            "{wrong:?}"
        );
    }
    for right in [30 * 24 * 60, 60, 30] {
        book.rules(1, &living(minutes(right)), false).unwrap();
    }
    assert_eq!(lifetime(&book.0.rules.table, "any", Risk::Low), Some(minutes(30)));
    book.rules(1, &living(minutes(31)), false).unwrap();
    assert_eq!(
        book.0.rules.wanted.len(),
        1,
        "a longer one is looser: it waits for a second person"
    );
}

#[test]
fn an_undo_window_is_in_whole_seconds_up_to_ten_minutes_and_a_shorter_one_is_looser() {
    let mut book = Book::company();
    let holding = |time: Millis| {
        [ApprovalRule {
            hold: Some(time),
            ..rule(Some("email.send"), None, 1)
        }]
    };
    for wrong in [
        Millis(-1_000),
        Millis(1),
        Millis(999),
        Millis(600_001),
        Millis::seconds(601),
    ] {
        assert_eq!(
            book.rules(1, &holding(wrong), false),
            Err(Reason::NotEligible),
            "{wrong:?}"
        );
    }
    book.rules(1, &holding(Millis(0)), false).unwrap();
    book.rules(1, &holding(Millis::seconds(600)), false).unwrap();
    let of = |book: &Book, tool| asked(&book.0.rules.table, tool, Risk::Low).hold;
    assert_eq!(of(&book, "email.send"), Millis::seconds(600));
    assert_eq!(of(&book, "http.request"), Millis(0), "of that tool alone");
    book.rules(1, &holding(Millis::seconds(599)), false).unwrap();
    assert_eq!(
        (of(&book, "email.send"), book.0.rules.wanted.len()),
        (Millis::seconds(600), 1),
        "it waits for a second person"
    );
}

#[test]
fn what_was_written_is_kept_for_whole_days_up_to_ten_years_and_for_fewer_is_looser() {
    let mut book = Book::company();
    let keeping = |days| {
        [ApprovalRule {
            keep: Some(days),
            ..rule(Some("email.send"), None, 1)
        }]
    };
    for wrong in [0, 3_651, u32::MAX] {
        assert_eq!(
            book.rules(1, &keeping(wrong), false),
            Err(Reason::NotEligible),
            "{wrong}"
        );
    }
    book.rules(1, &keeping(3_650), false).unwrap();
    assert!(
        book.0.rules.table.is_empty() && book.0.rules.wanted.len() == 1,
        "for ever until now: it waits for a second person"
    );
    book.rules(3, &keeping(3_650), false).unwrap();
    let days = |book: &Book, tool| kept(&book.0.rules.table, tool, Risk::Low).map(|kept| kept.0 / 86_400_000);
    assert_eq!(days(&book, "email.send"), Some(3_650));
    assert_eq!(days(&book, "http.request"), None, "of that tool alone");
    book.rules(2, &keeping(30), false).unwrap();
    assert_eq!(days(&book, "email.send"), Some(3_650), "it waits");
    book.rules(1, &[], false).unwrap();
    assert_eq!(days(&book, "email.send"), None, "for ever is one person's word");
}

#[test]
fn of_several_rules_that_keep_something_the_longest_counts() {
    let keeping = |tool, risk, days| ApprovalRule {
        keep: Some(days),
        ..rule(tool, risk, 1)
    };
    let table = [
        keeping(None, None, 30),
        keeping(None, Some(Risk::High), 365),
        keeping(Some("email.send"), None, 90),
        rule(Some("email.send"), Some(Risk::Critical), 2),
    ];
    let days = |tool, risk| kept(&table, tool, risk).map(|kept| kept.0 / 86_400_000);
    assert_eq!(days("http.request", Risk::Low), Some(30));
    assert_eq!(days("email.send", Risk::Medium), Some(90));
    assert_eq!(days("email.send", Risk::Critical), Some(365));
    assert_eq!(shortest_kept(&table), Some(Millis::hours(24 * 30)));
    assert_eq!(shortest_kept(&table[3..]), None, "for ever");
}

#[test]
fn the_rules_in_force_erase_what_has_been_over_for_as_long_as_they_keep_it_and_nothing_else() {
    let mut book = Book::company();
    let table = [ApprovalRule {
        keep: Some(30),
        ..rule(None, None, 1)
    }];
    book.rules(1, &table, false).unwrap();
    book.rules(3, &table, false).unwrap();
    let rules = book.0.rules.digest.unwrap();
    let mut call = Silent::new(1);
    let erase = |call: &Silent, by, rules, now| {
        let erase = Erase {
            at: now,
            by,
            nonce: nonce(9),
            proposal: call.0.id,
            reason: "The rules keep it for 30 days after it is over.".to_owned(),
            rules,
            tenant: tenant(),
        };
        acts::erase(&book.0, &call.0, &erase, at(8), now)
    };
    // Its newest entry, and the time from which on it is not kept.
    let (over, now) = (at(8), at(8) + Millis::hours(24 * 30));
    assert_eq!(call.0.over_since(over, now), None);
    assert_eq!(
        erase(&call, None, Some(rules), now),
        Err(Reason::TooLate),
        "it is not known how it ended"
    );
    call.says(&book.0, 3, false).unwrap();
    assert_eq!(call.0.over_since(over, now), Some(over));
    for (millis, expected) in [(-1, Err(Reason::TooLate)), (0, Ok(())), (1, Ok(()))] {
        let found = erase(&call, None, Some(rules), now + Millis(millis));
        assert_eq!(found, expected, "{millis}");
    }
    for (by, rules) in [
        (None, None),
        (None, Some(digest("rules of another time"))),
        (Some(person(1)), Some(rules)),
        (Some(person(3)), None),
    ] {
        assert_eq!(
            erase(&call, by, rules, now),
            Err(Reason::NotEligible),
            "{by:?} {rules:?}"
        );
    }
    assert_eq!(
        erase(&call, Some(person(1)), None, at(9)),
        Ok(()),
        "a person at any time"
    );
}

#[test]
fn alone_a_looser_table_takes_the_device_and_a_confirmation() {
    let mut book = Book::solo();
    let sure = ApprovalRule {
        assurance: Some(Assurance::DeviceConfirmed),
        ..rule(Some("email.send"), None, 1)
    };
    book.rules(1, &[sure], false).unwrap();
    assert_eq!(book.rules(1, &[], false), Err(Reason::AssuranceTooLow));
    book.rules(1, &[], true).unwrap();
    assert!(book.0.rules.table.is_empty());
}

fn tables() -> impl Strategy<Value = Vec<ApprovalRule>> {
    let tool = prop_oneof![Just(None), Just(Some("a.b")), Just(Some("c.d"))];
    let risk = proptest::option::of((0..4_usize).prop_map(|at| Risk::ALL[at]));
    let sure = proptest::option::of(prop_oneof![Just(Assurance::Session), Just(Assurance::Device)]);
    let lifetime = proptest::option::of((1..4_i64).prop_map(Millis::hours));
    let hold = proptest::option::of((0..3_i64).prop_map(Millis::seconds));
    let keep = proptest::option::of(1..4_u32);
    let rule = (tool, risk, 1..4_u32, sure, lifetime, hold, keep).prop_map(
        |(tool, risk, quorum, assurance, lifetime, hold, keep)| ApprovalRule {
            assurance,
            hold,
            keep,
            lifetime,
            ..rule(tool, risk, quorum)
        },
    );
    proptest::collection::vec(rule, 0..5)
}

proptest! {
    #[test]
    fn what_does_not_loosen_asks_at_least_as_much_of_every_call(old in tables(), new in tables()) {
        let less = ["a.b", "c.d", "e.f"].into_iter().any(|tool| {
            Risk::ALL.into_iter().any(|risk| {
                let (before, after) = (asked(&old, tool, risk), asked(&new, tool, risk));
                // Without a limit it can be decided for ever.
                let longest = |table: &[ApprovalRule]| lifetime(table, tool, risk).unwrap_or(Millis(i64::MAX));
                let weaker = after.quorum < before.quorum || after.assurance < before.assurance;
                // What no rule speaks of is kept for ever.
                let keeps = |table: &[ApprovalRule]| kept(table, tool, risk).unwrap_or(Millis(i64::MAX));
                weaker || after.hold < before.hold || longest(&new) > longest(&old) || keeps(&new) < keeps(&old)
            })
        });
        prop_assert_eq!(loosens(&old, &new), less);
        let mut both = old.clone();
        both.extend(new.into_iter().map(|rule| ApprovalRule { keep: None, ..rule }));
        prop_assert!(!loosens(&old, &both), "more rules never ask less");
    }
}

/// A call that has begun and of which nothing was heard.
struct Silent(ProposalState);

impl Silent {
    fn new(settlers: u32) -> Self {
        let mut requirement = needs(1, Assurance::Session);
        requirement.settlers = settlers;
        let mut story = Story::needing(requirement);
        let proposal = story.proposal.id;
        let begin = Begin {
            at: at(5),
            authority: Vec::new(),
            device_seq: None,
            executor: Holder::Tenant,
            fence: 7,
            nonce: nonce(5),
            preview: None,
            previous: None,
            proposal,
            proposal_digest: story.digest(),
        };
        story.entries.push((at(5), Record::unsigned(&begin).unwrap()));
        let lapse = Lapse {
            at: at(6),
            fence: 7,
            proposal,
        };
        story.entries.push((at(6), Record::unsigned(&lapse).unwrap()));
        Self(story.state())
    }

    fn word(&self, who: u8, happened: bool) -> Resolution {
        Resolution {
            at: at(7),
            by: person(who),
            confirmed: false,
            device: None,
            device_seq: None,
            fence: 7,
            happened,
            nonce: nonce(who),
            note: None,
            previous: None,
            proposal: self.0.id,
            proposal_digest: self.0.digest,
        }
    }

    fn says(&mut self, people: &People, who: u8, happened: bool) -> Result<(), Reason> {
        let word = self.word(who, happened);
        acts::resolve(people, &self.0, &word, at(8))?;
        self.enter(&word);
        Ok(())
    }

    fn enter(&mut self, body: &impl Body) {
        self.0
            .apply(100, at(8), &Record::unsigned(body).unwrap())
            .unwrap();
    }

    fn receipt(&mut self, outcome: Outcome) {
        let receipt = Receipt {
            attempts: None,
            device_seq: None,
            dispatched: true,
            effect: None,
            executor: Holder::Tenant,
            failure: None,
            fence: 7,
            finished_at: at(9),
            nonce: nonce(9),
            outcome,
            previous: None,
            proposal: self.0.id,
            proposal_digest: self.0.digest,
            reference: None,
            result: None,
            started_at: at(5),
            summary: "Late".to_owned(),
        };
        self.enter(&receipt);
    }

    fn status(&self) -> Status {
        self.0.status(UnixMillis(i64::MAX))
    }
}

#[test]
fn what_is_not_known_is_settled_by_who_decides() {
    let people = Book::company().0;
    for (happened, status) in [(true, Status::Completed), (false, Status::Failed)] {
        let mut silent = Silent::new(1);
        assert_eq!(silent.status(), Status::Unknown);
        assert_eq!(silent.says(&people, 4, happened), Err(Reason::NotEligible));
        silent.says(&people, 3, happened).unwrap();
        assert_eq!(silent.status(), status);
        assert_eq!(
            silent.says(&people, 1, !happened),
            Err(Reason::Decided),
            "it is settled"
        );
    }
}

#[test]
fn two_people_have_to_say_the_same_and_one_may_change_the_own_word() {
    let people = Book::company().0;
    let mut silent = Silent::new(2);
    silent.says(&people, 1, true).unwrap();
    assert_eq!(
        silent.says(&people, 1, true),
        Err(Reason::Decided),
        "twice is one person's"
    );
    silent.says(&people, 2, false).unwrap();
    assert_eq!(silent.status(), Status::Unknown, "they disagree");
    silent.says(&people, 2, true).unwrap();
    assert_eq!(silent.status(), Status::Completed);
}

#[test]
fn a_word_is_about_one_run_and_only_while_it_is_not_known() {
    let people = Book::company().0;
    let silent = Silent::new(1);
    let judge = |change: &dyn Fn(&mut Resolution)| {
        let mut word = silent.word(1, true);
        change(&mut word);
        acts::resolve(&people, &silent.0, &word, at(8))
    };
    assert_eq!(judge(&|_| ()), Ok(()));
    assert_eq!(judge(&|word| word.fence = 6), Err(Reason::DigestMismatch));
    assert_eq!(
        judge(&|word| word.proposal_digest = digest("another")),
        Err(Reason::DigestMismatch)
    );
    assert_eq!(
        judge(&|word| word.note = Some("\u{202E}".to_owned())),
        Err(Reason::ViewMismatch)
    );
    let waiting = Story::needing(needs(1, Assurance::Session)).state();
    let word = Resolution {
        proposal_digest: waiting.digest,
        ..silent.word(1, true)
    };
    assert_eq!(
        acts::resolve(&people, &waiting, &word, at(8)),
        Err(Reason::TooLate),
        "it may still run"
    );
}

#[test]
fn a_word_in_the_journal_counts_for_its_own_run_while_that_is_not_known_and_unless_it_is_void() {
    let counts = |silent: &Silent| (silent.status(), silent.0.said.len());
    let mut another = Silent::new(1);
    let word = Resolution {
        fence: 8,
        ..another.word(1, true)
    };
    another.enter(&word);
    assert_eq!(counts(&another), (Status::Unknown, 0), "of another run");

    let mut refused = Silent::new(1);
    let word = refused.word(4, true);
    refused.enter(&Void {
        at: at(8),
        decision: Record::unsigned(&word).unwrap().digest,
        proposal: refused.0.id,
        reason: Reason::NotEligible,
    });
    refused.enter(&word);
    assert_eq!(counts(&refused), (Status::Unknown, 0), "a member settles nothing");

    let mut known = Silent::new(1);
    known.receipt(Outcome::Failed);
    let word = known.word(1, true);
    known.enter(&word);
    assert_eq!(counts(&known), (Status::Failed, 0), "the executor has told");
}

#[test]
fn a_late_receipt_that_says_the_opposite_is_kept_and_changes_nothing() {
    let people = Book::company().0;
    for (happened, late, contradicts) in [
        (true, Outcome::Completed, false),
        (true, Outcome::Failed, true),
        (false, Outcome::Completed, true),
        (false, Outcome::Failed, false),
        (false, Outcome::Unknown, false),
    ] {
        let mut silent = Silent::new(1);
        silent.says(&people, 1, happened).unwrap();
        let before = silent.status();
        silent.receipt(late);
        assert_eq!(silent.status(), before, "people have settled it");
        assert_eq!(
            silent.0.contradicted_at.is_some(),
            contradicts,
            "{happened} {late:?}"
        );
    }
    let mut silent = Silent::new(2);
    silent.says(&people, 1, true).unwrap();
    silent.receipt(Outcome::Failed);
    assert_eq!(
        silent.status(),
        Status::Failed,
        "the executor knows, and nobody had settled it"
    );
}

#[test]
fn settling_in_a_tenant_of_one_is_that_persons() {
    let people = Book::solo().0;
    assert_eq!(people.mode(), Mode::Solo);
    let mut silent = Silent::new(1);
    silent.says(&people, 1, false).unwrap();
    assert_eq!(silent.status(), Status::Failed);
}

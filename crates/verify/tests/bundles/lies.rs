//! What a log may try that signs whatever it likes: every byte of these bundles is sealed, and what they say is not so.

use countersign_domain::{
    Digest, Millis, Record, UnixMillis,
    bundle::Profile,
    canonical, dsse,
    dsse::SigningKey,
    id::UserId,
    record::{
        Actor, Begin, Body, Decision, Endorse, Endorsement, Evaluation, Genesis, Member, Outcome,
        PolicyDecision, Reason, Receipt, Role, Scope, Verdict as Says, Void,
    },
    wire::WireEntry,
};
use countersign_replica::testing::JournalBuilder;
use countersign_verify::{Report, Verdict};

use crate::{
    journals::{LIVES, World, bundle, examine, export},
    seeded::{Seeded, cases, each, replay},
};

/// What comes out when the log seals these entries, numbered anew.
fn sealed(world: &World, mut entries: Vec<WireEntry>) -> Report {
    let mut clock = UnixMillis(0);
    for (entry, seq) in entries.iter_mut().zip(1..) {
        entry.seq = seq;
        entry.at = entry.at.max(clock);
        clock = entry.at;
    }
    let journal = &world.journal;
    examine(&bundle(
        &entries,
        journal.tenant(),
        &journal.log_key(),
        Profile::Full,
    ))
}

/// Puts another body into an entry, and gives it that body's digest.
fn rewrite<B: Body>(entry: &mut WireEntry, change: impl FnOnce(&mut B)) {
    let record = entry.record().expect("a record");
    let mut body: B = record.body().expect("of that kind");
    change(&mut body);
    let record = Record::unsigned(&body).expect("within the profile");
    entry.digest = record.digest;
    entry.body = String::from_utf8(record.into_bytes()).ok();
}

fn of<B: Body>(entry: &WireEntry) -> Option<B> {
    entry.record()?.body().ok()
}

fn place<B: Body>(entries: &[WireEntry], is: impl Fn(&B) -> bool) -> Option<usize> {
    entries
        .iter()
        .position(|entry| of::<B>(entry).is_some_and(|body| is(&body)))
}

/// The entry that is said to be the first wrong one, and why.
fn caught(report: &Report) -> (u64, &str) {
    let Verdict::Tampered {
        entry: Some(entry),
        problem,
        ..
    } = &report.verdict
    else {
        panic!("not found\n{report}");
    };
    (*entry, problem)
}

/// The entry that is said to be the first wrong one; `None` when nothing is found, or not in an entry.
fn found_at(report: &Report) -> Option<u64> {
    if let Verdict::Tampered { entry, .. } = report.verdict {
        entry
    } else {
        None
    }
}

fn entry<B: Body>(like: &WireEntry, body: &B) -> WireEntry {
    let record = Record::unsigned(body).expect("within the profile");
    WireEntry {
        kind: B::KIND.name().to_owned(),
        subject: body.subject(),
        digest: record.digest,
        body: String::from_utf8(record.into_bytes()).ok(),
        signature: None,
        ..like.clone()
    }
}

/// The ways to lie about one entry, all of which are found at that very entry.
const WAYS: usize = 7;

/// Lies about the entry in this way; `None` where that says nothing new.
fn lie(entries: &mut [WireEntry], at: usize, way: usize, random: &mut Seeded) -> Option<()> {
    let stranger = SigningKey::from_seed(&[9; 32]);
    let entry = &mut entries[at];
    let record = entry.record()?;
    match way {
        // Nobody has signed it.
        0 => {
            entry.signature.take()?;
        }
        // Somebody else has.
        1 => {
            entry.signature.as_ref()?;
            let envelope = stranger.sign(&record.kind.payload_type(), record.into_bytes());
            entry.signature = envelope.signatures.into_iter().next();
        }
        // The device is said to be another key's.
        2 => entry.signature.as_mut()?.keyid = stranger.public_key().key_id(),
        // A bit of the signature.
        3 => entry.signature.as_mut()?.sig[random.below(64)] ^= 1 << random.below(8),
        // Other words over the same signature.
        4 => {
            entry.signature.as_ref()?;
            let body = entry.body.as_ref()?;
            let digit = body.rfind(|c: char| c.is_ascii_digit())?;
            let other = if body.as_bytes()[digit] == b'7' { "8" } else { "7" };
            let body = format!("{}{other}{}", &body[..digit], &body[digit + 1..]);
            entry.digest = dsse::record_digest(&dsse::payload_type(&entry.kind), body.as_bytes());
            entry.body = Some(body);
        }
        // A signature where nobody signs.
        5 => {
            if entry.signature.is_some() {
                return None;
            }
            let envelope = stranger.sign(&record.kind.payload_type(), record.into_bytes());
            entry.signature = envelope.signatures.into_iter().next();
        }
        // A member that is said to be null: who reads types takes it for what was there.
        6 => {
            let mut body = canonical::parse(record.bytes()).ok()?;
            let canonical::Value::Object(members) = &mut body else {
                return None;
            };
            let optional = [
                "device",
                "not_before",
                "owner",
                "preview",
                "previous",
                "reason",
                "role",
                "successor",
            ];
            let name = random.pick(&optional);
            if members.get(name).is_some() {
                return None;
            }
            members.insert(*name, canonical::Value::Null);
            let body = canonical::to_vec(&body).ok()?;
            entry.digest = dsse::record_digest(&dsse::payload_type(&entry.kind), &body);
            entry.body = String::from_utf8(body).ok();
        }
        _ => unreachable!("there are {WAYS} ways"),
    }
    Some(())
}

#[test]
fn what_a_log_makes_of_signatures_is_found_at_that_entry() {
    let (first, count) = cases(3_000, 30_000);
    each(first, count, |seed| {
        let mut random = Seeded::new(seed);
        let lives = 1 + random.below(4);
        let world = World::grown(&mut random, lives);
        let (entries, at) = loop {
            let mut entries = world.journal.entries().to_vec();
            let (at, way) = (random.below(entries.len()), random.below(WAYS));
            if lie(&mut entries, at, way, &mut random).is_some() {
                break (entries, at as u64 + 1);
            }
        };
        let report = sealed(&world, entries);
        if found_at(&report) == Some(at) {
            return Ok(());
        }
        Err(format!(
            "a lie about entry {at} came out as\n{report}\n{}",
            replay(seed, "what_a_log_makes_of_signatures_is_found_at_that_entry")
        ))
    });
    println!("{count} lies about signatures, all found at their entry");
}

#[test]
fn a_body_in_a_second_spelling_is_found_also_where_its_device_signed_that_one() {
    let said = |record: &Record, name: &str| {
        let mut body = canonical::parse(record.bytes()).expect("a body");
        let canonical::Value::Object(members) = &mut body else {
            panic!("a body is an object");
        };
        assert!(
            members.insert(name, canonical::Value::Null).is_none(),
            "{name} is absent"
        );
        canonical::to_vec(&body).expect("within the profile")
    };
    // On an open proposal, on one that is over already, and where it stands with its device.
    for life in 0..3 {
        let mut world = World::new();
        let id = world.propose(1);
        if life == 1 {
            world.journal.decide_on(id, &mut world.ben, Says::Reject);
        }
        match life {
            0 => world.journal.decide_on(id, &mut world.ana, Says::Approve),
            1 => world
                .journal
                .decide_in_vain(id, &mut world.ana, Says::Approve, Reason::Decided),
            _ => world.journal.decide_astray(id, &mut world.ana),
        };
        let honest = world.journal.size();
        let report = examine(&export(&world.journal, Profile::Full));
        assert_eq!(report.verdict, Verdict::Whole, "{life}: {report}");
        let mut entries = world.journal.entries().to_vec();
        let at = honest as usize - 1;
        let record = entries[at].record().expect("a record");
        let envelope = world
            .ana
            .key
            .sign(&record.kind.payload_type(), said(&record, "retracts"));
        let digest = envelope.digest();
        if life > 0 {
            // What refuses it names it.
            let refusing = entries[at].digest.to_string();
            let before = &mut entries[at - 1];
            let body = before.body.take().expect("a body");
            let body = body.replace(&refusing, &digest.to_string());
            before.digest = dsse::record_digest(&dsse::payload_type(&before.kind), body.as_bytes());
            before.body = Some(body);
        }
        entries[at].digest = digest;
        entries[at].body = String::from_utf8(envelope.payload).ok();
        entries[at].signature = envelope.signatures.into_iter().next();
        let report = sealed(&world, entries);
        let (entry, problem) = caught(&report);
        assert_eq!(entry, honest, "{life}: {report}");
        assert!(problem.contains("says nothing"), "{life}: {problem}");
    }
}

#[test]
fn a_log_that_forgets_what_a_device_has_seen_is_found_by_what_that_device_signed() {
    let (first, count) = cases(1_000, 10_000);
    each(first, count, |seed| {
        let mut random = Seeded::new(seed);
        let mut world = World::grown(&mut random, 3);
        let seen = world.journal.entries().len();
        world.live(3);
        let witness = world.journal.entries().len() as u64;
        let mut entries = world.journal.entries().to_vec();
        // The first entries found the tenant and let the device in. What comes after them can be forgotten or moved.
        let at = 12 + random.below(seen - 12);
        match random.below(3) {
            0 => {
                entries.remove(at);
            }
            1 => entries.swap(at, 12 + random.below(seen - 12)),
            _ => entries[at].at.0 += 1,
        }
        let changed = entries
            .iter()
            .zip(world.journal.entries())
            .position(|(lie, truth)| lie != truth);
        let Some(changed) = changed else {
            return Ok(());
        };
        let report = sealed(&world, entries);
        if found_at(&report).is_some_and(|entry| entry as usize > changed && entry <= witness) {
            return Ok(());
        }
        Err(format!(
            "a changed past came out as\n{report}\n{}",
            replay(
                seed,
                "a_log_that_forgets_what_a_device_has_seen_is_found_by_what_that_device_signed"
            )
        ))
    });
    println!("{count} changed pasts, all found");
}

#[test]
fn a_run_without_the_approvals_that_it_names_is_found() {
    let mut world = World::new();
    let id = world.propose(1);
    world.journal.begin(id, vec![]);
    world.journal.receipt(id, Outcome::Completed);
    let begin = world.journal.size() - 1;
    let report = examine(&export(&world.journal, Profile::Full));
    assert_eq!(caught(&report), (begin, "it ran although it was proposed"));
    let report = examine(&export(&world.journal, Profile::Redacted));
    assert_eq!(
        caught(&report),
        (begin, "it ran although it was proposed"),
        "withheld or not"
    );
}

#[test]
fn a_run_on_one_approval_where_two_are_asked_for_is_found() {
    let mut world = World::new();
    let id = world.propose(2);
    let yes = world.journal.decide_on(id, &mut world.ana, Says::Approve);
    world.journal.begin(id, vec![yes]);
    let report = examine(&export(&world.journal, Profile::Full));
    assert_eq!(caught(&report).1, "it ran although it was proposed");
}

#[test]
fn a_run_that_begins_twice_or_on_other_approvals_is_found() {
    for (authority, problem) in [
        (None, "it began twice"),
        (
            Some(vec![Digest::of(b"other")]),
            "it ran on other approvals than those that counted",
        ),
    ] {
        let mut world = World::new();
        world.live(0);
        let mut entries = world.journal.entries().to_vec();
        let at = place::<Begin>(&entries, |_| true).unwrap();
        match authority {
            Some(authority) => rewrite(&mut entries[at], |begin: &mut Begin| begin.authority = authority),
            None => entries.insert(at + 1, entries[at].clone()),
        }
        let report = sealed(&world, entries);
        assert_eq!(caught(&report).1, problem);
    }
}

#[test]
fn a_run_on_another_preview_than_people_were_shown_is_found_and_one_of_before_it_was_named_is_not() {
    for (named, whole) in [(Some(Digest::of(b"other")), false), (None, true)] {
        let mut world = World::new();
        world.live(1);
        let mut entries = world.journal.entries().to_vec();
        let at = place::<Begin>(&entries, |begin| begin.preview.is_some()).unwrap();
        rewrite(&mut entries[at], |begin: &mut Begin| begin.preview = named);
        let report = sealed(&world, entries);
        if whole {
            assert_eq!(report.verdict, Verdict::Whole, "{report}");
        } else {
            assert_eq!(
                caught(&report).1,
                "it ran on another preview than the one that people were shown"
            );
        }
    }
}

#[test]
fn a_run_after_a_no_is_found_also_when_the_no_is_declared_void() {
    let mut world = World::new();
    let id = world.propose(1);
    let no = world.journal.decide_on(id, &mut world.ben, Says::Reject);
    world.journal.begin(id, vec![]);
    let report = examine(&export(&world.journal, Profile::Full));
    assert_eq!(caught(&report).1, "it ran although it was over");

    let mut world = World::new();
    let id = world.propose(2);
    let yes = world.journal.decide_on(id, &mut world.ana, Says::Approve);
    world.journal.retract(id, world.ana.user, yes);
    let retract = world.journal.entries().last().unwrap().digest;
    world.journal.void(id, retract, Reason::NotEligible);
    let report = examine(&export(&world.journal, Profile::Full));
    assert_eq!(
        caught(&report),
        (world.journal.size(), "it takes a person's no out of the count")
    );
    assert_ne!(no, retract);
}

#[test]
fn a_no_that_is_refused_without_a_reason_is_found() {
    let mut world = World::new();
    let id = world.propose(1);
    world
        .journal
        .decide_in_vain(id, &mut world.ben, Says::Reject, Reason::TooLate);
    let report = examine(&export(&world.journal, Profile::Full));
    assert_eq!(
        caught(&report),
        (
            world.journal.size(),
            "the decision was refused (too_late) and must count"
        )
    );
}

type Lie<'l> = &'l dyn Fn(&mut World);

#[test]
fn a_decision_that_counts_against_the_rules_is_found() {
    let stranger = |world: &mut World| {
        let user = world.journal.member("Sam Stranger", Role::Member);
        let id = world.propose(1);
        world.journal.decide(id, user, Says::Approve);
    };
    let weak = |world: &mut World| {
        let id = world.propose(1);
        let mut entries = world.journal.entries().to_vec();
        let last = entries.last_mut().unwrap();
        rewrite(last, |evaluation: &mut Evaluation| {
            evaluation.requirement.assurance = countersign_domain::record::Assurance::Device;
        });
        let (subject, body) = (last.subject.clone(), last.body.clone());
        world.journal.append_entry("evaluation", subject, body, None);
        world.journal.decide(id, world.cleo, Says::Approve);
    };
    let twice = |world: &mut World| {
        let id = world.propose(2);
        world.journal.decide_on(id, &mut world.ana, Says::Approve);
        world.journal.decide_on(id, &mut world.ana, Says::Approve);
    };
    let revoked = |world: &mut World| {
        world.journal.revoke(&world.ana.clone());
        let id = world.propose(1);
        world.journal.decide_on(id, &mut world.ana, Says::Approve);
    };
    let reused = |world: &mut World| {
        world.live(3);
        world.ben.seq = 0;
        world.live(3);
    };
    let removed = |world: &mut World| {
        world.journal.set_member(world.ana.user, "Ana Alvarez", None);
        let id = world.propose(1);
        world.journal.decide_on(id, &mut world.ana, Says::Approve);
    };
    let late = |world: &mut World| {
        let id = world.propose(1);
        world.journal.wait(countersign_domain::Millis::hours(80));
        world.journal.decide_on(id, &mut world.ana, Says::Approve);
    };
    let cases: [(&str, Lie<'_>); 7] = [
        ("not_eligible", &stranger),
        ("assurance_too_low", &weak),
        ("decided", &twice),
        ("device_revoked", &revoked),
        ("fork", &reused),
        ("not_eligible", &removed),
        ("expired", &late),
    ];
    for (reason, lie) in cases {
        let mut world = World::new();
        lie(&mut world);
        let report = examine(&export(&world.journal, Profile::Full));
        let (at, problem) = caught(&report);
        assert_eq!(
            at,
            world.journal.size(),
            "{reason}: the last entry is the one\n{report}"
        );
        assert!(problem.contains(&format!("({reason})")), "{reason}: {problem}");
    }
}

#[test]
fn a_decision_over_other_bytes_or_under_another_proposal_is_found() {
    let mut world = World::new();
    let (one, two) = (world.propose(1), world.propose(1));
    world.journal.decide(one, world.cleo, Says::Approve);
    let mut entries = world.journal.entries().to_vec();
    let last = entries.last_mut().unwrap();
    last.subject = format!("proposal/{two}");
    assert!(
        caught(&sealed(&world, entries.clone()))
            .1
            .contains("unknown_proposal")
    );
    let last = entries.last_mut().unwrap();
    last.subject = format!("proposal/{one}");
    rewrite(last, |decision: &mut Decision| {
        decision.proposal_digest = Digest::of(b"other")
    });
    assert!(caught(&sealed(&world, entries)).1.contains("digest_mismatch"));
}

#[test]
fn nobody_vouches_for_a_device_who_may_not() {
    let world = World::new();
    let endorsed = place::<Endorse>(world.journal.entries(), |_| true).unwrap();
    let with = |by: Endorsement| {
        let mut entries = world.journal.entries().to_vec();
        rewrite(&mut entries[endorsed], |endorse: &mut Endorse| endorse.by = by);
        sealed(&world, entries)
    };
    for by in [
        Endorsement::FirstDevice,
        Endorsement::Admin(world.ana.user),
        Endorsement::Admin(world.cleo),
    ] {
        assert_eq!(
            caught(&with(by)),
            (endorsed as u64 + 1, "who vouches for the device may not"),
            "{by:?}"
        );
    }
    let by = Endorsement::Device(world.ben.id);
    assert!(
        caught(&with(by)).1.contains("never enrolled"),
        "the other device came later"
    );
    assert_eq!(
        with(Endorsement::Admin(world.journal.owner())).verdict,
        Verdict::Whole
    );
}

#[test]
fn an_expiry_before_its_time_and_a_receipt_without_a_run_are_found() {
    let mut world = World::new();
    let id = world.propose(1);
    world.journal.expire(id);
    let report = examine(&export(&world.journal, Profile::Full));
    assert_eq!(caught(&report).1, "it expired before its time");

    let mut world = World::new();
    let id = world.propose(1);
    world.journal.receipt(id, Outcome::Completed);
    let report = examine(&export(&world.journal, Profile::Full));
    assert_eq!(caught(&report).1, "it tells of a run that was not begun");
}

#[test]
fn a_receipt_that_tells_of_requests_that_there_may_not_be_is_found() {
    let mut world = World::new();
    world.live(0);
    let ended = place::<Receipt>(world.journal.entries(), |_| true).unwrap();
    let mut entries = world.journal.entries().to_vec();
    rewrite(&mut entries[ended], |receipt: &mut Receipt| {
        receipt.attempts = Some(2)
    });
    assert_eq!(
        caught(&sealed(&world, entries)),
        (
            ended as u64 + 1,
            "it tells of more requests than such a call may take"
        )
    );
}

#[test]
fn entries_say_what_their_records_say() {
    let world = World::new();
    let member = place::<Member>(world.journal.entries(), |_| true).unwrap();
    let mut entries = world.journal.entries().to_vec();
    entries[member].subject = "member/01930000-0000-7999-8000-000000000000".to_owned();
    assert!(
        caught(&sealed(&world, entries))
            .1
            .contains("the entry says otherwise")
    );

    let mut entries = world.journal.entries().to_vec();
    entries.push(entries[0].clone());
    assert_eq!(
        caught(&sealed(&world, entries)).1,
        "a journal has one genesis, and begins with it"
    );

    let mut entries = world.journal.entries().to_vec();
    rewrite(&mut entries[0], |genesis: &mut Genesis| {
        genesis.log_key = SigningKey::from_seed(&[9; 32]).public_key();
    });
    assert!(caught(&sealed(&world, entries)).1.contains("another log key"));
}

#[test]
fn entries_about_nothing_are_found() {
    let mut world = World::new();
    world.live(0);
    let id = world.propose(1);
    let mut entries = world.journal.entries().to_vec();
    let void = Void {
        at: world.journal.at,
        decision: Digest::of(b"nothing"),
        proposal: id,
        reason: Reason::Fork,
    };
    let mut astray = entry(entries.last().unwrap(), &void);
    astray.subject = "proposal/01930000-0000-7999-8000-000000000000".to_owned();
    entries.push(astray);
    let report = sealed(&world, entries);
    assert_eq!(
        caught(&report).1,
        "it is about a proposal that is not in the journal"
    );
}

#[test]
fn policy_that_is_asked_again_only_tightens_whatever_the_log_says() {
    let mut world = World::new();
    let id = world.propose(1);
    world.journal.evaluate(id, PolicyDecision::Allow, 1);
    world.journal.begin(id, vec![]);
    let report = examine(&export(&world.journal, Profile::Full));
    assert_eq!(caught(&report).1, "it ran although it was proposed");
}

#[test]
fn a_log_that_signs_a_root_of_other_entries_is_found_at_the_end() {
    use countersign_domain::{bundle::Writer, journal::Checkpoint};
    let mut world = World::new();
    world.live(LIVES - 1);
    let journal: &JournalBuilder = &world.journal;
    let checkpoint = Checkpoint {
        tenant: journal.tenant(),
        size: journal.size(),
        root: Digest::of(b"another root"),
    };
    let (mut writer, mut bytes) = Writer::begin(&checkpoint, Profile::Full, journal.log_key()).unwrap();
    bytes.extend(writer.segment(journal.entries()).unwrap());
    bytes.extend(writer.end().unwrap());
    let report = examine(&bytes);
    assert_eq!(report.verdict.code(), 1);
    assert!(report.to_string().contains("two histories"), "{report}");
}

#[test]
fn a_member_who_is_made_up_by_the_log_is_still_in_the_journal_to_see() {
    // Members are on the server's word: what a log can do there shows, and is nobody's signature.
    let world = World::new();
    let mut entries = world.journal.entries().to_vec();
    let at = place::<Member>(&entries, |member| member.user == world.cleo).unwrap();
    rewrite(&mut entries[at], |member: &mut Member| member.by = Actor::Server);
    assert_eq!(sealed(&world, entries).verdict, Verdict::Whole);
}

#[test]
fn what_begins_under_a_stop_is_found() {
    let mut world = World::new();
    let id = world.propose(1);
    let yes = world.journal.decide(id, world.cleo, Says::Approve);
    world.journal.stop(world.ana.user, Scope::Tenant);
    world.journal.begin(id, vec![yes]);
    let last = world.journal.size();
    let report = examine(&export(&world.journal, Profile::Full));
    assert_eq!(caught(&report), (last, "it began while a stop stood over it"));
}

#[test]
fn a_log_that_hands_a_device_another_key_is_found() {
    let new = SigningKey::from_seed(&[7; 32]);
    // The log has a key made that it holds, and signs for the device with it.
    let mut world = World::new();
    world
        .journal
        .turn(&mut world.ana, &new, &SigningKey::from_seed(&[8; 32]));
    let last = world.journal.size();
    assert_eq!(caught(&examine(&export(&world.journal, Profile::Full))).0, last);

    let mut world = World::new();
    world.ana.key = new.clone();
    world.journal.turn(&mut world.ana, &new, &new);
    let last = world.journal.size();
    assert_eq!(
        caught(&examine(&export(&world.journal, Profile::Full))).0,
        last,
        "without the key that it has"
    );

    let mut world = World::new();
    let old = world.ana.key.clone();
    world.journal.turn(&mut world.ana, &new, &new);
    world.ana.key = old;
    let id = world.propose(1);
    world.journal.decide_on(id, &mut world.ana, Says::Approve);
    let last = world.journal.size();
    assert_eq!(
        caught(&examine(&export(&world.journal, Profile::Full))).0,
        last,
        "the old key signs nothing more"
    );
}

#[test]
fn a_run_on_the_word_of_a_revoked_device_is_found_unless_it_was_in_good_hands() {
    let ran = |last_good: Option<u64>| {
        let mut world = World::new();
        let id = world.propose(1);
        let yes = world.journal.decide_on(id, &mut world.ana, Says::Approve);
        match last_good {
            Some(last) => world.journal.revoke_after(&world.ana, last),
            None => world.journal.revoke(&world.ana),
        }
        world.journal.begin(id, vec![yes]);
        world.journal.receipt(id, Outcome::Completed);
        let last = world.journal.size();
        (last, examine(&export(&world.journal, Profile::Full)))
    };
    let (_, honest) = ran(Some(1));
    assert_eq!(honest.verdict, Verdict::Whole, "{honest}");
    for last_good in [None, Some(0)] {
        let (last, lie) = ran(last_good);
        assert_eq!(
            caught(&lie),
            (last - 1, "it ran on the word of a device that was revoked")
        );
    }
}

#[test]
fn who_erases_without_being_allowed_or_before_the_end_is_found() {
    let mut world = World::new();
    let id = world.propose(1);
    world.journal.withdraw(id);
    world.journal.erase(id, world.cleo);
    let last = world.journal.size();
    let report = examine(&export(&world.journal, Profile::Full));
    assert_eq!(caught(&report), (last, "who had it erased may not"));
}

#[test]
fn rules_that_erase_what_they_still_keep_or_are_not_in_force_are_found() {
    let erased = |days: i64, other: bool| {
        let mut world = World::new();
        let rules = world.keeps(30);
        let id = world.propose(1);
        world.journal.withdraw(id);
        world.journal.wait(Millis::hours(24 * days));
        if other {
            world.journal.rules(world.ben.user, Some(rules), Vec::new());
        }
        world.journal.outlive(id, rules);
        (
            world.journal.size(),
            examine(&export(&world.journal, Profile::Full)),
        )
    };
    let (_, honest) = erased(30, false);
    assert_eq!(honest.verdict, Verdict::Whole, "{honest}");
    let (last, early) = erased(29, false);
    assert_eq!(
        caught(&early),
        (last, "it was erased while the rules still kept it")
    );
    let (last, stale) = erased(30, true);
    assert_eq!(
        caught(&stale),
        (last, "the rules that had it erased are not those in force")
    );
}

#[test]
fn who_releases_rules_or_settles_without_being_asked_is_found() {
    let refused = |act: &dyn Fn(&mut World, UserId)| {
        let mut world = World::new();
        let mia = world.journal.member("Mia", Role::Member);
        act(&mut world, mia);
        let last = world.journal.size();
        let report = examine(&export(&world.journal, Profile::Full));
        assert_eq!(caught(&report).0, last);
    };
    refused(&|world, mia| {
        world.journal.stop(mia, Scope::Tenant);
    });
    refused(&|world, mia| {
        let stop = world.journal.stop(world.cleo, Scope::Tenant);
        world.journal.release(mia, Scope::Tenant, stop);
    });
    refused(&|world, _| {
        let stop = world.journal.stop(world.cleo, Scope::Tenant);
        world.journal.release(world.cleo, Scope::Tenant, stop);
        world.journal.release(world.cleo, Scope::Tenant, stop);
    });
    refused(&|world, _| {
        world.journal.rules(world.cleo, None, Vec::new());
    });
    refused(&|world, mia| {
        let id = world.propose(1);
        let yes = world.journal.decide(id, world.cleo, Says::Approve);
        world.journal.begin(id, vec![yes]);
        world.journal.lapse(id);
        world.journal.resolve(id, mia, true);
    });
    refused(&|world, _| {
        let id = world.propose(1);
        world.journal.resolve(id, world.cleo, true);
    });
}

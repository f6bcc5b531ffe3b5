//! No false alarms.

use countersign_domain::{
    Millis,
    bundle::Profile,
    dsse::SigningKey,
    record::{Kind, Outcome, Verdict as Says},
};
use countersign_replica::testing::Draft;
use countersign_verify::{Options, Verdict, verify};

use crate::{
    journals::{LIVES, World, bundle, examine, export},
    seeded::{Seeded, cases, each, replay},
};

#[test]
fn every_life_that_a_proposal_can_have_is_in_order() {
    for life in 0..LIVES {
        let mut world = World::new();
        world.live(life);
        for profile in [Profile::Full, Profile::Redacted] {
            let report = examine(&export(&world.journal, profile));
            assert_eq!(
                report.verdict,
                Verdict::Whole,
                "life {life}, {profile:?}: {report}"
            );
        }
    }
}

#[test]
fn honest_bundles_raise_no_alarm_whatever_is_withheld_or_erased() {
    let (first, count) = cases(400, 4_000);
    each(first, count, |seed| {
        let mut random = Seeded::new(seed);
        // Around the sizes at which segments and the tree change their shape, too.
        let lives = random.below(if seed.is_multiple_of(10) { 90 } else { 12 });
        let world = World::grown(&mut random, lives);
        let mut entries = world.journal.entries().to_vec();
        let mut erased = 0;
        if random.below(2) == 0 {
            for entry in entries.iter_mut().skip(1) {
                if random.below(12) == 0 {
                    (entry.body, entry.signature) = (None, None);
                    erased += 1;
                }
            }
        }
        let profile = *random.pick(&[Profile::Full, Profile::Redacted]);
        let bytes = bundle(
            &entries,
            world.journal.tenant(),
            &world.journal.log_key(),
            profile,
        );
        let report = examine(&bytes);
        let replay = || {
            replay(
                seed,
                "honest_bundles_raise_no_alarm_whatever_is_withheld_or_erased",
            )
        };
        if report.verdict != Verdict::Whole {
            return Err(format!("{report}\n{}", replay()));
        }
        if profile == Profile::Full && (report.counts.erased, report.counts.withheld) != (erased, 0) {
            return Err(format!(
                "what is missing is not what was erased: {report}\n{}",
                replay()
            ));
        }
        Ok(())
    });
}

#[test]
fn the_report_counts_what_was_found_in_order() {
    let mut world = World::new();
    for life in 0..LIVES {
        world.live(life);
    }
    let report = examine(&export(&world.journal, Profile::Full));
    let found = report.found;
    assert_eq!(report.verdict, Verdict::Whole);
    assert_eq!((found.runs, found.runs_not_judged), (8, 0));
    assert_eq!(
        found.decisions_refused, 3,
        "one too many, one too late, one astray"
    );
    assert_eq!(found.decisions_not_judged, 0);
    assert_eq!(found.witnesses, 11, "every decision of a device");
    assert_eq!(found.signatures, 11 + 3, "and three enrolments");
    assert_eq!(
        found.endorsed_by_server, 3,
        "the test's journal knows no other way"
    );
    assert_eq!((found.device_gaps, found.newer), (0, 0));
}

#[test]
fn a_record_that_a_device_has_numbered_and_that_is_not_here_is_told() {
    let mut world = World::new();
    world.ana.seq += 2;
    world.live(1);
    let report = examine(&export(&world.journal, Profile::Full));
    assert_eq!(report.verdict, Verdict::Whole, "it may never have been sent");
    assert_eq!(report.found.device_gaps, 2);
}

#[test]
fn a_redacted_bundle_says_what_is_withheld_and_proves_the_rest() {
    let mut world = World::new();
    world.live(2);
    let bytes = export(&world.journal, Profile::Redacted);
    let report = examine(&bytes);
    assert_eq!(report.verdict, Verdict::Whole);
    assert_eq!(report.counts.withheld, 2, "the proposal and the receipt");
    assert_eq!((report.found.runs, report.found.decisions_effective), (1, 2));
    let text = String::from_utf8(bytes).unwrap();
    assert!(!text.contains("Call Ada"), "what was asked for is in neither");
}

#[test]
fn kinds_of_a_later_version_are_passed_over_and_told() {
    let mut world = World::new();
    world
        .journal
        .append_entry("treaty", "treaty/1".to_owned(), Some("{}".to_owned()), None);
    world.live(0);
    let report = examine(&export(&world.journal, Profile::Full));
    assert_eq!(report.verdict, Verdict::Whole);
    assert_eq!(report.found.newer, 1);
}

#[test]
fn without_a_trusted_key_a_bundle_is_consistent_and_no_more() {
    let mut world = World::new();
    world.live(3);
    let bytes = export(&world.journal, Profile::Full);
    let report = verify(&bytes[..], &Options::default()).unwrap();
    assert_eq!(report.verdict, Verdict::Whole);
    let text = report.to_string();
    assert!(text.contains("consistent, key not checked"), "{text}");
    assert!(
        text.contains(&world.journal.log_key().public_key().to_string()),
        "{text}"
    );
    let stranger = Options {
        trust: Some(SigningKey::from_seed(&[9; 32]).public_key()),
        proposal: None,
    };
    let report = verify(&bytes[..], &stranger).unwrap();
    assert_eq!(report.verdict.code(), 1, "{report}");
}

#[test]
fn what_a_device_signed_before_and_after_it_turned_to_a_new_key_is_in_order() {
    let mut world = World::new();
    let approve = |world: &mut World| {
        let id = world.journal.propose(Draft::default());
        let yes = world.journal.decide_on(id, &mut world.ana, Says::Approve);
        world.journal.begin(id, vec![yes]);
        world.journal.receipt(id, Outcome::Completed);
    };
    approve(&mut world);
    for seed in [7, 8] {
        let new = SigningKey::from_seed(&[seed; 32]);
        world.journal.turn(&mut world.ana, &new, &new);
        approve(&mut world);
    }
    let report = examine(&export(&world.journal, Profile::Full));
    assert_eq!(report.verdict, Verdict::Whole, "{report}");
    assert_eq!(report.found.decisions_effective, 3);
}

#[test]
fn what_was_erased_is_told_and_the_rest_is_proved() {
    let mut world = World::new();
    let before = world.journal.size();
    let id = world.journal.propose(Draft::default());
    let yes = world.journal.decide_on(id, &mut world.ana, Says::Approve);
    world.journal.begin(id, vec![yes]);
    world.journal.receipt(id, Outcome::Completed);
    let until = world.journal.size();
    world.live(0);
    world.journal.erase(id, world.ben.user);
    world.live(1);
    let bytes = export(&world.journal, Profile::Full);
    let options = Options {
        trust: None,
        proposal: Some(id),
    };
    let report = verify(&bytes[..], &options).unwrap();
    assert_eq!(report.verdict, Verdict::Whole, "{report}");
    assert_eq!(
        (report.counts.erased, report.found.erased_unsaid),
        (2, 0),
        "request and receipt"
    );
    let text = report.to_string();
    assert!(text.contains("had what was written erased"), "{text}");

    // The bundle of an earlier size, made after the erasure, cannot say why.
    assert!(until > before);
    let early = bundle(
        &world.journal.entries()[..usize::try_from(until).unwrap()],
        world.journal.tenant(),
        &world.journal.log_key(),
        Profile::Full,
    );
    let report = examine(&early);
    assert_eq!(report.verdict, Verdict::Whole, "{report}");
    assert_eq!(report.found.erased_unsaid, 2);
    assert!(report.to_string().contains("no entry up to here says so"));
}

#[test]
fn what_the_rules_keep_no_longer_is_told_and_the_rest_is_proved() {
    let mut world = World::new();
    let rules = world.keeps(7);
    let id = world.journal.propose(Draft::default());
    let yes = world.journal.decide_on(id, &mut world.ana, Says::Approve);
    world.journal.begin(id, vec![yes]);
    world.journal.receipt(id, Outcome::Completed);
    world.live(0);
    world.journal.wait(Millis::hours(24 * 7));
    world.journal.outlive(id, rules);
    world.live(1);
    let options = Options {
        trust: None,
        proposal: Some(id),
    };
    let report = verify(&export(&world.journal, Profile::Full)[..], &options).unwrap();
    assert_eq!(report.verdict, Verdict::Whole, "{report}");
    assert_eq!((report.counts.erased, report.found.erased_unsaid), (2, 0));
    let text = report.to_string();
    assert!(text.contains("The rules had what was written erased"), "{text}");
}

#[test]
fn the_story_of_a_proposal_is_told_in_words_with_its_proof() {
    let mut world = World::new();
    let id = world.propose(1);
    world.journal.decide_on(id, &mut world.ana, Says::Approve);
    world.live(0);
    let options = Options {
        trust: None,
        proposal: Some(id),
    };
    let report = verify(&export(&world.journal, Profile::Full)[..], &options).unwrap();
    let text = report.to_string();
    for part in [
        "The agent Helpful agent proposed: Create the task Call Ada about the invoice (risk medium)",
        "Policy asked for one person to approve it",
        "Ana Alvarez <ana.alvarez@example.com> approved it, signed by the device Laptop of Ana Alvarez",
        "Proof that entry",
    ] {
        assert!(text.contains(part), "{part:?} is missing in:\n{text}");
    }
    let story = report.story.unwrap();
    assert_eq!(story.chapters.len(), 3, "and nothing of its neighbour");
    let redacted = verify(&export(&world.journal, Profile::Redacted)[..], &options).unwrap();
    assert!(
        redacted.to_string().contains("A proposal whose text is withheld"),
        "{redacted}"
    );
}

#[test]
fn every_kind_of_record_is_in_these_journals() {
    let mut world = World::new();
    for life in 0..LIVES {
        world.live(life);
    }
    world
        .journal
        .connection(countersign_domain::record::Holder::Tenant);
    world.journal.rules(world.ben.user, None, Vec::new());
    let new = SigningKey::from_seed(&[7; 32]);
    world.journal.turn(&mut world.ana, &new, &new);
    let over = world.propose(1);
    world.journal.withdraw(over);
    world.journal.erase(over, world.ben.user);
    for (_, kind) in Kind::ALL {
        let there = world.journal.entries().iter().any(|entry| entry.kind == kind);
        assert!(there, "no journal here has a {kind}");
    }
}

//! Whether a decision counts: which of two reasons is given, times, assurance, whose it is.

use countersign_domain::{
    Millis,
    decision::{is_own, least_assurance},
    id::TenantId,
    record::{Assurance, Mode, PolicyDecision, Proposer, ProposerKind, Reason, Risk, Role, Verdict},
};

use proptest::prelude::*;

use crate::{
    scene::{Scene, Spoil, late},
    support::{Story, World, at, by_session, digest, key, needs, person, uuid},
};

#[test]
fn a_good_decision_counts() {
    let scene = Scene::approval();
    let effective = scene.world.judge(&scene.decision).unwrap();
    assert_eq!(*effective.decision(), scene.decision);
    assert_eq!(effective.digest(), scene.world.record(&scene.decision).digest);
    for role in [Role::Approver, Role::Admin, Role::Owner] {
        let mut scene = scene.clone();
        scene.world.role = Some(role);
        assert_eq!(scene.verdict(), None, "{role:?} decides");
    }
}

#[test]
fn of_two_reasons_the_earlier_check_answers() {
    // In the order of the checks. States exclude each other and so share a rank.
    let order: [(u8, Reason, Spoil); 15] = [
        (0, Reason::BadSignature, |s| s.world.key = key(2)),
        (1, Reason::DeviceRevoked, |s| {
            s.device().revoked = true;
        }),
        (2, Reason::Fork, |s| s.device().forked = true),
        (3, Reason::UnknownProposal, |s| {
            s.decision.tenant = TenantId::from_uuid(uuid(2));
        }),
        (4, Reason::DigestMismatch, |s| {
            s.decision.proposal_digest = digest("another");
        }),
        (5, Reason::NotEligible, |s| s.world.role = None),
        (6, Reason::SelfApproval, |s| s.world.agent_owner = Some(person(1))),
        (7, Reason::Decided, Scene::rejected),
        (7, Reason::TooLate, Scene::begun),
        (7, Reason::DeniedByPolicy, Scene::denied),
        (7, Reason::Withdrawn, Scene::withdrawn),
        (7, Reason::Superseded, Scene::superseded),
        (8, Reason::Expired, |s| s.decision.expires_at = at(1)),
        (9, Reason::ViewMismatch, |s| {
            s.decision.view = digest("another card")
        }),
        (10, Reason::AssuranceTooLow, |s| {
            s.decision.assurance = Assurance::Session;
        }),
    ];
    for (first, expected, spoil) in &order {
        for (second, _, also) in order.iter().filter(|(rank, ..)| rank > first) {
            for swapped in [false, true] {
                let mut scene = Scene::approval();
                let (one, other) = if swapped { (also, spoil) } else { (spoil, also) };
                one(&mut scene);
                other(&mut scene);
                assert_eq!(
                    scene.verdict(),
                    Some(*expected),
                    "check {first} comes before check {second}"
                );
            }
        }
    }
}

#[test]
fn the_last_millisecond_counts_and_the_next_does_not() {
    for (millis, expected) in [(-1, None), (0, Some(Reason::Expired)), (1, Some(Reason::Expired))] {
        let mut scene = Scene::approval();
        late(&mut scene, millis);
        assert_eq!(scene.verdict(), expected, "{millis} ms from the proposal's end");
        let mut scene = Scene::approval();
        scene.world.now = scene.decision.expires_at + Millis(millis);
        assert_eq!(
            scene.verdict(),
            expected,
            "{millis} ms from the approval's own end"
        );
    }
}

#[test]
fn a_late_no_is_still_a_no() {
    let mut scene = Scene::approval();
    scene.says(Verdict::Reject);
    scene.decision.expires_at = at(1);
    scene.decision.view = digest("an old card");
    scene.decision.assurance = Assurance::Session;
    assert_eq!(scene.verdict(), None, "nothing is loosened by it");
    scene.world.agent_owner = Some(person(1));
    assert_eq!(scene.verdict(), None, "one may always stop one's own");
}

#[test]
fn each_risk_takes_the_assurance_that_policy_asks_for_it() {
    let least = [
        (Risk::Low, Assurance::Session),
        (Risk::Medium, Assurance::Session),
        (Risk::High, Assurance::Device),
        (Risk::Critical, Assurance::DeviceConfirmed),
    ];
    let given = [Assurance::Session, Assurance::Device, Assurance::DeviceConfirmed];
    for (risk, least) in least {
        for given in given {
            for (mode, own) in [(Mode::Company, false), (Mode::Solo, false), (Mode::Solo, true)] {
                let mut story = Story::untold();
                story.proposal.risk = risk;
                story.rule(at(0), PolicyDecision::RequiresApproval, needs(1, least));
                let mut world = World::of(&story);
                world.mode = mode;
                world.agent_owner = own.then(|| person(1));
                let mut decision = story.decision(1, Verdict::Approve, at(1));
                decision.assurance = given;
                let least = if own { Assurance::DeviceConfirmed } else { least };
                assert_eq!(least_assurance(&story.state(), mode, own), least);
                let expected = (given < least).then_some(Reason::AssuranceTooLow);
                assert_eq!(
                    world.judge(&decision).err(),
                    expected,
                    "{risk:?} {given:?} {mode:?} own: {own}"
                );
                if given == Assurance::Session {
                    by_session(&mut decision);
                    world.session = Some(person(1));
                    assert_eq!(
                        world.judge(&decision).err(),
                        expected,
                        "the same without a device"
                    );
                }
            }
        }
    }
}

#[test]
fn whose_a_proposal_is() {
    let mut proposer = crate::support::proposal().proposer;
    assert!(!is_own(&proposer, None, person(1)));
    assert!(is_own(&proposer, Some(person(1)), person(1)), "my agent's");
    assert!(!is_own(&proposer, Some(person(2)), person(1)));
    proposer.id = person(1).to_string();
    assert!(
        !is_own(&proposer, None, person(1)),
        "an agent with my id is not me"
    );
    proposer.kind = ProposerKind::User;
    assert!(is_own(&proposer, None, person(1)), "mine");
    assert!(!is_own(&proposer, None, person(2)));
    proposer.on_behalf_of = Some(person(2));
    assert!(is_own(&proposer, None, person(2)), "for me");
    proposer.contributors.insert(person(3));
    assert!(is_own(&proposer, None, person(3)), "I have written on it");
    assert!(!is_own(&proposer, None, person(4)));
}

proptest! {
    /// However often it is edited, and by whom: an agent first or a person, and people after it, in any order.
    #[test]
    fn whoever_could_not_approve_a_proposal_cannot_approve_what_comes_of_it(
        owner in proptest::option::of(1_u8..5),
        behalf in proptest::option::of(1_u8..5),
        first in proptest::option::of(1_u8..5),
        editors in proptest::collection::vec(1_u8..5, 1..6),
    ) {
        let typed = |who| Proposer {
            id: person(who).to_string(),
            kind: ProposerKind::User,
            ..crate::support::proposal().proposer
        };
        let (mut proposer, mut owner) = match first {
            Some(who) => (typed(who), None),
            None => (crate::support::proposal().proposer, owner.map(person)),
        };
        if first.is_none() {
            proposer.on_behalf_of = behalf.map(person);
        }
        for editor in editors {
            let next = typed(editor).following(&proposer, owner);
            for anyone in (1..5).map(person) {
                let bound = is_own(&proposer, owner, anyone) || anyone == person(editor);
                prop_assert_eq!(is_own(&next, None, anyone), bound, "{:?} {:?}", proposer, next);
            }
            prop_assert_eq!(next.on_behalf_of.is_some_and(|one| one == person(editor)), false, "for others");
            (proposer, owner) = (next, None);
        }
    }
}

#[test]
fn what_another_has_approved_does_not_stand_in_the_way_of_my_approval() {
    let mut scene = Scene::approval();
    scene.meanwhile(|story| {
        story.approve(at(1), 2);
    });
    assert_eq!(scene.verdict(), None, "it takes two");
    scene.meanwhile(|story| {
        let mine = story.approve(at(2), 1);
        story.retract(at(3), 1, mine);
    });
    assert_eq!(scene.verdict(), None, "nor what I have taken back");
}

#[test]
fn nobody_stands_in_the_way_of_anothers_retraction() {
    let mut scene = Scene::approval();
    scene.already_approved();
    let mine = scene.story.entries[1].1.digest;
    scene.meanwhile(|story| {
        let mut approval = story.decision(2, Verdict::Approve, at(2));
        approval.retracts = Some(mine);
        story.enter(at(2), &approval);
    });
    scene.says(Verdict::Retract);
    scene.decision.retracts = Some(mine);
    assert_eq!(
        scene.verdict(),
        None,
        "what another's approval names is not taken back by it"
    );
}

#[test]
fn a_person_may_approve_again_with_more_when_policy_has_come_to_ask_for_more() {
    let mut scene = Scene::approval();
    scene.meanwhile(|story| {
        let mut weak = story.decision(1, Verdict::Approve, at(1));
        weak.assurance = Assurance::Device;
        story.enter(at(1), &weak);
    });
    assert_eq!(scene.verdict(), Some(Reason::Decided));
    scene.meanwhile(|story| {
        story.rule(
            at(2),
            PolicyDecision::RequiresApproval,
            needs(2, Assurance::DeviceConfirmed),
        );
    });
    assert_eq!(scene.verdict(), None, "the first one does not count any more");
}

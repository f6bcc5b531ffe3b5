//! The steps of a run at their edges: a lease at its last millisecond, a begin on what has changed, a receipt behind another.

use countersign_domain::{
    Digest, Millis, Record, UnixMillis,
    execution::{
        Authority, KeyWindow, LEASE, Lease, NotBegun, RunRefusal, Step, begin, complete, confirm,
        of_another_attempt,
    },
    fold::Status,
    record::{
        Assurance, Begin, EffectClass, Holder, Lapse, Outcome, PolicyDecision, Reason, Receipt, Requirement,
        Resolution,
    },
};
use proptest::prelude::*;

use crate::support::{Story, at, device, digest, needs, nonce, person};

fn begun() -> Story {
    let mut story = Story::needing(needs(1, Assurance::Session));
    story.approve(at(1), 1);
    story.begin(at(2), 3);
    story
}

fn receipt(story: &mut Story, millis: i64, outcome: Outcome) -> (Receipt, Digest) {
    story.receipt(at(millis), 3, outcome);
    let (_, record): (_, Record) = story.entries.pop().unwrap();
    (record.body().unwrap(), record.digest)
}

#[test]
fn a_lease_admits_its_bearer_until_its_last_millisecond_and_nobody_else() {
    let mut story = begun();
    story.entries.pop();
    let pending = story.state();
    let until = at(10) + LEASE;
    let lease = Lease {
        fence: 3,
        until: Some(until),
    };
    let last = at(9) + LEASE;
    assert_eq!(lease.admits(&pending, Holder::Tenant, 3, last), Ok(Step::New));
    assert_eq!(
        lease.admits(&pending, Holder::Tenant, 3, until),
        Err(RunRefusal::Fenced)
    );
    for fence in [2, 4] {
        assert_eq!(
            lease.admits(&pending, Holder::Tenant, fence, last),
            Err(RunRefusal::Fenced)
        );
    }
    let used = Lease { until: None, ..lease };
    assert_eq!(
        used.admits(&pending, Holder::Tenant, 3, last),
        Err(RunRefusal::Fenced)
    );
    assert_eq!(
        lease.admits(&pending, Holder::Device(device(1)), 3, last),
        Err(RunRefusal::NotFound),
        "another executor's call is no call"
    );
    let begun = begun().state();
    assert_eq!(used.admits(&begun, Holder::Tenant, 3, until), Ok(Step::Again));
    assert_eq!(
        lease.admits(&begun, Holder::Tenant, 4, last),
        Err(RunRefusal::Fenced),
        "it has begun under another"
    );
}

#[test]
fn a_receipt_that_knows_settles_what_an_earlier_one_did_not_and_nothing_else_does() {
    let mut story = begun();
    let (first, first_digest) = receipt(&mut story, 3, Outcome::Unknown);
    let (other, other_digest) = receipt(&mut story, 4, Outcome::Unknown);
    let (knows, knows_digest) = receipt(&mut story, 5, Outcome::Completed);
    let (late, late_digest) = receipt(&mut story, 6, Outcome::Failed);
    let judge = |story: &Story, receipt: &Receipt, digest| complete(&story.state(), receipt, digest, at(9));

    assert_eq!(judge(&story, &first, first_digest), Ok(Step::New));
    story.enter(at(3), &first);
    assert_eq!(judge(&story, &first, first_digest), Ok(Step::Again));
    assert_eq!(
        judge(&story, &other, other_digest),
        Err(RunRefusal::State(Status::Unknown)),
        "it says nothing new"
    );
    assert_eq!(judge(&story, &knows, knows_digest), Ok(Step::New));
    story.enter(at(5), &knows);
    assert_eq!(story.state().recorded_status(), Status::Completed);
    assert_eq!(
        judge(&story, &late, late_digest),
        Err(RunRefusal::State(Status::Completed)),
        "what is known stays"
    );
    let fenced = Receipt { fence: 4, ..late };
    assert_eq!(judge(&story, &fenced, late_digest), Err(RunRefusal::Fenced));
}

/// Held for ten milliseconds after its approval at the first.
fn held() -> (Story, Digest) {
    let mut story = Story::needing(Requirement {
        hold: Millis(10),
        ..needs(1, Assurance::Session)
    });
    let approval = story.approve(at(1), 1);
    (story, approval)
}

/// The begin of an executor that looked at `now`.
fn beginning(story: &Story, now: UnixMillis) -> Begin {
    let authority = Authority::of(&story.state(), now).unwrap();
    assert_eq!(authority.proposal(), story.proposal.id);
    Begin {
        at: now,
        authority: authority.approvals().to_vec(),
        device_seq: None,
        executor: Holder::Tenant,
        fence: 3,
        nonce: nonce(2),
        preview: authority.preview(),
        previous: None,
        proposal: authority.proposal(),
        proposal_digest: authority.digest(),
    }
}

#[test]
fn a_begin_is_judged_by_what_stands_when_it_is_journalled() {
    let (story, approval) = held();
    let due = at(11);
    let asked = beginning(&story, due);
    let judge = |now, change: &dyn Fn(&mut Story)| {
        let mut story = story.clone();
        change(&mut story);
        begin(&story.state(), &asked, false, now)
    };
    let refused = |refusal| Err(NotBegun::Refused(refusal));
    assert_eq!(judge(due, &|_| ()), Ok(()));
    assert_eq!(
        judge(at(10), &|_| ()),
        refused(RunRefusal::Held(due)),
        "it can still be taken back"
    );
    let end = at(1) + Millis::hours(24);
    assert_eq!(
        judge(end, &|_| ()),
        Err(NotBegun::Stale(approval, Reason::Expired)),
        "the approval's own time is over"
    );
    let rejects = |story: &mut Story| {
        story.reject(at(5), 2);
    };
    assert_eq!(judge(due, &rejects), refused(RunRefusal::State(Status::Rejected)));
    let tightens = |story: &mut Story| {
        story.rule(
            at(5),
            PolicyDecision::RequiresApproval,
            needs(2, Assurance::Session),
        );
    };
    assert_eq!(
        judge(due, &tightens),
        refused(RunRefusal::State(Status::Proposed))
    );
    let agrees = |story: &mut Story| {
        story.approve(at(5), 2);
    };
    assert_eq!(
        judge(due, &agrees),
        refused(RunRefusal::Fenced),
        "its executor has checked another set of approvals"
    );
}

#[test]
fn a_begin_is_refused_under_a_stop_and_about_other_bytes() {
    let (story, _) = held();
    let (state, asked) = (story.state(), beginning(&story, at(11)));
    let refused = |refusal| Err(NotBegun::Refused(refusal));
    assert_eq!(begin(&state, &asked, true, at(11)), refused(RunRefusal::Stopped));
    let other = Begin {
        proposal_digest: digest("other bytes"),
        ..asked.clone()
    };
    assert_eq!(
        begin(&state, &other, false, at(11)),
        refused(RunRefusal::DigestMismatch)
    );
    let on_nothing = Begin {
        authority: Vec::new(),
        ..asked
    };
    assert_eq!(
        begin(&state, &on_nothing, false, at(11)),
        refused(RunRefusal::Fenced),
        "on nobody's approval"
    );
}

#[test]
fn a_receipt_is_taken_of_who_has_begun_under_its_fence_and_about_these_bytes() {
    let mut story = begun();
    let (good, digest_of_good) = receipt(&mut story, 3, Outcome::Completed);
    let judge = |story: &Story, receipt: &Receipt| complete(&story.state(), receipt, digest_of_good, at(9));
    let another = Receipt {
        executor: Holder::Device(device(1)),
        ..good.clone()
    };
    let fenced = Receipt {
        fence: 4,
        ..good.clone()
    };
    let other = Receipt {
        proposal_digest: digest("other bytes"),
        ..good.clone()
    };
    assert_eq!(judge(&story, &good), Ok(Step::New));
    assert_eq!(judge(&story, &another), Err(RunRefusal::NotFound));
    assert_eq!(judge(&story, &fenced), Err(RunRefusal::Fenced));
    assert_eq!(judge(&story, &other), Err(RunRefusal::DigestMismatch));

    story.entries.pop();
    assert_eq!(
        judge(&story, &good),
        Err(RunRefusal::State(Status::Pending)),
        "nothing has begun"
    );
    assert_eq!(
        judge(&story, &another),
        Err(RunRefusal::NotFound),
        "another's call is none, begun or not"
    );
}

/// Of a class of effect, approved by one and begun under the third fence.
fn under_way(effect: EffectClass) -> Story {
    let mut story = Story::untold();
    story.proposal.effect = effect;
    story.rule(
        at(0),
        PolicyDecision::RequiresApproval,
        needs(1, Assurance::Session),
    );
    story.approve(at(1), 1);
    story.begin(at(2), 3);
    story
}

#[test]
fn a_call_may_be_made_again_by_who_began_it_while_nobody_knows_or_says_how_it_ended() {
    let story = under_way(EffectClass::Idempotent);
    let ask = |story: &Story| confirm(&story.state(), Holder::Tenant, 3, false);
    let authority = ask(&story).unwrap();
    let state = story.state();
    assert_eq!(
        (authority.proposal(), authority.digest()),
        (state.id, state.digest)
    );
    assert_eq!(authority.approvals(), state.authority(), "as it began");

    let asks = |by, fence, stopped| confirm(&state, by, fence, stopped);
    assert_eq!(asks(Holder::Tenant, 3, true), Err(RunRefusal::Stopped));
    for fence in [2, 4] {
        assert_eq!(asks(Holder::Tenant, fence, false), Err(RunRefusal::Fenced));
    }
    let another = Holder::Device(device(1));
    assert_eq!(asks(another, 3, false), Err(RunRefusal::NotFound));

    let mut waiting = story.clone();
    waiting.entries.pop();
    assert_eq!(ask(&waiting), Err(RunRefusal::Fenced), "nothing has begun");

    let mut silent = story.clone();
    let lapse = Lapse {
        at: at(5),
        fence: 3,
        proposal: story.proposal.id,
    };
    silent.enter(at(5), &lapse);
    assert_eq!(silent.state().recorded_status(), Status::Unknown);
    assert_eq!(ask(&silent), Ok(authority), "the silence alone is no end");
    let mut said = silent;
    let word = Resolution {
        at: at(6),
        by: person(1),
        confirmed: false,
        device: None,
        device_seq: None,
        fence: 3,
        happened: false,
        nonce: nonce(6),
        note: None,
        previous: None,
        proposal: story.proposal.id,
        proposal_digest: story.digest(),
    };
    said.enter(at(6), &word);
    assert_eq!(
        ask(&said),
        Err(RunRefusal::State(Status::Failed)),
        "people have said it"
    );

    for (outcome, status) in [
        (Outcome::Completed, Status::Completed),
        (Outcome::Failed, Status::Failed),
        (Outcome::Unknown, Status::Unknown),
    ] {
        let mut ended = story.clone();
        ended.receipt(at(5), 3, outcome);
        let said = "its executor has said its last word";
        assert_eq!(ask(&ended), Err(RunRefusal::State(status)), "{said}");
    }
}

#[test]
fn only_what_a_target_knows_again_may_be_made_again() {
    for effect in [
        EffectClass::Read,
        EffectClass::Local,
        EffectClass::Checkable,
        EffectClass::Opaque,
    ] {
        let state = under_way(effect).state();
        assert_eq!(
            confirm(&state, Holder::Tenant, 3, false),
            Err(RunRefusal::State(Status::Running)),
            "{effect:?}"
        );
    }
}

#[test]
fn a_second_request_tells_of_the_first_only_when_it_is_a_yes() {
    assert_eq!(of_another_attempt(Outcome::Completed), Outcome::Completed);
    assert_eq!(of_another_attempt(Outcome::Failed), Outcome::Unknown);
    assert_eq!(of_another_attempt(Outcome::Unknown), Outcome::Unknown);
}

#[test]
fn a_key_is_known_until_the_last_millisecond_before_its_window_ends() {
    let window = KeyWindow {
        since: at(0),
        length: Millis(100),
    };
    let holds = |now, longest| window.holds(at(now), Millis(longest));
    assert!(holds(0, 99) && holds(69, 30), "it arrives in time");
    assert!(!holds(0, 100) && !holds(70, 30) && !holds(71, 30));
    assert!(!holds(-1, 0), "a clock that has gone back says nothing");
    assert!(!holds(100, -50), "no request takes less than no time");
}

proptest! {
    /// Whatever the numbers, a request that may be made arrives between the first and the end of the window.
    #[test]
    fn what_may_be_made_again_arrives_while_its_key_is_known(
        since in any::<i64>(), length in any::<i64>(), now in any::<i64>(), longest in any::<i64>(), takes in any::<i64>(),
    ) {
        let window = KeyWindow { since: UnixMillis(since), length: Millis(length) };
        if window.holds(UnixMillis(now), Millis(longest)) {
            let takes = i128::from(takes.clamp(0, longest.max(0)));
            let arrives = i128::from(now) + takes;
            prop_assert!(arrives >= i128::from(since));
            prop_assert!(arrives < i128::from(since) + i128::from(length));
        }
    }
}

#[test]
fn a_receipt_tells_of_more_requests_only_where_there_may_be_some() {
    for effect in [
        EffectClass::Idempotent,
        EffectClass::Checkable,
        EffectClass::Opaque,
    ] {
        let mut story = under_way(effect);
        let (receipt, digest) = receipt(&mut story, 3, Outcome::Completed);
        for attempts in 0..=5 {
            let receipt = Receipt {
                attempts: Some(attempts),
                ..receipt.clone()
            };
            let may = effect == EffectClass::Idempotent && [2, 3].contains(&attempts);
            let judged = complete(&story.state(), &receipt, digest, at(9));
            let expected = if may {
                Ok(Step::New)
            } else {
                Err(RunRefusal::Attempts)
            };
            assert_eq!(judged, expected, "{effect:?}, {attempts}");
        }
    }
}

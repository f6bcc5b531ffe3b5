//! The steps of a run at their edges: a lease at its last millisecond, a begin on what has changed, a receipt behind another.

use countersign_domain::{
    Digest, Millis, Record, UnixMillis,
    execution::{Authority, LEASE, Lease, NotBegun, RunRefusal, Step, begin, complete},
    fold::Status,
    record::{Assurance, Begin, Holder, Outcome, PolicyDecision, Reason, Receipt, Requirement},
};

use crate::support::{Story, at, device, digest, needs, nonce};

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

//! The steps of a run at their edges: a lease at its last millisecond, a receipt behind another.

use countersign_domain::{
    Digest, Record,
    execution::{LEASE, Lease, RunRefusal, Step, complete},
    fold::Status,
    record::{Assurance, Holder, Outcome, Receipt},
};

use crate::support::{Story, at, device, needs};

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

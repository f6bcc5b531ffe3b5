//! Whatever is changed of what was approved, and at whatever moment: nothing runs, and the reason is the right one.
//!
//! One seed is one change: a field of the proposal, the preview, the decision, its envelope, the tool's manifest, the
//! connection's configuration or the evaluation, changed in one of [`change::KINDS`], at one moment of the call's life.
//! The server's part is asked by its own functions, `verify_decision` and `execution::begin`; the executor's is the whole
//! `execute`.

#![allow(
    clippy::unwrap_in_result,
    reason = "the error is what a change has come to, and the test's own mistakes are none"
)]

mod change;
mod scene;
#[path = "../../../../../verify/tests/bundles/seeded.rs"]
#[allow(dead_code, reason = "shared with a suite that uses more of it")]
mod seeded;

use std::{collections::BTreeMap, sync::Mutex as StdMutex};

use scene::Scene;
use seeded::Seeded;

use super::*;

/// What is changed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Part {
    Proposal,
    Preview,
    Decision,
    Envelope,
    Manifest,
    Configuration,
    Evaluation,
}

const PARTS: [Part; 7] = [
    Part::Proposal,
    Part::Preview,
    Part::Decision,
    Part::Envelope,
    Part::Manifest,
    Part::Configuration,
    Part::Evaluation,
];

/// When it is changed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Moment {
    /// Before anybody has decided: the decision about what was shown arrives.
    Proposed,
    /// Before it begins: the server judges the begin.
    Approved,
    /// Under the lease: the executor verifies the stored bytes.
    Leased,
    /// Behind the intent: the executor verifies them again.
    Begun,
}

const MOMENTS: [Moment; 4] = [Moment::Proposed, Moment::Approved, Moment::Leased, Moment::Begun];

thread_local! {
    static SCENE: Scene = Scene::new();
}

#[test]
fn whatever_is_changed_of_what_was_approved_does_not_run_and_says_why() {
    let (first, count) = seeded::cases(20_000, 200_000);
    let reasons: StdMutex<BTreeMap<String, u64>> = StdMutex::default();
    seeded::each(first, count, |seed| {
        let rng = &mut Seeded::new(seed);
        let (part, moment) = (*rng.pick(&PARTS), *rng.pick(&MOMENTS));
        let outcome = SCENE.with(|scene| {
            let outcome = one(scene, rng, part, moment);
            match scene.runs() {
                0 => outcome,
                runs => Err(format!("it ran {runs} times")),
            }
        });
        let reason = outcome.map_err(|why| {
            let test = "whatever_is_changed_of_what_was_approved_does_not_run_and_says_why";
            format!("{part:?} at {moment:?}: {why}\n{}", seeded::replay(seed, test))
        })?;
        *reasons
            .lock()
            .unwrap()
            .entry(format!("{part:?} {moment:?}: {reason}"))
            .or_default() += 1;
        Ok(())
    });
    for (reason, times) in reasons.into_inner().unwrap() {
        println!("{times:>7} {reason}");
    }
}

/// One change. Says for what reason it did not run.
fn one(scene: &Scene, rng: &mut Seeded, part: Part, moment: Moment) -> Result<String, String> {
    match part {
        Part::Proposal => scene.proposal(rng, moment),
        Part::Preview => scene.preview(rng, moment),
        Part::Decision => scene.decision(rng, moment),
        Part::Envelope => scene.envelope(rng, moment),
        Part::Manifest => scene.manifest(rng, moment),
        Part::Configuration => scene.configuration(rng, moment),
        Part::Evaluation => scene.evaluation(rng),
    }
}

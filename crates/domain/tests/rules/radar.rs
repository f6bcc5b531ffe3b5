//! Every proposal that is not over waits for somebody, and not for ever.

use countersign_domain::{
    Millis,
    fold::Status,
    radar::{Duty, Owner, next_move},
    record::Holder,
};
use proptest::prelude::*;

use crate::{
    prefixes::{steps, tell},
    support::at,
};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn every_state_that_is_not_final_has_an_owner_and_a_greatest_age(steps in steps(), later in 0..200_000_i64) {
        let story = tell(&steps);
        for count in 0..=story.entries.len() {
            let state = story.after(count);
            let last = count.checked_sub(1).map_or(at(0), |last| story.entries[last].0);
            for now in [last, last + Millis(later), last + Millis::hours(1_000)] {
                for stopped in [None, Some(last)] {
                    let status = state.status(now);
                    let Some(next) = next_move(&state, stopped, now) else {
                        prop_assert!(status.is_final(), "{status:?} waits for nobody");
                        continue;
                    };
                    prop_assert!(!status.is_final());
                    prop_assert!(next.due > next.since || !status.is_open(), "{next:?}");
                    prop_assert!(next.due <= next.since + Millis::hours(24));
                    if status.is_open() {
                        prop_assert!(next.due <= state.expires_at, "what runs out does not wait longer");
                    } else {
                        prop_assert!(next.is_overdue(now) || now < next.since + Millis::hours(24));
                    }
                    let runs = matches!(next.owner, Owner::Server | Owner::Device { .. });
                    prop_assert_eq!(runs, matches!(next.duty, Duty::Preview | Duty::Begin | Duty::End));
                    if let Owner::Device { id } = next.owner {
                        prop_assert_eq!(state.executor, Holder::Device(id));
                    }
                    prop_assert_eq!(next.duty == Duty::Settle, status == Status::Unknown);
                    prop_assert_eq!(next.duty == Duty::End, status == Status::Running);
                    prop_assert_eq!(next.duty == Duty::Release, status == Status::Pending && stopped.is_some());
                }
            }
        }
    }
}

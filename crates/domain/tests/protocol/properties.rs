//! What always holds, and what has to be reached so that it means something.

use countersign_domain::{
    fold::Status,
    record::{EffectClass, Outcome},
};
use stateright::Property;

use crate::{
    model::Protocol,
    state::{State, Wrong},
};

/// The names of what always holds.
pub(crate) const NEVER_BROKEN: [&str; 10] = [
    "an approval has at most one effect",
    "a call is made once, or again only where its target knows it",
    "nothing begins against a no, a stop, an expiry, or without enough people",
    "nothing is called without an accepted begin",
    "the number of a lease is above all before it",
    "a refused begin stays refused",
    "nothing is tried again after the end of its fence",
    "completed means one effect",
    "failed means no effect",
    "an effect is never hidden",
];

fn never(wrong: Wrong) -> fn(&Protocol, &State) -> bool {
    match wrong {
        Wrong::BegunWithoutRight => |_, state: &State| !state.wrongs.has(Wrong::BegunWithoutRight),
        Wrong::CalledWithoutBegin => |_, state: &State| !state.wrongs.has(Wrong::CalledWithoutBegin),
        Wrong::FenceNotFresh => |_, state: &State| !state.wrongs.has(Wrong::FenceNotFresh),
        Wrong::RefusalTakenBack => |_, state: &State| !state.wrongs.has(Wrong::RefusalTakenBack),
        Wrong::TriedAgainAfterTheEnd => |_, state: &State| !state.wrongs.has(Wrong::TriedAgainAfterTheEnd),
    }
}

pub(crate) fn all(model: &Protocol) -> Vec<Property<Protocol>> {
    let [
        one,
        once,
        right,
        begun,
        fresh,
        refused,
        again,
        completed,
        failed,
        hidden,
    ] = NEVER_BROKEN;
    let mut all = vec![
        Property::always(one, |_, state: &State| state.effects <= 1),
        Property::always(once, |model: &Protocol, state: &State| {
            state.calls <= 1 || model.effect == EffectClass::Idempotent
        }),
        Property::always(right, never(Wrong::BegunWithoutRight)),
        Property::always(begun, never(Wrong::CalledWithoutBegin)),
        Property::always(fresh, never(Wrong::FenceNotFresh)),
        Property::always(refused, never(Wrong::RefusalTakenBack)),
        Property::always(again, never(Wrong::TriedAgainAfterTheEnd)),
        Property::always(completed, |model: &Protocol, state: &State| {
            !ended(model, state, Outcome::Completed) || state.effects == 1 || changes_nothing(model)
        }),
        Property::always(failed, |model: &Protocol, state: &State| {
            !ended(model, state, Outcome::Failed) || state.effects == 0
        }),
        Property::always(hidden, |model: &Protocol, state: &State| {
            let call = model.calls.get(state.call);
            let shown =
                [Status::Running, Status::Unknown, Status::Completed].contains(&call.recorded_status());
            state.effects == 0 || shown || call.resolved.is_some()
        }),
        Property::sometimes("it completes", |model: &Protocol, state: &State| {
            is(model, state, Status::Completed)
        }),
        Property::sometimes(
            "it begins under a later lease",
            |model: &Protocol, state: &State| {
                let call = model.calls.get(state.call);
                call.begun.as_ref().is_some_and(|begun| begun.fence > 1)
            },
        ),
        Property::sometimes(
            "a no comes before the begin",
            |model: &Protocol, state: &State| is(model, state, Status::Rejected) && state.fence > 0,
        ),
        Property::sometimes("it expires under a lease", |model: &Protocol, state: &State| {
            is(model, state, Status::Expired) && state.fence > 0
        }),
        Property::sometimes("a begin is refused", |_, state: &State| state.refused > 0),
    ];
    if model.effect != EffectClass::Local {
        all.extend([
            Property::sometimes("it is not known", |model: &Protocol, state: &State| {
                is(model, state, Status::Unknown)
            }),
            Property::sometimes("it fails", |model: &Protocol, state: &State| {
                is(model, state, Status::Failed)
            }),
            Property::sometimes(
                "a receipt comes after the silence",
                |model: &Protocol, state: &State| {
                    let call = model.calls.get(state.call);
                    call.lapsed_at.is_some() && ended(model, state, Outcome::Completed)
                },
            ),
            Property::sometimes(
                "people settle what is not known",
                |model: &Protocol, state: &State| model.calls.get(state.call).resolved.is_some(),
            ),
            Property::sometimes(
                "a late receipt says the opposite of people",
                |model: &Protocol, state: &State| model.calls.get(state.call).contradicted_at.is_some(),
            ),
        ]);
    }
    if model.effect == EffectClass::Idempotent {
        all.push(Property::sometimes(
            "a call is made again and has one effect",
            |_, state: &State| state.calls == 2 && state.effects == 1,
        ));
    }
    all
}

fn changes_nothing(model: &Protocol) -> bool {
    model.effect == EffectClass::Read
}

fn ended(model: &Protocol, state: &State, outcome: Outcome) -> bool {
    let call = model.calls.get(state.call);
    call.ended.as_ref().is_some_and(|ended| ended.outcome == outcome)
}

fn is(model: &Protocol, state: &State, status: Status) -> bool {
    model.calls.get(state.call).recorded_status() == status
}

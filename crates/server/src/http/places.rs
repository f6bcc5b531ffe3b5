//! How many calls of one credential stay open at once: those that wait for a change, streams of events, exports.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::error::ApiError;
use crate::control::Identity;

/// What stays open.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Stay {
    /// A call that waits for a change or for a run.
    Wait,
    /// A stream of events.
    Stream,
    /// An export of the whole journal.
    Export,
}

impl Stay {
    /// Most at once for one credential: an agent may wait for each of a thousand requests; a desktop listens once, and who
    /// exports reads the whole file.
    const fn most(self) -> u32 {
        match self {
            Self::Wait => 1_024,
            Self::Stream => 32,
            Self::Export => 2,
        }
    }
}

/// Who has how many places.
#[derive(Debug, Default)]
pub(crate) struct Places(Mutex<BTreeMap<(Identity, Stay), u32>>);

/// One of them, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    held: (Identity, Stay),
}

impl Places {
    /// Takes a place.
    ///
    /// # Errors
    /// 429 when the credential has as many as it may.
    pub(crate) fn take(self: &Arc<Self>, whose: Identity, stay: Stay) -> Result<Place, ApiError> {
        let held = (whose, stay);
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = places.entry(held).or_insert(0);
        if *count >= stay.most() {
            return Err(ApiError::too_many(
                "too_many_open_calls",
                format!(
                    "Too Many Requests: One credential holds at most {} such calls open",
                    stay.most()
                ),
                5,
            ));
        }
        *count += 1;
        drop(places);
        Ok(Place {
            places: Arc::clone(self),
            held,
        })
    }

    /// How many are taken in all.
    pub(crate) fn taken(&self, stay: Stay) -> u64 {
        let places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of = places.iter().filter(|((_, held), _)| *held == stay);
        of.map(|(_, count)| u64::from(*count)).sum()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = places.get_mut(&self.held) {
            *count -= 1;
            if *count == 0 {
                places.remove(&self.held);
            }
        }
    }
}

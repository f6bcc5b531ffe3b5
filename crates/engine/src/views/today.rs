//! What was done since midnight: what an empty list says.

use countersign_domain::{UnixMillis, fold::Status, record::Verdict};
use countersign_replica::{Filter, Row, View};

use super::inbox::Today;
use crate::{EngineError, seat::Seat, store::outbox};

pub(super) async fn today(seat: &Seat) -> Result<Today, EngineError> {
    let midnight = midnight(seat);
    let account = seat.account.id;
    let said = seat
        .store
        .read(move |db| outbox::verdicts_since(db, account, midnight))
        .await?;
    let count =
        |verdict| u32::try_from(said.iter().filter(|said| **said == verdict).count()).unwrap_or(u32::MAX);
    let now = seat.now();
    let automatic = seat
        .journal
        .read(move |reader| {
            let done = reader.inbox(View::Done, &Filter::default(), None, 500, now)?.rows;
            let of_policy = |row: &Row| {
                row.decided_at.is_none()
                    && matches!(row.status, Status::Completed | Status::Failed)
                    && row.ended_at.is_some_and(|at| at >= midnight)
            };
            Ok(done.iter().filter(|row| of_policy(row)).count())
        })
        .await?;
    Ok(Today {
        approved: count(Verdict::Approve),
        rejected: count(Verdict::Reject),
        automatic: u32::try_from(automatic).unwrap_or(u32::MAX),
    })
}

fn midnight(seat: &Seat) -> UnixMillis {
    let now = jiff::Timestamp::from_millisecond(seat.now().0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let day = now.to_zoned(seat.ports.clock.zone()).start_of_day();
    UnixMillis(day.map_or(seat.now().0, |start| start.timestamp().as_millisecond()))
}

//! What is not over: whose move it is, and what has waited too long.

use countersign_domain::{
    UnixMillis,
    fold::{ProposalState, Status},
    id::ProposalId,
    radar::{Duty, MOST_OF_A_STATUS, Move, Owner, next_move},
    record::Risk,
};

use super::Words;
use crate::{Engine, EngineError, seat::Seat};

/// Everything that is not over, what is due first ahead.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Radar {
    pub rows: Vec<RadarRow>,
    /// There is more in one of the states than is looked at: the oldest are here.
    pub capped: bool,
}

/// One that is not over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RadarRow {
    pub id: ProposalId,
    /// Its line in the lists.
    pub sentence: String,
    pub risk: Risk,
    /// Such as "Waits for Billing bot's answer".
    pub words: String,
    pub since: UnixMillis,
    pub due: UnixMillis,
    pub overdue: bool,
    /// Where it is listed: to decide, else in progress.
    pub to_decide: bool,
}

impl Radar {
    /// How many have waited too long.
    pub fn overdue(&self) -> u64 {
        self.rows.iter().map(|row| u64::from(row.overdue)).sum()
    }
}

impl Engine {
    /// Whose move it is, of everything that this person sees and that is not over.
    ///
    /// # Errors
    /// When nobody is signed in.
    pub async fn radar(&self) -> Result<Radar, EngineError> {
        radar(&*self.seat()?).await
    }
}

pub(crate) async fn radar(seat: &Seat) -> Result<Radar, EngineError> {
    let people = seat.people().await?;
    let now = seat.now();
    let (found, capped) = seat
        .journal
        .read(move |reader| {
            let (rows, capped) = reader.oldest(MOST_OF_A_STATUS, now)?;
            let mut found = Vec::new();
            for row in rows {
                if let Some(card) = reader.proposal(row.id)? {
                    found.push((row.sentence, row.status == Status::Proposed, card.state));
                }
            }
            Ok((found, capped))
        })
        .await?;
    let words = Words::new(seat, &people);
    let rows = found.into_iter().filter_map(|(sentence, to_decide, state)| {
        let stopped = people.stopped(&state.proposer, &state.tool);
        let next = next_move(&state, stopped.map(|(_, stopped)| stopped.at), now)?;
        Some(RadarRow {
            id: state.id,
            sentence,
            risk: state.risk,
            words: says(&words, &state, next),
            since: next.since,
            due: next.due,
            overdue: next.is_overdue(now),
            to_decide,
        })
    });
    let mut rows: Vec<_> = rows.collect();
    rows.sort_by_key(|row| row.due);
    Ok(Radar { rows, capped })
}

/// Whose move it is, in words.
fn says(words: &Words<'_>, state: &ProposalState, next: Move) -> String {
    let by = match next.owner {
        Owner::Device { id } => words.device(id),
        Owner::Server => "the tenant".to_owned(),
        Owner::Proposer => super::plain(&state.proposer.name),
        Owner::Deciders => String::new(),
    };
    match next.duty {
        Duty::Preview => format!("Waits for {by} to say what it would do"),
        Duty::Answer => format!("Waits for an answer of {by}"),
        Duty::Decide => "Waits for a decision".to_owned(),
        Duty::Release => "Waits for the stop over it to be released".to_owned(),
        Duty::Begin => format!("Waits for {by} to run it"),
        Duty::End => format!("Runs, and {by} has to say how it ended"),
        Duty::Settle => "Waits for somebody to say what became of it".to_owned(),
    }
}

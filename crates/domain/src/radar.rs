//! Whose move it is, and until when: every proposal that is not over waits for somebody, and not for ever (features.md row 75).
//! Pure.

use serde::{Deserialize, Serialize};

use crate::{
    Millis, UnixMillis,
    fold::{PREVIEW_WAIT, ProposalState, Status},
    id::DeviceId,
    record::Holder,
};

/// How long people may take to decide, to answer, or to say what became of a call, before it is too long.
pub const PEOPLE_TAKE: Millis = Millis::hours(24);
/// How long a call that may begin waits for its executor.
pub const EXECUTOR_TAKES: Millis = Millis::seconds(5 * 60);
/// How long a call runs before somebody should have heard of it: longer than any lease.
pub const CALL_TAKES: Millis = Millis::seconds(2 * 60);

/// Of each status that is not over so many are looked at, the oldest: what has waited too long is among them.
pub const MOST_OF_A_STATUS: u32 = 500;
/// What is not over.
pub const WAITING: [Status; 4] = [
    Status::Proposed,
    Status::Pending,
    Status::Running,
    Status::Unknown,
];

/// Who has to do something.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Owner {
    /// Whoever decides.
    Deciders,
    /// Whoever proposed it.
    Proposer,
    /// The tenant's own executor.
    Server,
    /// The device that holds the connection.
    Device { id: DeviceId },
}

/// What has to be done.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Duty {
    /// Say what the call would do.
    Preview,
    /// Answer a question.
    Answer,
    /// Decide.
    Decide,
    /// Release the stop over it.
    Release,
    /// Begin.
    Begin,
    /// Say how it ended.
    End,
    /// Say what became of it.
    Settle,
}

/// Whose move it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Move {
    pub owner: Owner,
    pub duty: Duty,
    /// From then on it has been theirs.
    pub since: UnixMillis,
    /// From then on it waits too long.
    pub due: UnixMillis,
}

impl Move {
    /// Whether it waits too long.
    pub fn is_overdue(&self, now: UnixMillis) -> bool {
        self.due <= now
    }
}

/// Whose move it is; `None` when it is over. `stopped`: since when a stop stands over it.
pub fn next_move(state: &ProposalState, stopped: Option<UnixMillis>, now: UnixMillis) -> Option<Move> {
    let next = |owner, duty, since: UnixMillis, takes: Millis| {
        Some(Move {
            owner,
            duty,
            since,
            due: since + takes,
        })
    };
    let executor = match state.executor {
        Holder::Tenant => Owner::Server,
        Holder::Device(id) => Owner::Device { id },
    };
    // What expires does not wait longer than that.
    let open = |found: Option<Move>| {
        found.map(|found| Move {
            due: found.due.min(state.expires_at),
            ..found
        })
    };
    match state.status(now) {
        Status::Proposed if state.awaits_preview() => {
            open(next(executor, Duty::Preview, state.created_at, PREVIEW_WAIT))
        }
        Status::Proposed => open(match state.open_question() {
            Some(question) => next(Owner::Proposer, Duty::Answer, question.at, PEOPLE_TAKE),
            None => next(Owner::Deciders, Duty::Decide, last_said(state), PEOPLE_TAKE),
        }),
        Status::Pending => open(match stopped {
            Some(since) => next(Owner::Deciders, Duty::Release, since, PEOPLE_TAKE),
            None => {
                let from = state.held_until().unwrap_or(state.created_at);
                next(executor, Duty::Begin, from, EXECUTOR_TAKES)
            }
        }),
        Status::Running => {
            let since = state.begun.as_ref().map_or(state.created_at, |begun| begun.at);
            next(executor, Duty::End, since, CALL_TAKES)
        }
        Status::Unknown => {
            let ended = state.ended.as_ref().map(|ended| ended.at);
            let since = state.lapsed_at.or(ended).unwrap_or(state.created_at);
            next(Owner::Deciders, Duty::Settle, since, PEOPLE_TAKE)
        }
        Status::Completed
        | Status::Failed
        | Status::Rejected
        | Status::Denied
        | Status::Expired
        | Status::Withdrawn
        | Status::Superseded => None,
    }
}

/// Since when it is for people to decide: from its beginning, or from the last answer on.
fn last_said(state: &ProposalState) -> UnixMillis {
    let answers = state
        .questions
        .iter()
        .filter_map(|asked| Some(asked.answer.as_ref()?.at));
    answers.max().unwrap_or(state.created_at)
}

//! Execute: joins the one run of a call.

use std::time::Duration;

use axum::{extract::State, http::StatusCode};
use countersign_domain::{
    UnixMillis,
    fold::Status,
    record::{Outcome, Scope},
    wire::{Execute, Executed, ResultSummary},
};

use super::{visible, wait_until};
use crate::{
    App,
    http::{auth::Caller, body::Json, error::ApiError},
    tenant::{Stored, Tenant},
};

/// How long execute waits for the run that it joins.
const EXECUTE_WAIT: Duration = Duration::from_secs(30);

/// `POST /api/assistant/execute`: joins the one run. Nobody has to call it.
pub(crate) async fn execute(
    State(app): State<App>,
    caller: Caller,
    Json(request): Json<Execute>,
) -> Result<(StatusCode, axum::Json<Executed>), ApiError> {
    let id = request.ai_tool_call_id;
    visible(&caller, id).await?;
    let tenant = &caller.tenant;
    let over = |stored: &Stored, now| {
        let held = stored.due().is_some_and(|due| due > now);
        held || stopped(tenant, stored).is_some()
            || !matches!(stored.status(now), Status::Pending | Status::Running)
    };
    let stored = wait_until(&app, &caller, id, EXECUTE_WAIT, over).await?;
    let now = tenant.now();
    let status = stored.status(now);
    match status {
        Status::Completed | Status::Failed | Status::Unknown => {}
        Status::Pending | Status::Running => {
            let mut answer = executed(&stored, status, stored.due().filter(|due| *due > now), None);
            answer.stopped = stopped(tenant, &stored).filter(|_| status == Status::Pending);
            return Ok((StatusCode::ACCEPTED, axum::Json(answer)));
        }
        Status::Proposed
        | Status::Rejected
        | Status::Denied
        | Status::Expired
        | Status::Withdrawn
        | Status::Superseded => {
            let message = format!(
                "Conflict: Tool call status is '{}', must be 'pending'",
                status.name()
            );
            return Err(ApiError::conflict("not_pending", message, status));
        }
    }
    let summary = summary(&stored);
    Ok((
        StatusCode::OK,
        axum::Json(executed(&stored, status, None, Some(summary))),
    ))
}

fn executed(
    stored: &Stored,
    status: Status,
    not_before: Option<UnixMillis>,
    result_summary: Option<ResultSummary>,
) -> Executed {
    let begun = stored.state.begun.as_ref().map(|begun| begun.at);
    let duration = stored
        .state
        .ended
        .as_ref()
        .zip(begun)
        .map(|(ended, begun)| ended.at.since(begun).0);
    Executed {
        ok: true,
        ai_tool_call_id: stored.state.id,
        status,
        tool_name: stored.state.tool.clone(),
        tool_call_id: stored.tool_call_id.clone(),
        duration_ms: duration,
        result_summary,
        not_before,
        stopped: None,
    }
}

/// The stop that stands over it, in a sentence.
fn stopped(tenant: &Tenant, stored: &Stored) -> Option<String> {
    let people = tenant.people();
    let (scope, stopped) = people.stopped(&stored.state.proposer, &stored.state.tool)?;
    let what = match scope {
        Scope::Tenant => "Everything",
        Scope::Agent(_) => "What this agent proposes",
        Scope::Tool(_) => "This tool",
    };
    Some(match &stopped.reason {
        Some(reason) => format!("{what} is stopped: {reason}"),
        None => format!("{what} is stopped."),
    })
}

/// The seed's summary: the receipt's sentence, and the error of one that failed, each cut to 200 UTF-16 units.
fn summary(stored: &Stored) -> ResultSummary {
    let ended = stored.state.ended.as_ref();
    let success = ended.is_some_and(|ended| ended.outcome == Outcome::Completed);
    let error = match ended {
        Some(ended) => ended.failure.as_ref().map(|failure| failure.message.clone()),
        None => Some("The call began and nothing was heard of it since: it may have happened.".to_owned()),
    };
    ResultSummary {
        success,
        formatted: ended.map(|ended| cut(&ended.summary)),
        error: error.filter(|_| !success).map(|error| cut(&error)),
    }
}

/// The first 200 UTF-16 units of a text, whole characters only.
fn cut(text: &str) -> String {
    let mut units = 0;
    text.chars()
        .take_while(|c| {
            units += c.len_utf16();
            units <= 200
        })
        .collect()
}

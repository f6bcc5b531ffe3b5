//! `GET /api/tasks`: what `assistant.create_task` has made.

use countersign_domain::wire::{MAX_PAGE, TaskList};
use serde::Deserialize;

use super::{auth::Caller, body::Query, error::ApiError};

/// Where the page before ended, and how many.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TasksQuery {
    after: Option<u64>,
    limit: Option<u32>,
}

/// Newest first. The list is the tenant's, so an agent's key does not see it.
pub(crate) async fn list(
    caller: Caller,
    Query(query): Query<TasksQuery>,
) -> Result<axum::Json<TaskList>, ApiError> {
    caller.person()?;
    let limit = query.limit.unwrap_or(100).clamp(1, MAX_PAGE);
    let found = caller.tenant.tasks(query.after, limit).await?;
    let full = u32::try_from(found.len()).is_ok_and(|count| count == limit);
    let next = found.last().filter(|_| full).map(|(key, _)| key.to_string());
    Ok(axum::Json(TaskList {
        tasks: found.into_iter().map(|(_, task)| task).collect(),
        next,
    }))
}

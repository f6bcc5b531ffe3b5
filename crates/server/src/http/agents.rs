//! Software that proposes with a key of its own.

use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use countersign_domain::{
    id::AgentId,
    record::Actor,
    wire::{AgentCreated, AgentList, AgentSummary, CreateAgent},
};

use super::{
    auth::Caller,
    body::Json,
    error::ApiError,
    people::{id, name},
};
use crate::{App, random, tenant::NewAgent};

/// `GET /api/agents`
pub(crate) async fn list(caller: Caller) -> Result<axum::Json<AgentList>, ApiError> {
    caller.person()?;
    let people = caller.tenant.people();
    let agents = people.agents.iter().map(|(id, agent)| AgentSummary {
        id: *id,
        name: agent.name.clone(),
        owner: agent.owner,
        revoked: agent.revoked,
        created_at: agent.since,
    });
    Ok(axum::Json(AgentList {
        agents: agents.collect(),
    }))
}

/// `POST /api/agents`
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller,
    Json(request): Json<CreateAgent>,
) -> Result<(StatusCode, axum::Json<AgentCreated>), ApiError> {
    let user = caller.manager()?;
    let name = name(&request.name)?;
    let agent_id = AgentId::from_uuid(random::uuid());
    // The key first: it opens nothing yet, while an agent without one could never call.
    let key = app
        .control()
        .add_agent_key(caller.tenant.id(), agent_id, app.now())
        .await?;
    let new = NewAgent {
        id: agent_id,
        name,
        owner: request.personal.then_some(user),
    };
    if let Err(refusal) = caller.tenant.add_agent(Actor::User(user), new).await? {
        app.control().remove_agent_key(agent_id).await?;
        return Err(refusal.into());
    }
    let api_key = key.reveal().to_owned();
    Ok((
        StatusCode::CREATED,
        axum::Json(AgentCreated { agent_id, api_key }),
    ))
}

/// `POST /api/agents/{id}/revoke`: when it answers, the key opens nothing; that it once did is known by it.
pub(crate) async fn revoke(caller: Caller, Path(agent): Path<String>) -> Result<StatusCode, ApiError> {
    let by = Actor::User(caller.manager()?);
    let agent = id(&agent)?;
    caller.tenant.revoke_agent(by, agent).await??;
    Ok(StatusCode::NO_CONTENT)
}

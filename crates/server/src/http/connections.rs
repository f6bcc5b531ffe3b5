//! The tenant's ways out, in their public part.

use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use countersign_domain::{
    canonical::{self, Value},
    id::ConnectionId,
    record::{Actor, Connection, ConnectionKind, Holder},
    wire::{ConnectionCreated, ConnectionList, ConnectionSummary, CreateConnection},
};
use countersign_tools::{Registry, Tool};

use super::{
    auth::Caller,
    body::Json,
    error::ApiError,
    people::{id, name},
};
use crate::{App, random};

/// Most bytes of a public configuration in canonical form.
const LARGEST_CONFIG: usize = 16 * 1024;

/// `GET /api/connections`
pub(crate) async fn list(caller: Caller) -> Result<axum::Json<ConnectionList>, ApiError> {
    caller.person()?;
    let people = caller.tenant.people();
    let open = caller
        .tenant
        .open_over(people.connections.keys().copied().collect())
        .await?;
    let connections = people
        .connections
        .values()
        .zip(open)
        .map(|(connection, open_proposals)| ConnectionSummary {
            id: connection.id,
            kind: connection.kind,
            name: connection.name.clone(),
            config: connection.config.clone(),
            holder: connection.holder,
            open_proposals,
        });
    Ok(axum::Json(ConnectionList {
        connections: connections.collect(),
    }))
}

/// `POST /api/connections`
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller,
    Json(request): Json<CreateConnection>,
) -> Result<(StatusCode, axum::Json<ConnectionCreated>), ApiError> {
    let user = caller.manager()?;
    let name = name(&request.name)?;
    check(
        &app.rules().registry,
        request.kind,
        &request.config,
        request.holder,
    )?;
    let connection_id = ConnectionId::from_uuid(random::uuid());
    let new = Connection {
        at: app.now(),
        by: Actor::User(user),
        config: request.config,
        holder: request.holder,
        id: connection_id,
        kind: request.kind,
        name,
        nonce: random::nonce(),
        removed: false,
        tenant: caller.tenant.id(),
    };
    caller.tenant.add_connection(user, new).await??;
    Ok((
        StatusCode::CREATED,
        axum::Json(ConnectionCreated { connection_id }),
    ))
}

/// `DELETE /api/connections/{id}`: what has not begun over it is superseded.
pub(crate) async fn remove(caller: Caller, Path(connection): Path<String>) -> Result<StatusCode, ApiError> {
    let by = Actor::User(caller.manager()?);
    caller.tenant.remove_connection(by, id(&connection)?).await??;
    Ok(StatusCode::NO_CONTENT)
}

/// Whether a device holds it and every tool that goes through connections of this kind can use it. The tools know what
/// their configuration looks like; nothing else does.
fn check(registry: &Registry, kind: ConnectionKind, config: &Value, holder: Holder) -> Result<(), ApiError> {
    if holder == Holder::Tenant {
        // The server keeps no secrets, and what it reaches from where it stands is not for a tenant's admin to choose.
        let message = "Bad Request: A connection is held by a device";
        return Err(ApiError::bad_request("invalid_field", message).with_field("holder"));
    }
    let fits = canonical::to_vec(config).is_ok_and(|bytes| bytes.len() <= LARGEST_CONFIG);
    if !fits {
        return Err(ApiError::missing("config"));
    }
    let mut tools = tools_over(registry, kind).peekable();
    if tools.peek().is_none() {
        return Err(ApiError::unprocessable(
            "no_tool",
            "Unprocessable: No tool of this server uses such a connection",
        ));
    }
    for tool in tools {
        tool.check_connection(config).map_err(|error| {
            let field = error
                .field
                .map_or_else(|| "config".to_owned(), |field| format!("config.{field}"));
            ApiError::bad_request("invalid_field", format!("Bad Request: {}", error.message))
                .with_field(field)
        })?;
    }
    Ok(())
}

fn tools_over(registry: &Registry, kind: ConnectionKind) -> impl Iterator<Item = &dyn Tool> {
    registry
        .manifests()
        .filter(move |(_, manifest)| manifest.connection == Some(kind))
        .filter_map(|(_, manifest)| registry.get(&manifest.id))
}

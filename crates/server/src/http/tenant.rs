//! What a tenant says about itself: its name and key, and its tools.

use countersign_domain::wire::{TenantInfo, ToolList};

use super::{auth::Caller, error::ApiError};

/// `GET /api/tenant`
pub(crate) async fn info(caller: Caller) -> Result<axum::Json<TenantInfo>, ApiError> {
    let (user_id, role) = caller.member()?;
    let people = caller.tenant.people();
    let tenant = people.tenant.as_ref().ok_or_else(ApiError::not_found)?;
    Ok(axum::Json(TenantInfo {
        id: tenant.id,
        name: tenant.name.clone(),
        mode: tenant.mode,
        log_key: tenant.log_key,
        user_id,
        role,
    }))
}

/// `GET /api/tools`: the manifests that are in force, for people and agents.
pub(crate) async fn tools(caller: Caller) -> axum::Json<ToolList> {
    let people = caller.tenant.people();
    axum::Json(ToolList {
        tools: people
            .tools
            .values()
            .map(|(_, manifest)| manifest.clone())
            .collect(),
    })
}

//! The people of a tenant.

use axum::{extract::Path, http::StatusCode};
use countersign_domain::{
    record::Actor,
    wire::{ChangeMember, MemberList, MemberSummary},
};

use super::{auth::Caller, body::Json, error::ApiError, people::id};

/// `GET /api/members`
pub(crate) async fn list(caller: Caller) -> Result<axum::Json<MemberList>, ApiError> {
    caller.person()?;
    let people = caller.tenant.people();
    let members = people.members.iter().filter_map(|(user, person)| {
        Some(MemberSummary {
            user_id: *user,
            email: person.email.clone(),
            name: person.name.clone(),
            role: person.role?,
            since: person.since,
        })
    });
    Ok(axum::Json(MemberList {
        members: members.collect(),
    }))
}

/// `PATCH /api/members/{id}`
pub(crate) async fn change(
    caller: Caller,
    Path(user): Path<String>,
    Json(request): Json<ChangeMember>,
) -> Result<StatusCode, ApiError> {
    let by = Actor::User(caller.manager()?);
    caller
        .tenant
        .change_member(by, id(&user)?, request.role)
        .await??;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /api/members/{id}`
pub(crate) async fn remove(caller: Caller, Path(user): Path<String>) -> Result<StatusCode, ApiError> {
    let by = Actor::User(caller.manager()?);
    caller.tenant.remove_member(by, id(&user)?).await??;
    Ok(StatusCode::NO_CONTENT)
}

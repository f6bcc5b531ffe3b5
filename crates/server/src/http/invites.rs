//! Asking somebody to join, and joining.

use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use countersign_domain::{
    id::{InviteId, UserId},
    record::Actor,
    wire::{AcceptInvite, InviteList, InviteRequest, InviteSummary, Invited, SignedIn},
};
use zeroize::Zeroizing;

use super::{
    auth::Caller,
    body::Json,
    error::ApiError,
    people::{id, name},
    sign_in::{self, From},
};
use crate::{
    App,
    control::{self, Invitation, NewAccount, Passwords, SHORTEST_PASSWORD},
    random,
    tenant::{INVITATION, NewInvite},
};

/// `GET /api/invites`: those still open.
pub(crate) async fn list(caller: Caller) -> Result<axum::Json<InviteList>, ApiError> {
    caller.manager()?;
    let now = caller.tenant.now();
    let people = caller.tenant.people();
    let open = people.invites.values().filter(|invite| invite.expires_at > now);
    let invites = open.filter_map(|invite| {
        let (email, role) = (invite.email.clone(), invite.role?);
        Some(InviteSummary {
            id: invite.id,
            email,
            role,
            expires_at: invite.expires_at,
        })
    });
    Ok(axum::Json(InviteList {
        invites: invites.collect(),
    }))
}

/// `POST /api/invites`
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller,
    Json(request): Json<InviteRequest>,
) -> Result<(StatusCode, axum::Json<Invited>), ApiError> {
    let by = Actor::User(caller.manager()?);
    let email = control::email(&request.email).ok_or_else(|| ApiError::missing("email"))?;
    let invite_id = InviteId::from_uuid(random::uuid());
    let invitation = Invitation {
        tenant: caller.tenant.id(),
        invite: invite_id,
    };
    // The secret first: it opens nothing yet, while an invitation without one could never be accepted.
    let secret = app
        .control()
        .add_invitation(invitation, app.now() + INVITATION, app.now())
        .await?;
    let new = NewInvite {
        id: invite_id,
        email,
        role: request.role,
    };
    let expires_at = match caller.tenant.invite(by, new).await? {
        Ok(expires_at) => expires_at,
        Err(refusal) => {
            app.control().remove_invitation(invite_id).await?;
            return Err(refusal.into());
        }
    };
    let secret = secret.reveal().to_owned();
    Ok((
        StatusCode::CREATED,
        axum::Json(Invited {
            invite_id,
            secret,
            expires_at,
        }),
    ))
}

/// `DELETE /api/invites/{id}`
pub(crate) async fn withdraw(
    State(app): State<App>,
    caller: Caller,
    Path(invite): Path<String>,
) -> Result<StatusCode, ApiError> {
    let by = Actor::User(caller.manager()?);
    let invite = id(&invite)?;
    caller.tenant.withdraw_invite(by, invite).await??;
    app.control().remove_invitation(invite).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /api/invites/accept`: joins, and signs in.
pub(crate) async fn accept(
    State(app): State<App>,
    From(from): From,
    Json(request): Json<AcceptInvite>,
) -> Result<axum::Json<SignedIn>, ApiError> {
    let password = Zeroizing::new(request.password);
    let secret = Zeroizing::new(request.secret);
    let name = name(&request.name)?;
    // Counted by address alone: the secret itself cannot be guessed, but each try may cost a hash.
    app.throttle()
        .attempt(from, "invitation", app.now())
        .map_err(ApiError::throttled)?;
    let found = app.control().invitation(&secret, app.now()).await?;
    let found = found.and_then(|found| Some((app.tenants().get(found.tenant)?, found.invite)));
    let (tenant, invite) = found.ok_or_else(ApiError::not_found)?;
    let open = tenant.people().invites.get(&invite).cloned();
    let email = open.ok_or_else(ApiError::not_found)?.email;
    let user = account(&app, from, &email, &name, password).await?;
    app.throttle().succeeded(from, "invitation");
    tenant.accept_invite(invite, user, name).await??;
    app.control().remove_invitation(invite).await?;
    Ok(axum::Json(sign_in::open(&app, user, email).await?))
}

/// The invited person's account: the one there is, whose password this must be, or a new one.
async fn account(
    app: &App,
    from: std::net::IpAddr,
    email: &str,
    name: &str,
    password: Zeroizing<String>,
) -> Result<UserId, ApiError> {
    if app.control().account(email.to_owned()).await?.is_none() {
        if !Passwords::is_acceptable(&password) {
            let message = format!("Bad Request: The password needs at least {SHORTEST_PASSWORD} characters");
            return Err(ApiError::bad_request("invalid_field", message).with_field("password"));
        }
        let user = UserId::from_uuid(random::uuid());
        let hash = app.passwords().hash(password.clone()).await??;
        let new = NewAccount {
            user,
            email: email.to_owned(),
            name: name.to_owned(),
            password: hash,
        };
        if app.control().add_account(new, app.now()).await? {
            return Ok(user);
        }
        // Somebody was quicker: it is an account like any other.
    }
    sign_in::prove(app, from, email, password)
        .await?
        .ok_or_else(ApiError::wrong_credentials)
}

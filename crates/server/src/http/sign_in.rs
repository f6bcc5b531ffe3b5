//! Signing in and out.

use std::net::IpAddr;

use axum::{
    extract::{FromRequestParts, State},
    http::{StatusCode, request::Parts},
};
use countersign_domain::{
    id::UserId,
    wire::{SignIn, SignedIn, TenantSummary},
};
use zeroize::Zeroizing;

use super::{auth::Session, body::Json, error::ApiError};
use crate::{App, control, serve::Peer};

/// The address that a request comes from, for counting attempts.
#[derive(Clone, Copy, Debug)]
pub(super) struct From(pub(super) IpAddr);

impl FromRequestParts<App> for From {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        Ok(Self::of(parts, app))
    }
}

impl From {
    pub(super) fn of(parts: &Parts, app: &App) -> Self {
        let peer = parts.extensions.get::<Peer>().map(|Peer(address)| address.ip());
        // The proxy appends whom it saw: what stands before the last comma is whatever the client wrote.
        let forwarded = parts.headers.get_all("x-forwarded-for").iter().next_back();
        let forwarded =
            forwarded.and_then(|value| value.to_str().ok()?.rsplit(',').next()?.trim().parse().ok());
        let from = if app.is_behind_proxy() {
            forwarded.or(peer)
        } else {
            peer
        };
        Self(from.unwrap_or(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED)))
    }
}

/// `POST /api/auth/sign-in`
pub(crate) async fn sign_in(
    State(app): State<App>,
    From(from): From,
    Json(request): Json<SignIn>,
) -> Result<axum::Json<SignedIn>, ApiError> {
    let password = Zeroizing::new(request.password);
    let email = control::email(&request.email).ok_or_else(|| ApiError::missing("email"))?;
    if password.is_empty() {
        return Err(ApiError::missing("password"));
    }
    let user = prove(&app, from, &email, password).await?;
    let user = user.ok_or_else(ApiError::wrong_credentials)?;
    Ok(axum::Json(open(&app, user, email).await?))
}

/// `POST /api/auth/sign-out`: when it answers, the token is nobody's.
pub(crate) async fn sign_out(State(app): State<App>, session: Session) -> Result<StatusCode, ApiError> {
    app.control().end_session(session.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whose address and password these are. Costs the same time whether the address is known or not.
pub(super) async fn prove(
    app: &App,
    from: IpAddr,
    email: &str,
    password: Zeroizing<String>,
) -> Result<Option<UserId>, ApiError> {
    app.throttle()
        .attempt(from, email, app.now())
        .map_err(ApiError::throttled)?;
    let account = app.control().account(email.to_owned()).await?;
    let (user, stored) = account.map(|account| (account.user, account.password)).unzip();
    let stored = stored.flatten();
    if !app.passwords().verify(password, stored).await? {
        return Ok(None);
    }
    app.throttle().succeeded(from, email);
    Ok(user)
}

/// Opens a session and says what it opens. `email` is the account's.
pub(super) async fn open(app: &App, user: UserId, email: String) -> Result<SignedIn, ApiError> {
    let token = app.control().open_session(user, app.now()).await?;
    let tenants = app.tenants().all().into_iter().filter_map(|tenant| {
        let people = tenant.people();
        let role = people.role(user)?;
        let known = people.tenant.as_ref()?;
        Some(TenantSummary {
            id: known.id,
            name: known.name.clone(),
            role,
            mode: known.mode,
        })
    });
    Ok(SignedIn {
        token: token.reveal().to_owned(),
        user_id: user,
        email,
        tenants: tenants.collect(),
    })
}

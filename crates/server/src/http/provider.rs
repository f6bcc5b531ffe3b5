//! Signing in with the company's provider: what an app needs for it, and the sign-in (docs/adr/0011).

use std::net::Ipv4Addr;

use axum::extract::State;
use countersign_domain::{
    id::{InviteId, UserId},
    wire::{ProviderInfo, ProviderName, ProviderSignIn, REDIRECT_PATH, SignInMethods, SignedIn},
};
use zeroize::Zeroizing;

use super::{
    body::Json,
    error::ApiError,
    sign_in::{self, From},
};
use crate::{
    App,
    control::{Binding, Found, Invitation},
    names,
    provider::{Provider, Refusal, Returned, Vouched},
    random,
    tenant::Tenant,
};

/// Longest authorization code: providers that put their state into it stay below.
const LONGEST_CODE: usize = 8 * 1024;
/// RFC 7636 §4.1; a nonce of the same form is as hard to guess.
const SECRET: std::ops::RangeInclusive<usize> = 43..=128;

impl std::convert::From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let (code, sentence) = (refusal.code(), refusal.sentence());
        if matches!(refusal, Refusal::Unreachable | Refusal::Misconfigured) {
            return Self::unprocessable(code, format!("Unprocessable Content: {sentence}"));
        }
        refused(code, sentence)
    }
}

/// `GET /api/auth/methods`
pub(crate) async fn methods(State(app): State<App>) -> axum::Json<SignInMethods> {
    let name = |provider: &Provider| ProviderName {
        name: provider.name().to_owned(),
    };
    axum::Json(SignInMethods {
        provider: app.provider().map(name),
    })
}

/// `GET /api/auth/provider`
pub(crate) async fn info(State(app): State<App>) -> Result<axum::Json<ProviderInfo>, ApiError> {
    let provider = app.provider().ok_or_else(ApiError::not_found)?;
    Ok(axum::Json(provider.info(app.now()).await?))
}

/// `POST /api/auth/provider/sign-in`
pub(crate) async fn sign_in(
    State(app): State<App>,
    From(from): From,
    Json(request): Json<ProviderSignIn>,
) -> Result<axum::Json<SignedIn>, ApiError> {
    let provider = app.provider().ok_or_else(ApiError::not_found)?;
    let (returned, secret) = returned(request)?;
    // Counted by address alone: whose code it is comes out with the redemption, which costs a call to the provider.
    app.throttle()
        .attempt(from, "provider", app.now())
        .map_err(ApiError::throttled)?;
    let invited = match secret {
        Some(secret) => Some(
            app.control()
                .invitation(&secret, app.now())
                .await?
                .ok_or_else(ApiError::not_found)?,
        ),
        None => None,
    };
    let vouched = provider.redeem(returned, app.now()).await?;
    let email = vouched.email.clone();
    let user = admit(&app, vouched, invited).await?;
    app.throttle().succeeded(from, "provider");
    Ok(axum::Json(sign_in::open(&app, user, email).await?))
}

/// What was brought, where it has the form that the app gives it.
fn returned(request: ProviderSignIn) -> Result<(Returned, Option<Zeroizing<String>>), ApiError> {
    let ours = |text: &str| SECRET.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if request.code.is_empty() || request.code.len() > LONGEST_CODE {
        return Err(ApiError::missing("code"));
    }
    if !ours(&request.verifier) {
        return Err(ApiError::missing("verifier"));
    }
    if !ours(&request.nonce) {
        return Err(ApiError::missing("nonce"));
    }
    if !is_loopback(&request.redirect_uri) {
        return Err(ApiError::missing("redirectUri"));
    }
    let returned = Returned {
        code: request.code,
        verifier: request.verifier,
        nonce: request.nonce,
        redirect_uri: request.redirect_uri,
    };
    Ok((returned, request.invite.map(Zeroizing::new)))
}

/// Whether the code came to the app on the person's own computer, and nowhere else.
fn is_loopback(redirect_uri: &str) -> bool {
    let port = redirect_uri
        .strip_prefix(&format!("http://{}:", Ipv4Addr::LOCALHOST))
        .and_then(|rest| rest.strip_suffix(REDIRECT_PATH));
    port.is_some_and(|port| port.parse::<u16>().is_ok_and(|number| number.to_string() == port))
}

/// The account of somebody who belongs here. An address alone makes nobody a member: a tenant has them, or has invited
/// that address. Who belongs to no tenant joins those that have; who does joins another one by its invitation's secret.
async fn admit(app: &App, vouched: Vouched, by_secret: Option<Invitation>) -> Result<UserId, ApiError> {
    let Vouched {
        issuer,
        subject,
        email,
        name,
    } = vouched;
    let found = app
        .control()
        .find_identity(issuer.clone(), subject.clone(), email.clone())
        .await?;
    let known = match found {
        Found::Bound { email: ours, .. } if ours != email => {
            return Err(refused(
                "email_changed",
                "Your address at the company's sign-in is not the one of your account here; an admin has to look",
            ));
        }
        Found::Another => return Err(bound_to_another()),
        Found::Bound { user, .. } | Found::Free(user) => Some(user),
        Found::Nobody => None,
    };
    let belongs = |user| {
        app.tenants()
            .all()
            .iter()
            .any(|tenant| tenant.role(user).is_some())
    };
    let is_member = known.is_some_and(belongs);
    let mut joins = invitations(app, &email);
    joins.retain(|(tenant, invite)| match by_secret {
        Some(invited) => invited.tenant == tenant.id() && invited.invite == *invite,
        None => !is_member,
    });
    if !is_member && joins.is_empty() {
        return Err(not_a_member());
    }
    let name = name
        .or_else(|| names::name(email.split('@').next().unwrap_or_default()))
        .unwrap_or_else(|| "Member".to_owned());
    let binding = Binding {
        issuer,
        subject,
        email,
        user: UserId::from_uuid(random::uuid()),
        name: name.clone(),
    };
    let user = app.control().bind(binding, app.now()).await?;
    let user = user.ok_or_else(bound_to_another)?;
    for (tenant, invite) in joins {
        // Refused where it was accepted or withdrawn meanwhile; whether the person belongs is asked below.
        if tenant.accept_invite(invite, user, name.clone()).await?.is_ok() {
            app.control().remove_invitation(invite).await?;
        }
    }
    if belongs(user) {
        Ok(user)
    } else {
        Err(not_a_member())
    }
}

/// Every invitation of that address that is open.
fn invitations(app: &App, email: &str) -> Vec<(Tenant, InviteId)> {
    let of = |tenant: Tenant| {
        let (people, now) = (tenant.people(), tenant.now());
        let open = people
            .invites
            .values()
            .filter(|invite| invite.email == email && invite.expires_at > now && invite.role.is_some());
        open.map(|invite| (tenant.clone(), invite.id)).collect::<Vec<_>>()
    };
    app.tenants().all().into_iter().flat_map(of).collect()
}

fn refused(code: &str, sentence: &str) -> ApiError {
    ApiError::forbidden(code, format!("Forbidden: {sentence}"))
}

fn not_a_member() -> ApiError {
    refused("not_a_member", "You are not a member here; ask to be invited")
}

fn bound_to_another() -> ApiError {
    refused(
        "bound_to_another",
        "The account with your address belongs to another person at the company's sign-in; an admin has to look",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_comes_back_to_this_computer_only() {
        for good in ["http://127.0.0.1:1/signed-in", "http://127.0.0.1:65535/signed-in"] {
            assert!(is_loopback(good), "{good}");
        }
        for bad in [
            "",
            "http://127.0.0.1/signed-in",
            "http://127.0.0.1:/signed-in",
            "http://127.0.0.1:65536/signed-in",
            "http://127.0.0.1:080/signed-in",
            "http://127.0.0.1:+80/signed-in",
            "http://127.0.0.1:80@evil.example/signed-in",
            "http://127.0.0.1:80/signed-in/",
            "http://127.0.0.1:80/elsewhere",
            "http://localhost:80/signed-in",
            "https://127.0.0.1:80/signed-in",
            "https://evil.example/signed-in",
        ] {
            assert!(!is_loopback(bad), "{bad}");
        }
    }
}

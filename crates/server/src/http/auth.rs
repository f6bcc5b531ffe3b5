//! Who calls, for which tenant, in which role: asked anew on every call, in the order of the contract (§1.2).

use std::time::Duration;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts},
};
use countersign_domain::{
    id::{AgentId, TenantId, UserId},
    record::{Actor, Role},
};

use super::{error::ApiError, sign_in::From};
use crate::{
    App,
    control::{Brought, Identity, SessionId},
    tenant::Tenant,
};

/// How often somebody who stays looks whether their session has expired. Everything else is noticed at once.
const LOOK: Duration = Duration::from_secs(60);

/// A credential that counts, without a tenant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
}

impl FromRequestParts<App> for Session {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        match identity(parts, app).await? {
            Identity::Person { session, .. } => Ok(Self { id: session }),
            Identity::Agent { .. } => Err(ApiError::unauthorized()),
        }
    }
}

/// Somebody who belongs to the tenant that the call names.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// [`Actor::User`] or [`Actor::Agent`].
    pub(crate) actor: Actor,
    pub(crate) tenant: Tenant,
    pub(crate) credential: Identity,
    /// A person's; agents have none.
    role: Option<Role>,
}

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let credential = identity(parts, app).await?;
        match credential {
            Identity::Person { user, .. } => {
                let named = tenant_header(&parts.headers)?;
                // Absent, foreign, malformed: one answer, so that nobody learns which tenants there are.
                let tenant = named
                    .and_then(|id| app.tenants().get(id))
                    .ok_or_else(ApiError::not_found)?;
                let role = tenant.role(user).ok_or_else(ApiError::not_found)?;
                Ok(Self {
                    actor: Actor::User(user),
                    tenant,
                    credential,
                    role: Some(role),
                })
            }
            Identity::Agent { tenant, agent } => {
                let tenant = app
                    .tenants()
                    .get(tenant)
                    .filter(|tenant| in_service(tenant, agent));
                let tenant = tenant.ok_or_else(|| over(app, credential))?;
                if tenant_header(&parts.headers)? != Some(tenant.id()) {
                    return Err(ApiError::not_found());
                }
                Ok(Self {
                    actor: Actor::Agent(agent),
                    tenant,
                    credential,
                    role: None,
                })
            }
        }
    }
}

impl Caller {
    /// The person; an agent's key is refused.
    pub(crate) fn person(&self) -> Result<UserId, ApiError> {
        match self.actor {
            Actor::User(user) => Ok(user),
            Actor::Agent(_) | Actor::Server => Err(ApiError::forbidden(
                "forbidden",
                "Forbidden: An agent's key cannot do this",
            )),
        }
    }

    /// The person and their role; an agent's key is refused.
    pub(crate) fn member(&self) -> Result<(UserId, Role), ApiError> {
        let user = self.person()?;
        let role = self.role.ok_or_else(ApiError::not_found)?;
        Ok((user, role))
    }

    /// The person, who must manage the tenant. The writer asks again.
    pub(crate) fn manager(&self) -> Result<UserId, ApiError> {
        let (user, role) = self.member()?;
        if role.manages() {
            Ok(user)
        } else {
            Err(ApiError::forbidden(
                "forbidden",
                "Forbidden: Only an owner or admin can do this",
            ))
        }
    }

    /// The user's or agent's id.
    pub(crate) fn actor_id(&self) -> String {
        match self.actor {
            Actor::User(user) => user.to_string(),
            Actor::Agent(agent) => agent.to_string(),
            Actor::Server => String::new(),
        }
    }

    /// Resolves when the credential does not count any more: its session ended or expired, its agent was revoked, its
    /// person is no member. What stays open for long ends then.
    pub(crate) async fn ended(&self, app: &App) {
        // Taken before looking, so that no end in between is missed.
        let (mut sessions, mut people) = (app.control().endings(), self.tenant.follow_people());
        loop {
            people.mark_unchanged();
            if !self.stands(app).await {
                return;
            }
            let followed = tokio::select! {
                changed = sessions.changed() => changed.is_ok(),
                changed = people.changed() => changed.is_ok(),
                () = tokio::time::sleep(LOOK) => true,
            };
            if !followed {
                return;
            }
        }
    }

    async fn stands(&self, app: &App) -> bool {
        match self.credential {
            Identity::Person { user, session } => {
                let counts = app.control().has_session(session, app.now()).await;
                // What cannot be found out counts against.
                self.tenant.role(user).is_some() && counts.unwrap_or(false)
            }
            Identity::Agent { agent, .. } => in_service(&self.tenant, agent),
        }
    }

    /// Whether the caller sees everybody's proposals, or their own only.
    pub(crate) fn sees_all(&self) -> bool {
        self.role.is_some_and(Role::sees_all)
    }
}

async fn identity(parts: &Parts, app: &App) -> Result<Identity, ApiError> {
    let brought = match bearer(&parts.headers) {
        Some(token) => app.control().identify(token, app.now()).await?,
        None => Brought::Unknown,
    };
    match brought {
        // A right credential is never kept out: another one's mistake at the same address is not its own.
        Brought::Live(identity) => Ok(identity),
        Brought::Ended(identity) => Err(over(app, identity)),
        Brought::Unknown => {
            let From(from) = From::of(parts, app);
            Err(sent_away(app.throttle().refused(from, app.now())))
        }
    }
}

/// What once was right is no guess: whoever brings it is told that it is over, whatever else comes from that address,
/// until they have brought it too often themselves.
fn over(app: &App, identity: Identity) -> ApiError {
    sent_away(app.throttle().ended(identity, app.now()))
}

fn sent_away(counted: Result<(), u64>) -> ApiError {
    match counted {
        Ok(()) => ApiError::unauthorized(),
        Err(seconds) => ApiError::throttled(seconds),
    }
}

/// The one bearer token (RFC 6750 §2.1). Two headers leave open who calls, so they are nobody.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else {
        return None;
    };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

/// The tenant that the call names; `None` for what is no id.
fn tenant_header(headers: &HeaderMap) -> Result<Option<TenantId>, ApiError> {
    let mut values = headers.get_all("x-tenant-id").iter();
    match (values.next(), values.next()) {
        (None, _) => Err(ApiError::missing_tenant()),
        (Some(value), None) if value.is_empty() => Err(ApiError::missing_tenant()),
        (Some(value), None) => Ok(value.to_str().ok().and_then(|text| text.parse().ok())),
        (Some(_), Some(_)) => Ok(None),
    }
}

fn in_service(tenant: &Tenant, agent: AgentId) -> bool {
    tenant
        .people()
        .agents
        .get(&agent)
        .is_some_and(|agent| !agent.revoked)
}

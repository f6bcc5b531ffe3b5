//! The HTTP API (design §10): one file for each family of calls, and what they share.
//!
//! A request passes the guard (Host, Origin), then the credential, the tenant and the membership, then the size, the media
//! type and the shape of its body, and only then its handler. Each step has its own answer; all answers have one form.

pub(crate) mod guard;
pub(crate) mod places;
pub(crate) mod throttle;

mod agents;
mod assistant;
mod auth;
mod body;
mod connections;
mod csv;
mod devices;
mod error;
mod executions;
mod export;
mod health;
mod invites;
mod journal;
mod members;
mod metrics;
mod openapi;
mod people;
mod provider;
mod records;
mod rules;
mod sign_in;
mod snapshot;
mod stop;
mod tasks;
mod tenant;

use std::any::Any;

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::{MethodRouter, delete, get, patch, post, put},
};
use countersign_domain::wire::{MAX_BODY, MAX_RECORDS_BODY};
use tower_http::catch_panic::CatchPanicLayer;

use self::{error::ApiError, guard::Guard};
use crate::App;

/// Every call, once: the router and the list that the description is checked against come from the same lines.
macro_rules! calls {
    ($($method:ident $path:literal => $handler:path $(, with $layer:ident)?;)*) => {
        /// Method and path of every call.
        const CALLS: &[(&str, &str)] = &[$((stringify!($method), $path)),*];

        fn calls(app: &App) -> Router<App> {
            Router::new()$(.route($path, {
                let call = $method($handler);
                $(let call = $layer(call, app);)?
                call
            }))*
        }
    };
}

calls! {
    get "/api/health" => health::liveness;
    get "/metrics" => metrics::read;
    get "/api/openapi.json" => openapi::document;
    post "/api/auth/sign-in" => sign_in::sign_in;
    post "/api/auth/sign-out" => sign_in::sign_out;
    get "/api/auth/methods" => provider::methods;
    get "/api/auth/provider" => provider::info;
    post "/api/auth/provider/sign-in" => provider::sign_in;
    get "/api/tenant" => tenant::info;
    get "/api/tools" => tenant::tools;
    get "/api/members" => members::list;
    patch "/api/members/{id}" => members::change;
    delete "/api/members/{id}" => members::remove;
    get "/api/invites" => invites::list;
    post "/api/invites" => invites::create;
    delete "/api/invites/{id}" => invites::withdraw;
    post "/api/invites/accept" => invites::accept;
    get "/api/agents" => agents::list;
    post "/api/agents" => agents::create;
    post "/api/agents/{id}/revoke" => agents::revoke;
    get "/api/connections" => connections::list;
    post "/api/connections" => connections::create;
    delete "/api/connections/{id}" => connections::remove;
    get "/api/devices" => devices::list;
    post "/api/devices/challenge" => devices::challenge;
    post "/api/devices/enrol" => devices::enrol;
    post "/api/devices/{id}/endorse" => devices::endorse;
    post "/api/devices/{id}/revoke" => devices::revoke;
    get "/api/devices/{id}/review" => devices::review;
    post "/api/assistant/propose" => assistant::propose;
    post "/api/assistant/approve" => assistant::approve;
    post "/api/assistant/reject" => assistant::reject;
    post "/api/assistant/execute" => assistant::execute, with end_of_waiting;
    get "/api/assistant/proposals" => assistant::list;
    get "/api/assistant/proposals/{id}" => assistant::get, with end_of_waiting;
    post "/api/assistant/proposals/{id}/withdraw" => assistant::withdraw;
    post "/api/assistant/proposals/{id}/ask" => assistant::ask;
    post "/api/assistant/proposals/{id}/answer" => assistant::answer;
    post "/api/assistant/proposals/{id}/resolve" => assistant::resolve;
    post "/api/assistant/proposals/{id}/erase" => assistant::erase;
    get "/api/stop" => stop::list;
    post "/api/stop" => stop::stop;
    post "/api/stop/release" => stop::release;
    get "/api/rules" => rules::get;
    put "/api/rules" => rules::put;
    get "/api/radar" => assistant::radar;
    get "/api/tasks" => tasks::list;
    post "/api/records" => records::push, with room_for_records;
    get "/api/journal" => journal::page;
    get "/api/journal/events" => journal::events;
    get "/api/journal/checkpoint" => journal::checkpoint;
    get "/api/journal/export" => export::get;
    get "/api/snapshot" => snapshot::get;
    post "/api/executions/claim" => executions::claim;
    post "/api/executions/{id}/begin" => executions::begin;
    post "/api/executions/{id}/confirm" => executions::confirm;
    post "/api/executions/{id}/complete" => executions::complete;
    post "/api/executions/{id}/refuse" => executions::refuse;
}

/// The path of every call; some more than once.
pub(crate) fn routes() -> impl Iterator<Item = &'static str> {
    CALLS.iter().map(|(_, path)| *path)
}

/// The whole API behind its guard.
pub(crate) fn router(app: &App, guard: Guard) -> Router {
    calls(app)
        .method_not_allowed_fallback(async || ApiError::method_not_allowed())
        .fallback(async || ApiError::not_found())
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn_with_state(guard, guard::guard))
        .layer(middleware::from_fn(metrics::count))
        .with_state(app.clone())
}

fn room_for_records(call: MethodRouter<App>, _: &App) -> MethodRouter<App> {
    call.layer(DefaultBodyLimit::max(MAX_RECORDS_BODY))
}

/// A server that stops does not let anybody wait: they ask again elsewhere, or later.
fn end_of_waiting(call: MethodRouter<App>, app: &App) -> MethodRouter<App> {
    let wait = async |State(app): State<App>, request: Request, next: Next| {
        tokio::select! {
            response = next.run(request) => response,
            () = app.stopping() => ApiError::retry("stopping", "Service Unavailable: The server stops").into_response(),
        }
    };
    call.layer(middleware::from_fn_with_state(app.clone(), wait))
}

/// A handler's panic is that request's failure, not its neighbours'.
#[allow(clippy::needless_pass_by_value, reason = "the layer's signature")]
fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    ApiError::internal(format_args!(
        "a handler panicked: {}",
        text.unwrap_or("without a word")
    ))
    .into_response()
}

#[cfg(test)]
mod tests;

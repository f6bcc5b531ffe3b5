//! The API as its callers meet it: a server over a folder, its own executor, people and agents with credentials.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod assistant;
mod stops;
mod sync;

use axum::{
    body::Body,
    http::{Request, request},
    response::Response,
};
use countersign_domain::{id::TenantId, record::Mode};
use countersign_server::{Config, NewTenant, Server, Token};
use tower::ServiceExt as _;
use zeroize::Zeroizing;

const PASSWORD: &str = "correct horse battery";

/// A server with the tenant Acme, whose owner is Ada, and an agent.
struct World {
    folder: tempfile::TempDir,
    server: Server,
    tenant: TenantId,
    agent: String,
    person: String,
}

impl World {
    async fn company() -> Self {
        Self::new(Mode::Company).await
    }

    async fn new(mode: Mode) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::open(Config::new(folder.path().join("data")))
            .await
            .unwrap();
        let (tenant, owner) = server
            .found_tenant(NewTenant {
                name: "Acme".to_owned(),
                mode,
                email: "ada@acme.example".to_owned(),
                owner: "Ada".to_owned(),
                password: Zeroizing::new(PASSWORD.to_owned()),
            })
            .await
            .unwrap();
        let (_, agent) = server.add_agent(tenant, "Bookkeeper").await.unwrap();
        let person = server.open_session(owner).await.unwrap();
        let text = |token: &Token| token.reveal().to_owned();
        Self {
            folder,
            tenant,
            agent: text(&agent),
            person: text(&person),
            server,
        }
    }

    async fn send(&self, request: request::Builder, body: String) -> Response {
        let request = if body.is_empty() {
            request
        } else {
            request.header("content-type", "application/json")
        };
        let request = request.body(Body::from(body)).unwrap();
        self.server.router().oneshot(request).await.unwrap()
    }
}

/// A request with its credential and its tenant; more headers may follow.
fn request(method: &str, path: &str, token: &str, tenant: TenantId) -> request::Builder {
    Request::builder()
        .method(method)
        .uri(path)
        .header("host", "127.0.0.1")
        .header("authorization", format!("Bearer {token}"))
        .header("x-tenant-id", tenant.to_string())
}

//! The API from outside, without a network: a server over a folder, people and agents with credentials, requests.

mod acts;
mod connections;
mod credentials;
mod denials;
mod description;
mod devices;
mod edits;
mod erase;
mod export;
mod full;
mod isolation;
mod keys;
mod late;
mod limits;
mod mails;
mod metrics;
mod people;
mod policy;
mod provider;
mod radar;
mod records;
mod retention;
mod scheduled;
mod streams;
mod successors;
mod surface;
mod times;
mod witness;

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Method, Request},
};
use countersign_domain::{
    Millis, UnixMillis,
    id::{TenantId, UserId},
    record::Mode,
};
use countersign_policy::{Policy, SeedRules};
use serde_json::{Value, json};
use tower::ServiceExt as _;
use zeroize::Zeroizing;

use crate::{
    Config, NewTenant, Server,
    clock::Clock,
    tenant::{Auditor, Tenant},
};

const PASSWORD: &str = "correct horse battery";

/// A clock that only tests move.
#[derive(Debug)]
struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.0.load(Ordering::SeqCst))
    }
}

/// A server with the tenant Acme, whose owner is Ada.
struct World {
    /// First, so that it looks before the folder goes.
    auditor: Auditor,
    folder: tempfile::TempDir,
    clock: Arc<TestClock>,
    server: Server,
    router: Router,
    acme: TenantId,
    ada: Person,
}

/// Somebody signed in.
#[derive(Clone, Debug)]
struct Person {
    id: UserId,
    token: String,
}

impl World {
    async fn new() -> Self {
        Self::with(Mode::Company).await
    }

    async fn with(mode: Mode) -> Self {
        Self::ruled(mode, Arc::new(SeedRules)).await
    }

    async fn ruled(mode: Mode, policy: Arc<dyn Policy>) -> Self {
        Self::configured(mode, |config| config.policy = policy).await
    }

    async fn configured(mode: Mode, configure: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(TestClock(AtomicI64::new(1_795_354_008_000)));
        let server = opened(&folder, &clock, configure).await;
        let (acme, id) = server
            .found_tenant(founding("Acme", "ada@acme.example", mode))
            .await
            .unwrap();
        let token = server.open_session(id).await.unwrap().reveal().to_owned();
        let router = server.router();
        Self {
            auditor: server.app().tenants().get(acme).unwrap().auditor(),
            folder,
            clock,
            server,
            router,
            acme,
            ada: Person { id, token },
        }
    }

    /// The same folder under a server that has just started.
    async fn restarted(self, configure: impl FnOnce(&mut Config)) -> Self {
        drop((self.server, self.router));
        let server = opened(&self.folder, &self.clock, configure).await;
        Self {
            auditor: self.auditor,
            router: server.router(),
            server,
            folder: self.folder,
            clock: self.clock,
            acme: self.acme,
            ada: self.ada,
        }
    }

    /// The tenant behind the API.
    fn store(&self) -> Tenant {
        self.server.app().tenants().get(self.acme).unwrap()
    }

    fn pass(&self, time: Millis) {
        self.clock.0.fetch_add(time.0, Ordering::SeqCst);
    }

    /// A request with nothing in it but its Host.
    fn bare(&self, method: Method, path: &str) -> Call {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost");
        Call {
            router: self.router.clone(),
            request,
            body: Body::empty(),
        }
    }

    fn get(&self, who: &Person, path: &str) -> Call {
        self.bare(Method::GET, path).token(&who.token).tenant(self.acme)
    }

    fn post(&self, who: &Person, path: &str, body: Value) -> Call {
        self.bare(Method::POST, path)
            .token(&who.token)
            .tenant(self.acme)
            .json(body)
    }

    fn patch(&self, who: &Person, path: &str, body: Value) -> Call {
        self.bare(Method::PATCH, path)
            .token(&who.token)
            .tenant(self.acme)
            .json(body)
    }

    fn delete(&self, who: &Person, path: &str) -> Call {
        self.bare(Method::DELETE, path)
            .token(&who.token)
            .tenant(self.acme)
    }

    fn sign_in(&self, email: &str, password: &str) -> Call {
        self.bare(Method::POST, "/api/auth/sign-in")
            .json(json!({"email": email, "password": password}))
    }

    /// Invites somebody through Ada and accepts.
    async fn join(&self, name: &str, role: &str) -> Person {
        let email = format!("{name}@acme.example");
        let invited = self
            .post(&self.ada, "/api/invites", json!({"email": email, "role": role}))
            .await;
        assert_eq!(invited.status, 201, "{invited:?}");
        let joined = self.accept(invited.text("secret"), name).await;
        assert_eq!(joined.status, 200, "{joined:?}");
        Person {
            id: joined.text("userId").parse().unwrap(),
            token: joined.text("token").to_owned(),
        }
    }

    fn accept(&self, secret: &str, name: &str) -> Call {
        self.bare(Method::POST, "/api/invites/accept")
            .json(json!({"secret": secret, "name": name, "password": PASSWORD}))
    }

    /// Registers an agent through Ada: its id, and its key in a person's clothes.
    async fn agent(&self, name: &str) -> (String, String) {
        let created = self.post(&self.ada, "/api/agents", json!({"name": name})).await;
        assert_eq!(created.status, 201, "{created:?}");
        (
            created.text("agentId").to_owned(),
            created.text("apiKey").to_owned(),
        )
    }
}

async fn opened(
    folder: &tempfile::TempDir,
    clock: &Arc<TestClock>,
    configure: impl FnOnce(&mut Config),
) -> Server {
    let mut config = Config::new(folder.path().join("data"));
    config.clock = Arc::<TestClock>::clone(clock);
    configure(&mut config);
    Server::open(config).await.unwrap()
}

fn founding(name: &str, email: &str, mode: Mode) -> NewTenant {
    NewTenant {
        name: name.to_owned(),
        mode,
        email: email.to_owned(),
        owner: email.split('@').next().unwrap().to_owned(),
        password: Zeroizing::new(PASSWORD.to_owned()),
    }
}

/// A request on its way.
struct Call {
    router: Router,
    request: axum::http::request::Builder,
    body: Body,
}

impl Call {
    fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.request = self.request.header(name, value.as_ref());
        self
    }

    fn token(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    fn tenant(self, tenant: TenantId) -> Self {
        self.header("x-tenant-id", tenant.to_string())
    }

    #[allow(
        clippy::needless_pass_by_value,
        reason = "reads better where json! is written"
    )]
    fn json(self, body: Value) -> Self {
        let call = self.header("content-type", "application/json");
        Self {
            body: Body::from(body.to_string()),
            ..call
        }
    }

    fn body(self, body: impl Into<Body>) -> Self {
        Self {
            body: body.into(),
            ..self
        }
    }
}

impl IntoFuture for Call {
    type Output = Answer;
    type IntoFuture = std::pin::Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let request = self.request.body(self.body).unwrap();
            let (method, path) = (
                request.method().as_str().to_lowercase(),
                request.uri().path().to_owned(),
            );
            let response = self.router.oneshot(request).await.unwrap();
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            let bytes = to_bytes(response.into_body(), 16 * 1024 * 1024).await.unwrap();
            let body = if bytes.is_empty() {
                Value::Null
            } else {
                serde_json::from_slice(&bytes).unwrap()
            };
            description::holds_for(&method, &path, status, &body);
            Answer {
                status,
                headers,
                body,
            }
        })
    }
}

/// What came back.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl Answer {
    fn text(&self, field: &str) -> &str {
        self.body[field]
            .as_str()
            .unwrap_or_else(|| panic!("no {field} in {self:?}"))
    }

    /// Status and machine code.
    fn refusal(&self) -> (u16, &str) {
        assert!(
            self.body["error"].is_string(),
            "every refusal has a sentence: {self:?}"
        );
        (self.status, self.text("code"))
    }

    fn list(&self, field: &str) -> &[Value] {
        self.body[field]
            .as_array()
            .unwrap_or_else(|| panic!("no {field} in {self:?}"))
    }
}

//! What stays open ends with the credential that opened it. Over real connections.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::*;

/// A call on a connection of its own, answered in chunks.
struct Open {
    connection: TcpStream,
    read: String,
}

impl Open {
    async fn call(address: std::net::SocketAddr, path: &str, token: &str, tenant: TenantId) -> Self {
        let mut connection = TcpStream::connect(address).await.unwrap();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nx-tenant-id: {tenant}\r\n\r\n"
        );
        connection.write_all(request.as_bytes()).await.unwrap();
        Self {
            connection,
            read: String::new(),
        }
    }

    /// Reads until the answer has `text` in it.
    async fn until(&mut self, text: &str) {
        while !self.read.contains(text) {
            let mut bytes = [0; 4096];
            let count = self.connection.read(&mut bytes).await.unwrap();
            assert_ne!(count, 0, "it ended before {text:?}: {}", self.read);
            self.read.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
        }
    }

    /// Reads to the end of the answer, which is its last chunk.
    async fn end(mut self) {
        self.until("\r\n0\r\n\r\n").await;
    }

    /// Whether heads still come: reads the one of a commit.
    async fn still_hears(&mut self, world: &World) {
        self.read.clear();
        world.agent(&crate::random::uuid().to_string()).await;
        self.until("event: head").await;
    }
}

/// Serves the world while the story is told.
pub(super) async fn told(world: &World, story: impl AsyncFnOnce(std::net::SocketAddr)) {
    let listening = world.server.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listening.address();
    tokio::select! {
        () = world.server.serve(listening, std::future::pending()) => unreachable!("nothing stops it"),
        () = story(address) => (),
    }
}

async fn stream(address: std::net::SocketAddr, token: &str, tenant: TenantId) -> Open {
    let mut open = Open::call(address, "/api/journal/events", token, tenant).await;
    open.until("event: head").await;
    open
}

#[tokio::test]
async fn a_stream_ends_when_its_session_is_signed_out_and_no_other() {
    let world = World::new().await;
    told(&world, async |address| {
        let other = world
            .sign_in("ada@acme.example", PASSWORD)
            .await
            .text("token")
            .to_owned();
        let mut stays = stream(address, &world.ada.token, world.acme).await;
        let ends = stream(address, &other, world.acme).await;
        let signed_out = world.bare(Method::POST, "/api/auth/sign-out").token(&other).await;
        assert_eq!(signed_out.status, 204);
        ends.end().await;
        stays.still_hears(&world).await;
    })
    .await;
}

#[tokio::test]
async fn a_stream_ends_when_its_person_is_removed() {
    let world = World::new().await;
    told(&world, async |address| {
        let bob = world.join("bob", "approver").await;
        let mut stays = stream(address, &world.ada.token, world.acme).await;
        let ends = stream(address, &bob.token, world.acme).await;
        let removed = world
            .delete(&world.ada, &format!("/api/members/{}", bob.id))
            .await;
        assert_eq!(removed.status, 204);
        ends.end().await;
        stays.still_hears(&world).await;
    })
    .await;
}

#[tokio::test]
async fn a_stream_ends_when_its_session_expires_however_much_there_is_to_hear() {
    let world = World::new().await;
    told(&world, async |address| {
        let bob = world.join("bob", "approver").await;
        let mut listens = stream(address, &bob.token, world.acme).await;
        listens.still_hears(&world).await;
        // Ada stays active; listening alone is no use of a session.
        world.pass(Millis::hours(20 * 24));
        listens.still_hears(&world).await;
        world.pass(Millis::hours(10 * 24));
        world.agent("bot").await;
        listens.end().await;
    })
    .await;
}

#[tokio::test]
async fn a_waiting_call_ends_when_its_agent_is_revoked() {
    let world = World::new().await;
    told(&world, async |address| {
        let (agent, key) = world.agent("bot").await;
        let text = json!({"text": "create task: x"});
        let propose = world.bare(Method::POST, "/api/assistant/propose").token(&key);
        let proposed = propose.tenant(world.acme).json(text).await;
        let id = proposed.body["proposalRecord"]["aiToolCallId"].as_str().unwrap();
        let path = format!("/api/assistant/proposals/{id}?wait=45");
        let mut waits = Open::call(address, &path, &key, world.acme).await;
        let revoke = format!("/api/agents/{agent}/revoke");
        assert_eq!(world.post(&world.ada, &revoke, json!({})).await.status, 204);
        waits.until("\"code\":\"unauthorized\"").await;
        assert!(waits.read.starts_with("HTTP/1.1 401"), "{}", waits.read);
    })
    .await;
}

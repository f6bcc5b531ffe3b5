//! Ways out of the tenant, and what becomes of proposals when one is closed or an approver leaves.

use countersign_domain::id::DeviceId;
use serde_json::json;

use super::{devices::Device, records::shown, *};

impl World {
    /// Ada's first device, in service.
    pub(super) async fn adas_device(&self) -> Device {
        let device = Device::new();
        assert_eq!(device.enrol(self, &self.ada).await.text("standing"), "active");
        device
    }

    fn create(&self, by: &Person, name: &str, config: &Value, holder: DeviceId) -> Call {
        let holder = json!({"kind": "device", "id": holder});
        let body = json!({"kind": "http", "name": name, "config": config, "holder": holder});
        self.post(by, "/api/connections", body)
    }

    /// A connection over which an agent has proposed a request that a session may approve: their ids.
    pub(super) async fn proposed(&self, device: DeviceId) -> (String, String) {
        let connection = self.create(&self.ada, "billing", &billing(), device).await;
        assert_eq!(connection.status, 201, "{connection:?}");
        let (_, key) = self.agent("bot").await;
        let call = json!({"toolId": "http.request", "input": {"method": "GET", "path": "/v1/invoices"}});
        let propose = self
            .bare(Method::POST, "/api/assistant/propose")
            .token(&key)
            .tenant(self.acme);
        let proposed = propose.json(call).await;
        assert_eq!(proposed.status, 200, "{proposed:?}");
        let id = proposed.body["proposalRecord"]["aiToolCallId"].as_str().unwrap();
        (connection.text("connectionId").to_owned(), id.to_owned())
    }

    pub(super) async fn status(&self, proposal: &str) -> String {
        let path = format!("/api/assistant/proposals/{proposal}");
        self.get(&self.ada, &path).await.text("status").to_owned()
    }

    pub(super) fn approve_call(&self, by: &Person, proposal: &str) -> Call {
        self.post(by, "/api/assistant/approve", json!({"aiToolCallId": proposal}))
    }

    pub(super) async fn approve(&self, by: &Person, proposal: &str) -> Answer {
        self.approve_call(by, proposal).await
    }
}

fn billing() -> Value {
    json!({
        "base_url": "https://billing.example.com/",
        "allowed_methods": ["GET", "POST"],
        "allowed_path_prefixes": ["/v1"],
    })
}

#[tokio::test]
async fn a_connection_is_what_its_tools_can_use_and_a_device_of_ones_own_holds_it() {
    let world = World::new().await;
    let device = world.adas_device().await;
    let with = |field: &str, value: Value| {
        let mut config = billing();
        config[field] = value;
        config
    };
    for (config, field) in [
        (
            with("base_url", json!("http://billing.example.com/")),
            "config.base_url",
        ),
        (
            with("base_url", json!("https://169.254.169.254/")),
            "config.base_url",
        ),
        (with("allowed_methods", json!([])), "config.allowed_methods"),
        (
            with("allowed_path_prefixes", json!(["x".repeat(20_000)])),
            "config",
        ),
    ] {
        let answer = world.create(&world.ada, "billing", &config, device.id).await;
        assert_eq!((answer.status, answer.text("field")), (400, field), "{answer:?}");
    }
    let secret = world
        .create(
            &world.ada,
            "billing",
            &with("password", json!("hunter2")),
            device.id,
        )
        .await;
    assert_eq!(secret.status, 400, "a secret has no place in the public part");

    let mine = billing();
    let by_tenant = json!({"kind": "http", "name": "x", "config": mine, "holder": {"kind": "tenant"}});
    let answer = world.post(&world.ada, "/api/connections", by_tenant).await;
    assert_eq!((answer.status, answer.text("field")), (400, "holder"));
    let bob = world.join("bob", "admin").await;
    let answer = world.create(&bob, "billing", &mine, device.id).await;
    assert_eq!(
        (answer.status, answer.text("field")),
        (400, "holder"),
        "it is ada's device"
    );
    let waiting = Device::new();
    waiting.enrol(&world, &bob).await;
    let answer = world.create(&bob, "billing", &mine, waiting.id).await;
    assert_eq!(
        answer.text("field"),
        "holder",
        "a device that waits holds nothing"
    );

    let created = world.create(&world.ada, "billing", &mine, device.id).await;
    assert_eq!(created.status, 201);
    assert_eq!(
        world
            .create(&world.ada, "Billing", &mine, device.id)
            .await
            .refusal(),
        (409, "name_taken")
    );
    let listed = world.get(&bob, "/api/connections").await;
    assert_eq!(listed.list("connections")[0]["id"], created.body["connectionId"]);
    assert_eq!(
        listed.list("connections")[0]["config"]["base_url"],
        "https://billing.example.com/"
    );
}

#[tokio::test]
async fn what_has_not_begun_over_a_removed_connection_is_closed() {
    let world = World::new().await;
    let device = world.adas_device().await;
    let (connection, proposal) = world.proposed(device.id).await;
    let listed = world.get(&world.ada, "/api/connections").await;
    assert_eq!(listed.list("connections")[0]["openProposals"], 1);
    assert_eq!(
        world
            .delete(&world.ada, &format!("/api/connections/{connection}"))
            .await
            .status,
        204
    );
    assert_eq!(world.status(&proposal).await, "superseded");
    assert_eq!(
        world
            .get(&world.ada, "/api/connections")
            .await
            .list("connections")
            .len(),
        0
    );
    let again = world
        .delete(&world.ada, &format!("/api/connections/{connection}"))
        .await;
    assert_eq!(again.refusal(), (404, "not_found"));
}

#[tokio::test]
async fn a_revoked_devices_connections_go_with_it() {
    let world = World::new().await;
    let device = world.adas_device().await;
    let (_, proposal) = world.proposed(device.id).await;
    let revoke = format!("/api/devices/{}/revoke", device.id);
    assert_eq!(
        world
            .post(&world.ada, &revoke, json!({"reason": "stolen"}))
            .await
            .status,
        204
    );
    assert_eq!(
        world.status(&proposal).await,
        "superseded",
        "nobody is left who could run it"
    );
    assert_eq!(
        world
            .get(&world.ada, "/api/connections")
            .await
            .list("connections")
            .len(),
        0
    );
}

#[tokio::test]
async fn an_approval_does_not_outlive_its_approver() {
    let world = World::new().await;
    let device = world.adas_device().await;
    let (_, proposal) = world.proposed(device.id).await;
    world.preview(&device, &proposal, shown()).await;
    let bob = world.join("bob", "approver").await;
    assert_eq!(world.approve(&bob, &proposal).await.text("status"), "pending");
    assert_eq!(
        world
            .delete(&world.ada, &format!("/api/members/{}", bob.id))
            .await
            .status,
        204
    );
    assert_eq!(
        world.status(&proposal).await,
        "proposed",
        "it needs somebody else's approval"
    );
    let detail = world
        .get(&world.ada, &format!("/api/assistant/proposals/{proposal}"))
        .await;
    assert_eq!(detail.list("decisions")[0]["void"], "not_eligible");
}

#[tokio::test]
async fn an_approval_does_not_outlive_the_role_that_gave_it() {
    let world = World::new().await;
    let device = world.adas_device().await;
    let (_, proposal) = world.proposed(device.id).await;
    world.preview(&device, &proposal, shown()).await;
    let bob = world.join("bob", "approver").await;
    assert_eq!(world.approve(&bob, &proposal).await.text("status"), "pending");
    let path = format!("/api/members/{}", bob.id);
    assert_eq!(
        world
            .patch(&world.ada, &path, json!({"role": "admin"}))
            .await
            .status,
        204
    );
    assert_eq!(world.status(&proposal).await, "pending", "an admin decides too");
    assert_eq!(
        world
            .patch(&world.ada, &path, json!({"role": "auditor"}))
            .await
            .status,
        204
    );
    assert_eq!(world.status(&proposal).await, "proposed");
}

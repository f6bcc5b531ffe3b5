//! What people want for the whole tenant: a stop and its end, the table of rules; and their word on what is not known.

use countersign_domain::{
    Digest,
    record::{Begin, Holder, Mode, Resolution, Rules, Scope, Stop},
};
use serde_json::json;

use super::{devices::Device, records::shown, *};
use crate::random;

/// A company with a call of Ada's device that Bob has approved and that may begin now.
struct Due {
    world: World,
    bob: Person,
    device: Device,
    proposal: String,
}

impl Due {
    async fn new() -> Self {
        let world = World::new().await;
        let (bob, device) = (world.join("bob", "approver").await, world.adas_device().await);
        let (_, proposal) = world.proposed(device.id).await;
        world.preview(&device, &proposal, shown()).await;
        world.approve(&bob, &proposal).await;
        world.pass(Millis::seconds(30));
        Self {
            world,
            bob,
            device,
            proposal,
        }
    }

    async fn leases(&self) -> Vec<Value> {
        self.world.claim(&self.device).await.list("leases").to_vec()
    }

    async fn begin(&self, lease: &Value) -> Answer {
        let begin = Begin {
            at: self.world.clock.now(),
            authority: serde_json::from_value(lease["authority"].clone()).unwrap(),
            device_seq: self.device.next(),
            executor: Holder::Device(self.device.id),
            fence: lease["fence"].as_u64().unwrap(),
            nonce: random::nonce(),
            preview: self.world.shown(&self.proposal).await,
            previous: None,
            proposal: self.proposal.parse().unwrap(),
            proposal_digest: self.world.digest(&self.proposal).await,
        };
        let record = json!({"record": self.device.sign(&begin).to_envelope()});
        let path = format!("/api/executions/{}/begin", self.proposal);
        self.world.post(&self.world.ada, &path, record).await
    }

    /// Begun, and nothing was heard of it for a minute.
    async fn silent(&self) {
        let leases = self.leases().await;
        let begun = self.begin(&leases[0]).await;
        assert_eq!(begun.text("status"), "running", "{begun:?}");
        self.world.pass(Millis::seconds(61));
        // Unless the server has noticed by itself.
        self.world.store().lapse().await.unwrap();
        assert_eq!(self.world.status(&self.proposal).await, "unknown");
    }

    fn resolve(&self, who: &Person, body: Value) -> Call {
        let path = format!("/api/assistant/proposals/{}/resolve", self.proposal);
        self.world.post(who, &path, body)
    }
}

#[tokio::test]
async fn nothing_in_its_scope_begins_under_a_stop_and_two_people_end_it() {
    let due = Due::new().await;
    let Due { world, bob, .. } = &due;
    let lease = due.leases().await.remove(0);
    let tool = json!({"kind": "tool", "id": "http.request"});
    let stop = json!({"scope": tool, "reason": "It calls the wrong host."});
    let stopped = world.post(bob, "/api/stop", stop).await;
    assert_eq!(stopped.status, 201, "{stopped:?}");
    let digest = stopped.list("stops")[0]["stop"].clone();
    assert_eq!(stopped.list("stops")[0]["needed"], 2);

    assert_eq!(
        due.begin(&lease).await.refusal(),
        (409, "stopped"),
        "also under a lease from before"
    );
    world.pass(Millis::seconds(61));
    assert_eq!(due.leases().await.len(), 0);
    let execute = json!({"aiToolCallId": due.proposal});
    let told = world.post(&world.ada, "/api/assistant/execute", execute).await;
    assert_eq!(
        (told.status, told.text("status")),
        (202, "pending"),
        "it changes no state"
    );
    assert_eq!(
        told.text("stopped"),
        "This tool is stopped: It calls the wrong host."
    );

    let release = json!({"scope": tool, "stop": digest});
    let one = world.post(bob, "/api/stop/release", release.clone()).await;
    assert_eq!(one.list("stops")[0]["releases"], json!([bob.id]));
    let again = world.post(bob, "/api/stop/release", release.clone()).await;
    assert_eq!(again.refusal(), (409, "decided"), "one person is not two");
    assert_eq!(due.leases().await.len(), 0);
    let two = world.post(&world.ada, "/api/stop/release", release).await;
    assert_eq!((two.status, two.list("stops").len()), (200, 0));
    let lease = due.leases().await.remove(0);
    assert_eq!(due.begin(&lease).await.text("status"), "running");

    let all = json!({"scope": {"kind": "tenant"}});
    let stopped = world.post(&world.ada, "/api/stop", all).await;
    assert_eq!(
        stopped.list("inFlight")[0]["id"],
        json!(due.proposal),
        "what had begun goes on, and is named"
    );
}

#[tokio::test]
async fn a_begin_that_a_stop_refused_begins_nothing_after_the_release() {
    let due = Due::new().await;
    let Due { world, bob, .. } = &due;
    let lease = due.leases().await.remove(0);
    let scope = json!({"kind": "tenant"});
    let stopped = world.post(bob, "/api/stop", json!({"scope": scope})).await;
    assert_eq!(due.begin(&lease).await.refusal(), (409, "stopped"));
    let release = json!({"scope": scope, "stop": stopped.list("stops")[0]["stop"]});
    for person in [bob, &world.ada] {
        world.post(person, "/api/stop/release", release.clone()).await;
    }
    assert_eq!(
        due.begin(&lease).await.refusal(),
        (409, "fenced"),
        "its device was told no and has given it up: a copy on its way must not begin it for nobody"
    );
    assert_eq!(world.status(&due.proposal).await, "pending");
    let next = due.leases().await.remove(0);
    assert_eq!(
        due.begin(&next).await.text("status"),
        "running",
        "and nobody waits for the lease to end"
    );
}

#[tokio::test]
async fn an_agents_key_and_a_member_stop_release_rule_and_settle_nothing() {
    let due = Due::new().await;
    let world = &due.world;
    due.silent().await;
    let (member, (_, key)) = (world.join("mia", "member").await, world.agent("other").await);
    let auditor = world.join("aud", "auditor").await;
    let calls = [
        (
            Method::POST,
            "/api/stop".to_owned(),
            json!({"scope": {"kind": "tenant"}}),
        ),
        (
            Method::POST,
            "/api/stop/release".to_owned(),
            json!({"scope": {"kind": "tenant"}, "stop": Digest::of(b"")}),
        ),
        (Method::PUT, "/api/rules".to_owned(), json!({"table": []})),
        (
            Method::POST,
            format!("/api/assistant/proposals/{}/resolve", due.proposal),
            json!({"happened": true}),
        ),
        (
            Method::POST,
            format!("/api/assistant/proposals/{}/ask", due.proposal),
            json!({"text": "Why?"}),
        ),
    ];
    for (method, path, body) in calls {
        let call = |token: &str| {
            let bare = world.bare(method.clone(), &path).token(token);
            bare.tenant(world.acme).json(body.clone())
        };
        for token in [&key, &auditor.token] {
            assert_eq!(call(token).await.status, 403, "{path}");
        }
        let refused = call(&member.token).await.status;
        assert!(matches!(refused, 403 | 404), "{path}: {refused}");
    }
    let stops = world.get(&world.ada, "/api/stop").await;
    assert_eq!(stops.list("stops").len(), 0);
    assert_eq!(world.status(&due.proposal).await, "unknown");
}

#[tokio::test]
async fn the_tenants_table_asks_for_more_people_and_loosening_it_takes_two() {
    let due = Due::new().await;
    let Due { world, bob, .. } = &due;
    let carl = world.join("carl", "approver").await;
    let put = |who: &Person, base: &Value, table: Value| {
        let body = json!({"base": base, "table": table});
        let bare = world.bare(Method::PUT, "/api/rules").token(&who.token);
        bare.tenant(world.acme).json(body)
    };
    let two = json!([{"tool": "http.request", "quorum": 2}]);
    let tightened = put(&world.ada, &Value::Null, two).await;
    assert_eq!(tightened.status, 200, "{tightened:?}");
    let base = tightened.body["digest"].clone();

    assert_eq!(
        due.leases().await.len(),
        0,
        "the rule holds for what was approved before it as well"
    );
    assert_eq!(
        world.status(&due.proposal).await,
        "proposed",
        "one more person has to agree"
    );

    let stale = put(&world.ada, &Value::Null, json!([])).await;
    assert_eq!(
        stale.refusal(),
        (409, "view_mismatch"),
        "another table is in force"
    );
    let wanted = put(&world.ada, &base, json!([])).await;
    assert_eq!(wanted.list("wanted")[0]["by"], json!([world.ada.id]));
    assert_eq!(wanted.list("table").len(), 1, "it waits for a second person");
    let agreed = put(bob, &base, json!([])).await;
    assert_eq!(agreed.list("table").len(), 0);

    assert_eq!(
        due.leases().await.len(),
        0,
        "what was asked of a proposal stays asked of it"
    );
    assert_eq!(
        world.approve(&carl, &due.proposal).await.text("status"),
        "pending"
    );
    world.pass(Millis::seconds(30));
    assert_eq!(due.leases().await.len(), 1);
    let many = put(&world.ada, &agreed.body["digest"], json!([{"quorum": 9}])).await;
    assert_eq!(
        many.refusal(),
        (400, "invalid_rules"),
        "there are not so many people"
    );
}

#[tokio::test]
async fn people_settle_what_is_not_known_and_a_late_receipt_changes_it_no_more() {
    let due = Due::new().await;
    let Due { world, bob, .. } = &due;
    let early = due.resolve(bob, json!({"happened": true})).await;
    assert_eq!(early.refusal(), (409, "too_late"), "it may still run");
    due.silent().await;
    let hidden = due
        .resolve(bob, json!({"happened": true, "note": "seen\u{202E}"}))
        .await;
    assert_eq!(hidden.refusal(), (400, "invalid_field"));
    let settled = due
        .resolve(
            bob,
            json!({"happened": false, "note": "Their log has no such request."}),
        )
        .await;
    assert_eq!(
        (settled.status, settled.text("status")),
        (200, "failed"),
        "{settled:?}"
    );
    let said = &settled.body["execution"]["resolution"];
    assert_eq!((&said["happened"], &said["needed"]), (&json!(false), &json!(1)));
    assert_eq!(said["said"][0]["note"], "Their log has no such request.");
    let again = due.resolve(&world.ada, json!({"happened": true})).await;
    assert_eq!(again.refusal(), (409, "decided"));
    assert_eq!(due.leases().await.len(), 0, "its fence has ended with it");
}

#[tokio::test]
async fn what_a_device_signs_of_these_counts_and_is_answered_for_ever() {
    let due = Due::new().await;
    let Due { world, device, .. } = &due;
    let push = |record: &countersign_domain::Record| {
        let body = json!({"records": [record.to_envelope()]});
        world.post(&world.ada, "/api/records", body)
    };
    let stop = device.sign(&Stop {
        at: world.clock.now(),
        by: world.ada.id,
        device: Some(device.id),
        device_seq: device.next(),
        nonce: random::nonce(),
        previous: None,
        reason: None,
        scope: Scope::Tenant,
        tenant: world.acme,
    });
    for _ in 0..2 {
        let answer = push(&stop).await;
        assert_eq!(answer.list("results")[0]["effective"], true, "{answer:?}");
    }
    assert_eq!(due.leases().await.len(), 0);
    let loosening = device.sign(&Rules {
        at: world.clock.now(),
        base: Some(Digest::of(b"another")),
        by: world.ada.id,
        confirmed: true,
        device: Some(device.id),
        device_seq: device.next(),
        nonce: random::nonce(),
        previous: None,
        table: Vec::new(),
        tenant: world.acme,
    });
    let answer = push(&loosening).await;
    assert_eq!(answer.list("results")[0]["reason"], "view_mismatch");
    let early = device.sign(&Resolution {
        at: world.clock.now(),
        by: world.ada.id,
        confirmed: true,
        device: Some(device.id),
        device_seq: device.next(),
        fence: 1,
        happened: true,
        nonce: random::nonce(),
        note: None,
        previous: None,
        proposal: due.proposal.parse().unwrap(),
        proposal_digest: world.digest(&due.proposal).await,
    });
    let answer = push(&early).await;
    assert_eq!(answer.list("results")[0]["reason"], "too_late");
    let restarted = due.world.restarted(|_| ()).await;
    let stops = restarted.get(&restarted.ada, "/api/stop").await;
    assert_eq!(stops.list("stops").len(), 1, "a stop outlives the process");
    assert_eq!(restarted.store().people().mode(), Mode::Company);
}

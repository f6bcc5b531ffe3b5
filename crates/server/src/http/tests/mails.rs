//! Whom a mail has gone to: they are known from then on, and the next mail to them is a smaller risk.

use countersign_domain::record::{Assurance, Begin, Failure, Holder, Mode, Outcome, Receipt};

use super::{devices::Device, records::shown, *};
use crate::random;

/// A tenant of one person, whose device holds a mail account.
struct Post {
    world: World,
    device: Device,
    connection: String,
    key: String,
}

impl Post {
    async fn new() -> Self {
        let world = World::with(Mode::Solo).await;
        let device = world.adas_device().await;
        let config = json!({"from": "ada@acme.example", "host": "127.0.0.1", "port": 2525, "tls": "none"});
        let holder = json!({"kind": "device", "id": device.id});
        let form = json!({"kind": "smtp", "name": "mail", "config": config, "holder": holder});
        let made = world.post(&world.ada, "/api/connections", form).await;
        assert_eq!(made.status, 201, "{made:?}");
        let (_, key) = world.agent("bookkeeper").await;
        Self {
            connection: made.text("connectionId").to_owned(),
            world,
            device,
            key,
        }
    }

    async fn mail(&self, to: &[&str], bcc: &[&str]) -> String {
        // The same twice would be one request.
        let subject = random::uuid().to_string();
        let input = json!({"to": to, "bcc": bcc, "subject": subject, "body": "As agreed."});
        let call = json!({"toolId": "email.send", "connection": self.connection, "input": input});
        let propose = self.world.bare(Method::POST, "/api/assistant/propose");
        let proposed = propose.token(&self.key).tenant(self.world.acme).json(call).await;
        assert_eq!(proposed.status, 200, "{proposed:?}");
        let id = &proposed.body["proposalRecord"]["aiToolCallId"];
        id.as_str().unwrap().to_owned()
    }

    /// Approved, begun and over.
    async fn ended(&self, proposal: &str, outcome: Outcome) {
        let (world, device) = (&self.world, &self.device);
        world.preview(device, proposal, shown()).await;
        let approval = world
            .approval(device, &world.ada, proposal, Assurance::DeviceConfirmed)
            .await;
        assert_eq!(world.push(&world.ada, &approval).await["effective"], true);
        world.pass(Millis::seconds(30));
        let leased = world.claim(device).await;
        let lease = &leased.list("leases")[0];
        let (fence, executor) = (lease["fence"].as_u64().unwrap(), Holder::Device(device.id));
        let (id, proposal_digest) = (proposal.parse().unwrap(), world.digest(proposal).await);
        let begin = Begin {
            at: world.clock.now(),
            authority: serde_json::from_value(lease["authority"].clone()).unwrap(),
            device_seq: device.next(),
            executor,
            fence,
            nonce: random::nonce(),
            preview: world.shown(proposal).await,
            previous: None,
            proposal: id,
            proposal_digest,
        };
        let begun = json!({"record": device.sign(&begin).to_envelope()});
        let failure = (outcome == Outcome::Failed).then(|| Failure {
            code: "refused".to_owned(),
            message: "The server did not take it".to_owned(),
        });
        let receipt = Receipt {
            attempts: None,
            device_seq: device.next(),
            dispatched: true,
            effect: None,
            executor,
            failure,
            fence,
            finished_at: world.clock.now(),
            nonce: random::nonce(),
            outcome,
            previous: None,
            proposal: id,
            proposal_digest,
            reference: None,
            result: None,
            started_at: world.clock.now(),
            summary: "Over".to_owned(),
        };
        let over = json!({"record": device.sign(&receipt).to_envelope()});
        for (step, body) in [("begin", begun), ("complete", over)] {
            let path = format!("/api/executions/{proposal}/{step}");
            let answer = world.post(&world.ada, &path, body).await;
            assert_eq!(answer.status, 200, "{answer:?}");
        }
    }

    /// Whether a mail to this address would be called the first one.
    async fn is_new(&self, address: &str) -> bool {
        let id = self.mail(&[address], &[]).await;
        let path = format!("/api/assistant/proposals/{id}");
        let detail = self.world.get(&self.world.ada, &path).await;
        let reasons = detail.list("riskReasons");
        let named = |reason: &&Value| reason.as_str().unwrap().contains(address);
        let is_new = reasons.iter().any(|reason| named(&reason));
        assert_eq!(detail.text("risk"), if is_new { "high" } else { "medium" });
        is_new
    }
}

#[tokio::test]
async fn whoever_was_mailed_is_known_from_then_on_and_nobody_else() {
    let post = Post::new().await;
    let sent = post
        .mail(&["Dan@customer.example"], &["eve@customer.example"])
        .await;
    assert!(post.is_new("dan@customer.example").await, "it is only asked for");
    post.ended(&sent, Outcome::Completed).await;
    for known in ["dan@customer.example", "eve@customer.example"] {
        assert!(!post.is_new(known).await, "{known} has had one");
    }
    let failed = post.mail(&["fay@customer.example"], &[]).await;
    post.ended(&failed, Outcome::Failed).await;
    assert!(post.is_new("fay@customer.example").await, "none has come to her");
}

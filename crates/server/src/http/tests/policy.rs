//! Policy asked again: what it says later can only tighten, and what is stricter is journalled and wins.

use std::sync::atomic::AtomicU8;

use countersign_domain::{
    Digest, Millis,
    record::{Begin, Holder, PolicyDecision},
};
use countersign_policy::{Answer as Says, Call as Asked};

use super::{devices::Device, records::shown, *};
use crate::random;

/// The seed's rules until they change their mind.
#[derive(Debug, Default)]
struct Moody(AtomicU8);

const SEED: u8 = 0;
const DENIES: u8 = 1;
const TWO_PEOPLE: u8 = 2;

impl Moody {
    fn turn(&self, mood: u8) {
        self.0.store(mood, Ordering::SeqCst);
    }
}

impl Policy for Moody {
    fn bundle(&self) -> Digest {
        Digest::of(&[self.0.load(Ordering::SeqCst)])
    }

    fn evaluate(&self, call: &Asked<'_>) -> Says {
        let mut says = SeedRules.evaluate(call);
        match self.0.load(Ordering::SeqCst) {
            DENIES => {
                says.decision = PolicyDecision::Deny;
                says.reason = "Not this month.".to_owned();
            }
            TWO_PEOPLE => says.requirement.quorum = 2,
            _ => {}
        }
        says
    }
}

impl World {
    /// What a device of Ada's may begin.
    pub(super) async fn claim(&self, device: &Device) -> Answer {
        let registry = &self.server.app().rules().registry;
        let manifests: Vec<_> = registry.manifests().map(|(digest, _)| digest).collect();
        let claim = json!({"device": device.id, "manifests": manifests, "limit": 5});
        self.post(&self.ada, "/api/executions/claim", claim).await
    }
}

async fn world() -> (World, Arc<Moody>) {
    let moody = Arc::new(Moody::default());
    (World::ruled(Mode::Company, moody.clone()).await, moody)
}

#[tokio::test]
async fn a_rule_that_has_come_since_denies_at_the_decision_and_for_good() {
    let (world, moody) = world().await;
    let adas = world.adas_device().await;
    let (_, proposal) = world.proposed(adas.id).await;
    world.preview(&adas, &proposal, shown()).await;
    let bob = world.join("bob", "approver").await;
    moody.turn(DENIES);
    assert_eq!(
        world.approve(&bob, &proposal).await.refusal(),
        (409, "denied_by_policy")
    );
    moody.turn(SEED);
    assert_eq!(
        world.approve(&bob, &proposal).await.refusal(),
        (409, "denied_by_policy"),
        "what was found out stays, although that decision left no trace"
    );
    let detail = world
        .get(&bob, &format!("/api/assistant/proposals/{proposal}"))
        .await;
    assert_eq!(detail.text("status"), "denied");
    assert_eq!(detail.body["policy"]["reason"], "Not this month.");
    assert_eq!(detail.list("decisions").len(), 0);
}

#[tokio::test]
async fn a_stricter_rule_at_the_claim_takes_back_what_was_approved_until_it_is_met() {
    let (world, moody) = world().await;
    let adas = world.adas_device().await;
    let (_, proposal) = world.proposed(adas.id).await;
    world.preview(&adas, &proposal, shown()).await;
    let bob = world.join("bob", "approver").await;
    assert_eq!(world.approve(&bob, &proposal).await.text("status"), "pending");
    world.pass(Millis::seconds(30));
    moody.turn(TWO_PEOPLE);
    assert_eq!(world.claim(&adas).await.list("leases").len(), 0);
    assert_eq!(
        world.status(&proposal).await,
        "proposed",
        "one more person has to agree"
    );
    assert_eq!(
        world.approve(&world.ada, &proposal).await.text("status"),
        "pending"
    );
    world.pass(Millis::seconds(30));
    assert_eq!(world.claim(&adas).await.list("leases").len(), 1);
}

#[tokio::test]
async fn a_stricter_rule_at_the_begin_wins_over_the_lease() {
    let (world, moody) = world().await;
    let adas = world.adas_device().await;
    let (_, proposal) = world.proposed(adas.id).await;
    world.preview(&adas, &proposal, shown()).await;
    let bob = world.join("bob", "approver").await;
    world.approve(&bob, &proposal).await;
    world.pass(Millis::seconds(30));
    let leased = world.claim(&adas).await;
    let lease = &leased.list("leases")[0];
    let begin = Begin {
        at: world.clock.now(),
        authority: serde_json::from_value(lease["authority"].clone()).unwrap(),
        device_seq: adas.next(),
        executor: Holder::Device(adas.id),
        fence: lease["fence"].as_u64().unwrap(),
        nonce: random::nonce(),
        preview: world.shown(&proposal).await,
        previous: None,
        proposal: proposal.parse().unwrap(),
        proposal_digest: world.digest(&proposal).await,
    };
    moody.turn(DENIES);
    let record = json!({"record": adas.sign(&begin).to_envelope()});
    let begun = world
        .post(&world.ada, &format!("/api/executions/{proposal}/begin"), record)
        .await;
    assert_eq!(begun.refusal(), (409, "wrong_state"));
    assert_eq!(begun.text("currentStatus"), "denied");
    moody.turn(SEED);
    assert_eq!(world.status(&proposal).await, "denied", "it is in the journal");
}

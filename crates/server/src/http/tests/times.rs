//! When something was approved, begun and ended are three times.

use countersign_domain::{
    Record,
    record::{Begin, Holder, Outcome, Receipt},
};

use super::{records::shown, *};
use crate::random;

#[tokio::test]
async fn an_answer_says_apart_when_a_call_was_approved_begun_and_finished() {
    let world = World::new().await;
    let (bob, adas) = (world.join("bob", "approver").await, world.adas_device().await);
    let (_, proposal) = world.proposed(adas.id).await;
    world.preview(&adas, &proposal, shown()).await;
    world.approve(&bob, &proposal).await;
    let approved = world.clock.now();
    let path = format!("/api/assistant/proposals/{proposal}");
    let read = async || world.get(&bob, &path).await.body;
    assert_eq!(read().await["decisions"][0]["at"], json!(approved));
    assert!(read().await["execution"].is_null(), "approved is not begun");

    world.pass(Millis::seconds(30));
    let leased = world.claim(&adas).await;
    let lease = &leased.list("leases")[0];
    let (begun, fence) = (world.clock.now(), lease["fence"].as_u64().unwrap());
    let id = proposal.parse().unwrap();
    let begin = Begin {
        at: begun,
        authority: serde_json::from_value(lease["authority"].clone()).unwrap(),
        device_seq: adas.next(),
        executor: Holder::Device(adas.id),
        fence,
        nonce: random::nonce(),
        preview: world.shown(&proposal).await,
        previous: None,
        proposal: id,
        proposal_digest: world.digest(&proposal).await,
    };
    let step = async |what: &str, record: Record| {
        let path = format!("/api/executions/{proposal}/{what}");
        let body = json!({"record": record.to_envelope()});
        let answer = world.post(&world.ada, &path, body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    };
    step("begin", adas.sign(&begin)).await;
    let execution = read().await["execution"].clone();
    assert_eq!(execution["begunAt"], json!(begun));
    assert!(
        execution["finishedAt"].is_null(),
        "and begun is not finished: {execution}"
    );

    world.pass(Millis::seconds(7));
    let finished = world.clock.now();
    let receipt = Receipt {
        attempts: None,
        device_seq: adas.next(),
        dispatched: true,
        effect: None,
        executor: Holder::Device(adas.id),
        failure: None,
        fence,
        finished_at: finished,
        nonce: random::nonce(),
        outcome: Outcome::Completed,
        previous: None,
        proposal: id,
        proposal_digest: begin.proposal_digest,
        reference: None,
        result: None,
        started_at: begun,
        summary: "Answered 200".to_owned(),
    };
    step("complete", adas.sign(&receipt)).await;
    let execution = read().await["execution"].clone();
    assert_eq!(
        (&execution["begunAt"], &execution["finishedAt"]),
        (&json!(begun), &json!(finished))
    );
}

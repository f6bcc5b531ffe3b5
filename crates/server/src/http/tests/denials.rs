//! The same again after a no.

use countersign_domain::record::Mode;
use serde_json::json;

use super::*;

impl World {
    pub(super) async fn asked(&self, key: &str, text: &str) -> Answer {
        let call = self.bare(Method::POST, "/api/assistant/propose").token(key);
        call.tenant(self.acme).json(json!({"text": text})).await
    }

    /// What the card says of an earlier no.
    async fn told(&self, key: &str, proposed: &Answer) -> Option<String> {
        let id = proposed.body["proposalRecord"]["aiToolCallId"].as_str().unwrap();
        let path = format!("/api/assistant/proposals/{id}");
        let detail = self.bare(Method::GET, &path).token(key).tenant(self.acme).await;
        let mut reasons = detail.list("riskReasons").iter().filter_map(Value::as_str);
        reasons
            .find(|reason| reason.contains("denied"))
            .map(str::to_owned)
    }

    async fn reject(&self, proposed: &Answer, reason: &str) {
        let id = proposed.body["proposalRecord"]["aiToolCallId"].clone();
        let body = json!({"aiToolCallId": id, "reason": reason});
        let answer = self.post(&self.ada, "/api/assistant/reject", body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

#[tokio::test]
async fn who_asks_for_what_was_denied_is_shown_the_no_whoever_asks_and_however_it_is_typed() {
    let world = World::with(Mode::Company).await;
    let ((_, bot), (_, other)) = (world.agent("bot").await, world.agent("other").await);
    let first = world.asked(&bot, "create task: Pay 4711").await;
    assert_eq!(world.told(&bot, &first).await, None);
    world.reject(&first, "Not our\n invoice\u{202E}.").await;
    let reworded = world.asked(&other, "CREATE TASK:  Pay 4711").await;
    let told = world.told(&other, &reworded).await.unwrap();
    assert!(
        told.starts_with("ada denied the same request on ")
            && told.ends_with("UTC: Not our invoice⟦U+202E⟧."),
        "{told}"
    );
    let another = world.asked(&bot, "create task: Pay 4712").await;
    assert_eq!(world.told(&bot, &another).await, None, "that is another request");

    world.reject(&reworded, "Still not.").await;
    let world = world.restarted(|_| ()).await;
    let again = world.asked(&bot, "create task: Pay 4711").await;
    let told = world.told(&bot, &again).await.unwrap();
    assert!(told.ends_with("UTC: Still not."), "the last no counts: {told}");
    world.reject(&again, "No.").await;
    world.pass(Millis::hours(31 * 24));
    let later = world.asked(&bot, "create task: Pay 4711").await;
    assert_eq!(world.told(&bot, &later).await, None, "a month later it is new");
}

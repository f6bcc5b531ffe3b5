//! What is not over, whose move it is, and what has waited too long.

use serde_json::json;

use super::*;

impl World {
    async fn radar(&self) -> Value {
        let radar = self.get(&self.ada, "/api/radar").await;
        assert_eq!(radar.status, 200, "{radar:?}");
        radar.body
    }
}

#[tokio::test]
async fn the_radar_shows_nothing_or_says_what_waits_too_long_and_for_whom() {
    let world = World::new().await;
    assert_eq!(
        world.radar().await,
        json!({"overdue": 0, "proposals": [], "capped": false})
    );
    let (_, key) = world.agent("bookkeeper").await;
    let decide = world.task_of(&key, "Decide on this").await;
    let asked = world.task_of(&key, "Ask about this").await;
    let path = format!("/api/assistant/proposals/{asked}/ask");
    world.post(&world.ada, &path, json!({"text": "Why?"})).await;
    let radar = world.radar().await;
    assert_eq!(radar["overdue"], 0);
    let of = |radar: &Value, id: &str| {
        let rows = radar["proposals"].as_array().unwrap().clone();
        rows.into_iter().find(|row| row["id"] == id).unwrap()
    };
    assert_eq!(
        (
            &of(&radar, &decide)["waitsFor"]["owner"]["kind"],
            &of(&radar, &decide)["waitsFor"]["duty"]
        ),
        (&json!("deciders"), &json!("decide"))
    );
    assert_eq!(
        (
            &of(&radar, &asked)["waitsFor"]["owner"]["kind"],
            &of(&radar, &asked)["waitsFor"]["duty"]
        ),
        (&json!("proposer"), &json!("answer"))
    );

    world.pass(Millis::hours(23));
    let approve = json!({"aiToolCallId": decide});
    world.post(&world.ada, "/api/assistant/approve", approve).await;
    world.pass(Millis::hours(2));
    let radar = world.radar().await;
    assert_eq!(radar["overdue"], 2, "{radar}");
    assert_eq!(of(&radar, &decide)["waitsFor"]["duty"], "begin");
    let detail = world
        .get(&world.ada, &format!("/api/assistant/proposals/{asked}"))
        .await;
    assert_eq!(detail.body["waitsFor"], of(&radar, &asked)["waitsFor"]);
    let run = json!({"aiToolCallId": decide});
    world.post(&world.ada, "/api/assistant/execute", run).await;
    world.pass(Millis::hours(48));
    assert_eq!(
        world.radar().await["proposals"],
        json!([]),
        "nothing waits for ever"
    );
}

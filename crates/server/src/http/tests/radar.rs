//! What is not over, whose move it is, and what has waited too long.

use serde_json::json;

use super::{records::shown, *};

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
    // Its device never comes for it. What the server runs by itself would begin as soon as the clock has moved.
    let device = world.adas_device().await;
    let (_, begin) = world.proposed(device.id).await;
    let path = format!("/api/assistant/proposals/{asked}/ask");
    world.post(&world.ada, &path, json!({"text": "Why?"})).await;
    let radar = world.radar().await;
    assert_eq!(radar["overdue"], 0);
    let whose_move = |radar: &Value, id: &str| {
        let rows = radar["proposals"].as_array().unwrap().clone();
        let row = rows.into_iter().find(|row| row["id"] == id).unwrap();
        let owner = row["waitsFor"]["owner"]["kind"].as_str().unwrap().to_owned();
        (owner, row["waitsFor"]["duty"].as_str().unwrap().to_owned())
    };
    let of = |owner: &str, duty: &str| (owner.to_owned(), duty.to_owned());
    assert_eq!(whose_move(&radar, &decide), of("deciders", "decide"));
    assert_eq!(whose_move(&radar, &asked), of("proposer", "answer"));
    assert_eq!(whose_move(&radar, &begin), of("device", "preview"));

    world.preview(&device, &begin, shown()).await;
    assert_eq!(whose_move(&world.radar().await, &begin), of("deciders", "decide"));
    assert_eq!(world.approve(&world.ada, &begin).await.text("status"), "pending");
    world.pass(Millis::hours(1));
    let radar = world.radar().await;
    assert_eq!(radar["overdue"], 1, "{radar}");
    assert_eq!(whose_move(&radar, &begin), of("device", "begin"));
    world.pass(Millis::hours(24));
    let radar = world.radar().await;
    assert_eq!(radar["overdue"], 3, "{radar}");
    let detail = world
        .get(&world.ada, &format!("/api/assistant/proposals/{asked}"))
        .await;
    let rows = radar["proposals"].as_array().unwrap();
    let due = rows.iter().map(|row| row["waitsFor"]["due"].as_str().unwrap());
    assert!(due.is_sorted(), "what is due first is ahead: {radar}");
    let row = rows.iter().find(|row| row["id"] == *asked).unwrap();
    assert_eq!(detail.body["waitsFor"], row["waitsFor"]);
    world.pass(Millis::hours(48));
    assert_eq!(
        world.radar().await["proposals"],
        json!([]),
        "nothing waits for ever"
    );
}

//! What a decision is told that comes after something else: what that was, when, and who did it.

use super::*;

impl World {
    async fn does(&self, who: &Person, what: &str, body: Value) -> UnixMillis {
        let done = self.post(who, what, body).await;
        assert_eq!(done.status, 200, "{done:?}");
        self.clock.now()
    }
}

#[tokio::test]
async fn a_decision_that_comes_too_late_is_told_what_came_first_when_and_by_whom() {
    let world = World::new().await;
    let (_, bot) = world.agent("bookkeeper").await;
    let bob = world.join("bob", "approver").await;
    let asked = async |title: &str| {
        let proposed = world.asked(&bot, &format!("create task: {title}")).await;
        let id = &proposed.body["proposalRecord"]["aiToolCallId"];
        id.as_str().unwrap().to_owned()
    };
    let late = async |id: &str| {
        world.pass(Millis::hours(1));
        let answer = world
            .post(&bob, "/api/assistant/approve", json!({"aiToolCallId": id}))
            .await;
        let said = (answer.body["at"].clone(), answer.body["by"].clone());
        (answer.refusal().1.to_owned(), said)
    };
    let person = |at: UnixMillis| (json!(at.to_string()), json!(world.ada.id));
    let nobody = |at: UnixMillis| (json!(at.to_string()), Value::Null);

    let id = asked("rejected").await;
    let no = json!({"aiToolCallId": id, "reason": "No."});
    let at = world.does(&world.ada, "/api/assistant/reject", no).await;
    assert_eq!(late(&id).await, ("decided".to_owned(), person(at)));

    let id = asked("taken back").await;
    let back = world.bare(Method::POST, &format!("/api/assistant/proposals/{id}/withdraw"));
    assert_eq!(
        back.token(&bot).tenant(world.acme).json(json!({})).await.status,
        200
    );
    let at = world.clock.now();
    assert_eq!(late(&id).await, ("withdrawn".to_owned(), nobody(at)));

    let id = asked("replaced").await;
    let other = json!({"toolId": "assistant.create_task", "input": {"title": "Other"}, "supersedes": id});
    let at = world.does(&world.ada, "/api/assistant/propose", other).await;
    assert_eq!(late(&id).await, ("superseded".to_owned(), nobody(at)));

    let id = asked("run").await;
    let yes = json!({"aiToolCallId": id});
    world
        .does(&world.ada, "/api/assistant/approve", yes.clone())
        .await;
    let at = world.does(&world.ada, "/api/assistant/execute", yes).await;
    assert_eq!(late(&id).await, ("too_late".to_owned(), nobody(at)));

    let id = asked("expired").await;
    let expires = world.look(&bot, &id).await.text("expiresAt").to_owned();
    world.pass(Millis::hours(100));
    assert_eq!(
        late(&id).await,
        ("expired".to_owned(), (json!(expires), Value::Null))
    );
}

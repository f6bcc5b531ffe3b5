//! How much one proposer, one credential and one address may ask for.

use axum::http::header::RETRY_AFTER;

use super::*;

impl World {
    fn proposing(&self, key: &str, title: &str) -> Call {
        let text = json!({"text": format!("create task: {title}")});
        let propose = self.bare(Method::POST, "/api/assistant/propose").token(key);
        propose.tenant(self.acme).json(text)
    }

    /// Opens a call and leaves its answer unread.
    pub(super) async fn opened(&self, token: &str, path: &str) -> axum::response::Response {
        let call = self.bare(Method::GET, path).token(token).tenant(self.acme);
        self.router
            .clone()
            .oneshot(call.request.body(Body::empty()).unwrap())
            .await
            .unwrap()
    }
}

fn id(proposed: &Answer) -> String {
    assert_eq!(proposed.status, 200, "{proposed:?}");
    proposed.body["proposalRecord"]["aiToolCallId"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn an_agent_that_does_not_stop_does_not_fill_the_inbox() {
    let world = World::configured(Mode::Company, |config| config.max_open = Some(3)).await;
    let ((_, runaway), (_, other)) = (world.agent("runaway").await, world.agent("other").await);
    let mut open = Vec::new();
    for title in ["a", "b", "c"] {
        open.push(id(&world.proposing(&runaway, title).await));
    }
    let refused = world.proposing(&runaway, "d").await;
    assert_eq!(refused.refusal(), (429, "too_many_open"));
    assert_eq!(refused.headers[RETRY_AFTER], "60");
    let again = world.proposing(&runaway, "a").await;
    assert_eq!(
        id(&again),
        open[0],
        "asking again for what waits is no new request"
    );
    id(&world.proposing(&other, "a").await);
    id(&world.proposing(&world.ada.token, "a").await);

    let instead = json!({"toolId": "assistant.create_task", "input": {"title": "e"}, "supersedes": open[0]});
    let replace = world.bare(Method::POST, "/api/assistant/propose").token(&runaway);
    let replaced = id(&replace.tenant(world.acme).json(instead).await);
    assert_eq!(world.proposing(&runaway, "d").await.status, 429, "one for one");

    assert_eq!(
        world.approve(&world.ada, &replaced).await.text("status"),
        "pending"
    );
    id(&world.proposing(&runaway, "d").await);
    assert_eq!(world.proposing(&runaway, "f").await.status, 429);
    let reject = json!({"aiToolCallId": open[1], "reason": "no"});
    assert_eq!(
        world
            .post(&world.ada, "/api/assistant/reject", reject)
            .await
            .status,
        200
    );
    id(&world.proposing(&runaway, "f").await);
    assert_eq!(world.proposing(&runaway, "g").await.status, 429);
    world.pass(Millis::hours(72));
    id(&world.proposing(&runaway, "g").await);
}

#[tokio::test]
async fn an_agent_that_does_not_stop_does_not_fill_the_disk() {
    let world = World::configured(Mode::Company, |config| config.max_rate = Some(3)).await;
    let ((_, runaway), (_, other)) = (world.agent("runaway").await, world.agent("other").await);
    let check = |key: &str, turn: &str| {
        let call = world.bare(Method::POST, "/api/assistant/propose").token(key);
        call.header("idempotency-key", turn)
            .tenant(world.acme)
            .json(json!({"text": "system health"}))
    };
    for turn in ["1", "2", "3"] {
        id(&check(&runaway, turn).await);
    }
    let refused = check(&runaway, "4").await;
    assert_eq!(
        refused.refusal(),
        (429, "rate_limited"),
        "it runs by itself, so nobody else stops it"
    );
    assert_eq!(refused.headers[RETRY_AFTER], "300");
    id(&check(&other, "1").await);
    world.pass(Millis::seconds(300));
    id(&check(&runaway, "4").await);
}

#[tokio::test]
async fn a_retry_names_what_came_to_nothing_of_the_proposer_or_is_taken_on_by_who_decides() {
    let world = World::new().await;
    let ((_, bot), (_, other)) = (world.agent("bot").await, world.agent("other").await);
    let retry = |key: &str, of: &str| {
        let again = json!({"text": "create task: a", "retryOf": of});
        let call = world.bare(Method::POST, "/api/assistant/propose").token(key);
        call.tenant(world.acme).json(again)
    };
    let first = id(&world.proposing(&bot, "a").await);
    let field = |answer: &Answer| answer.body["field"].as_str().map(str::to_owned);
    let open = retry(&bot, &first).await;
    assert_eq!(open.refusal(), (400, "invalid_field"), "it is not over yet");
    assert_eq!(field(&open).as_deref(), Some("retryOf"));
    let reject = json!({"aiToolCallId": first, "reason": "no"});
    world.post(&world.ada, "/api/assistant/reject", reject).await;
    assert_eq!(
        retry(&other, &first).await.refusal(),
        (400, "invalid_field"),
        "it is another's"
    );
    let member = world.join("mel", "member").await;
    assert_eq!(
        retry(&member.token, &first).await.refusal(),
        (400, "invalid_field"),
        "who decides nothing takes nothing on"
    );
    let taken_on = id(&retry(&world.ada.token, &first).await);
    let of = |id: &str| world.get(&world.ada, &format!("/api/assistant/proposals/{id}"));
    assert_eq!(
        of(&taken_on).await.text("retryOf"),
        first,
        "who decides takes it on"
    );
    let again = id(&retry(&bot, &first).await);
    let detail = world
        .get(&world.ada, &format!("/api/assistant/proposals/{again}"))
        .await;
    assert_eq!(detail.text("retryOf"), first);
    world.approve(&world.ada, &again).await;
    let run = json!({"aiToolCallId": again});
    let ran = world.post(&world.ada, "/api/assistant/execute", run).await;
    assert_eq!(ran.text("status"), "completed");
    assert_eq!(
        retry(&bot, &again).await.refusal(),
        (400, "invalid_field"),
        "what is done did not come to nothing"
    );
    let (waits, better) = (
        id(&world.proposing(&bot, "b").await),
        world.bare(Method::POST, "/api/assistant/propose"),
    );
    let instead = json!({"text": "create task: c", "supersedes": waits});
    id(&better.token(&bot).tenant(world.acme).json(instead).await);
    assert_eq!(
        retry(&bot, &waits).await.refusal(),
        (400, "invalid_field"),
        "something else was asked for in its place"
    );
    assert_ne!(
        again,
        id(&world.proposing(&bot, "a").await),
        "a retry is not the same request as a first try"
    );
}

#[tokio::test]
async fn how_much_waits_is_known_after_a_restart() {
    let world = World::configured(Mode::Company, |config| config.max_open = Some(2)).await;
    let (_, key) = world.agent("bot").await;
    for title in ["a", "b"] {
        id(&world.proposing(&key, title).await);
    }
    let world = world.restarted(|config| config.max_open = Some(2)).await;
    assert_eq!(world.proposing(&key, "c").await.refusal(), (429, "too_many_open"));
}

#[tokio::test]
async fn one_session_listens_on_so_many_streams_and_no_more() {
    let world = World::new().await;
    let other = world
        .sign_in("ada@acme.example", PASSWORD)
        .await
        .text("token")
        .to_owned();
    let mut streams = Vec::new();
    for _ in 0..32 {
        let stream = world.opened(&world.ada.token, "/api/journal/events").await;
        assert_eq!(stream.status().as_u16(), 200);
        streams.push(stream);
    }
    let refused = world.get(&world.ada, "/api/journal/events").await;
    assert_eq!(refused.refusal(), (429, "too_many_open_calls"));
    assert_eq!(refused.headers[RETRY_AFTER], "5");
    let elsewhere = world.opened(&other, "/api/journal/events").await;
    assert_eq!(elsewhere.status().as_u16(), 200, "another session is another's");
    streams.pop();
    let after = world.opened(&world.ada.token, "/api/journal/events").await;
    assert_eq!(after.status().as_u16(), 200, "what has ended makes room");
}

#[tokio::test]
async fn who_is_sent_away_without_end_is_told_to_wait_and_nobody_else_at_that_address() {
    let world = World::new().await;
    let ask = |token: &str| {
        world
            .bare(Method::GET, "/api/tenant")
            .token(token)
            .tenant(world.acme)
    };
    for _ in 0..1_000 {
        assert_eq!(ask("a guess").await.status, 401);
    }
    let slowed = ask("a guess").await;
    assert_eq!(slowed.refusal(), (429, "rate_limited"));
    assert_eq!(slowed.headers[RETRY_AFTER], "300");
    assert_eq!(
        ask(&world.ada.token).await.status,
        200,
        "a right credential is served"
    );
    world.pass(Millis::seconds(300));
    assert_eq!(ask("a guess").await.status, 401);
}

#[tokio::test]
async fn whose_credential_is_over_is_told_so_whatever_else_comes_from_that_address() {
    let world = World::new().await;
    let bob = world.join("bob", "approver").await;
    let (id, revoked) = world.agent("bot").await;
    let signed_out = world.sign_in("ada@acme.example", PASSWORD).await;
    let signed_out = signed_out.text("token");
    world.pass(Millis::hours(20 * 24));
    let out = world.bare(Method::POST, "/api/auth/sign-out").token(signed_out);
    assert_eq!(out.await.status, 204);
    let revoke = format!("/api/agents/{id}/revoke");
    assert_eq!(world.post(&world.ada, &revoke, json!({})).await.status, 204);
    world.pass(Millis::hours(20 * 24));
    let expired = &bob.token;

    let ask = |token: &str| {
        let call = world.bare(Method::GET, "/api/tools").token(token);
        call.tenant(world.acme)
    };
    for _ in 0..1_000 {
        assert_eq!(ask("a guess").await.status, 401);
    }
    assert_eq!(ask("a guess").await.status, 429);
    for over in [expired, signed_out, &revoked] {
        assert_eq!(ask(over).await.refusal(), (401, "unauthorized"));
    }
    for _ in 1..1_000 {
        assert_eq!(ask(expired).await.status, 401);
    }
    let slowed = ask(expired).await;
    assert_eq!(
        slowed.refusal(),
        (429, "rate_limited"),
        "it was told often enough"
    );
    assert_eq!(ask(&revoked).await.status, 401, "that is the other one's trouble");
}

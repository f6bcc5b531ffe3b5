//! A call that is not to run before a time: held until then, and taken back until then.

use countersign_domain::UnixMillis;
use serde_json::json;

use super::*;

impl World {
    fn scheduled(&self, title: &str, at: UnixMillis, expires: Option<UnixMillis>) -> Call {
        let mut body = json!({
            "toolId": "assistant.create_task",
            "input": {"title": title},
            "notBefore": at,
        });
        if let Some(expires) = expires {
            body["expiresAt"] = json!(expires);
        }
        self.post_as_ada(body)
    }

    fn post_as_ada(&self, body: Value) -> Call {
        let call = self
            .bare(Method::POST, "/api/assistant/propose")
            .token(&self.ada.token);
        call.tenant(self.acme).json(body)
    }
}

fn id_of(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["proposalRecord"]["aiToolCallId"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn what_is_scheduled_runs_at_its_time_and_can_be_refused_until_then() {
    let world = World::new().await;
    let bob = world.join("bob", "approver").await;
    let due = world.clock.now() + Millis::hours(1);
    let (kept, dropped) = (
        id_of(&world.scheduled("Open the gate", due, None).await),
        id_of(&world.scheduled("Close the gate", due, None).await),
    );
    let look = async |id: &str| world.get(&bob, &format!("/api/assistant/proposals/{id}")).await;
    assert_eq!(
        look(&kept).await.body["notBefore"],
        json!(due),
        "whoever decides sees when"
    );
    for id in [&kept, &dropped] {
        assert_eq!(world.approve(&bob, id).await.text("status"), "pending");
    }
    world.pass(Millis(Millis::hours(1).0 - 1));
    for id in [&kept, &dropped] {
        assert_eq!(
            look(id).await.text("status"),
            "pending",
            "a millisecond too early"
        );
    }
    let no = json!({"aiToolCallId": dropped, "reason": "Not today"});
    let refused = world.post(&bob, "/api/assistant/reject", no.clone()).await;
    assert_eq!(refused.text("status"), "rejected", "until it begins a no wins");
    world.pass(Millis(1));
    let run = json!({"aiToolCallId": kept});
    assert_eq!(
        world
            .post(&bob, "/api/assistant/execute", run)
            .await
            .text("status"),
        "completed"
    );
    let late = json!({"aiToolCallId": kept, "reason": "Not today"});
    assert_eq!(
        world.post(&bob, "/api/assistant/reject", late).await.refusal(),
        (409, "too_late")
    );
    assert_eq!(
        look(&dropped).await.text("status"),
        "rejected",
        "and what was refused never ran"
    );
}

#[tokio::test]
async fn what_would_expire_before_it_may_run_is_refused_at_the_field() {
    let world = World::new().await;
    let expires = world.clock.now() + Millis::hours(2);
    for (after, fits) in [(-1, true), (0, false), (1, false)] {
        let at = expires + Millis(after);
        let answer = world
            .scheduled(&format!("Number {after}"), at, Some(expires))
            .await;
        if fits {
            id_of(&answer);
        } else {
            assert_eq!(
                answer.refusal(),
                (400, "invalid_field"),
                "{after} ms from its end"
            );
            assert_eq!(answer.text("field"), "notBefore");
        }
    }
}

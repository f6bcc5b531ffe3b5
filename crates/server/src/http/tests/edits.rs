//! A proposal that somebody edits: another proposal takes its place, and is asked about anew.

use serde_json::json;

use super::*;

fn id_of(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["proposalRecord"]["aiToolCallId"]
        .as_str()
        .unwrap()
        .to_owned()
}

impl World {
    fn edit(&self, token: &str, tool: &str, input: Value, of: &str) -> Call {
        let body = json!({"toolId": tool, "input": input, "supersedes": of});
        let call = self.bare(Method::POST, "/api/assistant/propose").token(token);
        call.tenant(self.acme).json(body)
    }

    pub(super) fn look(&self, token: &str, id: &str) -> Call {
        let call = self
            .bare(Method::GET, &format!("/api/assistant/proposals/{id}"))
            .token(token);
        call.tenant(self.acme)
    }
}

#[tokio::test]
async fn an_edit_takes_the_place_of_what_was_asked_and_its_editor_does_not_approve_it() {
    let world = World::new().await;
    let ((_, bot), (_, stranger)) = (world.agent("bot").await, world.agent("stranger").await);
    let (bob, mia) = (
        world.join("bob", "approver").await,
        world.join("mia", "member").await,
    );
    let task = json!({"text": "create task: Pay 4711 today"});
    let asked = world.bare(Method::POST, "/api/assistant/propose").token(&bot);
    let first = id_of(&asked.tenant(world.acme).json(task).await);
    let better = json!({"title": "Pay 4711 on Friday"});
    let create = "assistant.create_task";
    for token in [&stranger, &mia.token] {
        let refused = world.edit(token, create, better.clone(), &first).await;
        assert_eq!(
            refused.refusal(),
            (400, "invalid_field"),
            "only who decides edits what others asked"
        );
    }
    let health = world
        .edit(&bob.token, "assistant.system_health_check", json!({}), &first)
        .await;
    assert_eq!(
        health.refusal(),
        (400, "invalid_field"),
        "another tool is another request"
    );

    let second = id_of(&world.edit(&bob.token, create, better, &first).await);
    let before = world.look(&bot, &first).await;
    assert_eq!(
        (
            before.text("status"),
            before.text("supersededBy"),
            before.text("closed")
        ),
        ("superseded", second.as_str(), "Edited by bob")
    );
    assert_eq!(
        before.body["input"]["title"], "Pay 4711 today",
        "what was asked stays as it was"
    );
    let now = world.look(&bot, &second).await;
    assert_eq!(
        (now.text("supersedes"), now.text("status")),
        (first.as_str(), "proposed")
    );
    assert_eq!(now.body["input"]["title"], "Pay 4711 on Friday");
    assert_eq!(world.look(&stranger, &second).await.refusal(), (404, "not_found"));
    assert_eq!(world.approve(&bob, &first).await.refusal(), (409, "superseded"));
    assert_eq!(
        world.approve(&bob, &second).await.refusal(),
        (403, "self_approval")
    );
    assert_eq!(world.approve(&world.ada, &second).await.text("status"), "pending");
}

#[tokio::test]
async fn nobody_who_had_a_hand_in_it_approves_what_became_of_it_however_often_it_was_edited() {
    let world = World::new().await;
    let (bob, carl, dana) = (
        world.join("bob", "approver").await,
        world.join("carl", "approver").await,
        world.join("dana", "approver").await,
    );
    let task = json!({"text": "create task: Raise my budget"});
    let mut now = id_of(&world.post(&bob, "/api/assistant/propose", task).await);
    for (editor, title) in [
        (&carl, "Raise Bob's budget"),
        (&carl, "Raise Bob's budget a little"),
        (&dana, "Raise Bob's budget very little"),
        (&bob, "Raise my budget after all"),
        (&carl, "Raise Bob's budget, says Carl"),
    ] {
        let better = json!({"title": title});
        now = id_of(
            &world
                .edit(&editor.token, "assistant.create_task", better, &now)
                .await,
        );
        assert_eq!(
            world.approve(&bob, &now).await.refusal(),
            (403, "self_approval"),
            "{title}: he has asked for it"
        );
        assert_eq!(
            world.approve(&carl, &now).await.refusal(),
            (403, "self_approval"),
            "{title}: he has written on it"
        );
    }
    assert_eq!(
        world.approve(&dana, &now).await.refusal(),
        (403, "self_approval"),
        "also two edits later"
    );
    let no = json!({"aiToolCallId": now, "reason": "Not this year."});
    let denied = world.post(&world.ada, "/api/assistant/reject", no).await;
    assert_eq!(denied.status, 200, "{denied:?}");
    let again = json!({"toolId": "assistant.create_task", "input": {"title": "Raise Bob's budget, says Carl"}, "retryOf": now});
    let again = id_of(&world.post(&carl, "/api/assistant/propose", again).await);
    for one in [&bob, &carl, &dana] {
        assert_eq!(
            world.approve(one, &again).await.refusal(),
            (403, "self_approval"),
            "and once more"
        );
    }
    assert_eq!(world.approve(&world.ada, &again).await.text("status"), "pending");
}

#[tokio::test]
async fn for_whom_it_was_asked_does_not_approve_the_edit_either() {
    let world = World::new().await;
    let (bob, carl) = (
        world.join("bob", "approver").await,
        world.join("carl", "approver").await,
    );
    let task = json!({"text": "create task: Raise my budget"});
    let first = id_of(&world.post(&bob, "/api/assistant/propose", task).await);
    let better = json!({"title": "Raise Bob's budget a little"});
    let second = id_of(
        &world
            .edit(&carl.token, "assistant.create_task", better, &first)
            .await,
    );
    assert_eq!(
        world.approve(&bob, &second).await.refusal(),
        (403, "self_approval")
    );
    assert_eq!(
        world.approve(&carl, &second).await.refusal(),
        (403, "self_approval")
    );
    assert_eq!(world.approve(&world.ada, &second).await.text("status"), "pending");
}

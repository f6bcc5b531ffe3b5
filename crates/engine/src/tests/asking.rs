use countersign_domain::{Millis, id::ProposalId, record::Mode, wire::ProposalDetail};

use super::world::{World, eventually};
use crate::{
    ErrorCode,
    views::{StateKind, inbox::InboxView},
};

impl World {
    async fn agent_calls(
        &self,
        method: reqwest::Method,
        path: &str,
        body: Option<serde_json::Value>,
    ) -> (u16, String) {
        let call = reqwest::Client::new()
            .request(method, format!("{}/api/assistant/proposals/{path}", self.url))
            .bearer_auth(self.agent_key())
            .header("x-tenant-id", self.tenant.to_string())
            .header("content-type", "application/json");
        let call = match body {
            Some(body) => call.body(body.to_string()),
            None => call,
        };
        let answer = call.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// What the agent sees, once it has changed.
    async fn agent_waits(&self, id: ProposalId, revision: u64) -> ProposalDetail {
        let path = format!("{id}?wait=30&revision={revision}");
        let (status, text) = self.agent_calls(reqwest::Method::GET, &path, None).await;
        assert_eq!(status, 200, "{text}");
        serde_json::from_str(&text).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_asks_an_agent_that_waits_and_reads_its_answer_on_the_card() {
    let world = World::new(Mode::Company).await;
    let device = world.device().await;
    let id = world.propose_task("Pay 4711").await;
    let before = device.card(id).await;
    assert!(before.ask.as_ref().unwrap().is_armed() && before.questions.is_empty());
    let empty = device.engine.ask(id, "  ".to_owned()).await.unwrap_err();
    assert_eq!(
        (empty.code, empty.field.as_deref()),
        (ErrorCode::Invalid, Some("text"))
    );

    device.offline().await;
    device
        .engine
        .ask(id, "Which account?\nIt has two.".to_owned())
        .await
        .unwrap();
    let card = device.card(id).await;
    assert!(card.questions[0].on_its_way, "it is on this device only");
    assert!(card.approve.is_armed(), "asking decides nothing");
    let device = device.crash(true).await;
    device.engine.cut_off(false);

    let revision = world.agent_waits(id, 0).await.revision;
    let detail = match world.agent_waits(id, 0).await {
        detail if detail.questions.is_empty() => world.agent_waits(id, revision).await,
        detail => detail,
    };
    let question = &detail.questions[0];
    assert_eq!(
        (question.text.as_str(), question.by),
        ("Which account?\nIt has two.", world.owner)
    );
    assert_eq!(detail.status, countersign_domain::fold::Status::Proposed);
    device.says(id, "You asked ").await;
    let row = device.inbox(InboxView::ToDecide).await.rows.remove(0);
    assert!(
        row.state.words.ends_with("Which account? It has two."),
        "{}",
        row.state.words
    );

    let body = serde_json::json!({"question": question.question, "text": "The one in Berlin."});
    let (status, text) = world
        .agent_calls(reqwest::Method::POST, &format!("{id}/answer"), Some(body.clone()))
        .await;
    assert_eq!(status, 200, "{text}");
    let (status, _) = world
        .agent_calls(reqwest::Method::POST, &format!("{id}/answer"), Some(body))
        .await;
    assert_eq!(status, 409, "once");
    let ask = serde_json::json!({"text": "Why?"});
    let (status, _) = world
        .agent_calls(reqwest::Method::POST, &format!("{id}/ask"), Some(ask))
        .await;
    assert_eq!(status, 403, "an agent decides nothing, so it asks nothing");
    device.says(id, "Waits for a decision").await;
    let card = device.card(id).await;
    let answer = card.questions[0].answer.clone().unwrap();
    assert_eq!(
        (answer.who.as_str(), answer.text.as_str()),
        ("Billing bot answered", "The one in Berlin.")
    );
    assert_eq!(card.expires_at, before.expires_at, "its clock went on");
    assert_eq!(
        card.view_digest, before.view_digest,
        "and what is approved is the same"
    );
    device.approve(id).await;
    device.says(id, "Done").await;
    let late = device
        .engine
        .ask(id, "Was it right?".to_owned())
        .await
        .unwrap_err();
    assert_eq!(late.code, ErrorCode::Refused);
    assert!(device.card(id).await.ask.is_none());
    assert!(device.engine.verify_journal().await.unwrap().ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_answers_a_question_about_their_own_request_in_the_app() {
    let world = World::new(Mode::Company).await;
    let ada = world.device().await;
    let bob = world.colleague(&ada, "bob").await;
    world.vouch(&ada, &bob).await;
    let id = ada.engine.submit("create task: Buy a boat", "").await.unwrap();
    bob.card(id).await;
    assert!(ada.card(id).await.ask.is_none(), "nobody asks themselves");
    bob.engine.ask(id, "What for?".to_owned()).await.unwrap();
    ada.says(id, "bob asked ").await;
    let question = ada.card(id).await.questions.remove(0);
    assert!(question.may_answer.unwrap().is_armed());
    assert!(
        bob.card(id).await.questions[0].may_answer.is_none(),
        "it is not his to answer"
    );
    ada.engine
        .answer(id, question.question, "To cross the river.".to_owned())
        .await
        .unwrap();
    eventually("bob reads the answer", async || {
        let questions = bob.card(id).await.questions;
        questions[0]
            .answer
            .as_ref()
            .is_some_and(|answer| answer.text == "To cross the river.")
    })
    .await;
    let twice = ada
        .engine
        .answer(id, question.question, "Again.".to_owned())
        .await
        .unwrap_err();
    assert_eq!(twice.code, ErrorCode::Refused);
    world.clock.advance(Millis::hours(73));
    ada.fakes.clock.advance(Millis::hours(73));
    assert_eq!(
        ada.card(id).await.state.kind,
        StateKind::Expired,
        "a question stops no clock"
    );
}

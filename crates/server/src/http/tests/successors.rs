//! A tool changes with an update of the server while somebody waits for an answer.

use std::sync::Arc;

use countersign_domain::{
    record::{Proposer, ProposerKind},
    wire,
};
use serde_json::json;

use super::*;
use crate::{
    ingress::{Rules, Understood},
    tenant::tests::changed_tools::with_changed_tasks,
};

#[tokio::test]
async fn an_agent_that_waits_is_told_what_took_the_place_of_its_request() {
    let world = World::new().await;
    let (agent, key) = world.agent("bot").await;
    let rules = world.server.app().rules().clone();
    let older = Rules {
        registry: Arc::new(with_changed_tasks(200)),
        policy: Arc::clone(&rules.policy),
        max_open: None,
    };
    let store = world.store();
    store.update_tools(older.clone()).await.unwrap();
    let proposer = Proposer {
        contributors: Default::default(),
        id: agent,
        kind: ProposerKind::Agent,
        name: "bot".to_owned(),
        on_behalf_of: None,
        run: None,
    };
    let request = wire::Propose {
        text: Some("create task: Call the bank".to_owned()),
        note: Some("They asked for it.".to_owned()),
        ..wire::Propose::default()
    };
    let proposed = older.propose(&store, proposer, request, None).await.unwrap();
    let Understood::Stored { stored, .. } = proposed else {
        panic!("{proposed:?}");
    };
    let old = stored.state.id.to_string();
    assert_eq!(
        world.approve(&world.ada, &old).await.refusal(),
        (409, "view_mismatch")
    );

    let path = format!("/api/assistant/proposals/{old}?wait=45");
    let call = world.bare(Method::GET, &path).token(&key).tenant(world.acme);
    // Whether the call waits already or comes too late makes no difference to the answer.
    let (answer, updated) = tokio::join!(call.into_future(), store.update_tools(rules));
    updated.unwrap();
    assert_eq!((answer.status, answer.text("status")), (200, "superseded"));
    let new = answer.text("supersededBy").to_owned();
    assert!(answer.text("closed").contains("made again"), "{answer:?}");

    let detail = world.bare(Method::GET, &format!("/api/assistant/proposals/{new}"));
    let detail = detail.token(&key).tenant(world.acme).await;
    assert_eq!(
        (detail.text("status"), detail.text("supersedes")),
        ("proposed", old.as_str()),
        "it is the agent's own, and asks people again"
    );
    let again = world
        .bare(Method::POST, "/api/assistant/propose")
        .token(&key)
        .tenant(world.acme);
    let again = again.json(json!({"text": "create task: Call the bank"})).await;
    assert_eq!(
        again.body["proposalRecord"]["aiToolCallId"], new,
        "the key names it"
    );
    assert_eq!(again.body["proposalRecord"]["created"], false);

    assert_eq!(
        world.approve(&world.ada, &old).await.refusal(),
        (409, "superseded")
    );
    assert_eq!(world.approve(&world.ada, &new).await.text("status"), "pending");
    let ran = world
        .post(&world.ada, "/api/assistant/execute", json!({"aiToolCallId": new}))
        .await;
    assert_eq!((ran.status, ran.text("status")), (200, "completed"));
}

#[tokio::test]
async fn what_takes_its_place_still_says_who_had_denied_the_same() {
    let world = World::new().await;
    let (agent, key) = world.agent("bot").await;
    let denied = world.bare(Method::POST, "/api/assistant/propose").token(&key);
    let denied = denied
        .tenant(world.acme)
        .json(json!({"text": "create task: Pay 4711"}))
        .await;
    let id = &denied.body["proposalRecord"]["aiToolCallId"];
    let no = json!({"aiToolCallId": id, "reason": "Not ours."});
    assert_eq!(
        world.post(&world.ada, "/api/assistant/reject", no).await.status,
        200
    );

    let rules = world.server.app().rules().clone();
    let older = Rules {
        registry: Arc::new(with_changed_tasks(200)),
        policy: Arc::clone(&rules.policy),
        max_open: None,
    };
    let store = world.store();
    store.update_tools(older.clone()).await.unwrap();
    let proposer = Proposer {
        contributors: Default::default(),
        id: agent,
        kind: ProposerKind::Agent,
        name: "bot".to_owned(),
        on_behalf_of: None,
        run: None,
    };
    let request = wire::Propose {
        text: Some("create task: Pay 4711".to_owned()),
        ..wire::Propose::default()
    };
    let proposed = older.propose(&store, proposer, request, None).await.unwrap();
    let Understood::Stored { stored, .. } = proposed else {
        panic!("{proposed:?}");
    };
    let again = stored.state.id.to_string();
    store.update_tools(rules).await.unwrap();
    let detail = async |id: &str| {
        world
            .get(&world.ada, &format!("/api/assistant/proposals/{id}"))
            .await
    };
    let successor = detail(&again).await.text("supersededBy").to_owned();
    let said = detail(&successor).await.body["riskReasons"].to_string();
    assert!(
        said.contains("denied the same request") && said.contains("Not ours."),
        "{said}"
    );
}

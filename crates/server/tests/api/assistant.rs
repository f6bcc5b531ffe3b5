//! The assistant endpoints as their callers meet them, and the seed's weaknesses (contract §1.9) shown to be gone.

use std::time::Duration;

use axum::{
    body::to_bytes,
    http::{StatusCode, request::Builder},
};
use countersign_domain::record::Mode;
use serde_json::{Value, json};

use super::{World, request};

/// One answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Value,
}

impl World {
    async fn call(&self, method: &str, path: &str, token: &str, body: impl Into<String>) -> Answer {
        self.answer(request(method, path, token, self.tenant), body).await
    }

    async fn answer(&self, request: Builder, body: impl Into<String>) -> Answer {
        let answer = self.send(request, body.into()).await;
        let status = answer.status();
        let bytes = to_bytes(answer.into_body(), 1 << 22).await.unwrap();
        Answer {
            status,
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        }
    }

    pub(super) async fn post(&self, path: &str, token: &str, body: Value) -> Answer {
        self.call("POST", path, token, body.to_string()).await
    }

    pub(super) async fn get(&self, path: &str, token: &str) -> Answer {
        self.call("GET", path, token, "").await
    }

    pub(super) async fn propose(&self, text: &str) -> String {
        let answer = self
            .post("/api/assistant/propose", &self.agent, json!({"text": text}))
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        answer.body["proposalRecord"]["aiToolCallId"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    pub(super) async fn decide(&self, what: &str, id: &str) -> Answer {
        let body = match what {
            "approve" => json!({"aiToolCallId": id}),
            _ => json!({"aiToolCallId": id, "reason": "Not now"}),
        };
        self.post(&format!("/api/assistant/{what}"), &self.person, body)
            .await
    }

    pub(super) async fn tasks(&self) -> usize {
        self.get("/api/tasks", &self.person).await.body["tasks"]
            .as_array()
            .unwrap()
            .len()
    }
}

fn code(answer: &Answer) -> (u16, &str) {
    (
        answer.status.as_u16(),
        answer.body["code"].as_str().unwrap_or_default(),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proposal_is_answered_in_the_seeds_own_fields() {
    let world = World::company().await;
    let answer = world
        .post(
            "/api/assistant/propose",
            &world.agent,
            json!({"text": "create task: Review"}),
        )
        .await;
    let body = &answer.body;
    assert_eq!(body["ok"], true);
    assert_eq!(body["tenantId"], world.tenant.to_string());
    assert_eq!(
        body["proposed"],
        json!({"toolId": "assistant.create_task", "input": {"title": "Review"}, "riskLevel": "medium"})
    );
    assert_eq!(
        body["policy"],
        json!({
            "decision": "requires_approval",
            "reason": "Medium risk tool - requires user approval before execution"
        })
    );
    assert_eq!(body["proposalRecord"]["status"], "proposed");
    let key = body["proposalRecord"]["toolCallId"].as_str().unwrap();
    assert!(
        key.starts_with("assistant:propose:v1:") && key.len() == 21 + 64,
        "the seed's key: {key}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_understood_is_said_so_and_stored_nowhere() {
    let world = World::company().await;
    for (text, reason) in [
        ("make me a sandwich", "no_intent_match"),
        ("   ", "no_intent_match"),
        ("create  task: two spaces", "no_intent_match"),
        ("summarize thread: thread_12345", "tool_not_found"),
        ("draft email to: a@b.c subject: S context: C", "tool_not_found"),
    ] {
        let answer = world
            .post("/api/assistant/propose", &world.agent, json!({"text": text}))
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{text:?}: {answer:?}");
        assert_eq!(answer.body["proposed"], Value::Null, "{text:?}");
        assert_eq!(answer.body["reason"], reason, "{text:?}");
    }
    let unknown = json!({"toolId": "shell.run", "input": {"command": "rm"}});
    let answer = world.post("/api/assistant/propose", &world.agent, unknown).await;
    assert_eq!(answer.body["reason"], "tool_not_found");
    let list = world.get("/api/assistant/proposals", &world.person).await;
    assert_eq!(list.body["proposals"], json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_input_is_refused_with_a_sentence_and_a_code() {
    let world = World::company().await;
    let deep = format!("{}1{}", "[".repeat(40), "]".repeat(40));
    let input = |input: &str| format!(r#"{{"toolId":"assistant.create_task","input":{input}}}"#);
    for body in [
        "{}".to_owned(),
        r#"{"text":""}"#.to_owned(),
        r#"{"text":42}"#.to_owned(),
        r#"{"text":"create task: x","surprise":1}"#.to_owned(),
        r#"{"text":"create task: x","text":"create task: y"}"#.to_owned(),
        r#"{"text":"create task: x","toolId":"assistant.create_task"}"#.to_owned(),
        r#"{"toolId":"assistant.create_task"}"#.to_owned(),
        "null".to_owned(),
        "[]".to_owned(),
        "not json".to_owned(),
        r#"{"text":"create task: x"} trailing"#.to_owned(),
        input(r#"{"title":42}"#),
        input(r#"{"title":"x","priority":"nuclear"}"#),
        input(r#"{"title":"x","colour":"red"}"#),
        input(r#"{"title":"x","title":"y"}"#),
        input(r#"{"title":"x","n":9007199254740993}"#),
        input(r#"{"title":"x","n":0.5}"#),
        input(&format!(r#"{{"title":"x","n":{deep}}}"#)),
        input(r#"{"title":"\ud800"}"#),
        input(r#"{}"#),
        input(r#"{"title":"x","dueDate":"yesterday"}"#),
    ] {
        let answer = world
            .call("POST", "/api/assistant/propose", &world.agent, body.clone())
            .await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}: {answer:?}");
        assert!(
            answer.body["error"].as_str().is_some_and(|text| !text.is_empty()),
            "{body}: {answer:?}"
        );
        assert!(
            answer.body["code"].as_str().is_some_and(|text| !text.is_empty()),
            "{body}: {answer:?}"
        );
    }
    let large = json!({"text": format!("create task: {}", "x".repeat(300_000))});
    let answer = world.post("/api/assistant/propose", &world.agent, large).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE, "{answer:?}");
    let list = world.get("/api/assistant/proposals", &world.person).await;
    assert_eq!(list.body["proposals"], json!([]), "nothing of it was stored");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approved_call_runs_once_and_execute_joins_the_one_run() {
    let world = World::company().await;
    let id = world.propose("create task: Once").await;
    let early = world
        .post(
            "/api/assistant/execute",
            &world.agent,
            json!({"aiToolCallId": id}),
        )
        .await;
    assert_eq!(
        code(&early),
        (409, "not_pending"),
        "W-07: nothing runs without an approval"
    );
    assert_eq!(early.body["currentStatus"], "proposed");

    let approved = world.decide("approve", &id).await;
    assert_eq!(approved.status, StatusCode::OK, "{approved:?}");
    assert_eq!(approved.body["approval"]["decision"], "approved");
    let runs = (0..8).map(|_| {
        world.post(
            "/api/assistant/execute",
            &world.agent,
            json!({"aiToolCallId": id}),
        )
    });
    for run in futures::future::join_all(runs).await {
        assert_eq!(run.status, StatusCode::OK, "{run:?}");
        assert_eq!(run.body["status"], "completed");
        assert_eq!(run.body["resultSummary"]["success"], true);
    }
    assert_eq!(
        world.tasks().await,
        1,
        "W-01: eight parallel executes, one effect"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_approve_and_reject_at_once_both_callers_know_the_one_outcome() {
    let world = World::company().await;
    for round in 0..20 {
        let id = world.propose(&format!("create task: Race {round}")).await;
        let (approve, reject) = tokio::join!(world.decide("approve", &id), world.decide("reject", &id));
        let detail = world
            .get(&format!("/api/assistant/proposals/{id}"), &world.person)
            .await;
        match (approve.status.as_u16(), reject.status.as_u16()) {
            // The approval came first and had not begun: the reject wins. Or it had begun: the reject was too late.
            (200, 200) => assert_eq!(detail.body["status"], "rejected", "W-02"),
            (200, 409) => assert!(detail.body["status"] != "rejected", "W-02: {reject:?}"),
            (409, 200) => assert_eq!(approve.body["currentStatus"], "rejected", "W-02: {approve:?}"),
            other => panic!("{other:?}: {approve:?} {reject:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_decision_is_a_conflict_that_names_the_state() {
    let world = World::company().await;
    let id = world.propose("create task: Twice").await;
    let rejected = world.decide("reject", &id).await;
    assert_eq!(
        rejected.body["status"], "rejected",
        "W-09: a rejection is not a failure"
    );
    assert_eq!(rejected.body["approval"]["reason"], "Not now");
    let again = world.decide("approve", &id).await;
    assert_eq!(code(&again), (409, "decided"), "W-27");
    assert_eq!(again.body["currentStatus"], "rejected");
    let fresh = world.propose("create task: Twice").await;
    assert_ne!(fresh, id, "W-10: what was rejected can be proposed again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn low_risk_runs_by_itself_and_its_waiting_agent_hears_of_it() {
    let world = World::company().await;
    let id = world.propose("system health").await;
    let run = world
        .post(
            "/api/assistant/execute",
            &world.agent,
            json!({"aiToolCallId": id}),
        )
        .await;
    assert_eq!(
        (run.status.as_u16(), &run.body["status"]),
        (200, &json!("completed")),
        "W-17: {run:?}"
    );
    let detail = world
        .get(&format!("/api/assistant/proposals/{id}"), &world.agent)
        .await;
    assert_eq!(detail.body["policy"]["decision"], "allow");
    assert!(detail.body["execution"]["result"].is_object(), "{detail:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_agent_is_answered_when_a_person_decides() {
    let world = World::company().await;
    let id = world.propose("create task: Wait for me").await;
    let path = format!("/api/assistant/proposals/{id}?wait=40");
    let waiting = world.get(&path, &world.agent);
    let deciding = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        world.decide("reject", &id).await
    };
    let (answer, _) = tokio::join!(waiting, deciding);
    assert_eq!(
        answer.body["status"], "rejected",
        "the agent gets the decision, not a timeout"
    );
    assert_eq!(
        answer.body["decisions"][0]["comment"], "Not now",
        "with its reason"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agents_key_decides_nothing_and_sees_only_its_own() {
    let world = World::company().await;
    let id = world.propose("create task: Mine").await;
    for what in ["approve", "reject"] {
        let body = json!({"aiToolCallId": id, "reason": "because"});
        let body = if what == "approve" {
            json!({"aiToolCallId": id})
        } else {
            body
        };
        let answer = world
            .post(&format!("/api/assistant/{what}"), &world.agent, body)
            .await;
        assert_eq!(code(&answer), (403, "not_eligible"), "{what}");
    }
    let own = json!({"text": "create task: Ada's"});
    let adas = world.post("/api/assistant/propose", &world.person, own).await;
    let adas = adas.body["proposalRecord"]["aiToolCallId"].as_str().unwrap();
    let answer = world
        .get(&format!("/api/assistant/proposals/{adas}"), &world.agent)
        .await;
    assert_eq!(
        code(&answer),
        (404, "not_found"),
        "another's proposal answers like an absent one"
    );
    let list = world.get("/api/assistant/proposals", &world.agent).await;
    assert_eq!(list.body["proposals"].as_array().unwrap().len(), 1);
    for path in [
        "/api/journal",
        "/api/journal/checkpoint",
        "/api/tasks",
        "/api/members",
    ] {
        let answer = world.get(path, &world.agent).await;
        assert!(matches!(answer.status.as_u16(), 403 | 404), "{path}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_approves_their_own_proposal_in_a_company() {
    let world = World::company().await;
    let answer = world
        .post(
            "/api/assistant/propose",
            &world.person,
            json!({"text": "create task: Mine"}),
        )
        .await;
    let id = answer.body["proposalRecord"]["aiToolCallId"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        code(&world.decide("approve", &id).await),
        (403, "self_approval"),
        "W-05"
    );
    assert_eq!(
        world.decide("reject", &id).await.status,
        StatusCode::OK,
        "taking it back is always possible"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alone_ones_own_proposal_takes_more_than_a_session() {
    let world = World::new(Mode::Solo).await;
    let answer = world
        .post(
            "/api/assistant/propose",
            &world.person,
            json!({"text": "create task: Mine"}),
        )
        .await;
    let id = answer.body["proposalRecord"]["aiToolCallId"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        code(&world.decide("approve", &id).await),
        (403, "assurance_too_low")
    );
    let detail = world
        .get(&format!("/api/assistant/proposals/{id}"), &world.person)
        .await;
    assert_eq!(detail.body["status"], "proposed", "the state is as it was");
    assert_eq!(detail.body["decisions"], json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn foreign_and_absent_ids_answer_alike() {
    let (world, other) = (World::company().await, World::company().await);
    let foreign = other.propose("create task: Theirs").await;
    let absent = "0192f3a4-0000-7000-8000-0123456789ab".to_owned();
    for id in [foreign, absent, "not-an-id".to_owned()] {
        let get = world
            .get(&format!("/api/assistant/proposals/{id}"), &world.person)
            .await;
        assert_eq!(code(&get), (404, "not_found"), "{id}");
        if id == "not-an-id" {
            continue;
        }
        for what in ["approve", "reject"] {
            assert_eq!(
                code(&world.decide(what, &id).await),
                (404, "not_found"),
                "{what} {id}: W-19"
            );
        }
        let run = world
            .post(
                "/api/assistant/execute",
                &world.person,
                json!({"aiToolCallId": id}),
            )
            .await;
        assert_eq!(code(&run), (404, "not_found"), "{id}");
    }
    let elsewhere = request("GET", "/api/assistant/proposals", &world.person, other.tenant);
    assert_eq!(
        code(&world.answer(elsewhere, "").await),
        (404, "not_found"),
        "W-24: a foreign tenant is as absent as an unknown one"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idempotency_key_names_one_request() {
    let world = World::company().await;
    let send_whole = async |key: &str, body: Value| {
        let propose = request("POST", "/api/assistant/propose", &world.agent, world.tenant);
        let propose = propose.header("idempotency-key", key);
        world.answer(propose, body.to_string()).await
    };
    let send = |key, title: &str| send_whole(key, json!({"text": format!("create task: {title}")}));
    let first = send("k-1", "A").await.body["proposalRecord"]["aiToolCallId"].clone();
    assert_eq!(
        send("k-1", "A").await.body["proposalRecord"]["aiToolCallId"],
        first,
        "one key, one proposal"
    );
    assert_ne!(
        send("k-2", "A").await.body["proposalRecord"]["aiToolCallId"],
        first,
        "it wins over the text's key"
    );
    assert_eq!(code(&send("k-1", "B").await), (422, "idempotency_key_reused"));
    let noted = json!({"text": "create task: A", "note": "another note"});
    assert_eq!(
        code(&send_whole("k-1", noted).await),
        (422, "idempotency_key_reused"),
        "what is said beside it is part of the request"
    );
    assert_eq!(code(&send("", "A").await), (400, "idempotency_key"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_structured_call_is_one_proposal_however_its_json_is_written() {
    let world = World::company().await;
    let send = async |body: &str| {
        let answer = world
            .call("POST", "/api/assistant/propose", &world.agent, body)
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        answer.body["proposalRecord"].clone()
    };
    let first = send(r#"{"toolId":"assistant.create_task","input":{"title":"A","priority":"high"}}"#).await;
    let key = first["toolCallId"].as_str().unwrap();
    assert!(key.starts_with("assistant:propose:v2:"), "{key}");
    for same in [
        r#"{"input":{"priority":"high","title":"A"},"toolId":"assistant.create_task"}"#,
        "{ \"toolId\": \"assistant.create_task\",\n \"input\": {\"title\": \"\\u0041\", \"priority\": \"high\"} }",
    ] {
        assert_eq!(send(same).await["aiToolCallId"], first["aiToolCallId"], "{same}");
    }
    let other = send(r#"{"toolId":"assistant.create_task","input":{"title":"A","priority":"low"}}"#).await;
    assert_ne!(other["aiToolCallId"], first["aiToolCallId"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_list_is_paged_by_key_and_filtered() {
    let world = World::company().await;
    for number in 0..7 {
        world.propose(&format!("create task: Number {number}")).await;
    }
    let mut seen = Vec::new();
    let mut path = "/api/assistant/proposals?limit=3&status=proposed".to_owned();
    loop {
        let page = world.get(&path, &world.person).await;
        let rows = page.body["proposals"].as_array().unwrap();
        seen.extend(
            rows.iter()
                .map(|row| row["sentence"].as_str().unwrap().to_owned()),
        );
        match page.body["next"].as_str() {
            Some(next) => path = format!("/api/assistant/proposals?limit=3&status=proposed&after={next}"),
            None => break,
        }
    }
    assert_eq!(seen.len(), 7, "every one once: {seen:?}");
    assert!(
        seen[0].contains("Number 6") && seen[6].contains("Number 0"),
        "newest first: {seen:?}"
    );
    let found = world
        .get("/api/assistant/proposals?q=number%204", &world.person)
        .await;
    assert_eq!(found.body["proposals"].as_array().unwrap().len(), 1);
    let none = world
        .get("/api/assistant/proposals?risk=critical", &world.person)
        .await;
    assert_eq!(none.body["proposals"], json!([]));
    assert_eq!(
        world
            .get("/api/assistant/proposals?status=sleeping", &world.person)
            .await
            .status
            .as_u16(),
        400
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proposer_takes_its_own_back_and_nobody_elses() {
    let world = World::company().await;
    let id = world.propose("create task: Never mind").await;
    let path = format!("/api/assistant/proposals/{id}/withdraw");
    assert_eq!(
        code(&world.post(&path, &world.person, json!({})).await),
        (404, "not_found")
    );
    let answer = world
        .post(&path, &world.agent, json!({"reason": "Changed my mind"}))
        .await;
    assert_eq!(answer.body["status"], "withdrawn", "{answer:?}");
    let late = world.decide("approve", &id).await;
    assert_eq!(code(&late), (409, "withdrawn"));
}

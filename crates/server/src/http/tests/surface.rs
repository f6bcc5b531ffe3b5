//! What holds of every call there is, taken from the router's own list.

use axum::http::Method;
use serde_json::json;

use super::*;
use crate::http::CALLS;

fn every_call() -> impl Iterator<Item = (Method, String)> {
    CALLS.iter().map(|(method, path)| {
        (
            method.to_uppercase().parse().unwrap(),
            path.replace("{id}", &crate::random::uuid().to_string()),
        )
    })
}

#[tokio::test]
async fn every_call_checks_host_and_origin_first() {
    let world = World::new().await;
    for (method, path) in every_call() {
        let request = axum::http::Request::builder()
            .method(method.clone())
            .uri(&path)
            .header("host", "evil.example");
        let foreign = Call {
            router: world.router.clone(),
            request,
            body: axum::body::Body::empty(),
        };
        assert_eq!(
            foreign.token(&world.ada.token).await.refusal(),
            (403, "foreign_host"),
            "{method} {path}"
        );
        let page = world
            .bare(method.clone(), &path)
            .token(&world.ada.token)
            .header("origin", "http://evil.example");
        assert_eq!(page.await.refusal(), (403, "foreign_origin"), "{method} {path}");
    }
    let preflight = world
        .bare(Method::OPTIONS, "/api/tenant")
        .header("origin", "http://evil.example")
        .await;
    assert_eq!(preflight.status, 403, "no page is told that it may");
    assert!(
        !preflight
            .headers
            .keys()
            .any(|name| name.as_str().starts_with("access-control"))
    );
}

#[tokio::test]
async fn a_large_body_is_refused_before_it_is_parsed() {
    let world = World::new().await;
    let large = "[".repeat(256 * 1024 + 1);
    let writes = [
        ("/api/agents", 413),
        ("/api/assistant/propose", 413),
        ("/api/devices/enrol", 413),
        ("/api/records", 400), // its own limit is 2 MiB
    ];
    for (path, status) in writes {
        let answer = world.post(&world.ada, path, json!({})).body(large.clone()).await;
        assert_eq!(answer.status, status, "{path}");
    }
    let larger = world
        .post(&world.ada, "/api/records", json!({}))
        .body("[".repeat(2 * 1024 * 1024 + 1))
        .await;
    assert_eq!(larger.refusal(), (413, "too_large"));
    let sign_in = world.sign_in("a", "b").body(large).await;
    assert_eq!(
        sign_in.refusal(),
        (413, "too_large"),
        "also before anybody is known"
    );
}

#[tokio::test]
async fn what_is_not_there_answers_in_the_same_form() {
    let world = World::new().await;
    for path in [
        "/",
        "/api",
        "/api/nothing",
        "/api/members/",
        "/metrics/more",
        "/api/../api/health",
    ] {
        let answer = world.bare(Method::GET, path).await;
        assert_eq!(answer.refusal(), (404, "not_found"), "{path}");
    }
    let verb = world.bare(Method::PUT, "/api/health").await;
    assert_eq!(verb.refusal(), (405, "method_not_allowed"));
}

#[tokio::test]
async fn every_answer_has_a_name_for_the_log_and_stays_out_of_caches() {
    let world = World::new().await;
    let (one, other) = (
        world.get(&world.ada, "/api/tenant").await,
        world.bare(Method::GET, "/nowhere").await,
    );
    assert_ne!(one.headers["x-request-id"], other.headers["x-request-id"]);
    for answer in [one, other] {
        assert_eq!(answer.headers["cache-control"], "no-store");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
    }
}

#[tokio::test]
async fn anybody_may_ask_whether_the_server_lives_and_learns_no_more() {
    let world = World::new().await;
    let health = world.bare(Method::GET, "/api/health").await;
    assert_eq!(health.status, 200, "{health:?}");
    let names: Vec<_> = health
        .list("checks")
        .iter()
        .map(|check| check["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["database", "disk"]);
    let text = health.body.to_string();
    assert!(
        !text.contains(&world.acme.to_string()) && !text.contains("Acme"),
        "tenants are nobody's business"
    );
    assert!(
        !text.contains(world.folder.path().to_str().unwrap()),
        "nor is where the data lies"
    );
}

#[tokio::test]
async fn the_tools_are_listed_with_their_schemas() {
    let world = World::new().await;
    let (_, key) = world.agent("bot").await;
    let tools = world
        .bare(Method::GET, "/api/tools")
        .token(&key)
        .tenant(world.acme)
        .await;
    let ids: Vec<_> = tools
        .list("tools")
        .iter()
        .map(|tool| tool["id"].as_str().unwrap())
        .collect();
    assert!(ids.contains(&"assistant.create_task"), "{ids:?}");
    assert!(
        tools
            .list("tools")
            .iter()
            .all(|tool| tool["schema"]["type"] == "object")
    );
}

//! Who gets in, in which order it is asked, and how a credential ends.

use axum::http::Method;
use countersign_domain::{Millis, record::Mode};
use serde_json::json;

use super::*;

const UNAUTHORIZED: (u16, &str) = (401, "unauthorized");
const NOT_FOUND: (u16, &str) = (404, "not_found");

#[tokio::test]
async fn the_checks_come_in_the_order_of_the_contract() {
    let world = World::new().await;
    // Each request lacks what the step asks for and everything after it.
    let no_session = world.bare(Method::POST, "/api/assistant/propose").body("{").await;
    assert_eq!(no_session.refusal(), UNAUTHORIZED);
    assert_eq!(no_session.text("error"), "Unauthorized: No valid session");
    assert_eq!(no_session.headers["www-authenticate"], "Bearer");

    let no_tenant = world
        .bare(Method::POST, "/api/assistant/propose")
        .token(&world.ada.token)
        .body("{")
        .await;
    assert_eq!(no_tenant.refusal(), (400, "missing_tenant"));
    assert_eq!(no_tenant.text("error"), "Bad Request: Missing x-tenant-id header");

    let foreign = TenantId::from_uuid(crate::random::uuid());
    let call = world
        .bare(Method::POST, "/api/assistant/propose")
        .token(&world.ada.token);
    assert_eq!(call.tenant(foreign).body("{").await.refusal(), NOT_FOUND);

    let no_json = world
        .post(&world.ada, "/api/assistant/propose", json!({}))
        .body("{")
        .await;
    assert_eq!(no_json.text("error"), "Bad Request: Invalid JSON body");

    let null = world
        .post(&world.ada, "/api/assistant/propose", json!(null))
        .await;
    assert_eq!(
        null.refusal(),
        (400, "invalid_json"),
        "a body of null is a mistake of the caller, not of ours"
    );

    let no_field = world
        .post(&world.ada, "/api/assistant/propose", json!({"text": 5}))
        .await;
    assert_eq!(
        no_field.text("error"),
        "Bad Request: Missing or invalid 'text' field"
    );
    assert_eq!(no_field.text("field"), "text");
}

#[tokio::test]
async fn only_one_whole_live_bearer_token_is_a_credential() {
    let world = World::new().await;
    let token = &world.ada.token;
    let sent = |header: String| {
        world
            .bare(Method::GET, "/api/tenant")
            .tenant(world.acme)
            .header("authorization", header)
    };
    assert_eq!(sent(format!("Bearer {token}")).await.status, 200);
    assert_eq!(
        sent(format!("bearer {token}")).await.status,
        200,
        "the scheme's case does not matter (RFC 9110)"
    );
    for header in [
        "Bearer nothing".to_owned(),
        "Bearer ".to_owned(),
        "Bearer".to_owned(),
        String::new(),
        token.clone(),
        format!("Basic {token}"),
        format!("Bearer  {token}"),
        format!("Bearer {token} "),
        format!("Bearer {token},Bearer {token}"),
        format!("Bearer {}", token.to_uppercase()),
        format!("Bearer {token}A"),
        format!("Bearer {}", &token[..token.len() - 1]),
        format!("Bearer {}", token.replace("cs_session_", "cs_agent_")),
        format!("Bearer {}", token.trim_start_matches("cs_session_")),
    ] {
        assert_eq!(sent(header.clone()).await.refusal(), UNAUTHORIZED, "{header:?}");
    }
    let doubled = sent(format!("Bearer {token}")).token(token).await;
    assert_eq!(
        doubled.refusal(),
        UNAUTHORIZED,
        "two credentials leave open who calls"
    );
    let bytes = world
        .bare(Method::GET, "/api/tenant")
        .tenant(world.acme)
        .header("authorization", b"Bearer \xff");
    assert_eq!(bytes.await.refusal(), UNAUTHORIZED);
}

#[tokio::test]
async fn absent_foreign_and_malformed_tenants_answer_alike() {
    let world = World::new().await;
    let (other, _) = world
        .server
        .found_tenant(founding("Other", "eve@other.example", Mode::Company))
        .await
        .unwrap();
    let call = |tenant: String| {
        world
            .bare(Method::GET, "/api/tenant")
            .token(&world.ada.token)
            .header("x-tenant-id", tenant)
    };
    let absent = TenantId::from_uuid(crate::random::uuid()).to_string();
    let mut answers = Vec::new();
    let upper = world.acme.to_string().to_uppercase();
    for tenant in [
        absent,
        other.to_string(),
        "not-an-id".to_owned(),
        upper,
        format!("{0},{0}", world.acme),
    ] {
        let answer = call(tenant.clone()).await;
        assert_eq!(answer.refusal(), NOT_FOUND, "{tenant}");
        answers.push(answer.body);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "no answer tells more than another");
    let doubled = call(world.acme.to_string()).tenant(world.acme).await;
    assert_eq!(doubled.refusal(), NOT_FOUND, "two tenants are none");
    assert_eq!(
        call(String::new()).await.refusal(),
        (400, "missing_tenant"),
        "an empty header is an absent one"
    );
}

#[tokio::test]
async fn signing_in_opens_a_session_over_all_ones_tenants() {
    let world = World::new().await;
    let (other, _) = world
        .server
        .found_tenant(founding("Other", "ada@acme.example", Mode::Solo))
        .await
        .unwrap();
    let answer = world.sign_in(" Ada@Acme.EXAMPLE", PASSWORD).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.text("userId"), world.ada.id.to_string());
    assert_eq!(
        answer.headers["cache-control"], "no-store",
        "a token must not lie in a cache"
    );
    let mut tenants: Vec<_> = answer
        .list("tenants")
        .iter()
        .map(|tenant| tenant["name"].clone())
        .collect();
    tenants.sort_by_key(ToString::to_string);
    assert_eq!(tenants, [json!("Acme"), json!("Other")]);
    let token = answer.text("token");
    assert!(token.starts_with("cs_session_"));
    for tenant in [world.acme, other] {
        let info = world
            .bare(Method::GET, "/api/tenant")
            .token(token)
            .tenant(tenant)
            .await;
        assert_eq!((info.status, info.text("role")), (200, "owner"));
    }
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_get_one_answer() {
    let world = World::new().await;
    let wrong = world.sign_in("ada@acme.example", "correct horse batterz").await;
    let unknown = world.sign_in("nobody@acme.example", PASSWORD).await;
    assert_eq!(wrong.refusal(), (401, "wrong_credentials"));
    assert_eq!(
        wrong.body, unknown.body,
        "who has an account here is nobody's business"
    );
    for (email, password, field) in [
        ("", PASSWORD, "email"),
        ("ada", PASSWORD, "email"),
        ("a@b.example", "", "password"),
    ] {
        let answer = world.sign_in(email, password).await;
        assert_eq!((answer.status, answer.text("field")), (400, field));
    }
    let long = world.sign_in("ada@acme.example", &"x".repeat(100_000)).await;
    assert_eq!(
        long.refusal(),
        (401, "wrong_credentials"),
        "no password is that long, and none is hashed"
    );
}

#[tokio::test]
async fn guessing_is_slowed_down_and_says_for_how_long() {
    let world = World::new().await;
    for _ in 0..10 {
        assert_eq!(
            world
                .sign_in("ada@acme.example", "wrong wrong wrong")
                .await
                .status,
            401
        );
    }
    let throttled = world.sign_in("ada@acme.example", PASSWORD).await;
    assert_eq!(
        throttled.refusal(),
        (429, "rate_limited"),
        "also the right password has to wait now"
    );
    let seconds: i64 = throttled.headers["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=300).contains(&seconds));
    world.pass(Millis::seconds(seconds));
    assert_eq!(world.sign_in("ada@acme.example", PASSWORD).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_can_sign_in_at_once() {
    let world = World::new().await;
    let calls = (0..24).map(|_| tokio::spawn(world.sign_in("ada@acme.example", PASSWORD).into_future()));
    let mut tokens = std::collections::BTreeSet::new();
    for answer in futures::future::join_all(calls).await {
        let answer = answer.unwrap();
        // Attempts side by side count like attempts one after another, also before their outcome is known.
        if answer.status == 200 {
            tokens.insert(answer.text("token").to_owned());
        } else {
            assert_eq!(answer.refusal(), (429, "rate_limited"));
        }
    }
    assert!(
        tokens.len() >= 10,
        "{} got through, each with a token of their own",
        tokens.len()
    );
}

#[tokio::test]
async fn signing_out_ends_that_session_and_no_other() {
    let world = World::new().await;
    let second = world
        .sign_in("ada@acme.example", PASSWORD)
        .await
        .text("token")
        .to_owned();
    let sign_out = |token: &str| world.bare(Method::POST, "/api/auth/sign-out").token(token);
    assert_eq!(sign_out(&second).await.status, 204);
    assert_eq!(sign_out(&second).await.refusal(), UNAUTHORIZED, "it is over");
    let call = world
        .bare(Method::GET, "/api/tenant")
        .token(&second)
        .tenant(world.acme);
    assert_eq!(call.await.refusal(), UNAUTHORIZED);
    assert_eq!(
        world.get(&world.ada, "/api/tenant").await.status,
        200,
        "the other session goes on"
    );
    let (_, key) = world.agent("bot").await;
    assert_eq!(
        sign_out(&key).await.refusal(),
        UNAUTHORIZED,
        "an agent has no session"
    );
}

#[tokio::test]
async fn an_unused_session_runs_out() {
    let world = World::new().await;
    world.pass(Millis::hours(29 * 24));
    assert_eq!(world.get(&world.ada, "/api/tenant").await.status, 200);
    world.pass(Millis::hours(29 * 24));
    assert_eq!(
        world.get(&world.ada, "/api/tenant").await.status,
        200,
        "use has kept it alive"
    );
    world.pass(Millis::hours(30 * 24));
    assert_eq!(world.get(&world.ada, "/api/tenant").await.refusal(), UNAUTHORIZED);
}

#[tokio::test]
async fn an_agents_key_opens_its_tenant_and_no_other() {
    let world = World::new().await;
    let (other, _) = world
        .server
        .found_tenant(founding("Other", "ada@acme.example", Mode::Company))
        .await
        .unwrap();
    let (_, key) = world.agent("bot").await;
    assert!(key.starts_with("cs_agent_"));
    let call = |tenant| world.bare(Method::GET, "/api/tools").token(&key).tenant(tenant);
    assert_eq!(call(world.acme).await.status, 200);
    assert_eq!(
        call(other).await.refusal(),
        NOT_FOUND,
        "its owner belongs there, it does not"
    );
    let without = world.bare(Method::GET, "/api/tools").token(&key).await;
    assert_eq!(without.refusal(), (400, "missing_tenant"));
}

#[tokio::test]
async fn a_revoked_key_is_nobodys_at_once() {
    let world = World::new().await;
    let (id, key) = world.agent("bot").await;
    let call = || {
        world
            .bare(Method::GET, "/api/tools")
            .token(&key)
            .tenant(world.acme)
    };
    assert_eq!(call().await.status, 200);
    assert_eq!(
        world
            .post(&world.ada, &format!("/api/agents/{id}/revoke"), json!({}))
            .await
            .status,
        204
    );
    assert_eq!(call().await.refusal(), UNAUTHORIZED);
}

#[tokio::test]
async fn credentials_outlive_a_restart() {
    let world = World::new().await;
    let (_, key) = world.agent("bot").await;
    let world = world.restarted(|_| ()).await;
    assert_eq!(world.get(&world.ada, "/api/tenant").await.status, 200);
    let call = world
        .bare(Method::GET, "/api/tools")
        .token(&key)
        .tenant(world.acme);
    assert_eq!(call.await.status, 200);
}

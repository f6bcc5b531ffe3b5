//! Every kind of agent's credential, carried in every way, on every call that is not for agents: none decides anything.

use super::*;

/// The calls that an agent's key is for.
const FOR_AGENTS: [&str; 7] = [
    "/api/tools",
    "/api/assistant/propose",
    "/api/assistant/execute",
    "/api/assistant/proposals",
    "/api/assistant/proposals/{id}",
    "/api/assistant/proposals/{id}/answer",
    "/api/assistant/proposals/{id}/withdraw",
];

/// Ways in which software sends keys. The first is the one there is.
const CARRIERS: [(&str, &str); 9] = [
    ("authorization", "Bearer "),
    ("authorization", "Basic "),
    ("authorization", "ApiKey "),
    ("authorization", ""),
    ("proxy-authorization", "Bearer "),
    ("x-api-key", ""),
    ("api-key", ""),
    ("x-auth-token", ""),
    ("cookie", "session="),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_kind_of_agents_credential_decides_anything_however_it_is_carried() {
    let two = Two::new().await;
    let (world, acme) = (&two.world, &two.acme);
    let by = &acme.owner.person;
    let personal = json!({"name": "ada's bot", "personal": true});
    let personal = world
        .post(by, "/api/agents", personal)
        .await
        .text("apiKey")
        .to_owned();
    let (_, of_server) = world.server.add_agent(acme.id, "from the shell").await.unwrap();
    let (id, revoked) = world.agent("revoked").await;
    world
        .post(by, &format!("/api/agents/{id}/revoke"), json!({}))
        .await;
    let leaves = world.join("leaves", "admin").await;
    let orphan = json!({"name": "orphan", "personal": true});
    let orphan = world
        .post(&leaves, "/api/agents", orphan)
        .await
        .text("apiKey")
        .to_owned();
    world.delete(by, &format!("/api/members/{}", leaves.id)).await;
    let cut = &acme.agent.1[..acme.agent.1.len() - 1];
    let dressed_up = acme.agent.1.replace("cs_agent_", "cs_session_");
    // And what a whole one that counts is told.
    let keys = [
        ("the tenant's", &*acme.agent.1, 403),
        ("a person's", &*personal, 403),
        ("from the shell", of_server.reveal(), 403),
        ("another tenant's", &*two.other.agent.1, 404),
        ("revoked", &*revoked, 401),
        ("its person has left", &*orphan, 401),
        ("cut", cut, 401),
        ("dressed up as a session", &*dressed_up, 401),
    ];
    let deciding = rows()
        .into_iter()
        .chain(mixed())
        .filter(|row| row.reach == Reach::Tenant && !FOR_AGENTS.contains(&row.call.1));
    let mut tried = 0;
    told(world, async |address| {
        for row in deciding {
            world.pass(Millis::seconds(300)); // so many wrong keys would be slowed down
            let named = acme.make(world, row.thing).await;
            let sent = two.sent(&row, acme, &acme.owner, &named).await;
            let before = two.roots().await;
            for (what, key, told) in keys {
                for (number, (header, prefix)) in CARRIERS.into_iter().enumerate() {
                    let sent = sent
                        .clone()
                        .tenant(acme.id)
                        .header(header, format!("{prefix}{key}"));
                    let came = sent.to(address).await;
                    let expected = if number == 0 { told } else { 401 };
                    assert_eq!(
                        came.status, expected,
                        "{:?} with {what} in {header}: {came:?}",
                        row.call
                    );
                    tried += 1;
                }
                let mut sent = sent.clone().tenant(acme.id);
                sent.path = format!("{}?access_token={key}&api_key={key}", sent.path);
                assert_eq!(
                    sent.to(address).await.status,
                    401,
                    "{:?} with {what} in its query",
                    row.call
                );
                // Beside a person's session it is one credential too many, not a second opinion.
                let both = sent.token(&by.token).token(key).to(address).await;
                assert_eq!(both.status, 401, "{:?} with {what} beside a session", row.call);
            }
            assert_eq!(two.roots().await, before, "{:?} has done something", row.call);
        }
    })
    .await;
    assert!(tried > 2_000, "{tried}");
}

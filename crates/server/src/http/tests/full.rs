//! No room for `control.db`: what is refused has changed nothing, here or in the tenant's journal.

use super::*;

#[tokio::test]
async fn a_full_disk_under_the_servers_own_store_is_said_and_leaves_no_half_of_anything() {
    let world = World::new().await;
    let (_, key) = world.agent("bot").await;
    let control = world.server.app().control();
    control.room(Some(0)).await;
    // What is free in the pages that are there runs out at some time.
    let mut invited = 0;
    let refused = loop {
        let email = format!("{}-{invited}@acme.example", "x".repeat(60));
        let invite = json!({"email": email, "role": "member"});
        let answer = world.post(&world.ada, "/api/invites", invite).await;
        if answer.status != 201 {
            break answer;
        }
        invited += 1;
        assert!(invited < 1_000, "the disk is never full");
    };
    assert_eq!(refused.refusal(), (503, "disk_full"));
    let listed = world.get(&world.ada, "/api/invites").await;
    assert_eq!(
        listed.list("invites").len(),
        invited,
        "an invitation without its secret could never be accepted"
    );
    let size = world.store().head().size;
    let mut agents = 0;
    let refused = loop {
        let agent = json!({"name": format!("bot {agents}")});
        let answer = world.post(&world.ada, "/api/agents", agent).await;
        if answer.status != 201 {
            break answer;
        }
        agents += 1;
        assert!(agents < 1_000, "the disk is never full");
    };
    assert_eq!(refused.refusal(), (503, "disk_full"));
    assert_eq!(
        world.store().head().size,
        size + agents,
        "no agent without its key"
    );

    let call = world
        .bare(Method::POST, "/api/assistant/propose")
        .token(&key)
        .tenant(world.acme);
    let proposed = call.json(json!({"text": "create task: Make room"})).await;
    assert_eq!(
        proposed.status, 200,
        "who has a credential goes on working: {proposed:?}"
    );
    control.room(None).await;
    assert_eq!(world.sign_in("ada@acme.example", PASSWORD).await.status, 200);
    let agent = json!({"name": format!("bot {agents}")});
    assert_eq!(world.post(&world.ada, "/api/agents", agent).await.status, 201);
}

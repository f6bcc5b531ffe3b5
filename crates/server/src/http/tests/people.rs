//! Members, invitations, agents and connections: who may, what follows, and what is left behind.

use axum::http::Method;
use countersign_domain::{Millis, record::Mode};
use serde_json::json;

use super::*;

const FORBIDDEN: (u16, &str) = (403, "forbidden");
const NEEDS_OWNER: (u16, &str) = (403, "needs_owner");
const NOT_FOUND: (u16, &str) = (404, "not_found");

#[tokio::test]
async fn an_invited_person_joins_with_the_role_that_was_given() {
    let world = World::new().await;
    let bob = world.join("bob", "approver").await;
    let info = world.get(&bob, "/api/tenant").await;
    assert_eq!(
        (info.text("role"), info.text("userId")),
        ("approver", bob.id.to_string().as_str())
    );
    let members = world.get(&bob, "/api/members").await;
    let names: Vec<_> = members
        .list("members")
        .iter()
        .map(|member| member["email"].clone())
        .collect();
    assert!(names.contains(&json!("bob@acme.example")) && names.contains(&json!("ada@acme.example")));
    assert_eq!(
        world.sign_in("bob@acme.example", PASSWORD).await.status,
        200,
        "the account is bob's own"
    );
}

#[tokio::test]
async fn an_invitation_is_used_up_by_the_first_who_accepts() {
    let world = World::new().await;
    let invited = world
        .post(
            &world.ada,
            "/api/invites",
            json!({"email": "bob@acme.example", "role": "member"}),
        )
        .await;
    let secret = invited.text("secret").to_owned();
    assert!(secret.starts_with("cs_invite_"));
    assert_eq!(
        world.get(&world.ada, "/api/invites").await.list("invites").len(),
        1
    );
    let both = futures::future::join(
        world.accept(&secret, "Bob").into_future(),
        world.accept(&secret, "Bobby").into_future(),
    );
    let (one, other) = both.await;
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert!(
        statuses == [200, 404] || statuses == [200, 409],
        "one joins: {one:?} {other:?}"
    );
    assert_eq!(world.accept(&secret, "Bob").await.refusal(), NOT_FOUND);
    assert_eq!(
        world.get(&world.ada, "/api/invites").await.list("invites").len(),
        0
    );
    let members = world.get(&world.ada, "/api/members").await;
    assert_eq!(members.list("members").len(), 2, "nobody joined twice");
}

#[tokio::test]
async fn an_invitation_ends_when_it_is_withdrawn_or_too_old() {
    let world = World::new().await;
    let invite = |email: &str| {
        world.post(
            &world.ada,
            "/api/invites",
            json!({"email": email, "role": "member"}),
        )
    };
    let (one, two) = (invite("one@acme.example").await, invite("two@acme.example").await);
    let path = format!("/api/invites/{}", one.text("inviteId"));
    assert_eq!(world.delete(&world.ada, &path).await.status, 204);
    assert_eq!(world.accept(one.text("secret"), "One").await.refusal(), NOT_FOUND);
    assert_eq!(
        world.delete(&world.ada, &path).await.refusal(),
        NOT_FOUND,
        "it is gone"
    );
    world.pass(Millis::hours(7 * 24));
    assert_eq!(world.accept(two.text("secret"), "Two").await.refusal(), NOT_FOUND);
    for secret in ["", "nothing", "cs_invite_", &world.ada.token] {
        assert_eq!(world.accept(secret, "Eve").await.refusal(), NOT_FOUND);
    }
}

#[tokio::test]
async fn whoever_has_an_account_accepts_with_its_password() {
    let world = World::new().await;
    let (other, eve) = world
        .server
        .found_tenant(founding("Other", "eve@other.example", Mode::Company))
        .await
        .unwrap();
    let invited = world
        .post(
            &world.ada,
            "/api/invites",
            json!({"email": "Eve@other.example", "role": "member"}),
        )
        .await;
    let secret = invited.text("secret");
    let accept = |password: &str| {
        let body = json!({"secret": secret, "name": "Eve", "password": password});
        world.bare(Method::POST, "/api/invites/accept").json(body)
    };
    assert_eq!(
        accept("not eve's password").await.refusal(),
        (401, "wrong_credentials")
    );
    let joined = accept(PASSWORD).await;
    assert_eq!(joined.text("userId"), eve.to_string(), "one person, one account");
    assert_eq!(joined.list("tenants").len(), 2, "in {other} and here");
}

#[tokio::test]
async fn a_new_password_has_twelve_characters_at_least() {
    let world = World::new().await;
    let invited = world
        .post(
            &world.ada,
            "/api/invites",
            json!({"email": "bob@acme.example", "role": "member"}),
        )
        .await;
    let body = json!({"secret": invited.text("secret"), "name": "Bob", "password": "elevenchars"});
    let answer = world.bare(Method::POST, "/api/invites/accept").json(body).await;
    assert_eq!((answer.status, answer.text("field")), (400, "password"));
    assert_eq!(
        world.accept(invited.text("secret"), "Bob").await.status,
        200,
        "the invitation still stands"
    );
}

#[tokio::test]
async fn a_removed_member_is_out_at_once() {
    let world = World::new().await;
    let bob = world.join("bob", "admin").await;
    let own = world
        .post(
            &bob,
            "/api/agents",
            json!({"name": "bob's bot", "personal": true}),
        )
        .await;
    assert_eq!(world.get(&bob, "/api/members").await.status, 200);
    assert_eq!(
        world
            .delete(&world.ada, &format!("/api/members/{}", bob.id))
            .await
            .status,
        204
    );
    assert_eq!(
        world.get(&bob, "/api/members").await.refusal(),
        NOT_FOUND,
        "the session opens this tenant no more"
    );
    let bot = world
        .bare(Method::GET, "/api/tools")
        .token(own.text("apiKey"))
        .tenant(world.acme)
        .await;
    assert_eq!(
        bot.refusal(),
        (401, "unauthorized"),
        "what acted for him has nobody to act for"
    );
    let again = world.sign_in("bob@acme.example", PASSWORD).await;
    assert_eq!(again.list("tenants").len(), 0);
    assert_eq!(
        world
            .delete(&world.ada, &format!("/api/members/{}", bob.id))
            .await
            .refusal(),
        NOT_FOUND
    );
    let back = world
        .post(
            &world.ada,
            "/api/invites",
            json!({"email": "bob@acme.example", "role": "member"}),
        )
        .await;
    assert_eq!(back.status, 201, "who left may be asked again");
    assert_eq!(world.accept(back.text("secret"), "Bob").await.status, 200);
    assert_eq!(world.get(&bob, "/api/tenant").await.text("role"), "member");
}

#[tokio::test]
async fn a_tenant_keeps_an_owner_and_owners_are_made_by_owners() {
    let world = World::new().await;
    let (ada, bob) = (&world.ada, world.join("bob", "admin").await);
    let eve = world.join("eve", "member").await;
    let path = |person: &Person| format!("/api/members/{}", person.id);
    assert_eq!(world.delete(ada, &path(ada)).await.refusal(), (409, "last_owner"));
    assert_eq!(
        world
            .patch(ada, &path(ada), json!({"role": "admin"}))
            .await
            .refusal(),
        (409, "last_owner")
    );
    assert_eq!(world.delete(&bob, &path(ada)).await.refusal(), NEEDS_OWNER);
    assert_eq!(
        world
            .patch(&bob, &path(ada), json!({"role": "member"}))
            .await
            .refusal(),
        NEEDS_OWNER
    );
    assert_eq!(
        world
            .patch(&bob, &path(&bob), json!({"role": "owner"}))
            .await
            .refusal(),
        NEEDS_OWNER
    );
    let invite = json!({"email": "mal@acme.example", "role": "owner"});
    assert_eq!(
        world.post(&bob, "/api/invites", invite).await.refusal(),
        NEEDS_OWNER
    );
    assert_eq!(
        world
            .patch(&bob, &path(&eve), json!({"role": "approver"}))
            .await
            .status,
        204,
        "the rest is an admin's"
    );
    assert_eq!(
        world
            .patch(ada, &path(&bob), json!({"role": "owner"}))
            .await
            .status,
        204
    );
    assert_eq!(
        world
            .patch(&bob, &path(ada), json!({"role": "member"}))
            .await
            .status,
        204,
        "an owner remains"
    );
    assert_eq!(world.get(ada, "/api/tenant").await.text("role"), "member");
    assert_eq!(
        world
            .patch(&bob, &path(&eve), json!({"role": "king"}))
            .await
            .text("field"),
        "role"
    );
}

#[tokio::test]
async fn two_owners_cannot_remove_each_other_at_the_same_time() {
    let world = World::new().await;
    let bob = world.join("bob", "admin").await;
    let role = json!({"role": "owner"});
    assert_eq!(
        world
            .patch(&world.ada, &format!("/api/members/{}", bob.id), role)
            .await
            .status,
        204
    );
    let (one, other) = futures::future::join(
        world
            .delete(&world.ada, &format!("/api/members/{}", bob.id))
            .into_future(),
        world
            .delete(&bob, &format!("/api/members/{}", world.ada.id))
            .into_future(),
    )
    .await;
    let done = [one.status, other.status]
        .iter()
        .filter(|status| **status == 204)
        .count();
    assert_eq!(
        done, 1,
        "the writer takes one and then asks who is left: {one:?} {other:?}"
    );
}

#[tokio::test]
async fn who_manages_nothing_changes_nobody() {
    let world = World::new().await;
    let (_, agent_id) = (
        world.agent("bot").await,
        world.get(&world.ada, "/api/agents").await,
    );
    let agent_id = agent_id.list("agents")[0]["id"].as_str().unwrap().to_owned();
    for role in ["member", "auditor", "approver"] {
        let person = world.join(role, role).await;
        let ada = format!("/api/members/{}", world.ada.id);
        for (call, what) in [
            (
                world.patch(&person, &ada, json!({"role": "member"})),
                "change a member",
            ),
            (world.delete(&person, &ada), "remove a member"),
            (
                world.post(
                    &person,
                    "/api/invites",
                    json!({"email": "x@y.example", "role": "member"}),
                ),
                "invite",
            ),
            (world.get(&person, "/api/invites"), "see invitations"),
            (
                world.post(&person, "/api/agents", json!({"name": "bot2"})),
                "make a key",
            ),
            (
                world.post(&person, &format!("/api/agents/{agent_id}/revoke"), json!({})),
                "revoke a key",
            ),
            (
                world.post(
                    &person,
                    "/api/connections",
                    json!({
                        "kind": "smtp", "name": "mail", "config": {}, "holder": {"kind": "tenant"}
                    }),
                ),
                "make a way out",
            ),
        ] {
            assert_eq!(call.await.refusal(), FORBIDDEN, "a {role} may not {what}");
        }
        for path in [
            "/api/members",
            "/api/agents",
            "/api/connections",
            "/api/devices",
            "/api/tools",
            "/api/tenant",
        ] {
            assert_eq!(
                world.get(&person, path).await.status,
                200,
                "a {role} may read {path}"
            );
        }
    }
}

#[tokio::test]
async fn names_are_what_they_look_like_and_nobody_takes_anothers() {
    let world = World::new().await;
    let create = |name: &str| world.post(&world.ada, "/api/agents", json!({"name": name}));
    let first = create("  invoice bot ").await;
    assert_eq!(first.status, 201);
    let listed = world.get(&world.ada, "/api/agents").await;
    assert_eq!(listed.list("agents")[0]["name"], "invoice bot");
    assert_eq!(create("Invoice Bot").await.refusal(), (409, "name_taken"));
    for name in [
        "",
        "   ",
        "in\u{200b}voice bot",
        "invoice\u{202e}bot",
        "a\nb",
        &"x".repeat(101),
    ] {
        assert_eq!(create(name).await.text("field"), "name", "{name:?}");
    }
    let revoke = format!("/api/agents/{}/revoke", first.text("agentId"));
    assert_eq!(world.post(&world.ada, &revoke, json!({})).await.status, 204);
    assert_eq!(
        create("invoice bot").await.status,
        201,
        "the name of what is out of service is free"
    );
    for email in [
        "a@b.example,c@d.example",
        "Ada <ada@acme.example>",
        "ada",
        "a@b\nc.example",
    ] {
        let invite = world
            .post(
                &world.ada,
                "/api/invites",
                json!({"email": email, "role": "member"}),
            )
            .await;
        assert_eq!(invite.text("field"), "email", "{email:?}");
    }
    let again = world
        .post(
            &world.ada,
            "/api/invites",
            json!({"email": "ADA@acme.example", "role": "member"}),
        )
        .await;
    assert_eq!(again.refusal(), (409, "already_member"));
}

#[tokio::test]
async fn everything_about_people_is_in_the_journal_and_no_secret_is() {
    let world = World::new().await;
    let bob = world.join("bob", "approver").await;
    let (agent, key) = world.agent("bot").await;
    world
        .post(&world.ada, &format!("/api/agents/{agent}/revoke"), json!({}))
        .await;
    world
        .delete(&world.ada, &format!("/api/members/{}", bob.id))
        .await;
    let journal = world.get(&world.ada, "/api/journal?limit=1000").await;
    let kinds: Vec<_> = journal
        .list("entries")
        .iter()
        .map(|entry| entry["kind"].as_str().unwrap())
        .collect();
    let people: Vec<_> = kinds.into_iter().filter(|kind| *kind != "manifest").collect();
    assert_eq!(
        people,
        [
            "genesis", "member", "invite", "member", "invite", "agent", "agent", "member"
        ]
    );
    let text = journal.body.to_string();
    for secret in [key.as_str(), &bob.token, &world.ada.token, PASSWORD, "argon2"] {
        assert!(!text.contains(secret), "every member reads the journal");
    }
}

#[tokio::test]
async fn a_second_approver_makes_a_company_of_one_person() {
    let world = World::with(Mode::Solo).await;
    assert_eq!(world.get(&world.ada, "/api/tenant").await.text("mode"), "solo");
    world.join("mia", "member").await;
    assert_eq!(
        world.get(&world.ada, "/api/tenant").await.text("mode"),
        "solo",
        "she decides nothing"
    );
    let bob = world.join("bob", "approver").await;
    assert_eq!(world.get(&world.ada, "/api/tenant").await.text("mode"), "company");
    world
        .delete(&world.ada, &format!("/api/members/{}", bob.id))
        .await;
    assert_eq!(
        world.get(&world.ada, "/api/tenant").await.text("mode"),
        "company",
        "there is no way back"
    );
}

#[tokio::test]
async fn ids_of_other_tenants_are_as_absent_as_any() {
    let world = World::new().await;
    let (other, eve) = world
        .server
        .found_tenant(founding("Other", "eve@other.example", Mode::Company))
        .await
        .unwrap();
    let eve_token = world.server.open_session(eve).await.unwrap().reveal().to_owned();
    let agent = world
        .bare(Method::POST, "/api/agents")
        .token(&eve_token)
        .tenant(other)
        .json(json!({"name": "theirs"}))
        .await;
    let agent = agent.text("agentId").to_owned();
    let absent = crate::random::uuid().to_string();
    for id in [agent, eve.to_string(), absent, "nonsense".to_owned()] {
        for call in [
            world.patch(
                &world.ada,
                &format!("/api/members/{id}"),
                json!({"role": "member"}),
            ),
            world.delete(&world.ada, &format!("/api/members/{id}")),
            world.delete(&world.ada, &format!("/api/invites/{id}")),
            world.delete(&world.ada, &format!("/api/connections/{id}")),
            world.post(&world.ada, &format!("/api/agents/{id}/revoke"), json!({})),
            world.post(
                &world.ada,
                &format!("/api/devices/{id}/revoke"),
                json!({"reason": "lost"}),
            ),
            world.post(
                &world.ada,
                &format!("/api/devices/{id}/endorse"),
                json!({"code": "000000"}),
            ),
        ] {
            assert_eq!(call.await.refusal(), NOT_FOUND, "{id}");
        }
    }
}

//! Signing in with the company's provider, over a provider that says what a test has it say. What a real one says is in the
//! suite of peers.

mod idp;

use self::idp::{Idp, Token};
use super::*;

const ADA: &str = "ada@acme.example";
const BOB: &str = "bob@acme.example";

/// Acme with a provider, and what its people bring from there.
async fn office() -> (World, Idp) {
    let idp = Idp::start().await;
    let settings = idp.settings();
    let world = World::configured(Mode::Company, |config| config.provider = Some(settings)).await;
    idp.says(&world, "sub-bob", BOB);
    (world, idp)
}

impl World {
    fn by_provider(&self) -> Call {
        self.by_provider_with(json!({}))
    }

    fn by_provider_with(&self, more: Value) -> Call {
        let mut body = json!({
            "code": "the-code", "verifier": "v".repeat(43), "nonce": idp::NONCE,
            "redirectUri": "http://127.0.0.1:49152/signed-in",
        });
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        self.bare(Method::POST, "/api/auth/provider/sign-in").json(body)
    }

    /// Once nobody counts attempts any more bob is vouched for anew; in seconds.
    fn later(&self, idp: &Idp) -> i64 {
        self.pass(Millis::seconds(300));
        idp.says(self, "sub-bob", BOB);
        self.clock.now().0 / 1000
    }

    async fn invites(&self, email: &str) -> String {
        let invited = self
            .post(
                &self.ada,
                "/api/invites",
                json!({"email": email, "role": "approver"}),
            )
            .await;
        assert_eq!(invited.status, 201, "{invited:?}");
        invited.text("secret").to_owned()
    }

    fn count(&self, table: &str) -> i64 {
        let file = self.folder.path().join("data/control.db");
        let db = rusqlite::Connection::open(file).unwrap();
        db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))
            .unwrap()
    }
}

#[tokio::test]
async fn the_app_learns_whether_there_is_a_provider_and_where() {
    let without = World::new().await;
    let methods = without.bare(Method::GET, "/api/auth/methods").await;
    assert_eq!((methods.status, methods.body), (200, json!({})));
    assert_eq!(
        without.bare(Method::GET, "/api/auth/provider").await.refusal(),
        (404, "not_found")
    );
    assert_eq!(without.by_provider().await.refusal(), (404, "not_found"));

    let (world, idp) = office().await;
    let methods = world.bare(Method::GET, "/api/auth/methods").await;
    assert_eq!(methods.body, json!({"provider": {"name": "Acme ID"}}));
    let info = world.bare(Method::GET, "/api/auth/provider").await;
    let expected = json!({
        "issuer": idp.url(), "clientId": idp::CLIENT, "scope": "openid email profile",
        "authorizationEndpoint": format!("{}/auth", idp.url()),
    });
    assert_eq!((info.status, info.body), (200, expected));
}

#[tokio::test]
async fn who_was_invited_comes_in_with_the_providers_word_alone() {
    let (world, idp) = office().await;
    world.invites(" Bob@Acme.example").await;
    let came = world.by_provider().await;
    assert_eq!(came.status, 200, "{came:?}");
    assert_eq!(came.text("email"), BOB);
    assert_eq!(came.list("tenants")[0]["role"], "approver");
    let bob = Person {
        id: came.text("userId").parse().unwrap(),
        token: came.text("token").to_owned(),
    };
    let members = world.get(&bob, "/api/members").await;
    assert!(
        members
            .list("members")
            .iter()
            .any(|member| member["name"] == "Bob")
    );
    assert_eq!(
        world.get(&world.ada, "/api/invites").await.list("invites"),
        &[] as &[Value]
    );
    let again = world.by_provider().await;
    assert_eq!(again.text("userId"), bob.id.to_string(), "the same person");
    let asked = idp.asked();
    assert!(
        asked.contains("code=the-code") && asked.contains(&"v".repeat(43)),
        "{asked}"
    );
    assert!(
        asked.contains("signed-in"),
        "the redirect address is held against the first one: {asked}"
    );
    assert!(
        asked.starts_with("Basic "),
        "the secret goes where RFC 6749 wants it: {asked}"
    );
}

#[tokio::test]
async fn an_account_at_the_provider_makes_nobody_a_member() {
    let (world, _idp) = office().await;
    assert_eq!(world.by_provider().await.refusal(), (403, "not_a_member"));
    let counts = (world.count("account"), world.count("identity"));
    assert_eq!(counts, (1, 0), "and leaves nothing behind");
}

#[tokio::test]
async fn each_lie_in_a_token_has_its_own_answer_and_opens_nothing() {
    let (world, idp) = office().await;
    world.invites(BOB).await;
    let sessions = world.count("session");
    for (claim, lie, code) in [
        ("nonce", json!("n".repeat(44)), "wrong_nonce"),
        ("nonce", Value::Null, "wrong_nonce"),
        ("aud", json!("another"), "wrong_audience"),
        ("aud", json!([idp::CLIENT, "another"]), "wrong_audience"),
        ("azp", json!("another"), "wrong_audience"),
        ("exp", json!(-61), "token_expired"),
        ("iat", json!(-601), "token_expired"),
        ("iat", json!(61), "token_expired"),
        ("iss", json!("https://id.evil.example"), "token_invalid"),
        ("sub", Value::Null, "token_invalid"),
        ("sub", json!(""), "token_invalid"),
        ("sub", json!("s".repeat(256)), "token_invalid"),
        ("email", Value::Null, "email_missing"),
        (
            "email",
            json!("bob@acme.example,ada@acme.example"),
            "email_missing",
        ),
        ("email_verified", json!(false), "email_unverified"),
        ("email_verified", Value::Null, "email_unverified"),
        ("email", json!("bob@evil.example"), "email_foreign"),
        ("email", json!("eve@acme.example"), "not_a_member"),
    ] {
        let now = world.later(&idp);
        let lie = if ["exp", "iat"].contains(&claim) {
            json!(now + lie.as_i64().unwrap())
        } else {
            lie
        };
        idp.lies(claim, lie.clone());
        assert_eq!(world.by_provider().await.refusal(), (403, code), "{claim}: {lie}");
    }
    for token in [
        Token::ByAnotherKey,
        Token::Unsigned,
        Token::BySharedSecret,
        Token::Changed,
        Token::None,
    ] {
        world.later(&idp);
        idp.signs(token);
        assert_eq!(
            world.by_provider().await.refusal(),
            (403, "token_invalid"),
            "{token:?}"
        );
    }
    let counts = (world.count("session"), world.count("identity"));
    assert_eq!(counts, (sessions, 0));
    idp.signs(Token::Right);
    let now = world.later(&idp);
    idp.lies("exp", json!(now - 59));
    assert_eq!(
        world.by_provider().await.status,
        200,
        "clocks may differ by a minute"
    );
}

#[tokio::test]
async fn what_the_provider_itself_refuses_is_told_apart_from_its_being_away() {
    let (world, idp) = office().await;
    for (answer, expected) in [
        ("invalid_grant", (403, "code_refused")),
        ("invalid_client", (422, "provider_misconfigured")),
    ] {
        idp.signs(Token::Refused(answer));
        assert_eq!(world.by_provider().await.refusal(), expected);
    }
    let away = Idp::settings_of("http://127.0.0.1:1");
    let world = World::configured(Mode::Company, |config| config.provider = Some(away)).await;
    assert_eq!(world.by_provider().await.refusal(), (422, "provider_unreachable"));
    let info = world.bare(Method::GET, "/api/auth/provider").await;
    assert_eq!(info.refusal(), (422, "provider_unreachable"));
    let signed_in = world.sign_in(ADA, PASSWORD).await;
    assert_eq!(signed_in.status, 200, "who has a password needs no provider");
}

#[tokio::test]
async fn a_changed_address_leads_to_nobody_elses_account() {
    let (world, idp) = office().await;
    world.invites(BOB).await;
    assert_eq!(world.by_provider().await.status, 200);
    idp.says(&world, "sub-bob", ADA);
    assert_eq!(
        world.by_provider().await.refusal(),
        (403, "email_changed"),
        "bob has made himself ada at the provider"
    );
    idp.says(&world, "sub-eve", BOB);
    assert_eq!(
        world.by_provider().await.refusal(),
        (403, "bound_to_another"),
        "eve has taken over bob's address there"
    );
    idp.says(&world, "sub-bob", BOB);
    assert_eq!(world.by_provider().await.status, 200, "bob is who he was");
}

#[tokio::test]
async fn who_was_removed_stays_out_until_invited_again() {
    let (world, _idp) = office().await;
    world.invites(BOB).await;
    let bob = world.by_provider().await.text("userId").to_owned();
    world.delete(&world.ada, &format!("/api/members/{bob}")).await;
    assert_eq!(world.by_provider().await.refusal(), (403, "not_a_member"));
    world.invites(BOB).await;
    assert_eq!(world.by_provider().await.text("userId"), bob, "the same account");
}

#[tokio::test]
async fn an_account_that_the_provider_opens_has_no_password_and_no_older_session() {
    let (world, idp) = office().await;
    let beside = world.sign_in(ADA, PASSWORD).await.text("token").to_owned();
    idp.says(&world, "sub-ada", ADA);
    let came = world.by_provider().await;
    assert_eq!(came.text("userId"), world.ada.id.to_string(), "{came:?}");
    assert_eq!(
        world.sign_in(ADA, PASSWORD).await.refusal(),
        (401, "wrong_credentials")
    );
    for token in [&beside, &world.ada.token] {
        let old = world
            .bare(Method::GET, "/api/tenant")
            .token(token)
            .tenant(world.acme);
        assert_eq!(
            old.await.refusal(),
            (401, "unauthorized"),
            "who knew the password is out"
        );
    }
    let new = "another horse battery";
    let set = |email: &'static str, password: &str| {
        let password = Zeroizing::new(password.to_owned());
        world.server.set_password(email, password)
    };
    assert!(set("nobody@acme.example", new).await.is_err());
    assert!(set(ADA, "short").await.is_err());
    set(ADA, new).await.unwrap();
    let bare = world.bare(Method::GET, "/api/tenant").token(came.text("token"));
    assert_eq!(bare.tenant(world.acme).await.refusal(), (401, "unauthorized"));
    assert_eq!(
        world.sign_in(ADA, new).await.status,
        200,
        "the operator's way back"
    );
    idp.says(&world, "sub-ada-made-anew", ADA);
    assert_eq!(
        world.by_provider().await.status,
        200,
        "and the provider may bind it again"
    );
}

#[tokio::test]
async fn who_belongs_already_joins_another_tenant_by_its_secret_only() {
    let (world, idp) = office().await;
    let bobs = world.invites(BOB).await;
    let (other, owner) = world
        .server
        .found_tenant(founding("Other", "zoe@acme.example", Mode::Company))
        .await
        .unwrap();
    let zoe = world
        .server
        .open_session(owner)
        .await
        .unwrap()
        .reveal()
        .to_owned();
    let invited = world
        .bare(Method::POST, "/api/invites")
        .token(&zoe)
        .tenant(other)
        .json(json!({"email": ADA, "role": "member"}))
        .await;
    idp.says(&world, "sub-ada", ADA);
    let came = world.by_provider().await;
    assert_eq!(
        came.list("tenants").len(),
        1,
        "an invitation moves nobody who has a place"
    );
    let secret = invited.text("secret");
    let came = world.by_provider_with(json!({"invite": secret})).await;
    assert_eq!(came.list("tenants").len(), 2, "{came:?}");
    let used = world.by_provider_with(json!({"invite": secret})).await;
    assert_eq!(used.refusal(), (404, "not_found"));

    // Somebody else's secret is nothing to whom it does not name.
    idp.says(&world, "sub-eve", "eve@acme.example");
    let eve = world.by_provider_with(json!({"invite": bobs})).await;
    assert_eq!(eve.refusal(), (403, "not_a_member"));
}

#[tokio::test]
async fn what_no_app_of_ours_sends_does_not_reach_the_provider() {
    let (world, idp) = office().await;
    for (field, value) in [
        ("code", json!("")),
        ("code", json!("c".repeat(8 * 1024 + 1))),
        ("verifier", json!("v".repeat(42))),
        ("verifier", json!("v".repeat(129))),
        ("nonce", json!("")),
        ("redirectUri", json!("https://evil.example/signed-in")),
    ] {
        let answer = world.by_provider_with(json!({field: value})).await;
        assert_eq!(answer.refusal(), (400, "invalid_field"));
        assert_eq!(answer.text("field"), field);
    }
    assert_eq!(idp.asked(), "", "nobody was asked");
}

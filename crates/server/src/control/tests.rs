//! The control store's promises: secrets stay out of the file, revocation is at once, slots are everybody's own.

use std::fs;

use countersign_domain::{
    Millis, UnixMillis,
    id::{AgentId, InviteId, TenantId, UserId},
};

use super::*;
use crate::random;

const NOW: UnixMillis = UnixMillis(1_795_354_008_000);
const DAY: Millis = Millis::hours(24);

struct Store {
    folder: tempfile::TempDir,
    control: Control,
    ada: UserId,
}

impl Store {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let control = Control::open(folder.path()).unwrap();
        let store = Self {
            folder,
            control,
            ada: user(),
        };
        store.add("ada@acme.example", store.ada).await;
        store
    }

    async fn add(&self, email: &str, user: UserId) -> bool {
        let new = NewAccount {
            user,
            email: email.to_owned(),
            name: "Somebody".to_owned(),
            password: "$x".to_owned(),
        };
        self.control.add_account(new, NOW).await.unwrap()
    }

    async fn who(&self, token: &Token, now: UnixMillis) -> Option<Identity> {
        live(self.control.identify(token.reveal(), now).await.unwrap())
    }

    /// As after a restart: nothing cached.
    fn reopened(&self) -> Control {
        Control::open(self.folder.path()).unwrap()
    }
}

fn live(brought: Brought) -> Option<Identity> {
    match brought {
        Brought::Live(identity) => Some(identity),
        Brought::Ended(_) | Brought::Unknown => None,
    }
}

fn user() -> UserId {
    UserId::from_uuid(random::uuid())
}

fn tenant() -> TenantId {
    TenantId::from_uuid(random::uuid())
}

#[tokio::test]
async fn one_address_has_one_account() {
    let store = Store::new().await;
    assert!(
        !store.add("ada@acme.example", user()).await,
        "the second one would share the first one's mail"
    );
    let account = store
        .control
        .account("ada@acme.example".to_owned())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(account.user, store.ada);
    assert!(
        store
            .control
            .account("bob@acme.example".to_owned())
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn a_session_is_its_persons_until_it_is_ended() {
    let store = Store::new().await;
    let token = store.control.open_session(store.ada, NOW).await.unwrap();
    let session = token.hash();
    let ada = Identity::Person {
        user: store.ada,
        session,
    };
    assert_eq!(store.who(&token, NOW).await, Some(ada));
    assert_eq!(store.who(&token, NOW).await, Some(ada), "the cache says the same");
    store.control.end_session(session).await.unwrap();
    for control in [store.control.clone(), store.reopened()] {
        assert_eq!(
            control.identify(token.reveal(), NOW).await.unwrap(),
            Brought::Ended(ada),
            "cache and store know that it is over"
        );
    }
}

#[tokio::test]
async fn a_session_that_is_over_is_in_no_living_ones_way() {
    let store = Store::new().await;
    let living = store.control.open_session(store.ada, NOW).await.unwrap();
    for n in 1..60 {
        let token = store
            .control
            .open_session(store.ada, NOW + Millis(n))
            .await
            .unwrap();
        store.control.end_session(token.hash()).await.unwrap();
    }
    assert!(
        store.who(&living, NOW + Millis(60)).await.is_some(),
        "what is over makes room first"
    );
}

#[tokio::test]
async fn a_session_slides_with_use_and_ends_without() {
    let store = Store::new().await;
    let (used, unused) = (
        store.control.open_session(store.ada, NOW).await.unwrap(),
        store.control.open_session(store.ada, NOW).await.unwrap(),
    );
    for day in 1..=5 {
        let now = NOW + Millis(DAY.0 * 10 * day);
        assert!(
            store.who(&used, now).await.is_some(),
            "used every ten days it lives on, on day {}",
            day * 10
        );
    }
    assert!(
        store.who(&unused, NOW + Millis(DAY.0 * 30)).await.is_none(),
        "thirty days without use are its end"
    );
    // The end has moved in the file too, behind the request's back.
    let late = NOW + Millis(DAY.0 * 70);
    for _ in 0..100 {
        let brought = store.reopened().identify(used.reveal(), late).await.unwrap();
        if live(brought).is_some() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("a restart must not shorten a session that is in use");
}

#[tokio::test]
async fn nobody_fills_the_store_with_sessions() {
    let store = Store::new().await;
    let mut tokens = Vec::new();
    for n in 0..52 {
        tokens.push(
            store
                .control
                .open_session(store.ada, NOW + Millis(n))
                .await
                .unwrap(),
        );
        assert!(store.who(tokens.last().unwrap(), NOW + Millis(n)).await.is_some());
    }
    let now = NOW + Millis(60);
    assert!(
        store.who(&tokens[0], now).await.is_none(),
        "the one used longest ago made room"
    );
    assert!(store.who(&tokens[1], now).await.is_none());
    assert!(store.who(&tokens[2], now).await.is_some());
}

#[tokio::test]
async fn an_agents_key_leads_to_its_agent_and_ends_when_revoked() {
    let store = Store::new().await;
    let (tenant, agent) = (tenant(), AgentId::from_uuid(random::uuid()));
    let key = store.control.add_agent_key(tenant, agent, NOW).await.unwrap();
    let years_later = NOW + Millis(DAY.0 * 2_000);
    assert_eq!(
        store.who(&key, years_later).await,
        Some(Identity::Agent { tenant, agent }),
        "keys do not run out"
    );
    store.control.remove_agent_key(agent).await.unwrap();
    assert_eq!(store.who(&key, NOW).await, None);
}

#[tokio::test]
async fn a_look_up_never_brings_back_what_was_revoked_beside_it() {
    let store = Store::new().await;
    for _ in 0..50 {
        let token = store.control.open_session(store.ada, NOW).await.unwrap();
        let (control, text) = (store.control.clone(), token.reveal().to_owned());
        let look_up = tokio::spawn(async move { control.identify(&text, NOW).await });
        store.control.end_session(token.hash()).await.unwrap();
        look_up.await.unwrap().unwrap();
        assert_eq!(
            store.who(&token, NOW).await,
            None,
            "a cache filled late would keep a dead session alive"
        );
    }
}

#[tokio::test]
async fn an_invitations_secret_stands_until_it_ends() {
    let store = Store::new().await;
    let invitation = Invitation {
        tenant: tenant(),
        invite: InviteId::from_uuid(random::uuid()),
    };
    let until = NOW + DAY;
    let secret = store
        .control
        .add_invitation(invitation, until, NOW)
        .await
        .unwrap();
    let found = |now| store.control.invitation(secret.reveal(), now);
    assert_eq!(found(NOW).await.unwrap(), Some(invitation));
    assert_eq!(found(until).await.unwrap(), None, "its time is up");
    assert_eq!(
        store.who(&secret, NOW).await,
        None,
        "it is no credential for anything else"
    );
    store.control.remove_invitation(invitation.invite).await.unwrap();
    assert_eq!(found(NOW).await.unwrap(), None);
}

#[tokio::test]
async fn a_challenge_is_good_once_for_one_person_in_one_tenant_for_ten_minutes() {
    let store = Store::new().await;
    let (control, ada, acme) = (&store.control, store.ada, tenant());
    let nonce = control.challenge(acme, ada, NOW).await.unwrap();
    assert!(
        !control.spend_challenge(nonce, acme, user(), NOW).await.unwrap(),
        "it is ada's"
    );
    assert!(
        !control.spend_challenge(nonce, tenant(), ada, NOW).await.unwrap(),
        "and acme's"
    );
    assert!(
        !control
            .spend_challenge(nonce, acme, ada, NOW + Millis::seconds(600))
            .await
            .unwrap(),
        "and fresh"
    );
    assert!(
        control
            .spend_challenge(nonce, acme, ada, NOW + Millis::seconds(599))
            .await
            .unwrap()
    );
    assert!(
        !control.spend_challenge(nonce, acme, ada, NOW).await.unwrap(),
        "and good once"
    );
}

#[tokio::test]
async fn a_flood_of_challenges_is_in_nobody_elses_way() {
    let store = Store::new().await;
    let (control, acme, bob) = (&store.control, tenant(), user());
    let bobs = control.challenge(acme, bob, NOW).await.unwrap();
    let first = control.challenge(acme, store.ada, NOW).await.unwrap();
    for n in 1..=8 {
        control.challenge(acme, store.ada, NOW + Millis(n)).await.unwrap();
    }
    assert!(
        !control
            .spend_challenge(first, acme, store.ada, NOW)
            .await
            .unwrap(),
        "her own oldest made room"
    );
    assert!(
        control.spend_challenge(bobs, acme, bob, NOW).await.unwrap(),
        "his stands"
    );
}

#[tokio::test]
async fn no_secret_is_in_the_files() {
    let store = Store::new().await;
    let control = &store.control;
    let invitation = Invitation {
        tenant: tenant(),
        invite: InviteId::from_uuid(random::uuid()),
    };
    let tokens = [
        control.open_session(store.ada, NOW).await.unwrap(),
        control
            .add_agent_key(tenant(), AgentId::from_uuid(random::uuid()), NOW)
            .await
            .unwrap(),
        control.add_invitation(invitation, NOW + DAY, NOW).await.unwrap(),
    ];
    let nonce = control.challenge(tenant(), store.ada, NOW).await.unwrap();
    let nonce = serde_json::to_string(&nonce).unwrap();
    let mut seen = 0;
    for file in fs::read_dir(store.folder.path()).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        seen += bytes.len();
        let holds = |secret: &str| {
            bytes
                .windows(secret.len())
                .any(|window| window == secret.as_bytes())
        };
        for token in &tokens {
            assert!(
                !holds(&token.reveal()[20..40]),
                "a copy of the file must open nothing"
            );
        }
        assert!(!holds(nonce.trim_matches('"')));
    }
    assert!(seen > 4096, "there was something to look through");
}

#[tokio::test]
async fn a_full_disk_is_said_and_loses_nobody_their_session() {
    let store = Store::new().await;
    let before = store.control.open_session(store.ada, NOW).await.unwrap();
    store.control.room(Some(0)).await;
    let (acme, mut keys) = (tenant(), Vec::new());
    let full = loop {
        let agent = AgentId::from_uuid(random::uuid());
        match store.control.add_agent_key(acme, agent, NOW).await {
            Ok(key) => keys.push((key, agent)),
            Err(error) => break error,
        }
        assert!(keys.len() < 10_000, "the disk is never full");
    };
    assert!(matches!(full, ControlError::Full), "{full}");
    for control in [store.control.clone(), store.reopened()] {
        assert!(live(control.identify(before.reveal(), NOW).await.unwrap()).is_some());
        for (key, agent) in &keys {
            let found = live(control.identify(key.reveal(), NOW).await.unwrap());
            assert_eq!(
                found,
                Some(Identity::Agent {
                    tenant: acme,
                    agent: *agent
                }),
                "what was acknowledged is there"
            );
        }
    }
    store.control.room(None).await;
    let after = store.control.open_session(store.ada, NOW).await.unwrap();
    assert!(
        store.who(&after, NOW).await.is_some(),
        "it goes on when there is room"
    );
}

#[tokio::test]
async fn a_store_from_the_future_is_refused_and_left_alone() {
    let store = Store::new().await;
    let path = store.folder.path().join("control.db");
    let future = Connection::open(&path).unwrap();
    future
        .execute(
            "INSERT INTO refinery_schema_history (version, name, applied_on, checksum) VALUES (99, 'later', 'x', '1')",
            [],
        )
        .unwrap();
    drop(future);
    let error = Control::open(store.folder.path()).unwrap_err();
    assert!(matches!(error, ControlError::Newer), "{error}");
    assert!(
        error.to_string().contains("newer version"),
        "a person has to understand what to do"
    );
}

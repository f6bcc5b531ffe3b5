//! The wall between tenants, and between roles: every call of the router's own list × whose credential × whose thing,
//! over real connections. Refusals are compared as the bytes that came.

mod agents;
mod office;
mod rows;
mod signed;
mod wire;

use std::{collections::BTreeSet, net::SocketAddr};

use countersign_domain::id::UserId;

use self::{
    office::{Named, Office, Seat, Thing},
    rows::{ROLES, Reach, Row, Saying, mixed, rows},
    wire::Came,
};
use super::{streams::told, *};
use crate::{http::CALLS, random};

/// The word that is in every name of the other tenant.
const THEIRS: &str = "zanzibar";

/// Acme and another tenant, and somebody who owns a part of both.
struct Two {
    world: World,
    acme: Office,
    other: Office,
}

impl Two {
    async fn new() -> Self {
        let world = World::configured(Mode::Company, |config| {
            config.max_open = None;
            config.max_rate = None;
        })
        .await;
        let acme = Office::of(&world, world.acme, world.ada.clone(), "acme").await;
        let new = founding(THEIRS, &format!("{THEIRS}@acme.example"), Mode::Company);
        let (id, owner) = world.server.found_tenant(new).await.unwrap();
        let owner = world.person(owner).await;
        let other = Office::of(&world, id, owner, THEIRS).await;
        Self { world, acme, other }
    }

    async fn roots(&self) -> [(u64, countersign_domain::Digest); 2] {
        [
            self.acme.root(&self.world).await,
            self.other.root(&self.world).await,
        ]
    }

    /// The call as somebody of `office` sends it about `named`, without a credential.
    async fn sent(&self, row: &Row, office: &Office, seat: &Seat, named: &Named) -> wire::Sent {
        let challenge = if row.call.1.ends_with("/enrol") {
            office::challenge(&self.world, office.id, &seat.person).await
        } else {
            String::new()
        };
        let saying = Saying {
            world: &self.world,
            office,
            seat,
            named,
            challenge: &challenge,
        };
        row.sent(&saying)
    }
}

impl World {
    async fn person(&self, id: UserId) -> Person {
        let token = self.server.open_session(id).await.unwrap().reveal().to_owned();
        Person { id, token }
    }
}

#[test]
fn every_call_has_one_row_and_every_row_its_call() {
    let calls: Vec<_> = CALLS.to_vec();
    let rows: Vec<_> = rows().iter().map(|row| row.call).collect();
    assert_eq!(rows.len(), rows.iter().collect::<BTreeSet<_>>().len(), "one each");
    let (calls, rows): (BTreeSet<_>, BTreeSet<_>) = (calls.into_iter().collect(), rows.into_iter().collect());
    assert_eq!(calls, rows, "a call without a row is a hole in the wall");
    for (call, named) in self::rows().iter().map(|row| (row.call, row.thing)) {
        assert!(
            !call.1.contains("{id}") || named != Thing::Nothing,
            "{call:?} names something in its path"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_has_no_credential_that_counts_gets_one_answer_from_every_call() {
    let two = Two::new().await;
    let (world, acme) = (&two.world, &two.acme);
    let by = &acme.owner.person;
    // Ended before their time: a session, an agent, the agent of somebody who has left, and that person's device's.
    let signed_out = world.person(by.id).await;
    world
        .bare(Method::POST, "/api/auth/sign-out")
        .token(&signed_out.token)
        .await;
    let (revoked_id, revoked) = world.agent("revoked").await;
    world
        .post(by, &format!("/api/agents/{revoked_id}/revoke"), json!({}))
        .await;
    let gone = acme.admin.person.clone();
    let personal = json!({"name": "orphan", "personal": true});
    let orphan = world
        .post(&gone, "/api/agents", personal)
        .await
        .text("apiKey")
        .to_owned();
    world.delete(by, &format!("/api/members/{}", gone.id)).await;
    // And run out.
    let expired = world.person(acme.auditor.person.id).await;
    world.pass(Millis::hours(30 * 24));
    let fresh = world.person(by.id).await.token;
    let unknown = crate::control::Token::new(crate::control::TokenKind::Session);
    let ended = [
        ("none", None),
        ("empty", Some("")),
        ("nothing", Some("nothing")),
        ("unknown", Some(unknown.reveal())),
        ("signed out", Some(&*signed_out.token)),
        ("revoked", Some(&*revoked)),
        ("its person has left", Some(&*orphan)),
        ("expired", Some(&*expired.token)),
    ];
    let before = two.roots().await;
    let mut first: Option<Came> = None;
    told(world, async |address| {
        for row in rows().iter().filter(|row| row.reach != Reach::Open) {
            let named = Named {
                id: random::uuid().to_string(),
                more: Value::Null,
            };
            let owner = Seat {
                person: Person {
                    id: by.id,
                    token: fresh.clone(),
                },
                device: devices::Device::new(),
            };
            let sent = two.sent(row, acme, &owner, &named).await.tenant(acme.id);
            for (what, token) in ended {
                let sent = token.map_or_else(|| sent.clone(), |token| sent.clone().token(token));
                let came = sent.to(address).await;
                let first = first.get_or_insert_with(|| came.clone());
                assert_eq!((came.status, &came), (401, &*first), "{:?} with {what}", row.call);
            }
        }
    })
    .await;
    assert_eq!(two.roots().await, before, "and nothing has happened");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_tenant_answers_like_one_that_is_not_there_on_every_call() {
    let two = Two::new().await;
    let (world, acme, other) = (&two.world, &two.acme, &two.other);
    let gone = world.person(acme.admin.person.id).await;
    world
        .delete(&world.ada, &format!("/api/members/{}", gone.id))
        .await;
    let absent = TenantId::from_uuid(random::uuid()).to_string();
    let (theirs, ours) = (other.id.to_string(), acme.id.to_string());
    // Who asks, and for which tenant.
    let strangers = [
        ("an owner, of another tenant", &*world.ada.token, &theirs),
        ("another tenant's owner", &*other.owner.person.token, &ours),
        ("another tenant's agent", &*other.agent.1, &ours),
        ("an agent, of another tenant", &*acme.agent.1, &theirs),
        ("somebody who has left", &*gone.token, &ours),
        ("an owner, of none there is", &*world.ada.token, &absent),
        ("an agent, of none there is", &*acme.agent.1, &absent),
    ];
    let before = two.roots().await;
    let mut first: Option<Came> = None;
    told(world, async |address| {
        for row in rows().iter().filter(|row| row.reach == Reach::Tenant) {
            for (office, seat) in [(acme, &acme.owner), (other, &other.owner)] {
                // As its own people would ask, of something that is there.
                let named = office.make(world, row.thing).await;
                let sent = two.sent(row, office, seat, &named).await;
                let before = two.roots().await;
                for (who, token, tenant) in strangers {
                    let came = sent
                        .clone()
                        .token(token)
                        .header("x-tenant-id", tenant)
                        .to(address)
                        .await;
                    let first = first.get_or_insert_with(|| came.clone());
                    assert_eq!((came.status, &came), (404, &*first), "{:?} by {who}", row.call);
                }
                let nowhere = sent.token(&office.owner.person.token).to(address).await;
                assert_eq!(
                    (nowhere.status, nowhere.code()),
                    (400, "missing_tenant".to_owned())
                );
                assert_eq!(two.roots().await, before, "{:?} has done something", row.call);
            }
        }
    })
    .await;
    assert_ne!(two.roots().await, before, "there was something to reach");
}

/// The answers to a record name its digest, which is the asker's own.
fn without_digest(mut came: Came) -> Came {
    if let Ok(mut body) = serde_json::from_slice::<Value>(&came.body)
        && let Some(results) = body["results"].as_array_mut()
    {
        for result in results {
            result.as_object_mut().unwrap().remove("digest");
        }
        came.body = body.to_string().into_bytes();
    }
    came
}

/// Ids of things that nobody in the tenant may see, and ids of nothing.
async fn not_ours(two: &Two, row: &Row) -> Vec<(&'static str, String)> {
    let foreign = two.other.make(&two.world, row.thing).await.id;
    let (ours, guessed) = (random::uuid().to_string(), random::uuid().to_string());
    let mut neighbour = foreign.clone();
    let last = if neighbour.ends_with('0') { "1" } else { "0" };
    neighbour.replace_range(neighbour.len() - 1.., last);
    let mut ids = vec![
        ("guessed", guessed),
        ("foreign", foreign),
        ("beside a foreign one", neighbour),
        ("the tenant's", two.acme.id.to_string()),
        ("of another kind", two.other.agent.0.clone()),
    ];
    if row.thing == Thing::Stop {
        ids.truncate(3);
        ids[0].1 = countersign_domain::Digest::of(ours.as_bytes()).to_string();
    }
    if row.call.1.contains("{id}") {
        ids.push(("no id", "nothing".to_owned()));
        ids.push(("in capitals", ids[1].1.to_uppercase()));
    }
    ids
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_thing_answers_like_one_that_is_not_there_wherever_it_is_named() {
    let two = Two::new().await;
    let (world, acme, other) = (&two.world, &two.acme, &two.other);
    let named: Vec<_> = rows()
        .into_iter()
        .chain(mixed())
        .filter(|row| row.thing != Thing::Nothing)
        .collect();
    let mut compared = 0;
    told(world, async |address| {
        for row in &named {
            let ids = not_ours(&two, row).await;
            let before = other.root(world).await;
            // One who manages, one who decides, one who sees only their own; the agent, too, where it may propose.
            for role in ["owner", "approver", "member", "agent"] {
                let (token, seat) = acme.role(role);
                let seat = seat.unwrap_or(&acme.owner);
                let mut first: Option<Came> = None;
                for (what, id) in &ids {
                    let named = Named {
                        id: id.clone(),
                        more: Value::Null,
                    };
                    let sent = two.sent(row, acme, seat, &named).await;
                    let came = without_digest(sent.token(token).tenant(acme.id).to(address).await);
                    let first = first.get_or_insert_with(|| came.clone());
                    assert_eq!(
                        &came, &*first,
                        "{:?} of {:?} by {role}: {what}",
                        row.call, row.thing
                    );
                    assert!(
                        [400, 403, 404, 409, 422].contains(&came.status) || !refused_record(&came).is_empty(),
                        "{:?} of {:?} by {role}: {what}: {came:?}",
                        row.call,
                        row.thing
                    );
                    compared += 1;
                }
            }
            assert_eq!(
                other.root(world).await,
                before,
                "{:?} reached the other tenant",
                row.call
            );
        }
    })
    .await;
    assert!(compared > 400, "{compared}");
}

/// Why a record did not count.
fn refused_record(came: &Came) -> String {
    let body: Value = serde_json::from_slice(&came.body).unwrap_or_default();
    body["results"][0]["reason"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_of_two_tenants_has_one_hand_in_each() {
    let two = Two::new().await;
    let (world, acme, other) = (&two.world, &two.acme, &two.other);
    // Ada runs both; her session opens both.
    let invite = office::asked(world, other.id, &other.owner.person, Method::POST, "/api/invites");
    let invited = invite
        .json(json!({"email": "ada@acme.example", "role": "owner"}))
        .await;
    assert_eq!(world.accept(invited.text("secret"), "ada").await.status, 200);
    told(world, async |address| {
        for row in rows()
            .into_iter()
            .chain(mixed())
            .filter(|row| row.thing != Thing::Nothing)
        {
            let theirs = other.make(world, row.thing).await;
            let absent = Named {
                id: if row.thing == Thing::Stop {
                    countersign_domain::Digest::of(b"nothing").to_string()
                } else {
                    random::uuid().to_string()
                },
                more: theirs.more.clone(),
            };
            let before = other.root(world).await;
            let mut answers = Vec::new();
            for named in [&theirs, &absent] {
                let sent = two.sent(&row, acme, &acme.owner, named).await;
                let came = sent.token(&world.ada.token).tenant(acme.id).to(address).await;
                answers.push(without_digest(came));
            }
            assert_eq!(answers[0], answers[1], "{:?} of {:?}", row.call, row.thing);
            assert_eq!(
                other.root(world).await,
                before,
                "{:?} of {:?}",
                row.call,
                row.thing
            );
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_role_gets_from_every_call_what_the_table_says_and_nothing_of_another_tenant() {
    let two = Two::new().await;
    let world = &two.world;
    two.other.make(world, Thing::Proposal).await;
    two.other.make(world, Thing::Unknown).await;
    let mut wrong = Vec::new();
    told(world, async |address| {
        for row in rows() {
            for role in ROLES {
                let came = own(&two, &row, role, address, &mut wrong).await;
                let text = came.text();
                assert!(
                    !text.contains(THEIRS) && !text.contains(&two.other.id.to_string()),
                    "{:?} tells {role} of another tenant: {text}",
                    row.call
                );
            }
        }
    })
    .await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What the role gets; whatever is not as the table says goes to `wrong`.
async fn own(two: &Two, row: &Row, role: &str, address: SocketAddr, wrong: &mut Vec<String>) -> Came {
    let (world, acme) = (&two.world, &two.acme);
    let named = acme.make(world, row.thing).await;
    let (token, seat) = acme.role(role);
    // Signing out ends the session that does it. Of one person there are only so many.
    let session = match (row.reach, seat) {
        (Reach::Session, Some(seat)) => world.person(seat.person.id).await.token,
        _ => token.to_owned(),
    };
    let sent = two.sent(row, acme, seat.unwrap_or(&acme.owner), &named).await;
    let before = acme.root(world).await;
    let came = sent.token(&session).tenant(acme.id).to(address).await;
    let done = acme.root(world).await != before;
    let good = came.status == row.good && refused_record(&came).is_empty();
    let refusal = [401, 403, 404, 409].contains(&came.status) || !refused_record(&came).is_empty();
    let may = row.may.contains(&role);
    if good != may || (!may && (!refusal || (done && refused_record(&came).is_empty()))) {
        wrong.push(format!("{:?} by {role}: {came:?}, changed: {done}", row.call));
    }
    assert!(!(row.reads() && done), "{:?} is a read", row.call);
    if row.thing == Thing::Proposal {
        // What it has approved, if that is what it did: its run is over before anything more is compared.
        let run = json!({"aiToolCallId": named.id});
        let by = &acme.owner.person;
        office::asked(world, acme.id, by, Method::POST, "/api/assistant/execute")
            .json(run)
            .await;
    }
    came
}

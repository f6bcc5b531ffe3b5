//! A device's key over its life: replaced by the word of both keys, revoked with what is still trusted of it.

use countersign_domain::{
    Millis, Record, UnixMillis,
    dsse::SigningKey,
    record::{Assurance, Rotate},
};
use serde_json::json;

use super::{devices::Device, *};
use crate::random;

/// A tenant in which agents propose and Ada's device approves.
struct Desk {
    world: World,
    adas: Device,
    key: String,
}

impl Desk {
    async fn new() -> Self {
        let world = World::new().await;
        let (_, key) = world.agent("bookkeeper").await;
        let adas = world.adas_device().await;
        Self { world, adas, key }
    }

    /// Nothing begins from here on.
    async fn stopped() -> Self {
        let desk = Self::new().await;
        let all = json!({"scope": {"kind": "tenant"}});
        assert_eq!(
            desk.world.post(&desk.world.ada, "/api/stop", all).await.status,
            201
        );
        desk
    }

    /// Two people end it.
    async fn release(&self) {
        let world = &self.world;
        let bob = world.join("bob", "admin").await;
        let stops = world.get(&world.ada, "/api/stop").await;
        let stop = &stops.list("stops")[0]["stop"];
        let release = json!({"scope": {"kind": "tenant"}, "stop": stop});
        for person in [&bob, &world.ada] {
            let released = world.post(person, "/api/stop/release", release.clone()).await;
            assert_eq!(released.status, 200, "{released:?}");
        }
    }

    async fn task(&self, title: &str) -> String {
        let propose = self.world.bare(Method::POST, "/api/assistant/propose");
        let proposed = propose
            .token(&self.key)
            .tenant(self.world.acme)
            .json(json!({"text": format!("create task: {title}")}))
            .await;
        assert_eq!(proposed.status, 200, "{proposed:?}");
        proposed.body["proposalRecord"]["aiToolCallId"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Proposed by the agent, approved with `device`.
    async fn approved_with(&self, device: &Device, title: &str) -> String {
        let proposal = self.task(title).await;
        let answer = self.approve(device, &proposal).await;
        assert_eq!(answer["effective"], true, "{answer}");
        proposal
    }

    async fn approved(&self, title: &str) -> String {
        self.approved_with(&self.adas, title).await
    }

    async fn approve(&self, device: &Device, proposal: &str) -> Value {
        let world = &self.world;
        let record = world
            .approval(device, &world.ada, proposal, Assurance::Device)
            .await;
        world.push(&world.ada, &record).await
    }

    fn revoke(&self, body: Value) -> Call {
        let path = format!("/api/devices/{}/revoke", self.adas.id);
        self.world.post(&self.world.ada, &path, body)
    }

    fn review(&self, who: &Person) -> Call {
        self.world
            .get(who, &format!("/api/devices/{}/review", self.adas.id))
    }

    async fn status(&self, proposal: &str) -> String {
        self.world.status(proposal).await
    }

    /// The device turns to `new`, whose word `by` gives, in its next record.
    fn turn(&self, new: &SigningKey, by: &SigningKey) -> Rotate {
        let (seq, nonce, tenant) = (self.adas.next().unwrap(), random::nonce(), self.world.acme);
        Rotate {
            at: self.world.clock.now(),
            device: self.adas.id,
            device_seq: seq,
            key: new.public_key(),
            nonce,
            previous: None,
            proof: Rotate::proof(by, tenant, self.adas.id, seq, nonce).unwrap(),
            tenant,
        }
    }
}

fn fresh() -> SigningKey {
    SigningKey::from_seed(&random::bytes())
}

fn rfc(time: UnixMillis) -> Value {
    json!(time.to_string())
}

#[tokio::test]
async fn a_stolen_devices_approvals_fall_from_the_time_of_the_theft_on_and_not_before() {
    for (since, falls) in [(-1, true), (0, true), (1, false)] {
        let desk = Desk::stopped().await;
        let before = desk.approved("before the theft").await;
        desk.world.pass(Millis::hours(1));
        let at = desk.world.clock.now();
        let after = desk.approved("at the time").await;
        desk.world.pass(Millis::hours(1));
        let theft = rfc(at + Millis(since));
        let revoked = desk
            .revoke(json!({"reason": "stolen", "compromisedSince": theft}))
            .await;
        assert_eq!(revoked.status, 204, "{revoked:?}");
        assert_eq!(
            desk.status(&before).await,
            "pending",
            "good hands had approved it"
        );
        let expected = if falls { "proposed" } else { "pending" };
        assert_eq!(desk.status(&after).await, expected, "{since} ms from the theft");
        let review = desk.review(&desk.world.ada).await;
        assert_eq!(review.body["compromisedSince"], theft);
        assert_eq!(review.body["lastGoodSeq"], if falls { 1 } else { 2 });
        assert_eq!(review.list("decisions").len(), 0, "nothing had begun");
    }
}

#[tokio::test]
async fn without_a_word_about_it_nothing_counts_that_has_not_begun() {
    let desk = Desk::stopped().await;
    let task = desk.approved("file the report").await;
    assert_eq!(desk.revoke(json!({"reason": "lost"})).await.status, 204);
    assert_eq!(desk.status(&task).await, "proposed");
}

#[tokio::test]
async fn a_device_that_was_replaced_leaves_its_approvals_standing_until_more_is_known() {
    let desk = Desk::stopped().await;
    let task = desk.approved("file the report").await;
    let replaced = json!({"reason": "replaced", "decisionsStand": true});
    assert_eq!(desk.revoke(replaced.clone()).await.status, 204);
    assert_eq!(desk.status(&task).await, "pending");
    let late = desk.task("one more").await;
    assert_eq!(
        desk.approve(&desk.adas, &late).await["reason"],
        "device_revoked",
        "but it signs nothing more"
    );
    let stolen = json!({"reason": "it was sold with its disk"});
    assert_eq!(desk.revoke(stolen).await.status, 204);
    assert_eq!(
        desk.status(&task).await,
        "proposed",
        "trust can be taken away later"
    );
    assert_eq!(desk.revoke(replaced).await.status, 204);
    assert_eq!(desk.status(&task).await, "proposed", "and does not come back");
}

#[tokio::test]
async fn what_had_run_on_a_doubted_word_is_listed_for_who_may_see_it() {
    let desk = Desk::new().await;
    let world = &desk.world;
    assert_eq!(
        desk.review(&world.ada).await.refusal(),
        (404, "not_found"),
        "it is in service"
    );
    let ran = desk.approved("file the report").await;
    let execute = json!({"aiToolCallId": ran});
    let done = world.post(&world.ada, "/api/assistant/execute", execute).await;
    assert_eq!(done.status, 200, "{done:?}");
    assert_eq!(desk.revoke(json!({"reason": "stolen"})).await.status, 204);

    let review = desk.review(&world.ada).await;
    assert_eq!(review.body["lastGoodSeq"], 0);
    let listed = review.list("decisions");
    assert_eq!(listed.len(), 1);
    assert_eq!(
        (
            &listed[0]["proposalId"],
            &listed[0]["status"],
            &listed[0]["verdict"]
        ),
        (&json!(ran), &json!("completed"), &json!("approve"))
    );
    let bob = world.join("bob", "admin").await;
    assert_eq!(
        desk.review(&bob).await.list("decisions").len(),
        1,
        "who manages sees it"
    );
    let eve = world.join("eve", "approver").await;
    assert_eq!(desk.review(&eve).await.refusal(), (404, "not_found"));
}

#[tokio::test]
async fn devices_that_a_stolen_one_has_let_in_go_with_it_and_those_of_before_stay() {
    for (stolen, of_the_thief) in [
        (json!({"reason": "stolen"}), "active"),
        (
            json!({"reason": "stolen", "compromisedSince": "the theft"}),
            "revoked",
        ),
    ] {
        let desk = Desk::new().await;
        let world = &desk.world;
        let let_in = async |by: &Device| {
            let new = Device::new();
            new.enrol(world, &world.ada).await;
            let vouched = by.push(world, &world.ada, &world.vouching(by, &new)).await;
            assert_eq!(vouched["effective"], true, "{vouched}");
            new
        };
        let adas_phone = let_in(&desk.adas).await;
        world.pass(Millis::hours(1));
        let theft = rfc(world.clock.now());
        let thiefs = let_in(&desk.adas).await;
        let his_second = let_in(&thiefs).await;
        let task = desk.approved_with(&his_second, "pay the thief").await;

        world.pass(Millis::hours(1));
        let mut body = stolen;
        if body.get("compromisedSince").is_some() {
            body["compromisedSince"] = theft;
        }
        assert_eq!(desk.revoke(body).await.status, 204);
        assert_eq!(world.state(&world.ada, &desk.adas).await, "revoked");
        assert_eq!(world.state(&world.ada, &adas_phone).await, "active");
        assert_eq!(world.state(&world.ada, &thiefs).await, of_the_thief);
        assert_eq!(world.state(&world.ada, &his_second).await, of_the_thief);
        let expected = if of_the_thief == "revoked" {
            "proposed"
        } else {
            "pending"
        };
        assert_eq!(desk.status(&task).await, expected, "{of_the_thief}");

        let review = desk.review(&world.ada).await;
        let listed: Vec<_> = review
            .list("others")
            .iter()
            .map(|other| (other["kind"].clone(), other["subject"].clone()))
            .collect();
        let vouched = |device: &Device| (json!("endorse"), json!(format!("device/{}", device.id)));
        let expected = if of_the_thief == "revoked" {
            vec![vouched(&thiefs)]
        } else {
            vec![vouched(&thiefs), vouched(&adas_phone)]
        };
        assert_eq!(listed, expected, "those are for people to look at");
    }
}

#[tokio::test]
async fn a_revocation_says_one_thing_and_of_the_past() {
    let desk = Desk::new().await;
    let now = desk.world.clock.now();
    let both = json!({"reason": "x", "compromisedSince": rfc(now), "decisionsStand": true});
    assert_eq!(desk.revoke(both).await.text("field"), "decisionsStand");
    let future = json!({"reason": "x", "compromisedSince": rfc(now + Millis(1))});
    assert_eq!(desk.revoke(future).await.text("field"), "compromisedSince");
    let odd = json!({"reason": "x", "compromisedSince": "yesterday"});
    assert_eq!(desk.revoke(odd).await.status, 400);
    assert_eq!(desk.world.state(&desk.world.ada, &desk.adas).await, "active");
}

#[tokio::test]
async fn a_device_goes_on_with_a_new_key_and_what_the_old_one_approved_still_runs() {
    let desk = Desk::stopped().await;
    let world = &desk.world;
    let first = desk.task("approved with the old key").await;
    let old_word = world
        .approval(&desk.adas, &world.ada, &first, Assurance::Device)
        .await;
    assert_eq!(world.push(&world.ada, &old_word).await["effective"], true);

    let new = fresh();
    let turned = desk.adas.push(world, &world.ada, &desk.turn(&new, &new)).await;
    assert_eq!(turned["effective"], true, "{turned}");
    let listed = world.get(&world.ada, "/api/devices").await;
    assert_eq!(listed.list("devices")[0]["publicKey"], json!(new.public_key()));

    desk.release().await;
    let execute = json!({"aiToolCallId": first});
    let done = world.post(&world.ada, "/api/assistant/execute", execute).await;
    assert_eq!(done.text("status"), "completed", "{done:?}");
    let again = world.push(&world.ada, &old_word).await;
    assert_eq!(
        again["effective"], true,
        "the same envelope, the same answer for ever"
    );

    let second = desk.task("approved with the new key").await;
    let late = desk.approve(&desk.adas, &second).await;
    assert_eq!(late["reason"], "bad_signature", "the old key signs nothing more");
    let turned = desk.adas.with(new);
    assert_eq!(desk.approve(&turned, &second).await["effective"], true);

    let Desk { world, adas, key } = desk;
    let world = world.restarted(|_| {}).await;
    let desk = Desk { world, adas, key };
    desk.approved_with(&turned, "after the server was started again")
        .await;
}

#[tokio::test]
async fn a_turn_that_the_new_key_has_not_signed_is_refused_and_journalled_as_refused() {
    let desk = Desk::new().await;
    let world = &desk.world;
    let (new, other) = (fresh(), fresh());
    let refused = desk.adas.push(world, &world.ada, &desk.turn(&new, &other)).await;
    assert_eq!(
        (&refused["effective"], &refused["reason"]),
        (&json!(false), &json!("bad_signature"))
    );
    let bob = world.join("bob", "approver").await;
    let bobs = Device::new();
    bobs.enrol(world, &bob).await;
    let borrowed = desk.turn(bobs.key(), bobs.key());
    let refused = desk.adas.push(world, &world.ada, &borrowed).await;
    assert_eq!(refused["reason"], "not_eligible", "a key has one device");
    desk.approved("and the old key still signs").await;
}

#[tokio::test]
async fn somebody_elses_session_turns_nobodys_key() {
    let desk = Desk::new().await;
    let world = &desk.world;
    let bob = world.join("bob", "admin").await;
    let new = fresh();
    let record = desk.adas.sign(&desk.turn(&new, &new));
    assert_eq!(world.push(&bob, &record).await["reason"], "bad_signature");
    let thief = Record::signed(&desk.turn(&new, &new), &new).unwrap();
    assert_eq!(
        world.push(&world.ada, &thief).await["reason"],
        "bad_signature",
        "nor does the new key alone"
    );
    desk.approved("it is as it was").await;
}

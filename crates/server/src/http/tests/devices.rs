//! Device keys: how one enters service, who vouches for it, how it leaves.

use countersign_domain::{
    Millis, Record,
    dsse::SigningKey,
    id::DeviceId,
    record::{Body, Enrol, Mode, Nonce},
};
use serde_json::json;
use std::sync::atomic::AtomicU64;

use super::*;
use crate::random;

/// A device that wants in.
pub(super) struct Device {
    pub(super) id: DeviceId,
    key: SigningKey,
    /// Its last number.
    last: AtomicU64,
}

impl Device {
    pub(super) fn new() -> Self {
        Self {
            id: DeviceId::from_uuid(random::uuid()),
            key: SigningKey::from_seed(&random::bytes()),
            last: AtomicU64::new(0),
        }
    }

    /// The same device, which signs with another key.
    pub(super) fn with(&self, key: SigningKey) -> Self {
        Self {
            id: self.id,
            key,
            last: AtomicU64::new(self.last.load(Ordering::SeqCst)),
        }
    }

    pub(super) fn key(&self) -> &SigningKey {
        &self.key
    }

    /// The number of its next record.
    pub(super) fn next(&self) -> Option<u64> {
        Some(self.last.fetch_add(1, Ordering::SeqCst) + 1)
    }

    pub(super) fn sign<B: Body>(&self, body: &B) -> Record {
        Record::signed(body, &self.key).unwrap()
    }

    /// Signs and pushes: the one answer.
    pub(super) async fn push<B: Body>(&self, world: &World, person: &Person, body: &B) -> Value {
        world.push(person, &self.sign(body)).await
    }

    pub(super) fn record(&self, tenant: TenantId, person: &Person, challenge: &str) -> Enrol {
        Enrol {
            challenge: challenge.parse::<Nonce>().unwrap(),
            device: self.id,
            name: "laptop".to_owned(),
            nonce: random::nonce(),
            public_key: self.key.public_key(),
            tenant,
            user: person.id,
        }
    }

    /// Asks for a challenge and enrols.
    pub(super) async fn enrol(&self, world: &World, person: &Person) -> Answer {
        let challenge = world.challenge(person).await;
        world
            .enrol(person, &self.record(world.acme, person, &challenge), &self.key)
            .await
    }
}

impl World {
    pub(super) async fn push(&self, person: &Person, record: &Record) -> Value {
        let records = json!({"records": [record.to_envelope()]});
        let answer = self.post(person, "/api/records", records).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.list("results")[0]["digest"], record.digest.to_string());
        answer.list("results")[0].clone()
    }

    async fn challenge(&self, person: &Person) -> String {
        self.post(person, "/api/devices/challenge", json!({}))
            .await
            .text("challenge")
            .to_owned()
    }

    async fn enrol(&self, person: &Person, enrol: &Enrol, key: &SigningKey) -> Answer {
        let envelope = Record::signed(enrol, key).unwrap().to_envelope();
        self.post(person, "/api/devices/enrol", json!({"record": envelope}))
            .await
    }

    pub(super) async fn endorse(&self, by: &Person, device: &Device, code: &str) -> Answer {
        self.post(
            by,
            &format!("/api/devices/{}/endorse", device.id),
            json!({"code": code}),
        )
        .await
    }

    pub(super) async fn state(&self, person: &Person, device: &Device) -> String {
        let listed = self.get(person, "/api/devices").await;
        let found = listed
            .list("devices")
            .iter()
            .find(|known| known["id"] == device.id.to_string());
        found
            .map_or("absent", |known| known["state"].as_str().unwrap())
            .to_owned()
    }
}

#[tokio::test]
async fn the_owners_sign_in_vouches_for_one_device_once() {
    let world = World::new().await;
    let (first, second) = (Device::new(), Device::new());
    assert_eq!(first.enrol(&world, &world.ada).await.text("standing"), "active");
    assert_eq!(
        second.enrol(&world, &world.ada).await.text("standing"),
        "waiting",
        "a stolen password gets no key"
    );
    let listed = world.get(&world.ada, "/api/devices").await;
    let first_listed = listed
        .list("devices")
        .iter()
        .find(|known| known["id"] == first.id.to_string())
        .unwrap();
    assert_eq!(first_listed["endorsedBy"]["kind"], "first_device");
    let revoke = format!("/api/devices/{}/revoke", first.id);
    assert_eq!(
        world
            .post(&world.ada, &revoke, json!({"reason": "sold"}))
            .await
            .status,
        204
    );
    assert_eq!(
        Device::new().enrol(&world, &world.ada).await.text("standing"),
        "waiting",
        "once is once"
    );
}

#[tokio::test]
async fn two_first_devices_at_the_same_time_are_one() {
    let world = World::new().await;
    let (one, other) = (Device::new(), Device::new());
    let (a, b) = futures::future::join(one.enrol(&world, &world.ada), other.enrol(&world, &world.ada)).await;
    let mut standings = [a.text("standing"), b.text("standing")];
    standings.sort_unstable();
    assert_eq!(standings, ["active", "waiting"]);
}

#[tokio::test]
async fn an_admin_who_is_another_person_vouches_with_the_code() {
    let world = World::new().await;
    let (bob, eve) = (
        world.join("bob", "admin").await,
        world.join("eve", "approver").await,
    );
    let device = Device::new();
    let enrolled = device.enrol(&world, &bob).await;
    assert_eq!(
        enrolled.text("standing"),
        "waiting",
        "only an owner's first device is vouched for by sign-in"
    );
    let code = enrolled.text("code");
    assert_eq!(code.len(), 6);
    let wrong = if code == "000000" { "000001" } else { "000000" };
    assert_eq!(
        world.endorse(&bob, &device, code).await.refusal(),
        (403, "another_person")
    );
    assert_eq!(
        world.endorse(&eve, &device, code).await.refusal(),
        (403, "forbidden")
    );
    assert_eq!(
        world.endorse(&world.ada, &device, wrong).await.refusal(),
        (422, "wrong_code")
    );
    assert_eq!(world.state(&bob, &device).await, "waiting");
    let seen = world.get(&world.ada, "/api/devices").await;
    assert!(
        seen.list("devices")[0]["code"].is_null(),
        "who vouches has to hear the code from the person"
    );
    assert_eq!(world.endorse(&world.ada, &device, code).await.status, 204);
    assert_eq!(world.state(&bob, &device).await, "active");
    assert_eq!(
        world.endorse(&world.ada, &device, code).await.refusal(),
        (409, "not_waiting")
    );
}

#[tokio::test]
async fn the_code_cannot_be_tried_out() {
    let world = World::new().await;
    let bob = world.join("bob", "member").await;
    let device = Device::new();
    let code = device.enrol(&world, &bob).await.text("code").to_owned();
    for n in 0..10 {
        let guess = format!("{n:06}");
        assert_eq!(
            world.endorse(&world.ada, &device, &guess).await.refusal(),
            (422, "wrong_code")
        );
    }
    assert_eq!(
        world.endorse(&world.ada, &device, &code).await.refusal(),
        (429, "rate_limited")
    );
    world.pass(Millis::seconds(300));
    assert_eq!(world.endorse(&world.ada, &device, &code).await.status, 204);
}

#[tokio::test]
async fn an_enrolment_is_signed_fresh_and_ones_own() {
    let world = World::new().await;
    let bob = world.join("bob", "member").await;
    let device = Device::new();
    let challenge = world.challenge(&bob).await;
    let good = device.record(world.acme, &bob, &challenge);

    let other_key = SigningKey::from_seed(&random::bytes());
    assert_eq!(
        world.enrol(&bob, &good, &other_key).await.refusal(),
        (403, "bad_signature")
    );
    assert_eq!(
        world.enrol(&world.ada, &good, &device.key).await.refusal(),
        (403, "forbidden"),
        "it is bob's"
    );
    let elsewhere = Enrol {
        tenant: TenantId::from_uuid(random::uuid()),
        ..good.clone()
    };
    assert_eq!(
        world.enrol(&bob, &elsewhere, &device.key).await.refusal(),
        (403, "forbidden")
    );
    let hidden = Enrol {
        name: "lap\u{200b}top".to_owned(),
        ..good.clone()
    };
    assert_eq!(
        world.enrol(&bob, &hidden, &device.key).await.text("field"),
        "name"
    );
    let invented = Enrol {
        challenge: random::nonce(),
        ..good.clone()
    };
    assert_eq!(
        world.enrol(&bob, &invented, &device.key).await.refusal(),
        (409, "stale_challenge")
    );
    let adas = world.challenge(&world.ada).await;
    let borrowed = device.record(world.acme, &bob, &adas);
    assert_eq!(
        world.enrol(&bob, &borrowed, &device.key).await.refusal(),
        (409, "stale_challenge")
    );

    let enrolled = world.enrol(&bob, &good, &device.key).await;
    assert_eq!(
        enrolled.status, 200,
        "after all that the good one is still good: {enrolled:?}"
    );
    let again = world.enrol(&bob, &good, &device.key).await;
    assert_eq!(
        again.body, enrolled.body,
        "the same record has the same answer, should the first have been lost"
    );

    let fresh = world.challenge(&bob).await;
    let same_id = Enrol {
        public_key: other_key.public_key(),
        ..device.record(world.acme, &bob, &fresh)
    };
    assert_eq!(
        world.enrol(&bob, &same_id, &other_key).await.refusal(),
        (409, "device_known")
    );
    let fresh = world.challenge(&bob).await;
    let same_key = Enrol {
        device: DeviceId::from_uuid(random::uuid()),
        ..device.record(world.acme, &bob, &fresh)
    };
    assert_eq!(
        world.enrol(&bob, &same_key, &device.key).await.refusal(),
        (409, "device_known")
    );
    let late = world.challenge(&bob).await;
    world.pass(Millis::seconds(600));
    let device = Device::new();
    let late = device.record(world.acme, &bob, &late);
    assert_eq!(
        world.enrol(&bob, &late, &device.key).await.refusal(),
        (409, "stale_challenge")
    );
}

#[tokio::test]
async fn a_flood_of_waiting_devices_blocks_its_own_person_only() {
    let world = World::new().await;
    let (bob, eve) = (
        world.join("bob", "member").await,
        world.join("eve", "member").await,
    );
    let devices: Vec<_> = (0..6).map(|_| Device::new()).collect();
    for device in &devices[..5] {
        assert_eq!(device.enrol(&world, &bob).await.status, 200);
    }
    assert_eq!(devices[5].enrol(&world, &bob).await.refusal(), (409, "too_many"));
    assert_eq!(
        Device::new().enrol(&world, &eve).await.status,
        200,
        "hers is not in his queue"
    );
    let revoke = format!("/api/devices/{}/revoke", devices[0].id);
    assert_eq!(
        world
            .post(&bob, &revoke, json!({"reason": "mistake"}))
            .await
            .status,
        204,
        "he clears his own"
    );
    assert_eq!(devices[5].enrol(&world, &bob).await.status, 200);
}

#[tokio::test]
async fn a_device_leaves_service_by_its_person_or_a_manager() {
    let world = World::new().await;
    let (bob, eve) = (
        world.join("bob", "admin").await,
        world.join("eve", "approver").await,
    );
    let (adas, eves) = (Device::new(), Device::new());
    adas.enrol(&world, &world.ada).await;
    eves.enrol(&world, &eve).await;
    let revoke = |by: &Person, device: &Device| {
        world.post(
            by,
            &format!("/api/devices/{}/revoke", device.id),
            json!({"reason": "lost"}),
        )
    };
    assert_eq!(
        revoke(&eve, &adas).await.refusal(),
        (404, "not_found"),
        "she does not know of it"
    );
    assert_eq!(revoke(&bob, &adas).await.refusal(), (403, "needs_owner"));
    assert_eq!(revoke(&bob, &eves).await.status, 204);
    assert_eq!(world.state(&eve, &eves).await, "revoked");
    assert_eq!(
        revoke(&bob, &eves).await.status,
        204,
        "asking twice is no mistake"
    );
    assert_eq!(world.state(&eve, &adas).await, "absent", "one sees one's own");
    assert_eq!(revoke(&world.ada, &adas).await.status, 204);
    let none = world
        .post(
            &bob,
            &format!("/api/devices/{}/revoke", eves.id),
            json!({"reason": " "}),
        )
        .await;
    assert_eq!(none.text("field"), "reason");
}

#[tokio::test]
async fn a_removed_members_devices_go_with_them() {
    let world = World::new().await;
    let bob = world.join("bob", "approver").await;
    let device = Device::new();
    let code = device.enrol(&world, &bob).await.text("code").to_owned();
    world.endorse(&world.ada, &device, &code).await;
    assert_eq!(world.state(&world.ada, &device).await, "active");
    world
        .delete(&world.ada, &format!("/api/members/{}", bob.id))
        .await;
    assert_eq!(world.state(&world.ada, &device).await, "revoked");
    let back = world.join("bob2", "member").await;
    assert_ne!(back.id, bob.id);
}

#[tokio::test]
async fn in_a_tenant_of_one_person_the_first_device_works_too() {
    let world = World::with(Mode::Solo).await;
    assert_eq!(
        Device::new().enrol(&world, &world.ada).await.text("standing"),
        "active"
    );
}

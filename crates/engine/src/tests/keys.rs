//! A device's key over its life: replaced while it works, also offline; taken out of service with what had run.

use countersign_domain::{
    Millis,
    dsse::PublicKey,
    record::{Mode, Scope},
    wire::RevokeRequest,
};

use super::world::{Device, World, eventually};
use crate::{ErrorCode, ports::SecretStoreError};

impl Device {
    /// The key by which the tenant, as far as it is known here, knows this device.
    async fn known_key(&self) -> PublicKey {
        let seat = self.engine.seat().unwrap();
        seat.people().await.unwrap().devices[&seat.device()].key
    }

    async fn own_key(&self) -> PublicKey {
        let seat = self.engine.seat().unwrap();
        seat.present_key().await.unwrap().public_key()
    }

    async fn new_key_is_known(&self) {
        eventually("the tenant knows the new key", async || {
            self.known_key().await == self.own_key().await
        })
        .await;
    }

    async fn seeds_in_the_keychain(&self) -> usize {
        let seat = self.engine.seat().unwrap();
        let secrets = seat.keyring.load().await.unwrap();
        let own = secrets.account(seat.tenant(), seat.person()).unwrap();
        1 + usize::from(own.next_seed.is_some())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_goes_on_with_a_new_key_and_forgets_the_old_one() {
    let world = World::new(Mode::Solo).await;
    let device = world.device().await;
    let first = device.own_key().await;
    let before = world.propose_task("with the first key").await;
    device.approve(before).await;
    device.says(before, "Done").await;

    device.engine.rotate_key().await.unwrap();
    device.new_key_is_known().await;
    assert_ne!(device.own_key().await, first);
    assert_eq!(device.seeds_in_the_keychain().await, 1);
    let after = world.propose_task("with the second key").await;
    device.says(after, "Waits for a decision").await;
    device.approve(after).await;
    device.says(after, "Done").await;

    device.engine.rotate_key().await.unwrap();
    device.new_key_is_known().await;
    let device = device.crash(false).await;
    device.online().await;
    let last = world.propose_task("with the third key, after a crash").await;
    device.says(last, "Waits for a decision").await;
    device.approve(last).await;
    device.says(last, "Done").await;
    assert!(device.engine.verify_journal().await.unwrap().ok);
    let row = device.engine.devices().await.unwrap().remove(0);
    assert!(row.key_since.is_some_and(|since| since > row.enrolled_at));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_signed_offline_before_and_after_a_new_key_all_counts() {
    let world = World::new(Mode::Solo).await;
    let device = world.device().await;
    let (one, two) = (world.propose_task("one").await, world.propose_task("two").await);
    for task in [one, two] {
        device.says(task, "Waits for a decision").await;
    }
    device.offline().await;
    device.approve(one).await;
    device.engine.rotate_key().await.unwrap();
    device.approve(two).await;
    let device = device.crash(true).await;
    assert_ne!(
        device.own_key().await,
        device.known_key().await,
        "nobody has heard of it yet"
    );
    device.engine.cut_off(false);
    device.online().await;
    for task in [one, two] {
        device.says(task, "Done").await;
    }
    device.new_key_is_known().await;
    assert!(device.engine.verify_journal().await.unwrap().ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_keychain_a_device_keeps_its_key() {
    let world = World::new(Mode::Solo).await;
    let device = world.device().await;
    let key = device.own_key().await;
    device.fakes.secrets.fail_with(Some(SecretStoreError::Locked));
    let refused = device.engine.rotate_key().await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::Keychain);
    device.fakes.secrets.fail_with(None);
    assert_eq!(device.own_key().await, key);
    let task = world.propose_task("with the key it has").await;
    device.says(task, "Waits for a decision").await;
    device.approve(task).await;
    device.says(task, "Done").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_older_than_three_months_is_said_to_be_old() {
    let world = World::new(Mode::Solo).await;
    let device = world.device().await;
    let old = async || device.engine.devices().await.unwrap()[0].key_is_old;
    assert!(!old().await);
    device.fakes.clock.advance(Millis::hours(90 * 24 + 1));
    assert!(old().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ran_on_a_stolen_devices_word_is_listed_where_its_person_looks() {
    let world = World::new(Mode::Company).await;
    let ada = world.device().await;
    let ben = world.colleague(&ada, "Ben").await;
    world.vouch(&ada, &ben).await;
    let task = world.propose_task("approved by Ben").await;
    ben.says(task, "Waits for a decision").await;
    ben.approve(task).await;
    ada.says(task, "Done").await;
    let id = ben.engine.seat().unwrap().device();
    let stolen = RevokeRequest {
        reason: "stolen".to_owned(),
        ..RevokeRequest::default()
    };
    ada.engine.revoke_device(id, stolen).await.unwrap();
    let review = ada.engine.device_review(id).await.unwrap();
    assert_eq!(review.decisions.len(), 1);
    let listed = &review.decisions[0];
    assert_eq!(listed.id, task);
    assert!(listed.sentence.contains("approved by Ben"), "{}", listed.sentence);
    assert!(listed.state.as_ref().unwrap().words.starts_with("Done"));
    assert_eq!(review.others, [], "nothing else");
    eventually("Ada's list says that she may look", async || {
        let rows = ada.engine.devices().await.unwrap();
        rows.iter()
            .any(|row| row.id == id && row.may_review && row.revoked && !row.may_doubt)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_a_doubted_one_let_in_is_named_and_less_can_be_trusted_later() {
    let world = World::new(Mode::Company).await;
    let (first, second) = (world.device().await, world.device().await);
    world.vouch(&first, &second).await;
    let id = first.engine.seat().unwrap().device();
    first.online().await;
    second.engine.stop(Scope::Tenant, None).await.unwrap();
    let replaced = RevokeRequest {
        reason: "replaced".to_owned(),
        decisions_stand: true,
        ..RevokeRequest::default()
    };
    second.engine.revoke_device(id, replaced).await.unwrap();
    let review = second.engine.device_review(id).await.unwrap();
    assert_eq!(review.others, [], "all of it is trusted");
    eventually("more can be said of it", async || {
        let rows = second.engine.devices().await.unwrap();
        rows.iter().any(|row| row.id == id && row.may_doubt)
    })
    .await;

    let sold = RevokeRequest {
        reason: "sold with its disk".to_owned(),
        ..RevokeRequest::default()
    };
    second.engine.revoke_device(id, sold).await.unwrap();
    let review = second.engine.device_review(id).await.unwrap();
    let words: Vec<_> = review.others.iter().map(|other| other.words.as_str()).collect();
    assert!(
        words.len() == 1 && words[0].starts_with("Let in ") && words[0].ends_with("which is in service"),
        "{words:?}"
    );
}

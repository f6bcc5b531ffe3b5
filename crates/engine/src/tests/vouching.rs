use countersign_domain::record::Mode;

use super::world::{Device, World, connect, eventually};
use crate::Phase;

/// Another device of Ada's, signed in with her password.
async fn second(world: &World) -> Device {
    let device = Device::new();
    assert_eq!(device.engine.start().await, Phase::FirstRun);
    device.engine.connect(connect(world, "Tablet")).await.unwrap();
    device.online().await;
    device
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_is_alone_brings_a_second_device_into_service_with_the_first() {
    let world = World::new(Mode::Solo).await;
    let (first, tablet) = (world.device().await, second(&world).await);
    let task = world.propose_task("Buy milk").await;
    let why_not = tablet.card(task).await.approve.why_not;
    assert!(why_not.is_some(), "its signature does not count yet");
    let seat = tablet.engine.seat().unwrap();
    let id = seat.device();
    eventually("the first device knows of it", async || {
        let rows = first.engine.devices().await.unwrap();
        rows.iter().any(|row| row.id == id && row.may_endorse)
    })
    .await;
    let itself = tablet.engine.devices().await.unwrap();
    assert!(
        !itself.iter().any(|row| row.may_endorse),
        "it cannot vouch for itself"
    );
    let wrong = first.engine.endorse_device(id, "no code".to_owned()).await;
    assert_eq!(wrong.unwrap_err().field.as_deref(), Some("code"));

    world.vouch(&first, &tablet).await;
    eventually("it may approve", async || {
        tablet.card(task).await.approve.is_armed()
    })
    .await;
    tablet.approve(task).await;
    first.says(task, "Done").await;
    let again = first.engine.endorse_device(id, "000000".to_owned()).await;
    assert!(again.is_err(), "it does not wait any more");
    let open = first.engine.seat().unwrap();
    let account = open.account.id;
    eventually("the outbox is done with it", async || {
        let rows = open
            .store
            .read(move |db| crate::store::outbox::open(db, account))
            .await;
        rows.unwrap().is_empty()
    })
    .await;
    assert!(first.engine.verify_journal().await.unwrap().ok);
}

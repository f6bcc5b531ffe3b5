use countersign_domain::record::Mode;

use super::world::{Device, World, connect, eventually};
use crate::{Engine, ErrorCode, Phase, ports::SecretStoreError, store::Store};

#[tokio::test(flavor = "multi_thread")]
async fn without_a_keychain_nothing_is_set_up() {
    let world = World::new(Mode::Company).await;
    let device = Device::new();
    device
        .fakes
        .secrets
        .fail_with(Some(SecretStoreError::Unavailable));
    assert_eq!(device.engine.start().await, Phase::FirstRun);
    let error = device
        .engine
        .connect(connect(&world, "Studio"))
        .await
        .unwrap_err();
    assert_eq!(error.code, ErrorCode::Keychain);
    assert!(!device.path().join("device.db").exists(), "nothing was made");
    let members = world.server.tenants().len();
    assert_eq!(members, 1);
    device.fakes.secrets.fail_with(None);
    device.engine.connect(connect(&world, "Studio")).await.unwrap();
    device.online().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_or_locked_keychain_is_never_a_first_run() {
    let world = World::new(Mode::Company).await;
    let device = world.device().await;
    for trouble in [
        SecretStoreError::Missing,
        SecretStoreError::Locked,
        SecretStoreError::Unavailable,
    ] {
        device.engine.close().await;
        let engine = Engine::new(device.path(), device.fakes.ports()).unwrap();
        let before = device.files();
        device.fakes.secrets.fail_with(Some(trouble.clone()));
        assert!(
            matches!(engine.start().await, Phase::Keychain { .. }),
            "{trouble:?}"
        );
        assert_eq!(
            engine.counts().await.unwrap_err().code,
            ErrorCode::NotReady,
            "nothing is opened"
        );
        let error = engine.connect(connect(&world, "Studio")).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::Keychain, "and no new enrolment is made");
        assert!(before == device.files(), "and no file is changed: {trouble:?}");
        device.fakes.secrets.fail_with(None);
        assert_eq!(engine.start().await, Phase::Ready, "try again");
        engine.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_loses_the_keychain_is_told_what_is_lost_with_it_and_gets_the_rest_back() {
    let world = World::new(Mode::Company).await;
    let (device, second) = (world.device().await, world.device().await);
    world.vouch(&device, &second).await;
    let (done, unsent) = (
        world.propose_task("Approved and done").await,
        world.propose_task("Approved on this device only").await,
    );
    device.says(done, "Waits for a decision").await;
    device.approve(done).await;
    device.says(done, "Done").await;
    device.card(unsent).await;
    device.offline().await;
    device.approve(unsent).await;

    device.engine.close().await;
    let engine = Engine::new(device.path(), device.fakes.ports()).unwrap();
    device.fakes.secrets.fail_with(Some(SecretStoreError::Locked));
    assert!(
        matches!(engine.start().await, Phase::Keychain { lost: None, .. }),
        "what is locked is not lost"
    );
    let before = device.files();
    assert_eq!(engine.begin_anew().await.unwrap_err().code, ErrorCode::Refused);
    assert!(before == device.files(), "and nothing is put aside");
    device.fakes.secrets.fail_with(None);
    device.fakes.secrets.clear();
    assert!(
        matches!(engine.start().await, Phase::Keychain { lost: Some(1), .. }),
        "{:?}",
        engine.phase()
    );
    assert_eq!(engine.begin_anew().await.unwrap(), 1);
    assert_eq!(engine.phase(), Phase::FirstRun);
    assert!(
        device.path().join("set-aside-1").join("device.db").exists(),
        "nothing is deleted"
    );

    engine.connect(connect(&world, "Studio, again")).await.unwrap();
    let code = engine.enrolment_code().await.unwrap().unwrap();
    let new = engine.seat().unwrap().device();
    eventually("the other device knows the new one", async || {
        let rows = second.engine.devices().await.unwrap();
        rows.iter().any(|row| row.id == new && row.may_endorse)
    })
    .await;
    second.engine.endorse_device(new, code).await.unwrap();
    eventually(
        "what counts is back, and what was not sent is to be decided again",
        async || {
            let words = async |id| engine.card(id).await.map(|card| card.state.words);
            words(done).await.is_ok_and(|words| words.starts_with("Done"))
                && words(unsent)
                    .await
                    .is_ok_and(|words| words.starts_with("Waits for a decision"))
        },
    )
    .await;
    assert_eq!(engine.enrolment_code().await.unwrap(), None, "it is in service");
    assert!(engine.verify_journal().await.unwrap().ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_a_newer_version_is_refused_with_a_sentence() {
    let world = World::new(Mode::Company).await;
    let device = world.device().await;
    let seat = device.engine.seat().unwrap();
    seat.store
        .write(|tx| {
            tx.execute(
                "INSERT INTO refinery_schema_history (version, name, applied_on, checksum) VALUES (99, 'x', 'x', 'x')",
                [],
            )?;
            Ok(())
        })
        .await
        .unwrap();
    drop(seat);
    device.engine.close().await;
    let engine = Engine::new(device.path(), device.fakes.ports()).unwrap();
    let Phase::Fatal { message } = engine.start().await else {
        panic!("{:?}", engine.phase())
    };
    assert!(message.contains("newer version"), "{message}");
}

#[test]
fn another_key_opens_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("device.db");
    let key = crate::device::Key::fresh().unwrap();
    drop(Store::open(&path, &key).unwrap());
    let before = std::fs::read(&path).unwrap();
    let other = crate::device::Key::fresh().unwrap();
    assert!(Store::open(&path, &other).is_err());
    assert_eq!(before, std::fs::read(&path).unwrap(), "the file is as it was");
    assert!(Store::open(&path, &key).is_ok());
    assert!(
        !before.windows(6).any(|window| window == b"SQLite"),
        "and it is encrypted"
    );
}

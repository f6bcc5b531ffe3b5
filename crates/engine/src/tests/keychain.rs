use countersign_domain::record::Mode;

use super::world::{Device, World, connect};
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

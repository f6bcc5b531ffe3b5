//! The app is closed while somebody is in the middle of something. Which files are open is asked of Linux.

use std::{fs, path::Path, sync::mpsc, time::Duration};

use countersign_domain::record::Mode;

use super::world::{Device, World, eventually};
use crate::{
    EngineError, ErrorCode, Phase,
    store::{StoreError, account, settings},
};

/// Where somebody stands in the middle of something, until they may go on.
struct Middle {
    reached: mpsc::Sender<()>,
    on: mpsc::Receiver<()>,
}

impl Middle {
    fn hold(self) {
        self.reached.send(()).unwrap();
        self.on.recv().unwrap();
    }
}

/// How many files in there this process has open.
fn open_in(path: &Path) -> usize {
    let files = fs::read_dir("/proc/self/fd").unwrap();
    files
        .filter_map(|file| fs::read_link(file.unwrap().path()).ok())
        .filter(|file| file.starts_with(path))
        .count()
}

/// Closes the app while somebody is in the middle of something with its files: it waits for their end, and then no file is
/// open. What came of them.
async fn closed_in_the_middle<T, F>(device: &Device, of: impl FnOnce(Middle) -> F) -> T
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let ((reached, reaches), (go, on)) = (mpsc::channel(), mpsc::channel());
    let slow = tokio::spawn(of(Middle { reached, on }));
    reaches.recv().unwrap();
    assert!(open_in(&device.path()) > 0);
    let engine = device.engine.clone();
    let mut close = tokio::spawn(async move { engine.close().await });
    eventually("nobody is let in any more", async || {
        device.engine.phase() == Phase::Starting
    })
    .await;
    let waited = tokio::time::timeout(Duration::from_millis(100), &mut close).await;
    assert!(waited.is_err(), "it waits for whoever is in the middle");
    go.send(()).unwrap();
    close.await.unwrap();
    assert_eq!(open_in(&device.path()), 0, "though a handle is left");
    let names: Vec<_> = device.files().into_iter().map(|(name, _)| name).collect();
    assert!(!names.iter().any(|name| name.ends_with("-wal")), "{names:?}");
    slow.await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_closes_the_app_finds_on_the_disk_what_was_still_being_written() {
    let world = World::new(Mode::Company).await;
    let device = world.device().await;
    // It asks for the same file, and while it is at it nobody closes the app.
    device.engine.stop_task("execute");
    let store = device.engine.seat().unwrap().store.clone();
    let written = closed_in_the_middle(&device, |middle| {
        let store = store.clone();
        async move {
            let write = store.write(move |tx| {
                settings::pause_notifications(tx, true)?;
                middle.hold();
                Ok(())
            });
            write.await
        }
    });
    written.await.unwrap();
    let late = store.write(|tx| settings::pause_notifications(tx, false)).await;
    assert!(matches!(late, Err(StoreError::Closed)), "{late:?}");

    assert_eq!(device.engine.start().await, Phase::Ready);
    let store = device.engine.seat().unwrap().store.clone();
    assert!(store.read(settings::notifications_paused).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_closes_the_app_leaves_no_file_open_behind_whoever_was_still_reading() {
    let world = World::new(Mode::Company).await;
    let device = world.device().await;
    let seat = device.engine.seat().unwrap();
    let read = closed_in_the_middle(&device, |middle| {
        let journal = seat.journal.clone();
        async move {
            let read = journal.read(move |reader| {
                middle.hold();
                Ok(reader.head()?)
            });
            read.await
        }
    });
    assert!(read.await.unwrap().is_some(), "who read has read to the end");

    let late = EngineError::from(seat.store.read(account::active).await.unwrap_err());
    assert_eq!(
        (late.code, late.message.as_str()),
        (ErrorCode::NotReady, "Sign in first.")
    );
    let late = EngineError::from(seat.journal.read(|reader| Ok(reader.head()?)).await.unwrap_err());
    assert_eq!(late.code, ErrorCode::NotReady);
    let late = EngineError::from(seat.journal.start_over().await.unwrap_err());
    assert_eq!(late.code, ErrorCode::NotReady, "and nothing is made anew");
    assert_eq!(open_in(&device.path()), 0);
    assert_eq!(device.engine.start().await, Phase::Ready);
}

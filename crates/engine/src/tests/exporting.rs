//! People take the journal away as a file, and what shows that a log has two histories; whoever gets it checks it without them.

use std::{
    fs,
    io::BufReader,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Mutex,
};

use countersign_domain::{
    Digest,
    dsse::Envelope,
    journal::{AlarmKind, Checkpoint, Evidence},
    record::{self, Mode, Role},
};
use countersign_replica::{
    OtherHistory,
    testing::{Draft, JournalBuilder},
};
use countersign_verify::{Options, Report, Verdict, verify};
use tempfile::TempDir;
use tokio::sync::Notify;

use super::{
    proxy::{Proxy, Rest},
    world::{Device, World, connect, eventually},
};
use crate::{
    EngineError, ErrorCode, Export, SavedJournal,
    reconcile::pull::contradicted,
    store::{Seen, account},
};

const NOBODY_LISTENS: fn(u64) = |_| {};

/// The folder that a person has chosen, and the name.
fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.bundle");
    (folder, path)
}

fn left_in(folder: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(folder.path()).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

impl Device {
    async fn save(&self, export: Export, to: &Path) -> Result<SavedJournal, EngineError> {
        self.engine.save_journal(export, to, NOBODY_LISTENS).await
    }

    async fn why_not_saved(&self) -> Option<String> {
        self.engine
            .app_state()
            .await
            .unwrap()
            .home
            .unwrap()
            .export
            .why_not
    }

    /// What an auditor finds who has noted down the key that this device shows.
    async fn checked(&self, file: &Path) -> Report {
        let tenant = self.engine.app_state().await.unwrap().home.unwrap().tenant;
        let options = Options {
            trust: Some(tenant.unwrap().log_key.parse().unwrap()),
            proposal: None,
        };
        verify(BufReader::new(fs::File::open(file).unwrap()), &options).unwrap()
    }
}

/// A device whose line to the tenant can be spoiled.
async fn behind_a_line(world: &World) -> (Device, Proxy) {
    let (proxy, device) = (Proxy::before(world, |snapshot| snapshot).await, Device::new());
    device.engine.start().await;
    let mut form = connect(world, "Studio");
    form.url = proxy.url.clone();
    device.engine.connect(form).await.unwrap();
    device.online().await;
    (device, proxy)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_saves_the_journal_and_it_is_whole_for_whoever_knows_the_log_key() {
    let world = World::new(Mode::Company).await;
    let ada = world.device().await;
    let task = world.propose_task("a secret errand").await;
    ada.approve(task).await;
    ada.says(task, "Done").await;
    assert_eq!(ada.why_not_saved().await, None);

    let (folder, path) = place();
    let heard = Mutex::new(Vec::new());
    let saved = ada
        .engine
        .save_journal(Export::Whole, &path, |bytes| heard.lock().unwrap().push(bytes))
        .await
        .unwrap();
    let bytes = fs::read(&path).unwrap();
    assert_eq!(saved.bytes, bytes.len() as u64);
    assert_eq!(
        heard.into_inner().unwrap().last(),
        Some(&saved.bytes),
        "somebody can be told how far it is"
    );
    assert!(String::from_utf8_lossy(&bytes).contains("a secret errand"));
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "what people wrote is for its owner's eyes");
    assert_eq!(left_in(&folder), ["journal.bundle"]);

    let report = ada.checked(&path).await;
    assert_eq!(report.verdict, Verdict::Whole, "{report}");
    assert_eq!(report.counts.entries, saved.entries);
    assert!(report.about.as_ref().is_some_and(|about| about.key_checked));
    let key = ada
        .engine
        .app_state()
        .await
        .unwrap()
        .home
        .unwrap()
        .tenant
        .unwrap()
        .log_key;
    let command = format!("countersign-verify {} --trust {key}", path.display());
    assert_eq!(saved.check, Some(command), "it says how the file is checked");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_what_people_wrote_it_still_proves_itself_and_a_table_is_no_evidence() {
    let world = World::new(Mode::Company).await;
    let ada = world.device().await;
    let task = world.propose_task("a secret errand").await;
    ada.reject(task, "a secret reason").await;
    ada.says(task, "Rejected").await;

    let (_folder, path) = place();
    ada.save(Export::Redacted, &path).await.unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert!(
        !text.contains("a secret errand"),
        "what was asked for is left out"
    );
    let report = ada.checked(&path).await;
    assert_eq!(report.verdict, Verdict::Whole, "{report}");
    assert!(report.counts.withheld > 0, "and it says that something is");

    let (_folder, table) = place();
    let saved = ada.save(Export::Table, &table).await.unwrap();
    let rows = fs::read_to_string(&table).unwrap();
    assert!(
        rows.lines().count() as u64 > saved.entries,
        "a row for each entry, and their names"
    );
    assert_eq!(saved.check, None, "nobody is told to check a view");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_that_breaks_off_leaves_nothing_that_looks_whole_and_can_be_tried_again() {
    let world = World::new(Mode::Company).await;
    let (ada, proxy) = behind_a_line(&world).await;
    let (folder, path) = place();
    for export in [Export::Whole, Export::Redacted, Export::Table] {
        proxy.exports(Rest::BreaksOff);
        let error = ada.save(export, &path).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::Offline, "{error}");
        assert!(error.message.contains("broke off"), "{error}");
        assert_eq!(left_in(&folder), [""; 0], "not under any name");
    }
    fs::write(&path, "an older one").unwrap();
    ada.save(Export::Whole, &path).await.unwrap_err();
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        "an older one",
        "until there is a whole one"
    );

    proxy.exports(Rest::Comes);
    ada.save(Export::Whole, &path).await.unwrap();
    assert_eq!(ada.checked(&path).await.verdict, Verdict::Whole);
    assert_eq!(left_in(&folder), ["journal.bundle"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_stops_waiting_has_stopped_it_and_nothing_is_left() {
    let world = World::new(Mode::Company).await;
    let (ada, proxy) = behind_a_line(&world).await;
    proxy.exports(Rest::Stalls);
    let (folder, path) = place();
    let begun = Notify::new();
    tokio::select! {
        saved = ada.engine.save_journal(Export::Whole, &path, |_| begun.notify_one()) => panic!("{saved:?}"),
        () = begun.notified() => {}
    }
    eventually("nothing is left of it", async || left_in(&folder).is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_take_the_journal_away_is_told_who_may() {
    let world = World::new(Mode::Company).await;
    let ada = world.device().await;
    let bob = world.colleague(&ada, "Bob").await;
    let why = bob.why_not_saved().await.unwrap();
    assert!(why.contains("auditors"), "before anything is pressed: {why}");
    let (folder, path) = place();
    let error = bob.save(Export::Redacted, &path).await.unwrap_err();
    assert_eq!(
        error.code,
        ErrorCode::Refused,
        "the tenant itself says no: {error}"
    );
    assert_eq!(left_in(&folder), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn offline_or_without_a_place_it_says_so_and_nothing_is_saved() {
    let world = World::new(Mode::Company).await;
    let ada = world.device().await;
    let (folder, path) = place();
    let nowhere = folder.path().join("gone").join("journal.bundle");
    let error = ada.save(Export::Whole, &nowhere).await.unwrap_err();
    assert!(error.message.contains("folder is not there"), "{error}");

    ada.offline().await;
    let why = ada.why_not_saved().await.unwrap();
    assert!(why.contains("cannot be reached"), "{why}");
    let error = ada.save(Export::Whole, &path).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Offline, "{error}");
    assert_eq!(left_in(&folder), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn both_notes_of_a_log_with_two_histories_are_given_away_as_the_log_has_signed_them() {
    let world = World::new(Mode::Company).await;
    let ada = world.device().await;
    let (folder, path) = place();
    let error = ada.engine.save_evidence(&path).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::NotFound, "there is no alarm: {error}");

    // Whoever has the log's key has signed another history for this device, of more entries.
    let key = world.log_key();
    let shown = Checkpoint {
        tenant: world.tenant,
        size: 10_000,
        root: Digest::of(b"another history"),
    };
    let note = shown.sign(&key);
    let seen = Seen {
        size: shown.size,
        root: shown.root,
        note: note.clone(),
    };
    let seat = ada.engine.seat().unwrap();
    let id = seat.account.id;
    seat.store
        .write(move |tx| account::set_seen(tx, id, &seen))
        .await
        .unwrap();
    drop(seat);
    world.propose_task("Anything").await;
    ada.engine.refresh();
    eventually("the alarm", async || {
        ada.engine
            .app_state()
            .await
            .unwrap()
            .home
            .unwrap()
            .alarm
            .is_some()
    })
    .await;

    ada.engine.save_evidence(&path).await.unwrap();
    assert_eq!(left_in(&folder), ["journal.bundle"]);
    let kept: Evidence = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert_eq!((kept.alarm, kept.tenant), (AlarmKind::Rollback, world.tenant));
    assert_eq!(kept.ours, Some(note), "byte by byte");
    let came = Checkpoint::open(&kept.theirs, world.tenant, &key.public_key()).unwrap();
    assert!(
        came.size < shown.size,
        "the log's own word against its own: {came:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_device_has_signed_upon_another_history_is_evidence_with_the_head_that_it_stands_under()
{
    let world = World::new(Mode::Company).await;
    let ada = world.device().await;
    let (folder, path) = place();
    // Such an entry takes a dishonest tenant.
    let mut elsewhere = JournalBuilder::new();
    let bob = elsewhere.member("Bob", Role::Approver);
    let (mut bobs, id) = (elsewhere.device(bob), elsewhere.propose(Draft::default()));
    elsewhere.decide_on(id, &mut bobs, record::Verdict::Approve);
    let signed = elsewhere
        .entries()
        .last()
        .unwrap()
        .record()
        .unwrap()
        .to_envelope();

    let seat = ada.engine.seat().unwrap();
    let head = seat
        .journal
        .read(|reader| Ok(reader.head()?))
        .await
        .unwrap()
        .unwrap();
    let other = OtherHistory {
        seq: head.size,
        size: 7,
        head: head.checkpoint.clone(),
        record: signed.clone(),
    };
    contradicted(&seat, &other).await;
    let state = ada.engine.app_state().await.unwrap();
    assert!(state.home.unwrap().alarm.is_some());

    ada.engine.save_evidence(&path).await.unwrap();
    assert_eq!(left_in(&folder), ["journal.bundle"]);
    let kept: Evidence = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert_eq!((kept.alarm, kept.tenant), (AlarmKind::Witness, world.tenant));
    assert_eq!(kept.ours, Some(head.checkpoint), "byte by byte");
    let read: Envelope = serde_json::from_str(&kept.theirs).unwrap();
    assert_eq!(read, signed);
}

use countersign_domain::{Digest, record::Mode};

use super::{
    proxy::{Proxy, Spoil},
    world::{Device, World, connect, eventually},
};
use crate::{
    LinkState, first_look,
    store::{Seen, account},
    views::inbox::InboxView,
};

/// A device far behind the tenant, behind something that spoils the snapshot on its way, once it has the journal.
async fn far_behind(spoil: Spoil) -> (World, Device, Proxy) {
    let world = World::new(Mode::Company).await;
    for index in 0..40 {
        world.propose_task(&format!("Task {index}")).await;
    }
    let (proxy, device) = (Proxy::before(&world, spoil).await, Device::new());
    device.engine.start().await;
    let mut form = connect(&world, "Studio");
    form.url = proxy.url.clone();
    device.engine.connect(form).await.unwrap();
    device.online().await;
    (world, device, proxy)
}

/// Everything is here and holds, and what comes after is taken as well.
async fn has_the_journal(world: &World, device: &Device) {
    assert_eq!(device.inbox(InboxView::ToDecide).await.total, 40);
    let check = device.engine.verify_journal().await.unwrap();
    assert!(check.ok && check.size > 60, "{check:?}");
    let task = world.propose_task("After the snapshot").await;
    device.approve(task).await;
    device.says(task, "Done").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_device_far_behind_starts_from_a_snapshot_and_has_the_same_journal() {
    let (world, device, proxy) = far_behind(|snapshot| snapshot).await;
    has_the_journal(&world, &device).await;
    assert!(proxy.asked().iter().any(|path| path == "/api/snapshot"));
    assert!(
        !proxy.pulled_from_the_beginning(),
        "what the snapshot has is not asked for again: {:?}",
        proxy.asked()
    );
}

/// The snapshot, changed by somebody who may write anything into it.
fn edited(packed: &[u8], sql: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("snapshot");
    std::fs::write(&path, zstd::decode_all(packed).unwrap()).unwrap();
    let file = rusqlite::Connection::open(&path).unwrap();
    file.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_DEFENSIVE, false)
        .unwrap();
    file.pragma_update(None, "foreign_keys", false).unwrap();
    file.execute_batch(sql).unwrap();
    drop(file);
    zstd::encode_all(&std::fs::read(&path).unwrap()[..], 1).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_snapshot_is_not_taken_and_the_journal_comes_entry_by_entry() {
    let hostile: [(&str, Spoil); 5] = [
        ("it says something else", |packed| {
            edited(&packed, "UPDATE proposal SET status = 'completed'")
        }),
        ("an entry is missing", |packed| {
            edited(&packed, "DELETE FROM entry WHERE seq = 20")
        }),
        ("it would act by itself", |packed| {
            edited(
                &packed,
                "CREATE TRIGGER t AFTER INSERT ON entry BEGIN DELETE FROM entry; END",
            )
        }),
        ("it breaks off", |packed| packed[..packed.len() / 2].to_vec()),
        ("it is nothing of the kind", |_| b"not a snapshot".to_vec()),
    ];
    for (what, spoil) in hostile {
        let (world, device, proxy) = far_behind(spoil).await;
        has_the_journal(&world, &device).await;
        assert!(
            proxy.asked().iter().any(|path| path == "/api/snapshot") && proxy.pulled_from_the_beginning(),
            "{what}: {:?}",
            proxy.asked()
        );
        let left: Vec<_> = device.files().into_iter().map(|(name, _)| name).collect();
        assert!(
            !left
                .iter()
                .any(|name| name.contains("snapshot") || name.contains("fresh")),
            "{what}: nothing is left of it in {left:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_journal_is_on_its_way_the_tenants_list_is_shown_and_opens_nothing() {
    let world = World::new(Mode::Company).await;
    let device = world.device().await;
    let (first, second) = (
        world.propose_task("First").await,
        world.propose_task("Second").await,
    );
    device.card(second).await;
    let seat = device.engine.seat().unwrap();

    first_look::begin(&seat).await;
    let shown = device.inbox(InboxView::ToDecide).await;
    let ids: Vec<_> = shown.rows.iter().map(|row| row.id).collect();
    assert_eq!(ids, [first, second], "in the inbox's order");
    assert!(
        shown.rows.iter().all(|row| !row.decidable),
        "nothing is decided from the tenant's word alone"
    );
    assert!(device.inbox(InboxView::Done).await.rows.is_empty());
    let error = device.engine.card(first).await.unwrap_err();
    assert_eq!(error.code, crate::ErrorCode::NotReady, "{error}");

    first_look::end(&seat);
    assert!(device.inbox(InboxView::ToDecide).await.rows[0].decidable);
    assert_eq!(device.engine.card(first).await.unwrap().id, first);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_dropped_while_the_app_runs_is_fetched_again() {
    let world = World::new(Mode::Company).await;
    let device = world.device().await;
    let task = world.propose_task("Still here").await;
    device.card(task).await;
    for _ in 0..3 {
        device.engine.seat().unwrap().journal.start_over().await.unwrap();
        device.engine.refresh();
        device.says(task, "Waits for a decision").await;
    }
    let after = world.propose_task("And what comes after").await;
    device.says(after, "Waits for a decision").await;
    assert!(device.engine.verify_journal().await.unwrap().ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_copy_of_the_journal_is_fetched_again() {
    let world = World::new(Mode::Company).await;
    let device = world.device().await;
    let task = world.propose_task("Still here").await;
    device.card(task).await;
    device.engine.close().await;
    for (name, _) in device.files() {
        if name.starts_with("replica-") {
            std::fs::write(device.path().join(name), b"not a database").unwrap();
        }
    }
    let device = device.crash(false).await;
    device.says(task, "Waits for a decision").await;
    assert!(device.engine.verify_journal().await.unwrap().ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_with_a_broken_page_is_fetched_again() {
    let world = World::new(Mode::Company).await;
    let mut device = world.device().await;
    let task = world.propose_task("Still here").await;
    device.card(task).await;
    for page in [1, 3, 7, 12, 20, 28] {
        device.engine.close().await;
        for (name, mut bytes) in device.files() {
            if name.starts_with("replica-") && name.ends_with(".db") {
                let at = (page * 4096 + 100) % bytes.len();
                bytes[at] ^= 1;
                std::fs::write(device.path().join(name), bytes).unwrap();
            }
        }
        device = device.crash(false).await;
        // Somebody may look, or only sync may come upon it.
        let _ = device.engine.verify_journal().await;
        device.engine.refresh();
        eventually("the journal is whole again", async || {
            device.engine.refresh();
            device.engine.verify_journal().await.is_ok_and(|check| check.ok)
        })
        .await;
        device.says(task, "Waits for a decision").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_not_the_one_this_device_has_seen_raises_an_alarm_that_stays() {
    let world = World::new(Mode::Company).await;
    let device = world.device().await;
    let seat = device.engine.seat().unwrap();
    let id = seat.account.id;
    // As if the tenant had once signed another history of more entries.
    let seen = Seen {
        size: 10_000,
        root: Digest::of(b"another history"),
        note: "the other note".to_owned(),
    };
    seat.store
        .write(move |tx| account::set_seen(tx, id, &seen))
        .await
        .unwrap();
    drop(seat);
    world.propose_task("Anything").await;
    device.engine.refresh();
    let alarm = async || device.engine.app_state().await.unwrap().home.unwrap().alarm;
    eventually("the alarm", async || alarm().await.is_some()).await;
    let device = device.crash(false).await;
    assert!(
        device
            .engine
            .app_state()
            .await
            .unwrap()
            .home
            .unwrap()
            .alarm
            .is_some(),
        "it stays"
    );
    eventually("nothing more is taken", async || {
        device.engine.link().state == LinkState::Stalled
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_was_never_reached_says_so_and_leaves_a_first_run() {
    let world = World::new(Mode::Company).await;
    let device = Device::new();
    device.engine.start().await;
    let mut form = connect(&world, "Studio");
    form.url = "http://127.0.0.1:9".to_owned();
    let error = device.engine.connect(form).await.unwrap_err();
    assert_eq!(error.code, crate::ErrorCode::Offline, "{error}");
    assert_eq!(device.engine.phase(), crate::Phase::FirstRun);
    let mut form = connect(&world, "Studio");
    form.url = "http://tenant.example".to_owned();
    let error = device.engine.connect(form).await.unwrap_err();
    assert_eq!(
        error.field.as_deref(),
        Some("url"),
        "a token would cross the network in the clear"
    );
}

//! A disk that breaks under `device.db`, which is the memory of what this device has said: what was acknowledged is there and
//! goes up in its order, and a file that has lost some of it says so. An old one put in place is found out by the tenant.

use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

use countersign_disk::{Disk, Fault};
use countersign_domain::{
    Digest, Record, UnixMillis,
    dsse::SigningKey,
    id::{DeviceId, ProposalId, TenantId, UserId},
    record::{Mode, Reason, Verdict, Void},
};
use countersign_replica::testing::{Draft, JournalBuilder};
use uuid::Uuid;

use super::{
    seeded::{self, Seeded},
    world::{World, eventually},
};
use crate::{
    Choice,
    device::Key,
    journal::Journal,
    store::{AccountId, Answer, NewAccount, NewEntry, Store, StoreError, account, outbox},
};

const PAGE: usize = 4096;

fn key() -> Key {
    serde_json::from_value(serde_json::json!("07".repeat(32))).unwrap()
}

fn signer() -> SigningKey {
    SigningKey::from_seed(&[9; 32])
}

async fn founded(path: &Path) -> (Store, AccountId) {
    let store = Store::open(path, &key()).unwrap();
    let id = |number: u128| Uuid::from_u128(number);
    let new = NewAccount {
        tenant: TenantId::from_uuid(id(1)),
        person: UserId::from_uuid(id(2)),
        tenant_url: "https://acme.example".to_owned(),
        email: "ada@acme.example".to_owned(),
        device: DeviceId::from_uuid(id(3)),
        device_key: signer().public_key(),
        device_name: "Studio".to_owned(),
        enrol: "{}".to_owned(),
    };
    let account = store.write(move |tx| account::insert(tx, &new)).await.unwrap();
    (store, account)
}

/// Something that the device says: its number is taken in the transaction that keeps it.
async fn say(store: &Store, account: AccountId) -> Result<Digest, StoreError> {
    store
        .write(move |tx| {
            let (seq, _) = account::next_link(tx, account)?;
            let proposal = ProposalId::from_uuid(Uuid::from_u128(u128::from(seq)));
            let body = Void {
                at: UnixMillis(1_795_354_008_000),
                decision: Digest::of(&seq.to_be_bytes()),
                proposal,
                reason: Reason::Expired,
            };
            let record = Record::signed(&body, &signer()).map_err(StoreError::damaged)?;
            let entry = NewEntry {
                record: &record,
                device_seq: seq,
                proposal: Some(proposal),
                verdict: Some(Verdict::Approve),
                expires_at: None,
                created: body.at,
            };
            outbox::append(tx, account, &entry)?;
            Ok(record.digest)
        })
        .await
}

/// All that it has said, in order, and where its chain ends; with every other row read as well.
async fn said(path: &Path, account: AccountId) -> Result<(Vec<Digest>, u64, Option<Digest>), StoreError> {
    let store = Store::open(path, &key())?;
    store
        .read(move |db| {
            account::active(db)?;
            account::seen(db, account)?;
            outbox::open(db, account)?;
            outbox::waiting(db, account, 0, 1_000)?;
            let (next, last) = account::next_link(db, account)?;
            let all = db
                .prepare("SELECT digest FROM outbox ORDER BY device_seq")?
                .query_map([], |row| row.get::<_, Vec<u8>>(0))?
                .map(|digest| Digest::from_slice(&digest?).map_err(StoreError::damaged))
                .collect::<Result<Vec<_>, _>>()?;
            for digest in &all {
                // Its own row, by the index, and its envelope's bytes.
                let envelope = outbox::envelope(db, *digest)?;
                let envelope =
                    envelope.ok_or_else(|| StoreError::damaged("a record is not where its index says"))?;
                let record = Record::from_envelope(envelope).map_err(StoreError::damaged)?;
                if record.digest != *digest {
                    return Err(StoreError::damaged("a record's bytes are others"));
                }
            }
            Ok((all, next - 1, last))
        })
        .await
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap()
}

#[test]
fn whichever_operation_of_the_disk_fails_what_this_device_has_said_is_kept() {
    let (first, count) = seeded::cases(300, 10_000);
    let met = AtomicU64::new(0);
    seeded::each(first, count, |seed| {
        let failed = runtime().block_on(under_a_fault(seed)).map_err(|error| {
            format!(
                "{error}\n{}",
                seeded::replay(seed, "what_this_device_has_said_is_kept")
            )
        })?;
        met.fetch_add(u64::from(failed), Ordering::SeqCst);
        Ok(())
    });
    let met = met.into_inner();
    assert!(count == 1 || met > count / 2, "{met} of {count} met their fault");
}

async fn under_a_fault(seed: u64) -> Result<bool, String> {
    let mut random = Seeded::new(seed);
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::below(folder.path());
    let mut path = folder.path().join("device.db");
    let (mut store, account) = founded(&path).await;
    let mut acknowledged = vec![say(&store, account).await.unwrap()];

    disk.fail(
        *random.pick(&Fault::ALL),
        random.below(30) as u64,
        random.below(2) == 0,
    );
    for _ in 0..16 {
        match random.below(4) {
            0 => {
                let digest = *random.pick(&acknowledged);
                let answer = Answer {
                    effective: true,
                    reason: None,
                };
                let _ = store.write(move |tx| outbox::answer(tx, digest, &answer)).await;
            }
            1 => {
                // A start in the middle of it.
                if let Ok(again) = Store::open(&path, &key()) {
                    store = again;
                }
            }
            _ => acknowledged.extend(say(&store, account).await),
        }
        let digest = *random.pick(&acknowledged);
        if let Ok(None) = store.read(move |db| outbox::get(db, digest)).await {
            return Err("what was said is said to be absent".to_owned());
        }
    }
    let failed = disk.failed() > 0;
    disk.heal();

    // Half of the time the power goes before anything has healed.
    if random.below(2) == 0 {
        let after = folder.path().join("after");
        fs::create_dir(&after).unwrap();
        for name in ["device.db", "device.db-wal"] {
            if folder.path().join(name).exists() {
                fs::copy(folder.path().join(name), after.join(name)).unwrap();
            }
        }
        path = after.join("device.db");
        store = Store::open(&path, &key()).map_err(|error| error.to_string())?;
    }
    // The fault has passed, and nothing is started again for it: whoever asks twice is answered.
    let last = match say(&store, account).await {
        Ok(last) => Ok(last),
        Err(_) => say(&store, account).await,
    };
    let last = last.map_err(|error| format!("it does not heal: {error}"))?;
    drop(store);
    let (all, next, end) = said(&path, account).await.map_err(|error| error.to_string())?;
    let mut rest = all.iter();
    let in_order = acknowledged.iter().all(|digest| rest.any(|kept| kept == digest));
    if !in_order || (all.len() as u64, all.last()) != (next, Some(&last)) || end != Some(last) {
        return Err(format!("{acknowledged:?} were acknowledged, {all:?} are there"));
    }
    Ok(failed)
}

#[test]
fn a_fault_of_the_disk_under_the_copy_of_the_journal_that_passes_heals_without_fetching_it_again() {
    let (first, count) = seeded::cases(300, 10_000);
    let met = AtomicU64::new(0);
    seeded::each(first, count, |seed| {
        let failed = runtime().block_on(under_the_copy(seed)).map_err(|error| {
            format!(
                "{error}\n{}",
                seeded::replay(seed, "a_fault_of_the_disk_under_the_copy_of_the_journal")
            )
        })?;
        met.fetch_add(u64::from(failed), Ordering::SeqCst);
        Ok(())
    });
    let met = met.into_inner();
    assert!(count == 1 || met > count / 2, "{met} of {count} met their fault");
}

async fn under_the_copy(seed: u64) -> Result<bool, String> {
    let mut random = Seeded::new(seed);
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::below(folder.path());
    let mut tenant = JournalBuilder::new();
    let key = countersign_replica::Key::from_bytes([7; 32]);
    let path = folder.path().join("replica.db");
    let journal = Journal::open(path.clone(), key.clone()).unwrap();
    for _ in 0..40 {
        tenant.propose(Draft::default());
    }
    let applied = journal.apply(tenant.page(0, 1_000), tenant.log()).await;
    let mut size = applied.unwrap().size;
    drop(journal);
    // Right after a start nothing of the file is in memory.
    let journal = Journal::open(path, key).unwrap();

    disk.fail(
        *random.pick(&Fault::ALL),
        random.below(20) as u64,
        random.below(2) == 0,
    );
    for _ in 0..8 {
        tenant.propose(Draft::default());
        if let Ok(applied) = journal.apply(tenant.page(size, 1_000), tenant.log()).await {
            size = applied.size;
        }
        if let Ok(known) = journal.read(|reader| Ok(reader.head()?)).await
            && known.map_or(0, |head| head.size) < size
        {
            return Err("what was taken in is said to be absent".to_owned());
        }
    }
    let failed = disk.failed() > 0;
    disk.heal();

    // As the reconciler does it before it pulls.
    if journal.is_suspect() && journal.heal().await.map_err(|error| error.to_string())? {
        return Err("all of it is fetched again".to_owned());
    }
    let known = journal.read(|reader| Ok(reader.head()?)).await;
    let known = known
        .map_err(|error| format!("it is not read: {error}"))?
        .map_or(0, |head| head.size);
    if known < size {
        return Err(format!("of {size} entries {known} are left"));
    }
    let applied = journal.apply(tenant.page(known, 1_000), tenant.log()).await;
    applied.map_err(|error| format!("it does not heal: {error}"))?;
    let whole = journal.read(|reader| Ok(reader.verify_all()?)).await;
    whole.map_err(|error| format!("it is not whole: {error}"))?;
    Ok(failed)
}

#[test]
fn whatever_a_broken_disk_makes_of_the_devices_file_its_chain_is_whole_or_it_says_so() {
    let runtime = runtime();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("device.db");
    let (older, newer, account) = runtime.block_on(async {
        let mut halves = Vec::new();
        let (mut store, account) = founded(&path).await;
        for _ in 0..2 {
            for _ in 0..20 {
                say(&store, account).await.unwrap();
            }
            drop(store);
            assert!(
                !path.with_extension("db-wal").exists(),
                "everything is in the one file"
            );
            halves.push(fs::read(&path).unwrap());
            store = Store::open(&path, &key()).unwrap();
        }
        drop(store);
        let newer = halves.pop().unwrap();
        (halves.pop().unwrap(), newer, account)
    });
    let whole = runtime.block_on(said(&path, account)).unwrap();
    let (first, count) = seeded::cases(300, 10_000);
    let noticed = AtomicU64::new(0);
    seeded::each(first, count, |seed| {
        let mut random = Seeded::new(seed);
        let mut file = newer.clone();
        let at = random.below(file.len() / PAGE) * PAGE;
        let what = match random.below(5) {
            0 => {
                let (byte, bit) = (random.below(file.len()), random.below(8));
                file[byte] ^= 1 << bit;
                format!("bit {bit} of byte {byte} is flipped")
            }
            1 => {
                file[at + PAGE / 2..at + PAGE].fill(0);
                format!("the second half of the page at {at} was never written")
            }
            2 => {
                let other = random.below(file.len() / PAGE) * PAGE;
                file.copy_within(other..other + PAGE, at);
                format!("the page at {at} is that at {other}")
            }
            3 => {
                file.truncate(random.below(file.len()));
                format!("only {} bytes are left", file.len())
            }
            _ => {
                let from = at.min(older.len())..(at + PAGE).min(older.len());
                file[from.clone()].copy_from_slice(&older[from]);
                format!("the page at {at} is of before")
            }
        };
        let broken = folder.path().join(format!("{seed}.db"));
        fs::write(&broken, &file).unwrap();
        let found = runtime.block_on(said(&broken, account));
        fs::remove_file(&broken).unwrap();
        match found {
            Err(_) => {
                noticed.fetch_add(1, Ordering::SeqCst);
                Ok(())
            }
            Ok(found) if found == whole => Ok(()),
            Ok((all, next, _)) => Err(format!(
                "{what}: {} records and the number {next}, and nobody was told\n{}",
                all.len(),
                seeded::replay(seed, "whatever_a_broken_disk_makes_of_the_devices_file")
            )),
        }
    });
    let noticed = noticed.into_inner();
    assert!(
        count == 1 || noticed > count / 2,
        "{noticed} of {count} were noticed"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_copy_of_the_devices_file_speaks_for_nobody_once_the_tenant_has_heard_it() {
    let world = World::new(Mode::Company).await;
    let device = world.device().await;
    let (before, between, after) = (
        world.propose_task("Before the copy").await,
        world.propose_task("Between").await,
        world.propose_task("After the copy").await,
    );
    device.approve(before).await;
    device.says(before, "Done").await;
    device.engine.close().await;
    let copy = device.files();
    let device = device.crash(false).await;
    device.approve(between).await;
    device.says(between, "Done").await;
    device.engine.close().await;
    for (name, _) in device.files() {
        fs::remove_file(device.path().join(name)).unwrap();
    }
    for (name, bytes) in &copy {
        fs::write(device.path().join(name), bytes).unwrap();
    }

    let device = device.crash(false).await;
    // It may catch up with the journal first, or speak first; it has no number that is free.
    let _ = device.decide(after, Choice::Approve, None).await;
    eventually("the tenant has taken the device out of service", async || {
        let devices = get(&world, "/api/devices").await;
        devices["devices"]
            .as_array()
            .unwrap()
            .iter()
            .any(|device| device["state"] == "revoked")
    })
    .await;
    let tasks = get(&world, "/api/tasks").await;
    let mut titles: Vec<_> = tasks["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|task| &task["title"])
        .collect();
    titles.sort_by_key(|title| title.to_string());
    assert_eq!(titles, ["Before the copy", "Between"], "nothing runs on its word");
}

async fn get(world: &World, path: &str) -> serde_json::Value {
    let call = reqwest::Client::new()
        .get(format!("{}{path}", world.url))
        .bearer_auth(world.session().await.token)
        .header("x-tenant-id", world.tenant.to_string());
    serde_json::from_str(&call.send().await.unwrap().text().await.unwrap()).unwrap()
}

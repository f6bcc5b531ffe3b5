//! A disk that breaks under a tenant: operations that fail, pages that are torn, flipped or of before. What was acknowledged
//! is there, what was not leaves no half of anything, and a journal that is not the tenant's is not taken for it.

use std::path::Path;

use countersign_disk::{Disk, Fault};
use countersign_domain::bundle::Profile;

use super::{
    seeded::{self, Seeded},
    *,
};
use crate::ingress::ProposeError;

const PAGE: usize = 4096;

/// A device's decisions, sent two by two until each is answered.
struct Outbox {
    ids: Vec<ProposalId>,
    records: Vec<(Arc<Record>, Views)>,
    answered: usize,
}

impl Outbox {
    async fn push(&mut self, world: &World) -> Result<(), StoreError> {
        let waiting = &self.records[self.answered..];
        let answers = world.push_all(&waiting[..waiting.len().min(2)]).await?;
        assert!(answers.iter().all(|answer| answer.effective), "{answers:?}");
        self.answered += answers.len();
        Ok(())
    }
}

impl World {
    async fn ask(&self, title: &str) -> Result<ProposalId, StoreError> {
        match self.try_propose(title).await {
            Ok(id) => Ok(id),
            Err(ProposeError::Store(error)) => Err(error),
            Err(other) => panic!("a broken disk is no fault of who asks: {other:?}"),
        }
    }

    async fn titles(&self) -> Vec<String> {
        let tasks = self.tenant.tasks(None, 1_000).await.unwrap();
        let mut titles: Vec<_> = tasks.into_iter().map(|(_, task)| task.title).collect();
        titles.sort();
        titles
    }
}

#[test]
fn whichever_operation_of_the_disk_fails_what_was_acknowledged_is_there() {
    let (first, count) = seeded::cases(300, 10_000);
    // What is written before a tenant's own disk is there.
    let _calm = Disk::below(&std::env::temp_dir());
    let told = std::sync::atomic::AtomicU64::new(0);
    seeded::each(first, count, |seed| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let lived = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            runtime.block_on(under_a_fault(seed))
        }));
        match lived {
            Ok(failed) => {
                told.fetch_add(u64::from(failed), Ordering::SeqCst);
                Ok(())
            }
            Err(_) => Err(seeded::replay(seed, "whichever_operation_of_the_disk_fails")),
        }
    });
    let told = told.into_inner();
    assert!(
        count == 1 || told > count / 2,
        "{told} of {count} met their fault"
    );
}

/// Whether the fault was met.
async fn under_a_fault(seed: u64) -> bool {
    let mut random = Seeded::new(seed);
    let mut world = World::new().await;
    let disk = Disk::below(world.folder.path());
    let folder = world.folder.path().to_owned();
    world.again(&folder);
    let (mut known, mut outbox) = (
        Vec::new(),
        Outbox {
            ids: Vec::new(),
            records: Vec::new(),
            answered: 0,
        },
    );
    for number in 0..3 {
        let id = world.ask(&format!("early {number}")).await.unwrap();
        let (record, views) = world.signed(id, Verdict::Approve, number + 1).await;
        outbox.ids.push(id);
        outbox.records.push((record, views));
        known.push(id);
    }

    let fault = *random.pick(&Fault::ALL);
    disk.fail(fault, random.below(40) as u64, random.below(2) == 0);
    for step in 0..14 {
        match random.below(4) {
            0 | 1 => {
                if let Ok(id) = world.ask(&format!("late {step}")).await {
                    known.push(id);
                }
            }
            2 => drop(outbox.push(&world).await),
            _ => drop(crate::executor::reconcile(&world.tenant, &world.rules.registry).await),
        }
        let one = *random.pick(&known);
        let read = world.tenant.proposal(one).await;
        assert!(
            !matches!(read, Ok(None)),
            "what is there is never said to be absent"
        );
    }
    let (failed, head) = (disk.failed() > 0, world.tenant.head());
    disk.heal();

    // Half of the time the power goes before anything has healed: what is in the files is all there is.
    let crashed = tempfile::tempdir().unwrap();
    if random.below(2) == 0 {
        for name in ["tenant.db", "tenant.db-wal"] {
            if folder.join(name).exists() {
                std::fs::copy(folder.join(name), crashed.path().join(name)).unwrap();
            }
        }
        world.again(crashed.path());
    }
    assert!(
        world.tenant.head().size >= head.size,
        "no acknowledged entry is lost"
    );
    while outbox.answered < outbox.records.len() {
        outbox.push(&world).await.unwrap();
    }
    known.push(world.ask("after it").await.unwrap());
    // A call that the fault has cut off between its lease and its begin is offered again when the lease is over.
    world.advance(Millis::seconds(120));
    world.run_everything().await;
    let before = if crashed.path().join("tenant.db").exists() {
        crashed.path()
    } else {
        &folder
    };
    let (head, titles) = (world.tenant.head(), world.titles().await);
    world.again(before);
    assert_eq!(world.tenant.head(), head, "it is all there after a restart");
    assert_eq!(
        world.recomputed().await,
        (head.size, head.root),
        "nothing is half-written"
    );
    assert_eq!(titles, ["early 0", "early 1", "early 2"], "each effect once");
    assert_eq!(world.titles().await, titles);
    for id in known {
        assert!(
            world.tenant.proposal(id).await.unwrap().is_some(),
            "{id} was acknowledged"
        );
    }
    for id in &outbox.ids {
        assert_eq!(world.status(*id).await, Status::Completed);
    }
    let file = rusqlite::Connection::open(before.join("tenant.db")).unwrap();
    let check: String = file
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(check, "ok");
    failed
}

/// A tenant's file, closed, and what it was halfway; and what may be known of it elsewhere.
struct File {
    tenant: TenantId,
    key: SigningKey,
    clock: Arc<TestClock>,
    older: Vec<u8>,
    newer: Vec<u8>,
    journal: Vec<u8>,
}

impl File {
    async fn new() -> Self {
        let world = World::new().await;
        let path = world.folder.path().join("tenant.db");
        let mut halves = Vec::new();
        for half in 0..2 {
            for number in 0..12 {
                let id = world.ask(&format!("{half} {number}")).await.unwrap();
                world.decide(id, Verdict::Approve, half * 12 + number + 1).await;
            }
            world.run_everything().await;
            // Everything into the one file.
            let source = rusqlite::Connection::open(&path).unwrap();
            let busy: i64 = source
                .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
                .unwrap();
            assert_eq!(busy, 0, "the log is empty");
            halves.push(std::fs::read(&path).unwrap());
        }
        let journal = exported(&world.tenant).await.unwrap();
        let newer = halves.pop().unwrap();
        Self {
            tenant: world.tenant.id(),
            key: world.tenant.inner.log_key.clone(),
            clock: Arc::clone(&world.clock),
            older: halves.pop().unwrap(),
            newer,
            journal,
        }
    }

    /// The file as a broken disk gives it back, and what was done to it.
    fn broken(&self, random: &mut Seeded) -> (Vec<u8>, String) {
        let mut file = self.newer.clone();
        let pages = file.len() / PAGE;
        let at = random.below(pages) * PAGE;
        let of_before = |file: &mut Vec<u8>, from: usize| {
            let old = self.older.len().min(from)..self.older.len().min(at + PAGE);
            file[old.clone()].copy_from_slice(&self.older[old]);
        };
        let what = match random.below(7) {
            0 | 1 => {
                let (byte, bit) = (random.below(file.len()), random.below(8));
                file[byte] ^= 1 << bit;
                format!("bit {bit} of byte {byte} is flipped")
            }
            2 => {
                file[at + PAGE / 2..at + PAGE].fill(0);
                format!("the second half of the page at {at} was never written")
            }
            3 => {
                of_before(&mut file, at + PAGE / 2);
                format!("the second half of the page at {at} is of before")
            }
            4 => {
                let other = random.below(pages) * PAGE;
                file.copy_within(other..other + PAGE, at);
                format!("the page at {at} is that at {other}")
            }
            5 => {
                file.truncate(random.below(file.len()));
                format!("only {} bytes are left", file.len())
            }
            _ => {
                of_before(&mut file, at);
                format!("the page at {at} is of before")
            }
        };
        (file, what)
    }

    /// What an auditor gets of it who knows the tenant's key: the journal itself, an error, or what does not verify.
    async fn audited(&self, folder: &Path) -> Result<Vec<u8>, String> {
        let opened = Tenant::open(folder, self.clock.clone(), Arc::new(SeedRules), self.tenant);
        let tenant = opened.map_err(|error| error.to_string())?;
        let bundle = exported(&tenant).await.map_err(|error| error.to_string())?;
        let options = countersign_verify::Options {
            trust: Some(self.key.public_key()),
            proposal: None,
        };
        let report = countersign_verify::verify(&bundle[..], &options).map_err(|error| error.to_string())?;
        match report.verdict {
            countersign_verify::Verdict::Whole => Ok(bundle),
            countersign_verify::Verdict::Tampered { .. } | countersign_verify::Verdict::Incomplete => {
                Err(report.to_string())
            }
        }
    }
}

async fn exported(tenant: &Tenant) -> Result<Vec<u8>, StoreError> {
    let (mut bytes, mut rest) = (Vec::new(), tenant.export(None, Profile::Full).await?);
    while let Some(export) = rest {
        let (piece, left) = export.piece().await?;
        bytes.extend(piece);
        rest = left;
    }
    Ok(bytes)
}

#[test]
fn whatever_a_broken_disk_makes_of_a_tenants_journal_an_auditor_gets_it_right_or_is_told() {
    let _calm = Disk::below(&std::env::temp_dir());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let whole = runtime.block_on(File::new());
    let (first, count) = seeded::cases(300, 10_000);
    let noticed = std::sync::atomic::AtomicU64::new(0);
    seeded::each(first, count, |seed| {
        let (file, what) = whole.broken(&mut Seeded::new(seed));
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("tenant.db"), file).unwrap();
        match runtime.block_on(whole.audited(folder.path())) {
            Err(_) => {
                noticed.fetch_add(1, Ordering::SeqCst);
                Ok(())
            }
            Ok(journal) if journal == whole.journal => Ok(()),
            Ok(_) => Err(format!(
                "{what}, and nobody was told\n{}",
                seeded::replay(seed, "whatever_a_broken_disk_makes_of_a_tenants_journal")
            )),
        }
    });
    let noticed = noticed.into_inner();
    eprintln!("{noticed} of {count} were noticed");
    assert!(
        count == 1 || noticed > count / 4,
        "{noticed} of {count} were noticed"
    );
}

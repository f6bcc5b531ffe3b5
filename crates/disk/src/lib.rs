//! A disk that fails when a test says so: SQLite's own file layer, with one operation, or every one from there on, that
//! ends as a broken disk would end it. Whatever opens a database below [`Disk::below`] gets it, without knowing. What is synced
//! there is not: a test that cuts the power copies the files as they are.

mod layer;

use std::{
    path::Path,
    sync::{Mutex, PoisonError},
};

/// How an operation fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Nothing can be read.
    Read,
    /// Nothing is written.
    Write,
    /// Half of it is written, and the caller is told that it failed.
    TornWrite,
    /// There is no room.
    Full,
    /// What was written is not known to be on the disk.
    Sync,
}

impl Fault {
    /// Every way in which one can fail.
    pub const ALL: [Self; 5] = [Self::Read, Self::Write, Self::TornWrite, Self::Full, Self::Sync];
}

/// A folder on a disk of its own.
#[derive(Debug)]
pub struct Disk(usize);

#[derive(Debug)]
struct State {
    folder: String,
    plan: Option<Plan>,
    failed: u64,
}

#[derive(Clone, Copy, Debug)]
struct Plan {
    fault: Fault,
    /// How many operations of its kind still work.
    after: u64,
    /// Whether every one behind it fails as well.
    lasting: bool,
}

static DISKS: Mutex<Vec<State>> = Mutex::new(Vec::new());

/// What SQLite does to a file, as far as it can fail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Operation {
    Read,
    Write,
    Sync,
}

impl Disk {
    /// The files below this folder that are opened from here on.
    ///
    /// # Panics
    /// When SQLite does not take the layer.
    pub fn below(folder: &Path) -> Self {
        layer::install();
        let mut disks = disks();
        disks.push(State {
            folder: folder.display().to_string(),
            plan: None,
            failed: 0,
        });
        Self(disks.len() - 1)
    }

    /// After so many more operations of its kind one fails, and with `lasting` every one after it.
    pub fn fail(&self, fault: Fault, after: u64, lasting: bool) {
        disks()[self.0].plan = Some(Plan {
            fault,
            after,
            lasting,
        });
    }

    /// Everything works again.
    pub fn heal(&self) {
        disks()[self.0].plan = None;
    }

    /// How many operations have failed.
    pub fn failed(&self) -> u64 {
        disks()[self.0].failed
    }
}

fn disks() -> std::sync::MutexGuard<'static, Vec<State>> {
    DISKS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The disk on which a file lies.
fn disk_of(path: &str) -> Option<usize> {
    disks().iter().rposition(|disk| path.starts_with(&disk.folder))
}

/// Whether this operation fails, and how.
fn trips(disk: usize, operation: Operation) -> Option<Fault> {
    let state = &mut disks()[disk];
    let plan = state.plan.as_mut()?;
    let meant = match plan.fault {
        Fault::Read => Operation::Read,
        Fault::Write | Fault::TornWrite | Fault::Full => Operation::Write,
        Fault::Sync => Operation::Sync,
    };
    if operation != meant {
        return None;
    }
    if plan.after > 0 {
        plan.after -= 1;
        return None;
    }
    let fault = plan.fault;
    if !plan.lasting {
        state.plan = None;
    }
    state.failed += 1;
    Some(fault)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

    use rusqlite::Connection;

    use super::*;

    fn open(path: &Path) -> Connection {
        let file = Connection::open(path).unwrap();
        file.pragma_update(None, "journal_mode", "WAL").unwrap();
        file.pragma_update(None, "synchronous", "FULL").unwrap();
        file.execute_batch("CREATE TABLE IF NOT EXISTS t (x INTEGER)")
            .unwrap();
        file
    }

    #[test]
    fn each_operation_fails_when_it_is_told_to_and_on_that_disk_alone() {
        let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let disk = Disk::below(folder.path());
        for fault in Fault::ALL {
            let sick = open(&folder.path().join(format!("{fault:?}.db")));
            let well = open(&other.path().join(format!("{fault:?}.db")));
            let before = disk.failed();
            disk.fail(fault, 0, true);
            // What is in memory need not be read; a fresh connection has nothing in memory.
            let told = if fault == Fault::Read {
                Connection::open(folder.path().join("Read.db"))
                    .and_then(|file| file.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0)))
                    .is_err()
            } else {
                sick.execute("INSERT INTO t VALUES (1)", []).is_err()
            };
            assert!(told && disk.failed() > before, "{fault:?}");
            assert!(well.execute("INSERT INTO t VALUES (1)", []).is_ok(), "{fault:?}");
            disk.heal();
            assert!(sick.execute("INSERT INTO t VALUES (1)", []).is_ok(), "{fault:?}");
        }
    }
}

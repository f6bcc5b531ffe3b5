use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::*;
use crate::{ApplyError, Filter, Key, Log, SignedHead, SnapshotError, View};

fn key() -> Key {
    Key::from_bytes([7; 32])
}

/// A snapshot of a journal in which some things happened, and that journal.
struct Taken {
    folder: TempDir,
    journal: JournalBuilder,
    proposals: Vec<ProposalId>,
}

impl Taken {
    fn new() -> Self {
        let steps: Vec<_> = (0..200_u8)
            .map(|at| (at % 18, at.wrapping_mul(37), at.wrapping_mul(91)))
            .collect();
        let (journal, proposals) = journal(&steps);
        let here = Here::with(&journal);
        let taken = Self {
            folder: tempfile::tempdir().unwrap(),
            journal,
            proposals,
        };
        here.reader().build_snapshot(&taken.file()).unwrap();
        taken
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("snap shot?#%.db")
    }

    fn target(&self) -> PathBuf {
        self.folder.path().join("replica.db")
    }

    fn open(&self) -> Result<Replica, SnapshotError> {
        let note = self.journal.checkpoint(self.journal.size());
        let head = SignedHead {
            checkpoint: &note,
            consistency: &[],
        };
        Replica::from_snapshot(
            &self.file(),
            &self.target(),
            Some(&key()),
            &self.journal.log(),
            head,
        )
    }

    /// Changes the file as someone may who is free to write anything into it.
    fn edit(&self, sql: &str) {
        let connection = Connection::open(self.file()).unwrap();
        connection
            .set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_DEFENSIVE, false)
            .unwrap();
        connection.pragma_update(None, "writable_schema", true).unwrap();
        connection.execute_batch(sql).unwrap();
    }

    fn refused(&self, why: &str) -> SnapshotError {
        let error = self.open().map(drop).expect_err(why);
        let left: Vec<_> = std::fs::read_dir(self.folder.path())
            .unwrap()
            .map(|file| file.unwrap().path())
            .filter(|path| path != &self.file())
            .collect();
        assert_eq!(left, Vec::<PathBuf>::new(), "{why}: nothing is left of it");
        error
    }
}

#[test]
fn a_replica_from_a_snapshot_says_the_same_and_goes_on() {
    let mut taken = Taken::new();
    let mut from = taken.open().unwrap();
    let mut pulled = Here::with(&taken.journal);
    assert_eq!(dump(&from.connection), pulled.dump());
    let reader = from.reader().unwrap();
    for id in &taken.proposals {
        assert_eq!(
            reader.proposal(*id).unwrap(),
            pulled.reader().proposal(*id).unwrap()
        );
    }
    let filter = Filter {
        search: Some("zoe".to_owned()),
        ..Filter::default()
    };
    let found = reader
        .inbox(View::All, &filter, None, 100, taken.journal.at)
        .unwrap();
    assert_eq!(found.rows.len(), taken.proposals.len(), "search came along");
    reader.verify_all().unwrap();

    let after = taken.journal.size();
    taken.journal.propose(Draft::default());
    from.apply(&taken.journal.page(after, 10), &taken.journal.log())
        .unwrap();
    pulled.pull(&taken.journal, 10);
    assert_eq!(dump(&from.connection), pulled.dump());

    let bytes = std::fs::read(taken.target()).unwrap();
    assert!(
        !bytes.windows(10).any(|part| part == b"Olga Owner"),
        "it is encrypted"
    );
}

#[test]
fn a_snapshot_may_be_older_than_the_head() {
    let mut taken = Taken::new();
    let size = taken.journal.size();
    taken.journal.propose(Draft::default());
    let note = taken.journal.checkpoint(taken.journal.size());
    let proof = taken.journal.proof(size, taken.journal.size());
    let open = |consistency| {
        let head = SignedHead {
            checkpoint: &note,
            consistency,
        };
        Replica::from_snapshot(&taken.file(), &taken.target(), None, &taken.journal.log(), head)
    };
    let refused = open(&[]).map(drop);
    assert!(matches!(refused, Err(SnapshotError::Root(_))), "{refused:?}");
    let mut replica = open(&proof).unwrap();
    let head = replica.reader().unwrap().head().unwrap().unwrap();
    assert_eq!((head.size, head.checkpoint_size), (size, taken.journal.size()));
    replica
        .apply(&taken.journal.page(size, 10), &taken.journal.log())
        .unwrap();
}

#[test]
fn a_snapshot_is_held_to_the_log_that_is_trusted() {
    let taken = Taken::new();
    let note = taken.journal.checkpoint(taken.journal.size());
    let open = |log: &Log, note: &str| {
        let head = SignedHead {
            checkpoint: note,
            consistency: &[],
        };
        Replica::from_snapshot(&taken.file(), &taken.target(), None, log, head).map(drop)
    };
    let other_key = countersign_domain::dsse::SigningKey::from_seed(&[1; 32]).public_key();
    let log = Log {
        key: Some(other_key),
        ..taken.journal.log()
    };
    assert!(matches!(open(&log, &note), Err(SnapshotError::OtherLog)));
    let log = Log {
        tenant: countersign_domain::id::TenantId::from_slice(&[9; 16]).unwrap(),
        ..taken.journal.log()
    };
    assert!(matches!(open(&log, &note), Err(SnapshotError::OtherLog)));
    let unsigned = note.replace("— ", "— x");
    assert!(matches!(
        open(&taken.journal.log(), &unsigned),
        Err(SnapshotError::Checkpoint(_))
    ));
    let trusting = Log {
        key: None,
        ..taken.journal.log()
    };
    open(&trusting, &note).unwrap();
}

#[test]
fn what_an_honest_server_would_not_send_is_refused() {
    let not_ours: fn(&SnapshotError) -> bool = |error| matches!(error, SnapshotError::NotOurs(_));
    let content: fn(&SnapshotError) -> bool = |error| matches!(error, SnapshotError::Content(_));
    type Hostile = (&'static str, &'static str, fn(&SnapshotError) -> bool);
    let hostile: [Hostile; 22] = [
        (
            "a trigger more",
            "CREATE TRIGGER t AFTER INSERT ON entry BEGIN DELETE FROM entry; END",
            not_ours,
        ),
        ("a view more", "CREATE VIEW v AS SELECT 1", not_ours),
        ("a table more", "CREATE TABLE t (x)", not_ours),
        (
            "a virtual table more",
            "CREATE VIRTUAL TABLE t USING fts5 (x)",
            not_ours,
        ),
        ("a trigger less", "DROP TRIGGER proposal_moved", not_ours),
        ("an index less", "DROP INDEX entry_subject", not_ours),
        (
            "a changed trigger",
            "UPDATE sqlite_schema SET sql = replace(sql, 'n - 1', 'n - 0') WHERE name = 'proposal_moved'",
            not_ours,
        ),
        (
            "a table that is a view",
            "ALTER TABLE task RENAME TO other; CREATE VIEW task AS SELECT * FROM other",
            not_ours,
        ),
        ("another version", "PRAGMA user_version = 2", not_ours),
        ("another application", "PRAGMA application_id = 1", not_ours),
        (
            "an edited digest",
            "UPDATE entry SET digest = randomblob(32) WHERE seq = 9",
            content,
        ),
        (
            "an edited kind",
            "UPDATE entry SET kind = 'void' WHERE seq = 9",
            content,
        ),
        (
            "an edited time",
            "UPDATE entry SET at_ms = at_ms + 1 WHERE seq = 9",
            content,
        ),
        (
            "an edited subject",
            "UPDATE entry SET proposal = randomblob(16) WHERE proposal IS NOT NULL AND seq = 20",
            content,
        ),
        (
            "a missing entry",
            "DELETE FROM body WHERE seq = 9; DELETE FROM entry WHERE seq = 9",
            content,
        ),
        ("another root", "UPDATE head SET root = randomblob(32)", content),
        ("another size", "UPDATE head SET size = size - 1", content),
        ("another clock", "UPDATE head SET last_ms = last_ms - 1", content),
        (
            "another frontier",
            "UPDATE head SET frontier = randomblob(length(frontier))",
            |error| matches!(error, SnapshotError::Damaged(_) | SnapshotError::Content(_)),
        ),
        (
            "an edited line of a list",
            "UPDATE proposal SET sentence = 'Nothing to see'",
            content,
        ),
        (
            "a search that finds nothing",
            "INSERT INTO proposal_text (proposal_text) VALUES ('delete-all')",
            content,
        ),
        (
            "an index that hides an entry",
            "UPDATE sqlite_schema SET rootpage =
                 (SELECT rootpage FROM sqlite_schema WHERE name = 'proposal_connection')
             WHERE name = 'entry_proposal'",
            |_| true,
        ),
    ];
    for (why, sql, expected) in hostile {
        let taken = Taken::new();
        taken.edit(sql);
        let error = taken.refused(why);
        assert!(expected(&error), "{why}: {error:?}");
    }
}

#[test]
fn an_index_that_lacks_a_row_is_refused() {
    let taken = Taken::new();
    // Without its index an entry is deleted and put back; only the table knows of it then.
    taken.edit(
        "CREATE TEMP TABLE kept AS SELECT * FROM entry WHERE kind = 'decision' LIMIT 1;
         UPDATE sqlite_schema SET sql = replace(sql, 'proposal IS NOT NULL', 'seq = 0')
         WHERE name = 'entry_proposal'",
    );
    taken.edit("REINDEX entry_proposal");
    taken.edit(
        "UPDATE sqlite_schema SET sql = replace(sql, 'seq = 0', 'proposal IS NOT NULL') WHERE name = 'entry_proposal'",
    );
    let error = taken.refused("an emptied index");
    assert!(
        matches!(error, SnapshotError::Content(crate::ReadError::Root)),
        "{error:?}"
    );
}

#[test]
fn bodies_that_are_not_those_of_the_headers_are_refused() {
    for (why, sql) in [
        (
            "rubbish",
            "UPDATE body SET bytes = randomblob(100) WHERE seq > 12",
        ),
        (
            "another one",
            "UPDATE body SET bytes = (SELECT bytes FROM body WHERE seq = 12) WHERE seq > 12",
        ),
    ] {
        let taken = Taken::new();
        taken.edit(sql);
        let error = taken.refused(why);
        assert!(
            matches!(error, SnapshotError::Content(_) | SnapshotError::Damaged(_)),
            "{why}: {error:?}"
        );
    }
}

#[test]
fn what_is_not_a_database_is_refused() {
    let taken = Taken::new();
    let good = std::fs::read(taken.file()).unwrap();
    for (why, bytes) in [
        ("nothing", Vec::new()),
        ("text", b"<html>no</html>".repeat(1_000)),
        ("half of it", good[..good.len() / 2].to_vec()),
        ("an odd end", good[..good.len() - 100].to_vec()),
        ("one page", good[..4096].to_vec()),
        ("the WAL format", {
            let mut bytes = good.clone();
            bytes[18..20].copy_from_slice(&[2, 2]);
            bytes
        }),
        ("zeros in the middle", {
            let mut bytes = good.clone();
            let middle = bytes.len() / 2;
            bytes[middle..middle + 8192].fill(0);
            bytes
        }),
    ] {
        std::fs::write(taken.file(), bytes).unwrap();
        taken.refused(why);
    }
    std::fs::write(taken.file(), good).unwrap();
    taken.open().unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_damaged_byte_never_changes_what_a_card_says(places in proptest::collection::vec((any::<u32>(), any::<u8>()), 1..30)) {
        let taken = Taken::new();
        let mut bytes = std::fs::read(taken.file()).unwrap();
        for (at, byte) in places {
            let at = at as usize % bytes.len();
            bytes[at] ^= byte;
        }
        std::fs::write(taken.file(), bytes).unwrap();
        if let Ok(replica) = taken.open() {
            let honest = Here::with(&taken.journal);
            for id in &taken.proposals {
                if let Ok(Some(card)) = replica.reader().unwrap().proposal(*id) {
                    prop_assert_eq!(card, honest.reader().proposal(*id).unwrap().unwrap());
                }
            }
        }
    }
}

#[test]
fn nothing_is_written_over() {
    let taken = Taken::new();
    std::fs::write(taken.target(), "precious").unwrap();
    assert!(taken.open().is_err());
    assert_eq!(std::fs::read(taken.target()).unwrap(), b"precious");
}

#[test]
fn an_encrypted_replica_makes_no_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let replica = Replica::open(&folder.path().join("replica.db"), Some(&key())).unwrap();
    let out = folder.path().join("snapshot.db");
    assert!(replica.reader().unwrap().build_snapshot(&out).is_err());
    assert!(!Path::exists(&out));
}

#[test]
fn folding_everything_again_changes_nothing_and_mends_what_is_wrong() {
    let taken = Taken::new();
    let mut here = Here::with(&taken.journal);
    let before = here.dump();
    here.replica.rebuild().unwrap();
    assert_eq!(here.dump(), before);
    here.replica
        .connection
        .execute_batch(
            "UPDATE proposal SET sentence = 'Nothing to see', list = 'done';
             UPDATE tally SET n = 0;
             DELETE FROM task;
             INSERT INTO proposal_text (proposal_text) VALUES ('delete-all');",
        )
        .unwrap();
    here.replica.rebuild().unwrap();
    assert_eq!(here.dump(), before);
    let found = here.reader().search("zoe", 500, taken.journal.at).unwrap();
    assert_eq!(found.len(), taken.proposals.len());
}

#[test]
fn a_whole_check_finds_what_was_changed() {
    let taken = Taken::new();
    for edit in [
        "UPDATE body SET bytes = randomblob(50) WHERE seq = 30",
        "UPDATE entry SET at_ms = at_ms + 1 WHERE seq = 30",
        "UPDATE head SET last_ms = last_ms + 1",
    ] {
        let here = Here::with(&taken.journal);
        let verified = here.reader().verify_all().unwrap();
        assert_eq!(
            (verified.entries, verified.bodies),
            (taken.journal.size(), taken.journal.size())
        );
        here.replica.connection.execute(edit, []).unwrap();
        assert!(here.reader().verify_all().is_err(), "{edit}");
    }
}

#[test]
fn a_fork_is_noticed_also_after_a_snapshot() {
    let taken = Taken::new();
    let mut replica = taken.open().unwrap();
    let (mut theirs, _) = journal(&[(0, 1, 2); 80]);
    while theirs.size() <= taken.journal.size() {
        theirs.propose(Draft::default());
    }
    let verdict = replica.apply(&theirs.page(taken.journal.size(), 10), &taken.journal.log());
    assert!(matches!(verdict, Err(ApplyError::Fork { .. })), "{verdict:?}");
}

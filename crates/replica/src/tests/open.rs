use rusqlite::Connection;

use super::*;
use crate::{Key, OpenError};

fn key(seed: u8) -> Key {
    Key::from_bytes([seed; 32])
}

#[test]
fn an_encrypted_replica_opens_with_its_key_alone_and_is_left_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("replica.db");
    let journal = JournalBuilder::new();
    let mut replica = Replica::open(&path, Some(&key(1))).unwrap();
    replica.apply(&journal.page(0, 100), &journal.log()).unwrap();
    drop(replica);
    let bytes = std::fs::read(&path).unwrap();
    assert!(
        !bytes.windows(4).any(|part| part == b"Acme"),
        "nothing of it is in clear"
    );
    for other in [Some(&key(2)), None] {
        let verdict = Replica::open(&path, other).map(drop);
        assert!(matches!(verdict, Err(OpenError::WrongKey)), "{verdict:?}");
        let verdict = Reader::open(&path, other).map(drop);
        assert!(matches!(verdict, Err(OpenError::WrongKey)), "{verdict:?}");
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "the file is as it was");
    }
    let replica = Replica::open(&path, Some(&key(1))).unwrap();
    let reader = replica.reader().unwrap();
    assert_eq!(reader.head().unwrap().unwrap().size, journal.size());
}

#[test]
fn a_replica_of_a_newer_version_is_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("replica.db");
    drop(Replica::open(&path, None).unwrap());
    let connection = Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 999).unwrap();
    drop(connection);
    let error = Replica::open(&path, None).unwrap_err();
    assert!(matches!(error, OpenError::Newer { found: 999, .. }), "{error:?}");
    assert!(
        error.to_string().contains("newer version of Countersign"),
        "{error}"
    );
    assert!(matches!(
        Reader::open(&path, None).unwrap_err(),
        OpenError::Newer { .. }
    ));
}

#[test]
fn a_database_of_someone_else_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.db");
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch("CREATE TABLE t (x)").unwrap();
    drop(connection);
    let error = Replica::open(&path, None).unwrap_err();
    assert!(matches!(error, OpenError::NotAReplica), "{error:?}");
    std::fs::write(
        &path,
        "not a database at all, but long enough to be looked at".repeat(40),
    )
    .unwrap();
    let error = Replica::open(&path, None).unwrap_err();
    assert!(matches!(error, OpenError::WrongKey), "{error:?}");
}

#[test]
fn a_reader_cannot_write() {
    let here = Here::with(&JournalBuilder::new());
    let error = here
        .reader()
        .connection
        .execute("DELETE FROM body", [])
        .unwrap_err();
    assert_eq!(error.sqlite_error_code(), Some(rusqlite::ErrorCode::ReadOnly));
}

#[test]
fn a_replica_goes_on_after_it_was_closed() {
    let mut journal = JournalBuilder::new();
    let mut here = Here::with(&journal);
    let path = here.folder.path().join("replica.db");
    journal.propose(Draft::default());
    drop(here.replica);
    here.replica = Replica::open(&path, None).unwrap();
    here.pull(&journal, 100);
    assert_eq!(here.reader().counts(journal.at).unwrap().to_decide(), 1);
}

#[cfg(unix)]
#[test]
fn the_file_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    let here = Here::with(&JournalBuilder::new());
    for name in ["replica.db", "replica.db-wal", "replica.db-shm"] {
        let mode = std::fs::metadata(here.folder.path().join(name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o077, 0, "{name}");
    }
}

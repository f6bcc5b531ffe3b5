//! Brings the schema of a file up to date: of the server's own store, and of a tenant's.

use std::panic::{AssertUnwindSafe, catch_unwind};

use refinery::Runner;
use rusqlite::{Connection, OptionalExtension as _};

/// The file stays as it is.
#[derive(Debug)]
pub(crate) enum SchemaError {
    /// A newer version of Countersign has written it.
    Newer,
    /// What was applied to it before cannot be read back, or nothing more can be applied.
    Damaged(String),
    Database(rusqlite::Error),
}

impl From<rusqlite::Error> for SchemaError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

/// Applies what this version has and the file has not.
pub(crate) fn bring_up_to_date(connection: &mut Connection, runner: &Runner) -> Result<(), SchemaError> {
    refuse_newer(connection, runner)?;
    // The library panics over a row of its own table that it cannot read, as a broken disk may leave one.
    match catch_unwind(AssertUnwindSafe(|| runner.run(connection))) {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(SchemaError::Damaged(error.to_string())),
        Err(_) => Err(SchemaError::Damaged(
            "what was applied to it before cannot be read".to_owned(),
        )),
    }
}

/// What a newer version has written may mean something else.
pub(crate) fn refuse_newer(connection: &Connection, runner: &Runner) -> Result<(), SchemaError> {
    let versions = runner.get_migrations().iter();
    let ours = versions.map(|one| i64::from(one.version())).max();
    if newest_applied(connection)? > ours {
        return Err(SchemaError::Newer);
    }
    Ok(())
}

fn newest_applied(connection: &Connection) -> Result<Option<i64>, rusqlite::Error> {
    let known: Option<i64> = connection
        .query_row(
            "SELECT 1 FROM sqlite_schema WHERE name = 'refinery_schema_history'",
            [],
            |row| row.get(0),
        )
        .optional()?;
    if known.is_none() {
        return Ok(None);
    }
    connection.query_row("SELECT max(version) FROM refinery_schema_history", [], |row| {
        row.get(0)
    })
}

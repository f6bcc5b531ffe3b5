//! The server's own store, `control.db`: accounts, sessions, agents' keys, invitations' secrets, where the tenants are.
//!
//! It says who somebody is. What they may do is in each tenant's journal, asked on every call. One connection serves
//! reads and writes: it is used at sign-in and when the cache of credentials has nothing, not on every request.
//!
//! INVARIANT: a secret is stored as a hash and shown once.

mod account;
mod challenge;
mod credential;
mod identity;
mod invite;
mod password;
mod tenant;
mod token;

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use countersign_faults::{Point, crash_point};
use rusqlite::{Connection, OptionalExtension};

use crate::schema::{self, SchemaError};

pub(crate) use account::{NewAccount, email};
pub(crate) use credential::{Brought, Identity, SessionId};
pub(crate) use identity::{Binding, Found};
pub(crate) use invite::Invitation;
pub(crate) use password::{Busy, Passwords, SHORTEST_PASSWORD};
pub(crate) use tenant::Placed;
pub use token::Token;
pub(crate) use token::TokenKind;

mod migrations {
    refinery::embed_migrations!("src/control/schema");
}

/// The control store failed; nothing was acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// There is no room for it.
    #[error("the disk is full")]
    Full,
    #[error("the server's own store failed: {0}")]
    Database(#[source] rusqlite::Error),
    #[error("the server's own store is damaged: {0}")]
    Damaged(String),
    #[error(
        "this data was written by a newer version of Countersign; update the program, nothing was changed"
    )]
    Newer,
}

impl From<SchemaError> for ControlError {
    fn from(error: SchemaError) -> Self {
        match error {
            SchemaError::Newer => Self::Newer,
            SchemaError::Damaged(why) => Self::Damaged(why),
            SchemaError::Database(error) => error.into(),
        }
    }
}

impl From<rusqlite::Error> for ControlError {
    fn from(error: rusqlite::Error) -> Self {
        if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull) {
            return Self::Full;
        }
        Self::Database(error)
    }
}

impl ControlError {
    pub(crate) fn damaged(error: impl std::fmt::Display) -> Self {
        Self::Damaged(error.to_string())
    }
}

/// A handle to the store; cheap to clone.
#[derive(Clone)]
pub(crate) struct Control {
    connection: Arc<Mutex<Connection>>,
    credentials: Arc<credential::Cache>,
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Control")
    }
}

impl Control {
    /// Opens `control.db` in the data folder, or makes it.
    ///
    /// # Errors
    /// When it cannot be opened, or a newer version has written it.
    pub(crate) fn open(data: &Path) -> Result<Self, ControlError> {
        let mut connection = Connection::open(data.join("control.db"))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", "ON")?;
        connection.pragma_update(None, "trusted_schema", "OFF")?;
        connection.set_prepared_statement_cache_capacity(64);
        migrate(&mut connection)?;
        Ok(Self {
            connection: Arc::new(Mutex::new(connection)),
            credentials: Arc::default(),
        })
    }

    /// Whether the store answers.
    pub(crate) async fn ping(&self) -> Result<(), ControlError> {
        self.call(|connection, _| {
            Ok(connection
                .query_row("SELECT 1 FROM account LIMIT 1", [], |_| Ok(()))
                .optional()?)
        })
        .await
        .map(|_| ())
    }

    /// Leaves the file so much room and no more, in pages; `None` lifts that again.
    #[cfg(test)]
    pub(crate) async fn room(&self, pages: Option<i64>) {
        self.call(move |connection, _| {
            let have: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
            let limit = pages.map_or(i64::from(u32::MAX) - 1, |pages| have + pages);
            connection.pragma_update_and_check(None, "max_page_count", limit, |row| row.get::<_, i64>(0))?;
            Ok(())
        })
        .await
        .unwrap();
    }

    /// Runs `work` on the connection, off the async threads. Everything that touches the cache of credentials does so
    /// in here, so that a look-up cannot put back what a revocation has just taken out.
    async fn call<T, F>(&self, work: F) -> Result<T, ControlError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection, &credential::Cache) -> Result<T, ControlError> + Send + 'static,
    {
        let Self {
            connection,
            credentials,
        } = self.clone();
        tokio::task::spawn_blocking(move || {
            let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            work(&mut connection, &credentials)
        })
        .await
        .map_err(ControlError::damaged)?
    }
}

fn migrate(connection: &mut Connection) -> Result<(), ControlError> {
    schema::bring_up_to_date(connection, &migrations::migrations::runner())?;
    crash_point(Point::ControlMigrated);
    Ok(())
}

#[cfg(test)]
mod tests;

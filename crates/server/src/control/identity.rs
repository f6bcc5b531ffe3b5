//! Accounts that the company's provider opens (docs/adr/0011).
//!
//! INVARIANT: an account has a password or is the provider's, never both: who knew the password before is not to come in
//! beside the person whom the provider vouches for.

use countersign_domain::{Digest, UnixMillis, id::UserId};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::{Control, ControlError};

/// An account as the provider's word finds it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Found {
    /// Bound to that very subject.
    Bound {
        user: UserId,
        email: String,
    },
    /// Has the address, and is bound to no subject of that issuer.
    Free(UserId),
    /// Has the address, and is bound to another subject.
    Another,
    Nobody,
}

/// A person whom the provider vouches for, to be bound to an account.
#[derive(Clone)]
pub(crate) struct Binding {
    pub(crate) issuer: String,
    pub(crate) subject: String,
    /// As [`super::email`] gives it.
    pub(crate) email: String,
    /// For an account that has to be made.
    pub(crate) user: UserId,
    pub(crate) name: String,
}

impl Control {
    /// Whose account it is that the provider speaks of.
    pub(crate) async fn find_identity(
        &self,
        issuer: String,
        subject: String,
        email: String,
    ) -> Result<Found, ControlError> {
        self.call(move |connection, _| find(connection, &issuer, &subject, &email))
            .await
    }

    /// Binds the provider's subject to the account with its address, which is made where there is none. The account's
    /// password and sessions end in the same transaction. `None` when the address is bound to another subject.
    pub(crate) async fn bind(&self, new: Binding, now: UnixMillis) -> Result<Option<UserId>, ControlError> {
        self.call(move |connection, cache| {
            let bind = connection.transaction()?;
            let user = match find(&bind, &new.issuer, &new.subject, &new.email)? {
                Found::Bound { user, .. } => return Ok(Some(user)),
                Found::Another => return Ok(None),
                Found::Free(user) => user,
                Found::Nobody => {
                    bind.prepare_cached(
                        "INSERT INTO account (user_id, email, name, password, created_ms) VALUES (?1, ?2, ?3, '', ?4)",
                    )?
                    .execute(params![&new.user.as_bytes()[..], new.email, new.name, now.0])?;
                    new.user
                }
            };
            bind.prepare_cached(
                "INSERT INTO identity (issuer, subject, user_id, linked_ms) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![new.issuer, new.subject, &user.as_bytes()[..], now.0])?;
            bind.prepare_cached("UPDATE account SET password = '' WHERE user_id = ?1")?
                .execute([&user.as_bytes()[..]])?;
            let ended = end_sessions(&bind, user)?;
            bind.commit()?;
            ended.iter().for_each(|session| cache.forget(session));
            Ok(Some(user))
        })
        .await
    }

    /// Gives the account with that address a password, and takes it from the provider. Its sessions end. `false` when
    /// there is none.
    pub(crate) async fn set_password(&self, email: String, password: String) -> Result<bool, ControlError> {
        self.call(move |connection, cache| {
            let change = connection.transaction()?;
            let user: Option<Vec<u8>> = change
                .prepare_cached("UPDATE account SET password = ?2 WHERE email = ?1 RETURNING user_id")?
                .query_row(params![email, password], |row| row.get(0))
                .optional()?;
            let Some(user) = user else { return Ok(false) };
            let user = UserId::from_slice(&user).map_err(ControlError::damaged)?;
            change
                .prepare_cached("DELETE FROM identity WHERE user_id = ?1")?
                .execute([&user.as_bytes()[..]])?;
            let ended = end_sessions(&change, user)?;
            change.commit()?;
            ended.iter().for_each(|session| cache.forget(session));
            Ok(true)
        })
        .await
    }
}

fn find(connection: &Connection, issuer: &str, subject: &str, email: &str) -> Result<Found, ControlError> {
    let id = |bytes: Vec<u8>| UserId::from_slice(&bytes).map_err(ControlError::damaged);
    let bound: Option<(Vec<u8>, String)> = connection
        .prepare_cached(
            "SELECT account.user_id, email FROM identity JOIN account USING (user_id) WHERE issuer = ?1 AND subject = ?2",
        )?
        .query_row([issuer, subject], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if let Some((user, email)) = bound {
        return Ok(Found::Bound {
            user: id(user)?,
            email,
        });
    }
    let same_address: Option<(Vec<u8>, bool)> = connection
        .prepare_cached(
            "SELECT user_id, EXISTS (SELECT 1 FROM identity WHERE identity.user_id = account.user_id AND issuer = ?2)
             FROM account WHERE email = ?1",
        )?
        .query_row([email, issuer], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(match same_address {
        Some((_, true)) => Found::Another,
        Some((user, false)) => Found::Free(id(user)?),
        None => Found::Nobody,
    })
}

fn end_sessions(change: &Transaction<'_>, user: UserId) -> Result<Vec<Digest>, ControlError> {
    change
        .prepare_cached(
            "UPDATE session SET expires_ms = 0 WHERE user_id = ?1 AND expires_ms > 0 RETURNING token",
        )?
        .query_map([&user.as_bytes()[..]], |row| row.get::<_, Vec<u8>>(0))?
        .map(|row| Digest::from_slice(&row?).map_err(ControlError::damaged))
        .collect()
}

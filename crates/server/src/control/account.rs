//! People who can sign in.

use countersign_domain::{UnixMillis, id::UserId};
use rusqlite::{OptionalExtension, params};

use super::{Control, ControlError};

/// Longest e-mail address that SMTP can carry (RFC 5321 §4.5.3.1.3).
const LONGEST_EMAIL: usize = 254;

/// A person who can sign in.
#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) user: UserId,
    /// argon2id as a PHC string; none where the company's provider opens the account.
    pub(crate) password: Option<String>,
}

/// A person who will be able to.
pub(crate) struct NewAccount {
    pub(crate) user: UserId,
    /// As [`email`] gives it.
    pub(crate) email: String,
    pub(crate) name: String,
    pub(crate) password: String,
}

impl Control {
    /// The account under an address in normal form.
    pub(crate) async fn account(&self, email: String) -> Result<Option<Account>, ControlError> {
        self.call(move |connection, _| {
            let row: Option<(Vec<u8>, String)> = connection
                .prepare_cached("SELECT user_id, password FROM account WHERE email = ?1")?
                .query_row([email], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            let Some((user, password)) = row else {
                return Ok(None);
            };
            let user = UserId::from_slice(&user).map_err(ControlError::damaged)?;
            let password = Some(password).filter(|password| !password.is_empty());
            Ok(Some(Account { user, password }))
        })
        .await
    }

    /// Adds an account; `false` when the address has one already.
    pub(crate) async fn add_account(&self, new: NewAccount, now: UnixMillis) -> Result<bool, ControlError> {
        self.call(move |connection, _| {
            let added = connection
                .prepare_cached(
                    "INSERT INTO account (user_id, email, name, password, created_ms) VALUES (?1, ?2, ?3, ?4, ?5)
                     ON CONFLICT (email) DO NOTHING",
                )?
                .execute(params![&new.user.as_bytes()[..], new.email, new.name, new.password, now.0])?;
            Ok(added == 1)
        })
        .await
    }
}

/// An address in the form under which it is stored and compared: trimmed, lower case. `None` when it is not one
/// address: what separates addresses or hides in them is refused, so that one entry cannot name two people.
pub(crate) fn email(text: &str) -> Option<String> {
    let text = text.trim();
    let (local, domain) = text.rsplit_once('@')?;
    let plain = |c: char| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    let fits = text.len() <= LONGEST_EMAIL
        && !local.is_empty()
        && local.chars().all(plain)
        && domain.split('.').all(label);
    fits.then(|| text.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_has_one_form() {
        for spelling in ["ada@acme.example", " Ada@Acme.Example\n", "ADA@ACME.EXAMPLE"] {
            assert_eq!(
                email(spelling).as_deref(),
                Some("ada@acme.example"),
                "{spelling:?}"
            );
        }
        assert_eq!(email("ada+x@localhost").as_deref(), Some("ada+x@localhost"));
    }

    #[test]
    fn what_is_not_one_plain_address_is_refused() {
        for text in [
            "",
            "ada",
            "@acme.example",
            "ada@",
            "ada@acme..example",
            "ada@-acme.example",
            "ada@acme.example,bob@acme.example",
            "ada,bob@acme.example",
            "ada;bob@acme.example",
            "ada bob@acme.example",
            "ada@acme.example\r\nBcc: bob@acme.example",
            "Ada <ada@acme.example>",
            "\"ada\"@acme.example",
            "ada\u{200b}@acme.example",
            "a\u{202e}da@acme.example",
            "ada@acme@example",
        ] {
            assert_eq!(email(text), None, "{text:?} could stand for somebody else");
        }
    }
}

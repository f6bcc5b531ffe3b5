//! One person of one tenant on this device, with the end of the device's chain and the last checkpoint it has verified.

use countersign_domain::{
    Digest,
    dsse::PublicKey,
    id::{DeviceId, TenantId, UserId},
};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::{StoreError, from_sql, to_sql};

/// The account's number in this database.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct AccountId(pub(super) i64);

/// What does not change about an account, but for its address and its key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Account {
    pub(crate) id: AccountId,
    pub(crate) tenant: TenantId,
    pub(crate) person: UserId,
    pub(crate) tenant_url: String,
    pub(crate) email: String,
    pub(crate) device: DeviceId,
    /// Of the key that signed when the account was read.
    pub(crate) device_key: PublicKey,
    pub(crate) device_name: String,
    /// The enrol record, while the server has not answered it.
    pub(crate) enrol: Option<String>,
}

/// An account to be made.
#[derive(Clone, Debug)]
pub(crate) struct NewAccount {
    pub(crate) tenant: TenantId,
    pub(crate) person: UserId,
    pub(crate) tenant_url: String,
    pub(crate) email: String,
    pub(crate) device: DeviceId,
    pub(crate) device_key: PublicKey,
    pub(crate) device_name: String,
    pub(crate) enrol: String,
}

/// The last checkpoint that this device has verified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Seen {
    pub(crate) size: u64,
    pub(crate) root: Digest,
    pub(crate) note: String,
}

const COLUMNS: &str = "id, tenant, person, tenant_url, email, device, device_key, name, enrol";

/// The account that is signed in, or was last.
pub(crate) fn active(db: &Connection) -> Result<Option<Account>, StoreError> {
    one(db, "active = 1", [])
}

pub(crate) fn of(db: &Connection, tenant: TenantId, person: UserId) -> Result<Option<Account>, StoreError> {
    one(
        db,
        "tenant = ?1 AND person = ?2",
        params![tenant.as_bytes(), person.as_bytes()],
    )
}

/// Makes an account and puts it in front.
pub(crate) fn insert(tx: &Transaction<'_>, new: &NewAccount) -> Result<AccountId, StoreError> {
    tx.execute("UPDATE account SET active = 0", [])?;
    tx.execute(
        "INSERT INTO account (tenant, person, tenant_url, email, device, device_key, name, enrol, active)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 1)",
        params![
            new.tenant.as_bytes(),
            new.person.as_bytes(),
            new.tenant_url,
            new.email,
            new.device.as_bytes(),
            new.device_key.as_bytes(),
            new.device_name,
            new.enrol,
        ],
    )?;
    Ok(AccountId(tx.last_insert_rowid()))
}

/// Puts an account in front: its person has signed in, at this address.
pub(crate) fn activate(
    tx: &Transaction<'_>,
    id: AccountId,
    url: &str,
    email: &str,
) -> Result<(), StoreError> {
    tx.execute("UPDATE account SET active = 0", [])?;
    tx.execute(
        "UPDATE account SET active = 1, tenant_url = ?2, email = ?3 WHERE id = ?1",
        params![id.0, url, email],
    )?;
    Ok(())
}

/// No account is in front: the next start asks where to sign in.
pub(crate) fn step_back(tx: &Transaction<'_>) -> Result<(), StoreError> {
    tx.execute("UPDATE account SET active = 0", [])?;
    Ok(())
}

/// The server has the enrol record.
pub(crate) fn enrolled(tx: &Transaction<'_>, id: AccountId) -> Result<(), StoreError> {
    tx.execute("UPDATE account SET enrol = NULL WHERE id = ?1", [id.0])?;
    Ok(())
}

/// The enrol record with a fresh challenge, for the same device and key.
pub(crate) fn set_enrol(tx: &Transaction<'_>, id: AccountId, envelope: &str) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE account SET enrol = ?2 WHERE id = ?1",
        params![id.0, envelope],
    )?;
    Ok(())
}

/// The key that signs at present.
pub(crate) fn key(db: &Connection, id: AccountId) -> Result<PublicKey, StoreError> {
    let bytes: Vec<u8> = db
        .prepare_cached("SELECT device_key FROM account WHERE id = ?1")?
        .query_row([id.0], |row| row.get(0))?;
    PublicKey::from_slice(&bytes).map_err(StoreError::damaged)
}

/// What this device signs from here on takes another key. In the transaction that stores the turn to it.
pub(crate) fn set_key(tx: &Transaction<'_>, id: AccountId, key: PublicKey) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE account SET device_key = ?2 WHERE id = ?1",
        params![id.0, key.as_bytes()],
    )?;
    Ok(())
}

/// The number that the device's next record takes, and the digest of the one before.
pub(crate) fn next_link(db: &Connection, id: AccountId) -> Result<(u64, Option<Digest>), StoreError> {
    let (seq, digest): (i64, Option<Vec<u8>>) = db.query_row(
        "SELECT last_seq, last_record FROM account WHERE id = ?1",
        [id.0],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let previous = digest
        .map(|bytes| Digest::from_slice(&bytes))
        .transpose()
        .map_err(StoreError::damaged)?;
    Ok((from_sql(seq)? + 1, previous))
}

/// Takes a number for good. In the transaction that stores the record which uses it.
pub(super) fn link(tx: &Transaction<'_>, id: AccountId, seq: u64, record: Digest) -> Result<(), StoreError> {
    let taken = tx
        .prepare_cached(
            "UPDATE account SET last_seq = ?2, last_record = ?3 WHERE id = ?1 AND last_seq = ?2 - 1",
        )?
        .execute(params![id.0, to_sql(seq)?, record.as_bytes()])?;
    if taken == 1 {
        Ok(())
    } else {
        Err(StoreError::damaged("a device number was taken twice"))
    }
}

pub(crate) fn seen(db: &Connection, id: AccountId) -> Result<Option<Seen>, StoreError> {
    type Columns = (Option<i64>, Option<Vec<u8>>, Option<String>);
    let columns: Columns = db.query_row(
        "SELECT seen_size, seen_root, seen_note FROM account WHERE id = ?1",
        [id.0],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )?;
    match columns {
        (Some(size), Some(root), Some(note)) => {
            let root = Digest::from_slice(&root).map_err(StoreError::damaged)?;
            Ok(Some(Seen {
                size: from_sql(size)?,
                root,
                note,
            }))
        }
        _ => Ok(None),
    }
}

/// Only ever forwards.
pub(crate) fn set_seen(tx: &Transaction<'_>, id: AccountId, seen: &Seen) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE account SET seen_size = ?2, seen_root = ?3, seen_note = ?4
         WHERE id = ?1 AND coalesce(seen_size, 0) <= ?2",
        params![id.0, to_sql(seen.size)?, seen.root.as_bytes(), seen.note],
    )?;
    Ok(())
}

/// The log's second word about itself, when it has two.
pub(crate) fn fork(db: &Connection, id: AccountId) -> Result<Option<String>, StoreError> {
    Ok(
        db.query_row("SELECT fork_note FROM account WHERE id = ?1", [id.0], |row| {
            row.get(0)
        })?,
    )
}

/// Keeps the first one; it is evidence.
pub(crate) fn set_fork(tx: &Transaction<'_>, id: AccountId, note: &str) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE account SET fork_note = coalesce(fork_note, ?2) WHERE id = ?1",
        params![id.0, note],
    )?;
    Ok(())
}

fn one(db: &Connection, filter: &str, params: impl rusqlite::Params) -> Result<Option<Account>, StoreError> {
    db.prepare_cached(&format!("SELECT {COLUMNS} FROM account WHERE {filter}"))?
        .query_row(params, |row| Ok(read(row)))
        .optional()?
        .transpose()
}

fn read(row: &Row<'_>) -> Result<Account, StoreError> {
    let blob = |at: usize| row.get::<_, Vec<u8>>(at);
    Ok(Account {
        id: AccountId(row.get(0)?),
        tenant: TenantId::from_slice(&blob(1)?).map_err(StoreError::damaged)?,
        person: UserId::from_slice(&blob(2)?).map_err(StoreError::damaged)?,
        tenant_url: row.get(3)?,
        email: row.get(4)?,
        device: DeviceId::from_slice(&blob(5)?).map_err(StoreError::damaged)?,
        device_key: PublicKey::from_slice(&blob(6)?).map_err(StoreError::damaged)?,
        device_name: row.get(7)?,
        enrol: row.get(8)?,
    })
}

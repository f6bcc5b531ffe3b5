//! Copies of a data folder: made while the server runs, put back into an empty folder, or one tenant of them taken into
//! another server's folder. A copy counts when all of it was checked; `backup.json` is written last and says so.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use countersign_domain::{
    Digest, UnixMillis,
    id::{TenantId, UserId},
    record::Role,
};
use rusqlite::{Connection, OpenFlags, OptionalExtension, backup::StepResult, params};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    control::{Control, ControlError, Passwords, Placed, SHORTEST_PASSWORD, email},
    server::{OpenError, lock_folder, private_folder},
    tenant::{Checked, StoreError, check},
};

pub(crate) const CONTROL: &str = "control.db";
pub(crate) const TENANT: &str = "tenant.db";
const MANIFEST: &str = "backup.json";
/// How long a file that somebody else has locked is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// The form of the folder.
const VERSION: u32 = 1;
/// The domain of addresses that are none: the owner of a tenant on one computer has given no other.
const NOWHERE: &str = "@localhost";

/// What a copy holds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Backup {
    pub version: u32,
    pub made_at: UnixMillis,
    pub tenants: Vec<BackedUp>,
}

/// A tenant in a copy.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BackedUp {
    pub id: TenantId,
    pub name: String,
    /// How many entries its journal has, and the root over them: what an export or a desktop of that time can be held against.
    pub size: u64,
    pub root: Digest,
    /// What `countersign-verify --trust` takes.
    pub log_key: String,
}

/// Nothing was copied, or what was copied does not count.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("there is something at {} already: name a folder that is not there yet", .0.display())]
    Taken(PathBuf),
    #[error("{} is no backup, or one that was not finished: {why}", folder.display())]
    NoBackup { folder: PathBuf, why: String },
    #[error("the backup was made by a newer version of Countersign")]
    Newer,
    #[error("{} holds a server's data already: restore into a folder of its own, or take in one tenant with `adopt`", .0.display())]
    NotEmpty(PathBuf),
    #[error("the backup has no tenant {0}")]
    NoTenant(TenantId),
    #[error("this server has tenant {0} already")]
    Here(TenantId),
    #[error(
        "{0} is another person's account here: change the address of one of them, or take the tenant in under another with --email"
    )]
    Address(String),
    #[error("the owner has no address yet: give one with --email, and a password with --password-stdin")]
    NoAddress,
    #[error(
        "the tenant's owner has an account on this server already, {0}, which is to stay as it is: leave out --email and \
         --password-stdin; `countersign-server password` gives it another password"
    )]
    KnownOwner(String),
    #[error(
        "the tenant has {0} owners, and --email names one: leave out --email and --password-stdin, and each goes on under the \
         address in the copy"
    )]
    Owners(usize),
    #[error(
        "this server has another tenant named \u{201c}{0}\u{201d}, and whoever belongs to both could not tell them apart: take it \
         in all the same with --same-name"
    )]
    SameName(String),
    #[error(
        "to {issuer} {address} is the person of another account here: `countersign-server password` takes either of the two from \
         the provider, the one here, or the other where it comes from, before a new copy"
    )]
    Bound { address: String, issuer: String },
    #[error("that is not an e-mail address")]
    Email,
    #[error("the password must have at least {SHORTEST_PASSWORD} characters")]
    Password,
    #[error("the copy of tenant {0} is not in order: {1}")]
    Tenant(TenantId, StoreError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Control(#[from] ControlError),
    #[error("{}: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
}

impl From<rusqlite::Error> for BackupError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Control(error.into())
    }
}

pub(crate) trait At<T> {
    fn at(self, path: &Path) -> Result<T, BackupError>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, path: &Path) -> Result<T, BackupError> {
        self.map_err(|error| BackupError::Io {
            path: path.to_owned(),
            error,
        })
    }
}

/// Copies all that is in a data folder, also while a server runs on it, into a new folder for its owner only. Nobody's session
/// is in a copy.
///
/// # Errors
/// When `to` is there already, something cannot be read or written, or a copy is not in order.
pub fn back_up(data: &Path, to: &Path, now: UnixMillis) -> Result<Backup, BackupError> {
    if to.exists() {
        return Err(BackupError::Taken(to.to_owned()));
    }
    let control = data.join(CONTROL);
    if !control.is_file() {
        let (folder, why) = (data.to_owned(), "it has no control.db".to_owned());
        return Err(BackupError::NoBackup { folder, why });
    }
    private_folder(to).at(to)?;
    let mut tenants = Vec::new();
    for (placed, name) in placed(&control)? {
        let folder = to.join(&placed.folder);
        private_folder(&folder).at(&folder)?;
        let file = folder.join(TENANT);
        copy(&data.join(&placed.folder).join(TENANT), &file)?;
        tenants.push(backed_up(placed.id, name, checked(placed.id, &file)?));
        sync(&file)?;
    }
    // After the tenants: an account or a key too many opens nothing, one too few is a person who cannot get in.
    let copied = to.join(CONTROL);
    copy(&control, &copied)?;
    keep_only(&copied, &tenants)?;
    sync(&copied)?;
    let backup = Backup {
        version: VERSION,
        made_at: now,
        tenants,
    };
    let manifest = to.join(MANIFEST);
    let text = serde_json::to_vec_pretty(&backup).map_err(ControlError::damaged)?;
    fs::write(&manifest, text).at(&manifest)?;
    sync(&manifest)?;
    sync(to)?;
    Ok(backup)
}

/// What a copy holds, as it says itself.
///
/// # Errors
/// When it is no copy, was not finished, or is of a newer version.
pub fn look(copy: &Path) -> Result<Backup, BackupError> {
    read(copy)
}

/// Puts a copy back into a data folder that is empty or not there.
///
/// # Errors
/// When the folder holds something, or the copy is not whole.
pub fn restore(from: &Path, data: &Path) -> Result<Backup, BackupError> {
    let backup = read(from)?;
    let _lock = lock_folder(data)?;
    if data.join(CONTROL).exists() {
        return Err(BackupError::NotEmpty(data.to_owned()));
    }
    for tenant in &backup.tenants {
        put(from, data, tenant)?;
    }
    let control = data.join(CONTROL);
    copy(&from.join(CONTROL), &control)?;
    sync(&control)?;
    sync(data)?;
    Ok(backup)
}

/// Who signs in as the tenant's owner from now on.
pub struct NewOwner {
    pub email: String,
    pub password: Zeroizing<String>,
}

impl std::fmt::Debug for NewOwner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NewOwner")
    }
}

/// How a tenant is taken in.
#[derive(Debug, Default)]
pub struct Adoption {
    /// Who signs in as its owner from now on; `None` leaves the owner's account as it is in the copy.
    pub owner: Option<NewOwner>,
    /// Also where another tenant here has its name.
    pub same_name: bool,
}

/// A tenant that was taken in, and what its operator has to know of it: sentences.
#[derive(Debug)]
pub struct Adopted {
    pub tenant: BackedUp,
    pub notes: Vec<String>,
}

/// Takes one tenant of a copy into the data folder of another server, which must not run: with its journal, its members'
/// accounts, whom the company's provider vouches for, and its agents' keys. The server that it comes from must not go on with
/// it, or there are two histories under one key, and every desktop that sees both raises the alarm.
///
/// # Errors
/// When it is here already, another tenant here has its name, somebody else has a member's address here, a new owner was named
/// who cannot be one, or the copy is not whole. Nothing was taken in then.
pub async fn adopt(
    from: &Path,
    data: &Path,
    id: TenantId,
    how: Adoption,
    now: UnixMillis,
) -> Result<Adopted, BackupError> {
    let backup = read(from)?;
    let tenant = backup
        .tenants
        .into_iter()
        .find(|tenant| tenant.id == id)
        .ok_or(BackupError::NoTenant(id))?;
    let owner = match how.owner {
        None => None,
        Some(NewOwner {
            email: address,
            password,
        }) => {
            let address = email(&address).ok_or(BackupError::Email)?;
            if !Passwords::is_acceptable(&password) {
                return Err(BackupError::Password);
            }
            let hash = Passwords::default().hash(password).await;
            Some((address, hash.map_err(|_| ControlError::damaged("busy"))??))
        }
    };
    let _lock = lock_folder(data)?;
    let fresh = !data.join(CONTROL).exists();
    let aside = data.join("adopting");
    remove(&aside)?;
    let taken = take_in(from, data, &aside, &tenant, owner, how.same_name, now);
    remove(&aside)?;
    if taken.is_err() && fresh {
        // A folder that held nothing holds nothing again, so that a copy can still be put back into it.
        for suffix in ["", "-wal", "-shm"] {
            let file = data.join(format!("{CONTROL}{suffix}"));
            match fs::remove_file(&file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error).at(&file),
                Ok(()) | Err(_) => (),
            }
        }
    }
    let notes = taken?;
    sync(data)?;
    Ok(Adopted { tenant, notes })
}

/// Makes the tenant ready in the folder `aside`, and moves it in its place once nothing speaks against it.
fn take_in(
    from: &Path,
    data: &Path,
    aside: &Path,
    tenant: &BackedUp,
    owner: Option<(String, String)>,
    same_name: bool,
    now: UnixMillis,
) -> Result<Vec<String>, BackupError> {
    // Both in this version's form; the copy's own file stays as it is.
    drop(Control::open(data)?);
    private_folder(aside).at(aside)?;
    let source = aside.join(CONTROL);
    copy(&from.join(CONTROL), &source)?;
    drop(Control::open(aside)?);
    let source = source
        .to_str()
        .ok_or_else(|| ControlError::damaged("the folder's name is not text"))?;
    let mut control = Connection::open(data.join(CONTROL))?;
    control.execute("ATTACH DATABASE ?1 AS source", [source])?;
    let transaction = control.transaction()?;
    let id = tenant.id.as_bytes().to_vec();
    let here = "SELECT 1 FROM main.tenant WHERE id = ?1";
    if transaction.prepare(here)?.exists([&id])? {
        return Err(BackupError::Here(tenant.id));
    }
    let named = "SELECT 1 FROM main.tenant WHERE name = ?1";
    if !same_name && transaction.prepare(named)?.exists([&tenant.name])? {
        return Err(BackupError::SameName(tenant.name.clone()));
    }
    let checked = put(from, aside, tenant)?;
    let placed = Placed::new(tenant.id);
    transaction.execute(
        "INSERT INTO main.tenant (id, name, folder, created_ms) VALUES (?1, ?2, ?3, ?4)",
        params![id, tenant.name, placed.folder.to_string_lossy(), now.0],
    )?;
    let mut accounts = Accounts::of(&transaction, owner, &checked)?;
    let members = checked.people.members.iter();
    for (user, member) in members.filter(|(_, member)| member.role.is_some()) {
        accounts.take_in(*user, member.role)?;
    }
    let notes = accounts.notes();
    for rows in ["agent_key", "invite_secret"] {
        transaction.execute(
            &format!("INSERT INTO main.{rows} SELECT * FROM source.{rows} WHERE tenant = ?1"),
            [&id],
        )?;
    }
    let folder = data.join(&placed.folder);
    // One that came half way before is made again.
    remove(&folder)?;
    let tenants = data.join("tenants");
    private_folder(&tenants).at(&tenants)?;
    fs::rename(aside.join(&placed.folder), &folder).at(&folder)?;
    let committed = sync(&tenants).and_then(|()| Ok(transaction.commit()?));
    if committed.is_err() {
        remove(&folder)?;
    }
    committed.map(|()| notes)
}

/// The accounts of a tenant's members, on their way out of the copy's `control.db` into this server's.
struct Accounts<'a> {
    transaction: &'a rusqlite::Transaction<'a>,
    /// The owner's new address, and the hash of the new password.
    owner: Option<(String, String)>,
    /// How many of the members each provider opens the account of.
    bound: BTreeMap<String, u32>,
    /// Addresses of those who have an account here already.
    known: Vec<String>,
    /// Whom the password takes from a provider.
    unbound: Option<(String, String)>,
}

impl<'a> Accounts<'a> {
    /// Refuses a new owner's address and password where nobody, or more than one, would be meant by them, or somebody who has
    /// an account here that they would have to replace.
    fn of(
        transaction: &'a rusqlite::Transaction<'a>,
        owner: Option<(String, String)>,
        checked: &Checked,
    ) -> Result<Self, BackupError> {
        let owners = checked.people.members.iter();
        let owners: Vec<_> = owners
            .filter(|(_, member)| member.role == Some(Role::Owner))
            .collect();
        let accounts = Self {
            transaction,
            owner,
            bound: BTreeMap::new(),
            known: Vec::new(),
            unbound: None,
        };
        match (&accounts.owner, &owners[..]) {
            (None, _) => Ok(accounts),
            (Some(_), [(user, _)]) => match accounts.here(**user)? {
                Some(address) => Err(BackupError::KnownOwner(address)),
                None => Ok(accounts),
            },
            (Some(_), several) => Err(BackupError::Owners(several.len())),
        }
    }

    /// The address of the account that somebody has here.
    fn here(&self, user: UserId) -> Result<Option<String>, BackupError> {
        let address = "SELECT email FROM main.account WHERE user_id = ?1";
        Ok(self
            .transaction
            .query_row(address, [&user.as_bytes()[..]], |row| row.get(0))
            .optional()?)
    }

    fn take_in(&mut self, user: UserId, role: Option<Role>) -> Result<(), BackupError> {
        if let Some(address) = self.here(user)? {
            self.known.push(address);
            return Ok(());
        }
        let row: Option<(String, String, String, i64)> = self
            .transaction
            .query_row(
                "SELECT email, name, password, created_ms FROM source.account WHERE user_id = ?1",
                [&user.as_bytes()[..]],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
            )
            .optional()?;
        let Some((mut address, name, mut password, created)) = row else {
            return Ok(());
        };
        let replaced = self.owner.take_if(|_| role == Some(Role::Owner));
        let has_new_password = replaced.is_some();
        if let Some((new, hash)) = replaced {
            (address, password) = (new, hash);
        }
        if address.ends_with(NOWHERE) {
            return Err(BackupError::NoAddress);
        }
        let added = self.transaction.execute(
            "INSERT INTO main.account (user_id, email, name, password, created_ms) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (email) DO NOTHING",
            params![&user.as_bytes()[..], address, name, password, created],
        )?;
        if added == 0 {
            return Err(BackupError::Address(address));
        }
        for (issuer, subject, linked) in self.bindings(user)? {
            if has_new_password {
                // An account has a password or is a provider's, never both.
                self.unbound = Some((address.clone(), issuer));
                continue;
            }
            let added = self.transaction.execute(
                "INSERT INTO main.identity (issuer, subject, user_id, linked_ms) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO NOTHING",
                params![issuer, subject, &user.as_bytes()[..], linked],
            )?;
            if added == 0 {
                return Err(BackupError::Bound { address, issuer });
            }
            *self.bound.entry(issuer).or_default() += 1;
        }
        Ok(())
    }

    /// The providers that vouch for somebody in the copy: issuer, subject, since when.
    fn bindings(&self, user: UserId) -> Result<Vec<(String, String, i64)>, BackupError> {
        let mut statement = self.transaction.prepare(
            "SELECT issuer, subject, linked_ms FROM source.identity WHERE user_id = ?1 ORDER BY issuer",
        )?;
        let rows = statement.query_map([&user.as_bytes()[..]], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// What does not come of itself, and what to do.
    fn notes(self) -> Vec<String> {
        let bound = self.bound.into_iter().map(|(issuer, people)| {
            format!(
                "{people} of its people sign in with {issuer}: serve with --oidc-issuer {issuer}, or give each a password with \
                 `countersign-server password`"
            )
        });
        let unbound = self.unbound.map(|(address, issuer)| {
            format!(
                "{address} signs in with the password given, where {issuer} vouched for the owner before; signing in with it \
                 once binds the account again"
            )
        });
        let known = (!self.known.is_empty()).then(|| {
            format!(
                "these have an account on this server, which stays as it is with its password or provider: {}",
                self.known.join(", ")
            )
        });
        bound.chain(unbound).chain(known).collect()
    }
}

/// A copy's description, once the copy is finished.
fn read(from: &Path) -> Result<Backup, BackupError> {
    let no_backup = |why| BackupError::NoBackup {
        folder: from.to_owned(),
        why,
    };
    let text = fs::read(from.join(MANIFEST)).map_err(|error| no_backup(format!("{MANIFEST}: {error}")))?;
    let backup: Backup =
        serde_json::from_slice(&text).map_err(|error| no_backup(format!("{MANIFEST}: {error}")))?;
    if backup.version > VERSION {
        return Err(BackupError::Newer);
    }
    Ok(backup)
}

/// Puts a tenant's file of a copy in its place below a data folder, and holds it against what the copy says of it.
fn put(from: &Path, data: &Path, tenant: &BackedUp) -> Result<Checked, BackupError> {
    let placed = Placed::new(tenant.id);
    let folder = data.join(&placed.folder);
    private_folder(&folder).at(&folder)?;
    let file = folder.join(TENANT);
    copy(&from.join(&placed.folder).join(TENANT), &file)?;
    let checked = checked(tenant.id, &file)?;
    let founded = checked.people.tenant.as_ref().map(|tenant| tenant.id);
    if founded != Some(tenant.id) {
        let why = StoreError::damaged("it is not the file of that tenant");
        return Err(BackupError::Tenant(tenant.id, why));
    }
    if (checked.size, checked.root) != (tenant.size, tenant.root) {
        let why = StoreError::damaged("it is not the journal that was copied");
        return Err(BackupError::Tenant(tenant.id, why));
    }
    for path in [file.as_path(), &folder, &data.join("tenants")] {
        sync(path)?;
    }
    Ok(checked)
}

fn checked(id: TenantId, file: &Path) -> Result<Checked, BackupError> {
    check(file).map_err(|error| BackupError::Tenant(id, error))
}

fn backed_up(id: TenantId, name: String, checked: Checked) -> BackedUp {
    BackedUp {
        id,
        name,
        size: checked.size,
        root: checked.root,
        log_key: checked.log_key.public_key().to_string(),
    }
}

/// One state of a database, whoever writes to it meanwhile.
fn copy(from: &Path, to: &Path) -> Result<(), BackupError> {
    let connection = Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(PATIENCE)?;
    let mut copied = Connection::open(to)?;
    let copying = rusqlite::backup::Backup::new(&connection, &mut copied)?;
    // All pages in one read: in steps it would begin anew whenever somebody writes in between.
    let began = Instant::now();
    loop {
        if copying.step(-1)? == StepResult::Done {
            return Ok(());
        }
        if began.elapsed() > PATIENCE {
            return Err(ControlError::damaged("somebody keeps the file locked").into());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The tenants of a data folder or of a copy, with their names.
pub(crate) fn placed(control: &Path) -> Result<Vec<(Placed, String)>, BackupError> {
    let connection = Connection::open_with_flags(control, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let mut statement = connection.prepare("SELECT id, folder, name FROM tenant ORDER BY id")?;
    let rows = statement.query_map([], |row| {
        Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, String>(1)?, row.get(2)?))
    })?;
    rows.map(|row| {
        let (id, folder, name) = row?;
        let id = TenantId::from_slice(&id).map_err(ControlError::damaged)?;
        let folder = PathBuf::from(folder);
        Ok((Placed { id, folder }, name))
    })
    .collect()
}

/// Takes out what must not live on in a copy, and the tenants that came after it was begun.
fn keep_only(control: &Path, tenants: &[BackedUp]) -> Result<(), BackupError> {
    let connection = Connection::open(control)?;
    connection.pragma_update(None, "secure_delete", true)?;
    connection.execute_batch("DELETE FROM session; DELETE FROM challenge;")?;
    let known: Vec<_> = placed(control)?
        .into_iter()
        .filter(|(placed, _)| tenants.iter().all(|tenant| tenant.id != placed.id))
        .collect();
    for (placed, _) in known {
        connection.execute("DELETE FROM tenant WHERE id = ?1", [&placed.id.as_bytes()[..]])?;
    }
    Ok(())
}

pub(crate) fn sync(path: &Path) -> Result<(), BackupError> {
    File::open(path).and_then(|file| file.sync_all()).at(path)
}

fn remove(folder: &Path) -> Result<(), BackupError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).at(folder),
        Ok(()) | Err(_) => Ok(()),
    }
}

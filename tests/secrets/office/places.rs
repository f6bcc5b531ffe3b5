//! Where a secret could have come to, and which secrets there are.

use std::{collections::BTreeMap, fs, path::Path, sync::PoisonError};

use anyhow::{Context, Result, ensure};
use rusqlite::{Connection, OpenFlags, types::ValueRef};
use serde_json::Value;

use super::Office;
use crate::search::Place;

impl Office {
    /// Everything that the server says when it is asked.
    pub(crate) fn asked(&mut self) -> Result<Vec<Place>> {
        for path in [
            "/api/journal/export",
            "/api/journal/export?profile=redacted",
            "/api/journal/export?format=csv",
            "/api/journal/export?format=csv&profile=redacted",
            "/api/journal?limit=5000",
            "/api/snapshot",
            "/metrics",
            "/api/openapi.json",
            "/api/health",
            "/api/connections",
            "/api/members",
            "/api/invites",
            "/api/agents",
            "/api/devices",
            "/api/tasks",
            "/api/rules",
            "/api/stop",
            "/api/assistant/proposals",
        ] {
            let headers = [("authorization", format!("Bearer {}", self.session))];
            let (status, bytes) = self.send("GET", path, &headers, &Value::Null)?;
            ensure!(status == 200, "{path}: {status}");
            if path == "/api/snapshot" {
                // Its rows are looked at with those of the other databases.
                fs::write(
                    self.folder.path().join("snapshot.db"),
                    zstd::decode_all(&bytes[..])?,
                )?;
            }
            self.answers.push(Place::new(path, bytes));
        }
        Ok(std::mem::take(&mut self.answers))
    }

    /// How both were started, as every other process of the machine can read it.
    pub(crate) fn processes(&self) -> Result<Vec<Place>> {
        let (hand, _) = self.hand.as_ref().context("a desktop")?;
        let mut all = process(self.server.id())?;
        all.extend(process(hand.id())?);
        Ok(all)
    }

    /// Everything on the disk but the keychain, which is where secrets are.
    pub(crate) fn left_behind(&self) -> Result<Vec<Place>> {
        let mut all = Vec::new();
        for place in files(self.folder.path())? {
            if !Path::new(&place.name).starts_with(self.folder.path().join("keychain")) {
                all.push(place);
            }
        }
        let said = self
            .said
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .join("\n");
        all.push(Place::new("what the desktop printed", said));
        Ok(all)
    }

    /// Every row of every database. The desktop's are encrypted: in their bytes nothing would be found.
    pub(crate) fn rows(&self) -> Result<Vec<Place>> {
        let key = self.kept("database_key")?;
        let key = key.context("the keychain has the key of the desktop's databases")?;
        let mut all = Vec::new();
        for Place { name, .. } in files(self.folder.path())? {
            let path = Path::new(&name);
            if path.extension().is_some_and(|extension| extension == "db") {
                let encrypted = path.starts_with(self.folder.path().join("engine"));
                all.extend(rows(path, encrypted.then_some(&key[..]))?);
            }
        }
        Ok(all)
    }

    /// The one place where a secret lies open: the tenant's file has the log's own key, since there is nothing that it could
    /// be encrypted with, and only the server's user can open it.
    pub(crate) fn keeps_the_log_key(&self, place: &str) -> bool {
        let file = self.tenant_file();
        [
            file.clone(),
            format!("{file}-wal"),
            format!("{file} head.log_key"),
        ]
        .iter()
        .any(|allowed| allowed == place)
    }

    fn tenant_file(&self) -> String {
        let folder = self.folder.path();
        let file = folder.join(format!("data/tenants/{}/tenant.db", self.tenant));
        file.display().to_string()
    }

    /// Every secret there is: those of the API, those in the keychain, and the log's own key.
    pub(crate) fn canaries(&self) -> Result<BTreeMap<String, Vec<u8>>> {
        let mut all: BTreeMap<_, _> = self
            .secrets
            .iter()
            .map(|(name, secret)| ((*name).to_owned(), secret.clone().into_bytes()))
            .collect();
        for (name, member) in [("database key", "database_key"), ("device key", "device_seed")] {
            let key = self.kept(member)?;
            all.insert(
                name.to_owned(),
                key.with_context(|| format!("the keychain has a {member}"))?,
            );
        }
        let token = self.kept("token")?.context("the keychain has a session")?;
        all.insert("desktop's session".to_owned(), token);
        let file = Connection::open_with_flags(self.tenant_file(), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let seed = file.query_row("SELECT log_key FROM head", [], |row| row.get(0))?;
        all.insert("log key".to_owned(), seed);
        Ok(all)
    }

    /// What the keychain has under this name, somewhere in an entry: keys are hexadecimal there.
    fn kept(&self, member: &str) -> Result<Option<Vec<u8>>> {
        for entry in files(&self.folder.path().join("keychain"))? {
            let entry: Value = serde_json::from_slice(&entry.bytes).unwrap_or_default();
            if let Some(text) = named(&entry, member) {
                return Ok(Some(unhex(text).unwrap_or_else(|| text.as_bytes().to_vec())));
            }
        }
        Ok(None)
    }
}

fn named<'v>(value: &'v Value, member: &str) -> Option<&'v str> {
    let members = value.as_object()?;
    let here = members.get(member).and_then(Value::as_str);
    here.or_else(|| members.values().find_map(|value| named(value, member)))
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

/// Every file below a folder, with its path.
pub(crate) fn files(folder: &Path) -> Result<Vec<Place>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            all.extend(files(&path)?);
        } else if let Ok(bytes) = fs::read(&path) {
            // What has gone since it was listed is looked at when both have ended.
            all.push(Place::new(path.display().to_string(), bytes));
        }
    }
    Ok(all)
}

/// Every column of every table, row behind row.
pub(crate) fn rows(path: &Path, key: Option<&[u8]>) -> Result<Vec<Place>> {
    let file = Connection::open(path)?;
    if let Some(key) = key {
        let key: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        file.pragma_update(None, "key", format!("x'{key}'"))?;
        // The copy of the journal has its pages' codes made with this one.
        if path.to_string_lossy().contains("/replica-") {
            file.execute_batch("PRAGMA cipher_hmac_algorithm = HMAC_SHA256")?;
        }
    }
    let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'";
    let mut tables = file.prepare(tables)?;
    let tables: Vec<String> = tables
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()
        .with_context(|| path.display().to_string())?;
    let mut all = Vec::new();
    for table in tables {
        let mut every = file.prepare(&format!("SELECT * FROM \"{table}\""))?;
        let names: Vec<String> = every.column_names().map(str::to_owned).collect();
        let mut columns = vec![Vec::new(); names.len()];
        let mut rows = every.query([])?;
        while let Some(row) = rows.next()? {
            for (number, column) in columns.iter_mut().enumerate() {
                match row.get_ref(number)? {
                    ValueRef::Text(bytes) | ValueRef::Blob(bytes) => column.extend_from_slice(bytes),
                    ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => {}
                }
                column.push(b'\n');
            }
        }
        for (name, column) in names.iter().zip(columns) {
            all.push(Place::new(format!("{} {table}.{name}", path.display()), column));
        }
    }
    Ok(all)
}

/// What every process of the machine can read of another one.
pub(crate) fn process(id: u32) -> Result<Vec<Place>> {
    let mut all = Vec::new();
    for what in ["cmdline", "environ"] {
        let path = format!("/proc/{id}/{what}");
        let bytes = fs::read(&path)?;
        all.push(Place::new(path, bytes));
    }
    Ok(all)
}

//! What proves itself after any number of kills: the journal, and every file.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

use super::{
    process::PATIENCE,
    world::{World, text},
};
use crate::workspace_binary;

impl World {
    /// The desktop has the whole journal and verifies it from its first entry, so does a program that knows nothing but
    /// the exported file, and every database is whole. Both have ended when this answers.
    pub fn verify(&mut self) -> Result<()> {
        self.catch_up()?;
        self.verify_export()?;
        self.check_files()
    }

    /// Waits until the desktop has the whole journal, and has verified it from its first entry.
    pub fn catch_up(&mut self) -> Result<()> {
        let head = self.get("/api/journal/checkpoint")?["size"]
            .as_u64()
            .context("size")?;
        let hand = self.hand.as_mut().context("a desktop")?;
        let begin = Instant::now();
        // What it has said last may be on its way.
        while hand.check(&self.said)? < head {
            ensure!(
                begin.elapsed() < PATIENCE,
                "the desktop never had the whole journal"
            );
            thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// The journal proves itself to a program that knows nothing but the file.
    fn verify_export(&self) -> Result<()> {
        let bundle = self.folder.path().join("bundle");
        fs::write(&bundle, self.export()?)?;
        let verified = Command::new(workspace_binary("countersign-verify")?)
            .arg(&bundle)
            .output()?;
        ensure!(
            verified.status.success(),
            "the exported journal: {}",
            String::from_utf8_lossy(&verified.stdout)
        );
        Ok(())
    }

    /// Every database is whole, after one more kill of both.
    fn check_files(&mut self) -> Result<()> {
        self.kill()?;
        let (ada, data) = (self.folder.path().join("ada"), self.folder.path().join("data"));
        let key = format!("x'{}'", database_key(&ada.join("keychain"))?);
        let mut checked = 0;
        for (folder, key) in [(data, None), (ada, Some(key))] {
            for path in databases(&folder)? {
                let file = rusqlite::Connection::open(&path)?;
                if let Some(key) = &key {
                    file.pragma_update(None, "key", key)?;
                    // The copy of the journal has its pages' codes made with this one.
                    if path.to_string_lossy().contains("/replica-") {
                        file.execute_batch("PRAGMA cipher_hmac_algorithm = HMAC_SHA256")?;
                    }
                }
                let answer: String = file
                    .query_row("PRAGMA integrity_check", [], |row| row.get(0))
                    .with_context(|| path.display().to_string())?;
                ensure!(answer == "ok", "{}: {answer}", path.display());
                checked += 1;
            }
        }
        ensure!(checked >= 4, "{checked} databases");
        Ok(())
    }
}

/// What opens the desktop's databases.
fn database_key(keychain: &Path) -> Result<String> {
    for entry in fs::read_dir(keychain)? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with("_device") {
            return text(&serde_json::from_slice(&fs::read(path)?)?, "database_key");
        }
    }
    bail!("the keychain has no device")
}

fn databases(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(databases(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "db") {
            found.push(path);
        }
    }
    Ok(found)
}

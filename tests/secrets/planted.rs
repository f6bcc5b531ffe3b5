//! What a search without hits is worth: each secret is put down in each kind of place on purpose, and has to be found there.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use rusqlite::Connection;
use serde_json::json;

use crate::{
    office::places::{files, process, rows},
    search::Place,
};

const KEY: [u8; 32] = [7; 32];

/// A place of each kind with this secret in it.
pub(crate) fn everywhere(secret: &[u8], folder: &Path) -> Result<Vec<Place>> {
    fs::create_dir_all(folder)?;
    // What is no text is put down as such a thing is.
    let text = String::from_utf8(secret.to_vec())
        .unwrap_or_else(|_| secret.iter().map(|byte| format!("{byte:02x}")).collect());
    fs::write(folder.join("text.log"), format!("WARN refused {text:?} of ada\n"))?;
    fs::write(folder.join("bytes.log"), format!("TRACE read {secret:?}\n"))?;
    let body = json!({"comment": format!("It was {text}.")}).to_string();
    let line = json!({"payload": STANDARD.encode(&body), "payloadType": "application/json"});
    fs::write(folder.join("export.jsonl"), line.to_string())?;
    let cell = body.replace('"', "\"\"");
    fs::write(folder.join("export.csv"), format!("at,what\n1,\"{cell}\"\n"))?;

    // One that is in the database's file, and one that is only in its write-ahead log.
    let stored = table(&folder.join("stored.db"), None, secret)?;
    stored.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?;
    drop(stored);
    let snapshot = zstd::encode_all(&fs::read(folder.join("stored.db"))?[..], 3)?;
    fs::write(folder.join("snapshot.zst"), snapshot)?;
    let open = table(&folder.join("logged.db"), None, secret)?;
    let mut all = files(folder)?;
    all.retain(|place| !place.name.ends_with("-shm") && !place.name.ends_with("logged.db"));
    drop(open);

    // In the bytes of an encrypted one it is not to be seen; in its rows it is.
    let encrypted = folder.join("encrypted.db");
    drop(table(&encrypted, Some(&KEY), secret)?);
    let rows = rows(&encrypted, Some(&KEY))?.into_iter();
    all.extend(rows.filter(|place| place.name.ends_with("note.text")));

    let argument = format!("--password={text}");
    all.extend(started(
        Command::new("sh").args(["-c", WAITS, "sh", &argument]),
        "cmdline",
    )?);
    all.extend(started(
        Command::new("sh")
            .args(["-c", WAITS])
            .env("COUNTERSIGN_SECRET", &text),
        "environ",
    )?);

    all.push(Place::new(
        "an answer",
        json!({"error": format!("No {body}")}).to_string(),
    ));
    all.push(Place::new(
        "an answer's header",
        format!(
            "www-authenticate: Basic {}",
            STANDARD.encode(format!("ada:{text}"))
        ),
    ));
    Ok(all)
}

/// Says that it runs, and ends when it is ended.
const WAITS: &str = "echo; read _";

fn started(command: &mut Command, what: &str) -> Result<Option<Place>> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let out = child.stdout.take().context("standard output")?;
    BufReader::new(out).read_line(&mut String::new())?;
    let places = process(child.id());
    child.kill()?;
    child.wait()?;
    Ok(places?.into_iter().find(|place| place.name.ends_with(what)))
}

fn table(path: &Path, key: Option<&[u8]>, secret: &[u8]) -> Result<Connection> {
    let file = Connection::open(path)?;
    if let Some(key) = key {
        let key: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        file.pragma_update(None, "key", format!("x'{key}'"))?;
    }
    file.pragma_update(None, "journal_mode", "WAL")?;
    file.execute_batch("CREATE TABLE note (id INTEGER PRIMARY KEY, text ANY) STRICT")?;
    file.execute("INSERT INTO note (text) VALUES (?1)", [secret])?;
    Ok(file)
}

//! The program as an auditor calls it: its exit code is the verdict.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use countersign_domain::{bundle::Profile, dsse::SigningKey};

use crate::{
    journals::{World, bundle, export},
    seeded::Seeded,
};

fn run(folder: &Path, bytes: &[u8], arguments: &[&str]) -> Output {
    let file = folder.join("bundle");
    fs::write(&file, bytes).unwrap();
    Command::new(env!("CARGO_BIN_EXE_countersign-verify"))
        .arg(&file)
        .args(arguments)
        .output()
        .unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn the_exit_code_says_whole_tampered_or_incomplete() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::grown(&mut Seeded::new(1), 4);
    let bytes = export(&world.journal, Profile::Full);
    let key = world.journal.log_key().public_key().to_string();

    let whole = run(folder.path(), &bytes, &["--trust", &key]);
    assert_eq!(whole.status.code(), Some(0));
    assert!(
        text(&whole).contains("the log key is the one you trust"),
        "{}",
        text(&whole)
    );

    let unchecked = run(folder.path(), &bytes, &[]);
    assert_eq!(unchecked.status.code(), Some(0), "consistent is no alarm");
    assert!(text(&unchecked).contains("consistent, key not checked"));
    assert!(text(&unchecked).contains(&format!("Log key {key}")));

    let mut changed = bytes.clone();
    let at = bytes.len() / 2;
    changed[at] ^= 1;
    let tampered = run(folder.path(), &changed, &["--trust", &key]);
    assert_eq!(tampered.status.code(), Some(1));
    assert!(
        text(&tampered).contains("TAMPERED at entry "),
        "{}",
        text(&tampered)
    );

    let half = run(folder.path(), &bytes[..at], &["--trust", &key]);
    assert_eq!(half.status.code(), Some(2));
    assert!(text(&half).contains("INCOMPLETE: it breaks off after entry "));
    assert_eq!(
        run(folder.path(), b"", &[]).status.code(),
        Some(2),
        "nothing is not everything"
    );

    let thief = SigningKey::from_seed(&[7; 32]);
    let resigned = bundle(
        world.journal.entries(),
        world.journal.tenant(),
        &thief,
        Profile::Full,
    );
    let stolen = run(folder.path(), &resigned, &["--trust", &key]);
    assert_eq!(stolen.status.code(), Some(1));
    assert!(text(&stolen).contains("signed by another key than the one you trust"));
}

#[test]
fn a_wrong_call_is_no_verdict() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = run(folder.path(), b"", &["--trust", "not a key"]);
    assert_eq!(wrong.status.code(), Some(64));
    let absent = Command::new(env!("CARGO_BIN_EXE_countersign-verify"))
        .arg(folder.path().join("absent"))
        .output()
        .unwrap();
    assert_eq!(absent.status.code(), Some(66));
}

#[test]
fn for_machines_the_verdict_is_one_line_of_json() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::new();
    let id = world.propose(1);
    let bytes = export(&world.journal, Profile::Full);
    let whole = run(folder.path(), &bytes, &["--json", "--proposal", &id.to_string()]);
    let lines = text(&whole);
    assert_eq!(lines.lines().count(), 1);
    let report: serde_json::Value = serde_json::from_str(&lines).unwrap();
    assert_eq!(report["verdict"], "whole");
    assert_eq!(report["about"]["key_checked"], false);
    assert_eq!(report["story"]["chapters"][0]["entry"], world.journal.size() - 1);
    let broken = run(folder.path(), &bytes[..bytes.len() - 9], &["--json"]);
    let report: serde_json::Value = serde_json::from_str(&text(&broken)).unwrap();
    assert_eq!(report["verdict"], "incomplete");
}

#[test]
fn text_of_others_cannot_play_with_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::new();
    let id = world.journal.propose(countersign_replica::testing::Draft {
        title: "\u{1b}[2Jall is well\u{202e}".to_owned(),
        ..Default::default()
    });
    let bytes = export(&world.journal, Profile::Full);
    let told = text(&run(folder.path(), &bytes, &["--proposal", &id.to_string()]));
    assert!(told.contains("⟦U+001B⟧[2Jall is well⟦U+202E⟧"), "{told}");
    assert!(!told.contains('\u{1b}'));
}

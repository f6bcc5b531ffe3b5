//! What a build has of the crash points.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use countersign_faults::{CRASH_AT, Point};

/// Builds the example with the workspace's own profile.
fn built(target: &Path, more: &[&str]) -> PathBuf {
    let cargo = option_env!("CARGO").unwrap_or("cargo");
    let build = Command::new(cargo)
        .args([
            "build",
            "--offline",
            "--locked",
            "--quiet",
            "--example",
            "pass",
            "--target-dir",
        ])
        .arg(target)
        .args(more)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(
        build.status.success(),
        "{}",
        String::from_utf8_lossy(&build.stderr)
    );
    let folder = if more.is_empty() { "debug" } else { "release" };
    target.join(folder).join("examples/pass")
}

fn armed(program: &Path, at: &str) -> Output {
    Command::new(program).env(CRASH_AT, at).output().unwrap()
}

#[test]
fn a_release_build_has_no_crash_point_and_a_debug_build_ends_at_the_one_that_is_armed() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("points");
    let (debug, release) = (built(&target, &[]), built(&target, &["--release"]));
    for (at, passed) in [
        ("call-made", 0),
        ("call-made:3", 2),
        ("call-made:4", 3),
        ("call-ahead", 3),
    ] {
        let ended = armed(&debug, at);
        assert_eq!(
            (
                ended.stdout.split(|byte| *byte == b'\n').count() - 1,
                ended.status.success()
            ),
            (passed, passed == 3),
            "{at}"
        );
        assert!(
            armed(&release, at).status.success(),
            "{at}: nothing ends a release build"
        );
    }
    let has = |program: &Path| {
        let bytes = fs::read(program).unwrap();
        bytes
            .windows(CRASH_AT.len())
            .any(|window| window == CRASH_AT.as_bytes())
    };
    assert!(
        has(&debug) && !has(&release),
        "it does not even know the variable's name"
    );
}

#[test]
fn every_point_has_a_name_of_its_own_and_stands_in_the_code_once() {
    let names: BTreeSet<_> = Point::ALL.iter().map(|point| point.name()).collect();
    assert_eq!(names.len(), Point::ALL.len());
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut code = String::new();
    for part in ["server/src", "engine/src", "tools/src"] {
        read(&crates.join(part), &mut code);
    }
    for point in Point::ALL {
        let call = format!("crash_point(Point::{point:?})");
        assert_eq!(code.matches(&call).count(), 1, "{call}");
    }
}

fn read(folder: &Path, into: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

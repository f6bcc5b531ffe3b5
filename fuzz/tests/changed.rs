//! Every target over seeds that chance has changed: the same inputs each time, so that a failure can be played again.

// Helpers of tests are tests to clippy too.
#![cfg(test)]

#[path = "../../crates/verify/tests/bundles/seeded.rs"]
mod seeded;

use std::{
    fs,
    panic::AssertUnwindSafe,
    path::{Path, PathBuf},
};

use countersign_fuzz::{TARGETS, Target, seeds};
use seeded::Seeded;

/// What JSON, notes and databases are made of, and what has broken readers of them.
const PIECES: [&[u8]; 24] = [
    b"\"",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"0",
    b"-0",
    b"1e400",
    b"0.5",
    b"9007199254740993",
    b"-9223372036854775809",
    b"null",
    b"true",
    b"\n",
    b"\r\n",
    b"\xEF\xBB\xBF",
    b"\xFF",
    b"\xE2\x80\xAE",
    b"\0",
];

/// A seed with a few changes: bits, bytes, pieces in and out, parts doubled, exchanged, or of another seed.
fn changed(seeds: &[Vec<u8>], random: &mut Seeded) -> Vec<u8> {
    let mut bytes = random.pick(seeds).clone();
    for _ in 0..=random.below(4) {
        if bytes.is_empty() {
            return bytes;
        }
        let at = random.below(bytes.len());
        let end = at + random.below((bytes.len() - at).min(64) + 1);
        match random.below(9) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = random.number().to_le_bytes()[0],
            2 => bytes.truncate(at),
            3 => drop(bytes.drain(at..end)),
            4 => drop(bytes.splice(at..at, PIECES[random.below(PIECES.len())].iter().copied())),
            5 => drop(bytes.splice(at..end, PIECES[random.below(PIECES.len())].iter().copied())),
            6 => {
                let part = bytes[at..end].to_vec();
                let to = random.below(bytes.len());
                bytes.splice(to..to, part);
            }
            7 => {
                let other = random.pick(seeds);
                let from = random.below(other.len().max(1)).min(other.len());
                let to = from + random.below((other.len() - from).min(64) + 1);
                bytes.splice(at..end, other[from..to].iter().copied());
            }
            _ => {
                // Digits count.
                if let Some(digit) = bytes[at..].iter_mut().find(|byte| byte.is_ascii_digit()) {
                    *digit = b'0' + random.number().to_le_bytes()[0] % 10;
                }
            }
        }
    }
    bytes
}

/// What libFuzzer has found: what goes ways that no seed goes, and what once broke something.
fn kept(target: &Target) -> Vec<Vec<u8>> {
    let files = listed(&corpus().join(target.name));
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

fn corpus() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

fn listed(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|file| file.unwrap().path())
        .collect();
    paths.sort();
    paths
}

/// Reads, and says which bytes when that breaks something.
fn read(target: &Target, bytes: &[u8], seed: u64) -> Result<bool, String> {
    std::panic::catch_unwind(AssertUnwindSafe(|| (target.read)(bytes))).map_err(|_| {
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(2_000)]).into_owned();
        format!(
            "{}: {shown:?}\n{}",
            target.name,
            seeded::replay(seed, target.name)
        )
    })
}

fn run(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).unwrap();
    let begin = seeds::of(name);
    for seed in &begin {
        assert_eq!(
            read(target, seed, 0),
            Ok(true),
            "what the program writes it reads"
        );
    }
    for bytes in kept(target) {
        read(target, &bytes, 0).unwrap_or_else(|failure| panic!("{failure}"));
    }
    let (first, count) = seeded::cases(target.short, target.short * 10);
    seeded::each(first, count, |seed| {
        read(target, &changed(&begin, &mut Seeded::new(seed)), seed).map(drop)
    });
}

macro_rules! targets {
    ($($name:ident)*) => {
        $(#[test] fn $name() { run(stringify!($name)); })*

        #[test]
        fn every_target_is_run() {
            let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(names, [$(stringify!($name)),*]);
            for folder in listed(&corpus()) {
                let of = folder.file_name().unwrap().to_str().unwrap();
                assert!(names.contains(&of), "nobody reads {}", folder.display());
            }
        }
    };
}

targets! { envelope canonical proposal decision bundle note proofs pages snapshot link }

//! `make bench`: measures release builds as their users meet them: the server over HTTP on loopback, a desktop's engine
//! beside it, the app in a real window.
//!
//! Every figure is printed beside the machine's load and its own `fdatasync` limit, measured in the same run, and what
//! was measured is checked afterwards. Nothing here asserts a speed: what falls short is written down in
//! docs/benchmarks.md with its cause.

#![allow(clippy::print_stdout, reason = "the figures are what this program is for")]

mod app;
mod bootstrap;
mod catch_up;
mod cycle;
mod device;
mod fill;
mod http;
mod idle;
mod keys;
mod lists;
mod live;
mod machine;
mod server;
mod signer;
mod start;
mod times;

use anyhow::{Result, bail};

type Measure = fn() -> Result<()>;

/// What can be measured, by the names that the targets have.
const ALL: [(&str, Measure); 9] = [
    ("b1", cycle::one_client),
    ("b2", cycle::many_clients),
    ("b4", bootstrap::run),
    ("b5", catch_up::run),
    ("b6", live::run),
    ("b8", lists::run),
    ("b9", keys::run),
    ("b14", start::run),
    ("b15", idle::run),
];

fn main() -> Result<()> {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    if let Some(unknown) = wanted
        .iter()
        .find(|name| !ALL.iter().any(|(known, _)| known == name))
    {
        let known: Vec<&str> = ALL.iter().map(|(name, _)| *name).collect();
        bail!("{unknown} is not among {}", known.join(", "));
    }
    let folder = tempfile::tempdir()?;
    for (name, run) in ALL {
        if wanted.is_empty() || wanted.iter().any(|one| one == name) {
            println!("{}: {}", name.to_uppercase(), machine::describe(folder.path())?);
            run()?;
        }
    }
    Ok(())
}

//! `make bench`: measures release builds as their users meet them: the server over HTTP on loopback, a desktop's engine
//! beside it, the app in a real window.
//!
//! Every figure is printed beside the machine's load and its own `fdatasync` limit, measured in the same run, and what
//! was measured is checked afterwards. Nothing here asserts a speed: what falls short is written down in
//! docs/benchmarks.md with its cause.

#![allow(clippy::print_stdout, reason = "the figures are what this program is for")]

mod app;
mod bootstrap;
mod bridge;
mod catch_up;
mod cycle;
mod device;
mod drain;
mod evidence;
mod fill;
mod http;
mod idle;
mod keys;
mod killed;
mod lists;
mod live;
mod machine;
mod server;
mod signer;
mod start;
mod times;

use anyhow::{Result, bail};

/// How something is measured.
#[derive(Clone, Copy)]
enum Measure {
    Whole(fn() -> Result<()>),
    /// So many times, unless it is asked for with another number: `b13=1000`.
    Counted(u64, fn(u64) -> Result<()>),
}

use Measure::{Counted, Whole};

/// What can be measured, by the names that the targets have.
const ALL: [(&str, Measure); 12] = [
    ("b1", Whole(cycle::one_client)),
    ("b2", Whole(cycle::many_clients)),
    ("b4", Whole(bootstrap::run)),
    ("b5", Whole(catch_up::run)),
    ("b6", Whole(live::run)),
    ("b8", Whole(lists::run)),
    ("b9", Whole(keys::run)),
    ("b10", Counted(drain::DECISIONS, drain::run)),
    ("b11", Counted(killed::KILLS, killed::run)),
    ("b13", Counted(evidence::SIGNED, evidence::run)),
    ("b14", Whole(start::run)),
    ("b15", Whole(idle::run)),
];

fn main() -> Result<()> {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    let mut wanted = Vec::new();
    for one in &asked {
        wanted.push(understand(one)?);
    }
    if wanted.is_empty() {
        wanted.extend(ALL);
    }
    let folder = tempfile::tempdir()?;
    for (name, measure) in wanted {
        println!("{}: {}", name.to_uppercase(), machine::describe(folder.path())?);
        match measure {
            Whole(run) => run()?,
            Counted(count, run) => run(count)?,
        }
    }
    Ok(())
}

/// `b4`, or `b13=1000`.
fn understand(one: &str) -> Result<(&'static str, Measure)> {
    let (name, count) = match one.split_once('=') {
        Some((name, count)) => (name, Some(count.parse()?)),
        None => (one, None),
    };
    let found = ALL.into_iter().find(|(known, _)| *known == name);
    match (found, count) {
        (Some((name, Counted(_, run))), Some(count)) => Ok((name, Counted(count, run))),
        (Some(found), None) => Ok(found),
        (Some((name, Whole(_))), Some(_)) => bail!("{name} takes no number"),
        (None, _) => {
            let known: Vec<&str> = ALL.iter().map(|(name, _)| *name).collect();
            bail!("{name} is not among {}", known.join(", "))
        }
    }
}

//! `make bench`: measures a release build of the server as its clients meet it, over HTTP on loopback.
//!
//! Every figure is printed beside the machine's load and its own `fdatasync` limit, measured in the same run. Nothing
//! here asserts a speed: what falls short is written down in docs/benchmarks.md with its cause.

#![allow(clippy::print_stdout, reason = "the figures are what this program is for")]

mod cycle;
mod http;
mod machine;
mod server;

use anyhow::Result;

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let folder = tempfile::tempdir()?;
    machine::describe(folder.path())?;
    let server = server::Running::start(folder.path())?;
    for (name, clients, cycles) in [("B1", 1, 2_000), ("B2", 32, 20_000), ("B2", 128, 20_000)] {
        let mut rounds = Vec::new();
        for _ in 0..5 {
            rounds.push(runtime.block_on(cycle::run(&server, clients, cycles / 5))?);
        }
        cycle::report(name, clients, &mut rounds);
    }
    runtime.block_on(cycle::check(&server))?;
    println!(
        "server RSS after the runs: {} MB; {}",
        server.rss_mb()?,
        machine::load()?
    );
    Ok(())
}

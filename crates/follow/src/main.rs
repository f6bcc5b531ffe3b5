//! `countersign-follow --server URL --tenant ID --token-file FILE --state DIR [--trust KEY] [--every SECONDS | --once]`
//!
//! Standard output carries JSON lines and nothing else. Exit 0: everything is here (`--once`). 1: an alarm; the last line
//! says which, and the evidence is kept. 64: called wrongly. 69: it cannot go on.

use std::{
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use clap::Parser;
use countersign_domain::{dsse::PublicKey, id::TenantId};
use countersign_follow::{Ended, Settings, State, Tenant, follow};
use reqwest::Url;

/// Exit codes of sysexits.h, so that neither reads as an alarm.
const USAGE: u8 = 64;
const UNAVAILABLE: u8 = 69;

/// Follows a tenant's journal and writes it as JSON lines; raises an alarm when the log does not go on as it was.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    /// The tenant server's address.
    #[arg(long, value_name = "URL")]
    server: Url,
    /// The tenant's id.
    #[arg(long, value_name = "ID")]
    tenant: TenantId,
    /// A file with the token of an auditor's session. An argument would show in the process list.
    #[arg(long, value_name = "FILE")]
    token_file: PathBuf,
    /// A folder of its own, for how far it got and for evidence.
    #[arg(long, value_name = "DIR")]
    state: PathBuf,
    /// The log key that you know from elsewhere. 64 hexadecimal digits.
    #[arg(long, value_name = "KEY")]
    trust: Option<PublicKey>,
    /// How often to ask for what is new.
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
    every: u64,
    /// Stop once everything is here.
    #[arg(long)]
    once: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { USAGE } else { 0 });
        }
    };
    match run(cli).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(ended) => {
            say(&ended.to_string());
            ExitCode::from(if matches!(ended, Ended::Alarm(..)) {
                1
            } else {
                UNAVAILABLE
            })
        }
    }
}

async fn run(cli: Cli) -> Result<(), Ended> {
    let tenant = Tenant::new(&cli.server, cli.tenant, cli.token_file)?;
    let state = State::open(&cli.state)?;
    let settings = Settings {
        trust: cli.trust,
        every: (!cli.once).then(|| Duration::from_secs(cli.every)),
    };
    follow(&tenant, &state, &settings, io::stdout(), say).await
}

fn say(text: &str) {
    let _ = writeln!(io::stderr(), "countersign-follow: {text}");
}

//! `countersign-verify BUNDLE [--trust KEY] [--proposal ID] [--json]`
//!
//! Exit 0: whole. 1: tampered, and it is said where and what. 2: it breaks off. 64: called wrongly. 66: not readable.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use clap::Parser;
use countersign_domain::{dsse::PublicKey, id::ProposalId};
use countersign_verify::{Options, verify};

/// Exit codes of sysexits.h, so that neither reads as a verdict.
const USAGE: u8 = 64;
const NO_INPUT: u8 = 66;

/// Checks an exported journal of Countersign with nothing but the file.
///
/// Exit code 0: whole. 1: tampered, with the first place that is not in order. 2: it breaks off.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    /// The exported journal; `-` reads standard input.
    bundle: PathBuf,
    /// The log key that you know from elsewhere: the tenant's `logKey`. 64 hexadecimal digits.
    #[arg(long, value_name = "KEY")]
    trust: Option<PublicKey>,
    /// Tell the story of this proposal, with the proof that it is in the journal.
    #[arg(long, value_name = "ID")]
    proposal: Option<ProposalId>,
    /// One line of JSON in place of sentences.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            // Help and version are no mistakes.
            return ExitCode::from(if error.use_stderr() { USAGE } else { 0 });
        }
    };
    match run(&cli) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            let _ = writeln!(
                io::stderr(),
                "countersign-verify: {}: {error}",
                cli.bundle.display()
            );
            ExitCode::from(NO_INPUT)
        }
    }
}

fn run(cli: &Cli) -> io::Result<u8> {
    let bundle: Box<dyn BufRead> = if cli.bundle.as_os_str() == "-" {
        Box::new(io::stdin().lock())
    } else {
        Box::new(BufReader::with_capacity(1 << 20, File::open(&cli.bundle)?))
    };
    let options = Options {
        trust: cli.trust,
        proposal: cli.proposal,
    };
    let report = verify(bundle, &options)?;
    let mut out = io::stdout().lock();
    if cli.json {
        writeln!(out, "{}", serde_json::to_string(&report)?)?;
    } else {
        write!(out, "{report}")?;
        if let Some(id) = cli.proposal
            && report.story.is_none()
        {
            writeln!(
                out,
                "Nothing is told of proposal {id}: it is not in this bundle, or the bundle is not whole."
            )?;
        }
    }
    out.flush()?;
    Ok(report.verdict.code())
}

//! A real mail server (aiosmtpd) on a free loopback port, which refuses, hangs or breaks off when a test says so.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use tempfile::TempDir;

use crate::process::{Process, bound};
use crate::{eventually, repository};

/// How the server behaves from its next step on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Accept,
    RefuseConnection,
    RefuseSender,
    RefuseRecipient,
    /// After the final dot.
    RefuseData,
    /// After the first line of the message: it has not arrived.
    DropMidData,
    /// The message has arrived, and nobody is told.
    DropAfterData,
    HangGreeting,
    HangMidData,
    /// The message has arrived, and nobody is told.
    HangAfterData,
}

/// How connections are protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    None,
    /// From the first byte, as on port 465.
    Implicit,
    /// After STARTTLS, which the server insists on, as on port 587.
    Starttls,
}

/// A message that the server took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    pub from: String,
    pub to: Vec<String>,
    /// The name that the sender signed in with.
    pub user: Option<String>,
    pub tls: bool,
    /// Exactly as sent, without the dots that SMTP adds.
    pub bytes: Vec<u8>,
}

/// The running server.
#[derive(Debug)]
pub struct MailServer {
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    port: u16,
    certificate: Option<PathBuf>,
    folder: TempDir,
    _process: Process,
}

impl MailServer {
    /// Starts a server that takes everything from everyone.
    pub fn start() -> Result<Self> {
        Self::start_with(Tls::None, None)
    }

    /// Starts a server with `tls` which, where `account` is a name and a password, wants a sign-in.
    pub fn start_with(tls: Tls, account: Option<(&str, &str)>) -> Result<Self> {
        let python = repository().join("target/peers/venv/bin/python");
        ensure!(
            python.is_file(),
            "the mail server is not installed: `scripts/setup.sh test` does it"
        );
        let folder = TempDir::with_prefix("countersign-mail-")?;
        let mut command = bound(python);
        command
            .arg(repository().join("tests/peers/smtp_peer.py"))
            .arg(folder.path());
        match tls {
            Tls::None => {}
            Tls::Implicit => drop(command.args(["--tls", "implicit"])),
            Tls::Starttls => drop(command.args(["--tls", "starttls"])),
        }
        if let Some((user, password)) = account {
            command.args(["--user", user, "--password", password]);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Process::start(command)?;
        let commands = process.stdin()?;
        let mut answers = BufReader::new(process.stdout()?);
        let listening: Listening =
            serde_json::from_str(&line(&mut answers)?).context("what the mail server says first")?;
        Ok(Self {
            commands,
            answers,
            port: listening.port,
            certificate: listening.certificate,
            folder,
            _process: process,
        })
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The certificate to trust, where there is TLS.
    pub fn certificate(&self) -> Option<&Path> {
        self.certificate.as_deref()
    }

    /// Behaves as `mode` says once this returns.
    pub fn set(&mut self, mode: Mode) -> Result<()> {
        let name = mode.name();
        writeln!(self.commands, "{name}")?;
        let answer = line(&mut self.answers)?;
        ensure!(answer == name, "the mail server answered {answer:?} to {name:?}");
        Ok(())
    }

    /// Everything that arrived, oldest first.
    pub fn mails(&self) -> Result<Vec<Mail>> {
        let mut envelopes: Vec<PathBuf> = fs::read_dir(self.folder.path())?
            .map(|entry| Ok(entry?.path()))
            .filter(|path| {
                path.as_ref()
                    .map_or(true, |path| path.extension().is_some_and(|name| name == "json"))
            })
            .collect::<Result<_>>()?;
        envelopes.sort();
        envelopes
            .iter()
            .map(|path| {
                let envelope: Envelope = serde_json::from_slice(&fs::read(path)?)?;
                let bytes = fs::read(path.with_extension("eml"))?;
                Ok(Mail {
                    from: envelope.from,
                    to: envelope.to,
                    user: envelope.user,
                    tls: envelope.tls,
                    bytes,
                })
            })
            .collect()
    }

    /// Waits until `count` mails have arrived.
    pub async fn await_mails(&self, count: usize, limit: Duration) -> Result<Vec<Mail>> {
        eventually(&format!("{count} mails"), limit, async || {
            Ok(Some(self.mails()?).filter(|mails| mails.len() >= count))
        })
        .await
    }
}

impl Mode {
    fn name(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::RefuseConnection => "refuse-connection",
            Self::RefuseSender => "refuse-sender",
            Self::RefuseRecipient => "refuse-recipient",
            Self::RefuseData => "refuse-data",
            Self::DropMidData => "drop-mid-data",
            Self::DropAfterData => "drop-after-data",
            Self::HangGreeting => "hang-greeting",
            Self::HangMidData => "hang-mid-data",
            Self::HangAfterData => "hang-after-data",
        }
    }
}

#[derive(Deserialize)]
struct Listening {
    port: u16,
    certificate: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Envelope {
    from: String,
    to: Vec<String>,
    tls: bool,
    user: Option<String>,
}

fn line(answers: &mut impl BufRead) -> Result<String> {
    let mut line = String::new();
    answers.read_line(&mut line)?;
    ensure!(!line.is_empty(), "the mail server ended");
    Ok(line.trim_end().to_owned())
}

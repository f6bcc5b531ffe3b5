//! The company of the suites that run the server as a process: who owns it, and one such process.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::process::{Process, bound};
use crate::workspace_binary;

/// Who signs in.
pub const OWNER: &str = "ada@acme.example";
/// With what.
pub const PASSWORD: &str = "correct horse battery";

/// A company's server with one tenant, over a folder that goes with it.
#[derive(Debug)]
pub struct Company {
    /// First, so that it ends before the folder goes.
    _process: Process,
    url: String,
    tenant: String,
    _folder: TempDir,
}

impl Company {
    /// Founds the tenant Acme and serves it on a free port. `more` is what else `serve` is told, given the folder.
    pub fn start(more: impl FnOnce(&Path) -> Result<Vec<String>>) -> Result<Self> {
        let program = workspace_binary("countersign-server")?;
        let folder = TempDir::with_prefix("countersign-company-")?;
        let data = folder.path().join("data");
        let mut init = Command::new(&program)
            .args([
                "init",
                "--tenant",
                "Acme",
                "--email",
                OWNER,
                "--password-stdin",
                "--data",
            ])
            .arg(&data)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        writeln!(init.stdin.take().context("standard input")?, "{PASSWORD}")?;
        let founded = init.wait_with_output()?;
        ensure!(founded.status.success(), "the tenant is founded");
        let founded: Value = serde_json::from_slice(&founded.stdout)?;
        let mut serve = bound(program);
        serve
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(&data)
            .args(more(folder.path())?)
            .stdout(Stdio::piped());
        let mut process = Process::start(serve)?;
        let mut line = String::new();
        BufReader::new(process.stdout()?).read_line(&mut line)?;
        let url = line.trim_end().strip_prefix("listening on ");
        Ok(Self {
            url: url.with_context(|| format!("{line:?}"))?.to_owned(),
            tenant: founded["tenantId"].as_str().context("an id")?.to_owned(),
            _process: process,
            _folder: folder,
        })
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The tenant's id.
    pub fn tenant(&self) -> &str {
        &self.tenant
    }
}

//! A release build of the server with one company tenant, as a process of its own.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use countersign_e2e::workspace_binary;
use serde_json::Value;

use crate::http::Connection;

/// Who signs in.
pub(crate) const OWNER: &str = "ada@bench.example";
pub(crate) const PASSWORD: &str = "correct horse battery";

/// A running server; stopped by its process id when dropped.
pub(crate) struct Running {
    child: Child,
    pub(crate) address: String,
    pub(crate) tenant: String,
    /// Its owner's user id.
    pub(crate) owner: String,
    pub(crate) agent_key: String,
    pub(crate) session: String,
}

impl Running {
    pub(crate) fn start(folder: &Path) -> Result<Self> {
        let binary = workspace_binary("countersign-server")?;
        let data = folder.join("data");
        fs::create_dir(&data)?;
        let made = run(
            &binary,
            &["init", "--tenant", "Bench", "--email", OWNER, "--password-stdin"],
            &data,
        )?;
        let (tenant, owner) = (field(&made, "tenantId")?, field(&made, "userId")?);
        let key = run(
            &binary,
            &["agent-key", "--tenant", &tenant, "--name", "bench"],
            &data,
        )?;
        let agent_key = field(&key, "apiKey")?;
        let mut child = Command::new(&binary)
            .args([
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--max-open",
                "0",
                "--max-rate",
                "0",
                "--data",
            ])
            .arg(&data)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("stdout")?).read_line(&mut line)?;
        let address = line
            .trim()
            .strip_prefix("listening on http://")
            .context("no address was printed")?
            .to_owned();
        let mut running = Self {
            child,
            address,
            tenant,
            owner,
            agent_key,
            session: String::new(),
        };
        running.session = running.sign_in()?;
        Ok(running)
    }

    /// The headers of the agent's calls.
    pub(crate) fn agent(&self) -> String {
        self.credential(&self.agent_key)
    }

    /// The headers of the signed-in owner's calls.
    pub(crate) fn person(&self) -> String {
        self.credential(&self.session)
    }

    fn credential(&self, token: &str) -> String {
        format!(
            "Authorization: Bearer {token}\r\nx-tenant-id: {}\r\n",
            self.tenant
        )
    }

    /// Resident memory of the server, in megabytes.
    pub(crate) fn rss_mb(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .context("VmRSS")?;
        let kilobytes: u64 = line.split_whitespace().nth(1).context("VmRSS")?.parse()?;
        Ok(kilobytes / 1024)
    }

    /// Processor time that the server has used, user and kernel together.
    pub(crate) fn processor_time(&self) -> Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // Behind the command's name, which may hold anything: fields 14 and 15 of proc(5), in ticks of 10 ms.
        let fields = stat.rsplit(')').next().context("no fields")?;
        let ticks = fields.split_whitespace().skip(11).take(2);
        let ticks: u64 = ticks.map(str::parse::<u64>).sum::<Result<_, _>>()?;
        Ok(Duration::from_millis(ticks * 10))
    }

    fn sign_in(&self) -> Result<String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let answer = runtime.block_on(async {
            let mut connection = Connection::open(&self.address, "").await?;
            connection
                .post(
                    "/api/auth/sign-in",
                    &format!(r#"{{"email":"{OWNER}","password":"{PASSWORD}"}}"#),
                )
                .await
        })?;
        field(&answer.1, "token")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(binary: &Path, arguments: &[&str], data: &Path) -> Result<Vec<u8>> {
    let mut child = Command::new(binary)
        .args(arguments)
        .arg("--data")
        .arg(data)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()?;
    child
        .stdin
        .take()
        .context("stdin")?
        .write_all(format!("{PASSWORD}\n").as_bytes())?;
    let output = child.wait_with_output()?;
    ensure!(
        output.status.success(),
        "{} {} failed",
        binary.display(),
        arguments.join(" ")
    );
    Ok(output.stdout)
}

fn field(json: &[u8], name: &str) -> Result<String> {
    let value: Value = serde_json::from_slice(json)?;
    Ok(value[name]
        .as_str()
        .with_context(|| format!("no {name} in {value}"))?
        .to_owned())
}

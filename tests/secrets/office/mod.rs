//! A company with a server, its owner's desktop and an agent, all of it logging whatever it can; and what became of it.

mod flows;
pub(crate) mod places;

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use countersign_e2e::{
    company::{OWNER, PASSWORD},
    workspace_binary,
};
use serde_json::{Value, json};

use crate::{hostile::Peer, search::Place};

/// What somebody types who has mixed up two passwords.
pub(crate) const WRONG: &str = "the one for the bank 7041";
const NEWCOMERS: &str = "an invited persons passphrase";
/// With what JSON, tables and addresses each spell in their own way.
const MAILBOX: &str = r#"mail "Pa55" \word/ with+signs"#;
const API: &str = "sk_live_api_secret_0123456789";

/// For a loaded machine, not for the code.
const PATIENCE: Duration = Duration::from_secs(90);

pub(crate) struct Office {
    folder: tempfile::TempDir,
    scratch: tempfile::TempDir,
    pub(crate) target: Peer,
    pub(crate) mail: Peer,
    server: Child,
    hand: Option<(Child, ChildStdin)>,
    said: Arc<Mutex<Vec<String>>>,
    url: String,
    tenant: String,
    session: String,
    key: String,
    http: reqwest::Client,
    runtime: tokio::runtime::Runtime,
    /// Secrets that the API has given out, or was given.
    secrets: BTreeMap<&'static str, String>,
    /// Answers that are not the giving out of a secret, by what was asked.
    answers: Vec<Place>,
}

impl Office {
    pub(crate) fn open() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let init = ["init", "--tenant", "Acme", "--email", OWNER, "--password-stdin"];
        let tenant = text(&command(folder.path(), &init)?, "tenantId")?;
        let made = command(
            folder.path(),
            &["agent-key", "--tenant", &tenant, "--name", "bot"],
        )?;
        let key = text(&made, "apiKey")?;
        let mut server = Command::new(workspace_binary("countersign-server")?)
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(folder.path().join("data"))
            .env("COUNTERSIGN_LOG", "trace")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(folder.path().join("server.log"))?)
            .spawn()?;
        let mut out = BufReader::new(server.stdout.take().context("standard output")?);
        let mut first = String::new();
        out.read_line(&mut first)?;
        let url = first
            .trim()
            .strip_prefix("listening on ")
            .context("an address")?
            .to_owned();
        let mut office = Self {
            target: Peer::web()?,
            mail: Peer::mail()?,
            server,
            hand: None,
            said: Arc::default(),
            url,
            tenant,
            session: String::new(),
            secrets: BTreeMap::from([
                ("password", PASSWORD.to_owned()),
                ("mistyped password", WRONG.to_owned()),
                ("newcomer's password", NEWCOMERS.to_owned()),
                ("mail password", MAILBOX.to_owned()),
                ("api secret", API.to_owned()),
                ("agent key", key.clone()),
            ]),
            key,
            http: reqwest::Client::builder().no_proxy().timeout(PATIENCE).build()?,
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?,
            answers: Vec::new(),
            folder,
            scratch: tempfile::tempdir()?,
        };
        let form = json!({"email": OWNER, "password": PASSWORD});
        let signed_in = office.give("POST", "/api/auth/sign-in", &form)?;
        office.session = text(&signed_in, "token")?;
        office.secrets.insert("session", office.session.clone());
        office.start_hand()?;
        Ok(office)
    }

    /// A folder for what the test itself writes, away from what is searched.
    pub(crate) fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    fn start_hand(&mut self) -> Result<()> {
        let mut hand = Command::new(workspace_binary("countersign-hand")?)
            .arg(self.folder.path())
            .arg(&self.url)
            .env("COUNTERSIGN_LOG", "trace")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(self.folder.path().join("hand.log"))?)
            .spawn()?;
        let (stdin, out) = (hand.stdin.take(), hand.stdout.take());
        let said = Arc::clone(&self.said);
        let out = out.context("standard output")?;
        thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                said.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        });
        self.hand = Some((hand, stdin.context("standard input")?));
        self.until_said("ready", 1)
    }

    fn until_said(&self, line: &str, times: usize) -> Result<()> {
        let begin = Instant::now();
        loop {
            let said = self.said.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if said.iter().filter(|said| *said == line).count() >= times {
                return Ok(());
            }
            ensure!(
                begin.elapsed() < PATIENCE,
                "the desktop never said {line:?}: {said:?}"
            );
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Both end in good order.
    pub(crate) fn end(&mut self) -> Result<()> {
        if let Some((mut hand, stdin)) = self.hand.take() {
            drop(stdin);
            hand.wait()?;
        }
        let id = self.server.id().to_string();
        Command::new("kill").args(["-s", "TERM", &id]).status()?;
        self.server.wait()?;
        Ok(())
    }

    /// A call of the owner's that may give out a secret: its answer is not searched.
    fn give(&self, method: &str, path: &str, body: &Value) -> Result<Value> {
        let headers = [("authorization", format!("Bearer {}", self.session))];
        let (status, bytes) = self.send(method, path, &headers, body)?;
        if !(200..300).contains(&status) {
            bail!("{method} {path}: {status} {}", String::from_utf8_lossy(&bytes));
        }
        Ok(serde_json::from_slice(&bytes).unwrap_or_default())
    }

    /// A call whose answer is searched, whatever it is.
    fn ask(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&'static str, &str)],
        body: &Value,
    ) -> Result<()> {
        let mut all: Vec<_> = headers
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect();
        if headers.is_empty() {
            all.push(("authorization", format!("Bearer {}", self.session)));
        }
        let (status, bytes) = self.send(method, path, &all, body)?;
        self.answers
            .push(Place::new(format!("{method} {path} {status}"), bytes));
        Ok(())
    }

    fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&'static str, String)],
        body: &Value,
    ) -> Result<(u16, Vec<u8>)> {
        let mut request = self
            .http
            .request(method.parse()?, format!("{}{path}", self.url))
            .header("x-tenant-id", &self.tenant);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        if !body.is_null() {
            request = request.json(body);
        }
        self.runtime.block_on(async {
            let answer = request.send().await?;
            let status = answer.status().as_u16();
            Ok((status, answer.bytes().await?.to_vec()))
        })
    }
}

impl Drop for Office {
    fn drop(&mut self) {
        if let Some((hand, _)) = &mut self.hand {
            let _ = hand.kill();
            let _ = hand.wait();
        }
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// A command of the server's program: its one line.
fn command(folder: &Path, arguments: &[&str]) -> Result<Value> {
    let mut child = Command::new(workspace_binary("countersign-server")?)
        .args(arguments)
        .arg("--data")
        .arg(folder.join("data"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut stdin = child.stdin.take().context("standard input")?;
    writeln!(stdin, "{PASSWORD}")?;
    drop(stdin);
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "{arguments:?} failed");
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn text(answer: &Value, field: &str) -> Result<String> {
    let text = answer[field]
        .as_str()
        .with_context(|| format!("no {field} in {answer}"))?;
    Ok(text.to_owned())
}

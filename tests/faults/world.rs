//! One company that is killed over and over: what was asked of it, and what became of that.

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use countersign_e2e::{
    company::{OWNER, PASSWORD},
    smtp::MailServer,
    workspace_binary,
};
use countersign_faults::Point;
use serde_json::{Value, json};

use crate::{
    process::{Death, PATIENCE, Process, Said},
    target::Target,
};

/// A company with a server, its owner's desktop and an agent.
pub(crate) struct World {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) target: Target,
    mail: MailServer,
    pub(crate) server: Option<Process>,
    pub(crate) hand: Option<Process>,
    pub(crate) said: Arc<Mutex<Said>>,
    port: u16,
    tenant: String,
    key: String,
    session: String,
    http: reqwest::Client,
    runtime: tokio::runtime::Runtime,
    /// What was asked for, by proposal.
    asked: BTreeMap<String, Asked>,
    number: u64,
    /// Over which calls go: one to what takes an idempotency key again, one to what does not, and one for mail.
    connections: Vec<String>,
}

/// Of each log, when something went wrong.
const LAST_LINES: usize = 40;

/// How many kinds of things are asked for, one after the other.
pub(crate) const KINDS: u64 = 7;

/// What a proposal asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Asked {
    /// A request to the target at this path.
    Request(String),
    /// A mail of this subject.
    Mail(String),
    /// A task of this title.
    Task(String),
    /// A reading of the tenant's health: runs by itself.
    Health,
    /// To be rejected.
    Nothing,
}

impl World {
    pub(crate) fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let made = command(
            folder.path(),
            &["init", "--tenant", "Acme", "--email", OWNER, "--password-stdin"],
        )?;
        let tenant = text(&made, "tenantId")?;
        let key = command(
            folder.path(),
            &["agent-key", "--tenant", &tenant, "--name", "bot"],
        )?;
        // Free just now; it stays the server's.
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut world = Self {
            target: Target::start()?,
            mail: MailServer::start()?,
            server: None,
            hand: None,
            said: Arc::default(),
            port,
            tenant,
            key: text(&key, "apiKey")?,
            session: String::new(),
            http: reqwest::Client::builder()
                .no_proxy()
                .timeout(Duration::from_secs(10))
                .build()?,
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?,
            asked: BTreeMap::new(),
            number: 0,
            connections: Vec::new(),
            folder,
        };
        let begun = world.begin();
        begun.with_context(|| world.remains())?;
        Ok(world)
    }

    fn begin(&mut self) -> Result<()> {
        self.start_server(None)?;
        let form = json!({"email": OWNER, "password": PASSWORD});
        let signed_in = self
            .sure(|world| world.call("POST", "/api/auth/sign-in", "", &form))
            .context("signing in")?;
        self.session = text(&signed_in, "token")?;
        self.start_hand(None)?;
        self.until_ready()?;
        self.connect()
    }

    /// Two ways to the target and one to the mail server, held by the desktop.
    fn connect(&mut self) -> Result<()> {
        let device = text(&self.devices()?[0], "id")?;
        for (name, window) in [("safe", Some(86_400)), ("blind", None)] {
            let mut config = json!({
                "base_url": format!("http://127.0.0.1:{}/", self.target.port),
                "allowed_methods": ["POST"],
                "allowed_path_prefixes": ["/"],
            });
            if let Some(window) = window {
                config["idempotency_window_s"] = json!(window);
            }
            self.add_connection("http", name, &config, &device)?;
        }
        let config = json!({
            "from": OWNER, "host": "127.0.0.1", "port": self.mail.port(), "tls": "none",
        });
        self.add_connection("smtp", "mail", &config, &device)
    }

    fn add_connection(&mut self, kind: &str, name: &str, config: &Value, device: &str) -> Result<()> {
        let form = json!({
            "kind": kind, "name": name, "config": config, "holder": {"kind": "device", "id": device},
        });
        let made = self
            .sure(|world| world.call("POST", "/api/connections", &world.session, &form))
            .with_context(|| format!("a connection held by {device}"))?;
        self.connections.push(text(&made, "connectionId")?);
        Ok(())
    }

    pub(crate) fn devices(&self) -> Result<Vec<Value>> {
        let listed = self.get("/api/devices")?;
        Ok(listed["devices"].as_array().context("devices")?.clone())
    }

    pub(crate) fn start_server(&mut self, armed: Option<(Point, u64)>) -> Result<()> {
        self.server = Some(Process::server(self.folder.path(), self.port, armed)?);
        Ok(())
    }

    pub(crate) fn start_hand(&mut self, armed: Option<(Point, u64)>) -> Result<()> {
        let folder = self.folder.path().join("ada");
        fs::create_dir_all(&folder)?;
        self.hand = Some(Process::hand(&folder, self.port, armed, &self.said)?);
        Ok(())
    }

    /// A desktop on which nothing was ever set up; the other one stays where it is.
    pub(crate) fn fresh_hand(
        &self,
        name: &str,
        armed: Option<(Point, u64)>,
        said: &Arc<Mutex<Said>>,
    ) -> Result<Process> {
        let folder = self.folder.path().join(name);
        fs::create_dir_all(&folder)?;
        Process::hand(&folder, self.port, armed, said)
    }

    pub(crate) fn until_ready(&mut self) -> Result<()> {
        let said = Arc::clone(&self.said);
        let begin = Instant::now();
        while !Said::of(&said).is_ready() {
            if let Some(hand) = &mut self.hand {
                ensure!(hand.ended()?.is_none(), "the desktop ended on its way");
            }
            ensure!(begin.elapsed() < PATIENCE, "the desktop never was ready");
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Asks for one thing more, as an agent does: the same request under the same key until it is answered. Gives up where
    /// nobody answers for long; it is asked again the next time.
    pub(crate) fn ask(&mut self) -> Result<()> {
        let number = self.number;
        let path = format!("/p{number}");
        let (asked, body) = match number % KINDS {
            0 | 3 => {
                let connection = &self.connections[usize::from(number % KINDS == 3)];
                let input = json!({"method": "POST", "path": path, "body": "{}"});
                let body = json!({"toolId": "http.request", "connection": connection, "input": input});
                (Asked::Request(path), body)
            }
            1 | 4 => {
                let title = format!("Number {number}");
                let body = json!({"text": format!("create task: {title}")});
                (Asked::Task(title), body)
            }
            2 => (Asked::Health, json!({"text": "system health"})),
            6 => {
                let subject = format!("Number {number}");
                let input = json!({"to": ["dan@example.com"], "subject": subject, "body": "Dear Dan."});
                let body = json!({"toolId": "email.send", "connection": self.connections[2], "input": input});
                (Asked::Mail(subject), body)
            }
            _ => (
                Asked::Nothing,
                json!({"text": format!("create task: Please refuse {number}")}),
            ),
        };
        for _ in 0..20 {
            let answered = self.runtime.block_on(async {
                let call = self
                    .http
                    .post(self.url("/api/assistant/propose"))
                    .bearer_auth(&self.key)
                    .header("x-tenant-id", &self.tenant)
                    .header("idempotency-key", format!("ask-{number}"))
                    .json(&body);
                read(call).await
            });
            if let Ok((status, answer)) = answered {
                // What policy lets through is asked for under a key that is still running.
                ensure!(status == 200 || status >= 500, "a proposal: {status} {answer}");
                if status == 200 {
                    let id = text(&answer["proposalRecord"], "aiToolCallId")?;
                    ensure!(
                        self.asked.insert(id, asked).is_none(),
                        "two keys, one proposal: {answer}"
                    );
                    self.number += 1;
                    return Ok(());
                }
            }
            if self.server_is_down()? {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(25));
        }
        Ok(())
    }

    fn server_is_down(&mut self) -> Result<bool> {
        Ok(match &mut self.server {
            Some(server) => server.ended()?.is_some(),
            None => true,
        })
    }

    /// A snapshot as a fresh desktop would ask for it; nobody has to answer.
    pub(crate) fn ask_for_a_snapshot(&self) {
        let _ = self.call("GET", "/api/snapshot", &self.session, &Value::Null);
    }

    /// Waits until everything that was asked for has come to its end, then looks at all of it.
    pub(crate) fn settle(&mut self, limit: Duration) -> Result<Summary> {
        self.target.spare();
        if self.server_is_down()? {
            self.start_server(None)?;
        }
        let hand_is_down = match &mut self.hand {
            Some(hand) => hand.ended()?.is_some(),
            None => true,
        };
        if hand_is_down {
            self.start_hand(None)?;
        }
        self.until_ready()?;
        let mut ends = BTreeMap::new();
        let begin = Instant::now();
        for id in self.asked.keys() {
            loop {
                let detail = self.get(&format!("/api/assistant/proposals/{id}"))?;
                let status = text(&detail, "status")?;
                if !matches!(status.as_str(), "proposed" | "pending" | "running") {
                    ends.insert(id.clone(), (status, detail));
                    break;
                }
                // Neither is armed any more.
                for process in [&mut self.server, &mut self.hand].into_iter().flatten() {
                    ensure!(
                        process.ended()?.is_none(),
                        "somebody else has killed it while {id} was waited for"
                    );
                }
                ensure!(begin.elapsed() < limit, "{id} never came to its end: {detail}");
                thread::sleep(Duration::from_millis(250));
            }
        }
        let summary = self.judge(&ends)?;
        let head = self.get("/api/journal/checkpoint")?["size"]
            .as_u64()
            .context("size")?;
        let hand = self.hand.as_mut().context("a desktop")?;
        let begin = Instant::now();
        // What it has said last may be on its way.
        while hand.check(&self.said)? < head {
            ensure!(
                begin.elapsed() < PATIENCE,
                "the desktop never had the whole journal"
            );
            thread::sleep(Duration::from_millis(100));
        }
        self.verify_export()?;
        self.check_files()?;
        Ok(summary)
    }

    /// 0 double effects, 0 lost decisions, 0 wrong states.
    fn judge(&self, ends: &BTreeMap<String, (String, Value)>) -> Result<Summary> {
        let effects = self.target.effects();
        let tasks = self.tasks()?;
        let mails = self.mails()?;
        let mut summary = Summary::default();
        for (path, keys) in &effects {
            ensure!(
                keys.len() == 1,
                "{path} was requested {} times, under {keys:?}",
                keys.len()
            );
        }
        for (id, (status, detail)) in ends {
            let asked = &self.asked[id];
            let happened = match asked {
                Asked::Request(path) => effects.contains_key(path),
                Asked::Task(title) => {
                    let made = tasks.iter().filter(|task| *task == title).count();
                    ensure!(made <= 1, "{title} was made {made} times");
                    made == 1
                }
                Asked::Mail(subject) => {
                    let arrived = mails.iter().filter(|mail| *mail == subject).count();
                    ensure!(arrived <= 1, "{subject:?} arrived {arrived} times");
                    match status.as_str() {
                        "completed" => summary.mails_completed += 1,
                        "unknown" => summary.mails_unknown += 1,
                        _ => {}
                    }
                    arrived == 1
                }
                Asked::Health => status == "completed",
                Asked::Nothing => false,
            };
            let allowed: &[&str] = match (asked, happened) {
                (Asked::Request(_) | Asked::Mail(_), true) => &["completed", "unknown"],
                (Asked::Request(_) | Asked::Mail(_), false) => &["failed", "unknown"],
                // One transaction: a task is there exactly when its proposal is done.
                (Asked::Task(_), true) => &["completed"],
                (Asked::Task(_), false) => &[],
                (Asked::Health, _) => &["completed", "failed"],
                (Asked::Nothing, _) => &["rejected"],
            };
            ensure!(
                allowed.contains(&status.as_str()),
                "{id} {asked:?} is {status}, and it {}: {detail}",
                if happened { "happened" } else { "did not happen" }
            );
            match status.as_str() {
                "completed" => summary.completed += 1,
                "failed" => summary.failed += 1,
                "unknown" => summary.unknown += 1,
                _ => summary.rejected += 1,
            }
        }
        let said = Said::of(&self.said);
        for id in &said.saved {
            let detail = match ends.get(id) {
                Some((_, detail)) => detail.clone(),
                // The answer to who asked was lost, and its key was free again when it was asked for once more.
                None => self.get(&format!("/api/assistant/proposals/{id}"))?,
            };
            let decisions = detail["decisions"].as_array().context("decisions")?;
            ensure!(
                decisions.iter().any(|decision| decision["void"].is_null()),
                "the saved decision about {id} is lost: {detail}"
            );
        }
        summary.saved = said.saved.len();
        let quarantined = self.devices()?.iter().any(|device| device["state"] == "revoked");
        ensure!(!quarantined, "a crash must not look like a key in two hands");
        Ok(summary)
    }

    /// The subject of each mail that has arrived.
    fn mails(&self) -> Result<Vec<String>> {
        let subject = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes);
            let line = text.lines().find_map(|line| line.strip_prefix("Subject: "));
            line.map(str::to_owned).context("a mail without a subject")
        };
        let mails = self.mail.mails()?;
        mails.iter().map(|mail| subject(&mail.bytes)).collect()
    }

    fn tasks(&self) -> Result<Vec<String>> {
        let (mut titles, mut after) = (Vec::new(), String::new());
        loop {
            let page = self.get(&format!("/api/tasks?limit=200{after}"))?;
            let tasks = page["tasks"].as_array().context("tasks")?;
            titles.extend(
                tasks
                    .iter()
                    .filter_map(|task| Some(task["title"].as_str()?.to_owned())),
            );
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => return Ok(titles),
            }
        }
    }

    /// The journal proves itself to a program that knows nothing but the file.
    fn verify_export(&self) -> Result<()> {
        let bundle = self.folder.path().join("bundle");
        let bytes = self.runtime.block_on(async {
            let call = self
                .http
                .get(self.url("/api/journal/export"))
                .bearer_auth(&self.session)
                .header("x-tenant-id", &self.tenant);
            anyhow::Ok(call.send().await?.error_for_status()?.bytes().await?)
        })?;
        fs::write(&bundle, bytes)?;
        let verified = Command::new(workspace_binary("countersign-verify")?)
            .arg(&bundle)
            .output()?;
        ensure!(
            verified.status.success(),
            "the exported journal: {}",
            String::from_utf8_lossy(&verified.stdout)
        );
        Ok(())
    }

    /// Every database is whole, after one more kill of both.
    fn check_files(&mut self) -> Result<()> {
        for process in [self.server.take(), self.hand.take()].into_iter().flatten() {
            process.kill()?;
        }
        let (ada, data) = (self.folder.path().join("ada"), self.folder.path().join("data"));
        let key = format!("x'{}'", database_key(&ada.join("keychain"))?);
        let mut checked = 0;
        for (folder, key) in [(data, None), (ada, Some(key))] {
            for path in databases(&folder)? {
                let file = rusqlite::Connection::open(&path)?;
                if let Some(key) = &key {
                    file.pragma_update(None, "key", key)?;
                    // The copy of the journal has its pages' codes made with this one.
                    if path.to_string_lossy().contains("/replica-") {
                        file.execute_batch("PRAGMA cipher_hmac_algorithm = HMAC_SHA256")?;
                    }
                }
                let answer: String = file
                    .query_row("PRAGMA integrity_check", [], |row| row.get(0))
                    .with_context(|| path.display().to_string())?;
                ensure!(answer == "ok", "{}: {answer}", path.display());
                checked += 1;
            }
        }
        ensure!(checked >= 4, "{checked} databases");
        Ok(())
    }

    pub(crate) fn get(&self, path: &str) -> Result<Value> {
        self.sure(|world| world.call("GET", path, &world.session, &Value::Null))
            .with_context(|| path.to_owned())
    }

    /// What there is to see of why something went wrong, before the folder goes.
    pub(crate) fn remains(&mut self) -> String {
        let mut remains = String::new();
        for (what, process, log) in [
            ("server", &mut self.server, "server.log"),
            ("desktop", &mut self.hand, "ada/hand.log"),
        ] {
            let state = match process.as_mut().map(Process::ended) {
                None => "not running".to_owned(),
                Some(Ok(None)) => "running".to_owned(),
                Some(ended) => format!("ended: {ended:?}"),
            };
            let log = fs::read_to_string(self.folder.path().join(log)).unwrap_or_default();
            let lines: Vec<_> = log.lines().collect();
            let last = lines[lines.len().saturating_sub(LAST_LINES)..].join("\n");
            remains.push_str(&format!("the {what}, {state}:\n{last}\n"));
        }
        remains
    }

    /// What has to be answered well, as soon as somebody answers.
    fn sure(&self, call: impl Fn(&Self) -> Result<(u16, Value)>) -> Result<Value> {
        let begin = Instant::now();
        loop {
            match call(self) {
                Ok((200..=299, answer)) => return Ok(answer),
                Ok((status, answer)) if status < 500 => bail!("{status} {answer}"),
                other => ensure!(
                    begin.elapsed() < PATIENCE,
                    "the server does not answer: {other:?}"
                ),
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn call(&self, method: &str, path: &str, token: &str, body: &Value) -> Result<(u16, Value)> {
        self.runtime.block_on(async {
            let mut call = self.http.request(method.parse()?, self.url(path));
            if !token.is_empty() {
                call = call.bearer_auth(token).header("x-tenant-id", &self.tenant);
            }
            if !body.is_null() {
                call = call.json(body);
            }
            read(call).await
        })
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}

/// How it all ended.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Summary {
    pub(crate) completed: usize,
    pub(crate) failed: usize,
    pub(crate) unknown: usize,
    pub(crate) rejected: usize,
    pub(crate) mails_completed: usize,
    pub(crate) mails_unknown: usize,
    /// Decisions that the desktop has called saved.
    pub(crate) saved: usize,
}

/// Waits until a process has ended, at most so long; kills it then.
pub(crate) fn await_end(process: &mut Option<Process>, patience: Duration) -> Result<Death> {
    let begin = Instant::now();
    let mut running = process.take().context("nothing to wait for")?;
    while begin.elapsed() < patience {
        if let Some(death) = running.ended()? {
            return Ok(death);
        }
        thread::sleep(Duration::from_millis(5));
    }
    running.kill()
}

async fn read(call: reqwest::RequestBuilder) -> Result<(u16, Value)> {
    let answer = call.send().await?;
    let status = answer.status().as_u16();
    let bytes = answer.bytes().await?;
    Ok((status, serde_json::from_slice(&bytes).unwrap_or(Value::Null)))
}

fn command(folder: &Path, arguments: &[&str]) -> Result<Value> {
    let mut child = Command::new(workspace_binary("countersign-server")?)
        .args(arguments)
        .arg("--data")
        .arg(folder.join("data"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut stdin = child.stdin.take().context("standard input")?;
    stdin.write_all(format!("{PASSWORD}\n").as_bytes())?;
    drop(stdin);
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "{arguments:?} failed");
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn text(json: &Value, name: &str) -> Result<String> {
    Ok(json[name]
        .as_str()
        .with_context(|| format!("no {name} in {json}"))?
        .to_owned())
}

/// What opens the desktop's databases.
fn database_key(keychain: &Path) -> Result<String> {
    for entry in fs::read_dir(keychain)? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with("_device") {
            return text(&serde_json::from_slice(&fs::read(path)?)?, "database_key");
        }
    }
    bail!("the keychain has no device")
}

fn databases(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(databases(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "db") {
            found.push(path);
        }
    }
    Ok(found)
}

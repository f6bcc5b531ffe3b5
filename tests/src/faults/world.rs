//! One company that is killed over and over.

use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use countersign_faults::Point;
use serde_json::{Value, json};

use super::{
    process::{PATIENCE, Process, Said},
    target::Target,
};
use crate::{
    company::{OWNER, PASSWORD},
    workspace_binary,
};

/// A company with a server, its owner's desktop and an agent.
#[derive(Debug)]
pub struct World {
    /// Where all of it is; the server's data in `data`, the desktop's in `ada`.
    pub folder: tempfile::TempDir,
    /// What calls are made to.
    pub target: Target,
    /// Killed or not.
    pub server: Option<Process>,
    /// The desktop, killed or not.
    pub hand: Option<Process>,
    /// What every desktop in its place has said.
    pub said: Arc<Mutex<Said>>,
    port: u16,
    tenant: String,
    key: String,
    session: String,
    http: reqwest::Client,
    runtime: tokio::runtime::Runtime,
}

/// Of each log, when something went wrong.
const LAST_LINES: usize = 40;

impl World {
    /// Founds it, and starts server and desktop: both are at work when this answers.
    pub fn new() -> Result<Self> {
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
        self.until_ready()
    }

    /// A way to the target that the desktop holds, and its id. `window`: for how many seconds the target is said to know
    /// an idempotency key again.
    pub fn connect_target(&self, name: &str, window: Option<i64>) -> Result<String> {
        let mut config = json!({
            "base_url": format!("http://127.0.0.1:{}/", self.target.port),
            "allowed_methods": ["POST"],
            "allowed_path_prefixes": ["/"],
        });
        if let Some(window) = window {
            config["idempotency_window_s"] = json!(window);
        }
        self.connect("http", name, &config)
    }

    /// A connection that the desktop holds, and its id.
    pub fn connect(&self, kind: &str, name: &str, config: &Value) -> Result<String> {
        let device = text(&self.devices()?[0], "id")?;
        let form = json!({
            "kind": kind, "name": name, "config": config, "holder": {"kind": "device", "id": device},
        });
        let made = self
            .post("/api/connections", &form)
            .with_context(|| format!("a connection held by {device}"))?;
        text(&made, "connectionId")
    }

    /// Every device of the owner's.
    pub fn devices(&self) -> Result<Vec<Value>> {
        let listed = self.get("/api/devices")?;
        Ok(listed["devices"].as_array().context("devices")?.clone())
    }

    /// In the place of the one before, which has ended.
    pub fn start_server(&mut self, armed: Option<(Point, u64)>) -> Result<()> {
        self.server = Some(Process::server(self.folder.path(), self.port, armed)?);
        Ok(())
    }

    /// In the place of the one before, which has ended.
    pub fn start_hand(&mut self, armed: Option<(Point, u64)>) -> Result<()> {
        let folder = self.folder.path().join("ada");
        fs::create_dir_all(&folder)?;
        self.hand = Some(Process::hand(&folder, self.port, armed, &self.said)?);
        Ok(())
    }

    /// A desktop on which nothing was ever set up; the other one stays where it is.
    pub fn fresh_hand(
        &self,
        name: &str,
        armed: Option<(Point, u64)>,
        said: &Arc<Mutex<Said>>,
    ) -> Result<Process> {
        let folder = self.folder.path().join(name);
        fs::create_dir_all(&folder)?;
        Process::hand(&folder, self.port, armed, said)
    }

    /// Waits until the desktop is signed in.
    pub fn until_ready(&mut self) -> Result<()> {
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

    /// Whether nobody serves just now.
    pub fn server_is_down(&mut self) -> Result<bool> {
        is_down(&mut self.server)
    }

    /// Kills both.
    pub fn kill(&mut self) -> Result<()> {
        for process in [self.server.take(), self.hand.take()].into_iter().flatten() {
            process.kill()?;
        }
        Ok(())
    }

    /// Starts whoever has ended, with nothing that ends them, and waits until both are at work.
    pub fn recover(&mut self) -> Result<()> {
        self.target.spare();
        if self.server_is_down()? {
            self.start_server(None)?;
        }
        if is_down(&mut self.hand)? {
            self.start_hand(None)?;
        }
        self.until_ready()
    }

    /// What the owner's session is answered.
    pub fn get(&self, path: &str) -> Result<Value> {
        self.sure(|world| world.call("GET", path, &world.session, &Value::Null))
            .with_context(|| path.to_owned())
    }

    /// What the owner's session is answered; sent again while nobody answers.
    pub fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.sure(|world| world.call("POST", path, &world.session, body))
            .with_context(|| path.to_owned())
    }

    /// Proposes as the agent does, once, under an idempotency key. An error where nobody answers.
    pub fn propose(&self, key: &str, body: &Value) -> Result<(u16, Value)> {
        self.runtime.block_on(async {
            let call = self
                .http
                .post(self.url("/api/assistant/propose"))
                .bearer_auth(&self.key)
                .header("x-tenant-id", &self.tenant)
                .header("idempotency-key", key)
                .json(body);
            read(call).await
        })
    }

    /// The title of every task that was made.
    pub fn tasks(&self) -> Result<Vec<String>> {
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

    /// A snapshot as a fresh desktop would ask for it; nobody has to answer.
    pub fn ask_for_a_snapshot(&self) {
        let _ = self.call("GET", "/api/snapshot", &self.session, &Value::Null);
    }

    /// The whole journal as a file that proves itself.
    pub(super) fn export(&self) -> Result<Vec<u8>> {
        self.runtime.block_on(async {
            let call = self
                .http
                .get(self.url("/api/journal/export"))
                .bearer_auth(&self.session)
                .header("x-tenant-id", &self.tenant)
                // A long life makes a long journal.
                .timeout(PATIENCE);
            Ok(call.send().await?.error_for_status()?.bytes().await?.into())
        })
    }

    /// What there is to see of why something went wrong, before the folder goes.
    pub fn remains(&mut self) -> String {
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
    pub fn sure(&self, call: impl Fn(&Self) -> Result<(u16, Value)>) -> Result<Value> {
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

fn is_down(process: &mut Option<Process>) -> Result<bool> {
    Ok(match process {
        Some(process) => process.ended()?.is_some(),
        None => true,
    })
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

/// A member of a JSON object that has to be a string.
pub fn text(json: &Value, name: &str) -> Result<String> {
    Ok(json[name]
        .as_str()
        .with_context(|| format!("no {name} in {json}"))?
        .to_owned())
}

//! A company's tenant as its own process, and an agent that proposes to it.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use countersign_e2e::desktop::Desktop;
use countersign_e2e::{eventually, workspace_binary};
use serde_json::{Value, json};

/// Longer than the longest wait that the server grants.
const ANSWER: Duration = Duration::from_secs(90);

/// The tenant's server, which a test stops and starts again where it was.
#[derive(Debug)]
pub(crate) struct Company {
    program: PathBuf,
    data: PathBuf,
    address: SocketAddr,
    /// `None` while it is cut off.
    running: Option<Child>,
    /// How it is served, beside its folder and address.
    more: Vec<String>,
}

impl Company {
    /// Founds the tenant, registers an agent, and serves them on a free port.
    pub(crate) fn found(desktop: &Desktop, email: &str, password: &str) -> Result<(Self, Agent)> {
        Self::found_with(desktop, email, password, Vec::new())
    }

    /// The same, served with more arguments.
    pub(crate) fn found_with(
        desktop: &Desktop,
        email: &str,
        password: &str,
        more: Vec<String>,
    ) -> Result<(Self, Agent)> {
        let program = workspace_binary("countersign-server")?;
        let data = desktop.data_folder().join("company");
        let folder = data.to_str().context("a temporary folder's path is text")?;
        let founded = {
            let mut init = desktop.command(&program);
            init.args(["init", "--data", folder, "--tenant", "Acme", "--email", email]);
            init.args(["--name", "Ada Lovelace", "--password-stdin"]);
            answer(init, &format!("{password}\n"))?
        };
        let tenant = text(&founded, "tenantId")?;
        let key = {
            let mut register = desktop.command(&program);
            register.args(["agent-key", "--data", folder, "--tenant", &tenant]);
            register.args(["--name", "Bookkeeper"]);
            text(&answer(register, "")?, "apiKey")?
        };
        let mut company = Self {
            program,
            data,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            running: None,
            more,
        };
        company.serve(desktop)?;
        let agent = Agent {
            http: reqwest::Client::builder().no_proxy().timeout(ANSWER).build()?,
            base: format!("{}/api/assistant", company.url()),
            tenant,
            key,
        };
        Ok((company, agent))
    }

    /// What a person types as the company's address.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends the server at once, as if its machine had lost its power.
    pub(crate) fn cut_off(&mut self) -> Result<()> {
        let mut server = self.running.take().context("it is cut off already")?;
        server.kill()?;
        server.wait()?;
        Ok(())
    }

    /// Serves, on the same port as before.
    pub(crate) fn serve(&mut self, desktop: &Desktop) -> Result<()> {
        let mut command = desktop.command(&self.program);
        command.arg("serve").arg("--data").arg(&self.data);
        command
            .args(["--listen", &self.address.to_string()])
            .args(&self.more)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(desktop.log_file("company")?);
        let mut server = command.spawn()?;
        let mut line = String::new();
        BufReader::new(server.stdout.take().context("standard output is piped")?).read_line(&mut line)?;
        self.running = Some(server);
        let listening = line
            .trim()
            .strip_prefix("listening on http://")
            .with_context(|| format!("the server says where it listens, and not {line:?}"))?;
        self.address = listening.parse()?;
        Ok(())
    }
}

impl Drop for Company {
    fn drop(&mut self) {
        if let Some(mut server) = self.running.take() {
            // What cannot be ended here ends with the desktop that it runs on.
            drop(server.kill());
            drop(server.wait());
        }
    }
}

/// An agent with its real key. It knows nothing but HTTP.
#[derive(Debug, Clone)]
pub(crate) struct Agent {
    http: reqwest::Client,
    base: String,
    tenant: String,
    key: String,
}

/// Rejects a proposal from elsewhere: by the API, as a person who has signed in without this app.
pub(crate) async fn reject_elsewhere(
    company: &Company,
    agent: &Agent,
    person: (&str, &str),
    proposal: &str,
    reason: &str,
) -> Result<()> {
    let decision = json!({ "aiToolCallId": proposal, "reason": reason });
    elsewhere(company, agent, person, "/api/assistant/reject", &decision).await
}

/// Invites somebody to decide, from elsewhere.
pub(crate) async fn invite_elsewhere(
    company: &Company,
    agent: &Agent,
    person: (&str, &str),
    email: &str,
) -> Result<()> {
    let invite = json!({ "email": email, "role": "approver" });
    elsewhere(company, agent, person, "/api/invites", &invite).await
}

async fn elsewhere(
    company: &Company,
    agent: &Agent,
    (email, password): (&str, &str),
    path: &str,
    body: &Value,
) -> Result<()> {
    let person = json!({ "email": email, "password": password });
    let sign_in = agent.http.post(format!("{}/api/auth/sign-in", company.url()));
    let signed_in: Value = sign_in
        .json(&person)
        .send()
        .await?
        .error_for_status()?
        .json()
        .await?;
    let call = agent.http.post(format!("{}{path}", company.url())).json(body);
    let call = call
        .bearer_auth(text(&signed_in, "token")?)
        .header("x-tenant-id", &agent.tenant);
    let answer = call.send().await?;
    let (status, text) = (answer.status(), answer.text().await?);
    ensure!(status.is_success(), "the tenant answered {status}: {text}");
    Ok(())
}

impl Agent {
    /// Proposes and gives the proposal's id.
    pub(crate) async fn propose(&self, body: Value) -> Result<String> {
        let request = self.http.post(format!("{}/propose", self.base)).json(&body);
        let proposed = self.send(request).await?;
        text(&proposed["proposalRecord"], "aiToolCallId").with_context(|| proposed.to_string())
    }

    /// Proposes a mail.
    pub(crate) async fn propose_mail(&self, to: &str, subject: &str, body: &str) -> Result<String> {
        let input = json!({ "to": [to], "subject": subject, "body": body });
        self.propose(json!({ "toolId": "email.send", "input": input }))
            .await
    }

    /// The proposal as it is.
    pub(crate) async fn look(&self, id: &str) -> Result<Value> {
        self.get(id, "").await
    }

    /// Asks as an agent does that waits: the call returns when the proposal has changed, and is then made again, until
    /// it has the wanted status.
    pub(crate) async fn wait_for(&self, id: &str, status: &str, limit: Duration) -> Result<Value> {
        let mut query = "?wait=45".to_owned();
        let mut seen = Value::Null;
        let found = eventually(&format!("{id} {status}"), limit, async || {
            seen = self.get(id, &query).await?;
            query = format!("?wait=45&revision={}", seen["revision"]);
            Ok((seen["status"] == status).then(|| seen.clone()))
        })
        .await;
        found.with_context(|| format!("the last answer was {seen}"))
    }

    async fn get(&self, id: &str, query: &str) -> Result<Value> {
        self.send(self.http.get(format!("{}/proposals/{id}{query}", self.base)))
            .await
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Value> {
        let request = request.bearer_auth(&self.key).header("x-tenant-id", &self.tenant);
        let answer = request.send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "the tenant answered {status}: {text}");
        Ok(serde_json::from_str(&text)?)
    }
}

/// Runs a command that answers with one line of JSON.
fn answer(mut command: Command, input: &str) -> Result<Value> {
    let mut program = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut stdin = program.stdin.take().context("standard input is piped")?;
    stdin.write_all(input.as_bytes())?;
    drop(stdin);
    let output = program.wait_with_output()?;
    ensure!(
        output.status.success(),
        "{command:?} failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn text(value: &Value, name: &str) -> Result<String> {
    let text = value[name].as_str();
    text.map(str::to_owned)
        .with_context(|| format!("{name} is text in {value}"))
}

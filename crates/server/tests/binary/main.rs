//! `countersign-server` as an operator meets it: a process with arguments, standard streams, signals and a port.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod backup;
mod commands;
mod export;
mod serving;

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::Arc,
    thread,
};

use axum::body::{Body, to_bytes};
use countersign_domain::{Record, dsse::SigningKey, id::DeviceId, record::Enrol};
use countersign_server::random;
use hyper::{Request, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName},
};

const PASSWORD: &str = "correct horse battery";
const TEXT: &str = "create task: Call the bank";

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

fn run(arguments: &[&str], stdin: &str) -> Output {
    run_in(Path::new("."), arguments, stdin)
}

fn run_in(folder: &Path, arguments: &[&str], stdin: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_countersign-server"))
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may refuse before it reads.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    child.wait_with_output().unwrap()
}

/// The one line that a command printed, as JSON.
fn line(output: &Output) -> Value {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(text.lines().count(), 1, "one line and nothing else: {text:?}");
    serde_json::from_str(&text).unwrap()
}

/// What a command that refused said.
fn refusal(output: &Output) -> String {
    assert!(!output.status.success(), "it must not succeed");
    assert!(
        output.stdout.is_empty(),
        "whoever reads the answer must not find one"
    );
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A data folder with the tenant Acme, whose owner is Ada.
struct Data {
    folder: tempfile::TempDir,
    tenant: String,
}

impl Data {
    fn new() -> Self {
        let mut data = Self {
            folder: tempfile::tempdir().unwrap(),
            tenant: String::new(),
        };
        data.tenant = line(&data.init("Acme", &format!("{PASSWORD}\n")))["tenantId"]
            .as_str()
            .unwrap()
            .to_owned();
        data
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn text(&self) -> String {
        self.path().to_str().unwrap().to_owned()
    }

    fn init(&self, tenant: &str, stdin: &str) -> Output {
        let data = self.text();
        run(
            &[
                "init",
                "--data",
                &data,
                "--tenant",
                tenant,
                "--email",
                "ada@acme.example",
                "--password-stdin",
            ],
            stdin,
        )
    }

    fn agent_key(&self, name: &str) -> Output {
        run(
            &[
                "agent-key",
                "--data",
                &self.text(),
                "--tenant",
                &self.tenant,
                "--name",
                name,
            ],
            "",
        )
    }

    fn key(&self) -> String {
        line(&self.agent_key("bookkeeper"))["apiKey"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    fn backup(&self, to: &Path) -> Output {
        run(&["backup", "--data", &self.text(), "--to", &text(to)], "")
    }

    fn endorse(&self, email: &str, code: &str) -> Output {
        let data = self.text();
        run(
            &[
                "endorse",
                "--data",
                &data,
                "--tenant",
                &self.tenant,
                "--email",
                email,
                "--code",
                code,
            ],
            "",
        )
    }

    fn serve(&self, more: &[&str]) -> Running {
        let mut child = Command::new(env!("CARGO_BIN_EXE_countersign-server"))
            .args(["serve", "--data", &self.text(), "--listen", "127.0.0.1:0"])
            .args(more)
            .env("COUNTERSIGN_LOG", "trace")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut log = child.stderr.take().unwrap();
        let log = thread::spawn(move || {
            let mut text = String::new();
            log.read_to_string(&mut text).unwrap();
            text
        });
        let mut first = String::new();
        out.read_line(&mut first).unwrap();
        let url = first
            .trim_end()
            .strip_prefix("listening on ")
            .unwrap_or_else(|| panic!("{first:?}"))
            .to_owned();
        let rest = thread::spawn(move || {
            let mut text = String::new();
            out.read_to_string(&mut text).unwrap();
            text
        });
        Running {
            child,
            url,
            log: Some(log),
            rest: Some(rest),
        }
    }
}

/// A serving process. Killed when dropped.
struct Running {
    child: Child,
    url: String,
    log: Option<thread::JoinHandle<String>>,
    rest: Option<thread::JoinHandle<String>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    fn address(&self) -> &str {
        self.url.split_once("://").unwrap().1
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address()).await.unwrap()
    }

    async fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Value) -> (u16, Value) {
        converse(self.connect().await, self.address(), method, path, headers, body).await
    }

    async fn sign_in(&self, password: &str) -> (u16, Value) {
        self.call(
            "POST",
            "/api/auth/sign-in",
            &[],
            json!({"email": "ada@acme.example", "password": password}),
        )
        .await
    }

    async fn propose(&self, key: &str, tenant: &str, text: &str) -> (u16, Value) {
        let bearer = format!("Bearer {key}");
        let headers = [("authorization", &*bearer), ("x-tenant-id", tenant)];
        let body = json!({"text": text});
        self.call("POST", "/api/assistant/propose", &headers, body).await
    }

    /// What Ada exports.
    async fn bundle(&self, tenant: &str, query: &str) -> Vec<u8> {
        let (_, signed_in) = self.sign_in(PASSWORD).await;
        let bearer = format!("Bearer {}", signed_in["token"].as_str().unwrap());
        let (mut sender, connection) = http1::handshake(TokioIo::new(self.connect().await))
            .await
            .unwrap();
        tokio::spawn(connection);
        let export = Request::get(format!("/api/journal/export{query}"))
            .header("host", self.address())
            .header("authorization", bearer)
            .header("x-tenant-id", tenant);
        let answer = sender
            .send_request(export.body(Body::empty()).unwrap())
            .await
            .unwrap();
        assert_eq!(answer.status(), 200);
        to_bytes(Body::new(answer.into_body()), 64 << 20)
            .await
            .unwrap()
            .to_vec()
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args(["-s", name, &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    /// Waits for its end: whether it ended well, the rest of its output, and its log.
    fn ended(mut self) -> (bool, String, String) {
        let status = self.child.wait().unwrap();
        let rest = self.rest.take().unwrap().join().unwrap();
        let log = self.log.take().unwrap().join().unwrap();
        (status.success(), rest, log)
    }
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    host: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Value,
) -> (u16, Value) {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let mut request = Request::builder().method(method).uri(path);
    if headers.iter().all(|(name, _)| *name != "host") {
        request = request.header("host", host);
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = if body.is_null() {
        Body::empty()
    } else {
        Body::from(body.to_string())
    };
    let response = sender.send_request(request.body(body).unwrap()).await.unwrap();
    let status = response.status().as_u16();
    let bytes = to_bytes(Body::new(response.into_body()), 1 << 20).await.unwrap();
    drop(sender);
    let _ = connection.await;
    (
        status,
        if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes).unwrap()
        },
    )
}

//! `countersign-server` as an operator meets it: a process with arguments, standard streams, signals and a port.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
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

fn run(arguments: &[&str], stdin: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_countersign-server"))
        .args(arguments)
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

#[test]
fn init_makes_a_tenant_in_a_folder_of_its_owners_alone() {
    let data = Data {
        folder: tempfile::tempdir().unwrap(),
        tenant: String::new(),
    };
    let made = line(&data.init("Acme", PASSWORD));
    assert!(made["tenantId"].is_string() && made["userId"].is_string());
    assert_eq!(made.as_object().unwrap().len(), 2);
    for folder in ["", "tenants"] {
        let mode = fs::metadata(data.path().join(folder))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o700, "what is in there is nobody else's");
    }
    let second = line(&data.init("Second", PASSWORD));
    assert_eq!(second["userId"], made["userId"], "one person, two tenants");
    assert!(refusal(&data.init("Third", "not the password")).contains("not its password"));
    let nameless = data.init(" ", PASSWORD);
    assert!(refusal(&nameless).contains("tenant's name"));
}

#[test]
fn init_takes_the_password_from_standard_input_only() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let base = [
        "init",
        "--data",
        data.to_str().unwrap(),
        "--tenant",
        "Acme",
        "--email",
        "ada@acme.example",
    ];
    assert!(refusal(&run(&base, PASSWORD)).contains("--password-stdin"));
    let with = |more: &[&'static str]| [&base[..], more].concat();
    assert!(
        !run(&with(&["--password", PASSWORD]), "").status.success(),
        "arguments show in the process list"
    );
    assert!(refusal(&run(&with(&["--password-stdin"]), "elevenchars\n")).contains("at least 12"));
    assert_eq!(
        line(&run(&with(&["--password-stdin", "--solo"]), PASSWORD))
            .as_object()
            .unwrap()
            .len(),
        2
    );
}

#[test]
fn a_folder_with_other_things_in_it_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("thesis.txt"), "years of work").unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let data = folder.path().to_str().unwrap();
    let output = run(&["serve", "--data", data, "--listen", "127.0.0.1:0"], "");
    assert!(refusal(&output).contains("a folder of its own"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    assert_eq!(
        fs::metadata(folder.path()).unwrap().permissions().mode() & 0o777,
        0o755
    );
}

#[tokio::test]
async fn it_serves_on_a_free_port_and_stops_when_asked() {
    let data = Data::new();
    let running = data.serve(&[]);
    assert!(
        running.url.starts_with("http://127.0.0.1:") && !running.url.ends_with(":0"),
        "the real port"
    );
    assert_eq!(running.call("GET", "/api/health", &[], Value::Null).await.0, 200);
    let (status, signed_in) = running.sign_in(PASSWORD).await;
    assert_eq!(
        (status, signed_in["tenants"][0]["name"].as_str()),
        (200, Some("Acme"))
    );

    // Somebody listens, somebody waits: neither keeps the server from stopping.
    let bearer = format!("Bearer {}", signed_in["token"].as_str().unwrap());
    let (address, tenant) = (running.address().to_owned(), data.tenant.clone());
    let stream = running.connect().await;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let events = Request::get("/api/journal/events")
        .header("host", address)
        .header("authorization", &bearer)
        .header("x-tenant-id", tenant);
    let events = sender
        .send_request(events.body(Body::empty()).unwrap())
        .await
        .unwrap();
    assert_eq!(events.status(), 200);
    let began = Instant::now();
    running.signal("TERM");
    let (well, rest, log) = tokio::task::spawn_blocking(move || running.ended())
        .await
        .unwrap();
    assert!(well, "a stop that was asked for is no failure: {log}");
    assert_eq!(rest, "", "nothing but the one line goes to standard output");
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "it took {:?}",
        began.elapsed()
    );
    assert!(
        log.lines()
            .all(|line| serde_json::from_str::<Value>(line).is_ok()),
        "each line of the log is JSON"
    );
}

#[test]
fn it_does_not_listen_to_the_network_in_plain_text() {
    let data = Data::new();
    let serve = |more: &[&str]| run(&[&["serve", "--data", &data.text()], more].concat(), "");
    let refused = refusal(&serve(&["--listen", "0.0.0.0:0"]));
    assert!(
        refused.contains("--tls-cert") && refused.contains("--behind-proxy"),
        "{refused}"
    );
    assert!(
        !serve(&["--listen", "127.0.0.1:0", "--tls-cert", "x"])
            .status
            .success(),
        "half a certificate"
    );
    let both = [
        "--listen",
        "127.0.0.1:0",
        "--behind-proxy",
        "--tls-cert",
        "x",
        "--tls-key",
        "y",
    ];
    assert!(!serve(&both).status.success(), "who ends TLS?");
    let absent = refusal(&serve(&[
        "--listen",
        "127.0.0.1:0",
        "--tls-cert",
        "/nowhere",
        "--tls-key",
        "/nowhere",
    ]));
    assert!(absent.contains("certificate"), "{absent}");
}

#[tokio::test]
async fn an_agents_key_is_made_on_the_server_while_it_does_not_run() {
    let data = Data::new();
    let key = line(&data.agent_key("Bookkeeper"))["apiKey"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(key.starts_with("cs_agent_"));
    assert!(refusal(&data.agent_key("bookkeeper")).contains("in service already"));
    let elsewhere = Data {
        folder: data.folder,
        tenant: "01a203be-8cfd-74f8-811f-a3e134a1e92f".to_owned(),
    };
    assert!(refusal(&elsewhere.agent_key("x")).contains("no such tenant"));

    let running = elsewhere.serve(&[]);
    let beside = refusal(&elsewhere.agent_key("Second"));
    assert!(
        beside.contains("/api/agents"),
        "it says what to do instead: {beside}"
    );
    assert!(refusal(&elsewhere.init("Second", PASSWORD)).contains("using the data folder"));
    let tenants = running.sign_in(PASSWORD).await.1;
    let tenant = tenants["tenants"][0]["id"].as_str().unwrap().to_owned();
    let bearer = format!("Bearer {key}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("x-tenant-id", tenant.as_str()),
    ];
    assert_eq!(
        running.call("GET", "/api/tools", &headers, Value::Null).await.0,
        200
    );
}

impl Running {
    /// Ada's next device asks to enter service: how it stands and the code that it shows.
    async fn enrol(&self, headers: &[(&str, &str)], ada: &str) -> Value {
        let challenge = self
            .call("POST", "/api/devices/challenge", headers, json!({}))
            .await
            .1;
        let key = SigningKey::from_seed(&random::bytes());
        let enrol = Enrol {
            challenge: challenge["challenge"].as_str().unwrap().parse().unwrap(),
            device: DeviceId::from_uuid(random::uuid()),
            name: "laptop".to_owned(),
            nonce: random::nonce(),
            public_key: key.public_key(),
            tenant: headers[1].1.parse().unwrap(),
            user: ada.parse().unwrap(),
        };
        let envelope = Record::signed(&enrol, &key).unwrap().to_envelope();
        let (status, answer) = self
            .call("POST", "/api/devices/enrol", headers, json!({"record": envelope}))
            .await;
        assert_eq!(status, 200, "{answer}");
        answer
    }
}

#[tokio::test]
async fn who_has_lost_every_device_comes_back_with_the_help_of_the_operator() {
    let data = Data::new();
    let running = data.serve(&[]);
    let ada = running.sign_in(PASSWORD).await.1;
    let bearer = format!("Bearer {}", ada["token"].as_str().unwrap());
    let headers = [
        ("authorization", bearer.as_str()),
        ("x-tenant-id", data.tenant.as_str()),
    ];
    let user = ada["userId"].as_str().unwrap();
    let lost = running.enrol(&headers, user).await;
    assert_eq!(lost["standing"], "active");
    let new = running.enrol(&headers, user).await;
    assert_eq!(new["standing"], "waiting", "a password alone is not enough");
    let code = new["code"].as_str().unwrap();
    let beside = refusal(&data.endorse("ada@acme.example", code));
    assert!(beside.contains("stop the server first"), "{beside}");
    running.signal("TERM");
    assert!(running.ended().0);

    let nobody = refusal(&data.endorse("eve@acme.example", code));
    assert!(nobody.contains("nobody with that e-mail address"), "{nobody}");
    let wrong = refusal(&data.endorse("ada@acme.example", "no code"));
    assert!(wrong.contains("shows this code"), "{wrong}");
    let device = line(&data.endorse("Ada@acme.example", code));
    assert_eq!(device["deviceId"], new["deviceId"]);
    let again = refusal(&data.endorse("ada@acme.example", code));
    assert!(again.contains("no device of that person waits"), "{again}");

    let running = data.serve(&[]);
    let listed = running.call("GET", "/api/devices", &headers, Value::Null).await.1;
    let known = listed["devices"]
        .as_array()
        .unwrap()
        .iter()
        .find(|known| known["id"] == new["deviceId"]);
    assert_eq!(known.unwrap()["state"], "active");
    assert_eq!(
        known.unwrap()["endorsedBy"]["kind"],
        "server",
        "the journal says who vouched"
    );
}

#[tokio::test]
async fn what_was_acknowledged_outlives_a_kill() {
    let data = Data::new();
    let running = data.serve(&[]);
    let token = running.sign_in(PASSWORD).await.1["token"]
        .as_str()
        .unwrap()
        .to_owned();
    let bearer = format!("Bearer {token}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("x-tenant-id", data.tenant.as_str()),
    ];
    let (status, agent) = running
        .call("POST", "/api/agents", &headers, json!({"name": "bot"}))
        .await;
    assert_eq!(status, 201);
    running.signal("KILL");
    assert!(!running.ended().0);

    let again = data.serve(&[]);
    let listed = again.call("GET", "/api/agents", &headers, Value::Null).await;
    assert_eq!(
        (listed.0, &listed.1["agents"][0]["id"]),
        (200, &agent["agentId"]),
        "session and agent are still there"
    );
}

#[tokio::test]
async fn it_answers_under_its_names_only() {
    let data = Data::new();
    let running = data.serve(&["--host", "countersign.acme.example", "--behind-proxy"]);
    for (host, status) in [
        ("countersign.acme.example", 200),
        ("localhost", 200),
        (running.address(), 200),
        ("rebound.evil.example", 403),
    ] {
        assert_eq!(
            running
                .call("GET", "/api/health", &[("host", host)], Value::Null)
                .await
                .0,
            status,
            "{host}"
        );
    }
}

#[tokio::test]
async fn behind_a_proxy_attempts_are_counted_for_who_the_proxy_saw() {
    let data = Data::new();
    let running = data.serve(&["--behind-proxy"]);
    let body = json!({"email": "ada@acme.example", "password": "wrong wrong wrong"});
    let attempt = async |forwarded| {
        running
            .call(
                "POST",
                "/api/auth/sign-in",
                &[("x-forwarded-for", forwarded)],
                body.clone(),
            )
            .await
    };
    for n in 0..11 {
        // What the client itself wrote stands before what the proxy appended, and makes no difference.
        let forwarded = if n % 2 == 0 {
            "198.51.100.7, 192.0.2.1"
        } else {
            "203.0.113.9, 192.0.2.1"
        };
        let (status, _) = attempt(forwarded).await;
        assert_eq!(status, if n < 10 { 401 } else { 429 }, "attempt {n}");
    }
    assert_eq!(
        attempt("192.0.2.1, 198.51.100.7").await.0,
        401,
        "somebody else is not held up"
    );
}

#[tokio::test]
async fn it_speaks_tls_with_the_given_certificate() {
    let data = Data::new();
    let made = rcgen::generate_simple_self_signed(["countersign.acme.example".to_owned()]).unwrap();
    let (certificate, key) = (
        data.folder.path().join("cert.pem"),
        data.folder.path().join("key.pem"),
    );
    fs::write(&certificate, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let running = data.serve(&[
        "--host",
        "countersign.acme.example",
        "--tls-cert",
        &text(&certificate),
        "--tls-key",
        &text(&key),
    ]);
    assert!(running.url.starts_with("https://127.0.0.1:"));
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("countersign.acme.example").unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    // A peer that says nothing does not keep the others out.
    let _silent = running.connect().await;
    let stream = connector.connect(name, running.connect().await).await.unwrap();
    let answer = converse(
        stream,
        "countersign.acme.example",
        "GET",
        "/api/health",
        &[],
        Value::Null,
    )
    .await;
    assert_eq!(answer.0, 200);

    let plain = running.connect().await;
    let (mut sender, connection) = http1::handshake(TokioIo::new(plain)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get("/api/health")
        .header("host", "localhost")
        .body(Body::empty())
        .unwrap();
    assert!(
        sender.send_request(request).await.is_err(),
        "nothing is said in plain text"
    );
}

#[tokio::test]
async fn no_secret_reaches_the_log_or_the_disk() {
    let data = Data::new();
    let running = data.serve(&[]);
    let mistyped = "mistyped canary 8d1f";
    running.sign_in(mistyped).await;
    let token = running.sign_in(PASSWORD).await.1["token"]
        .as_str()
        .unwrap()
        .to_owned();
    let bearer = format!("Bearer {token}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("x-tenant-id", data.tenant.as_str()),
    ];
    let post = |path: &'static str, body: Value| running.call("POST", path, &headers, body);
    let key = post("/api/agents", json!({"name": "bot"})).await.1["apiKey"]
        .as_str()
        .unwrap()
        .to_owned();
    let invited = post(
        "/api/invites",
        json!({"email": "bob@acme.example", "role": "member"}),
    )
    .await
    .1;
    let secret = invited["secret"].as_str().unwrap().to_owned();
    let bobs = "bob's canary password 77c2";
    let accepted = json!({"secret": secret, "name": "Bob", "password": bobs});
    let (status, bob) = running.call("POST", "/api/invites/accept", &[], accepted).await;
    assert_eq!(status, 200);
    let bob = bob["token"].as_str().unwrap().to_owned();
    let said = "create task: canary in a request body 5c0e";
    assert_eq!(post("/api/assistant/propose", json!({"text": said})).await.0, 200);
    running
        .call(
            "GET",
            "/api/assistant/proposals?q=canary-in-a-query-19aa",
            &headers,
            Value::Null,
        )
        .await;
    running
        .call("GET", "/canary-in-a-path-19ab", &headers, Value::Null)
        .await;
    running
        .call(
            "POST",
            "/api/agents",
            &headers,
            json!({"name": 1, "canary-in-a-field-33d1": 1}),
        )
        .await;
    running.signal("TERM");
    let (_, _, log) = running.ended();
    assert!(
        log.contains("answered"),
        "the log was at its most talkative: {} bytes",
        log.len()
    );

    let secrets = [mistyped, PASSWORD, bobs, &token, &key, &secret, &bob];
    for secret in secrets {
        let part = &secret[secret.len() - 16..];
        assert!(!log.contains(part), "the log is read by many");
        for file in files(&data.path()) {
            let bytes = fs::read(&file).unwrap();
            let found = bytes.windows(part.len()).any(|window| window == part.as_bytes());
            assert!(!found, "{} is copied by backups", file.display());
        }
    }
    for content in [
        "canary in a request body",
        "canary-in-a-query",
        "canary-in-a-path",
        "canary-in-a-field",
        "bob@acme",
    ] {
        assert!(
            !log.contains(content),
            "what people write is not for the log: {content}"
        );
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .collect()
}

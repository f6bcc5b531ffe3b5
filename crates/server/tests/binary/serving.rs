//! `serve`: where it listens, for whom, how it stops, and what it leaves behind.

use super::*;

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
    running.signal("TERM");
    let (well, rest, log) = tokio::task::spawn_blocking(move || running.ended())
        .await
        .unwrap();
    assert!(well, "a stop that was asked for is no failure: {log}");
    assert_eq!(rest, "", "nothing but the one line goes to standard output");
    assert!(!log.contains("were cut off"), "nobody had to be: {log}");
    assert!(
        to_bytes(Body::new(events.into_body()), 1 << 20).await.is_ok(),
        "who listened was told that the stream is over, not cut off in its middle"
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

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use countersign_domain::record::Outcome;
use reqwest::dns::Resolve as _;
use secrecy::SecretString;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    sync::Mutex,
};

use super::{
    address::{Guarded, Reach, is_global, permitted},
    *,
};
use crate::{
    executor,
    testing::{call, text, value},
};

fn tool() -> HttpRequest {
    HttpRequest::new().unwrap()
}

fn config(base: &str) -> Value {
    value(&format!(
        r#"{{"allowed_methods":["GET","POST","DELETE"],"allowed_path_prefixes":["/api"],"base_url":"{base}"}}"#
    ))
}

fn with(config: &Value, name: &str, content: impl Into<Value>) -> Value {
    let mut object = config.as_object().unwrap().clone();
    object.insert(name, content);
    object.into()
}

fn accepts(base: &str) -> bool {
    let text = text(&Value::from(base));
    let json = format!(r#"{{"allowed_methods":["GET"],"allowed_path_prefixes":["/"],"base_url":{text}}}"#);
    tool().check_connection(&value(&json)).is_ok()
}

// Where a request may go

#[test]
fn a_port_of_another_kind_of_service_is_refused() {
    for port in [22, 25, 465, 587, 2375, 3306, 5432, 6379, 11211, 27017] {
        assert!(!accepts(&format!("https://api.example.com:{port}/")), "{port}");
        assert!(
            !accepts(&format!("http://127.0.0.1:{port}/")),
            "{port} of this computer"
        );
    }
    for port in [80, 443, 3000, 8080, 8443, 49_152] {
        let base = format!("http://127.0.0.1:{port}/").replace(":80/", "/");
        assert!(accepts(&base), "{port} is as good as any");
    }
}

/// Addresses that are not on the public internet.
const INSIDE: [[u8; 4]; 18] = [
    [127, 0, 0, 1],
    [127, 0, 0, 2],
    [127, 255, 255, 254],
    [10, 0, 0, 1],
    [172, 16, 0, 1],
    [172, 31, 255, 255],
    [192, 168, 0, 1],
    [169, 254, 169, 254],
    [100, 64, 0, 1],
    [100, 100, 100, 200],
    [0, 0, 0, 0],
    [192, 0, 0, 8],
    [192, 0, 2, 1],
    [198, 18, 0, 1],
    [198, 51, 100, 7],
    [203, 0, 113, 9],
    [224, 0, 0, 1],
    [255, 255, 255, 255],
];

/// One IPv4 address in many spellings, as hosts of a URL.
fn spellings([a, b, c, d]: [u8; 4]) -> Vec<String> {
    let whole = u32::from_be_bytes([a, b, c, d]);
    let (high, low) = (whole >> 16, whole & 0xFFFF);
    let tail = whole & 0x00FF_FFFF;
    let dotted = format!("{a}.{b}.{c}.{d}");
    let wide: String = dotted
        .chars()
        .map(|c| {
            char::from_u32(u32::from(c) + 0xFEE0)
                .filter(|_| c != '.')
                .unwrap_or(c)
        })
        .collect();
    let escaped: String = dotted.bytes().map(|byte| format!("%{byte:02x}")).collect();
    vec![
        format!("{dotted}."),
        whole.to_string(),
        format!("{whole:#x}"),
        format!("{whole:#X}").to_lowercase().replace("0x", "0X"),
        format!("0{whole:o}"),
        format!("{a:#x}.{b:#x}.{c:#x}.{d:#x}"),
        format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
        format!("0{a:o}.{b}.{c:#x}.{d}"),
        format!("{a}.{tail}"),
        format!("{a}.{b}.{}", u32::from(c) * 256 + u32::from(d)),
        format!("000{a:o}.{b}.{c}.{d}"),
        wide,
        escaped,
        dotted.replace('.', "。"),
        format!("user@{dotted}"),
        format!("public.example@{dotted}"),
        format!("user:pass@{dotted}"),
        format!("[::ffff:{dotted}]"),
        format!("[::ffff:{high:x}:{low:x}]"),
        format!("[0:0:0:0:0:ffff:{high:x}:{low:x}]"),
        format!("[::{high:x}:{low:x}]"),
        format!("[64:ff9b::{dotted}]"),
        format!("[64:ff9b::{high:x}:{low:x}]"),
        format!("[64:ff9b:1::{high:x}:{low:x}]"),
        format!("[2002:{high:x}:{low:x}::1]"),
        format!("[2001:0:{high:x}:{low:x}::1]"),
        format!("[::ffff:0:{high:x}:{low:x}]"),
        format!("[fe80::{high:x}:{low:x}]"),
    ]
}

/// Other hosts that stay inside.
const NAMES: [&str; 44] = [
    "localhost.",
    "LOCALHOST",
    "Localhost",
    "a.localhost",
    "localhost.localdomain.",
    "ｌocalhost",
    "loc%61lhost",
    "localhost%00",
    "localhost%2eexample.com",
    "router",
    "intranet",
    "printer.local",
    "nas.lan",
    "db.internal",
    "metadata.google.internal",
    "metadata.google.internal.",
    "x.home.arpa",
    "app.corp",
    "x.intranet",
    "x.home",
    "x.private",
    "example.com.",
    "exa mple.com",
    "example.com\\@127.0.0.1",
    "example.com\t",
    "exam\nple.com",
    "[::1%25lo]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[0::1]",
    "[::0001]",
    "[fc00::1]",
    "[fd12:3456::1]",
    "[fe80::1]",
    "[fec0::1]",
    "[ff02::1]",
    "[2001:db8::1]",
    "[2001:10::1]",
    "[2001:2::1]",
    "[3fff::1]",
    "[100::1]",
    "[5f00::1]",
    "[::ffff:7f00:1]",
    "-example.com",
];

#[test]
fn no_spelling_of_an_inside_address_becomes_a_connection() {
    let mut tried = 0;
    for host in INSIDE
        .into_iter()
        .flat_map(spellings)
        .chain(NAMES.map(str::to_owned))
    {
        for base in [
            format!("https://{host}"),
            format!("https://{host}/"),
            format!("http://{host}:8080/"),
            format!("https:{host}/"),
            format!("https:///{host}"),
            format!("https://{host}:443/api"),
        ] {
            assert!(!accepts(&base), "{base:?}");
            tried += 1;
        }
    }
    assert!(tried >= 200, "{tried} spellings");
    for [a, b, c, d] in INSIDE.into_iter().skip(1) {
        assert!(!accepts(&format!("https://{a}.{b}.{c}.{d}/")), "{a}.{b}.{c}.{d}");
    }
}

#[test]
fn other_schemes_and_parts_are_no_base() {
    for base in [
        "",
        "example.com",
        "//example.com",
        "http://example.com",
        "ftp://example.com",
        "file:///etc/passwd",
        "gopher://example.com",
        "javascript:alert(1)",
        "data:,x",
        "https://example.com/?q",
        "https://example.com/#f",
        "https://user@example.com",
        "https://:p@example.com",
        "https://example.com:0/",
        "https://example.com:443",
        "https://example.com/a/../b",
        "https://example.com/%61",
        "HTTPS://example.com",
        "https://EXAMPLE.com",
        "https://example.com/ ",
        " https://example.com",
        "https://bücher.example/",
        "ws://example.com",
    ] {
        assert!(!accepts(base), "{base:?}");
    }
}

#[test]
fn public_origins_and_this_computer_as_such_are_connections() {
    for base in [
        "https://api.example.com",
        "https://api.example.com/",
        "https://api.example.com:8443/v1",
        "https://xn--bcher-kva.example",
        "https://1.1.1.1/",
        "https://[2606:4700::1111]/",
        "http://localhost:8080",
        "http://127.0.0.1:8080/",
        "http://[::1]:8080/",
        "https://localhost/",
    ] {
        assert!(accepts(base), "{base:?}");
    }
}

#[test]
fn only_handed_out_addresses_are_global() {
    for octets in INSIDE {
        let ip = Ipv4Addr::from(octets);
        assert!(!is_global(ip.into()), "{ip}");
        for embedded in [ip.to_ipv6_mapped(), ip.to_ipv6_compatible()] {
            assert!(!is_global(embedded.into()), "{embedded}");
        }
    }
    for ip in [
        "1.1.1.1",
        "9.9.9.9",
        "172.32.0.1",
        "100.128.0.1",
        "192.1.2.3",
        "223.255.255.254",
        "2606:4700::1",
    ] {
        assert!(is_global(ip.parse().unwrap()), "{ip}");
    }
    let mapped: IpAddr = "::ffff:1.1.1.1".parse().unwrap();
    assert!(!is_global(mapped), "an embedded address is a second spelling");
}

#[tokio::test]
async fn a_name_that_leads_inside_is_not_connected_to() {
    let at = |ip: &str| SocketAddr::new(ip.parse().unwrap(), 0);
    assert!(permitted([at("1.1.1.1"), at("2606:4700::1")], Reach::Internet).is_ok());
    for inside in [
        "127.0.0.1",
        "10.1.2.3",
        "::1",
        "::ffff:127.0.0.1",
        "169.254.169.254",
    ] {
        assert!(permitted([at(inside)], Reach::Internet).is_err(), "{inside}");
        assert!(
            permitted([at("1.1.1.1"), at(inside)], Reach::Internet).is_err(),
            "a name that points outside and to {inside} is refused whole"
        );
    }
    assert!(permitted([at("1.1.1.1")], Reach::Loopback).is_err());
    assert!(permitted([], Reach::Internet).is_err());
    let name = || "localhost".parse().unwrap();
    assert!(
        Guarded(Reach::Internet).resolve(name()).await.is_err(),
        "asked at the moment of connecting"
    );
    assert!(Guarded(Reach::Loopback).resolve(name()).await.is_ok());
}

// What may be asked

#[test]
fn a_request_has_one_form() {
    let args = |json: &str| tool().normalise(value(json)).map(|args| text(&args));
    assert_eq!(
        args(
            r#"{"method":"POST","path":"/api/%7Eada","headers":{" X-Id ":" 1 "},"query":{"q":"a b","t":["1","2"]},"body":"{\"n\": 1.50}"}"#
        )
        .as_deref(),
        Ok(
            r#"{"body":"{\"n\": 1.50}","contentType":"application/json","headers":{"x-id":"1"},"method":"POST","path":"/api/~ada","query":{"q":"a b","t":["1","2"]}}"#
        ),
        "the body is the exact text"
    );
    for (json, field) in [
        (r#"{"method":"GET","path":"/api/../x"}"#, "path"),
        (r#"{"method":"GET","path":"https://evil.example/"}"#, "path"),
        (r#"{"method":"GET","path":"//evil.example/"}"#, "path"),
        (r#"{"method":"GET","path":"/a","body":"x"}"#, "body"),
        (
            r#"{"method":"POST","path":"/a","contentType":"text/plain"}"#,
            "contentType",
        ),
        (
            r#"{"method":"POST","path":"/a","body":"x","contentType":"a/b\r\nX: y"}"#,
            "contentType",
        ),
        (
            r#"{"method":"POST","path":"/a","body":"x","contentType":"json"}"#,
            "contentType",
        ),
        (
            r#"{"method":"GET","path":"/a","headers":{"Host":"evil"}}"#,
            "headers/Host",
        ),
        (
            r#"{"method":"GET","path":"/a","headers":{"x":"a\r\nHost: b"}}"#,
            "headers/x",
        ),
        (
            r#"{"method":"GET","path":"/a","headers":{"x":"1"," X":"2"}}"#,
            "headers/x",
        ),
        (r#"{"method":"GET","path":"/a","query":{"":"1"}}"#, "query"),
    ] {
        let error = tool().normalise(value(json)).unwrap_err();
        assert_eq!(error.field.as_deref(), Some(field), "{json}");
    }
}

#[test]
fn the_connection_says_which_methods_paths_and_headers() {
    let config = with(
        &config("https://api.example.com/base"),
        "auth_header",
        "X-Api-Key",
    );
    let check = |json: &str| tool().check_call(&value(json), &config);
    assert!(check(r#"{"method":"GET","path":"/api"}"#).is_ok());
    assert!(check(r#"{"method":"GET","path":"/api/x"}"#).is_ok());
    for json in [
        r#"{"method":"PUT","path":"/api"}"#,
        r#"{"method":"GET","path":"/apix"}"#,
        r#"{"method":"GET","path":"/"}"#,
        r#"{"method":"GET","path":"/other"}"#,
        r#"{"method":"GET","path":"/api","headers":{"x-api-key":"mine"}}"#,
    ] {
        assert!(check(json).is_err(), "{json}");
    }
}

#[test]
fn a_declared_window_makes_it_idempotent() {
    let plain = config("https://api.example.com");
    assert_eq!(tool().effect(Some(&plain)), EffectClass::Opaque);
    let declared = with(&plain, "idempotency_window_s", Value::Integer(3600));
    assert_eq!(tool().effect(Some(&declared)), EffectClass::Idempotent);
    let forever = with(&plain, "idempotency_window_s", Value::Integer(0));
    assert!(tool().check_connection(&forever).is_err());
}

#[test]
fn asking_is_medium_and_changing_is_high() {
    let risk = |method: &str| {
        tool()
            .assess(&value(&format!(r#"{{"method":"{method}","path":"/a"}}"#)), &())
            .risk
    };
    assert_eq!(["GET", "HEAD"].map(risk), [Risk::Medium; 2]);
    assert_eq!(["POST", "PUT", "PATCH", "DELETE"].map(risk), [Risk::High; 4]);
}

#[tokio::test]
async fn the_preview_shows_the_request_without_the_secret() {
    let config = with(
        &config("https://api.example.com/base"),
        "auth_header",
        "Authorization",
    );
    let config = with(&config, "idempotency_window_s", Value::Integer(60));
    let args = tool()
        .normalise(value(
            r#"{"method":"POST","path":"/api/x","query":{"q":["a b","c"]},"body":"{}"}"#,
        ))
        .unwrap();
    let secret = SecretString::from("hunter2");
    let mut call = call(&args, Some(&config));
    call.secret = Some(&secret);
    let PreviewOutcome::Shown { content } = tool().preview(&call).await else {
        panic!("no preview");
    };
    insta::assert_snapshot!(text(&content));
}

// What comes of it

#[derive(Default)]
struct Seen {
    requests: Vec<String>,
}

/// Answers every connection with the same bytes; `None` is silence.
async fn server(answer: Option<String>) -> (u16, Arc<Mutex<Seen>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Arc::new(Mutex::new(Seen::default()));
    let shared = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            let mut buffer = [0; 4096];
            while !whole(&request) {
                match stream.read(&mut buffer).await {
                    Ok(0) | Err(_) => break,
                    Ok(length) => request.extend_from_slice(&buffer[..length]),
                }
            }
            if !request.is_empty() {
                shared
                    .lock()
                    .await
                    .requests
                    .push(String::from_utf8(request).unwrap());
            }
            match &answer {
                // A client that has heard enough may be gone.
                Some(answer) => drop(stream.write_all(answer.as_bytes()).await),
                None => core::future::pending::<()>().await,
            }
        }
    });
    (port, seen)
}

fn whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0)
}

fn answer(status: &str, more: &str, body: &str) -> Option<String> {
    Some(format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n{more}\r\n{body}",
        body.len()
    ))
}

async fn request(port: u16, json: &str, secret: Option<&str>) -> Ran {
    let mut config = config(&format!("http://127.0.0.1:{port}"));
    if secret.is_some() {
        config = with(&config, "auth_header", "Authorization");
        config = with(&config, "idempotency_window_s", Value::Integer(60));
    }
    let args = tool().normalise(value(json)).unwrap();
    let secret = secret.map(SecretString::from);
    let mut call = call(&args, Some(&config));
    call.deadline = Duration::from_secs(4);
    call.secret = secret.as_ref();
    executor::attempt(&tool(), &call).await
}

const POST: &str =
    r#"{"method":"POST","path":"/api/x","query":{"q":"a b"},"headers":{"X-Id":"1"},"body":"{\"a\":1}"}"#;
const GET: &str = r#"{"method":"GET","path":"/api/x"}"#;

#[tokio::test]
async fn the_request_is_the_one_on_the_card() {
    let (port, seen) = server(answer(
        "201 Created",
        "Content-Type: text/plain\r\n",
        "made Bearer hunter2 (hunter2)",
    ))
    .await;
    let ran = request(port, POST, Some("Bearer hunter2")).await;
    assert_eq!(
        (ran.outcome, ran.dispatched),
        (Outcome::Completed, true),
        "{ran:?}"
    );
    let result = text(&ran.result.unwrap());
    assert!(
        result.contains(r#""status":201"#) && result.contains(r#""text":"made [secret] ([secret])""#),
        "{result}"
    );
    let seen = seen.lock().await;
    let [sent] = seen.requests.as_slice() else {
        panic!("one request: {:?}", seen.requests);
    };
    assert!(sent.starts_with("POST /api/x?q=a+b HTTP/1.1\r\n"), "{sent}");
    assert!(sent.ends_with("\r\n\r\n{\"a\":1}"), "{sent}");
    let head = sent.to_lowercase();
    for line in [
        "authorization: bearer hunter2\r\n",
        "idempotency-key: 0192f3a4-0000-7000-8000-0123456789ab\r\n",
        "content-type: application/json\r\n",
        "x-id: 1\r\n",
    ] {
        assert!(head.contains(line), "{line} in {head}");
    }
}

#[tokio::test]
async fn the_status_says_what_became_of_it() {
    use Outcome::{Completed, Failed, Unknown};
    for (json, status, outcome) in [
        (GET, "200 OK", Completed),
        (GET, "404 Not Found", Failed),
        (GET, "302 Found", Failed),
        (GET, "500 Oops", Failed),
        (POST, "204 No Content", Completed),
        (POST, "400 Bad Request", Failed),
        (POST, "409 Conflict", Failed),
        (POST, "307 Temporary Redirect", Failed),
        (POST, "303 See Other", Unknown),
        (POST, "500 Oops", Unknown),
        (POST, "503 Busy", Unknown),
    ] {
        let (port, seen) = server(answer(status, "Location: http://127.0.0.1:1/\r\n", "")).await;
        let ran = request(port, json, None).await;
        assert_eq!(
            (ran.outcome, ran.dispatched),
            (outcome, true),
            "{status}: {ran:?}"
        );
        assert_eq!(seen.lock().await.requests.len(), 1, "{status} is not tried again");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (inside, reached) = server(answer("200 OK", "", "secret")).await;
    for status in [
        "301 Moved",
        "302 Found",
        "303 See Other",
        "307 Temporary",
        "308 Permanent",
    ] {
        let location = format!("Location: http://127.0.0.1:{inside}/api/x\r\n");
        let (port, _) = server(answer(status, &location, "")).await;
        let ran = request(port, GET, Some("Bearer hunter2")).await;
        assert_eq!(ran.outcome, Outcome::Failed, "{status}");
    }
    assert!(reached.lock().await.requests.is_empty());
}

#[tokio::test]
async fn no_answer_is_unknown_and_no_connection_is_failed() {
    let (port, _) = server(None).await;
    let silent = request(port, POST, None).await;
    assert_eq!(
        (silent.outcome, silent.dispatched),
        (Outcome::Unknown, true),
        "{silent:?}"
    );
    let (port, _) = server(Some(String::new())).await;
    let dropped = request(port, POST, None).await;
    assert_eq!(
        (dropped.outcome, dropped.dispatched),
        (Outcome::Unknown, true),
        "{dropped:?}"
    );
    let (port, _) = server(Some("nonsense\r\n\r\n".to_owned())).await;
    let nonsense = request(port, POST, None).await;
    assert_eq!(
        (nonsense.outcome, nonsense.dispatched),
        (Outcome::Unknown, true),
        "{nonsense:?}"
    );
    let free = TcpListener::bind(("127.0.0.1", 0))
        .await
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let absent = request(free, POST, None).await;
    assert_eq!(
        (absent.outcome, absent.dispatched),
        (Outcome::Failed, false),
        "{absent:?}"
    );
}

#[tokio::test]
async fn an_answer_is_read_up_to_a_mebibyte_and_its_status_counts_anyway() {
    let (port, _) = server(answer("200 OK", "", &"x".repeat(1024 * 1024 + 1))).await;
    let ran = request(port, POST, None).await;
    assert_eq!(ran.outcome, Outcome::Completed);
    let result = ran.result.unwrap();
    let result = result.as_object().unwrap();
    assert_eq!(result.get("cutOff"), Some(&Value::from(true)));
    assert_eq!(
        result.get("text").and_then(Value::as_str).map(str::len),
        Some(2_000)
    );
    let (port, _) = server(Some(
        "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort".to_owned(),
    ))
    .await;
    let ran = request(port, POST, None).await;
    assert_eq!(ran.outcome, Outcome::Completed, "the status was there: {ran:?}");
    assert!(text(&ran.result.unwrap()).contains(r#""cutOff":true"#));
}

#[tokio::test]
async fn a_test_of_the_connection_sends_no_request() {
    let (port, seen) = server(answer("200 OK", "", "")).await;
    test_connection(&config(&format!("http://127.0.0.1:{port}")))
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(seen.lock().await.requests.is_empty());
    let free = TcpListener::bind(("127.0.0.1", 0))
        .await
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    assert!(
        test_connection(&config(&format!("http://127.0.0.1:{free}")))
            .await
            .is_err()
    );
}

#[test]
fn a_proxy_in_the_environment_is_not_used() {
    // The environment belongs to the whole process, so another process runs the test.
    let mut test = std::process::Command::new(std::env::current_exe().unwrap());
    test.args(["--exact", "http::tests::the_request_is_the_one_on_the_card"]);
    for name in [
        "http_proxy",
        "HTTP_PROXY",
        "https_proxy",
        "HTTPS_PROXY",
        "all_proxy",
        "ALL_PROXY",
    ] {
        test.env(name, "http://127.0.0.1:9");
    }
    for name in ["no_proxy", "NO_PROXY"] {
        test.env_remove(name);
    }
    let output = test.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

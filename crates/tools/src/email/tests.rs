use std::{sync::Arc, time::Duration};

use countersign_domain::{Millis, record::Outcome};
use secrecy::SecretString;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader},
    net::TcpListener,
    sync::Mutex,
};

use super::*;
use crate::{
    connection::ConnectError,
    executor,
    testing::{call, text, value},
};

const MAIL: &str = r#"{"to":["ada@example.com","bob@example.com"],"cc":["cy@example.com"],
    "bcc":["dee@bücher.example"],"subject":"Grüße","body":".dot\nHello — how are you?\n.\n..\nBye"}"#;

fn tool() -> SendMail {
    SendMail::new().unwrap()
}

fn normal(json: &str) -> Result<Value, InputError> {
    tool().normalise(value(json))
}

fn config(port: u16) -> Value {
    value(&format!(
        r#"{{"from":"office@firm.example","host":"127.0.0.1","port":{port},"tls":"none"}}"#
    ))
}

// What goes in

#[test]
fn one_address_becomes_a_list_and_addresses_come_once() {
    let args = normal(
        r#"{"to":" Ada@Example.com ","cc":["x@y.example","X@Y.example"],"bcc":[],"subject":" Hi ","body":"a\r\nb"}"#,
    )
    .unwrap();
    assert_eq!(
        text(&args),
        r#"{"body":"a\nb","cc":["x@y.example"],"subject":"Hi","to":["Ada@example.com"]}"#
    );
}

#[test]
fn nothing_can_be_put_into_a_header_or_command() {
    for (json, field) in [
        (
            r#"{"to":"a@b.example\r\nBcc: eve@c.example","subject":"s","body":"b"}"#,
            "to/0",
        ),
        (
            r#"{"to":["a@b.example","a@b.example>\r\nRCPT TO:<e@c.example"],"subject":"s","body":"b"}"#,
            "to/1",
        ),
        (
            r#"{"to":"a@b.example","cc":"a@b.example\nX: y","subject":"s","body":"b"}"#,
            "cc/0",
        ),
        (
            r#"{"to":"a@b.example","bcc":"a@b.example\u0000","subject":"s","body":"b"}"#,
            "bcc/0",
        ),
        (
            r#"{"to":"a@b.example","subject":"s\r\nBcc: eve@c.example","body":"b"}"#,
            "subject",
        ),
        (
            r#"{"to":"a@b.example","subject":"s\rX: y","body":"b"}"#,
            "subject",
        ),
        (
            r#"{"to":"a@b.example","subject":"s\u0085X","body":"b"}"#,
            "subject",
        ),
        (r#"{"to":"a@b.example","subject":"s","body":"b\r.\r"}"#, "body"),
        (r#"{"to":"a@b.example","subject":"s","body":"b\u0000"}"#, "body"),
        (r#"{"to":"a@b.example","subject":"s","body":" \n "}"#, "body"),
        (r#"{"to":"a@b.example","subject":"  ","body":"b"}"#, "subject"),
        (r#"{"to":[],"subject":"s","body":"b"}"#, "to"),
    ] {
        assert_eq!(normal(json).unwrap_err().field.as_deref(), Some(field), "{json}");
    }
}

#[test]
fn a_mail_has_at_most_fifty_recipients_in_all() {
    let list = |from: usize, to: usize| {
        (from..to)
            .map(|n| format!("\"a{n}@b.example\""))
            .collect::<Vec<_>>()
            .join(",")
    };
    let mail = |to: &str, cc: &str| {
        normal(&format!(
            r#"{{"to":[{to}],"cc":[{cc}],"subject":"s","body":"b"}}"#
        ))
    };
    assert!(mail(&list(0, 25), &list(25, 50)).is_ok());
    assert_eq!(
        mail(&list(0, 25), &list(25, 51)).unwrap_err().field.as_deref(),
        Some("to")
    );
}

#[test]
fn a_new_recipient_or_a_foreign_domain_makes_it_high() {
    let args = normal(MAIL).unwrap();
    let all: std::collections::BTreeSet<String> = recipients(&args).into_iter().collect();
    let known = tool().assess(
        &normal(r#"{"to":"ADA@example.com","subject":"s","body":"b"}"#).unwrap(),
        &all,
    );
    assert_eq!(
        known.risk,
        Risk::Medium,
        "letter case does not make a recipient new"
    );
    let new = tool().assess(&args, &());
    assert_eq!(new.risk, Risk::High);
    assert_eq!(
        new.reasons.len(),
        5,
        "one reason for each new recipient, one for the domain: {new:?}"
    );
    let foreign = tool().assess(&args, &all);
    assert_eq!(foreign.risk, Risk::High);
    assert!(
        foreign.reasons[0].contains("xn--bcher-kva.example"),
        "{foreign:?}"
    );
}

// What goes out

#[test]
fn the_same_call_gives_the_same_bytes() {
    let (args, config) = (normal(MAIL).unwrap(), config(25));
    let call = call(&args, Some(&config));
    let (_, from) = sending(&call).unwrap();
    let build = || message::build(&Mail::read(&args).unwrap(), &from, call.proposal, call.now).unwrap();
    let built = build();
    assert_eq!(built.bytes, build().bytes);
    let mail = String::from_utf8(built.bytes).unwrap();
    assert!(
        !mail.replace("\r\n", "").contains(['\r', '\n']),
        "every line ends with CRLF"
    );
    assert!(!mail.contains("dee@"), "Bcc is in no header");
    let envelope: Vec<_> = built.envelope.to().iter().map(ToString::to_string).collect();
    assert_eq!(
        envelope,
        [
            "ada@example.com",
            "bob@example.com",
            "cy@example.com",
            "dee@xn--bcher-kva.example"
        ],
        "Bcc is in the envelope"
    );
    insta::assert_snapshot!(mail.replace("\r\n", "\n"));
}

#[tokio::test]
async fn the_preview_shows_the_mail_and_sends_nothing() {
    let (args, config) = (normal(MAIL).unwrap(), config(1));
    let PreviewOutcome::Shown { content } = tool().preview(&call(&args, Some(&config))).await else {
        panic!("no preview");
    };
    insta::assert_snapshot!(text(&content));
    let long = "x\n".repeat(37_000);
    let json = format!(
        r#"{{"to":"a@b.example","subject":"s","body":{}}}"#,
        text(&Value::from(long))
    );
    let args = normal(&json).unwrap();
    let PreviewOutcome::Shown { content } = tool().preview(&call(&args, Some(&config))).await else {
        panic!("no preview");
    };
    assert!(text(&content).len() < 1000, "the text is on the card, once");
}

// What comes of it

/// Where the little server does something else than take the mail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum At {
    Nowhere,
    SilentAtGreeting,
    RefusedAtGreeting,
    RefusedSender,
    RefusedRecipient,
    LostAtRecipient,
    RefusedData,
    DroppedInMail,
    DroppedAfterDot,
    SilentAfterDot,
    RefusedAfterDot,
    LaterAfterDot,
    NonsenseAfterDot,
    OddAfterDot,
    BadPassword,
}

#[derive(Default)]
struct Seen {
    commands: Vec<String>,
    mail: Option<String>,
}

async fn server(at: At) -> (u16, Arc<Mutex<Seen>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Arc::new(Mutex::new(Seen::default()));
    let shared = Arc::clone(&seen);
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        // A client that goes away in the middle is part of the test.
        let _ = dialogue(stream, at, &shared).await;
    });
    (port, seen)
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "everywhere else the little server is polite"
)]
async fn dialogue<S>(stream: S, at: At, seen: &Mutex<Seen>) -> std::io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut stream = BufReader::new(stream);
    match at {
        At::SilentAtGreeting => return core::future::pending().await,
        At::RefusedAtGreeting => return stream.write_all(b"554 go away\r\n").await,
        _ => stream.write_all(b"220 little server\r\n").await?,
    }
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 0 {
        let command = line.trim_end().to_owned();
        line.clear();
        seen.lock().await.commands.push(command.clone());
        let answer: &[u8] = match command.split([' ', ':']).next().unwrap() {
            "EHLO" => b"250-little server\r\n250 AUTH PLAIN\r\n",
            "AUTH" if at == At::BadPassword => b"535 wrong password\r\n",
            "AUTH" => b"235 welcome\r\n",
            "MAIL" if at == At::RefusedSender => b"553 not yours\r\n",
            "RCPT" if at == At::RefusedRecipient && command.contains("bob@") => {
                b"550 no such\x1b[31m user\r\n"
            }
            "RCPT" if at == At::LostAtRecipient => return Ok(()),
            "DATA" if at == At::RefusedData => b"554 not today\r\n",
            "DATA" if at == At::DroppedInMail => {
                stream.write_all(b"354 go on\r\n").await?;
                return Ok(());
            }
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await?;
                let mut mail = Vec::new();
                while !mail.ends_with(b"\r\n.\r\n") {
                    mail.push(stream.read_u8().await?);
                }
                seen.lock().await.mail = Some(String::from_utf8(mail).unwrap());
                match at {
                    At::DroppedAfterDot => return Ok(()),
                    At::SilentAfterDot => return core::future::pending().await,
                    At::RefusedAfterDot => b"550 spam\r\n",
                    At::LaterAfterDot => b"451 later\r\n",
                    At::NonsenseAfterDot => b"what?\r\n",
                    At::OddAfterDot => b"354 go on again\r\n",
                    _ => b"250 queued as 42\r\n",
                }
            }
            "QUIT" => b"221 bye\r\n",
            _ => b"250 fine\r\n",
        };
        stream.write_all(answer).await?;
    }
    Ok(())
}

async fn send(at: At, mail: &str) -> (Ran, Arc<Mutex<Seen>>) {
    let (port, seen) = server(at).await;
    let (args, mut config) = (normal(mail).unwrap(), config(port));
    let secret = SecretString::from("hunter2");
    if let (At::BadPassword, Value::Object(config)) = (at, &mut config) {
        config.insert("username", "office");
    }
    let mut call = call(&args, Some(&config));
    let silent = matches!(at, At::SilentAtGreeting | At::SilentAfterDot);
    call.deadline = Duration::from_secs(if silent { 2 } else { 20 });
    call.secret = Some(&secret);
    (executor::attempt(&tool(), &call).await, seen)
}

#[tokio::test]
async fn a_mail_that_is_taken_is_completed_and_arrives_as_written() {
    let (ran, seen) = send(At::Nowhere, MAIL).await;
    assert_eq!(
        (ran.outcome, ran.dispatched),
        (Outcome::Completed, true),
        "{ran:?}"
    );
    let id = "<0192f3a4-0000-7000-8000-0123456789ab@firm.example>";
    assert_eq!(ran.reference.as_deref(), Some(id));
    assert!(
        text(&ran.result.unwrap()).contains("queued as 42"),
        "the server's words are kept"
    );
    let seen = seen.lock().await;
    let rcpt = seen
        .commands
        .iter()
        .filter(|command| command.starts_with("RCPT"))
        .count();
    assert_eq!(rcpt, 4, "{:?}", seen.commands);
    let mail = seen.mail.clone().unwrap();
    assert!(mail.contains(&format!("Message-ID: {id}\r\n")));
    assert!(mail.contains("\r\n..dot\r\n"), "a leading dot is doubled: {mail}");
    assert!(!mail.contains("dee@"), "nobody sees a Bcc");
}

#[tokio::test]
async fn a_text_that_ends_with_its_line_gets_no_empty_one_more() {
    let whole = r#"{"to":["ada@example.com"],"subject":"One line","body":"Bye\n"}"#;
    let (_, seen) = send(At::Nowhere, whole).await;
    let mail = seen.lock().await.mail.clone().unwrap();
    assert!(mail.ends_with("\r\n\r\nBye\r\n.\r\n"), "{mail:?}");
}

#[tokio::test]
async fn before_the_final_dot_a_mail_is_failed_and_not_sent() {
    for (at, words) in [
        (At::SilentAtGreeting, "nothing had been sent"),
        (At::RefusedAtGreeting, "go away"),
        (At::BadPassword, "wrong password"),
        (At::RefusedSender, "not yours"),
        (At::RefusedRecipient, "bob@example.com"),
        (At::LostAtRecipient, "Nothing was sent"),
        (At::RefusedData, "not today"),
    ] {
        let (ran, seen) = send(at, MAIL).await;
        assert_eq!(
            (ran.outcome, ran.dispatched),
            (Outcome::Failed, false),
            "{at:?}: {ran:?}"
        );
        assert!(ran.summary.contains(words), "{at:?}: {}", ran.summary);
        assert!(
            !ran.summary.contains(['\u{1b}', '\r', '\n']),
            "{at:?}: the server's words are made harmless"
        );
        assert!(seen.lock().await.mail.is_none(), "{at:?}");
    }
}

#[tokio::test]
async fn one_refused_recipient_is_enough_for_nobody_to_get_the_mail() {
    let (_, seen) = send(At::RefusedRecipient, MAIL).await;
    let seen = seen.lock().await;
    assert!(
        !seen.commands.iter().any(|command| command == "DATA"),
        "{:?}",
        seen.commands
    );
}

#[tokio::test]
async fn a_server_that_is_not_there_is_failed_and_not_sent() {
    let port = {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        listener.local_addr().unwrap().port()
    };
    let (args, config) = (normal(MAIL).unwrap(), config(port));
    let ran = executor::attempt(&tool(), &call(&args, Some(&config))).await;
    assert_eq!((ran.outcome, ran.dispatched), (Outcome::Failed, false), "{ran:?}");
}

#[tokio::test]
async fn a_connection_lost_inside_the_mail_is_failed_and_not_sent() {
    // Long enough for more than one write: the first one after the loss is the one that nobody answers.
    let body = "all work and no play\\n".repeat(4_000);
    let mail = format!(r#"{{"to":"ada@example.com","subject":"s","body":"{body}"}}"#);
    let (ran, seen) = send(At::DroppedInMail, &mail).await;
    assert_eq!((ran.outcome, ran.dispatched), (Outcome::Failed, false), "{ran:?}");
    assert!(seen.lock().await.mail.is_none());
}

#[tokio::test]
async fn a_clear_no_after_the_final_dot_is_failed() {
    for at in [At::RefusedAfterDot, At::LaterAfterDot] {
        let (ran, _) = send(at, MAIL).await;
        assert_eq!(
            (ran.outcome, ran.dispatched),
            (Outcome::Failed, true),
            "{at:?}: {ran:?}"
        );
    }
}

#[tokio::test]
async fn anything_but_a_clear_answer_after_the_final_dot_is_unknown() {
    for at in [
        At::DroppedAfterDot,
        At::SilentAfterDot,
        At::NonsenseAfterDot,
        At::OddAfterDot,
    ] {
        let (ran, seen) = send(at, MAIL).await;
        assert_eq!(
            (ran.outcome, ran.dispatched),
            (Outcome::Unknown, true),
            "{at:?}: {ran:?}"
        );
        let seen = seen.lock().await;
        let mails = seen.commands.iter().filter(|command| *command == "DATA").count();
        assert_eq!(mails, 1, "{at:?} is not tried again");
    }
}

#[tokio::test]
async fn a_test_of_the_connection_sends_nothing() {
    let (port, seen) = server(At::Nowhere).await;
    test_connection(&config(port), None).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(seen.lock().await.commands, ["EHLO [127.0.0.1]", "NOOP", "QUIT"]);
    let (port, _) = server(At::BadPassword).await;
    let config = value(&format!(
        r#"{{"from":"o@firm.example","host":"127.0.0.1","port":{port},"tls":"none","username":"office"}}"#
    ));
    let refused = test_connection(&config, Some(&SecretString::from("x")))
        .await
        .unwrap_err();
    assert_eq!(refused.code, "auth");
    assert!(refused.message.contains("wrong password"));
}

#[tokio::test]
async fn a_server_without_starttls_never_sees_a_password() {
    let (port, seen) = server(At::Nowhere).await;
    let config = value(&format!(
        r#"{{"from":"o@firm.example","host":"localhost","port":{port},"tls":"starttls","username":"office"}}"#
    ));
    let refused = test_connection(&config, Some(&SecretString::from("x"))).await;
    assert!(refused.is_err(), "STARTTLS is required, not tried");
    assert!(
        !seen
            .lock()
            .await
            .commands
            .iter()
            .any(|command| command.starts_with("AUTH"))
    );
}

#[test]
fn a_mail_waits_ten_seconds_so_that_it_can_be_taken_back() {
    assert_eq!(tool().manifest().hold, Millis::seconds(10));
}

// Who is on the other end

/// Certificates of `localhost` and of another name, and their keys, as files for the process that trusts both.
const CERTIFICATES: &str = "COUNTERSIGN_TEST_CERTIFICATES";

#[test]
fn a_certificate_of_another_name_gets_no_password_and_no_mail() {
    let folder = tempfile::tempdir().unwrap();
    let mut trusted = String::new();
    for name in ["localhost", "other.example"] {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        trusted += &made.cert.pem();
        std::fs::write(folder.path().join(format!("{name}.der")), made.cert.der()).unwrap();
        std::fs::write(
            folder.path().join(format!("{name}.key")),
            made.signing_key.serialize_der(),
        )
        .unwrap();
    }
    let roots = folder.path().join("roots.pem");
    std::fs::write(&roots, trusted).unwrap();
    // What a process trusts is in its environment, so another process does it.
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "email::tests::with_trusted_certificates"])
        .env(CERTIFICATES, folder.path())
        .env("SSL_CERT_FILE", &roots)
        .env_remove("SSL_CERT_DIR")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test]
#[ignore = "run in a process of its own by the test above"]
async fn with_trusted_certificates() {
    let folder = std::path::PathBuf::from(std::env::var_os(CERTIFICATES).unwrap());
    let right = tls_attempt(&folder, "localhost").await;
    assert_eq!(
        right.0,
        Ok(()),
        "the certificates are trusted, so the name alone decides"
    );
    assert!(
        right.1.iter().any(|command| command.starts_with("AUTH")),
        "{:?}",
        right.1
    );
    let wrong = tls_attempt(&folder, "other.example").await;
    assert!(
        wrong
            .0
            .unwrap_err()
            .message
            .to_lowercase()
            .contains("certificate")
    );
    assert!(wrong.1.is_empty(), "not one command was sent: {:?}", wrong.1);
}

/// Tests a connection to `localhost` whose server shows the certificate of `name`.
async fn tls_attempt(folder: &std::path::Path, name: &str) -> (Result<(), ConnectError>, Vec<String>) {
    use tokio_rustls::rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivatePkcs8KeyDer},
    };
    let read = |kind: &str| std::fs::read(folder.join(format!("{name}.{kind}"))).unwrap();
    let tls = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from(read("der"))],
            PrivatePkcs8KeyDer::from(read("key")).into(),
        )
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(tls));
    let listener = TcpListener::bind(("localhost", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Arc::new(Mutex::new(Seen::default()));
    let shared = Arc::clone(&seen);
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        if let Ok(stream) = acceptor.accept(stream).await {
            // A client that goes away in the middle is part of the test.
            let _ = dialogue(stream, At::Nowhere, &shared).await;
        }
    });
    let config = value(&format!(
        r#"{{"from":"o@firm.example","host":"localhost","port":{port},"tls":"implicit","username":"office"}}"#
    ));
    let tested = test_connection(&config, Some(&SecretString::from("hunter2"))).await;
    server.await.unwrap();
    let commands = seen.lock().await.commands.clone();
    (tested, commands)
}

//! The port to which the browser comes back. On 127.0.0.1 alone; it takes one request that knows the state, and closes.

use std::{collections::BTreeMap, io, net::Ipv4Addr, sync::Arc, time::Duration};

use countersign_domain::wire::REDIRECT_PATH;
use reqwest::Url;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};

/// Most bytes of a request's head: codes of some providers are long.
const LONGEST: usize = 32 * 1024;
/// How long a visitor may take.
const TIME: Duration = Duration::from_secs(10);
/// Most visitors at once; more wait in the system's queue.
const VISITORS: usize = 16;

/// An open port.
pub(super) struct Loopback {
    listener: TcpListener,
    port: u16,
}

/// What the right request knows.
pub(super) struct Expected {
    pub(super) state: String,
    pub(super) issuer: String,
}

/// The right request came without a code.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Refused {
    /// The person or the provider said no.
    Denied,
    /// The provider's error code (RFC 6749 §4.1.2.1).
    Said(String),
    /// Another provider answers (RFC 9207), or nobody knows who.
    Foreign,
}

type Answer = Result<String, Refused>;

impl Loopback {
    pub(super) async fn open() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        Ok(Self { listener, port })
    }

    /// Where the browser is to come back to.
    pub(super) fn redirect_uri(&self) -> String {
        format!("http://{}:{}{REDIRECT_PATH}", Ipv4Addr::LOCALHOST, self.port)
    }

    /// Waits for the one request that knows the state. Whoever else comes is told nothing, and keeps nobody waiting.
    pub(super) async fn wait(self, expected: Expected) -> io::Result<Answer> {
        let expected = Arc::new(expected);
        let mut visitors = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept(), if visitors.len() < VISITORS => {
                    let (stream, _) = accepted?;
                    visitors.spawn(timeout(TIME, receive(stream, Arc::clone(&expected))));
                }
                Some(done) = visitors.join_next() => {
                    if let Ok(Ok(Ok(Some(answer)))) = done {
                        return Ok(answer);
                    }
                }
            }
        }
    }
}

/// Reads one request and answers it; what it brought, if it is ours.
async fn receive(mut stream: TcpStream, expected: Arc<Expected>) -> io::Result<Option<Answer>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= LONGEST || stream.read_buf(&mut head).await? == 0 {
            return Ok(None);
        }
    }
    let answer = str::from_utf8(&head).ok().and_then(|head| judge(head, &expected));
    // The answer counts even where the browser does not wait for its page.
    let _ = stream.write_all(reply(answer.as_ref()).as_bytes()).await;
    let _ = stream.shutdown().await;
    Ok(answer)
}

/// What a request brought; `None` when it does not know the state, or is none of ours at all.
fn judge(head: &str, expected: &Expected) -> Option<Answer> {
    let mut line = head.lines().next()?.split(' ');
    let (Some("GET"), Some(target), Some(_), None) = (line.next(), line.next(), line.next(), line.next())
    else {
        return None;
    };
    let url = Url::parse(&format!("http://{}{target}", Ipv4Addr::LOCALHOST)).ok()?;
    if !target.starts_with('/') || url.path() != REDIRECT_PATH {
        return None;
    }
    let mut brought = BTreeMap::new();
    for (name, value) in url.query_pairs() {
        if brought.insert(name, value).is_some() {
            return None;
        }
    }
    if brought
        .get("state")
        .is_none_or(|state| **state != *expected.state)
    {
        return None;
    }
    if brought
        .get("iss")
        .is_some_and(|issuer| **issuer != *expected.issuer)
    {
        return Some(Err(Refused::Foreign));
    }
    Some(match (brought.get("code"), brought.get("error")) {
        (Some(code), None) if !code.is_empty() => Ok(code.to_string()),
        (None, Some(error)) if error == "access_denied" => Err(Refused::Denied),
        (None, Some(error)) => Err(Refused::Said(shown(error))),
        (_, _) => Err(Refused::Foreign),
    })
}

/// An error code as it may be shown: it comes from outside.
fn shown(code: &str) -> String {
    let plain = code.chars().filter(|c| c.is_ascii_lowercase() || *c == '_');
    plain.take(60).collect()
}

fn reply(answer: Option<&Answer>) -> String {
    let (status, words) = match answer {
        Some(Ok(_)) => ("200 OK", "You can close this window and go on in Countersign."),
        Some(Err(_)) => (
            "200 OK",
            "You were not signed in. You can close this window; Countersign says more.",
        ),
        None => ("404 Not Found", "There is nothing here."),
    };
    let page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Countersign</title><p>{words}</p></html>\n"
    );
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {}\r\nconnection: close\r\n\
         cache-control: no-store\r\ncontent-security-policy: default-src 'none'\r\nreferrer-policy: no-referrer\r\n\
         x-content-type-options: nosniff\r\n\r\n{page}",
        page.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected() -> Expected {
        Expected {
            state: "right".to_owned(),
            issuer: "https://id.acme.example".to_owned(),
        }
    }

    fn judged(target: &str) -> Option<Answer> {
        judge(
            &format!("GET {target} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"),
            &expected(),
        )
    }

    #[test]
    fn only_a_request_that_knows_the_state_is_ours() {
        for foreign in [
            "/signed-in",
            "/signed-in?code=c",
            "/signed-in?code=c&state=",
            "/signed-in?code=c&state=wrong",
            "/signed-in?code=c&state=right&state=right",
            "/signed-in?code=c&code=d&state=right",
            "/signed-in/?code=c&state=right",
            "/elsewhere?code=c&state=right",
            "/favicon.ico",
            "@evil.example/signed-in?code=c&state=right",
            ":80/signed-in?code=c&state=right",
            "//evil.example/signed-in?code=c&state=right",
        ] {
            assert_eq!(judged(foreign), None, "{foreign}");
        }
        for head in [
            "",
            "\r\n",
            "POST /signed-in?code=c&state=right HTTP/1.1\r\n",
            "GET /signed-in?code=c&state=right\r\n",
        ] {
            assert_eq!(judge(head, &expected()), None, "{head}");
        }
    }

    #[test]
    fn the_right_request_brings_a_code_or_says_why_not() {
        let iss = "iss=https%3A%2F%2Fid.acme.example";
        for (query, answer) in [
            ("code=c%2B1".to_owned(), Ok("c+1".to_owned())),
            (format!("code=c&{iss}"), Ok("c".to_owned())),
            (
                "code=c&iss=https%3A%2F%2Fid.evil.example".to_owned(),
                Err(Refused::Foreign),
            ),
            ("error=access_denied".to_owned(), Err(Refused::Denied)),
            (
                "error=server_error%3Cb%3E".to_owned(),
                Err(Refused::Said("server_errorb".to_owned())),
            ),
            ("code=".to_owned(), Err(Refused::Foreign)),
            ("code=c&error=access_denied".to_owned(), Err(Refused::Foreign)),
            (String::new(), Err(Refused::Foreign)),
        ] {
            assert_eq!(
                judged(&format!("/signed-in?{query}&state=right")),
                Some(answer),
                "{query}"
            );
        }
    }

    #[tokio::test]
    async fn strangers_are_told_nothing_and_hold_up_nobody_and_the_port_closes_with_the_answer() {
        let port = Loopback::open().await.unwrap();
        let at = (Ipv4Addr::LOCALHOST, port.port);
        assert!(port.redirect_uri().starts_with("http://127.0.0.1:"));
        let waiting = tokio::spawn(port.wait(expected()));
        // One who says nothing, one who leaves, one with too much to say.
        let _silent = TcpStream::connect(at).await.unwrap();
        drop(TcpStream::connect(at).await.unwrap());
        let mut chatty = TcpStream::connect(at).await.unwrap();
        let _refused = chatty.write_all(&[b'x'; LONGEST + 1]).await;
        assert!(
            ask(at, "/signed-in?code=c&state=wrong")
                .await
                .starts_with("HTTP/1.1 404")
        );
        assert!(!waiting.is_finished());
        let page = ask(at, "/signed-in?code=c&state=right").await;
        assert!(page.contains("You can close this window"), "{page}");
        assert_eq!(waiting.await.unwrap().unwrap(), Ok("c".to_owned()));
        assert!(TcpStream::connect(at).await.is_err(), "nobody listens any more");
    }

    async fn ask(at: (Ipv4Addr, u16), target: &str) -> String {
        let mut stream = TcpStream::connect(at).await.unwrap();
        let request = format!("GET {target} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut page = String::new();
        stream.read_to_string(&mut page).await.unwrap();
        page
    }
}

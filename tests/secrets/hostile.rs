//! What the calls are made to: peers that say back whatever they are sent, which is what careless ones do.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use anyhow::Result;
use base64::{Engine as _, engine::general_purpose::STANDARD};

/// A peer on loopback that remembers what it was sent.
pub(crate) struct Peer {
    pub(crate) port: u16,
    got: Arc<Mutex<String>>,
}

impl Peer {
    /// A web server that answers with the request's own headers, also in one of its own.
    pub(crate) fn web() -> Result<Self> {
        Self::start(|stream, got| {
            let mut reader = BufReader::new(stream.try_clone()?);
            let (mut head, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line)? == 0 || line == "\r\n" {
                    break;
                }
                if let Some(value) = line.to_lowercase().strip_prefix("content-length: ") {
                    length = value.trim().parse()?;
                }
                head.push_str(&line);
            }
            reader.read_exact(&mut vec![0; length])?;
            remember(got, &head);
            let secret = head
                .lines()
                .find(|line| line.to_lowercase().starts_with("authorization"));
            let secret = secret.unwrap_or_default();
            let body = format!("You sent:\n{head}\nBase64: {}\n", STANDARD.encode(secret));
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain; got=\"{secret}\"\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len(),
            )?;
            Ok(())
        })
    }

    /// A mail server that refuses everybody, in the very words in which they signed in.
    pub(crate) fn mail() -> Result<Self> {
        Self::start(|stream, got| {
            let mut reader = BufReader::new(stream.try_clone()?);
            stream.write_all(b"220 mail.example ESMTP\r\n")?;
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line)? == 0 {
                    return Ok(());
                }
                remember(got, &line);
                let line = line.trim_end();
                let answer = if line.starts_with("EHLO") {
                    "250-mail.example\r\n250 AUTH PLAIN LOGIN\r\n".to_owned()
                } else if let Some(sent) = line.strip_prefix("AUTH PLAIN ") {
                    let plain = STANDARD.decode(sent).unwrap_or_default();
                    let plain = String::from_utf8_lossy(&plain).replace('\0', " ");
                    format!("535 5.7.8 Not taken: {sent} which is {plain}\r\n")
                } else {
                    "221 Bye\r\n".to_owned()
                };
                stream.write_all(answer.as_bytes())?;
            }
        })
    }

    fn start(answer: fn(&mut TcpStream, &Mutex<String>) -> Result<()>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let got = Arc::new(Mutex::default());
        let remembered = Arc::clone(&got);
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let got = Arc::clone(&remembered);
                // A caller that is gone is no trouble of the peer's.
                thread::spawn(move || answer(&mut stream, &got));
            }
        });
        Ok(Self { port, got })
    }

    /// Whether it was sent this, in any case.
    pub(crate) fn got(&self, text: &str) -> bool {
        let got = self.got.lock().unwrap_or_else(PoisonError::into_inner);
        got.to_lowercase().contains(&text.to_lowercase())
    }
}

fn remember(got: &Mutex<String>, text: &str) {
    got.lock().unwrap_or_else(PoisonError::into_inner).push_str(text);
}

//! A client that costs next to nothing, so that the server is what is measured: HTTP/1.1 with keep-alive, one request
//! at a time, answers with a length.

use anyhow::{Context, Result, bail};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// One kept connection with its headers.
pub(crate) struct Connection {
    stream: TcpStream,
    /// Host, credential and tenant, ready to send.
    headers: String,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: &str, headers: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            headers: format!("Host: {address}\r\n{headers}"),
            buffer: Vec::with_capacity(8192),
        })
    }

    pub(crate) async fn post(&mut self, path: &str, body: &str) -> Result<(u16, Vec<u8>)> {
        let request = format!(
            "POST {path} HTTP/1.1\r\n{}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.headers,
            body.len()
        );
        self.send(&request).await
    }

    /// Posts what has to succeed; an error says what was answered instead.
    pub(crate) async fn expect(&mut self, path: &str, body: &str) -> Result<Vec<u8>> {
        let (status, answer) = self.post(path, body).await?;
        anyhow::ensure!(
            status == 200,
            "{path}: {status} {}",
            String::from_utf8_lossy(&answer)
        );
        Ok(answer)
    }

    pub(crate) async fn get(&mut self, path: &str) -> Result<(u16, Vec<u8>)> {
        let request = format!("GET {path} HTTP/1.1\r\n{}\r\n", self.headers);
        self.send(&request).await
    }

    async fn send(&mut self, request: &str) -> Result<(u16, Vec<u8>)> {
        self.stream.write_all(request.as_bytes()).await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the server closed the connection");
            }
            if let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                return self.rest(end + 4).await;
            }
        }
    }

    async fn rest(&mut self, start: usize) -> Result<(u16, Vec<u8>)> {
        let head = std::str::from_utf8(&self.buffer[..start])?;
        let status = head.get(9..12).context("no status")?.parse()?;
        let length = head
            .lines()
            .find_map(|line| {
                line.to_ascii_lowercase()
                    .strip_prefix("content-length:")
                    .map(str::trim)
                    .map(str::to_owned)
            })
            .context("an answer without a length")?;
        let length: usize = length.parse()?;
        while self.buffer.len() < start + length {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the server closed the connection");
            }
        }
        Ok((status, self.buffer[start..start + length].to_vec()))
    }
}

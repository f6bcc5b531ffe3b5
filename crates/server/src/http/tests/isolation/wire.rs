//! Requests over real connections, and answers as the bytes that came.

use std::net::SocketAddr;

use axum::{
    body::Body,
    http::{Method, Request, header},
};
use futures::StreamExt as _;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use super::super::*;

/// A request, put together by whoever asks.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Value,
}

impl Sent {
    pub(super) fn header(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    pub(super) fn token(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    pub(super) fn tenant(self, tenant: TenantId) -> Self {
        self.header("x-tenant-id", tenant)
    }

    /// Over a connection of its own, as from behind another machine: the metrics are open to this one's.
    pub(super) async fn to(&self, address: SocketAddr) -> Came {
        let stream = TcpStream::connect(address).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        let connection = tokio::spawn(connection);
        let mut request = Request::builder()
            .method(self.method.clone())
            .uri(&self.path)
            .header(header::HOST, address.to_string())
            .header("x-forwarded-for", "192.0.2.1");
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let body = if self.body.is_null() {
            Body::empty()
        } else {
            request = request.header(header::CONTENT_TYPE, "application/json");
            Body::from(self.body.to_string())
        };
        let response = sender.send_request(request.body(body).unwrap()).await.unwrap();
        let (head, body) = response.into_parts();
        let mut pieces = Body::new(body).into_data_stream();
        let streams = head
            .headers
            .get(header::CONTENT_TYPE)
            .is_some_and(|media| media == "text/event-stream");
        let mut bytes = Vec::new();
        while let Some(piece) = pieces.next().await {
            bytes.extend_from_slice(&piece.unwrap());
            if streams {
                break; // it never ends by itself
            }
        }
        drop((pieces, sender));
        connection.abort();
        let mut headers: Vec<_> = head
            .headers
            .iter()
            .filter(|(name, _)| !["x-request-id", "date"].contains(&name.as_str()))
            .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
            .collect();
        headers.sort();
        Came {
            status: head.status.as_u16(),
            headers,
            body: bytes,
        }
    }
}

/// What came back: all of it but the request's own name and the time.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Came {
    pub(super) status: u16,
    headers: Vec<(String, Vec<u8>)>,
    pub(super) body: Vec<u8>,
}

impl std::fmt::Debug for Came {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.status, String::from_utf8_lossy(&self.body))
    }
}

impl Came {
    /// Everything that it says, also what was packed.
    pub(super) fn text(&self) -> String {
        let bytes = zstd::decode_all(&self.body[..]).unwrap_or_else(|_| self.body.clone());
        String::from_utf8_lossy(&bytes).into_owned()
    }

    pub(super) fn code(&self) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        body["code"].as_str().unwrap_or_default().to_owned()
    }
}

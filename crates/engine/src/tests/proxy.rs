//! Something between a device and its tenant: it notes what is asked, and may spoil a snapshot or an export on its way.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::header,
    response::Response,
};
use futures::stream;
use tokio::net::TcpListener;

use super::world::World;

/// What becomes of a packed snapshot.
pub(super) type Spoil = fn(Vec<u8>) -> Vec<u8>;

/// What becomes of an export after its first piece.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Rest {
    #[default]
    Comes,
    BreaksOff,
    Stalls,
}

pub(super) struct Proxy {
    pub(super) url: String,
    line: Arc<Line>,
}

struct Line {
    http: reqwest::Client,
    tenant: String,
    spoil: Spoil,
    asked: Mutex<Vec<String>>,
    exports: Mutex<Rest>,
}

impl Proxy {
    pub(super) async fn before(world: &World, spoil: Spoil) -> Self {
        let line = Arc::new(Line {
            http: reqwest::Client::new(),
            tenant: world.url.clone(),
            spoil,
            asked: Mutex::default(),
            exports: Mutex::default(),
        });
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
            .await
            .unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().fallback(forward).with_state(Arc::clone(&line));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, line }
    }

    /// From here on.
    pub(super) fn exports(&self, rest: Rest) {
        *self.line.exports.lock().unwrap() = rest;
    }

    /// Every path that was asked for, in order.
    pub(super) fn asked(&self) -> Vec<String> {
        self.line.asked.lock().unwrap().clone()
    }

    /// Whether the journal was pulled from its very first entry.
    pub(super) fn pulled_from_the_beginning(&self) -> bool {
        self.asked()
            .iter()
            .any(|path| path.starts_with("/api/journal?after=0&") && !path.ends_with("limit=0"))
    }
}

async fn forward(State(line): State<Arc<Line>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().unwrap().to_string();
    line.asked.lock().unwrap().push(path.clone());
    let mut headers = parts.headers;
    headers.remove(header::HOST);
    let answer = line
        .http
        .request(parts.method, format!("{}{path}", line.tenant))
        .headers(headers)
        .body(to_bytes(body, usize::MAX).await.unwrap())
        .send()
        .await
        .unwrap();
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    headers.remove(header::CONTENT_LENGTH);
    headers.remove(header::TRANSFER_ENCODING);
    let rest = if path.starts_with("/api/journal/export") {
        *line.exports.lock().unwrap()
    } else {
        Rest::Comes
    };
    let body = if path == "/api/snapshot" && status.is_success() {
        Body::from((line.spoil)(answer.bytes().await.unwrap().to_vec()))
    } else {
        // Piece by piece: the stream of hints has no end.
        Body::from_stream(stream::try_unfold(
            (answer, true),
            move |(mut answer, first)| async move {
                match rest {
                    Rest::BreaksOff if !first => {
                        // A pause, in which what came before is sent on.
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        return Err(io::Error::other("the line is dead"));
                    }
                    Rest::Stalls if !first => std::future::pending().await,
                    Rest::Comes | Rest::BreaksOff | Rest::Stalls => {}
                }
                let piece = answer.chunk().await.map_err(io::Error::other)?;
                Ok(piece.map(|piece| (piece, (answer, false))))
            },
        ))
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

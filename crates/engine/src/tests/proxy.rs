//! Something between a device and its tenant: it notes what is asked, and may spoil the snapshot on its way.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
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

pub(super) struct Proxy {
    pub(super) url: String,
    line: Arc<Line>,
}

struct Line {
    http: reqwest::Client,
    tenant: String,
    spoil: Spoil,
    asked: Mutex<Vec<String>>,
}

impl Proxy {
    pub(super) async fn before(world: &World, spoil: Spoil) -> Self {
        let line = Arc::new(Line {
            http: reqwest::Client::new(),
            tenant: world.url.clone(),
            spoil,
            asked: Mutex::default(),
        });
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
            .await
            .unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().fallback(forward).with_state(Arc::clone(&line));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, line }
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
    let body = if path == "/api/snapshot" && status.is_success() {
        Body::from((line.spoil)(answer.bytes().await.unwrap().to_vec()))
    } else {
        // Piece by piece: the stream of hints has no end.
        Body::from_stream(stream::try_unfold(answer, |mut answer| async move {
            Ok::<_, reqwest::Error>(answer.chunk().await?.map(|piece| (piece, answer)))
        }))
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

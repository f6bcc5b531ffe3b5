//! What holds of every request before anything looks at it: it was meant for this server (Host), it does not come from a
//! foreign page (Origin), and it has a name in the log.
//!
//! The Host check is what keeps a web page from reaching a loopback server through a name of its own (DNS rebinding).

use std::{collections::BTreeSet, net::IpAddr, sync::Arc, time::Instant};

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, header, uri::Scheme},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tracing::Instrument as _;

use super::error::ApiError;
use crate::random;

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The names under which the server answers.
#[derive(Clone, Debug)]
pub(crate) struct Guard(Arc<BTreeSet<String>>);

impl Guard {
    /// Loopback, the listening address where it names one machine, and what was given with `--host`.
    pub(crate) fn new(listening: Option<IpAddr>, hosts: &[String]) -> Self {
        let loopback = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        let address = listening
            .filter(|ip| !ip.is_unspecified())
            .map(|ip| ip.to_string());
        let given = hosts.iter().map(|host| host.to_ascii_lowercase());
        Self(Arc::new(
            loopback.into_iter().chain(address).chain(given).collect(),
        ))
    }

    fn check(&self, request: &Request) -> Result<(), ApiError> {
        let headers = request.headers();
        let host = one(headers, &header::HOST).ok_or_else(foreign_host)?;
        let name = host_name(host).ok_or_else(foreign_host)?;
        let uri = request.uri().authority().map(axum::http::uri::Authority::as_str);
        if !self.0.contains(&name) || uri.is_some_and(|uri| !uri.eq_ignore_ascii_case(host)) {
            return Err(foreign_host());
        }
        // No page of ours talks to this server, so only a page at this very address would not be foreign.
        let same = |origin: &str| {
            [Scheme::HTTP, Scheme::HTTPS].iter().any(|scheme| {
                origin
                    .strip_prefix(scheme.as_str())
                    .and_then(|rest| rest.strip_prefix("://"))
                    .is_some_and(|authority| authority.eq_ignore_ascii_case(host))
            })
        };
        match headers.contains_key(header::ORIGIN) {
            true if !one(headers, &header::ORIGIN).is_some_and(same) => Err(ApiError::forbidden(
                "foreign_origin",
                "Forbidden: Requests of web pages are not served",
            )),
            true | false => Ok(()),
        }
    }
}

fn foreign_host() -> ApiError {
    ApiError::forbidden(
        "foreign_host",
        "Forbidden: This server does not answer under that name; it is given with --host",
    )
}

/// The header's value, when there is exactly one.
fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let (value, None) = (values.next()?, values.next()) else {
        return None;
    };
    value.to_str().ok()
}

/// The name in a Host header, lower case, without port and brackets.
fn host_name(host: &str) -> Option<String> {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => {
            let (name, after) = rest.split_once(']')?;
            (
                name,
                if after.is_empty() {
                    None
                } else {
                    Some(after.strip_prefix(':')?)
                },
            )
        }
        None => match host.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (host, None),
        },
    };
    let port_fits = port.is_none_or(|port| port.parse::<u16>().is_ok());
    (port_fits && !name.is_empty()).then(|| name.to_ascii_lowercase())
}

/// Checks, names and answers a request. Nothing that it logs comes from the caller but the method: no query, no header,
/// no body.
pub(crate) async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let id = random::uuid().to_string();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("none", MatchedPath::as_str);
    let span = tracing::info_span!("request", id, method = %request.method(), route);
    let began = Instant::now();
    let answer = async {
        match guard.check(&request) {
            Ok(()) => next.run(request).await,
            Err(refusal) => refusal.into_response(),
        }
    };
    let mut response = answer.instrument(span.clone()).await;
    span.in_scope(|| {
        tracing::debug!(
            status = response.status().as_u16(),
            micros = began.elapsed().as_micros(),
            "answered"
        );
    });
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(&REQUEST_ID, id);
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn code(headers: &[(&str, &str)]) -> &'static str {
        let guard = Guard::new("192.0.2.7".parse().ok(), &["countersign.acme.example".to_owned()]);
        let mut request = Request::builder().uri("/api/health");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        match guard.check(&request.body(Body::empty()).unwrap()) {
            Ok(()) => "served",
            Err(error) if format!("{error:?}").contains("foreign_host") => "foreign host",
            Err(_) => "foreign origin",
        }
    }

    #[test]
    fn the_server_answers_under_its_own_names_only() {
        for own in [
            "localhost",
            "LOCALHOST:8080",
            "127.0.0.1:1",
            "[::1]",
            "[::1]:8080",
            "192.0.2.7:443",
            "countersign.acme.example",
            "Countersign.Acme.Example:443",
        ] {
            assert_eq!(code(&[("host", own)]), "served", "{own}");
        }
        for foreign in [
            "",
            "evil.example",
            "evil.example:8080",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "127.0.0.2",
            "localhost:",
            "localhost:80:80",
            "localhost:65536",
            "localhost@evil.example",
            "[::1",
            "[::1]x",
            "::1",
            "0.0.0.0",
        ] {
            assert_eq!(code(&[("host", foreign)]), "foreign host", "{foreign:?}");
        }
        assert_eq!(
            code(&[]),
            "foreign host",
            "a request that does not say whom it means is not ours"
        );
        assert_eq!(
            code(&[("host", "localhost"), ("host", "localhost")]),
            "foreign host",
            "two names are none"
        );
    }

    #[test]
    fn no_foreign_page_gets_through() {
        let with = |origin| code(&[("host", "localhost:8080"), ("origin", origin)]);
        assert_eq!(
            with("http://localhost:8080"),
            "served",
            "the same origin is not foreign"
        );
        for foreign in [
            "null",
            "",
            "http://localhost",
            "http://localhost:3000",
            "http://evil.example",
            "http://localhost:8080.evil.example",
            "https://localhost:8080@evil.example",
            "tauri://localhost",
        ] {
            assert_eq!(with(foreign), "foreign origin", "{foreign:?}");
        }
        let twice = [
            ("host", "localhost"),
            ("origin", "http://localhost"),
            ("origin", "http://localhost"),
        ];
        assert_eq!(code(&twice), "foreign origin", "two origins are not one");
    }

    #[test]
    fn a_whole_address_in_the_request_line_must_be_the_one_in_host() {
        let guard = Guard::new(None, &[]);
        let request = Request::builder()
            .uri("http://evil.example/api/health")
            .header("host", "localhost");
        assert!(
            guard.check(&request.body(Body::empty()).unwrap()).is_err(),
            "two names for one server"
        );
    }
}

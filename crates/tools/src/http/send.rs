//! One request over the wire: no proxy, no redirect, no retry, no connection that somebody used before.

use core::time::Duration;

use countersign_domain::{
    Digest,
    canonical::{Object, Value},
};
use reqwest::{
    Client, Response,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use secrecy::{ExposeSecret as _, SecretString};
use tower::util::{MapResponseLayer, MapResultLayer};
use url::Url;

use super::{Method, Request, address::Guarded, config::Target};
use crate::{Call, Dispatch, InputError, Ran, connection::ConnectError, redact::without, text::line};

/// How long connecting may take, with name look-up and TLS.
const CONNECT: Duration = Duration::from_secs(10);
/// Most bytes that are read of an answer.
const MAX_ANSWER: usize = 1024 * 1024;
/// Most characters of an answer that go into the result.
const SHOWN: usize = 2_000;

/// The URL that is sent. It differs from the base only below it: a test of this function is a test of every request.
pub(super) fn url(target: &Target, request: &Request) -> Result<Url, InputError> {
    let base = target.base.as_str().trim_end_matches('/');
    let mut url = Url::parse(&format!("{base}{}", request.path))
        .map_err(|_| InputError::field("path", "That is not a path."))?;
    if !request.query.is_empty() {
        let mut pairs = url.query_pairs_mut();
        for (name, values) in &request.query {
            for value in values.each() {
                pairs.append_pair(name, value);
            }
        }
    }
    let origin = (url.scheme(), url.host_str(), url.port_or_known_default());
    let wanted = (
        target.base.scheme(),
        target.base.host_str(),
        target.base.port_or_known_default(),
    );
    let path = format!("{}{}", target.base.path().trim_end_matches('/'), request.path);
    let clean = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    if origin == wanted && url.path() == path && clean {
        Ok(url)
    } else {
        Err(InputError::field(
            "path",
            "The path leaves the connection's origin.",
        ))
    }
}

/// Sends the request, once.
pub(super) async fn send(target: &Target, request: &Request, call: &Call<'_>) -> Ran {
    let prepared = url(target, request)
        .map_err(|error| error.message)
        .and_then(|url| Ok((url, headers(target, request, call)?)));
    let (url, headers) = match prepared {
        Ok(prepared) => prepared,
        Err(message) => return Ran::not_dispatched("invalid_input", message),
    };
    let dispatch = call.dispatch.clone();
    // A connection that stands is the last moment at which nothing has been sent.
    let marking = MapResponseLayer::new(move |connection| {
        dispatch.mark();
        connection
    });
    let client = match client(target).connector_layer(marking).build() {
        Ok(client) => client,
        Err(error) => return Ran::not_dispatched("tls", line(&chain(&error), 300)),
    };
    let mut builder = client.request(request.method.http(), url).headers(headers);
    if let Some(body) = &request.body {
        builder = builder.body(body.clone());
    }
    // Time to say what is known, before the executor only knows that time is up.
    let ends = tokio::time::Instant::now() + call.deadline.mul_f32(0.9);
    let answer = match tokio::time::timeout_at(ends, builder.send()).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => return lost(&error, call),
        Err(_elapsed) if call.dispatch.has_left() => {
            return Ran::unanswered(
                "timeout",
                "The request was sent and no answer came in time; whether it took effect is not known.",
            );
        }
        Err(_elapsed) => {
            return Ran::not_dispatched(
                "unreachable",
                "Nothing was sent: the server did not answer in time.",
            );
        }
    };
    let status = answer.status();
    let result = tokio::time::timeout_at(ends, read(answer, call.secret)).await;
    let result = result.unwrap_or_else(|_elapsed| Object::from_iter([("cutOff", Value::from(true))]));
    judge(request.method, status, result)
}

/// Looks the host up, connects and makes the connection private. Sends nothing.
///
/// # Errors
/// What did not work.
pub(super) async fn connects(target: &Target) -> Result<(), ConnectError> {
    let connected = Dispatch::default();
    let seen = connected.clone();
    let marking = MapResponseLayer::new(move |connection| {
        seen.mark();
        connection
    });
    let client = client(target)
        .connector_layer(marking)
        .connector_layer(MapResultLayer::new(stop))
        .build()
        .map_err(|error| ConnectError::new("tls", line(&chain(&error), 300)))?;
    match client.get(target.base.clone()).send().await {
        Err(error) if !connected.has_left() => Err(ConnectError::new(
            "unreachable",
            format!("The server cannot be reached: {}", line(&chain(&error), 300)),
        )),
        Ok(_) | Err(_) => Ok(()),
    }
}

type BoxError = Box<dyn core::error::Error + Send + Sync>;

/// Takes a connection away before anything is sent over it.
fn stop<C>(connected: Result<C, BoxError>) -> Result<C, BoxError> {
    connected.and_then(|_| Err("only a test of the connection".into()))
}

fn client(target: &Target) -> reqwest::ClientBuilder {
    Client::builder()
        .connect_timeout(CONNECT)
        .dns_resolver(Guarded(target.reach))
        .http1_only()
        .https_only(target.base.scheme() == "https")
        .no_proxy()
        .pool_max_idle_per_host(0)
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .retry(reqwest::retry::never())
        .user_agent(concat!("countersign/", env!("CARGO_PKG_VERSION")))
}

fn headers(target: &Target, request: &Request, call: &Call<'_>) -> Result<HeaderMap, String> {
    let name = |name: &str| HeaderName::try_from(name).map_err(|error| error.to_string());
    let mut headers = HeaderMap::new();
    for (key, value) in &request.headers {
        headers.insert(
            name(key)?,
            HeaderValue::try_from(value).map_err(|error| error.to_string())?,
        );
    }
    if let Some(content_type) = &request.content_type {
        let value = HeaderValue::try_from(content_type).map_err(|error| error.to_string())?;
        headers.insert(reqwest::header::CONTENT_TYPE, value);
    }
    if target.config.idempotency_window_s.is_some() {
        let value = HeaderValue::try_from(call.proposal.to_string()).map_err(|error| error.to_string())?;
        headers.insert(name("idempotency-key")?, value);
    }
    if let Some(auth) = &target.config.auth_header {
        let secret = call.secret.ok_or("The secret of this connection is not here.")?;
        let mut value = HeaderValue::try_from(secret.expose_secret())
            .map_err(|_| "The secret of this connection cannot be sent in a header.")?;
        value.set_sensitive(true);
        headers.insert(name(auth)?, value);
    }
    Ok(headers)
}

/// No answer came.
fn lost(error: &reqwest::Error, call: &Call<'_>) -> Ran {
    let why = line(&chain(error), 300);
    if call.dispatch.has_left() {
        Ran::unanswered(
            "no_reply",
            format!("The request was sent and the connection lost before an answer: {why}"),
        )
    } else {
        Ran::not_dispatched(
            "unreachable",
            format!("Nothing was sent: the server cannot be reached: {why}"),
        )
    }
}

/// What the answer says of the effect.
fn judge(method: Method, status: reqwest::StatusCode, result: Object) -> Ran {
    let mut result = result;
    result.insert("status", i64::from(status.as_u16()));
    let said = format!("The server answered {status}");
    let ran = match status.as_u16() {
        200..=299 => Ran::completed(said),
        // It says that nothing was done here; the request is not sent to where it points.
        304 | 307 | 308 => Ran::refused("redirected", format!("{said}; redirects are not followed.")),
        300..=399 if method.is_safe() => {
            Ran::refused("redirected", format!("{said}; redirects are not followed."))
        }
        400..=499 => Ran::refused("refused", said),
        500..=599 if method.is_safe() => Ran::refused("server_error", said),
        _ => Ran::unknown(
            "server_error",
            format!("{said}; whether the request took effect is not known."),
        ),
    };
    ran.with_result(result)
}

/// Type, size, digest and beginning of an answer. Never logged.
async fn read(mut answer: Response, secret: Option<&SecretString>) -> Object {
    // Here, since what is cut cannot be found any more.
    let clean = |text: &str| secret.map_or_else(|| text.to_owned(), |secret| without(text, secret));
    let content_type = answer
        .headers()
        .get(reqwest::header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .map(|value| line(&clean(value), 200));
    let mut bytes = Vec::new();
    let mut cut_off = false;
    loop {
        match answer.chunk().await {
            Ok(Some(chunk)) if bytes.len() + chunk.len() <= MAX_ANSWER => bytes.extend_from_slice(&chunk),
            Ok(None) => break,
            Ok(Some(_)) | Err(_) => {
                cut_off = true;
                break;
            }
        }
    }
    let mut result = Object::new();
    if let Some(content_type) = content_type {
        result.insert("contentType", content_type);
    }
    if cut_off {
        result.insert("cutOff", true);
    }
    result.insert("bytes", i64::try_from(bytes.len()).unwrap_or(i64::MAX));
    result.insert("sha256", Digest::of(&bytes).to_string());
    let text = String::from_utf8_lossy(&bytes);
    result.insert("text", clean(&text).chars().take(SHOWN).collect::<String>());
    result
}

/// An error with its causes: the outermost alone says little.
fn chain(error: &dyn core::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

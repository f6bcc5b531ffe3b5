//! `http.request`: one request to an allow-listed origin.
//!
//! `opaque`, or `idempotent` when the connection declares for how long the other side knows an `Idempotency-Key` again
//! (draft-ietf-httpapi-idempotency-key-header). The host never comes from the arguments.

mod address;
mod config;
mod headers;
mod path;
mod send;

use std::collections::BTreeMap;

use async_trait::async_trait;
use countersign_domain::{
    Millis,
    canonical::{Object, Value},
    manifest::{CardField, Idempotency, Manifest, Shape},
    record::{ConnectionKind, EffectClass, PreviewOutcome, Risk},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::config::Target;
use crate::{
    Assessment, Call, Facts, InputError, Ran, RegistryError, Tool, connection::ConnectError, schema,
};

pub use config::HttpConfig;

/// Most headers of one request, and most names in its query.
const MAX_PAIRS: usize = 50;

/// Sends one HTTP request.
#[derive(Debug)]
pub struct HttpRequest {
    manifest: Manifest,
}

/// The method of a request.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
}

/// A request below the connection's base URL.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Request {
    method: Method,
    /// The path below the connection's base URL, beginning with a slash, without query.
    #[schemars(length(min = 1, max = 2000))]
    path: String,
    /// The query: each name with one value or a list of them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = MAX_PAIRS))]
    query: BTreeMap<String, Values>,
    /// Further headers; those that frame, route or sign a request cannot be set.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = MAX_PAIRS))]
    headers: BTreeMap<String, String>,
    /// The exact text to send.
    #[schemars(length(max = 100_000))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    body: Option<String>,
    /// The body's media type; of JSON text and other text it is found out.
    #[schemars(length(max = 200))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    content_type: Option<String>,
}

/// One value or a list of them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Values {
    One(#[schemars(length(max = 2000))] String),
    Many(#[schemars(length(min = 1, max = 50), inner(length(max = 2000)))] Vec<String>),
}

/// Looks a connection's host up, connects and makes the connection private. Sends no request.
///
/// # Errors
/// The first step that did not work.
pub async fn test_connection(config: &Value) -> Result<(), ConnectError> {
    send::connects(&Target::read(config)?).await
}

impl HttpRequest {
    /// The tool.
    ///
    /// # Errors
    /// When its schema is outside the canonical profile.
    pub fn new() -> Result<Self, RegistryError> {
        let field = |arg: &str, label: &str, shape| CardField {
            arg: arg.to_owned(),
            label: label.to_owned(),
            shape,
        };
        Ok(Self {
            manifest: Manifest {
                card: vec![
                    field("method", "Method", Shape::Method),
                    field("path", "Address", Shape::Url),
                    field("query", "Query", Shape::Pairs),
                    field("headers", "Headers", Shape::Pairs),
                    field("contentType", "Content type", Shape::Line),
                    field("body", "Body", Shape::Code),
                ],
                confirm: None,
                connection: Some(ConnectionKind::Http),
                description:
                    "Sends one HTTP request to the origin of a connection, to paths and with methods that \
                              the connection allows. Redirects are not followed."
                        .to_owned(),
                effect: EffectClass::Opaque,
                hold: Millis::seconds(10),
                id: "http.request".to_owned(),
                idempotency: Idempotency::IdempotencyKey,
                money: false,
                risk: Risk::Medium,
                schema: schema::of::<Request>()?,
                sentence: "Send a {method} request to {path}".to_owned(),
                title: "HTTP Request".to_owned(),
                version: "1.0.0".to_owned(),
            },
        })
    }
}

#[async_trait]
impl Tool for HttpRequest {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn normalise(&self, input: Value) -> Result<Value, InputError> {
        Request::read(&input)?.to_args()
    }

    fn assess(&self, args: &Value, _facts: &dyn Facts) -> Assessment {
        let method = Request::read(args).map_or(Method::Delete, |request| request.method);
        let (risk, reason) = match method {
            Method::Get | Method::Head => (
                Risk::Medium,
                "It asks the other side to change nothing, and tells it what is in the address.",
            ),
            Method::Post | Method::Put | Method::Patch => {
                (Risk::High, "It can change things at the other side.")
            }
            Method::Delete => (Risk::High, "It asks the other side to delete something."),
        };
        Assessment {
            risk,
            reasons: vec![reason.to_owned()],
        }
    }

    fn check_connection(&self, config: &Value) -> Result<(), InputError> {
        Target::read(config).map(drop)
    }

    fn check_call(&self, args: &Value, config: &Value) -> Result<(), InputError> {
        let (request, target) = (Request::read(args)?, Target::read(config)?);
        if !target.config.allowed_methods.contains(&request.method) {
            return Err(InputError::field(
                "method",
                "The connection does not allow that method.",
            ));
        }
        if !target.allows(&request.path) {
            return Err(InputError::field(
                "path",
                "The connection does not allow that path.",
            ));
        }
        if let Some(auth) = &target.config.auth_header
            && let Some(name) = request
                .headers
                .keys()
                .find(|name| name.eq_ignore_ascii_case(auth))
        {
            return Err(InputError::field(
                format!("headers/{name}"),
                "The connection sets that header.",
            ));
        }
        send::url(&target, &request).map(drop)
    }

    fn effect(&self, config: Option<&Value>) -> EffectClass {
        if config.and_then(|config| self.key_window(config)).is_some() {
            EffectClass::Idempotent
        } else {
            EffectClass::Opaque
        }
    }

    fn key_window(&self, config: &Value) -> Option<Millis> {
        let target = Target::read(config).ok()?;
        target.config.idempotency_window_s.map(Millis::seconds)
    }

    fn needs_secret(&self, config: &Value) -> bool {
        Target::read(config).is_ok_and(|target| target.config.auth_header.is_some())
    }

    fn reference(&self, call: &Call<'_>) -> Option<String> {
        let declared = self.effect(call.config) == EffectClass::Idempotent;
        declared.then(|| call.proposal.to_string())
    }

    async fn preview(&self, call: &Call<'_>) -> PreviewOutcome {
        match shown(call) {
            Ok(content) => PreviewOutcome::Shown { content },
            Err(error) => PreviewOutcome::Unavailable {
                reason: error.message,
            },
        }
    }

    async fn run(&self, call: &Call<'_>) -> Ran {
        let ready = Request::read(call.args).and_then(|request| Ok((request, target(call)?)));
        match ready {
            Ok((request, target)) => send::send(&target, &request, call).await,
            Err(error) => Ran::not_dispatched("invalid_input", error.message),
        }
    }
}

fn target(call: &Call<'_>) -> Result<Target, InputError> {
    let config = call
        .config
        .ok_or_else(|| InputError::whole("There is no connection to send through."))?;
    Target::read(config)
}

/// The request line by line, without its body, which is on the card whole.
fn shown(call: &Call<'_>) -> Result<Value, InputError> {
    let (request, target) = (Request::read(call.args)?, target(call)?);
    let line = |name: &str, value: String| Value::from(Object::from_iter([(name, value)]));
    let url = send::url(&target, &request)?;
    let mut lines = vec![
        line("Through", call.connection.unwrap_or("the connection").to_owned()),
        line("Request", format!("{} {url}", request.method.http())),
    ];
    for (name, value) in &request.headers {
        lines.push(line(name, value.clone()));
    }
    if let Some(content_type) = &request.content_type {
        lines.push(line("content-type", content_type.clone()));
    }
    if target.config.idempotency_window_s.is_some() {
        lines.push(line("idempotency-key", call.proposal.to_string()));
    }
    if let Some(auth) = &target.config.auth_header {
        lines.push(line(
            &auth.to_ascii_lowercase(),
            "the connection's secret".to_owned(),
        ));
    }
    if let Some(body) = &request.body {
        lines.push(line("Body", format!("{} bytes, as on the card", body.len())));
    }
    Ok(Value::from(lines))
}

impl Method {
    /// Whether it asks for no change (RFC 9110 §9.2.1).
    const fn is_safe(self) -> bool {
        matches!(self, Self::Get | Self::Head)
    }

    const fn http(self) -> reqwest::Method {
        match self {
            Self::Get => reqwest::Method::GET,
            Self::Head => reqwest::Method::HEAD,
            Self::Post => reqwest::Method::POST,
            Self::Put => reqwest::Method::PUT,
            Self::Patch => reqwest::Method::PATCH,
            Self::Delete => reqwest::Method::DELETE,
        }
    }
}

impl Values {
    fn each(&self) -> impl Iterator<Item = &str> {
        match self {
            Self::One(value) => core::slice::from_ref(value),
            Self::Many(values) => values.as_slice(),
        }
        .iter()
        .map(String::as_str)
    }
}

impl Request {
    /// Reads and checks an input, or arguments that were normalised before.
    fn read(input: &Value) -> Result<Self, InputError> {
        let input: Self = schema::typed(input)?;
        let path = path::normalise(&input.path).map_err(|why| InputError::field("path", why))?;
        let mut headers = BTreeMap::new();
        for (name, value) in &input.headers {
            let (name, value) = headers::normalise(name, value)?;
            let field = format!("headers/{name}");
            if headers.insert(name, value).is_some() {
                return Err(InputError::field(field, "That header is there twice."));
            }
        }
        if input.query.keys().any(|name| name.is_empty() || name.len() > 200) {
            return Err(InputError::field(
                "query",
                "A name in a query has between 1 and 200 bytes.",
            ));
        }
        if input.body.is_some() && input.method.is_safe() {
            return Err(InputError::field("body", "A request of that method has no body."));
        }
        let content_type = match (&input.body, input.content_type) {
            (None, None) => None,
            (None, Some(_)) => {
                return Err(InputError::field(
                    "contentType",
                    "There is no body of which this is the type.",
                ));
            }
            (Some(body), None) => Some(found_type(body).to_owned()),
            (Some(_), Some(given)) => Some(media_type(&given)?),
        };
        Ok(Self {
            method: input.method,
            path,
            query: input.query,
            headers,
            body: input.body,
            content_type,
        })
    }

    fn to_args(&self) -> Result<Value, InputError> {
        let wrong = |error: &dyn core::fmt::Display| InputError::whole(error.to_string());
        let bytes = serde_json::to_vec(self).map_err(|error| wrong(&error))?;
        countersign_domain::canonical::parse(&bytes).map_err(|error| wrong(&error))
    }
}

fn found_type(body: &str) -> &'static str {
    if serde_json::from_str::<serde::de::IgnoredAny>(body).is_ok() {
        "application/json"
    } else {
        "text/plain; charset=utf-8"
    }
}

fn media_type(text: &str) -> Result<String, InputError> {
    let text = text.trim();
    let plain = text.bytes().all(|byte| (0x20..0x7F).contains(&byte));
    let kind = text.split(';').next().unwrap_or_default().trim_end();
    let typed = kind
        .split_once('/')
        .is_some_and(|(kind, sub)| headers::is_token(kind) && headers::is_token(sub));
    if plain && typed {
        Ok(text.to_owned())
    } else {
        Err(InputError::field("contentType", "That is not a media type."))
    }
}

#[cfg(test)]
mod tests;

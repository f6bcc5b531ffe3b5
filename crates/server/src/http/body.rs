//! Reading request bodies and queries: size, media type, JSON, shape, in this order, each with its own answer.

use std::time::Duration;

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, OptionalFromRequest, Request, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header, request::Parts},
    response::IntoResponse,
};
use serde::de::DeserializeOwned;

use super::error::ApiError;

/// How long a body may take to arrive: whoever sends it byte by byte holds a connection, not for ever.
const ARRIVAL: Duration = Duration::from_secs(30);

/// A JSON object of the call's shape. The route's body limit holds before a byte of it is parsed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Json<T>(pub(crate) T);

impl<T, S> FromRequest<S> for Json<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let media = check_media_type(request.headers());
        let bytes = read(request, state).await?;
        media?;
        parse(&bytes).map(Self)
    }
}

/// No body at all is `None`: for calls whose every field may be left out.
impl<T, S> OptionalFromRequest<S> for Json<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Option<Self>, ApiError> {
        let media = check_media_type(request.headers());
        let bytes = read(request, state).await?;
        if bytes.is_empty() {
            return Ok(None);
        }
        media?;
        parse(&bytes).map(Self).map(Some)
    }
}

async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, ApiError> {
    let arrived = tokio::time::timeout(ARRIVAL, Bytes::from_request(request, state)).await;
    let arrived = arrived.map_err(|_| ApiError::timed_out())?;
    arrived.map_err(|rejection: BytesRejection| {
        if rejection.into_response().status() == StatusCode::PAYLOAD_TOO_LARGE {
            ApiError::too_large()
        } else {
            ApiError::bad_request("invalid_json", "Bad Request: The body did not arrive whole")
        }
    })
}

/// The seed does not look at the media type; absent stays accepted, another one is not (R16: content-type confusion).
fn check_media_type(headers: &HeaderMap) -> Result<(), ApiError> {
    if headers
        .get(header::CONTENT_ENCODING)
        .is_some_and(|encoding| encoding != "identity")
    {
        return Err(ApiError::unsupported_media_type());
    }
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let Some(value) = values.next() else { return Ok(()) };
    let essence = value
        .to_str()
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim();
    if values.next().is_none() && essence.eq_ignore_ascii_case("application/json") {
        Ok(())
    } else {
        Err(ApiError::unsupported_media_type())
    }
}

/// Reads a JSON object, and says of one that does not fit which field is at fault.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    // A struct would also be read from an array, field by field in order: only an object has names.
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(invalid_json());
    }
    serde_json::from_slice(bytes).map_err(|_| explain::<T>(bytes))
}

/// Reads it again, this time with an eye on where it goes wrong: the good case does not pay for that.
fn explain<T: DeserializeOwned>(bytes: &[u8]) -> ApiError {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let failure = match serde_path_to_error::deserialize::<_, T>(&mut reader) {
        Ok(_) => return invalid_json(), // something follows the object
        Err(failure) => failure,
    };
    let path = failure.path().iter().map(segment).collect::<Vec<_>>();
    let error = failure.into_inner();
    if !error.is_data() {
        return invalid_json();
    }
    // serde has no other way to tell these apart, and names the field between back-quotes.
    let text = error.to_string();
    let named = text.split('`').nth(1).unwrap_or_default();
    let within = |name: &str| {
        let mut path = path.clone();
        if path.last().is_none_or(|last| last != name) {
            path.push(name.to_owned());
        }
        path.join(".")
    };
    if text.starts_with("missing field") {
        ApiError::missing(&within(named))
    } else if text.starts_with("unknown field") {
        let field = within(named);
        ApiError::bad_request(
            "unknown_field",
            format!("Bad Request: Unknown '{}' field", shown(&field)),
        )
        .with_field(shown(&field))
    } else if text.starts_with("duplicate field") {
        let field = within(named);
        ApiError::bad_request(
            "duplicate_field",
            format!("Bad Request: Duplicate '{field}' field"),
        )
        .with_field(field)
    } else if path.is_empty() {
        ApiError::bad_request("invalid_field", "Bad Request: The fields do not fit together")
    } else {
        ApiError::missing(&shown(&path.join(".")))
    }
}

fn segment(segment: &serde_path_to_error::Segment) -> String {
    match segment {
        serde_path_to_error::Segment::Seq { index } => index.to_string(),
        serde_path_to_error::Segment::Map { key } => key.clone(),
        serde_path_to_error::Segment::Enum { variant } => variant.clone(),
        serde_path_to_error::Segment::Unknown => "?".to_owned(),
    }
}

/// A name that the caller chose, short enough to say back.
fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(100).collect()
}

fn invalid_json() -> ApiError {
    ApiError::bad_request("invalid_json", "Bad Request: Invalid JSON body")
}

/// The query string as a struct.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Query<T>(pub(crate) T);

impl<T, S> FromRequestParts<S> for Query<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match axum::extract::Query::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(query)) => Ok(Self(query)),
            Err(rejection) => {
                let text = rejection.body_text();
                let reason = text.rsplit(": ").next().unwrap_or_default();
                let message = format!("Bad Request: The query does not fit: {}", shown(reason));
                Err(ApiError::bad_request("invalid_query", message))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use countersign_domain::wire::{CreateAgent, ErrorBody, MAX_BODY, Propose, SignIn};

    use super::*;

    async fn body_of(error: ApiError) -> ErrorBody {
        let bytes = axum::body::to_bytes(error.into_response().into_body(), MAX_BODY)
            .await
            .unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    async fn refusal<T: DeserializeOwned + std::fmt::Debug>(text: &str) -> (String, String, Option<String>) {
        let body = body_of(parse::<T>(text.as_bytes()).unwrap_err()).await;
        (body.code, body.error, body.field)
    }

    #[tokio::test]
    async fn what_is_not_a_json_object_is_refused_as_such() {
        let two = r#"{"email":"a","password":"b"}{}"#;
        for text in [
            two,
            "",
            "null",
            "[]",
            "[\"a@b.example\",\"secret\"]",
            "3",
            "\"x\"",
            "{",
            "{]",
            "\u{feff}{}",
        ] {
            let (code, error, _) = refusal::<SignIn>(text).await;
            let expected = ("invalid_json", "Bad Request: Invalid JSON body");
            assert_eq!(
                (code.as_str(), error.as_str()),
                expected,
                "{text:?} is no object with names"
            );
        }
    }

    #[tokio::test]
    async fn a_field_that_does_not_fit_is_named() {
        let missing = "Bad Request: Missing or invalid 'password' field";
        for (text, code, error, field) in [
            (r#"{"email":"a"}"#, "invalid_field", missing, "password"),
            (
                r#"{"email":"a","password":1}"#,
                "invalid_field",
                missing,
                "password",
            ),
            (
                r#"{"email":"a","password":null}"#,
                "invalid_field",
                missing,
                "password",
            ),
            (
                r#"{"email":"a","password":"b","x":1}"#,
                "unknown_field",
                "Bad Request: Unknown 'x' field",
                "x",
            ),
            (
                r#"{"email":"a","email":"b","password":"b"}"#,
                "duplicate_field",
                "Bad Request: Duplicate 'email' field",
                "email",
            ),
        ] {
            let expected = (code.to_owned(), error.to_owned(), Some(field.to_owned()));
            assert_eq!(refusal::<SignIn>(text).await, expected, "{text}");
        }
    }

    #[tokio::test]
    async fn numbers_that_other_readers_would_round_are_refused() {
        for number in ["9007199254740993", "1e400", "0.5", "-0.0"] {
            let text = format!(r#"{{"toolId":"t","input":{{"n":{number}}}}}"#);
            let (code, _, field) = refusal::<Propose>(&text).await;
            assert!(
                code == "invalid_json" || field.is_some_and(|field| field.starts_with("input")),
                "{number} must not be taken for another number"
            );
        }
        let (_, _, field) = refusal::<Propose>(r#"{"toolId":"t","input":{"a":1,"a":2}}"#).await;
        assert!(
            field.is_some_and(|field| field.starts_with("input")),
            "two equal names are two meanings"
        );
    }

    #[tokio::test]
    async fn only_json_is_taken_for_json() {
        async fn sent(content_type: Option<&str>) -> Result<(), StatusCode> {
            let mut request = Request::builder().uri("/");
            if let Some(content_type) = content_type {
                request = request.header("content-type", content_type);
            }
            let request = request.body(Body::from(r#"{"name":"bot"}"#)).unwrap();
            let answer = <Json<CreateAgent> as FromRequest<()>>::from_request(request, &()).await;
            answer.map(|_| ()).map_err(|error| error.into_response().status())
        }
        for fine in [
            None,
            Some("application/json"),
            Some("Application/JSON; charset=utf-8"),
        ] {
            assert_eq!(sent(fine).await, Ok(()), "{fine:?}");
        }
        for other in [
            "text/plain",
            "multipart/form-data",
            "application/x-www-form-urlencoded",
            "",
            "application/jsonx",
        ] {
            assert_eq!(
                sent(Some(other)).await,
                Err(StatusCode::UNSUPPORTED_MEDIA_TYPE),
                "{other:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_body_that_is_too_large_is_refused_before_it_is_parsed() {
        use axum::extract::DefaultBodyLimit;
        use tower::ServiceExt as _;

        let router = axum::Router::new()
            .route("/", axum::routing::post(|Json(_): Json<CreateAgent>| async {}))
            .layer(DefaultBodyLimit::max(16));
        let request = Request::post("/").body(Body::from("[".repeat(17))).unwrap();
        let answer = router.oneshot(request).await.unwrap();
        assert_eq!(
            answer.status(),
            StatusCode::PAYLOAD_TOO_LARGE,
            "its content was never looked at"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_is_not_waited_for_for_ever() {
        let never = Body::from_stream(futures::stream::pending::<Result<Bytes, std::io::Error>>());
        let request = Request::post("/").body(never).unwrap();
        let answer = <Json<CreateAgent> as FromRequest<()>>::from_request(request, &()).await;
        let status = answer.map(|_| ()).map_err(|error| error.into_response().status());
        assert_eq!(status, Err(StatusCode::REQUEST_TIMEOUT));
    }
}

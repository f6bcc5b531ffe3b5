//! Every refusal and failure as it goes over the wire: a sentence for people, a code for machines (design §10).

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use countersign_domain::{UnixMillis, fold::Status, id::UserId, wire::ErrorBody};

use crate::{
    control::{Busy, ControlError},
    tenant::StoreError,
};

/// An answer that is not a success.
#[derive(Debug)]
pub(crate) struct ApiError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    status: StatusCode,
    body: ErrorBody,
    /// Seconds.
    retry_after: Option<u64>,
}

impl ApiError {
    fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        let body = ErrorBody {
            error: message.into(),
            code: code.to_owned(),
            current_status: None,
            at: None,
            by: None,
            field: None,
        };
        Self(Box::new(Inner {
            status,
            body,
            retry_after: None,
        }))
    }

    /// No credential that counts.
    pub(crate) fn unauthorized() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "Unauthorized: No valid session",
        )
    }

    /// The same for an unknown address as for a wrong password.
    pub(crate) fn wrong_credentials() -> Self {
        let message = "Unauthorized: That e-mail address or password is wrong";
        Self::new(StatusCode::UNAUTHORIZED, "wrong_credentials", message)
    }

    /// A tenant call without its tenant.
    pub(crate) fn missing_tenant() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "missing_tenant",
            "Bad Request: Missing x-tenant-id header",
        )
    }

    /// Absent, foreign or malformed: the one answer to all three.
    pub(crate) fn not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not_found",
            "Not Found: There is nothing here under that name",
        )
    }

    /// A request that cannot be understood.
    pub(crate) fn bad_request(code: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// A field that is needed and is not there, or not in its form: the seed's sentence.
    pub(crate) fn missing(field: &str) -> Self {
        Self::bad_request(
            "invalid_field",
            format!("Bad Request: Missing or invalid '{field}' field"),
        )
        .with_field(field)
    }

    /// The caller is known and may not.
    pub(crate) fn forbidden(code: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, message)
    }

    /// The state that the subject is in does not take the call.
    pub(crate) fn conflict(code: &str, message: impl Into<String>, status: Status) -> Self {
        let mut error = Self::conflict_bare(code, message);
        error.0.body.current_status = Some(status);
        error
    }

    /// What came first, and by whom.
    pub(crate) fn after(mut self, first: Option<(UnixMillis, Option<UserId>)>) -> Self {
        if let Some((at, by)) = first {
            (self.0.body.at, self.0.body.by) = (Some(at), by);
        }
        self
    }

    /// [`Self::conflict`] over something that has no proposal's status.
    pub(crate) fn conflict_bare(code: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, message)
    }

    /// Understood, and still nothing that can be done.
    pub(crate) fn unprocessable(code: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, message)
    }

    /// More bytes than the call takes.
    pub(crate) fn too_large() -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_large",
            "Payload Too Large: The request body is too large",
        )
    }

    /// A body that does not come.
    pub(crate) fn timed_out() -> Self {
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            "timed_out",
            "Request Timeout: The request body did not arrive in time",
        )
    }

    /// A body that does not say it is JSON.
    pub(crate) fn unsupported_media_type() -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "Unsupported Media Type: The body must be application/json",
        )
    }

    /// The path is there, the verb is not.
    pub(crate) fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "Method Not Allowed: This path does not take that method",
        )
    }

    /// Too often; the caller may come back after so many seconds.
    pub(crate) fn throttled(seconds: u64) -> Self {
        let message = format!("Too Many Requests: Try again in {seconds} seconds");
        Self::too_many("rate_limited", message, seconds)
    }

    /// As many as there may be; it is worth another try after so many seconds.
    pub(crate) fn too_many(code: &str, message: impl Into<String>, seconds: u64) -> Self {
        let mut error = Self::new(StatusCode::TOO_MANY_REQUESTS, code, message);
        error.0.retry_after = Some(seconds);
        error
    }

    /// The same request will do in a moment.
    pub(crate) fn retry(code: &str, message: impl Into<String>) -> Self {
        let mut error = Self::new(StatusCode::SERVICE_UNAVAILABLE, code, message);
        error.0.retry_after = Some(1);
        error
    }

    /// Our own mistake. The caller learns that it happened, the log learns what.
    pub(crate) fn internal(error: impl std::fmt::Display) -> Self {
        tracing::error!("A request failed: {error}");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Internal Error: The server made a mistake",
        )
    }

    /// Names the field at fault.
    pub(crate) fn with_field(mut self, field: impl Into<String>) -> Self {
        self.0.body.field = Some(field.into());
        self
    }

    fn disk_full() -> Self {
        Self::retry(
            "disk_full",
            "Service Unavailable: The server's disk is full; nothing was changed",
        )
    }

    fn store_failed() -> Self {
        Self::retry(
            "store_failed",
            "Service Unavailable: The server's store failed; nothing was changed",
        )
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        tracing::error!("A tenant's store failed: {error}");
        if matches!(error, StoreError::Full) {
            return Self::disk_full();
        }
        Self::store_failed()
    }
}

impl From<ControlError> for ApiError {
    fn from(error: ControlError) -> Self {
        tracing::error!("The control store failed: {error}");
        if matches!(error, ControlError::Full) {
            return Self::disk_full();
        }
        Self::store_failed()
    }
}

impl From<Busy> for ApiError {
    fn from(Busy: Busy) -> Self {
        Self::throttled(1)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let Inner {
            status,
            body,
            retry_after,
        } = *self.0;
        let mut response = (status, Json(body)).into_response();
        if let Some(seconds) = retry_after {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_sentences_are_kept_word_for_word() {
        for (error, status, code, sentence) in [
            (
                ApiError::unauthorized(),
                401,
                "unauthorized",
                "Unauthorized: No valid session",
            ),
            (
                ApiError::missing_tenant(),
                400,
                "missing_tenant",
                "Bad Request: Missing x-tenant-id header",
            ),
            (
                ApiError::missing("text"),
                400,
                "invalid_field",
                "Bad Request: Missing or invalid 'text' field",
            ),
        ] {
            assert_eq!(error.0.status.as_u16(), status);
            assert_eq!(error.0.body.code, code);
            assert_eq!(
                error.0.body.error, sentence,
                "clients of the seed compare these texts"
            );
        }
    }

    #[test]
    fn whoever_is_sent_away_for_a_while_is_told_for_how_long() {
        let response = ApiError::throttled(7).into_response();
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers()[header::RETRY_AFTER], "7");
    }
}

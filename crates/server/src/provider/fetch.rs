//! Asking the provider over HTTP: encrypted, no redirect, no proxy, within a time and a size.

use std::time::Duration;

use countersign_domain::wire::is_this_computer;
use futures::future::BoxFuture;
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse, IssuerUrl, http};

/// How long an answer may take to come.
const TIME: Duration = Duration::from_secs(10);
/// Most bytes of an answer: the largest are sets of keys.
const MAX_ANSWER: usize = 1024 * 1024;

/// The client.
pub(super) struct Fetch {
    http: reqwest::Client,
    /// Whether the provider is on this computer, where nothing has to be encrypted.
    is_here: bool,
}

/// The provider was not heard.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("the provider names an address that is not encrypted")]
    NotEncrypted,
    #[error("the answer has more than {MAX_ANSWER} bytes")]
    TooLong,
    #[error(transparent)]
    Http(#[from] reqwest::Error),
    #[error(transparent)]
    Form(#[from] http::Error),
}

impl<'c> AsyncHttpClient<'c> for Fetch {
    type Error = FetchError;
    type Future = BoxFuture<'c, Result<HttpResponse, FetchError>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

impl Fetch {
    pub(super) fn new(issuer: &IssuerUrl) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(TIME)
            .user_agent(concat!("countersign/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self {
            http,
            is_here: issuer.url().scheme() == "http",
        })
    }

    /// Sends one request. Where it goes is said by the provider, so that is looked at each time.
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, FetchError> {
        let uri = request.uri();
        let here = self.is_here && uri.host().is_some_and(is_this_computer);
        if uri.scheme_str() != Some("https") && !here {
            return Err(FetchError::NotEncrypted);
        }
        let request = reqwest::Request::try_from(request)?;
        let without_url = |error: reqwest::Error| error.without_url();
        let mut answer = self.http.execute(request).await.map_err(without_url)?;
        let mut response = http::Response::builder().status(answer.status());
        if let Some(kind) = answer.headers().get(http::header::CONTENT_TYPE) {
            response = response.header(http::header::CONTENT_TYPE, kind);
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(without_url)? {
            if bytes.len() + chunk.len() > MAX_ANSWER {
                return Err(FetchError::TooLong);
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(response.body(bytes)?)
    }
}

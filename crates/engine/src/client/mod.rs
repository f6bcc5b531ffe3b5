//! The tenant server over HTTP, by the types of `countersign_domain::wire`.
//!
//! One client per address and session. It follows no redirect, uses no proxy, and refuses `http://` to anywhere but
//! this computer: a token would cross the network in the clear.

mod calls;
mod events;

use std::time::Duration;

use countersign_domain::{
    fold::Status,
    id::TenantId,
    wire::{ErrorBody, is_this_computer},
};
use reqwest::{Method, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, de::DeserializeOwned};

pub(crate) use calls::{Download, accept_invite, provider, sign_in, sign_in_by_provider, sign_in_methods};

/// Longer than the longest answer that the server makes wait.
const TIME: Duration = Duration::from_secs(60);
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// Most bytes of an answer: a journal page of large bodies stays below.
const MAX_ANSWER: usize = 256 * 1024 * 1024;

/// Where a tenant server is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Address(Url);

/// The address cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvalidAddress {
    #[error("That is not an address like https://countersign.example.com.")]
    NotAnAddress,
    #[error("The address has to begin with https:// unless it is on this computer.")]
    NotEncrypted,
}

impl Address {
    /// Reads an address as a person types it.
    ///
    /// # Errors
    /// When it is not an `https` origin, or an `http` one on this computer.
    pub fn parse(text: &str) -> Result<Self, InvalidAddress> {
        let mut url = Url::parse(text.trim()).map_err(|_| InvalidAddress::NotAnAddress)?;
        let host = url.host_str().ok_or(InvalidAddress::NotAnAddress)?;
        let here = is_this_computer(host);
        match url.scheme() {
            "https" => {}
            "http" if here => {}
            "http" => return Err(InvalidAddress::NotEncrypted),
            _ => return Err(InvalidAddress::NotAnAddress),
        }
        if !url.username().is_empty()
            || url.password().is_some()
            || url.query().is_some()
            || url.fragment().is_some()
        {
            return Err(InvalidAddress::NotAnAddress);
        }
        if !url.path().ends_with('/') {
            let path = format!("{}/", url.path());
            url.set_path(&path);
        }
        Ok(Self(url))
    }

    /// The address without a trailing slash.
    pub fn as_str(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }

    fn join(&self, path: &str) -> Result<Url, CallError> {
        self.0
            .join(path.trim_start_matches('/'))
            .map_err(|_| CallError::Protocol("no such path".to_owned()))
    }
}

/// Why a call got no answer that it can use.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// Nothing was heard: offline, refused, timed out, or cut off. Whether the server acted is not known.
    #[error("The tenant cannot be reached.")]
    Transport(String),
    /// The server asks to wait, or is in trouble.
    #[error("The tenant is busy. It will be tried again.")]
    Busy { retry_after: Option<Duration> },
    /// The session is over.
    #[error("Sign in again.")]
    SignIn,
    /// The server's own sentence.
    #[error("{message}")]
    Refused {
        status: u16,
        code: String,
        message: String,
        field: Option<String>,
        current_status: Option<Status>,
    },
    /// The answer is not what this version expects.
    #[error("The tenant answered in a way that this version does not understand.")]
    Protocol(String),
}

impl CallError {
    /// Whether the same call may be made again: nothing final was said.
    pub(crate) const fn is_retryable(&self) -> bool {
        matches!(self, Self::Transport(_) | Self::Busy { .. })
    }
}

/// A signed-in client.
#[derive(Clone)]
pub(crate) struct TenantClient {
    http: reqwest::Client,
    address: Address,
    tenant: TenantId,
    token: SecretString,
}

impl TenantClient {
    /// A client for one tenant in one session.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub(crate) fn new(address: Address, tenant: TenantId, token: SecretString) -> Result<Self, CallError> {
        Ok(Self {
            http: http()?,
            address,
            tenant,
            token,
        })
    }

    /// Where the tenant is.
    pub(crate) const fn address(&self) -> &Address {
        &self.address
    }

    async fn get<A: DeserializeOwned>(&self, path: &str) -> Result<A, CallError> {
        let request = self.request(Method::GET, path)?;
        answer(send(request.timeout(TIME)).await?).await
    }

    async fn post<B: Serialize + Sync, A: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<A, CallError> {
        self.with_body(Method::POST, path, body).await
    }

    async fn with_body<B: Serialize + Sync, A: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &B,
    ) -> Result<A, CallError> {
        let request = json(self.request(method, path)?, body)?;
        answer(send(request.timeout(TIME)).await?).await
    }

    /// A call whose answer has no content worth reading.
    async fn tell(&self, method: Method, path: &str) -> Result<(), CallError> {
        send(self.request(method, path)?.timeout(TIME)).await.map(drop)
    }

    fn request(&self, method: Method, path: &str) -> Result<reqwest::RequestBuilder, CallError> {
        Ok(self
            .http
            .request(method, self.address.join(path)?)
            .bearer_auth(self.token.expose_secret())
            .header("x-tenant-id", self.tenant.to_string()))
    }
}

impl core::fmt::Debug for TenantClient {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("TenantClient")
            .field("address", &self.address)
            .field("tenant", &self.tenant)
            .finish_non_exhaustive()
    }
}

fn http() -> Result<reqwest::Client, CallError> {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIME)
        .user_agent(concat!("countersign/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| CallError::Protocol(error.to_string()))
}

fn json<B: Serialize>(
    request: reqwest::RequestBuilder,
    body: &B,
) -> Result<reqwest::RequestBuilder, CallError> {
    let bytes = serde_json::to_vec(body).map_err(|error| CallError::Protocol(error.to_string()))?;
    Ok(request.header("content-type", "application/json").body(bytes))
}

/// Sends, and turns every answer but a good one into its error.
async fn send(request: reqwest::RequestBuilder) -> Result<reqwest::Response, CallError> {
    let response = request.send().await.map_err(|error| transport(&error))?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
        let retry_after = response
            .headers()
            .get("retry-after")
            .and_then(|value| value.to_str().ok()?.parse().ok())
            .map(Duration::from_secs);
        return Err(CallError::Busy { retry_after });
    }
    let body: Option<ErrorBody> = read(response)
        .await
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok());
    if status == StatusCode::UNAUTHORIZED {
        return Err(CallError::SignIn);
    }
    let body = body.ok_or_else(|| CallError::Protocol(format!("status {status}")))?;
    Err(CallError::Refused {
        status: status.as_u16(),
        code: body.code,
        message: body.error,
        field: body.field,
        current_status: body.current_status,
    })
}

async fn answer<A: DeserializeOwned>(response: reqwest::Response) -> Result<A, CallError> {
    let bytes = read(response).await?;
    serde_json::from_slice(&bytes).map_err(|error| CallError::Protocol(error.to_string()))
}

async fn read(mut response: reqwest::Response) -> Result<Vec<u8>, CallError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| transport(&error))? {
        if bytes.len() + chunk.len() > MAX_ANSWER {
            return Err(CallError::Protocol("the answer is too long".to_owned()));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// The error's text without the address, which a log need not repeat.
fn transport(error: &reqwest::Error) -> CallError {
    let mut text = String::new();
    let mut cause: Option<&dyn core::error::Error> = Some(error);
    while let Some(error) = cause {
        text = error.to_string();
        cause = error.source();
    }
    CallError::Transport(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_taken_to_this_computer_only() {
        for good in [
            "https://acme.example",
            "http://127.0.0.1:4000",
            "http://[::1]:80/",
            "http://localhost:1/base",
        ] {
            assert!(Address::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "http://acme.example",
            "http://10.0.0.1",
            "http://localhost.evil.example",
            "http://127.0.0.1.nip.io",
        ] {
            assert_eq!(Address::parse(bad), Err(InvalidAddress::NotEncrypted), "{bad}");
        }
        for bad in [
            "acme.example",
            "ftp://acme.example",
            "https://user:pw@acme.example",
            "https://a/?x=1",
            "",
        ] {
            assert_eq!(Address::parse(bad), Err(InvalidAddress::NotAnAddress), "{bad}");
        }
    }

    #[test]
    fn only_what_is_not_final_is_tried_again() {
        assert!(CallError::Transport(String::new()).is_retryable());
        assert!(CallError::Busy { retry_after: None }.is_retryable());
        assert!(!CallError::SignIn.is_retryable());
        assert!(!CallError::Protocol(String::new()).is_retryable());
    }
}

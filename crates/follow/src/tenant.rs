//! The tenant's journal over HTTP. No redirect, no proxy, and `http://` to this computer alone: a token goes along.

use std::{fs, path::PathBuf, time::Duration};

use countersign_domain::{
    id::TenantId,
    wire::{JournalPage, is_this_computer},
};
use reqwest::{StatusCode, Url, redirect::Policy};
use secrecy::{ExposeSecret as _, SecretString};

/// Entries of one page.
const PAGE: u32 = 1_000;

/// Longer than the slowest page.
const TIME: Duration = Duration::from_secs(120);

/// Where the journal is, and who asks.
#[derive(Debug)]
pub struct Tenant {
    http: reqwest::Client,
    journal: Url,
    id: TenantId,
    token: PathBuf,
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    #[error("the address has to be https://…, or http:// on this computer")]
    Address,
    #[error("the token cannot be read: {0}")]
    Token(std::io::Error),
    /// It may be better later.
    #[error("the tenant cannot be reached: {0}")]
    Later(String),
    /// Asking again is of no use.
    #[error("the tenant refuses: {0}")]
    Refused(String),
}

impl Tenant {
    /// A tenant at the server of this address. The file `token` holds the token of an auditor's session, and is read for
    /// each call: it can be replaced.
    ///
    /// # Errors
    /// When a token would go over the network in the clear.
    pub fn new(server: &Url, id: TenantId, token: PathBuf) -> Result<Self, CallError> {
        let here = server.host_str().is_some_and(is_this_computer);
        if !(server.scheme() == "https" || server.scheme() == "http" && here) {
            return Err(CallError::Address);
        }
        let mut journal = server.clone();
        journal
            .path_segments_mut()
            .map_err(|()| CallError::Address)?
            .pop_if_empty()
            .extend(["api", "journal"]);
        let http = reqwest::Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .timeout(TIME)
            .build()
            .map_err(|error| CallError::Later(error.to_string()))?;
        Ok(Self {
            http,
            journal,
            id,
            token,
        })
    }

    /// Whose journal it is.
    pub const fn id(&self) -> TenantId {
        self.id
    }

    /// The entries after `after`, with the head.
    ///
    /// # Errors
    /// Why there is no page.
    pub async fn page(&self, after: u64) -> Result<JournalPage, CallError> {
        let mut url = self.journal.clone();
        url.query_pairs_mut()
            .append_pair("after", &after.to_string())
            .append_pair("limit", &PAGE.to_string());
        let token = fs::read_to_string(&self.token).map_err(CallError::Token)?;
        let token = SecretString::from(token.trim().to_owned());
        let later = |error: reqwest::Error| CallError::Later(error.without_url().to_string());
        let response = self
            .http
            .get(url)
            .bearer_auth(token.expose_secret())
            .header("x-tenant-id", self.id.to_string())
            .send()
            .await
            .map_err(later)?;
        let status = response.status();
        let bytes = response.bytes().await.map_err(later)?;
        match status {
            StatusCode::OK => serde_json::from_slice(&bytes)
                .map_err(|error| CallError::Refused(format!("not a page: {error}"))),
            StatusCode::TOO_MANY_REQUESTS => Err(CallError::Later(status.to_string())),
            status if status.is_server_error() => Err(CallError::Later(status.to_string())),
            status => Err(CallError::Refused(status.to_string())),
        }
    }
}

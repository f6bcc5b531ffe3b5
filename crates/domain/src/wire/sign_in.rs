//! Sign-in: who somebody is, and where they belong.

use serde::{Deserialize, Serialize};

use crate::{
    id::{TenantId, UserId},
    record::{Mode, Role},
};

/// `POST /api/auth/sign-in`
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SignIn {
    pub email: String,
    pub password: String,
}

impl core::fmt::Debug for SignIn {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("SignIn")
            .field("email", &self.email)
            .finish_non_exhaustive()
    }
}

/// Answer to a sign-in. The token goes into `Authorization: Bearer`.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SignedIn {
    pub token: String,
    pub user_id: UserId,
    /// The account's address, as the server compares it.
    pub email: String,
    pub tenants: Vec<TenantSummary>,
}

impl core::fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("SignedIn")
            .field("user_id", &self.user_id)
            .finish_non_exhaustive()
    }
}

/// Where a provider sends the browser back to: this path on a free port of 127.0.0.1 (RFC 8252 §7.3).
pub const REDIRECT_PATH: &str = "/signed-in";

/// `GET /api/auth/methods`: how people sign in here, besides with a password.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SignInMethods {
    /// The company's provider, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<ProviderName>,
}

/// What people call the company's provider.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ProviderName {
    pub name: String,
}

/// `GET /api/auth/provider`: what an app needs to send somebody to the company's provider.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ProviderInfo {
    pub issuer: String,
    pub client_id: String,
    pub authorization_endpoint: String,
    /// Separated by spaces.
    pub scope: String,
}

/// `POST /api/auth/provider/sign-in`: what came back from the provider, and what only who asked it can know.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProviderSignIn {
    /// The authorization code.
    pub code: String,
    /// The PKCE verifier (RFC 7636), whose S256 challenge went to the provider.
    pub verifier: String,
    /// As it went to the provider.
    pub nonce: String,
    /// As it went to the provider: `http://127.0.0.1:PORT/signed-in`.
    pub redirect_uri: String,
    /// An invitation's secret, for who belongs to another tenant of this server already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invite: Option<String>,
}

impl core::fmt::Debug for ProviderSignIn {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("ProviderSignIn")
            .field("redirect_uri", &self.redirect_uri)
            .finish_non_exhaustive()
    }
}

/// A tenant as its member sees it at sign-in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct TenantSummary {
    pub id: TenantId,
    pub name: String,
    pub role: Role,
    pub mode: Mode,
}

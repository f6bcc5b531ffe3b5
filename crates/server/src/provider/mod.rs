//! The company's OpenID provider: who somebody is, by the provider's signed word (docs/adr/0011).
//!
//! The desktop brings an authorization code. The server redeems it and believes nothing but the ID token that it gets for
//! it: signature, issuer, audience, times and nonce are checked by `openidconnect`, the authorized party here.

mod fetch;
mod refusal;
mod settings;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use countersign_domain::{Millis, UnixMillis, wire::ProviderInfo};
use openidconnect::{
    AuthType, AuthorizationCode, Nonce, PkceCodeVerifier, RedirectUrl, TokenResponse as _,
    core::{
        CoreClient, CoreClientAuthMethod, CoreIdTokenClaims, CoreJwsSigningAlgorithm, CoreProviderMetadata,
    },
};
use tokio::sync::Mutex;

use self::fetch::Fetch;
pub(crate) use self::refusal::Refusal;
pub use self::settings::{ProviderSettings, SettingsError};
use crate::control::email;

/// What is asked of the provider about a person.
const SCOPE: &str = "openid email profile";
/// How long what the provider says of itself is kept: its keys may change.
const KEPT: Millis = Millis::seconds(60);
/// How long a provider that does not answer is left in peace.
const REST: Millis = Millis::seconds(5);
/// How far the provider's clock may be from ours.
const SKEW: Millis = Millis::seconds(60);
/// How old an ID token may be: it was asked for just now.
const FRESH: Millis = Millis::seconds(10 * 60);

/// How long a subject's name may be (OpenID Connect Core §2).
const SUBJECT: std::ops::RangeInclusive<usize> = 1..=255;

/// What an ID token may be signed with. Nothing that shares a secret, and never nothing.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// The provider; cheap to clone.
#[derive(Clone)]
pub(crate) struct Provider(Arc<Inner>);

struct Inner {
    settings: ProviderSettings,
    fetch: Fetch,
    /// What it last said of itself, and when.
    said: Mutex<Option<(UnixMillis, Result<CoreProviderMetadata, Refusal>)>>,
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Provider").field(&self.0.settings).finish()
    }
}

/// What came back from the provider through the desktop.
pub(crate) struct Returned {
    pub(crate) code: String,
    pub(crate) verifier: String,
    pub(crate) nonce: String,
    pub(crate) redirect_uri: String,
}

/// Whom the provider has vouched for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Vouched {
    pub(crate) issuer: String,
    /// The provider's own name for the person, never given to another one.
    pub(crate) subject: String,
    /// Verified by the provider; in normal form.
    pub(crate) email: String,
    pub(crate) name: Option<String>,
}

impl Provider {
    /// Asks nothing yet.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub(crate) fn new(settings: ProviderSettings) -> Result<Self, reqwest::Error> {
        let fetch = Fetch::new(&settings.issuer)?;
        Ok(Self(Arc::new(Inner {
            settings,
            fetch,
            said: Mutex::default(),
        })))
    }

    /// What people call it.
    pub(crate) fn name(&self) -> &str {
        &self.0.settings.name
    }

    /// What an app needs to send somebody there.
    ///
    /// # Errors
    /// When the provider does not say where that is.
    pub(crate) async fn info(&self, now: UnixMillis) -> Result<ProviderInfo, Refusal> {
        let metadata = self.metadata(now).await?;
        Ok(ProviderInfo {
            issuer: self.0.settings.issuer.to_string(),
            client_id: self.0.settings.client_id.to_string(),
            authorization_endpoint: metadata.authorization_endpoint().to_string(),
            scope: SCOPE.to_owned(),
        })
    }

    /// Redeems a code, once, and says whose it was.
    ///
    /// # Errors
    /// When the provider does not take the code, or its word cannot be believed.
    pub(crate) async fn redeem(&self, returned: Returned, now: UnixMillis) -> Result<Vouched, Refusal> {
        let settings = &self.0.settings;
        let metadata = self.metadata(now).await?;
        let takes_basic = metadata
            .token_endpoint_auth_methods_supported()
            .is_none_or(|methods| methods.contains(&CoreClientAuthMethod::ClientSecretBasic));
        let client = CoreClient::from_provider_metadata(
            metadata,
            settings.client_id.clone(),
            settings.client_secret.clone(),
        )
        .set_auth_type(if takes_basic {
            AuthType::BasicAuth
        } else {
            AuthType::RequestBody
        })
        .set_redirect_uri(RedirectUrl::new(returned.redirect_uri).map_err(|_| Refusal::Code)?);
        let answer = client
            .exchange_code(AuthorizationCode::new(returned.code))
            .map_err(|error| refusal::unreachable(&error))?
            .set_pkce_verifier(PkceCodeVerifier::new(returned.verifier))
            .request_async(&self.0.fetch)
            .await
            .map_err(|error| refusal::of_the_token_endpoint(&error))?;
        let token = answer.id_token().ok_or(Refusal::Token)?;
        let verifier = client
            .id_token_verifier()
            .set_allowed_algs(ALGORITHMS)
            .set_time_fn(move || instant(now + Millis(-SKEW.0)).into())
            .set_issue_time_verifier_fn(move |issued| {
                let age = now.since(UnixMillis(issued.timestamp_millis()));
                if (-SKEW.0..FRESH.0).contains(&age.0) {
                    Ok(())
                } else {
                    Err(format!("issued {} s ago", age.0 / 1000))
                }
            });
        let claims = token
            .claims(&verifier, &Nonce::new(returned.nonce))
            .map_err(|error| refusal::of_the_token(&error))?;
        self.vouched(claims)
    }

    fn vouched(&self, claims: &CoreIdTokenClaims) -> Result<Vouched, Refusal> {
        let settings = &self.0.settings;
        // A token that another client may use as its own is not for us alone (OpenID Connect Core §3.1.3.7, 5).
        if claims
            .authorized_party()
            .is_some_and(|party| *party != settings.client_id)
        {
            return Err(Refusal::Audience);
        }
        let subject = claims.subject().as_str();
        if !SUBJECT.contains(&subject.len()) {
            return Err(Refusal::Token);
        }
        let address = claims.email().ok_or(Refusal::NoEmail)?;
        if claims.email_verified() != Some(true) {
            return Err(Refusal::UnverifiedEmail);
        }
        let email = email(address).ok_or(Refusal::NoEmail)?;
        if !settings.takes(&email) {
            return Err(Refusal::ForeignEmail);
        }
        let name = claims.name().and_then(|name| name.get(None));
        Ok(Vouched {
            issuer: settings.issuer.to_string(),
            subject: subject.to_owned(),
            email,
            name: name.and_then(|name| crate::names::name(name)),
        })
    }

    /// What the provider says of itself, keys included. Whoever asks while somebody does waits for the same answer.
    async fn metadata(&self, now: UnixMillis) -> Result<CoreProviderMetadata, Refusal> {
        let mut said = self.0.said.lock().await;
        if let Some((at, answer)) = &*said {
            let stands = if answer.is_ok() { KEPT } else { REST };
            if (0..stands.0).contains(&now.since(*at).0) {
                return answer.clone();
            }
        }
        let issuer = self.0.settings.issuer.clone();
        let answer = CoreProviderMetadata::discover_async(issuer, &self.0.fetch)
            .await
            .map_err(|error| refusal::unreachable(&error));
        *said = Some((now, answer.clone()));
        answer
    }
}

fn instant(at: UnixMillis) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(at.0.max(0).unsigned_abs())
}

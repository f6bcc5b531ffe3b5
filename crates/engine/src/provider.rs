//! Signing in with the company's provider (RFC 8252): the person's own browser does the talking, and what comes back comes
//! to a port of this computer that is open for it alone. The tenant's server redeems it; nothing of it is believed here.

mod loopback;

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use countersign_domain::{
    Digest,
    wire::{ProviderInfo, ProviderSignIn, is_this_computer},
};
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

use self::loopback::{Expected, Loopback, Refused};
use crate::{
    client::{self, Address},
    engine::Engine,
    error::EngineError,
};

/// How long a person has in the browser.
const PATIENCE: Duration = Duration::from_secs(5 * 60);

/// How somebody is sent to the provider.
#[derive(Debug)]
pub struct ByProvider {
    pub url: String,
    /// Whom this device waits for, where it waits for somebody.
    pub email: Option<String>,
    /// An invitation's secret, for who belongs to another tenant there already.
    pub invite: Option<SecretString>,
}

/// What the browser brought back. Good once.
pub struct BroughtBack {
    code: SecretString,
    verifier: SecretString,
    nonce: String,
    redirect_uri: String,
    invite: Option<SecretString>,
    pub(crate) awaited: Option<String>,
}

impl core::fmt::Debug for BroughtBack {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("BroughtBack(…)")
    }
}

impl BroughtBack {
    pub(crate) fn form(&self) -> ProviderSignIn {
        let text = |secret: &SecretString| secret.expose_secret().to_owned();
        ProviderSignIn {
            code: text(&self.code),
            verifier: text(&self.verifier),
            nonce: self.nonce.clone(),
            redirect_uri: self.redirect_uri.clone(),
            invite: self.invite.as_ref().map(text),
        }
    }
}

impl Engine {
    /// What people at that address call their company's provider; `None` where they sign in with passwords only.
    ///
    /// # Errors
    /// When the address is none, or nobody answers there.
    pub async fn provider_name(&self, url: &str) -> Result<Option<String>, EngineError> {
        let address = self.reachable(url)?;
        let methods = client::sign_in_methods(&address).await?;
        Ok(methods.provider.map(|provider| provider.name))
    }

    /// Has `open` show the provider's page in the browser, and waits for what comes back. Dropping the future closes the
    /// port.
    ///
    /// # Errors
    /// When the provider or the browser is not there, the person is refused, or nothing comes back in time.
    pub async fn through_browser(
        &self,
        form: ByProvider,
        open: impl FnOnce(&str) -> std::io::Result<()>,
    ) -> Result<BroughtBack, EngineError> {
        let address = self.reachable(&form.url)?;
        let info = client::provider(&address).await?;
        let port = Loopback::open().await?;
        let (state, verifier, nonce) = (secret()?, SecretString::from(secret()?), secret()?);
        let redirect_uri = port.redirect_uri();
        let ask = Ask {
            redirect_uri: &redirect_uri,
            state: &state,
            nonce: &nonce,
            challenge: URL_SAFE_NO_PAD.encode(Digest::of(verifier.expose_secret().as_bytes()).as_bytes()),
            email: form.email.as_deref(),
        };
        let page = page(&info, &ask)?;
        open(page.as_str()).map_err(|error| {
            tracing::warn!("No browser opens: {error}");
            EngineError::refused(
                "Your browser could not be opened. Choose a default browser, then try again.",
            )
        })?;
        let expected = Expected {
            state,
            issuer: info.issuer,
        };
        let code = tokio::time::timeout(PATIENCE, port.wait(expected))
            .await
            .map_err(|_| {
                EngineError::refused("Nothing came back from your browser within five minutes. Begin again.")
            })??;
        Ok(BroughtBack {
            code: code.map_err(|refused| refused_by(&refused))?.into(),
            verifier,
            nonce,
            redirect_uri,
            invite: form.invite,
            awaited: form.email,
        })
    }

    fn reachable(&self, url: &str) -> Result<Address, EngineError> {
        if self.is_cut_off() {
            return Err(EngineError::offline());
        }
        Ok(Address::parse(url)?)
    }
}

/// What the provider is asked.
struct Ask<'a> {
    redirect_uri: &'a str,
    state: &'a str,
    nonce: &'a str,
    challenge: String,
    email: Option<&'a str>,
}

/// The provider's page for this attempt.
fn page(info: &ProviderInfo, ask: &Ask<'_>) -> Result<Url, EngineError> {
    let strange =
        || EngineError::refused("The company's sign-in page has an address that is not safe to open.");
    let mut page = Url::parse(&info.authorization_endpoint).map_err(|_| strange())?;
    let here = page.host_str().is_some_and(is_this_computer);
    // Handed to the desktop to open: nothing but a web page may be.
    if page.scheme() != "https" && !(page.scheme() == "http" && here) {
        return Err(strange());
    }
    page.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", &info.client_id)
        .append_pair("redirect_uri", ask.redirect_uri)
        .append_pair("scope", &info.scope)
        .append_pair("state", ask.state)
        .append_pair("nonce", ask.nonce)
        .append_pair("code_challenge", &ask.challenge)
        .append_pair("code_challenge_method", "S256")
        .extend_pairs(ask.email.map(|email| ("login_hint", email)));
    Ok(page)
}

fn refused_by(refused: &Refused) -> EngineError {
    EngineError::refused(match refused {
        Refused::Denied => "The sign-in was refused or broken off in the browser.".to_owned(),
        Refused::Said(code) => {
            format!("The company's sign-in answers \"{code}\". Begin again, or ask whoever runs it.")
        }
        Refused::Foreign => "What came back is not from the company's sign-in. Begin again.".to_owned(),
    })
}

/// 256 random bits as text.
fn secret() -> Result<String, EngineError> {
    let mut bytes = zeroize::Zeroizing::new([0; 32]);
    getrandom::fill(&mut *bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(authorization_endpoint: &str) -> ProviderInfo {
        ProviderInfo {
            issuer: "https://id.acme.example".to_owned(),
            client_id: "countersign & co".to_owned(),
            authorization_endpoint: authorization_endpoint.to_owned(),
            scope: "openid email".to_owned(),
        }
    }

    fn ask() -> Ask<'static> {
        Ask {
            redirect_uri: "http://127.0.0.1:49152/signed-in",
            state: "state",
            nonce: "nonce",
            challenge: "challenge".to_owned(),
            email: Some("ada+x@acme.example"),
        }
    }

    #[test]
    fn the_browser_is_sent_with_everything_that_binds_the_answer_to_this_attempt() {
        let page = page(&info("https://id.acme.example/auth?tenant=acme"), &ask()).unwrap();
        let sent: Vec<_> = page
            .query_pairs()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        assert_eq!(
            sent,
            [
                "tenant=acme",
                "response_type=code",
                "client_id=countersign & co",
                "redirect_uri=http://127.0.0.1:49152/signed-in",
                "scope=openid email",
                "state=state",
                "nonce=nonce",
                "code_challenge=challenge",
                "code_challenge_method=S256",
                "login_hint=ada+x@acme.example",
            ]
        );
    }

    #[test]
    fn nothing_but_a_web_page_is_opened() {
        for bad in [
            "file:///etc/passwd",
            "javascript:alert(1)",
            "countersign://proposal/1",
            "http://id.acme.example/auth",
            "ssh://id.acme.example",
            "-h",
            "",
        ] {
            assert!(page(&info(bad), &ask()).is_err(), "{bad}");
        }
        assert!(
            page(&info("http://127.0.0.1:3000/auth"), &ask()).is_ok(),
            "on this computer"
        );
    }

    #[test]
    fn no_two_attempts_share_a_secret() {
        let (one, two) = (secret().unwrap(), secret().unwrap());
        assert_ne!(one, two);
        assert_eq!(one.len(), 43, "the shortest verifier that RFC 7636 takes");
    }
}

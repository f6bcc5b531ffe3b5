//! What the operator says of the provider.

use countersign_domain::wire::is_this_computer;
use openidconnect::{ClientId, ClientSecret, IssuerUrl};

use crate::{control::email, names};

/// Which provider, and whom it may vouch for. Its secret does not print.
#[derive(Clone, Debug)]
pub struct ProviderSettings {
    pub(super) issuer: IssuerUrl,
    pub(super) client_id: ClientId,
    pub(super) client_secret: Option<ClientSecret>,
    pub(super) name: String,
    pub(super) domains: Vec<String>,
}

/// What the operator says does not fit.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SettingsError {
    #[error(
        "the issuer must be an https:// address as the provider itself writes it, without query or fragment"
    )]
    Issuer,
    #[error("the client id is empty")]
    ClientId,
    #[error("the client secret is empty")]
    ClientSecret,
    #[error("the provider's name must have 1 to 100 visible characters")]
    Name,
    #[error("{0} is not the domain of an e-mail address")]
    Domain(String),
}

impl ProviderSettings {
    /// Settings that fit. Without a name people see the issuer's host; without domains every address may sign in that
    /// belongs to a member.
    ///
    /// # Errors
    /// Naming what does not fit.
    pub fn new(
        issuer: &str,
        client_id: &str,
        client_secret: Option<String>,
        name: Option<&str>,
        domains: &[String],
    ) -> Result<Self, SettingsError> {
        let issuer = IssuerUrl::new(issuer.to_owned()).map_err(|_| SettingsError::Issuer)?;
        let url = issuer.url();
        let host = url.host_str().ok_or(SettingsError::Issuer)?;
        let encrypted = url.scheme() == "https" || (url.scheme() == "http" && is_this_computer(host));
        let plain = url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if !encrypted || !plain {
            return Err(SettingsError::Issuer);
        }
        if client_id.trim().is_empty() {
            return Err(SettingsError::ClientId);
        }
        if client_secret.as_ref().is_some_and(String::is_empty) {
            return Err(SettingsError::ClientSecret);
        }
        let name = names::name(name.unwrap_or(host)).ok_or(SettingsError::Name)?;
        let normal = |domain: &String| {
            let address = email(&format!("any@{domain}"));
            let normal = address.and_then(|address| Some(address.strip_prefix("any@")?.to_owned()));
            normal.ok_or_else(|| SettingsError::Domain(domain.clone()))
        };
        let domains = domains.iter().map(normal).collect::<Result<_, _>>()?;
        Ok(Self {
            client_id: ClientId::new(client_id.trim().to_owned()),
            client_secret: client_secret.map(ClientSecret::new),
            name,
            domains,
            issuer,
        })
    }

    /// Whether an address in normal form may sign in.
    pub(super) fn takes(&self, address: &str) -> bool {
        let domain = address.rsplit_once('@').map(|(_, domain)| domain);
        self.domains.is_empty() || domain.is_some_and(|domain| self.domains.iter().any(|one| one == domain))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &str = "https://id.acme.example";

    fn settings(domains: &[&str]) -> Result<ProviderSettings, SettingsError> {
        let domains: Vec<_> = domains.iter().map(|&domain| domain.to_owned()).collect();
        ProviderSettings::new(ISSUER, "countersign", None, None, &domains)
    }

    #[test]
    fn an_issuer_is_encrypted_or_on_this_computer() {
        let issuer = |issuer| ProviderSettings::new(issuer, "countersign", None, None, &[]).map(drop);
        for good in [
            ISSUER,
            "https://id.acme.example/realms/acme",
            "http://127.0.0.1:3000",
            "http://[::1]:3000",
        ] {
            assert_eq!(issuer(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "id.acme.example",
            "http://id.acme.example",
            "http://127.0.0.1.nip.io",
            "https://id.acme.example?a=b",
            "https://id.acme.example#a",
            "https://ada:pw@id.acme.example",
            "ftp://id.acme.example",
        ] {
            assert_eq!(issuer(bad), Err(SettingsError::Issuer), "{bad}");
        }
    }

    #[test]
    fn a_domain_is_the_whole_part_behind_the_at_sign() {
        let acme = settings(&["Acme.example", "acme.test"]).unwrap();
        for (address, may) in [
            ("ada@acme.example", true),
            ("ada@acme.test", true),
            ("ada@evil-acme.example", false),
            ("ada@sub.acme.example", false),
            ("acme.example@evil.example", false),
        ] {
            assert_eq!(acme.takes(address), may, "{address}");
        }
        assert!(settings(&[]).unwrap().takes("ada@evil.example"), "none is named");
        for bad in ["", "@acme.example", "acme.example,evil.example", "*.acme.example"] {
            assert_eq!(
                settings(&[bad]).map(drop),
                Err(SettingsError::Domain(bad.to_owned()))
            );
        }
    }

    #[test]
    fn an_empty_secret_is_a_mistake_and_a_secret_never_prints() {
        let with =
            |secret: &str| ProviderSettings::new(ISSUER, "countersign", Some(secret.to_owned()), None, &[]);
        assert_eq!(with("").map(drop), Err(SettingsError::ClientSecret));
        assert!(!format!("{:?}", with("hunter22").unwrap()).contains("hunter22"));
    }
}

//! The public part of an SMTP connection.

use std::net::IpAddr;

use countersign_domain::canonical::Value;
use serde::{Deserialize, Serialize};

use super::address::Address;
use crate::{InputError, schema};

/// A mail account that sends. Its password, if it has a user name, is the connection's secret.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmtpConfig {
    /// The sender's address.
    pub from: String,
    pub host: String,
    /// 465 for implicit TLS, 587 for STARTTLS, usually.
    pub port: u16,
    pub tls: Tls,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
}

/// How the connection is kept private.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tls {
    /// TLS from the first byte (RFC 8314).
    Implicit,
    /// STARTTLS, required: a server that does not offer it is not used (RFC 3207).
    Starttls,
    /// None: only to this computer.
    None,
}

impl SmtpConfig {
    /// Reads and checks a connection's public configuration.
    ///
    /// # Errors
    /// With the field at fault.
    pub fn read(config: &Value) -> Result<Self, InputError> {
        let config: Self = schema::typed(config)?;
        config.sender()?;
        if !is_host(&config.host) {
            return Err(InputError::field("host", "The host is a name or an IP address."));
        }
        if config.port == 0 {
            return Err(InputError::field("port", "The port is between 1 and 65535."));
        }
        if config.tls == Tls::None && !is_loopback(&config.host) {
            return Err(InputError::field(
                "tls",
                "A connection without TLS is possible to this computer only.",
            ));
        }
        if let Some(username) = &config.username
            && (username.is_empty() || username.len() > 255 || username.chars().any(char::is_control))
        {
            return Err(InputError::field("username", "That is not a user name."));
        }
        Ok(config)
    }

    pub(super) fn sender(&self) -> Result<Address, InputError> {
        Address::parse(&self.from, "from")
    }

    /// The server for people.
    pub(super) fn server(&self) -> String {
        let tls = match self.tls {
            Tls::Implicit => "TLS",
            Tls::Starttls => "STARTTLS",
            Tls::None => "no TLS",
        };
        format!("{}:{}, {tls}", self.host, self.port)
    }
}

fn is_host(host: &str) -> bool {
    host.parse::<IpAddr>().is_ok() || (!host.is_empty() && idna::domain_to_ascii_strict(host).is_ok())
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<SmtpConfig, InputError> {
        SmtpConfig::read(
            &countersign_domain::canonical::parse(json.as_bytes())
                .map_err(|error| InputError::whole(error.to_string()))?,
        )
    }

    #[test]
    fn a_connection_without_tls_is_to_this_computer_only() {
        for host in ["127.0.0.1", "localhost", "::1", "127.3.2.1"] {
            let json = format!(r#"{{"from":"a@b.example","host":"{host}","port":25,"tls":"none"}}"#);
            assert!(read(&json).is_ok(), "{host}");
        }
        for host in [
            "mail.example",
            "10.0.0.1",
            "localhost.example",
            "0.0.0.0",
            "2130706433",
        ] {
            let json = format!(r#"{{"from":"a@b.example","host":"{host}","port":25,"tls":"none"}}"#);
            assert_eq!(read(&json).unwrap_err().field.as_deref(), Some("tls"), "{host}");
        }
    }

    #[test]
    fn what_is_not_a_mail_account_is_refused_with_its_field() {
        for (json, field) in [
            (
                r#"{"from":"nobody","host":"mail.example","port":465,"tls":"implicit"}"#,
                Some("from"),
            ),
            (
                r#"{"from":"a@b.example","host":"mail example","port":465,"tls":"implicit"}"#,
                Some("host"),
            ),
            (
                r#"{"from":"a@b.example","host":"","port":465,"tls":"implicit"}"#,
                Some("host"),
            ),
            (
                r#"{"from":"a@b.example","host":"mail.example","port":0,"tls":"implicit"}"#,
                Some("port"),
            ),
            (
                r#"{"from":"a@b.example","host":"mail.example","port":465,"tls":"implicit","username":"a\r\nb"}"#,
                Some("username"),
            ),
            (
                r#"{"from":"a@b.example","host":"mail.example","port":465,"tls":"maybe"}"#,
                None,
            ),
            (
                r#"{"from":"a@b.example","host":"mail.example","port":465,"tls":"implicit","password":"x"}"#,
                None,
            ),
        ] {
            assert_eq!(read(json).unwrap_err().field.as_deref(), field, "{json}");
        }
    }
}

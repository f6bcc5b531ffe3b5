//! One SMTP dialogue, step by step, so that it is known at which step it ended (RFC 5321).
//!
//! Everything before the final dot leaves the mail unsent; a reply after the final dot says what became of it; anything
//! else after it leaves that unknown (RFC 5321 §4.2.5).

use core::time::Duration;
use std::net::SocketAddr;

use countersign_domain::canonical::{Object, Value};
use lettre::{
    address::Envelope,
    transport::smtp::{
        Error,
        authentication::{Credentials, Mechanism},
        client::{AsyncSmtpConnection, TlsParameters},
        commands::{Data, Mail, Rcpt},
        extension::ClientId,
        response::{Response, Severity},
    },
};
use secrecy::{ExposeSecret as _, SecretString};

use super::config::{SmtpConfig, Tls};
use crate::{Dispatch, Ran, connection::ConnectError, text::line};

/// How long connecting may take, with name look-up and TLS.
const CONNECT: Duration = Duration::from_secs(15);
/// How long a test of a connection may take.
const TEST: Duration = Duration::from_secs(20);
/// How long to wait for a polite end.
const FAREWELL: Duration = Duration::from_secs(2);
/// How many bytes are written between looks at whether the call's time is up.
const CHUNK: usize = 16 * 1024;

/// Connects, makes the connection private, signs in, and leaves again. Sends nothing.
///
/// # Errors
/// The first step that did not work.
pub async fn test_connection(config: &Value, secret: Option<&SecretString>) -> Result<(), ConnectError> {
    let config = SmtpConfig::read(config)?;
    let test = async {
        let mut connection = connect(&config, secret).await?;
        if !connection.test_connected().await {
            return Err(ConnectError::new("refused", "The server ended the connection."));
        }
        farewell(connection);
        Ok(())
    };
    match tokio::time::timeout(TEST, test).await {
        Ok(tested) => tested,
        Err(_elapsed) => Err(ConnectError::new(
            "unreachable",
            "The server did not answer in time.",
        )),
    }
}

/// Sends one mail, once.
pub(super) async fn send(
    config: &SmtpConfig,
    secret: Option<&SecretString>,
    envelope: &Envelope,
    mail: &[u8],
    dispatch: &Dispatch,
) -> Ran {
    let mut connection = match connect(config, secret).await {
        Ok(connection) => connection,
        Err(error) => return Ran::not_dispatched(error.code, error.message),
    };
    if let Err(ran) = envelope_accepted(&mut connection, envelope).await {
        farewell(connection);
        return ran;
    }
    // lettre writes a line end before the final dot, which would be one too many.
    let mail = mail.strip_suffix(b"\r\n").unwrap_or(mail);
    let sent = connection.message_iter(Marked::new(mail, dispatch)).await;
    let ran = judge(sent, dispatch);
    // In the middle of a mail there is no command to say; the connection is just closed.
    if dispatch.has_left() && ran.outcome != countersign_domain::record::Outcome::Unknown {
        farewell(connection);
    }
    ran
}

/// MAIL, RCPT for everyone, DATA. One refused recipient is enough: nobody gets a mail that was approved for all.
async fn envelope_accepted(connection: &mut AsyncSmtpConnection, envelope: &Envelope) -> Result<(), Ran> {
    let refused = |what: &str, error: &Error| {
        Ran::not_dispatched(code(error), format!("Nothing was sent. {what}: {}", words(error)))
    };
    connection
        .command(Mail::new(envelope.from().cloned(), Vec::new()))
        .await
        .map_err(|error| refused("The server refused the sender", &error))?;
    let mut refusals = Vec::new();
    for recipient in envelope.to() {
        match connection.command(Rcpt::new(recipient.clone(), Vec::new())).await {
            Ok(_) => {}
            Err(error) if replied(&error) => {
                refusals.push(format!("{recipient} ({})", words(&error)));
            }
            Err(error) => return Err(refused("The connection was lost", &error)),
        }
    }
    if !refusals.is_empty() {
        let message = format!("Nothing was sent. The server refused {}", refusals.join(", "));
        return Err(Ran::not_dispatched("recipient_refused", message));
    }
    match connection.command(Data).await {
        Ok(response) if response.has_code(354) => Ok(()),
        Ok(response) => Err(Ran::not_dispatched(
            "refused",
            format!("Nothing was sent. The server answered: {}", reply(&response)),
        )),
        Err(error) => Err(refused("The server refused the mail", &error)),
    }
}

/// What the end of the mail came to.
fn judge(sent: Result<Response, Error>, dispatch: &Dispatch) -> Ran {
    match sent {
        Ok(response) if response.code().severity == Severity::PositiveCompletion => {
            let mut result = Object::new();
            result.insert("reply", reply(&response));
            Ran::completed("Sent").with_result(result)
        }
        Ok(response) => Ran::unknown(
            "unclear_reply",
            format!(
                "The server gave no clear answer to the mail: {}",
                reply(&response)
            ),
        ),
        Err(error) if !dispatch.has_left() => Ran::not_dispatched(
            code(&error),
            format!(
                "Nothing was sent. The connection was lost in the middle of the mail: {}",
                words(&error)
            ),
        ),
        Err(error) if replied(&error) => Ran::refused(
            "refused",
            format!("The server did not take the mail: {}", words(&error)),
        ),
        Err(error) => Ran::unknown(
            "no_reply",
            format!(
                "The connection was lost after the mail and before the server's answer: {}",
                words(&error)
            ),
        ),
    }
}

/// Connects, makes the connection private and signs in.
async fn connect(
    config: &SmtpConfig,
    secret: Option<&SecretString>,
) -> Result<AsyncSmtpConnection, ConnectError> {
    let dialogue = async {
        let addresses = resolve(config).await?;
        let hello = ClientId::Ipv4(core::net::Ipv4Addr::LOCALHOST);
        let tls = || {
            TlsParameters::new(config.host.clone())
                .map_err(|error| ConnectError::new("tls", line(&error.to_string(), 300)))
        };
        let implicit = match config.tls {
            Tls::Implicit => Some(tls()?),
            Tls::Starttls | Tls::None => None,
        };
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(&addresses[..], Some(CONNECT), &hello, implicit, None)
                .await
                .map_err(|error| unusable("The server cannot be reached", &error))?;
        if config.tls == Tls::Starttls {
            connection
                .starttls(tls()?, &hello)
                .await
                .map_err(|error| unusable("The connection cannot be made private", &error))?;
        }
        if let Some(username) = &config.username {
            let password = secret
                .map(|secret| secret.expose_secret().to_owned())
                .ok_or_else(|| ConnectError::new("auth", "The password of this mail account is not here."))?;
            connection
                .auth(
                    &[Mechanism::Plain, Mechanism::Login],
                    &Credentials::new(username.clone(), password),
                )
                .await
                .map_err(|error| {
                    ConnectError::new("auth", format!("Signing in failed: {}", words(&error)))
                })?;
        }
        Ok(connection)
    };
    match tokio::time::timeout(CONNECT, dialogue).await {
        Ok(connected) => connected,
        Err(_elapsed) => Err(ConnectError::new(
            "unreachable",
            "The server did not answer in time.",
        )),
    }
}

/// Looks the host up. Without TLS only addresses of this computer are used, whatever the name resolves to.
async fn resolve(config: &SmtpConfig) -> Result<Vec<SocketAddr>, ConnectError> {
    let found = tokio::net::lookup_host((config.host.as_str(), config.port))
        .await
        .map_err(|error| {
            ConnectError::new("unreachable", format!("The server's name is not known: {error}"))
        })?;
    let addresses: Vec<_> = found
        .filter(|address| config.tls != Tls::None || address.ip().is_loopback())
        .collect();
    if addresses.is_empty() {
        return Err(ConnectError::new(
            "unreachable",
            "The server has no usable address.",
        ));
    }
    Ok(addresses)
}

fn unusable(what: &str, error: &Error) -> ConnectError {
    ConnectError::new(code(error), format!("{what}: {}", words(error)))
}

/// Says goodbye aside: the outcome stands already, and no deadline of the call may change it.
fn farewell(mut connection: AsyncSmtpConnection) {
    tokio::spawn(async move {
        // A server that does not answer a QUIT changes nothing.
        let _ = tokio::time::timeout(FAREWELL, connection.quit()).await;
    });
}

fn replied(error: &Error) -> bool {
    error.is_permanent() || error.is_transient()
}

fn code(error: &Error) -> &'static str {
    if replied(error) {
        "refused"
    } else if error.is_tls() {
        "tls"
    } else {
        "unreachable"
    }
}

/// The server's own words where there are any.
fn words(error: &Error) -> String {
    line(&error.to_string(), 300)
}

fn reply(response: &Response) -> String {
    let text: Vec<&str> = response.message().collect();
    line(&format!("{} {}", response.code(), text.join(" ")), 300)
}

/// The mail in pieces. Asking for the piece after the last marks the call as dispatched: what is written next is the
/// final dot.
struct Marked<'a> {
    rest: &'a [u8],
    dispatch: &'a Dispatch,
}

impl<'a> Marked<'a> {
    fn new(mail: &'a [u8], dispatch: &'a Dispatch) -> Self {
        // The dialogue ends the last line itself.
        Self {
            rest: mail.strip_suffix(b"\r\n").unwrap_or(mail),
            dispatch,
        }
    }
}

impl<'a> Iterator for Marked<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            self.dispatch.mark();
            return None;
        }
        let (chunk, rest) = self.rest.split_at(self.rest.len().min(CHUNK));
        self.rest = rest;
        Some(chunk)
    }
}

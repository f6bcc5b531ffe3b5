//! `email.send`: one mail over an SMTP account.
//!
//! `opaque`: SMTP cannot tell afterwards whether a mail was taken, so an attempt whose answer is missing is `unknown` and
//! people decide. The Message-ID is the proposal's, so that they can look for it.

mod address;
mod config;
mod message;
mod smtp;

use async_trait::async_trait;
use countersign_domain::{
    Millis,
    canonical::{Object, Value},
    manifest::{CardField, Idempotency, Manifest, Shape},
    record::{ConnectionKind, EffectClass, PreviewOutcome, Risk},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::address::Address;
use crate::{Assessment, Call, Facts, InputError, Ran, RegistryError, Tool, schema};

pub use config::{SmtpConfig, Tls};
pub use smtp::test_connection;

/// Most recipients of one mail, To, Cc and Bcc together.
pub const MAX_RECIPIENTS: usize = 50;

/// Sends one mail of plain text.
#[derive(Debug)]
pub struct SendMail {
    manifest: Manifest,
}

/// A mail of plain text.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// Recipients: one address or a list, each of the form name@domain.
    to: Addresses,
    /// Recipients of a copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Addresses")]
    cc: Option<Addresses>,
    /// Recipients of a copy whom the others do not see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Addresses")]
    bcc: Option<Addresses>,
    /// The subject, one line.
    #[schemars(length(min = 1, max = 200))]
    subject: String,
    /// The text.
    #[schemars(length(min = 1, max = 100_000))]
    body: String,
}

/// One address or a list of them.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Addresses {
    One(#[schemars(length(min = 3, max = 320))] String),
    Many(#[schemars(length(max = 50), inner(length(min = 3, max = 320)))] Vec<String>),
}

/// A mail whose parts have been checked.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Mail {
    to: Vec<Address>,
    cc: Vec<Address>,
    bcc: Vec<Address>,
    subject: String,
    /// Lines end with a line feed.
    body: String,
}

/// The recipients of a call's arguments in lower case: what a tenant remembers as known once the mail was accepted.
pub fn recipients(args: &Value) -> Vec<String> {
    Mail::read(args)
        .map(|mail| mail.everyone().map(known_as).collect())
        .unwrap_or_default()
}

/// The reason for a mail's risk where this recipient is new. A card finds out by it which of them are.
pub fn new_recipient(address: impl core::fmt::Display) -> String {
    format!("No mail from here has gone to {address} before.")
}

fn known_as(address: &Address) -> String {
    address.to_string().to_lowercase()
}

impl SendMail {
    /// The tool.
    ///
    /// # Errors
    /// When its schema is outside the canonical profile.
    pub fn new() -> Result<Self, RegistryError> {
        let field = |arg: &str, label: &str, shape| CardField {
            arg: arg.to_owned(),
            label: label.to_owned(),
            shape,
        };
        Ok(Self {
            manifest: Manifest {
                card: vec![
                    field("to", "To", Shape::Recipients),
                    field("cc", "Cc", Shape::Recipients),
                    field("bcc", "Bcc", Shape::Recipients),
                    field("subject", "Subject", Shape::Line),
                    field("body", "Text", Shape::Text),
                ],
                confirm: Some("to".to_owned()),
                connection: Some(ConnectionKind::Smtp),
                description: "Sends one e-mail of plain text through a mail account of the tenant."
                    .to_owned(),
                effect: EffectClass::Opaque,
                hold: Millis::seconds(10),
                id: "email.send".to_owned(),
                idempotency: Idempotency::MessageId,
                money: false,
                risk: Risk::Medium,
                schema: schema::of::<Input>()?,
                sentence: "Send an e-mail to {to}: {subject}".to_owned(),
                title: "Send E-mail".to_owned(),
                version: "1.0.0".to_owned(),
            },
        })
    }
}

#[async_trait]
impl Tool for SendMail {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn normalise(&self, input: Value) -> Result<Value, InputError> {
        Mail::read(&input).map(|mail| mail.to_args())
    }

    fn assess(&self, args: &Value, facts: &dyn Facts) -> Assessment {
        let Ok(mail) = Mail::read(args) else {
            return Assessment {
                risk: Risk::High,
                reasons: vec!["The recipients cannot be read.".to_owned()],
            };
        };
        let mut reasons = Vec::new();
        for address in mail.everyone() {
            if !facts.is_known_recipient(&known_as(address)) {
                reasons.push(new_recipient(address));
            }
            if let Some(ascii) = address.foreign_domain() {
                reasons.push(format!(
                    "The domain of {address} has letters outside ASCII; in DNS it is {ascii}."
                ));
            }
        }
        if reasons.is_empty() {
            Assessment {
                risk: Risk::Medium,
                reasons: vec!["Mail from here has gone to every recipient before.".to_owned()],
            }
        } else {
            Assessment {
                risk: Risk::High,
                reasons,
            }
        }
    }

    fn check_connection(&self, config: &Value) -> Result<(), InputError> {
        SmtpConfig::read(config).map(drop)
    }

    fn needs_secret(&self, config: &Value) -> bool {
        SmtpConfig::read(config).is_ok_and(|config| config.username.is_some())
    }

    fn reference(&self, call: &Call<'_>) -> Option<String> {
        let from = sending(call).ok()?.1;
        Some(message::message_id(call.proposal, &from))
    }

    async fn preview(&self, call: &Call<'_>) -> PreviewOutcome {
        let shown = Mail::read(call.args).and_then(|mail| {
            let (config, from) = sending(call)?;
            Ok(mail.shown(&config, &from, call))
        });
        match shown {
            Ok(content) => PreviewOutcome::Shown { content },
            Err(error) => PreviewOutcome::Unavailable {
                reason: error.message,
            },
        }
    }

    async fn run(&self, call: &Call<'_>) -> Ran {
        let (mail, config, from) = match Mail::read(call.args).and_then(|mail| {
            let (config, from) = sending(call)?;
            Ok((mail, config, from))
        }) {
            Ok(ready) => ready,
            Err(error) => return Ran::not_dispatched("invalid_input", error.message),
        };
        let built = match message::build(&mail, &from, call.proposal, call.now) {
            Ok(built) => built,
            Err(error) => return Ran::not_dispatched("invalid_input", error.to_string()),
        };
        let ran = smtp::send(
            &config,
            call.secret,
            &built.envelope,
            &built.bytes,
            &call.dispatch,
        )
        .await;
        told(ran, &mail, &message::message_id(call.proposal, &from))
    }
}

/// The configuration and the sender that a call goes out through.
fn sending(call: &Call<'_>) -> Result<(SmtpConfig, Address), InputError> {
    let config = call
        .config
        .ok_or_else(|| InputError::whole("There is no mail account to send through."))?;
    let config = SmtpConfig::read(config)?;
    let from = config.sender()?;
    Ok((config, from))
}

/// Adds to an outcome what people want to know of it.
fn told(mut ran: Ran, mail: &Mail, message_id: &str) -> Ran {
    if let Some(Value::Object(result)) = &mut ran.result {
        let count = i64::try_from(mail.everyone().count()).unwrap_or(i64::MAX);
        result.insert("messageId", message_id);
        result.insert("recipients", count);
        ran.summary = match mail.everyone().collect::<Vec<_>>().as_slice() {
            [only] => format!("Sent to {only}"),
            [first, rest @ ..] => format!("Sent to {first} and {} more", rest.len()),
            [] => ran.summary,
        };
    }
    ran.with_reference(message_id)
}

impl Mail {
    /// Reads and checks an input, or arguments that were normalised before.
    fn read(input: &Value) -> Result<Self, InputError> {
        let input: Input = schema::typed(input)?;
        let mail = Self {
            to: input.to.read("to")?,
            cc: input.cc.map_or(Ok(Vec::new()), |cc| cc.read("cc"))?,
            bcc: input.bcc.map_or(Ok(Vec::new()), |bcc| bcc.read("bcc"))?,
            subject: input.subject.trim().to_owned(),
            body: input.body.replace("\r\n", "\n"),
        };
        if mail.to.is_empty() {
            return Err(InputError::field("to", "A mail needs a recipient."));
        }
        if mail.everyone().count() > MAX_RECIPIENTS {
            return Err(InputError::field(
                "to",
                format!("A mail has at most {MAX_RECIPIENTS} recipients in all."),
            ));
        }
        if mail.subject.is_empty() {
            return Err(InputError::field("subject", "A mail needs a subject."));
        }
        if mail.subject.chars().any(char::is_control) {
            return Err(InputError::field(
                "subject",
                "A subject is one line without control characters.",
            ));
        }
        if mail.body.trim().is_empty() {
            return Err(InputError::field("body", "A mail needs a text."));
        }
        if mail
            .body
            .chars()
            .any(|c| c.is_control() && !matches!(c, '\n' | '\t'))
        {
            return Err(InputError::field(
                "body",
                "The text has control characters other than line ends and tabs.",
            ));
        }
        Ok(mail)
    }

    fn everyone(&self) -> impl Iterator<Item = &Address> {
        self.to.iter().chain(&self.cc).chain(&self.bcc)
    }

    fn to_args(&self) -> Value {
        let list = |addresses: &[Address]| -> Vec<Value> {
            addresses
                .iter()
                .map(|address| Value::from(address.to_string()))
                .collect()
        };
        let mut args = Object::from_iter([
            ("to", Value::from(list(&self.to))),
            ("subject", Value::from(self.subject.as_str())),
            ("body", Value::from(self.body.as_str())),
        ]);
        for (name, addresses) in [("cc", &self.cc), ("bcc", &self.bcc)] {
            if !addresses.is_empty() {
                args.insert(name, list(addresses));
            }
        }
        args.into()
    }

    /// The mail as its recipients' server will get it, line by line, without its text, which is on the card whole.
    fn shown(&self, config: &SmtpConfig, from: &Address, call: &Call<'_>) -> Value {
        let joined = |addresses: &[Address]| {
            let addresses: Vec<_> = addresses.iter().map(Address::to_string).collect();
            addresses.join(", ")
        };
        let header = |name: &str, value: String| Value::from(Object::from_iter([(name, value)]));
        let account = call.connection.unwrap_or("the mail account");
        let mut lines = vec![
            header("Through", format!("{account} ({})", config.server())),
            header("From", from.to_string()),
            header("To", joined(&self.to)),
        ];
        if !self.cc.is_empty() {
            lines.push(header("Cc", joined(&self.cc)));
        }
        if !self.bcc.is_empty() {
            lines.push(header("Bcc, seen by nobody else", joined(&self.bcc)));
        }
        lines.push(header("Subject", self.subject.clone()));
        lines.push(header("Message-ID", message::message_id(call.proposal, from)));
        lines.push(header("Date", "the time of sending".to_owned()));
        lines.push(header("Content-Type", "text/plain; charset=utf-8".to_owned()));
        let characters = self.body.chars().count();
        lines.push(header("Text", format!("{characters} characters, as on the card")));
        Value::from(lines)
    }
}

impl Addresses {
    /// Each address once, in the order given.
    fn read(self, field: &str) -> Result<Vec<Address>, InputError> {
        let texts = match self {
            Self::One(text) => vec![text],
            Self::Many(texts) => texts,
        };
        let mut addresses: Vec<Address> = Vec::new();
        for (index, text) in texts.iter().enumerate() {
            let address = Address::parse(text, &format!("{field}/{index}"))?;
            if !addresses
                .iter()
                .any(|known| known_as(known) == known_as(&address))
            {
                addresses.push(address);
            }
        }
        Ok(addresses)
    }
}

#[cfg(test)]
mod tests;

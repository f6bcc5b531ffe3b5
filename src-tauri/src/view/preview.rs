//! What a holder's preview adds to the card. A line that only says again what stands on the card is left out; one that
//! says it differently stays, under a name that tells whose word it is.

use countersign_domain::render::{self, Pair};

use super::{
    card::CardNode,
    render_card::{flat, pair},
    spans,
    through::ENCRYPTION,
    visible,
};

/// The lines that the card does not have yet, each in words.
pub(super) fn additions(lines: Vec<Pair>, card: &[CardNode]) -> Vec<CardNode> {
    let said = Said::on(card);
    lines
        .into_iter()
        .filter(|line| !said.already(&render::flat(&line.name), &render::flat(&line.value)))
        .map(|line| {
            let (name, value) = (render::flat(&line.name), render::flat(&line.value));
            let label = match name.to_lowercase().as_str() {
                "request" if said.begins(&name, &value) => "Full address".to_owned(),
                _ if said.value(&name).is_some() => format!("{name}, by the preview"),
                "" => "Preview".to_owned(),
                "date" => "Dated".to_owned(),
                "content-type" => "Sent as".to_owned(),
                "idempotency-key" => "Idempotency key".to_owned(),
                _ => name,
            };
            let words = match value.as_str() {
                "the time of sending" => Some("The time of sending"),
                "text/plain; charset=utf-8" => Some("Plain text, UTF-8"),
                _ => None,
            };
            CardNode::Field {
                label,
                mono: words.is_none(),
                value: words.map_or_else(|| spans(line.value), visible),
            }
        })
        .collect()
}

/// Names and values on the card, as a preview would write them.
struct Said(Vec<(String, String)>);

impl Said {
    fn on(card: &[CardNode]) -> Self {
        let mut said = Vec::new();
        for node in card {
            match node {
                CardNode::Field { label, value, .. } => said.push((label.clone(), flat(value))),
                CardNode::Recipient { label, address, .. } => {
                    let address = flat(address);
                    // All of one header are one line of a preview.
                    match said.last_mut() {
                        Some((last, all)) if last == label => *all = format!("{all}, {address}"),
                        _ => said.push((label.clone(), address)),
                    }
                }
                CardNode::Text {
                    label, characters, ..
                } => said.push((label.clone(), format!("{characters} characters, as on the card"))),
                CardNode::Json { label, text } => {
                    said.push((
                        label.clone(),
                        format!("{} bytes, as on the card", flat(text).len()),
                    ));
                }
                CardNode::Url {
                    method,
                    scheme,
                    host,
                    path,
                    ..
                } => said.push((
                    "Request".to_owned(),
                    format!("{method} {scheme}://{}{}", flat(host), flat(path)),
                )),
                CardNode::List { items, .. } => {
                    said.extend(items.iter().filter_map(|item| pair(item)));
                }
                CardNode::Money { .. } | CardNode::Flag { .. } => {}
            }
        }
        Self(said)
    }

    fn value(&self, name: &str) -> Option<&str> {
        // "Bcc, seen by nobody else" is the card's "Bcc", and "content-type" its "Content type".
        let plain = |name: &str| {
            name.split(',')
                .next()
                .unwrap_or(name)
                .replace('-', " ")
                .to_lowercase()
        };
        let wanted = plain(name);
        let found = self.0.iter().find(|(label, _)| plain(label) == wanted);
        found.map(|(_, value)| value.as_str())
    }

    /// The card's address, with its query after it.
    fn begins(&self, name: &str, value: &str) -> bool {
        let rest = self.value(name).and_then(|short| value.strip_prefix(short));
        rest.is_some_and(|query| query.starts_with('?'))
    }

    fn already(&self, name: &str, value: &str) -> bool {
        let through = || {
            let (connection, server) = (self.value("Through")?, self.value("Mail server")?);
            let said = self.value("Encryption")?;
            let (_, protected, _) = ENCRYPTION.iter().find(|(_, _, words)| *words == said)?;
            Some(format!("{connection} ({server}, {protected})"))
        };
        let secret = format!("A secret in the header {name}");
        self.value(name) == Some(value)
            || (name == "Through" && through().as_deref() == Some(value))
            || (value == "the connection's secret"
                && self
                    .value("Signs in with")
                    .is_some_and(|words| words.eq_ignore_ascii_case(&secret)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::Span;

    fn field(label: &str, value: &str) -> CardNode {
        CardNode::Field {
            label: label.to_owned(),
            value: visible(value),
            mono: true,
        }
    }

    fn to(address: &str) -> CardNode {
        CardNode::Recipient {
            label: "To".to_owned(),
            address: visible(address),
            known: true,
            note: None,
        }
    }

    fn added(card: &[CardNode], preview: &[(&str, &str)]) -> Vec<(String, String)> {
        let line = |(name, value): &(&str, &str)| Pair {
            name: render::visible(name),
            value: render::visible(value),
        };
        additions(preview.iter().map(line).collect(), card)
            .into_iter()
            .map(|node| {
                let CardNode::Field { label, value, .. } = node else {
                    panic!("{node:?}")
                };
                (label, flat(&value))
            })
            .collect()
    }

    fn mail() -> Vec<CardNode> {
        vec![
            to("ada@acme.example"),
            to("ben@acme.example"),
            field("Subject", "Hello"),
            CardNode::Text {
                label: "Text".to_owned(),
                lines: vec![vec![Span::Text {
                    text: "Hi".to_owned(),
                }]],
                characters: 2,
            },
            field("Through", "Company mail"),
            field("From", "office@acme.example"),
            field("Mail server", "127.0.0.1:2525"),
            field("Encryption", "STARTTLS, required"),
        ]
    }

    #[test]
    fn what_stands_on_the_card_is_not_said_twice() {
        let preview = [
            ("Through", "Company mail (127.0.0.1:2525, STARTTLS)"),
            ("From", "office@acme.example"),
            ("To", "ada@acme.example, ben@acme.example"),
            ("Subject", "Hello"),
            ("Message-ID", "<1@acme.example>"),
            ("Date", "the time of sending"),
            ("Text", "2 characters, as on the card"),
        ];
        assert_eq!(
            added(&mail(), &preview),
            [
                ("Message-ID".to_owned(), "<1@acme.example>".to_owned()),
                ("Dated".to_owned(), "The time of sending".to_owned()),
            ]
        );
        let request = [
            CardNode::Url {
                label: "Address".to_owned(),
                method: "POST".to_owned(),
                scheme: "https".to_owned(),
                host: visible("api.acme.example"),
                path: visible("/v1/orders"),
            },
            CardNode::List {
                label: "Headers".to_owned(),
                items: vec![visible("x-trace: 7")],
            },
            field("Content type", "application/json"),
            CardNode::Json {
                label: "Body".to_owned(),
                text: visible("{\n}"),
            },
            field("Through", "Orders"),
            field("Signs in with", "A secret in the header Authorization"),
        ];
        let preview = [
            ("Through", "Orders"),
            ("Request", "POST https://api.acme.example/v1/orders"),
            ("x-trace", "7"),
            ("content-type", "application/json"),
            ("authorization", "the connection's secret"),
            ("Body", "3 bytes, as on the card"),
        ];
        assert_eq!(added(&request, &preview), []);
        let whole = "POST https://api.acme.example/v1/orders?dry=1";
        assert_eq!(
            added(&request, &[("Request", whole)]),
            [("Full address".to_owned(), whole.to_owned())],
            "the parts of the query stand on the card, and the address as it is sent is new"
        );
    }

    #[test]
    fn a_preview_that_says_something_else_is_shown_as_its_holder_s_word() {
        let preview = [
            ("To", "eve@evil.example"),
            ("Subject", "Hello"),
            ("Text", "900 characters, as on the card"),
            ("Bcc, seen by nobody else", "eve@evil.example"),
        ];
        let pairs = [
            ("To, by the preview", "eve@evil.example"),
            ("Text, by the preview", "900 characters, as on the card"),
            ("Bcc, seen by nobody else", "eve@evil.example"),
        ];
        assert_eq!(
            added(&mail(), &preview),
            pairs.map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
    }
}

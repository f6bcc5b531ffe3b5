//! A card's connection in words: what leaves where, and how it is protected. A setting that has no words here stands
//! there as it is.

use countersign_domain::{
    record::ConnectionKind,
    render::{self, Pair, Span as Piece, Spans, Through},
};

use super::{card::CardNode, spans};

/// How a mail server is spoken to: as the connection has it, as a preview says it, and as the card does.
pub(super) const ENCRYPTION: [(&str, &str, &str); 3] = [
    ("implicit", "TLS", "TLS from the start"),
    ("starttls", "STARTTLS", "STARTTLS, required"),
    ("none", "no TLS", "None; the server is on the computer that sends"),
];

/// The connection's name, and each of its public settings.
pub(super) fn nodes(through: Through) -> Vec<CardNode> {
    let mut nodes = vec![CardNode::Field {
        label: "Through".to_owned(),
        value: spans(through.name),
        mono: false,
    }];
    let mut settings = through.config;
    match through.kind {
        ConnectionKind::Smtp => mail(&mut nodes, &mut settings),
        ConnectionKind::Http => http(&mut nodes, &mut settings),
    }
    nodes.extend(
        settings
            .into_iter()
            .map(|pair| field(&render::flat(&pair.name), pair.value, true)),
    );
    nodes
}

fn mail(nodes: &mut Vec<CardNode>, settings: &mut Vec<Pair>) {
    if let Some(from) = take(settings, "from") {
        nodes.push(field("From", from, true));
    }
    if let Some(mut server) = take(settings, "host") {
        if let Some(port) = take(settings, "port") {
            server.push(Piece::Plain(":".to_owned()));
            server.extend(port);
        }
        nodes.push(field("Mail server", server, true));
    }
    if let Some(user) = take(settings, "username") {
        nodes.push(field("Signs in as", user, true));
    }
    if let Some(tls) = take(settings, "tls") {
        let named = render::flat(&tls);
        let known = ENCRYPTION.iter().find(|(name, _, _)| *name == named);
        nodes.push(match known {
            Some((_, _, words)) => said("Encryption", words),
            None => field("Encryption", tls, true),
        });
    }
}

fn http(nodes: &mut Vec<CardNode>, settings: &mut Vec<Pair>) {
    if let Some(base) = take(settings, "base_url") {
        nodes.push(field("Base address", base, true));
    }
    for (name, label) in [
        ("allowed_path_prefixes", "Allowed paths"),
        ("allowed_methods", "Allowed methods"),
    ] {
        if let Some(value) = take(settings, name) {
            nodes.push(match listed(&value) {
                Some(words) => field(label, vec![Piece::Plain(words)], true),
                None => field(label, value, true),
            });
        }
    }
    if let Some(header) = take(settings, "auth_header") {
        let mut words = vec![Piece::Plain("A secret in the header ".to_owned())];
        words.extend(header);
        nodes.push(field("Signs in with", words, false));
    }
    if let Some(window) = take(settings, "idempotency_window_s") {
        let seconds = render::flat(&window).parse::<u32>();
        nodes.push(match seconds {
            Ok(seconds) => said("A repeat", &format!("Is known as one for {}", duration(seconds))),
            Err(_) => field("A repeat", window, true),
        });
    }
}

fn take(settings: &mut Vec<Pair>, name: &str) -> Option<Spans> {
    let at = settings
        .iter()
        .position(|pair| render::flat(&pair.name) == name)?;
    Some(settings.remove(at).value)
}

fn field(label: &str, value: Spans, mono: bool) -> CardNode {
    CardNode::Field {
        label: label.to_owned(),
        value: spans(value),
        mono,
    }
}

fn said(label: &str, words: &str) -> CardNode {
    field(label, vec![Piece::Plain(words.to_owned())], false)
}

/// A list of plain texts, which the card has as JSON. One with anything to hide in it stays as it is.
fn listed(value: &Spans) -> Option<String> {
    let [Piece::Plain(text)] = value.as_slice() else {
        return None;
    };
    let items: Vec<String> = serde_json::from_str(text).ok()?;
    let words = items.join(", ");
    matches!(render::visible(&words).as_slice(), [Piece::Plain(_)]).then_some(words)
}

fn duration(seconds: u32) -> String {
    match seconds {
        minutes if minutes >= 60 && minutes % 60 == 0 => format!("{} min", minutes / 60),
        seconds => format!("{seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::Span;

    fn told(kind: ConnectionKind, config: &[(&str, &str)]) -> Vec<(String, String)> {
        let pair = |(name, value): &(&str, &str)| Pair {
            name: render::visible(name),
            value: render::visible(value),
        };
        let through = Through {
            config: config.iter().map(pair).collect(),
            kind,
            name: render::visible("Company mail"),
        };
        nodes(through)
            .into_iter()
            .map(|node| {
                let CardNode::Field { label, value, .. } = node else {
                    panic!("{node:?}")
                };
                let text = value.iter().map(|span| match span {
                    Span::Text { text } | Span::Escape { text } => text.as_str(),
                });
                (label, text.collect())
            })
            .collect()
    }

    #[test]
    fn a_connection_is_told_in_words_and_nothing_of_it_is_left_out() {
        let mail = told(
            ConnectionKind::Smtp,
            &[
                ("from", "office@acme.example"),
                ("host", "127.0.0.1"),
                ("port", "2525"),
                ("tls", "none"),
                ("later", "a setting of a newer version"),
            ],
        );
        let words: Vec<&str> = mail.iter().map(|(_, words)| words.as_str()).collect();
        assert_eq!(
            words,
            [
                "Company mail",
                "office@acme.example",
                "127.0.0.1:2525",
                "None; the server is on the computer that sends",
                "a setting of a newer version"
            ]
        );
        let http = told(
            ConnectionKind::Http,
            &[
                ("allowed_methods", r#"["GET","POST"]"#),
                ("allowed_path_prefixes", r#"["/v1/orders"]"#),
                ("auth_header", "Authorization"),
                ("base_url", "https://api.acme.example"),
                ("idempotency_window_s", "600"),
            ],
        );
        let words: Vec<&str> = http.iter().map(|(_, words)| words.as_str()).collect();
        assert_eq!(
            words,
            [
                "Company mail",
                "https://api.acme.example",
                "/v1/orders",
                "GET, POST",
                "A secret in the header Authorization",
                "Is known as one for 10 min"
            ]
        );
    }

    #[test]
    fn a_list_that_hides_something_is_shown_as_it_is() {
        let http = told(
            ConnectionKind::Http,
            &[("allowed_path_prefixes", "[\"/v1\\u202e\"]")],
        );
        assert!(http[1].1.contains("u202e"), "{http:?}");
    }
}

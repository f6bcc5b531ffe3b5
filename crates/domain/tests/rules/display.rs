//! The corpora of threats.md T5 through the real card: strings that are known to break programs, every code point that
//! hides or reorders, and every letter that looks like one of ASCII, in every place of the card that holds a text.

use std::collections::BTreeSet;

use countersign_domain::{
    canonical::{self, Object, Value},
    manifest::{Manifest, Shape},
    record::{Connection, ConnectionRef, Evidence, Preview, PreviewOutcome, Proposal, Untrusted},
    render::{Node, Pair, PreviewView, Span, View, render},
};

use crate::{
    card::{field, pinned, texts},
    characters::{is_hidden, original},
    samples,
};

/// Shapes that hold a text, with the argument that has each.
const SHAPES: [(&str, Shape); 7] = [
    ("line", Shape::Line),
    ("text", Shape::Text),
    ("to", Shape::Recipients),
    ("method", Shape::Method),
    ("path", Shape::Url),
    ("code", Shape::Code),
    ("due", Shape::Date),
];

/// How many places of a card show the text that it was made with; the host one that is no path as well.
const PLACES: usize = 37;

/// In how many of them every letter counts: a recipient alone and among others, a method, a path, a host.
const EXACT: usize = 5;

/// A card with `text` wherever a text can be.
pub(crate) struct Everywhere {
    pub(crate) view: View,
    text: String,
}

impl Everywhere {
    pub(crate) fn new(text: &str) -> Self {
        let named = |name: &str, value: &str| Value::Object(Object::from_iter([(name, value)]));
        let mut args: Object = SHAPES.iter().map(|(name, _)| (*name, text)).collect();
        args.insert("all", vec![Value::from(text), Value::from("ann@acme.com")]);
        args.insert("pairs", named(text, text));
        args.insert("items", vec![named(text, text), Value::from(text)]);
        args.insert(format!("other{text}"), text);
        args.insert("deep", vec![named(text, text)]);
        let mut manifest = manifest(text);
        manifest.sentence = format!("{text} {{line}} {{to}} {{all}}");
        // What is behind a slash is no host.
        let host = text.split('/').next().unwrap_or_default();
        let connection = Connection {
            name: text.to_owned(),
            config: Value::Object(Object::from_iter([
                ("base_url", format!("https://{host}.example/v1/")),
                (text, text.to_owned()),
            ])),
            ..samples::connection()
        };
        let mut proposal = Proposal {
            args: Value::Object(args),
            connection: Some(ConnectionRef {
                config: connection.config_digest().unwrap(),
                holder: connection.holder,
                id: connection.id,
            }),
            risk_reasons: vec![text.to_owned()],
            untrusted: Untrusted {
                evidence: vec![Evidence {
                    title: text.to_owned(),
                    value: text.to_owned(),
                }],
                note: Some(text.to_owned()),
            },
            ..samples::proposal()
        };
        proposal.proposer.name = text.to_owned();
        proposal.tool.id = manifest.id.clone();
        let manifest = pinned(manifest);
        proposal.tool.manifest = manifest.digest();
        let preview = samples::preview(
            &proposal,
            PreviewOutcome::Shown {
                content: named(text, text),
            },
        );
        let digest = preview.proposal_digest;
        let made =
            |preview: Option<&Preview>| render(&proposal, digest, preview, &manifest, Some(&connection));
        Self {
            view: made(Some(&preview)).unwrap(),
            text: text.to_owned(),
        }
    }

    /// Every text of the card with its place, as it was before anything of it was made visible.
    fn places(&self) -> Vec<(&'static str, String)> {
        let view = &self.view;
        let pair = |pair: &Pair| [("pair", original(&pair.name)), ("pair", original(&pair.value))];
        let through = view.connection.as_ref().unwrap();
        let Some(PreviewView::Shown { lines }) = &view.preview else {
            panic!("the preview is on the card");
        };
        let untrusted = view.untrusted.as_ref().unwrap();
        let note: Vec<_> = untrusted.note.iter().map(|line| original(line)).collect();
        let mut found = vec![
            ("tool", put_back(&view.tool)),
            ("proposer", original(&view.proposer)),
            ("reason", original(&view.risk_reasons[0])),
            ("connection", original(&through.name)),
            ("note", note.join("\n")),
        ];
        found.extend(
            through
                .config
                .iter()
                .chain(lines)
                .chain(&untrusted.evidence)
                .flat_map(pair),
        );
        for node in &view.body {
            let label = serde_json::to_value(node).unwrap()["label"]
                .as_str()
                .unwrap()
                .to_owned();
            found.push(("label", put_back(&label)));
            found.extend(texts(node).into_iter().map(|text| ("body", text)));
        }
        found
    }

    /// What of the card is not as it has to be.
    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let text = &self.text;
        let prose = text.replace("\r\n", "\n");
        // As JSON where the argument is no text by itself.
        let quoted = String::from_utf8(canonical::to_vec(&Value::from(text.as_str())).unwrap()).unwrap();
        let mut whole = 0;
        for (place, shown) in self.places() {
            // The parts of the card that the text was not put into.
            let ours = ["", "https", "base_url", "ann@acme.com", "deep"].contains(&shown.as_str());
            if [text, &prose, &quoted].iter().any(|text| shown.contains(*text)) {
                whole += 1;
            } else if !ours && !shown.ends_with(".example") && !shown.starts_with("https://") {
                faults.push(format!("{place} shows {shown:?} instead of {text:?}"));
            }
        }
        if whole < PLACES {
            faults.push(format!("{whole} of {PLACES} places show it whole"));
        }
        // The sentence's own isolation stands around what is written from right to left.
        let mut view = self.view.clone();
        for span in &mut view.sentence {
            if let Span::Plain(text) = span {
                text.retain(|c| !matches!(c, '\u{2068}' | '\u{2069}'));
            }
        }
        let mut raw = |text: &str| {
            if text.contains(is_hidden) {
                faults.push(format!("{text:?} hides something"));
            }
        };
        strings(&serde_json::to_value(&view).unwrap(), &mut raw);
        for exact in self.identities() {
            if exact
                .iter()
                .any(|span| matches!(span, Span::Plain(text) if !text.is_ascii()))
            {
                faults.push(format!("{exact:?} can pass for another"));
            }
        }
        faults
    }

    /// What names one thing among many.
    fn identities(&self) -> Vec<&[Span]> {
        let mut found: Vec<&[Span]> = Vec::new();
        for node in &self.view.body {
            match node {
                Node::Recipients { addresses, .. } => found.extend(addresses.iter().map(Vec::as_slice)),
                Node::Url {
                    host, path, scheme, ..
                } => found.extend([&host[..], path, scheme]),
                Node::Line {
                    mono: true, value, ..
                } => found.push(value),
                Node::Line { .. }
                | Node::Text { .. }
                | Node::Code { .. }
                | Node::Pairs { .. }
                | Node::Flag { .. } => {}
            }
        }
        found
    }
}

/// A manifest whose every word for people is `text`.
fn manifest(text: &str) -> Manifest {
    let mut card: Vec<_> = SHAPES
        .iter()
        .map(|(name, shape)| field(name, text, *shape))
        .collect();
    card.push(field("all", text, Shape::Recipients));
    card.push(field("pairs", text, Shape::Pairs));
    card.push(field("items", text, Shape::Pairs));
    Manifest {
        card,
        title: text.to_owned(),
        confirm: None,
        ..samples::manifest()
    }
}

/// A flat text with its escapes put back.
fn put_back(text: &str) -> String {
    let mut whole = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("⟦U+") {
        let (digits, after) = after.split_once('⟧').unwrap();
        whole.push_str(before);
        whole.push(char::from_u32(u32::from_str_radix(digits, 16).unwrap()).unwrap());
        rest = after;
    }
    whole + rest
}

fn strings(value: &serde_json::Value, visit: &mut impl FnMut(&str)) {
    match value {
        serde_json::Value::String(text) => visit(text),
        serde_json::Value::Array(items) => items.iter().for_each(|item| strings(item, visit)),
        serde_json::Value::Object(members) => members.values().for_each(|value| strings(value, visit)),
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {}
    }
}

/// Letters of other scripts that look like others: those whose UTS #39 skeleton is another text.
fn confusables() -> impl Iterator<Item = char> {
    use unicode_security::confusable_detection::skeleton;
    ('\u{80}'..=char::MAX).filter(|c| {
        let text = c.to_string();
        let skeleton: String = skeleton(&text).collect();
        let ascii = skeleton.is_ascii();
        ascii && skeleton != text
    })
}

#[test]
fn strings_that_break_programs_are_shown_whole_and_harmless() {
    let mut shown = 0;
    for text in naughty_strings::BLNS {
        let card = Everywhere::new(text);
        assert_eq!(card.faults(), Vec::<String>::new(), "{text:?}");
        shown += PLACES;
    }
    eprintln!("{} strings, {shown} texts", naughty_strings::BLNS.len());
    assert!(shown > 10_000, "{shown}");
}

#[test]
fn every_code_point_that_hides_is_an_escape_in_every_place() {
    let hidden: Vec<char> = ('\0'..=char::MAX).filter(|c| is_hidden(*c)).collect();
    assert!(
        hidden.len() > 137_000,
        "private use is most of them: {}",
        hidden.len()
    );
    let (private, other): (Vec<char>, Vec<char>) = hidden.iter().partition(|c| {
        u32::from(**c) >= 0xE000
            && !matches!(c, '\u{FB00}'..='\u{FFFF}' | '\u{1BCA0}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
    });
    // Each by itself between letters; of private use, where one is as another, every sixteenth, or all with COUNTERSIGN_LONG.
    let step = if std::env::var_os("COUNTERSIGN_LONG").is_some() {
        1
    } else {
        16
    };
    let private: Vec<char> = private.into_iter().step_by(step).collect();
    let singly = other.iter().map(|c| format!("a{c}b"));
    let together = private.chunks(1_000).map(|chars| chars.iter().collect());
    let mut cards = 0;
    for text in singly.chain(together) {
        let card = Everywhere::new(&text);
        assert_eq!(card.faults(), Vec::<String>::new(), "{text:?}");
        cards += 1;
    }
    eprintln!("{cards} cards, {} texts", cards * PLACES);
    assert!(cards * PLACES > 10_000, "{cards}");
}

#[test]
fn a_letter_that_looks_like_another_does_not_pass_for_it_where_every_letter_counts() {
    let mut found = 0;
    for letter in confusables() {
        let card = Everywhere::new(&format!("{letter}cme"));
        let identities = card.identities();
        let named = identities
            .iter()
            .filter(|spans| original(spans).contains(letter))
            .count();
        assert!(named >= EXACT, "{named}");
        assert_eq!(card.faults(), Vec::<String>::new(), "U+{:04X}", u32::from(letter));
        found += 1;
    }
    eprintln!(
        "{found} letters, {} texts of which each letter counts in {EXACT}",
        found * PLACES
    );
    assert!(found * PLACES > 10_000, "{found}");
}

/// The different texts on the cards of the worst, a card a line: what the front end's tests draw with the real components.
#[test]
fn the_worst_of_them_are_drawn_by_the_front_end_too() {
    let worst = [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "\"><svg/onload=alert(1)>",
        "javascript:alert(1)",
        "{{constructor.constructor('alert(1)')()}}",
        "[click](https://evil.example)",
        "&lt;b&gt;&#x202E;",
        "a\u{202E}gpj.exe",
        "\u{2066}\u{2067}\u{2068}x\u{2069}",
        "ann\u{200B}@\u{2060}acme.com",
        "\u{E0041}\u{E0042}\u{E007F}",
        "x\u{FE0F}\u{E0100}",
        "Z\u{351}\u{36B}\u{343}\u{36A}\u{302}\u{36B}a",
        "a\0b\u{7}\u{1B}[31m",
        "line\r\nline\rline\u{2028}line",
        "\u{430}\u{440}\u{440}\u{4CF}\u{435}.com",
        "\u{FFFD}\u{FFFC}\u{FFF9}",
        "\u{E000}\u{F8FF}\u{100000}",
        "שלום \u{200F}ab 12",
        "       ",
        "\u{2800}\u{3164}\u{115F}",
        "\u{3C}\u{338}script\u{3E}",
        "</bdi></div><iframe src=//evil.example>",
        "<style>*{display:none}</style>",
        "data:text/html,<script>alert(1)</script>",
        "${7*7}#{7*7}<%= 7*7 %>",
        "\u{1D173}\u{1D17A}\u{13441}",
        "\u{61C}\u{200E}\u{200B}\u{200D}",
        "\u{1F3F4}\u{E0067}\u{E007F}",
        "\u{FF1C}b\u{FF1E}\u{2039}b\u{203A}",
        "x\u{85}y\u{9F}z\u{AD}",
        "\u{202E}\u{202D}\u{202A}\u{202B}\u{202C}",
    ];
    let cards = worst.map(|text| {
        let card = Everywhere::new(text);
        let mut texts = BTreeSet::new();
        every_text(&serde_json::to_value(&card.view).unwrap(), &mut texts);
        texts.into_iter().collect::<Vec<_>>().join(",")
    });
    insta::assert_snapshot!(format!("[[{}]]", cards.join("],\n[")));
}

/// The texts of a card in their JSON, each once.
fn every_text(value: &serde_json::Value, found: &mut BTreeSet<String>) {
    match value {
        serde_json::Value::Array(items) if items.iter().any(|item| item["text"].is_string()) => {
            found.insert(value.to_string());
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| every_text(item, found)),
        serde_json::Value::Object(members) => members.values().for_each(|value| every_text(value, found)),
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_) => {}
    }
}

//! Any card: every argument that will run is on it, and nothing in it hides.

use countersign_domain::{
    Digest, Record,
    canonical::{self, Object, Value},
    manifest::{CardField, Shape},
    record::{ConnectionRef, Proposal},
    render::{Node, Span, View, flat, render, visible},
};
use proptest::prelude::*;

use crate::{
    card::{args, card, field, manifest, pinned, proposing, texts},
    characters::{awkward, is_hidden, original},
    samples,
};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn every_argument_is_on_the_card((fields, args) in calls()) {
        let manifest = manifest(fields.clone());
        let view = card(&proposing(&manifest, Value::Object(args.clone())), &manifest);
        let labels: Vec<String> = view
            .body
            .iter()
            .map(|node| match serde_json::to_value(node).unwrap()["label"].as_str() {
                Some(label) => label.to_owned(),
                None => String::new(),
            })
            .collect();
        for (name, value) in args.iter() {
            // Its own node shows it, not one that happens to hold the same text.
            let label = fields.iter().find(|field| field.arg == name).map_or(name, |field| field.label.as_str());
            let label = flat(&visible(label));
            let own: Vec<String> = view
                .body
                .iter()
                .zip(&labels)
                .filter(|(_, other)| **other == label)
                .flat_map(|(node, _)| texts(node))
                .collect();
            prop_assert!(labels.contains(&label), "{name:?} has no place in {labels:?}");
            prop_assert!(is_shown(&own, value), "{name:?}: {value:?} is not in {own:?}");
        }
        let shown = fields.iter().filter(|field| args.get(&field.arg).is_some()).count();
        let unmentioned = args.iter().filter(|(name, _)| !fields.iter().any(|field| field.arg == *name)).count();
        prop_assert_eq!(view.body.len(), shown + unmentioned, "and nothing else");
    }

    #[test]
    fn no_string_of_a_card_hides_anything((fields, args) in calls(), note in awkward(), title in awkward()) {
        let mut manifest = manifest(fields);
        manifest.title = title;
        manifest.sentence = format!("{note}{{a}}");
        let mut proposal = proposing(&manifest, Value::Object(args));
        proposal.untrusted.note = Some(note.clone());
        proposal.proposer.name = note.clone();
        proposal.risk_reasons = vec![note];
        let mut view = card(&proposal, &manifest);
        // The sentence's own: each opens before an argument and closes behind it.
        let isolates = |c: &char| matches!(c, '\u{2068}' | '\u{2069}');
        let own: String = flat(&view.sentence).chars().filter(isolates).collect();
        prop_assert_eq!(own.replace("\u{2068}\u{2069}", ""), "");
        for span in &mut view.sentence {
            if let Span::Plain(text) = span {
                text.retain(|c| !isolates(&c));
            }
        }
        let view = canonical::parse(&canonical::to_vec(&view).unwrap()).unwrap();
        let mut hidden = Vec::new();
        strings(&view, &mut |text| {
            if text.contains(is_hidden) {
                hidden.push(text.to_owned());
            }
        });
        prop_assert!(hidden.is_empty(), "{hidden:?}");
    }

    #[test]
    fn a_card_has_one_spelling((fields, args) in calls()) {
        let manifest = manifest(fields);
        let view = card(&proposing(&manifest, Value::Object(args)), &manifest);
        let bytes = canonical::to_vec(&view).unwrap();
        let read: View = canonical::from_slice(&bytes).unwrap();
        prop_assert_eq!(canonical::to_vec(&read).unwrap(), &bytes[..]);
        prop_assert_eq!(read.digest().unwrap(), Digest::of(&bytes));
        prop_assert_eq!(read, view);
    }

    #[test]
    fn the_host_is_the_connections_whatever_the_path_says(path in prop_oneof![awkward(), "[@:/.a-z#?\\\\]{0,30}"]) {
        let (proposal, view) = through(&[("path", Value::from(path.as_str()))]);
        let Some(Node::Url { host, path: shown, scheme, .. }) = view.body.first() else {
            panic!("a URL is expected, not {:?}", view.body);
        };
        prop_assert_eq!(original(host), "api.example.com:8443");
        prop_assert_eq!(original(scheme), "https");
        prop_assert_eq!(original(shown), format!("/v1{path}"));
        prop_assert_eq!(view.proposal, proposal.id);
    }
}

const SHAPES: [Shape; 9] = [
    Shape::Line,
    Shape::Text,
    Shape::Recipients,
    Shape::Method,
    Shape::Url,
    Shape::Code,
    Shape::Pairs,
    Shape::Date,
    Shape::Flag,
];

/// Whether `seen` holds the value whole, or each of its parts.
fn is_shown(seen: &[String], value: &Value) -> bool {
    let has = |text: &str| seen.iter().any(|shown| shown.contains(text));
    match value {
        Value::String(text) => has(text) || has(&text.replace("\r\n", "\n")),
        Value::Integer(number) => has(&number.to_string()),
        Value::Bool(truth) => has(if *truth { "yes" } else { "no" }),
        Value::Null => has("nothing"),
        Value::Array(items) => whole(seen, value) || items.iter().all(|item| is_shown(seen, item)),
        Value::Object(object) => {
            whole(seen, value)
                || object
                    .iter()
                    .all(|(name, value)| has(name) && is_shown(seen, value))
        }
    }
}

fn whole(seen: &[String], value: &Value) -> bool {
    let text = String::from_utf8(canonical::to_vec(value).unwrap()).unwrap();
    seen.iter().any(|shown| shown.contains(&text))
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-canonical::MAX_INTEGER..=canonical::MAX_INTEGER).prop_map(Value::from),
        awkward().prop_map(Value::from),
        "[a-z@. ]{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((awkward(), inner), 0..4)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

/// Arguments with names, for some of which the manifest has a field of some shape.
fn calls() -> impl Strategy<Value = (Vec<CardField>, Object)> {
    let argument = (
        prop_oneof!["[a-e]", awkward()],
        values(),
        prop::option::of((prop::sample::select(SHAPES.to_vec()), awkward())),
    );
    prop::collection::vec(argument, 0..6).prop_map(|arguments| {
        let fields = arguments
            .iter()
            .filter_map(|(name, _, shape)| {
                let (shape, label) = shape.clone()?;
                Some(field(name, &label, shape))
            })
            .collect();
        let args = arguments
            .into_iter()
            .map(|(name, value, _)| (name, value))
            .collect();
        (fields, args)
    })
}

fn strings(value: &Value, visit: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => visit(text),
        Value::Array(items) => items.iter().for_each(|item| strings(item, visit)),
        Value::Object(object) => object.iter().for_each(|(name, value)| {
            visit(name);
            strings(value, visit);
        }),
        Value::Null | Value::Bool(_) | Value::Integer(_) => {}
    }
}

/// The card of an HTTP request over the sample connection.
fn through(entries: &[(&str, Value)]) -> (Proposal, View) {
    let connection = samples::connection();
    let manifest = samples::manifest();
    let mut proposal = proposing(&manifest, args(entries));
    proposal.connection = Some(ConnectionRef {
        config: connection.config_digest().unwrap(),
        holder: connection.holder,
        id: connection.id,
    });
    let digest = Record::unsigned(&proposal).unwrap().digest;
    let view = render(&proposal, digest, None, &pinned(manifest), Some(&connection)).unwrap();
    (proposal, view)
}

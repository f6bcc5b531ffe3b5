//! The trusted card: it is of exactly these bytes, and the same for ever.

use countersign_domain::{
    Record,
    canonical::{Object, Value},
    id::{ConnectionId, ProposalId},
    manifest::{CardField, Manifest, Pinned, Shape},
    record::{Preview, PreviewOutcome, Proposal},
    render::{Confirm, Node, Pair, RENDERER, RenderError, Span, View, flat, render},
};

use crate::{
    characters::original,
    samples,
    support::{digest, proposal, uuid},
};

#[test]
fn a_card_is_the_same_for_ever() {
    let view = samples::view();
    insta::assert_json_snapshot!(view);
    assert_eq!(
        (RENDERER, view.digest().unwrap().to_string()),
        (
            4,
            "36baf45ca78d6852b9b7a7e0353c29e51a14452d735b01934bbb50ecf6690398".to_owned()
        ),
        "a change of any view needs a new version of the renderer"
    );
}

#[test]
fn arguments_without_names_have_no_card() {
    let manifest = manifest(Vec::new());
    for args in [
        Value::Null,
        Value::from("rm -rf /"),
        Value::Array(vec![Value::from("a")]),
    ] {
        let proposal = proposing(&manifest, args);
        assert_eq!(
            render(&proposal, digest("any"), None, &pinned(manifest.clone()), None),
            Err(RenderError::Arguments),
            "they would run unseen"
        );
    }
}

#[test]
fn a_card_is_made_of_nothing_but_what_the_proposal_names() {
    let (proposal, connection, manifest) = (samples::proposal(), samples::connection(), samples::manifest());
    let name = Record::unsigned(&proposal).unwrap().digest;
    let preview = samples::preview(
        &proposal,
        PreviewOutcome::Shown {
            content: Value::from("x"),
        },
    );
    let make = |proposal: &Proposal, preview: Option<&Preview>, manifest: &Manifest, connection| {
        render(proposal, name, preview, &pinned(manifest.clone()), connection).map(|_| ())
    };
    assert_eq!(
        make(&proposal, Some(&preview), &manifest, Some(&connection)),
        Ok(())
    );

    let mut changed = manifest.clone();
    changed.hold.0 += 1;
    assert_eq!(
        make(&proposal, None, &changed, Some(&connection)),
        Err(RenderError::Manifest)
    );
    let mut renamed = manifest.clone();
    renamed.id = "other.tool".to_owned();
    assert_eq!(
        make(&proposal, None, &renamed, Some(&connection)),
        Err(RenderError::Manifest)
    );

    assert_eq!(
        make(&proposal, None, &manifest, None),
        Err(RenderError::Connection)
    );
    let mut moved = connection.clone();
    moved.config = Value::Object(Object::from_iter([("base_url", "https://evil.example")]));
    assert_eq!(
        make(&proposal, None, &manifest, Some(&moved)),
        Err(RenderError::Connection)
    );
    let mut another = connection.clone();
    another.id = ConnectionId::from_uuid(uuid(99));
    assert_eq!(
        make(&proposal, None, &manifest, Some(&another)),
        Err(RenderError::Connection)
    );
    let mut without = proposal.clone();
    without.connection = None;
    assert_eq!(
        make(&without, None, &manifest, Some(&connection)),
        Err(RenderError::Connection),
        "one that it does not name is too many"
    );

    let mut foreign = preview.clone();
    foreign.proposal = ProposalId::from_uuid(uuid(99));
    assert_eq!(
        make(&proposal, Some(&foreign), &manifest, Some(&connection)),
        Err(RenderError::Preview)
    );
    let mut older = preview;
    older.proposal_digest = digest("before an edit");
    assert_eq!(
        make(&proposal, Some(&older), &manifest, Some(&connection)),
        Err(RenderError::Preview)
    );
}

#[test]
fn a_changed_argument_is_a_changed_card() {
    let manifest = manifest(vec![field("a", "A", Shape::Pairs)]);
    let digest_of = |value: Value| {
        card(&proposing(&manifest, args(&[("a", value)])), &manifest)
            .digest()
            .unwrap()
    };
    let one = |text: &str| Value::Object(Object::from_iter([("n", text)]));
    assert_ne!(digest_of(one("480.00")), digest_of(one("480.01")));
    let empty = Value::Object(Object::new());
    assert_ne!(
        digest_of(Value::Array(vec![])),
        digest_of(Value::Array(vec![empty])),
        "even an empty thing is shown"
    );
}

#[test]
fn line_ends_are_shown_where_bytes_are_exact_and_not_where_people_write() {
    let manifest = manifest(vec![
        field("body", "Body", Shape::Code),
        field("text", "Text", Shape::Text),
    ]);
    let value = Value::from("a\r\nb\r");
    let view = card(
        &proposing(&manifest, args(&[("body", value.clone()), ("text", value)])),
        &manifest,
    );
    let shown: Vec<_> = view.body.iter().flat_map(texts).collect();
    assert_eq!(shown, ["a\r\nb\r", "a\nb\r"], "a lone CR is a trick in either");
}

#[test]
fn a_person_types_what_can_be_read_exactly_and_else_matches_a_number() {
    let mut manifest = manifest(vec![field("to", "To", Shape::Recipients)]);
    manifest.confirm = Some("to".to_owned());
    let confirm = |value: Value| card(&proposing(&manifest, args(&[("to", value)])), &manifest).confirm;
    let typed = |text: &str| Confirm::Type {
        label: "To".to_owned(),
        text: text.to_owned(),
    };
    let list = |items: &[&str]| Value::Array(items.iter().map(|item| Value::from(*item)).collect());
    assert_eq!(confirm(Value::from("ann@acme.com")), typed("ann@acme.com"));
    assert_eq!(
        confirm(list(&["ann@acme.com", "bob@acme.com"])),
        typed("ann@acme.com")
    );
    assert_eq!(confirm(Value::from(480)), typed("480"));
    for text in [
        "",
        " ",
        " a",
        "a ",
        "a  b",
        "a\nb",
        "аnn@acme.com",
        "a\u{200B}",
        &"a".repeat(121),
    ] {
        let Confirm::Match { number } = confirm(Value::from(text)) else {
            panic!("{text:?} cannot be typed exactly");
        };
        assert!((10..100).contains(&number), "two digits");
    }
    assert!(matches!(confirm(list(&[])), Confirm::Match { .. }));
    let mut unlisted = manifest.clone();
    unlisted.card.clear();
    let view = card(
        &proposing(&unlisted, args(&[("to", Value::from("ann@acme.com"))])),
        &unlisted,
    );
    assert!(
        matches!(view.confirm, Confirm::Match { .. }),
        "it has no label to be found by"
    );
}

#[test]
fn a_letter_of_another_script_does_not_pass_for_one_of_an_address() {
    let view = samples::view();
    let lists = view.body.iter().filter_map(|node| {
        let Node::Recipients { addresses, .. } = node else {
            return None;
        };
        Some(addresses.iter().map(|address| flat(address)))
    });
    let shown: Vec<_> = lists.flatten().collect();
    assert_eq!(
        shown,
        ["ann@acme.com", "⟦U+0430⟧nn@acme.com"],
        "the second one begins with a Cyrillic letter"
    );
}

#[test]
fn the_sentence_takes_arguments_as_text_and_not_as_a_template() {
    let mut manifest = manifest(Vec::new());
    manifest.sentence = "Send {a} to {b} {".to_owned();
    let view = card(
        &proposing(
            &manifest,
            args(&[("a", Value::from("{b}")), ("b", Value::from("x\u{202E}y"))]),
        ),
        &manifest,
    );
    assert_eq!(flat(&view.sentence), "Send {b} to x⟦U+202E⟧y {");
}

#[test]
fn an_argument_written_from_right_to_left_does_not_reorder_the_sentence() {
    let mut manifest = manifest(Vec::new());
    manifest.sentence = "Pay {amount} EUR to {name}, {name} 2".to_owned();
    let sentence = |name: &str| {
        let args = args(&[("amount", Value::from("480.00")), ("name", Value::from(name))]);
        flat(&card(&proposing(&manifest, args), &manifest).sentence)
    };
    let hebrew = "\u{5D3}\u{5E0}\u{5D4}";
    assert_eq!(
        sentence(hebrew),
        format!("Pay 480.00 EUR to \u{2068}{hebrew}\u{2069}, \u{2068}{hebrew}\u{2069} 2")
    );
    assert_eq!(
        sentence(&format!("{hebrew}\u{2069}x")),
        format!("Pay 480.00 EUR to \u{2068}{hebrew}⟦U+2069⟧x\u{2069}, \u{2068}{hebrew}⟦U+2069⟧x\u{2069} 2"),
        "nobody closes the isolation from inside"
    );
    assert_eq!(sentence("Dana"), "Pay 480.00 EUR to Dana, Dana 2");
}

/// A proposal of `args` for the tool of `manifest`.
pub(crate) fn proposing(manifest: &Manifest, args: Value) -> Proposal {
    let mut proposal = proposal();
    proposal.args = args;
    proposal.tool.id = manifest.id.clone();
    proposal.tool.manifest = manifest.digest().unwrap();
    proposal
}

pub(crate) fn manifest(card: Vec<CardField>) -> Manifest {
    Manifest {
        card,
        connection: None,
        ..samples::manifest()
    }
}

pub(crate) fn field(arg: &str, label: &str, shape: Shape) -> CardField {
    CardField {
        arg: arg.to_owned(),
        label: label.to_owned(),
        shape,
    }
}

pub(crate) fn card(proposal: &Proposal, manifest: &Manifest) -> View {
    let digest = Record::unsigned(proposal).unwrap().digest;
    render(proposal, digest, None, &pinned(manifest.clone()), None).unwrap()
}

pub(crate) fn pinned(manifest: Manifest) -> Pinned {
    Pinned::new(manifest).unwrap()
}

pub(crate) fn args(entries: &[(&str, Value)]) -> Value {
    Value::Object(entries.iter().cloned().collect())
}

/// Everything that a node shows, escapes put back, one text a line.
pub(crate) fn texts(node: &Node) -> Vec<String> {
    let joined = |lines: &[Vec<Span>]| {
        lines
            .iter()
            .map(|line| original(line))
            .collect::<Vec<_>>()
            .join("\n")
    };
    let pair = |pair: &Pair| [original(&pair.name), original(&pair.value)];
    match node {
        Node::Line { value, .. } => vec![original(value)],
        Node::Text { lines, .. } | Node::Code { lines, .. } => vec![joined(lines)],
        Node::Recipients { addresses, .. } => addresses.iter().map(|address| original(address)).collect(),
        Node::Url {
            host, path, scheme, ..
        } => vec![original(scheme), original(host), original(path)],
        Node::Pairs { pairs, .. } => pairs.iter().flat_map(pair).collect(),
        Node::Flag { on, .. } => vec![if *on { "yes" } else { "no" }.to_owned()],
    }
}

#[test]
fn a_text_of_many_lines_has_a_card_although_the_card_is_longer_than_any_record() {
    let manifest = manifest(vec![field("body", "Text", Shape::Text)]);
    let args = Object::from_iter([("body", Value::from("x\n".repeat(37_000)))]);
    let view = card(&proposing(&manifest, Value::Object(args)), &manifest);
    assert!(serde_json::to_vec(&view).unwrap().len() > countersign_domain::canonical::MAX_BYTES);
    assert!(view.digest().is_ok(), "what can be proposed can be decided");
}

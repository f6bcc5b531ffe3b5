//! Editing: a form that says what an argument is, and a comparison that says what became of it.

use std::collections::BTreeMap;

use countersign_domain::{
    Millis,
    canonical::{self, Object, Value},
    form::{self, Input},
    manifest::Manifest,
    render::{Change, Difference, argument_differences, differences, flat, schedule_difference},
};
use proptest::prelude::*;

use crate::{
    card::{field, manifest},
    characters::awkward,
    samples,
};

fn tool(schema: &str) -> Manifest {
    let mut manifest = manifest(Vec::new());
    manifest.schema = canonical::parse(schema.as_bytes()).unwrap();
    manifest
}

fn args(json: &str) -> Object {
    canonical::parse(json.as_bytes())
        .unwrap()
        .as_object()
        .unwrap()
        .clone()
}

fn typed(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect()
}

fn letter() -> Manifest {
    tool(
        r#"{"type":"object","required":["to","subject"],"properties":{
            "amount":{"type":"number"},
            "copies":{"type":"integer"},
            "headers":{"type":"object","additionalProperties":{"type":"string"}},
            "priority":{"oneOf":[{"const":"low"},{"const":"high"}]},
            "subject":{"type":["string","null"],"maxLength":200,"description":"One\u202e line."},
            "to":{"anyOf":[{"type":"string"},{"type":"array","items":{"type":"string"}}]},
            "urgent":{"type":"boolean"}}}"#,
    )
}

#[test]
fn each_argument_is_typed_in_the_form_that_its_schema_gives_it() {
    let form = form::fields(
        &letter(),
        &args(r#"{"to":["a@b.example","c@d.example"],"x":{"y":[1]}}"#),
    );
    let kinds: Vec<_> = form
        .iter()
        .map(|field| {
            (
                field.name.as_str(),
                field.input.clone(),
                field.required,
                field.text.as_str(),
            )
        })
        .collect();
    let choice = Input::Choice(vec!["low".to_owned(), "high".to_owned()]);
    assert_eq!(
        kinds,
        [
            ("amount", Input::Number, false, ""),
            ("copies", Input::Number, false, ""),
            ("headers", Input::Pairs, false, ""),
            ("priority", choice, false, ""),
            ("subject", Input::Line, true, ""),
            ("to", Input::Items, true, "a@b.example\nc@d.example"),
            ("urgent", Input::Flag, false, ""),
            ("x", Input::Json, false, r#"{"y":[1]}"#),
        ],
        "what the schema does not know is there as well"
    );
    assert_eq!(
        form[4].hint.as_deref(),
        Some("One⟦U+202E⟧ line."),
        "a schema may come from elsewhere"
    );
    assert_eq!(form[4].longest, Some(200));
}

#[test]
fn what_was_typed_becomes_the_arguments_and_an_emptied_field_leaves_its_argument_out() {
    let before =
        args(r#"{"copies":2,"headers":{"a":"1"},"subject":"Hello","to":"a@b.example","urgent":true}"#);
    let entered = typed(&[
        ("amount", "480.00"),
        ("copies", "3"),
        ("headers", "a: 1\nb:2\nb: 3"),
        ("priority", "high"),
        ("to", " a@b.example \n\nc@d.example"),
        ("urgent", ""),
    ]);
    let made = form::read(&letter(), &before, &entered).unwrap();
    assert_eq!(
        made,
        args(
            r#"{"amount":"480.00","copies":3,"headers":{"a":"1","b":["2","3"]},"priority":"high","subject":"Hello","to":["a@b.example","c@d.example"]}"#
        )
    );
}

#[test]
fn what_cannot_become_an_argument_names_its_field() {
    let before = args(r#"{"subject":"Hello","to":"a@b.example","x":1}"#);
    for (name, text) in [
        ("amount", "4,80"),
        ("amount", "1e3"),
        ("copies", "9007199254740992"),
        ("headers", "no colon"),
        ("priority", "medium"),
        ("subject", "  "),
        ("to", ""),
        ("urgent", "perhaps"),
        ("x", "{"),
        ("x", "0.5"),
    ] {
        let error = form::read(&letter(), &before, &typed(&[(name, text)])).unwrap_err();
        assert_eq!(error.name, name, "{text}: {error}");
        assert!(error.message.ends_with('.'), "a sentence: {error}");
    }
}

#[test]
fn a_line_break_of_another_kind_is_no_edit() {
    let before = args(r#"{"subject":"a\r\nb\rc","to":"a@b.example"}"#);
    let shown = form::fields(&letter(), &before);
    let subject = shown.iter().find(|field| field.name == "subject").unwrap();
    assert_eq!(
        subject.input,
        Input::Text,
        "a box of one line would drop the breaks"
    );
    let as_a_box_gives_it = typed(&[("subject", "a\nb\nc")]);
    assert_eq!(
        form::read(&letter(), &before, &as_a_box_gives_it).unwrap(),
        before
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_form_that_nobody_has_touched_changes_nothing(args in any_args()) {
        for manifest in [letter(), tool("{}"), samples::manifest()] {
            let entered = form::fields(&manifest, &args).into_iter().map(|field| (field.name, field.text)).collect();
            let made = form::read(&manifest, &args, &entered);
            // A needed argument that is not there stays the only thing that can be wrong.
            if let Ok(made) = made {
                prop_assert_eq!(made, args.clone());
            } else {
                prop_assert!(form::fields(&manifest, &args).iter().any(|field| field.required && args.get(&field.name).is_none()));
            }
        }
    }

    #[test]
    fn what_the_form_shows_can_be_typed_into_an_empty_one(args in any_args()) {
        let manifest = tool(r#"{"properties":{"a":{"type":"string"},"b":{"type":"array","items":{"type":"string"}},"c":{"type":"object"},"d":{"type":"integer"}}}"#);
        for field in form::fields(&manifest, &args) {
            let Some(value) = args.get(&field.name) else { continue };
            // One item is typed as a list of it.
            if field.input == Input::Items && value.as_str().is_some() { continue }
            if field.text.trim().is_empty() || field.text.contains('\r') { continue }
            let schema = if field.input == Input::Json { tool("{}") } else { manifest.clone() };
            // Into a form whose argument is another text, so that all of it was typed.
            let other: Object = [(field.name.clone(), Value::from("something else"))].into_iter().collect();
            let fresh = form::fields(&schema, &other);
            prop_assume!(fresh.iter().any(|one| one.name == field.name && one.input == field.input));
            let made = form::read(&schema, &other, &typed(&[(&field.name, &field.text)])).unwrap();
            prop_assert_eq!(made.get(&field.name), Some(value));
        }
    }

    #[test]
    fn the_lines_of_a_comparison_are_the_old_text_and_the_new_one(
        old in prop::collection::vec("[ab]{0,1}", 0..12),
        new in prop::collection::vec("[ab]{0,1}", 0..12),
    ) {
        let manifest = manifest(vec![field("t", "Text", countersign_domain::manifest::Shape::Text)]);
        let text = |lines: &[String]| -> Object { [("t", Value::from(lines.join("\n")))].into_iter().collect() };
        let found = argument_differences(&manifest, &text(&old), &text(&new));
        let of = |without: Change| -> Vec<String> {
            found[0].lines.iter().filter(|line| line.change != without).map(|line| flat(&line.text)).collect()
        };
        let whole = |lines: &[String]| if lines.is_empty() { vec![String::new()] } else { lines.to_vec() };
        prop_assert_eq!(of(Change::Added), whole(&old));
        prop_assert_eq!(of(Change::Removed), whole(&new));
        let same = found[0].lines.iter().all(|line| line.change == Change::Unchanged);
        prop_assert_eq!(found[0].change == Change::Unchanged, same);
        prop_assert!(found[0].lines.iter().all(|line| line.change != Change::Changed));
    }

    #[test]
    fn every_argument_of_either_is_in_the_comparison(old in any_args(), new in any_args()) {
        let manifest = letter();
        let found = argument_differences(&manifest, &old, &new);
        for change in [Change::Added, Change::Removed] {
            let (here, there) = if change == Change::Added { (&new, &old) } else { (&old, &new) };
            let only = here.iter().filter(|(name, _)| there.get(name).is_none()).count();
            prop_assert_eq!(found.iter().filter(|one| one.change == change).count(), only);
        }
        let both = old.iter().filter(|(name, _)| new.get(name).is_some()).count();
        prop_assert_eq!(found.iter().filter(|one| matches!(one.change, Change::Unchanged | Change::Changed)).count(), both);
    }
}

fn any_args() -> impl Strategy<Value = Object> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        (-50..50_i64).prop_map(Value::Integer),
        awkward().prop_map(Value::String),
        "[a: \r\n]{0,6}".prop_map(Value::String),
    ];
    let value = leaf.prop_recursive(2, 8, 4, |inner| {
        let pair = ("[a-c: ]{0,2}", inner.clone());
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Value::Array),
            prop::collection::vec(pair, 0..4).prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    });
    let name = prop::sample::select(vec![
        "a", "b", "c", "d", "to", "subject", "urgent", "headers", "priority",
    ]);
    prop::collection::btree_map(name, value, 0..6).prop_map(|pairs| pairs.into_iter().collect())
}

#[test]
fn beside_the_arguments_only_what_differs_is_compared() {
    let (old, manifest) = (samples::proposal(), samples::manifest());
    let mut new = old.clone();
    let labels = |found: Vec<Difference>| -> Vec<String> {
        let changed = found.into_iter().filter(|one| one.change != Change::Unchanged);
        changed.map(|one| one.label).collect()
    };
    assert_eq!(
        labels(differences(&manifest, &old, &new, |at| at.to_string())),
        Vec::<String>::new()
    );
    new.tool.version = "9.9.9".to_owned();
    new.connection = None;
    new.not_before = Some(new.created_at);
    let found = labels(differences(&manifest, &old, &new, |at| at.to_string()));
    assert_eq!(found, ["Connection", "Version of the tool", "Not before"]);
}

#[test]
fn two_times_that_read_the_same_are_told_apart_to_the_millisecond() {
    let (one, other) = (
        samples::proposal().created_at,
        samples::proposal().created_at + Millis(1),
    );
    let found = schedule_difference(Some(one), Some(other), |_| "10:30".to_owned()).unwrap();
    assert_eq!((found.change, found.lines.len()), (Change::Changed, 2));
    assert_eq!(flat(&found.lines[0].text), one.to_string());
    assert_eq!(
        schedule_difference(Some(one), Some(one), |_| "10:30".to_owned()),
        None
    );
}

//! What a call came back with, as nodes like those of the card's body. Untrusted: whoever was called wrote it.

use countersign_domain::canonical::Value;

use super::{Span, card::CardNode, visible};

/// Longest text that stands on a line of its own label.
const SHORT: usize = 200;

/// The reference under which the target knows the call, then each part of the result under its path.
pub(super) fn nodes(result: Option<&Value>, reference: Option<&str>) -> Vec<CardNode> {
    let mut nodes: Vec<CardNode> = reference
        .map(|reference| field("reference", reference, true))
        .into_iter()
        .collect();
    if let Some(result) = result {
        add("", result, &mut nodes);
    }
    nodes
}

fn add(path: &str, value: &Value, nodes: &mut Vec<CardNode>) {
    let label = if path.is_empty() { "result" } else { path };
    match value {
        Value::Object(object) if !path.is_empty() && object.iter().all(|(_, part)| is_scalar(part)) => {
            let parts = object
                .iter()
                .map(|(name, part)| format!("{name}: {}", scalar(part)));
            nodes.push(list(label, parts));
        }
        Value::Object(object) => {
            for (name, part) in object.iter() {
                let path = if path.is_empty() {
                    name.to_owned()
                } else {
                    format!("{path} · {name}")
                };
                add(&path, part, nodes);
            }
        }
        Value::Array(parts) if parts.iter().all(is_scalar) => {
            nodes.push(list(label, parts.iter().map(scalar)));
        }
        Value::Array(_) => nodes.push(CardNode::Json {
            label: label.to_owned(),
            text: visible(&serde_json::to_string_pretty(value).unwrap_or_default()),
        }),
        Value::String(text) if text.contains('\n') || text.chars().count() > SHORT => {
            nodes.push(CardNode::Text {
                label: label.to_owned(),
                lines: text.split('\n').map(visible).collect(),
                characters: u32::try_from(text.chars().count()).unwrap_or(u32::MAX),
            });
        }
        Value::Null | Value::Bool(_) | Value::Integer(_) | Value::String(_) => {
            nodes.push(field(label, &scalar(value), false));
        }
    }
}

fn is_scalar(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Integer(_) => true,
        Value::String(text) => !text.contains('\n') && text.chars().count() <= SHORT,
        Value::Array(_) | Value::Object(_) => false,
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "none".to_owned(),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        Value::Integer(_) | Value::Array(_) | Value::Object(_) => {
            serde_json::to_string(value).unwrap_or_default()
        }
    }
}

fn field(label: &str, value: &str, mono: bool) -> CardNode {
    CardNode::Field {
        label: label.to_owned(),
        value: visible(value),
        mono,
    }
}

fn list(label: &str, items: impl Iterator<Item = String>) -> CardNode {
    let items: Vec<Vec<Span>> = items.map(|item| visible(&item)).collect();
    CardNode::List {
        label: label.to_owned(),
        items,
    }
}

//! The description in `/api/openapi.json` is true: it has every call, and every answer in these tests is as it says.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, LazyLock, Mutex},
};

use axum::http::Method;
use jsonschema::Validator;

use super::*;
use crate::http::{CALLS, openapi::describe};

static DESCRIPTION: LazyLock<Value> = LazyLock::new(describe);
static VALIDATORS: LazyLock<Mutex<BTreeMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);

/// Fails when the answer is not what the description promises for the call.
pub(super) fn holds_for(method: &str, path: &str, status: u16, body: &Value) {
    let described = DESCRIPTION["paths"]
        .as_object()
        .unwrap()
        .iter()
        .find(|(template, _)| fits(template, path));
    let Some(operation) = described.and_then(|(_, methods)| methods.get(method)) else {
        return;
    };
    let promised = &operation["responses"][status.to_string()];
    let refusal = json!({"$ref": "#/components/schemas/ErrorBody"});
    let schema = if promised.is_null() {
        assert!(
            status >= 400,
            "{method} {path} answers {status}, which is not described"
        );
        &refusal
    } else if promised["content"].is_null() {
        assert!(
            body.is_null(),
            "{method} {path} promises an answer without a body"
        );
        return;
    } else {
        &promised["content"]["application/json"]["schema"]
    };
    if let Err(error) = validator(schema).validate(body) {
        panic!(
            "{method} {path} {status} is not as described, at {}: {error}",
            error.instance_path()
        );
    }
}

fn fits(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len()
        && template
            .iter()
            .zip(&path)
            .all(|(t, p)| t == p || *t == "{id}" && !is_word(p))
}

/// `accept`, `challenge`, …: parts of a path that are no id.
fn is_word(part: &str) -> bool {
    part.chars().all(|c| c.is_ascii_lowercase() || c == '-')
}

fn validator(schema: &Value) -> Arc<Validator> {
    let mut validators = VALIDATORS.lock().unwrap();
    let made = validators.entry(schema.to_string()).or_insert_with(|| {
        let mut whole = schema.clone();
        whole["components"] = DESCRIPTION["components"].clone();
        Arc::new(jsonschema::validator_for(&whole).unwrap())
    });
    Arc::clone(made)
}

#[test]
fn every_call_is_described_and_nothing_else() {
    let described: BTreeSet<_> = DESCRIPTION["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, methods)| {
            methods
                .as_object()
                .unwrap()
                .keys()
                .map(move |method| (method.clone(), path.clone()))
        })
        .collect();
    let routed: BTreeSet<_> = CALLS
        .iter()
        .map(|(method, path)| ((*method).to_owned(), (*path).to_owned()))
        .collect();
    assert_eq!(described, routed);
}

#[test]
fn every_operation_has_its_own_name_and_every_reference_leads_somewhere() {
    let mut names = BTreeSet::new();
    let operations = DESCRIPTION["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|path| path.as_object().unwrap().values());
    for operation in operations {
        assert!(
            names.insert(operation["operationId"].as_str().unwrap()),
            "{} twice",
            operation["operationId"]
        );
    }
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(object) => {
                found.extend(object.get("$ref").and_then(Value::as_str));
                object.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut found = Vec::new();
    references(&DESCRIPTION, &mut found);
    assert!(found.len() > 50, "the walk finds the references");
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(
            DESCRIPTION.pointer(pointer).is_some(),
            "{reference} leads nowhere"
        );
    }
}

#[tokio::test]
async fn the_description_is_there_for_everybody() {
    let world = World::new().await;
    let answer = world.bare(Method::GET, "/api/openapi.json").await;
    assert_eq!((answer.status, answer.text("openapi")), (200, "3.1.0"));
    assert_eq!(answer.headers["content-type"], "application/json");
    let sign_in = &answer.body["components"]["schemas"]["SignIn"];
    assert_eq!(
        sign_in["additionalProperties"], false,
        "unknown fields are refused, and said to be"
    );
    assert_eq!(sign_in["required"], json!(["email", "password"]));
}

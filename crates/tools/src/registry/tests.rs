//! What holds of every registered tool, and of the way in.

use std::path::{Path, PathBuf};

use countersign_domain::{
    canonical::Object,
    id::{ConnectionId, TenantId, UserId},
    manifest::Shape,
    record::{Actor, Holder, Nonce},
};
use uuid::Uuid;

use super::*;
use crate::{
    Ran,
    health::Elsewhere,
    testing::{NOW, call, text, value},
};

fn registry() -> Registry {
    Registry::standard(Arc::new(Elsewhere)).unwrap()
}

/// An input that a tool takes, with every one of its fields.
fn full_input(id: &str) -> &'static str {
    match id {
        "assistant.create_task" => {
            r#"{"title":"Call Ada","description":"About the offer","priority":"high","dueDate":"2026-11-30"}"#
        }
        "assistant.system_health_check" => r#"{"includeDetails":true}"#,
        "email.send" => {
            r#"{"to":"ada@b.example","cc":["c@d.example"],"bcc":"e@f.example","subject":"Hi","body":"Hello"}"#
        }
        "http.request" => {
            r#"{"method":"POST","path":"/a","query":{"q":"1"},"headers":{"x":"1"},"body":"{}","contentType":"a/b"}"#
        }
        other => panic!("give the new tool {other} an input here"),
    }
}

fn connection(kind: ConnectionKind, port: u16) -> Connection {
    let config = match kind {
        ConnectionKind::Smtp => {
            format!(r#"{{"from":"o@firm.example","host":"127.0.0.1","port":{port},"tls":"none"}}"#)
        }
        ConnectionKind::Http => format!(
            r#"{{"allowed_methods":["GET","POST"],"allowed_path_prefixes":["/a"],"base_url":"http://127.0.0.1:{port}"}}"#
        ),
    };
    Connection {
        at: NOW,
        by: Actor::User(UserId::from_uuid(Uuid::from_u128(1))),
        config: value(&config),
        holder: Holder::Tenant,
        id: ConnectionId::from_uuid(Uuid::from_u128(2)),
        kind,
        name: "Office".into(),
        nonce: Nonce::from_bytes([0; 16]),
        removed: false,
        tenant: TenantId::from_uuid(Uuid::from_u128(3)),
    }
}

fn properties(manifest: &Manifest) -> Vec<String> {
    let schema = manifest.schema.as_object().unwrap();
    let properties = schema.get("properties").and_then(Value::as_object).unwrap();
    properties.iter().map(|(name, _)| name.to_owned()).collect()
}

// Every tool

#[test]
fn every_manifest_is_pinned() {
    // A changed digest is another tool for everything that was proposed: raise the version with it.
    let pinned: Vec<_> = registry()
        .manifests()
        .map(|(digest, manifest)| format!("{} {} {digest}", manifest.id, manifest.version))
        .collect();
    insta::assert_snapshot!(pinned.join("\n"));
    for (_, manifest) in registry().manifests() {
        insta::assert_json_snapshot!(manifest.id.as_str(), manifest);
    }
}

#[test]
fn every_argument_is_on_the_card_and_the_card_shows_nothing_else() {
    for (_, manifest) in registry().manifests() {
        let mut shown: Vec<_> = manifest.card.iter().map(|field| field.arg.clone()).collect();
        shown.sort();
        let mut taken = properties(manifest);
        taken.sort();
        assert_eq!(shown, taken, "{}", manifest.id);
        if let Some(confirm) = &manifest.confirm {
            assert!(
                taken.contains(confirm),
                "{} confirms what is not an argument",
                manifest.id
            );
        }
        let mut rest = manifest.sentence.as_str();
        while let Some((_, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').unwrap();
            assert!(
                taken.iter().any(|arg| arg == name),
                "{} says {{{name}}}",
                manifest.id
            );
            rest = after;
        }
    }
}

#[test]
fn every_schema_is_closed_and_every_field_is_bounded() {
    for (_, manifest) in registry().manifests() {
        let schema = manifest.schema.as_object().unwrap();
        assert_eq!(
            schema.get("additionalProperties"),
            Some(&Value::from(false)),
            "{}",
            manifest.id
        );
        for (name, property) in schema
            .get("properties")
            .and_then(Value::as_object)
            .unwrap()
            .iter()
        {
            let text = text(property);
            let bounded = ["maxLength", "maxProperties", "enum", "boolean"]
                .iter()
                .any(|bound| text.contains(bound));
            assert!(
                bounded,
                "{} lets {name} be as long as it likes: {text}",
                manifest.id
            );
        }
    }
}

#[tokio::test]
async fn no_preview_has_an_effect_or_touches_the_network() {
    let registry = registry();
    for (_, manifest) in registry.manifests() {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let tool = registry.get(&manifest.id).unwrap();
        let args = tool.normalise(value(full_input(&manifest.id))).unwrap();
        let connection = manifest.connection.map(|kind| connection(kind, port));
        let call = call(&args, connection.as_ref().map(|connection| &connection.config));
        let shown = tool.preview(&call).await;
        assert!(
            matches!(shown, PreviewOutcome::Shown { .. }),
            "{}: {shown:?}",
            manifest.id
        );
        assert!(!call.dispatch.has_left(), "{}", manifest.id);
        assert!(
            listener.accept().is_err(),
            "{} connected to something",
            manifest.id
        );
    }
}

#[test]
fn normal_input_is_a_fixed_point_and_satisfies_the_schema() {
    let registry = registry();
    for (_, manifest) in registry.manifests() {
        let connection = manifest.connection.map(|kind| connection(kind, 8080));
        let first = registry
            .ingress(
                &manifest.id,
                value(full_input(&manifest.id)),
                connection.as_ref(),
                &(),
            )
            .unwrap();
        let again = registry
            .ingress(&manifest.id, first.args.clone(), connection.as_ref(), &())
            .unwrap();
        assert_eq!(first, again, "{}", manifest.id);
        assert!(first.risk >= manifest.risk, "{}", manifest.id);
    }
}

#[test]
fn every_field_of_a_wrong_type_and_every_unknown_field_is_refused_by_name() {
    let registry = registry();
    for (_, manifest) in registry.manifests() {
        let connection = manifest.connection.map(|kind| connection(kind, 8080));
        let refused = |input: Object| {
            registry
                .ingress(&manifest.id, input.into(), connection.as_ref(), &())
                .map(drop)
        };
        let full = value(full_input(&manifest.id));
        let full = full.as_object().unwrap();
        for name in properties(manifest) {
            for wrong in [
                Value::Null,
                Value::Integer(7),
                Value::from(vec![Value::Integer(1)]),
            ] {
                let mut input = full.clone();
                input.insert(name.as_str(), wrong);
                let Err(IngressError::Input(error)) = refused(input) else {
                    panic!("{} takes a wrong {name}", manifest.id);
                };
                let field = error.field.unwrap_or_default();
                assert!(
                    field.starts_with(&name),
                    "{}: {name} is named as {field:?}",
                    manifest.id
                );
            }
        }
        let mut input = full.clone();
        input.insert("surprise", true);
        let Err(IngressError::Input(error)) = refused(input) else {
            panic!("{} takes an unknown field", manifest.id);
        };
        assert_eq!(error.field.as_deref(), Some("surprise"), "{}", manifest.id);
    }
}

#[test]
fn every_required_field_is_missed_by_name() {
    let registry = registry();
    for (_, manifest) in registry.manifests() {
        let connection = manifest.connection.map(|kind| connection(kind, 8080));
        let required = manifest.schema.as_object().unwrap().get("required").cloned();
        for name in required.iter().flat_map(|names| names.as_array().unwrap()) {
            let name = name.as_str().unwrap();
            let mut input = value(full_input(&manifest.id)).as_object().unwrap().clone();
            input.remove(name);
            let refused = registry.ingress(&manifest.id, input.into(), connection.as_ref(), &());
            let Err(IngressError::Input(error)) = refused else {
                panic!("{} does without {name}", manifest.id);
            };
            assert_eq!(error.field.as_deref(), Some(name), "{}", manifest.id);
        }
    }
}

// The way in

#[test]
fn limits_are_kept_to_the_character() {
    let registry = registry();
    let title = |length: usize| {
        let input = Object::from_iter([("title", "ü".repeat(length))]);
        registry
            .ingress("assistant.create_task", input.into(), None, &())
            .map(drop)
    };
    assert!(title(200).is_ok(), "characters count, not bytes");
    assert_eq!(
        title(201),
        Err(IngressError::Input(InputError::field(
            "title",
            "The field “title” is longer than 200 characters."
        )))
    );
    assert!(title(0).is_err());
}

#[test]
fn an_input_that_would_not_fit_a_record_is_refused() {
    let mail = connection(ConnectionKind::Smtp, 25);
    let registry = registry();
    let send = |body: String| {
        let input = Object::from_iter([
            ("to", "a@b.example".to_owned()),
            ("subject", "s".to_owned()),
            ("body", body),
        ]);
        registry
            .ingress("email.send", input.into(), Some(&mail), &())
            .map(drop)
    };
    assert!(
        send("x".repeat(100_000)).is_ok(),
        "the longest text in ASCII fits"
    );
    assert!(
        send("ü".repeat(99_000)).is_err(),
        "its bytes would not fit a record"
    );
}

#[test]
fn a_tool_and_its_connection_have_to_fit() {
    let registry = registry();
    let mail = value(r#"{"to":"a@b.example","subject":"s","body":"b"}"#);
    let ingress = |connection: Option<&Connection>| {
        registry
            .ingress("email.send", mail.clone(), connection, &())
            .map(drop)
    };
    assert_eq!(
        ingress(None),
        Err(IngressError::NeedsConnection(ConnectionKind::Smtp))
    );
    assert_eq!(
        ingress(Some(&connection(ConnectionKind::Http, 8080))),
        Err(IngressError::WrongConnection)
    );
    let mut gone = connection(ConnectionKind::Smtp, 8080);
    gone.removed = true;
    assert_eq!(ingress(Some(&gone)), Err(IngressError::WrongConnection));
    let task = registry.ingress(
        "assistant.create_task",
        value(r#"{"title":"x"}"#),
        Some(&connection(ConnectionKind::Smtp, 8080)),
        &(),
    );
    assert_eq!(
        task,
        Err(IngressError::WrongConnection),
        "a tool without a way out takes none"
    );
}

#[test]
fn an_unknown_tool_is_named_harmlessly() {
    let error = registry()
        .ingress("no\u{202E}tool\n", Value::Object(Object::new()), None, &())
        .unwrap_err();
    assert_eq!(error.to_string(), "There is no tool “no⟦U+202E⟧tool” here.");
}

#[test]
fn what_the_connection_forbids_never_becomes_a_proposal() {
    let http = connection(ConnectionKind::Http, 8080);
    let registry = registry();
    let refused = registry.ingress(
        "http.request",
        value(r#"{"method":"DELETE","path":"/a"}"#),
        Some(&http),
        &(),
    );
    let Err(IngressError::Input(error)) = refused else {
        panic!("taken: {refused:?}");
    };
    assert_eq!(error.field.as_deref(), Some("method"));
}

#[test]
fn two_tools_of_one_name_are_a_mistake() {
    let tool = || Arc::new(CreateTask::new().unwrap()) as Arc<dyn Tool>;
    assert!(matches!(
        Registry::new([tool(), tool()]),
        Err(RegistryError::Twice(_))
    ));
}

#[tokio::test]
async fn the_two_tools_of_the_server_do_what_they_say() {
    let registry = registry();
    let args = value(r#"{"dueDate":"2026-11-30","title":"Call Ada"}"#);
    let task =
        crate::executor::attempt(registry.get("assistant.create_task").unwrap(), &call(&args, None)).await;
    insta::assert_debug_snapshot!("task", task);
    let args = value(r#"{"includeDetails":false}"#);
    let tool = registry.get("assistant.system_health_check").unwrap();
    let health: Ran = crate::executor::attempt(tool, &call(&args, None)).await;
    let health = text(&health.result.unwrap()).replace(env!("CARGO_PKG_VERSION"), "[version]");
    insta::assert_snapshot!("health", health);
}

#[test]
fn flags_and_dates_have_their_shapes() {
    let registry = registry();
    let shape = |tool: &str, arg: &str| {
        let manifest = registry.get(tool).unwrap().manifest();
        manifest.card.iter().find(|field| field.arg == arg).unwrap().shape
    };
    assert_eq!(shape("email.send", "bcc"), Shape::Recipients);
    assert_eq!(shape("http.request", "body"), Shape::Code);
}

// One door

/// Every Rust file of the workspace that is not a test.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !matches!(name.as_str(), "target" | "node_modules" | "tests" | ".git" | "ui") {
            sources(&path, found);
        } else if name.ends_with(".rs") && !matches!(name.as_str(), "tests.rs" | "testing.rs") {
            found.push(path);
        }
    }
}

#[test]
fn the_executor_is_the_only_caller_of_a_tool() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let mut files = Vec::new();
    sources(root, &mut files);
    assert!(files.len() > 20, "the workspace was found");
    let places = |needle: &str| -> Vec<String> {
        let mut places = Vec::new();
        for file in &files {
            let source = std::fs::read_to_string(file).unwrap();
            let body = source.split("#[cfg(test)]\nmod tests {").next().unwrap();
            let times = body.matches(needle).count();
            let name = file.strip_prefix(root).unwrap().display().to_string();
            places.extend(core::iter::repeat_n(name, times));
        }
        places.sort();
        places
    };
    let executor = "crates/tools/src/executor/mod.rs";
    assert_eq!(
        places("tool.run("),
        [executor],
        "one call of a tool in the workspace"
    );
    assert_eq!(places("attempt(authorised"), [executor], "and one way to it");
    assert!(places("Tool::run(").is_empty(), "nor by another spelling");
    // Without a call there is nothing to run a tool with: another crate cannot make one, and this one in two places.
    assert_eq!(
        places("dispatch: Dispatch::default()"),
        [
            "crates/tools/src/executor/verify.rs",
            "crates/tools/src/registry.rs"
        ]
    );
}

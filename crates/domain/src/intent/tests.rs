use proptest::prelude::*;

use super::*;

fn key(text: &str) -> String {
    let intent = parse(text).unwrap_or_else(|| panic!("{text:?} is a command"));
    text_key("tenant_a", "user_123", &intent, text)
}

fn json(text: &str) -> Option<String> {
    parse(text).map(|intent| intent.input_json())
}

#[test]
fn text_keys_are_the_seeds() {
    // Annex B of the contract.
    for (text, hex) in [
        (
            "create task: Review quarterly report",
            "ae707db67436e33968ed108e66f25e1cb0a2a3e3039f8483d788e5c577c8455d",
        ),
        (
            "CREATE TASK:   Review quarterly report  ",
            "f3a7a2e8a7dbb3b43cde6d667f73d8ab80832e49ff9694694c9625665d46e79f",
        ),
        (
            "create task: Größe \"x\" \\ / é 日本 😀",
            "5e06f3ae29e5e6ca5cd323a5afbf5c33c35b5890a98c2e593e86f2df7154ab72",
        ),
        (
            "create task:\nfoo",
            "a772760ec85692208fc4189212a085faee9023f32bc2553a548f426086ad5757",
        ),
        (
            "\u{feff}create task: x",
            "2af33a936a69c09b1b45d97d3bb917f9b00f9c59abf314608aa961c35a6570ed",
        ),
        (
            "create task: x\u{a0}",
            "2af33a936a69c09b1b45d97d3bb917f9b00f9c59abf314608aa961c35a6570ed",
        ),
        (
            "create task: x\u{85}",
            "c640674bc179a29f2bd8dcb93fe65a1d506a1c7fe66a99b2cc22aec52df00b9d",
        ),
        (
            "create task: tab\tin",
            "563a3d0cab0c0b7a7818fa474ac968ba3e16c54ebf559f4fed74545d714c22c5",
        ),
        (
            "summarize thread: thread_12345",
            "38bd322e93918b4fe72629352eff8d920dc2d521fcc18cf7ec1b0af91d40dee6",
        ),
        (
            "system health",
            "2f1efad467f61eb9c4c4e093e9f65edc660e0cd416ea05227f5ddcc943aec34e",
        ),
        (
            "SYSTEM HEALTH DETAILS",
            "781fb4cd0f8dca61b380d320b96af758d37af318ecd603b2c1cd1fcf70c87639",
        ),
        (
            "system health\n details",
            "f78e5f8efa2ea6d2770d173b33d19da1c365b5f19b4c588328dd227f4de80931",
        ),
        (
            "draft email to: john@example.com subject: Q4 Review context: Need to schedule meeting",
            "ea68d73150285b4b8d4ef7e9662de72cbd4b4dae84dae4a72c33ccfaa7a33ace",
        ),
        (
            "Draft Email To: a@b.c\nSubject: S context: X context: Y",
            "cfb660194f9d0fd9157d040a11aae54604b90ce78c6e1a8423d4ed67f3f82a5d",
        ),
        (
            "draft email to:a@b.c subject:S context:C",
            "ac4f575a3cd2433b8ea057fac11743fca437fc0819b2600a8ee51daa886f4c47",
        ),
    ] {
        assert_eq!(key(text), format!("assistant:propose:v1:{hex}"), "{text:?}");
    }
}

#[test]
fn a_command_names_its_tool_and_input() {
    for (text, tool, input) in [
        ("create task: x", "assistant.create_task", r#"{"title":"x"}"#),
        ("create task:\nfoo", "assistant.create_task", r#"{"title":"foo"}"#),
        (
            "create task: a\tb",
            "assistant.create_task",
            r#"{"title":"a\tb"}"#,
        ),
        (
            "create task: x\u{85}",
            "assistant.create_task",
            "{\"title\":\"x\u{85}\"}",
        ),
        (
            "summarize thread: t",
            "assistant.summarize_inbox_thread",
            r#"{"threadId":"t"}"#,
        ),
        (
            "System Health",
            "assistant.system_health_check",
            r#"{"includeDetails":false}"#,
        ),
        (
            "system health \u{2028}DETAILS",
            "assistant.system_health_check",
            r#"{"includeDetails":true}"#,
        ),
        (
            "draft email to: x subject: S context: X context: Y",
            "assistant.draft_email",
            r#"{"to":"x","subject":"S","context":"X context: Y"}"#,
        ),
    ] {
        let intent = parse(text).unwrap();
        assert_eq!(
            (intent.tool_id(), intent.input_json().as_str()),
            (tool, input),
            "{text:?}"
        );
        assert_eq!(
            canonical::parse(input.as_bytes()),
            Ok(intent.input()),
            "both forms of the input are the same"
        );
    }
}

#[test]
fn what_is_not_a_form_is_no_command() {
    for text in [
        "",
        "create task:",
        "create task: \u{feff} ",
        "create task: a\nb",
        "create  task: x",
        "create taſk: x",
        "create tas\u{212a}: x",
        "create task: x\u{2028}y",
        "create\u{a0}task: x",
        "please create task: x",
        "\u{85}create task: x",
        "System  health",
        "system health details please",
        "system healthdetails",
        "system health.",
        "summarize thread:",
        "create expense: 10",
        "create expense 10 EUR",
        "draft email to: a@b.c subject: x\ny context: z",
        "draft email to: a@b.c subject: x context: y\nz",
        "draft email to: a@b.c subject: x context:",
        "draft email to: a@b.c subject: xcontext: y",
        "draft email to: a b subject: x context: y",
        "draft email to: a@b.csubject: x context: y",
        "draft email to: a@b.c",
    ] {
        assert_eq!(parse(text), None, "{text:?}");
    }
}

#[test]
fn an_empty_subject_needs_two_white_spaces() {
    let email = |between: &str| json(&format!("draft email to: a subject:{between}context: c"));
    let empty = Some(r#"{"to":"a","subject":"","context":"c"}"#.to_owned());
    for between in ["  ", "\t ", "\n  ", " \n\n", "\u{feff}\r"] {
        assert_eq!(
            email(between),
            empty,
            "{between:?} is one for the subject and one before `context:`"
        );
    }
    for between in ["", " ", "\n ", "\n\n", "\r\n\u{2028} "] {
        assert_eq!(email(between), None, "{between:?} has none left for the subject");
    }
    let later = json("draft email to: a subject:  context: b context: c").unwrap();
    assert_eq!(
        later, r#"{"to":"a","subject":"context: b","context":"c"}"#,
        "a subject with text comes first"
    );
}

#[test]
fn a_long_command_takes_one_pass() {
    let text = format!(
        "draft email to: a subject: {}\u{85}\nend",
        "x context: ".repeat(20_000)
    );
    assert!(
        parse(&text).is_none(),
        "no context runs to the end of the text on one line"
    );
}

#[test]
fn every_form_has_an_example_that_works() {
    for form in forms() {
        let intent = parse(form.example).unwrap();
        assert_eq!(intent.tool_id(), form.tool_id, "{}", form.name);
    }
    assert_eq!(forms().len(), 4, "one for each variant");
}

#[test]
fn trimming_is_javascripts() {
    let spaces =
        "\t\n\u{b}\u{c}\r \u{a0}\u{1680}\u{2000}\u{200a}\u{2028}\u{2029}\u{202f}\u{205f}\u{3000}\u{feff}";
    assert_eq!(js_trim(&format!("{spaces}x{spaces}")), "x");
    for other in ["\u{85}", "\u{180e}", "\u{200b}", "\u{2060}", "\0", "\u{1c}"] {
        assert_eq!(
            js_trim(other),
            other,
            "{other:?} is not white space in JavaScript"
        );
    }
}

#[test]
fn a_structured_key_depends_on_everything_that_it_names() {
    let (input, other) = (
        parse("create task: x").unwrap().input(),
        parse("create task: y").unwrap().input(),
    );
    let id: ProposalId = "0192f3a4-0000-7000-8000-0123456789ab".parse().unwrap();
    let call = StructuredCall {
        actor: "user_123",
        connection: None,
        input: &input,
        not_before: None,
        retry_of: None,
        supersedes: None,
        tenant: "tenant_a",
        tool: "assistant.create_task",
    };
    let body =
        br#"{"actor":"user_123","input":{"title":"x"},"tenant":"tenant_a","tool":"assistant.create_task"}"#;
    let key = structured_key(&call).unwrap();
    assert_eq!(
        key,
        format!("assistant:propose:v2:{}", Digest::of(body)),
        "absent references are left out"
    );
    let mut keys = vec![key];
    for other in [
        StructuredCall {
            actor: "user_124",
            ..call
        },
        StructuredCall {
            connection: Some("0192f3a4-0000-7000-8000-0123456789ab".parse().unwrap()),
            ..call
        },
        StructuredCall {
            input: &other,
            ..call
        },
        StructuredCall {
            not_before: Some(crate::UnixMillis(1_795_354_008_000)),
            ..call
        },
        StructuredCall {
            retry_of: Some(id),
            ..call
        },
        StructuredCall {
            supersedes: Some(id),
            ..call
        },
        StructuredCall {
            tenant: "tenant_b",
            ..call
        },
        StructuredCall {
            tool: "assistant.draft_email",
            ..call
        },
    ] {
        let key = structured_key(&other).unwrap();
        assert!(!keys.contains(&key), "{other:?}");
        keys.push(key);
    }
    let outside = Value::Integer(i64::MAX);
    assert!(
        structured_key(&StructuredCall {
            input: &outside,
            ..call
        })
        .is_err(),
        "outside the profile"
    );
}

/// A piece of a regular expression.
#[derive(Clone, Copy)]
enum Piece {
    Words(&'static str),
    Many {
        class: fn(char) -> bool,
        at_least: usize,
        lazy: bool,
        capture: bool,
    },
}

const fn many(class: fn(char) -> bool, at_least: usize) -> Piece {
    Piece::Many {
        class,
        at_least,
        lazy: false,
        capture: false,
    }
}

const fn capture(class: fn(char) -> bool, lazy: bool) -> Piece {
    Piece::Many {
        class,
        at_least: 1,
        lazy,
        capture: true,
    }
}

fn dot(c: char) -> bool {
    !is_line_end(c)
}

fn not_space(c: char) -> bool {
    !is_space(c)
}

/// Matches a whole text by trying everything in the order in which a regular expression does.
fn matches(pieces: &[Piece], text: &[char], captures: &mut Vec<String>) -> bool {
    let Some((piece, rest)) = pieces.split_first() else {
        return text.is_empty();
    };
    match *piece {
        Piece::Words(words) => {
            let length = words.chars().count();
            text.len() >= length
                && words.chars().zip(text).all(|(a, b)| a.eq_ignore_ascii_case(b))
                && matches(rest, &text[length..], captures)
        }
        Piece::Many {
            class,
            at_least,
            lazy,
            capture,
        } => {
            let most = text.iter().take_while(|c| class(**c)).count();
            let mut lengths: Vec<_> = (at_least..=most).collect();
            if !lazy {
                lengths.reverse();
            }
            lengths.into_iter().any(|length| {
                let before = captures.len();
                if capture {
                    captures.push(js_trim(&String::from_iter(&text[..length])).to_owned());
                }
                let found = matches(rest, &text[length..], captures);
                if !found {
                    captures.truncate(before);
                }
                found
            })
        }
    }
}

/// The four expressions of the contract, piece by piece.
fn by_expression(text: &str) -> Option<Intent> {
    use Piece::Words;
    let text: Vec<char> = js_trim(text).chars().collect();
    let found = |pieces: &[Piece]| {
        let mut captures = Vec::new();
        matches(pieces, &text, &mut captures).then_some(captures)
    };
    let one =
        |words| found(&[Words(words), many(is_space, 0), capture(dot, false)]).and_then(|mut all| all.pop());
    if let Some(title) = one("create task:") {
        return Some(Intent::CreateTask { title });
    }
    if let Some(thread_id) = one("summarize thread:") {
        return Some(Intent::SummarizeInboxThread { thread_id });
    }
    if found(&[Words("system health")]).is_some() {
        return Some(Intent::SystemHealthCheck {
            include_details: false,
        });
    }
    if found(&[Words("system health"), many(is_space, 1), Words("details")]).is_some() {
        return Some(Intent::SystemHealthCheck {
            include_details: true,
        });
    }
    let captures = found(&[
        Words("draft email to:"),
        many(is_space, 0),
        capture(not_space, false),
        many(is_space, 1),
        Words("subject:"),
        many(is_space, 0),
        capture(dot, true),
        many(is_space, 1),
        Words("context:"),
        many(is_space, 0),
        capture(dot, false),
    ])?;
    let [to, subject, context] = captures.try_into().ok()?;
    Some(Intent::DraftEmail { to, subject, context })
}

fn command() -> impl Strategy<Value = String> {
    const PIECES: &str = "create task:¦Summarize Thread:¦system health¦DETAILS¦details¦ ¦  ¦\n¦\r¦\t¦\u{2028}¦\u{feff}¦\
        \u{85}¦x¦é¦ſ¦a@b.c¦subject:¦Context:¦ context: ¦ subject: ";
    let piece = proptest::sample::select(PIECES.split('¦').collect::<Vec<_>>());
    let start = proptest::sample::select(vec![
        "",
        "create task:",
        "summarize thread:",
        "system health",
        "draft email to:",
        "Draft Email To: a subject:",
        "draft email to:a subject: x context:",
    ]);
    (start, proptest::collection::vec(piece, 0..9))
        .prop_map(|(start, pieces)| start.to_owned() + &pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn commands_are_read_as_the_expressions_read_them(text in command()) {
        prop_assert_eq!(parse(&text), by_expression(&text));
    }

    #[test]
    fn a_title_comes_through_whole(title in "[^\n\r\u{2028}\u{2029}]{1,20}") {
        let trimmed = js_trim(&title);
        let expected = (!trimmed.is_empty()).then(|| Intent::CreateTask { title: trimmed.to_owned() });
        prop_assert_eq!(parse(&format!("create task:{title}")), expected);
    }
}

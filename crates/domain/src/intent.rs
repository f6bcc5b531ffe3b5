//! Commands that people type: the seed's four forms, read the same way to the last white space.
//!
//! The grammar is that of four JavaScript regular expressions, so white space, line ends and case are JavaScript's:
//! U+FEFF is white space and U+0085 is not, `.` stops at four line ends, and only ASCII letters have two cases. An
//! idempotency key hashes the command and what was read from it, and a difference here would make another key.

use serde::Serialize;

use crate::{
    Digest,
    canonical::{self, Object, Value},
    id::{ConnectionId, ProposalId},
};

/// What a command asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intent {
    /// `create task: <title>`
    CreateTask {
        /// The task's title.
        title: String,
    },
    /// `summarize thread: <thread id>`
    SummarizeInboxThread {
        /// The thread's id.
        thread_id: String,
    },
    /// `system health` or `system health details`
    SystemHealthCheck {
        /// Whether details were asked for.
        include_details: bool,
    },
    /// `draft email to: <address> subject: <subject> context: <context>`
    DraftEmail {
        /// Any run without white space; whether it is an address is for the tool to say.
        to: String,
        /// May be empty.
        subject: String,
        /// What the mail is to be about.
        context: String,
    },
}

/// Reads a command. Anything but one of the [`forms`] is `None`.
pub fn parse(text: &str) -> Option<Intent> {
    let text = js_trim(text);
    create_task(text)
        .or_else(|| summarize_thread(text))
        .or_else(|| system_health(text))
        .or_else(|| draft_email(text))
}

/// `String.prototype.trim`, which differs from [`str::trim`] in U+FEFF and U+0085.
pub fn js_trim(text: &str) -> &str {
    text.trim_matches(is_space)
}

impl Intent {
    /// The tool that is asked for.
    pub const fn tool_id(&self) -> &'static str {
        match self {
            Self::CreateTask { .. } => "assistant.create_task",
            Self::SummarizeInboxThread { .. } => "assistant.summarize_inbox_thread",
            Self::SystemHealthCheck { .. } => "assistant.system_health_check",
            Self::DraftEmail { .. } => "assistant.draft_email",
        }
    }

    /// The tool's input as `JSON.stringify` writes it: fields in the order of the form, no white space.
    pub fn input_json(&self) -> String {
        let mut json = String::from("{");
        for (name, value) in self.fields() {
            if json.len() > 1 {
                json.push(',');
            }
            canonical::push_string(&mut json, name);
            json.push(':');
            match value {
                Field::Text(text) => canonical::push_string(&mut json, text),
                Field::Flag(flag) => json.push_str(if flag { "true" } else { "false" }),
            }
        }
        json.push('}');
        json
    }

    /// The tool's input as a value, in canonical order.
    pub fn input(&self) -> Value {
        let fields = self.fields().into_iter().map(|(name, value)| match value {
            Field::Text(text) => (name, Value::from(text)),
            Field::Flag(flag) => (name, Value::Bool(flag)),
        });
        Value::Object(Object::from_iter(fields))
    }

    fn fields(&self) -> Vec<(&'static str, Field<'_>)> {
        match self {
            Self::CreateTask { title } => vec![("title", Field::Text(title))],
            Self::SummarizeInboxThread { thread_id } => vec![("threadId", Field::Text(thread_id))],
            Self::SystemHealthCheck { include_details } => {
                vec![("includeDetails", Field::Flag(*include_details))]
            }
            Self::DraftEmail { to, subject, context } => {
                vec![
                    ("to", Field::Text(to)),
                    ("subject", Field::Text(subject)),
                    ("context", Field::Text(context)),
                ]
            }
        }
    }
}

enum Field<'a> {
    Text(&'a str),
    Flag(bool),
}

/// The idempotency key of a typed command, the same as the seed's: the same person typing the same text again.
///
/// `intent` is what [`parse`] made of `text`, before a tool changes anything in it.
pub fn text_key(tenant: &str, user: &str, intent: &Intent, text: &str) -> String {
    let input = intent.input_json();
    let parts = [tenant, user, intent.tool_id(), &input, js_trim(text)];
    format!("assistant:propose:v1:{}", Digest::of(parts.join("|").as_bytes()))
}

/// A tool call that came as JSON. What makes two of them the same one is exactly what is in here.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StructuredCall<'a> {
    /// The person or the agent that proposes.
    pub actor: &'a str,
    /// The connection that it is to go over, where the proposer says which.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection: Option<ConnectionId>,
    /// The tool's input as it came, before a tool changes anything in it.
    pub input: &'a Value,
    /// The proposal that is tried again, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<ProposalId>,
    /// The proposal that is replaced, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supersedes: Option<ProposalId>,
    /// Where it is proposed.
    pub tenant: &'a str,
    /// The tool's id.
    pub tool: &'a str,
}

/// The idempotency key of a tool call that came as JSON.
///
/// # Errors
/// When the input is outside the canonical profile.
pub fn structured_key(call: &StructuredCall<'_>) -> Result<String, canonical::Error> {
    Ok(format!(
        "assistant:propose:v2:{}",
        Digest::of(&canonical::to_vec(call)?)
    ))
}

/// A form of command, to show to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Form {
    /// What it does.
    pub name: &'static str,
    /// The tool that it asks for.
    pub tool_id: &'static str,
    /// How it is typed; angle brackets stand for the person's own words, square ones for what may be left out.
    pub pattern: &'static str,
    /// One that can be typed as it is.
    pub example: &'static str,
}

/// All forms that [`parse`] knows.
pub fn forms() -> &'static [Form] {
    &[
        Form {
            name: "Create a task",
            tool_id: "assistant.create_task",
            pattern: "create task: <title>",
            example: "create task: Review quarterly report",
        },
        Form {
            name: "Summarize a thread",
            tool_id: "assistant.summarize_inbox_thread",
            pattern: "summarize thread: <thread id>",
            example: "summarize thread: thread_12345",
        },
        Form {
            name: "Check the system's health",
            tool_id: "assistant.system_health_check",
            pattern: "system health [details]",
            example: "system health details",
        },
        Form {
            name: "Draft an email",
            tool_id: "assistant.draft_email",
            pattern: "draft email to: <address> subject: <subject> context: <context>",
            example: "draft email to: john@example.com subject: Q4 Review context: Need to schedule meeting",
        },
    ]
}

/// `^create task:\s*(.+)$`
fn create_task(text: &str) -> Option<Intent> {
    let title = to_the_end(after(text, "create task:")?)?;
    Some(Intent::CreateTask {
        title: title.to_owned(),
    })
}

/// `^summarize thread:\s*(.+)$`
fn summarize_thread(text: &str) -> Option<Intent> {
    let thread_id = to_the_end(after(text, "summarize thread:")?)?;
    Some(Intent::SummarizeInboxThread {
        thread_id: thread_id.to_owned(),
    })
}

/// `^system health(?:\s+details)?$`
fn system_health(text: &str) -> Option<Intent> {
    let rest = after(text, "system health")?;
    let include_details = !rest.is_empty();
    if include_details {
        let word = rest.trim_start_matches(is_space);
        let apart = word.len() < rest.len();
        if !apart || !word.eq_ignore_ascii_case("details") {
            return None;
        }
    }
    Some(Intent::SystemHealthCheck { include_details })
}

/// `^draft email to:\s*([^\s]+)\s+subject:\s*(.+?)\s+context:\s*(.+)$`
fn draft_email(text: &str) -> Option<Intent> {
    let rest = after(text, "draft email to:")?.trim_start_matches(is_space);
    let (to, rest) = rest.split_at(rest.find(is_space)?);
    let rest = after(rest.trim_start_matches(is_space), "subject:")?;
    let (subject, context) = subject_and_context(rest)?;
    Some(Intent::DraftEmail {
        to: to.to_owned(),
        subject: subject.to_owned(),
        context: context.to_owned(),
    })
}

/// `\s*(.+?)\s+context:\s*(.+)$`, both captures trimmed, in one pass where the expression would go back.
fn subject_and_context(text: &str) -> Option<(&str, &str)> {
    let rest = text.trim_start_matches(is_space);
    let first_line = rest.find(is_line_end).unwrap_or(rest.len());
    let last_line = rest.rfind(is_line_end);
    let context = |text| {
        let context = after(text, "context:")?.trim_start_matches(is_space);
        let on_one_line = last_line.is_none_or(|end| end < rest.len() - context.len());
        (on_one_line && !context.is_empty()).then_some(context)
    };

    let mut from = 0;
    while let Some(word) = rest[from..].find(is_space) {
        // The subject is lazy: the first ` context:` that leaves a match ends it. It cannot run over a line end.
        let end = from + word;
        if end > first_line {
            break;
        }
        let next = rest[end..].trim_start_matches(is_space);
        if let Some(context) = context(next) {
            return Some((&rest[..end], context));
        }
        from = rest.len() - next.len();
    }

    // With nothing but white space before `context:` the expression goes back and takes one white space for the
    // subject, if that is no line end and another one is left to stand before `context:`.
    let gap = &text[..text.len() - rest.len()];
    let some_for_both = gap.chars().rev().skip(1).any(|c| !is_line_end(c));
    if some_for_both {
        context(rest).map(|context| ("", context))
    } else {
        None
    }
}

/// `\s*(.+)$`, with the capture trimmed, in a text without white space at its end.
fn to_the_end(text: &str) -> Option<&str> {
    let rest = text.trim_start_matches(is_space);
    (!rest.is_empty() && !rest.contains(is_line_end)).then_some(rest)
}

/// What follows `words`, of which only ASCII letters have two cases.
fn after<'a>(text: &'a str, words: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(words.len())?;
    start.eq_ignore_ascii_case(words).then_some(rest)
}

/// JavaScript's `\s`.
fn is_space(c: char) -> bool {
    matches!(
        c,
        '\u{9}'..='\u{d}' | ' ' | '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' | '\u{feff}'
    ) || is_line_end(c)
}

/// What JavaScript's `.` does not match.
fn is_line_end(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
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
            retry_of: None,
            supersedes: None,
            tenant: "tenant_a",
            tool: "assistant.create_task",
        };
        let body = br#"{"actor":"user_123","input":{"title":"x"},"tenant":"tenant_a","tool":"assistant.create_task"}"#;
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
        let one = |words| {
            found(&[Words(words), many(is_space, 0), capture(dot, false)]).and_then(|mut all| all.pop())
        };
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
}

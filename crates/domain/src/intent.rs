//! Commands that people type: the seed's four forms, read the same way to the last white space.
//!
//! The grammar is that of four JavaScript regular expressions, so white space, line ends and case are JavaScript's:
//! U+FEFF is white space and U+0085 is not, `.` stops at four line ends, and only ASCII letters have two cases. An
//! idempotency key hashes the command and what was read from it, and a difference here would make another key.

use serde::Serialize;

use crate::{
    Digest, UnixMillis,
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
    /// Before when it is not to run, if that was said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<UnixMillis>,
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
mod tests;

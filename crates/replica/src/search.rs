//! What is searched, and how a person's words become a query.

use std::fmt::Write as _;

use countersign_domain::{canonical::Value, record::Proposal, render};

/// How much of one proposal is searched, in bytes: a long mail is found by its beginning.
const MAX_TEXT: usize = 16 * 1024;
/// Words beyond these are not looked at.
const MAX_WORDS: usize = 12;

/// Untrusted text in the form in which it is safe to show in a line.
pub(crate) fn flat(text: &str) -> String {
    render::flat(&render::visible(text))
}

/// The searchable text of a proposal: sentence, arguments, proposer, tool and note.
pub(crate) fn text(sentence: &str, proposal: &Proposal) -> String {
    let mut text = String::with_capacity(512);
    for part in [sentence, &proposal.proposer.name, &proposal.tool.id] {
        push(&mut text, part);
    }
    push(&mut text, proposal.untrusted.note.as_deref().unwrap_or_default());
    push_values(&mut text, &proposal.args);
    text
}

fn push_values(text: &mut String, value: &Value) {
    match value {
        Value::Null | Value::Bool(_) => {}
        Value::Integer(number) => {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{number}");
        }
        Value::String(part) => push(text, part),
        Value::Array(items) => items.iter().for_each(|item| push_values(text, item)),
        Value::Object(object) => object.iter().for_each(|(_, value)| push_values(text, value)),
    }
}

fn push(text: &mut String, part: &str) {
    let room = MAX_TEXT.saturating_sub(text.len());
    text.push_str(&part[..part.floor_char_boundary(room)]);
    text.push('\n');
}

/// An FTS5 query that finds proposals with all the words; the last one, still being typed, as a prefix. `None` when
/// there is no word in it. Every word is quoted, so nothing that a person types is syntax.
pub(crate) fn query(words: &str) -> Option<String> {
    let open = words.chars().next_back().is_some_and(char::is_alphanumeric);
    let words: Vec<String> = words
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| word.chars().any(char::is_alphanumeric))
        .take(MAX_WORDS)
        .map(|word| format!("\"{}\"", word.replace('"', " ")))
        .collect();
    let query = words.join(" ");
    match (words.is_empty(), open) {
        (true, _) => None,
        (false, true) => Some(format!("{query}*")),
        (false, false) => Some(query),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_quoted_and_the_last_is_a_prefix() {
        assert_eq!(query("send acme"), Some("\"send\" \"acme\"*".to_owned()));
        assert_eq!(query("send acme "), Some("\"send\" \"acme\"".to_owned()));
        assert_eq!(
            query("text: OR \"x\" NEAR(a)"),
            Some("\"text:\" \"OR\" \" x \" \"NEAR(a)\"".to_owned())
        );
    }

    #[test]
    fn without_a_word_there_is_no_query() {
        for words in ["", "  ", "\"", "* - ^", "\0"] {
            assert_eq!(query(words), None, "{words:?}");
        }
    }
}

//! What is searched, and how a person's words become a query.

use std::fmt::Write as _;

use countersign_domain::{canonical::Value, record::Proposal, render};

/// How much of one proposal is searched, in bytes: a long mail is found by its beginning.
const MAX_TEXT: usize = 16 * 1024;
/// Words beyond these are not looked at.
const MAX_WORDS: usize = 12;
/// The longest beginning of a word that the index knows at once, in characters. A longer one finds what begins with so
/// much of it until its end is typed: anything else would take time with every proposal that has such a word.
const MAX_PREFIX: usize = 8;

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

/// The words of what a person typed, and whether the last one may go on.
pub(crate) fn words(typed: &str) -> (Vec<&str>, bool) {
    let open = typed.chars().next_back().is_some_and(is_of_word);
    let words = typed
        .split(|c| !is_of_word(c))
        .filter(|word| !word.is_empty())
        .take(MAX_WORDS)
        .collect();
    (words, open)
}

/// An FTS5 query that finds proposals with all the words; the last one, still being typed, as a prefix. `None` when
/// there is no word. Every word is quoted, so nothing that a person types is syntax.
pub(crate) fn query(words: &[&str], open: bool) -> Option<String> {
    let (last, others) = words.split_last()?;
    let mut query: String = others.iter().map(|word| format!("\"{word}\" ")).collect();
    let _ = if open {
        let end = last
            .char_indices()
            .nth(MAX_PREFIX)
            .map_or(last.len(), |(end, _)| end);
        write!(query, "\"{}\"*", &last[..end])
    } else {
        write!(query, "\"{last}\"")
    };
    Some(query)
}

/// What the tokenizer takes as part of a word, accents that stand apart included.
fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '\u{300}'..='\u{36F}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_quoted_and_the_last_is_a_prefix() {
        let of = |typed| {
            let (words, open) = words(typed);
            query(&words, open).unwrap()
        };
        assert_eq!(of("send acme"), "\"send\" \"acme\"*");
        assert_eq!(of("send acme "), "\"send\" \"acme\"");
        assert_eq!(
            of("text: OR \"x\" NEAR(a)"),
            "\"text\" \"OR\" \"x\" \"NEAR\" \"a\""
        );
        assert_eq!(of("billing@acme.com"), "\"billing\" \"acme\" \"com\"*");
        assert_eq!(
            of("Überweisung"),
            "\"Überweis\"*",
            "no longer than the index knows beginnings"
        );
        assert_eq!(of("Überweisung "), "\"Überweisung\"");
    }

    #[test]
    fn without_a_word_there_is_no_query() {
        for typed in ["", "  ", "\"", "* - ^", "\0"] {
            assert_eq!(words(typed).0, [""; 0], "{typed:?}");
        }
        assert_eq!(query(&[], true), None);
    }
}

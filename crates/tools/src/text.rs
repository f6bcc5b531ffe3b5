//! Text that came from outside, made fit for one line of a record.

use countersign_domain::render::{flat, visible};

/// One harmless line of at most `limit` characters: line ends become spaces, what is invisible becomes visible.
pub(crate) fn line(text: &str, limit: usize) -> String {
    let spaced: String = text
        .trim()
        .chars()
        .map(|c| if matches!(c, '\r' | '\n' | '\t') { ' ' } else { c })
        .collect();
    shorten(&flat(&visible(&spaced)), limit)
}

/// At most `limit` characters, with an ellipsis in place of what is cut.
pub(crate) fn shorten(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    text.chars().take(limit.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_from_outside_is_harmless_and_short() {
        assert_eq!(
            line("550 no\r\nsuch user\u{202E}", 99),
            "550 no  such user⟦U+202E⟧"
        );
        assert_eq!(line("abcdef", 4), "abc…", "the ellipsis counts");
    }
}

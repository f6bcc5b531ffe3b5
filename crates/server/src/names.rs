//! Names that people give: to tenants, to themselves, to agents, devices and connections.

use countersign_domain::render::{Span, visible};

/// Longest name, in characters.
const LONGEST: usize = 100;

/// A name as it is stored: trimmed, 1 to 100 characters. `None` when something in it is invisible or alters how its
/// neighbours look: a name is how people recognise whom they deal with.
pub(crate) fn name(text: &str) -> Option<String> {
    let text = text.trim();
    let plain = matches!(visible(text)[..], [Span::Plain(_)]);
    (plain && text.chars().count() <= LONGEST).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_it_looks_like() {
        for fine in [
            "Ada",
            "Zoë Müller",
            "李雷",
            "Acme, Inc.",
            "O'Brien",
            &"x".repeat(100),
        ] {
            assert_eq!(name(fine).as_deref(), Some(fine));
        }
        assert_eq!(name("  Ada ").as_deref(), Some("Ada"));
        for bad in [
            "",
            "  ",
            "a\u{202e}da",
            "a\u{200b}da",
            "a\nb",
            "a\0",
            &"x".repeat(101),
        ] {
            assert_eq!(name(bad), None, "{bad:?} could pass for another name");
        }
    }
}

//! Untrusted text made harmless to look at, without dropping anything of it.

use serde::{Deserialize, Serialize};

use super::marks::{is_generic_mark, is_mark};

/// Text from outside with everything invisible or misleading made visible.
pub type Spans = Vec<Span>;

/// A run of text.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(
    tag = "kind",
    content = "text",
    rename_all = "snake_case",
    deny_unknown_fields
)]
pub enum Span {
    /// As written.
    Plain(String),
    /// Stands for characters that would not be seen or would change how others are seen: `U+202E`.
    Escape(String),
}

/// Makes untrusted text harmless to look at: control and format characters, bidirectional overrides, zero-width,
/// tag and private-use characters, and piled-up combining marks become [`Span::Escape`]. Nothing is dropped.
///
/// Piled-up is a mark with nothing to sit on, the same mark twice, a fifth one (UTS #39 §5.4), or a third of those
/// that belong to no script: Burmese needs three of its own for the word "city".
pub fn visible(text: &str) -> Spans {
    escaped(text, is_deceptive)
}

/// [`visible`] for what names one thing among many: an address, a host, a method. There every letter counts, and letters
/// of other scripts look like those of ASCII, so whatever is not ASCII is an escape as well.
pub fn exact(text: &str) -> Spans {
    escaped(text, |c| !c.is_ascii() || is_deceptive(c))
}

fn escaped(text: &str, is_escaped: impl Fn(char) -> bool) -> Spans {
    let mut spans = Spans::new();
    let mut plain = String::new();
    let mut marks = 0;
    let mut before = None;
    for c in text.chars() {
        let mark = is_mark(c);
        marks = if mark { marks + 1 } else { 0 };
        let most = if is_generic_mark(c) { 2 } else { 4 };
        let piled = mark && (plain.is_empty() || before == Some(c) || marks > most);
        before = Some(c);
        if is_escaped(c) || piled {
            if !plain.is_empty() {
                spans.push(Span::Plain(core::mem::take(&mut plain)));
            }
            spans.push(Span::Escape(format!("U+{:04X}", u32::from(c))));
        } else {
            plain.push(c);
        }
    }
    if !plain.is_empty() {
        spans.push(Span::Plain(plain));
    }
    spans
}

/// Whether nothing in `text` hides or reorders: [`visible`] leaves it as it is.
pub fn is_plain(text: &str) -> bool {
    !visible(text).iter().any(|span| matches!(span, Span::Escape(_)))
}

/// Spans as one plain string, escapes in their visible form: for search, notifications and logs.
pub fn flat(spans: &[Span]) -> String {
    let mut text = String::new();
    for span in spans {
        match span {
            Span::Plain(plain) => text.push_str(plain),
            Span::Escape(code) => {
                text.push('⟦');
                text.push_str(code);
                text.push('⟧');
            }
        }
    }
    text
}

/// Characters that are invisible or alter how their neighbours look: Unicode categories Cc, Cf, Zl, Zp, Co, the
/// default-ignorable code points, spaces other than U+0020, fillers and blanks of other categories, what controls
/// hieroglyphs, and noncharacters.
fn is_deceptive(c: char) -> bool {
    matches!(c,
        '\u{0000}'..='\u{001F}' | '\u{007F}'..='\u{00A0}' | '\u{00AD}' | '\u{034F}' | '\u{0600}'..='\u{0605}'
        | '\u{061C}' | '\u{06DD}' | '\u{070F}' | '\u{0890}'..='\u{0891}' | '\u{08E2}' | '\u{115F}'..='\u{1160}'
        | '\u{1680}' | '\u{17B4}'..='\u{17B5}' | '\u{180B}'..='\u{180F}' | '\u{2000}'..='\u{200F}'
        | '\u{2028}'..='\u{202F}' | '\u{205F}'..='\u{206F}' | '\u{2800}' | '\u{3000}' | '\u{3164}'
        | '\u{E000}'..='\u{F8FF}' | '\u{FDD0}'..='\u{FDEF}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}'
        | '\u{FFF0}'..='\u{FFFF}' | '\u{110BD}' | '\u{110CD}' | '\u{13430}'..='\u{1345F}' | '\u{16FE4}'
        | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D159}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}'
        | '\u{F0000}'..='\u{10FFFF}')
        || u32::from(c) & 0xFFFE == 0xFFFE
}

//! Untrusted text: nothing hides in it, and nothing of it is lost.

use countersign_domain::render::{Span, flat, visible};
use proptest::prelude::*;

/// Puts the escaped characters back.
pub(crate) fn original(spans: &[Span]) -> String {
    spans
        .iter()
        .map(|span| match span {
            Span::Plain(text) => text.clone(),
            Span::Escape(code) => {
                let digits = code.strip_prefix("U+").unwrap();
                char::from_u32(u32::from_str_radix(digits, 16).unwrap())
                    .unwrap()
                    .to_string()
            }
        })
        .collect()
}

/// What may never stand on a card as it is. Written down apart from the code under test, family by family.
pub(crate) fn is_hidden(c: char) -> bool {
    let bidi =
        matches!(c, '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    let zero_width = matches!(c, '\u{AD}' | '\u{34F}' | '\u{180E}' | '\u{200B}'..='\u{200D}' | '\u{2060}'..='\u{2065}'
        | '\u{206A}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFC}' | '\u{1D173}'..='\u{1D17A}');
    let filler = matches!(
        c,
        '\u{115F}'
            | '\u{1160}'
            | '\u{17B4}'
            | '\u{17B5}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{FFA0}'
            | '\u{13441}'
            | '\u{13442}'
            | '\u{16FE4}'
            | '\u{1D159}'
    );
    let selector = matches!(c, '\u{180B}'..='\u{180D}' | '\u{180F}' | '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}');
    let tag = matches!(c, '\u{E0000}'..='\u{E007F}');
    let private =
        matches!(c, '\u{E000}'..='\u{F8FF}' | '\u{F0000}'..='\u{FFFFD}' | '\u{100000}'..='\u{10FFFD}');
    let nothing = matches!(c, '\u{FDD0}'..='\u{FDEF}') || u32::from(c) & 0xFFFF >= 0xFFFE;
    let space = c.is_whitespace() && c != ' ';
    c.is_control() || space || bidi || zero_width || filler || selector || tag || private || nothing
}

fn hides_nothing(spans: &[Span]) -> bool {
    spans.iter().all(|span| match span {
        Span::Plain(text) => !text.is_empty() && !text.contains(is_hidden),
        Span::Escape(code) => code
            .strip_prefix("U+")
            .is_some_and(|digits| digits.len() >= 4 && digits.bytes().all(|b| b.is_ascii_hexdigit())),
    })
}

#[test]
fn no_code_point_hides_on_the_card() {
    for c in '\0'..=char::MAX {
        for text in [c.to_string(), format!("a{c}{c}b")] {
            let spans = visible(&text);
            assert!(hides_nothing(&spans), "U+{:04X} in {spans:?}", u32::from(c));
            assert_eq!(original(&spans), text, "U+{:04X} was lost", u32::from(c));
        }
    }
}

#[test]
fn ordinary_text_of_many_scripts_stays_as_it_is() {
    for text in [
        "Grüße, Señor Núñez – 50 €",
        "Việt Nam, e\u{301}, o\u{302}\u{323}",
        "日本語、中文、한국어",
        "Привет, мир",
        "नमस्ते दुनिया",
        "မြို့",
        "ភាសាខ្មែរ",
        "ที่นี่",
        "שָׁלוֹם",
        "السَّلَامُ",
        "😀👍",
    ] {
        assert_eq!(
            visible(text),
            [Span::Plain(text.to_owned())],
            "{text} is nobody's trick"
        );
    }
}

#[test]
fn piled_up_marks_are_counted_not_drawn() {
    for (text, shown) in [
        ("e\u{301}\u{302}\u{303}", "e\u{301}\u{302}⟦U+0303⟧"),
        ("e\u{301}\u{301}", "e\u{301}⟦U+0301⟧"),
        ("\u{338}= 5", "⟦U+0338⟧= 5"),
        ("\u{202E}\u{338}", "⟦U+202E⟧⟦U+0338⟧"),
        ("ก\u{e47}\u{e47}\u{e47}", "ก\u{e47}⟦U+0E47⟧⟦U+0E47⟧"),
        (
            "ב\u{5b0}\u{5b1}\u{5b2}\u{5b3}\u{5b4}",
            "ב\u{5b0}\u{5b1}\u{5b2}\u{5b3}⟦U+05B4⟧",
        ),
    ] {
        assert_eq!(flat(&visible(text)), shown);
    }
}

#[test]
fn what_looks_like_an_escape_is_not_one() {
    assert_eq!(
        visible("⟦U+202E⟧"),
        [Span::Plain("⟦U+202E⟧".to_owned())],
        "the card tells them apart by kind"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn text_is_shown_whole(text in prop_oneof!["\\PC*", any::<String>(), awkward()]) {
        let spans = visible(&text);
        prop_assert!(hides_nothing(&spans), "{spans:?}");
        prop_assert_eq!(original(&spans), text);
        let neighbours = spans
            .windows(2)
            .any(|pair| matches!(pair, [Span::Plain(_), Span::Plain(_)]));
        prop_assert!(!neighbours, "one text has one form: {spans:?}");
    }
}

/// Strings that are mostly made of what people attack with.
pub(crate) fn awkward() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "a",
        "é",
        "{",
        "}",
        "{title}",
        "\"",
        "\\",
        "\n",
        "\r\n",
        "\r",
        "\t",
        "\0",
        "  ",
        "\u{202E}",
        "\u{2066}",
        "\u{200B}",
        "\u{301}",
        "\u{489}",
        "\u{E0041}",
        "\u{E000}",
        "\u{FE0F}",
        "\u{FFFE}",
        "א",
        "漢",
        "😀",
        "<b>",
        "⟦U+202E⟧",
        "https://evil.example",
        "@",
        "//",
        "#",
    ]);
    prop::collection::vec(pieces, 0..12).prop_map(|pieces| pieces.concat())
}

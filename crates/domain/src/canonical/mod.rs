//! Canonical JSON: one spelling for one meaning, so that bytes can be hashed and signed.
//!
//! The form is JCS (RFC 8785) under a restricted profile: strings, booleans, null, arrays, objects and integers up to
//! 2^53−1. No fractions, no exponents, no negative zero, no two equal names in an object, at most [`MAX_DEPTH`] arrays
//! and objects inside each other, at most [`MAX_BYTES`] bytes. Within the profile every JSON reader in the world sees
//! the same values, and a receiver refuses a body that is not its own canonical form.
//!
//! - [`to_vec`] writes, and is quick for a struct that declares its fields in order.
//! - [`from_slice`] reads a body that must be canonical, [`check`] only looks.
//! - [`exactly`] reads one that must also be what its type writes: one spelling for one typed value.
//! - [`parse`] reads any JSON text of the profile, canonical or not, as a [`Value`].

use core::cmp::Ordering;
use std::io;

use serde::{Serialize, de::DeserializeOwned};

pub use value::{Object, Value};

mod scan;
mod value;

/// How many arrays and objects may stand inside each other.
pub const MAX_DEPTH: usize = 32;

/// How many bytes a document may have.
pub const MAX_BYTES: usize = 128 * 1024;

/// The largest magnitude of an integer, 2^53−1: above it JavaScript and others round.
pub const MAX_INTEGER: i64 = (1 << 53) - 1;

/// Why bytes or a value are not a document of the profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// More than [`MAX_BYTES`].
    #[error("the document has {bytes} bytes, more than {MAX_BYTES}")]
    TooLong {
        /// How many there are.
        bytes: usize,
    },
    /// The bytes are not the canonical form of anything in the profile.
    #[error("not canonical JSON at byte {at}: {problem}")]
    NotCanonical {
        /// Offset of the offending byte, or of the end when something is missing there.
        at: usize,
        /// What is wrong there.
        problem: Problem,
    },
    /// The text is not JSON of the profile, or not of the shape that was asked for; says where.
    #[error("{0}")]
    Unreadable(String),
    /// Canonical, and read as something that is written otherwise: a member that says what its absence says.
    #[error("a member is written out that says nothing")]
    AnotherSpelling,
    /// The value has no JSON form at all, such as a map whose keys are not strings.
    #[error("{0}")]
    Unwritable(String),
}

/// What [`check`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Neither a value, nor a separator, nor a bracket of the one permitted spelling; white space is here too.
    #[error("unexpected byte")]
    Unexpected,
    /// The text ends too early.
    #[error("unexpected end")]
    End,
    /// Something follows the value.
    #[error("something follows the document")]
    Trailing,
    /// Not UTF-8.
    #[error("not UTF-8")]
    Utf8,
    /// A fraction, an exponent, negative zero, a leading zero, or beyond 2^53−1.
    #[error("a number must be an integer of at most 2^53−1 in its shortest form")]
    Number,
    /// An escape that is not the shortest, or one that must not be.
    #[error("a character is not escaped in the one permitted way")]
    Escape,
    /// Names must rise in the order of their UTF-16 code units.
    #[error("names are not in order")]
    Order,
    /// The same name twice in one object.
    #[error("a name appears twice")]
    Duplicate,
    /// More than [`MAX_DEPTH`].
    #[error("nested deeper than {MAX_DEPTH} levels")]
    Depth,
}

/// Writes a value's canonical bytes.
///
/// A struct whose fields are declared in order is written once and scanned once; anything else is put in order first.
///
/// # Errors
/// When the value is outside the profile.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Error> {
    let bytes = to_vec_of_any_length(value)?;
    within_length(&bytes)?;
    Ok(bytes)
}

/// The same without the limit on length, for what is hashed and stored nowhere: a card is longer than what it shows.
///
/// # Errors
/// When the value is outside the profile in another way.
pub fn to_vec_of_any_length<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Error> {
    let bytes = write(value)?;
    match check_form(&bytes) {
        Ok(()) => Ok(bytes),
        Err(Error::NotCanonical {
            problem: Problem::Order,
            ..
        }) => {
            let value: Value =
                serde_json::from_slice(&bytes).map_err(|error| Error::Unreadable(error.to_string()))?;
            write(&value)
        }
        Err(error) => Err(error),
    }
}

/// Reads a body that must be canonical.
///
/// # Errors
/// When the bytes are not canonical, or are not a `T`.
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    check(bytes)?;
    from_checked(bytes)
}

/// The same of bytes that were found to be canonical before.
pub(crate) fn from_checked<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(bytes).map_err(|error| Error::Unreadable(error.to_string()))
}

/// Reads a body that must be canonical, and the very bytes that a `T` of that content writes. An optional member that is said
/// to be `null`, or a default that is written out, is a second spelling of what is the same to everybody who reads types.
///
/// # Errors
/// When the bytes are not canonical, are not a `T`, or not as a `T` writes itself.
pub fn exactly<T: DeserializeOwned + Serialize>(bytes: &[u8]) -> Result<T, Error> {
    let value: T = from_slice(bytes)?;
    // Compared as it is written: no second copy is made of what is as it should be.
    let written = serde_json::to_writer(Expected(bytes), &value);
    if written.is_ok() || to_vec(&value).as_deref() == Ok(bytes) {
        Ok(value)
    } else {
        Err(Error::AnotherSpelling)
    }
}

/// Takes the bytes that it holds, in their order, and no others. All of them are written where nothing is missing: a document
/// does not begin with another one.
struct Expected<'a>(&'a [u8]);

impl io::Write for Expected<'_> {
    fn write(&mut self, written: &[u8]) -> io::Result<usize> {
        self.0 = self.0.strip_prefix(written).ok_or(io::ErrorKind::InvalidData)?;
        Ok(written.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads any JSON text of the profile: white space, any order of names and any escapes are fine.
///
/// # Errors
/// When the text is not JSON, or is outside the profile.
pub fn parse(bytes: &[u8]) -> Result<Value, Error> {
    within_length(bytes)?;
    serde_json::from_slice(bytes).map_err(|error| Error::Unreadable(error.to_string()))
}

/// Accepts exactly the canonical documents, in one pass and without allocating.
///
/// # Errors
/// With the place and the problem when the bytes are anything else.
pub fn check(bytes: &[u8]) -> Result<(), Error> {
    within_length(bytes)?;
    check_form(bytes)
}

fn check_form(bytes: &[u8]) -> Result<(), Error> {
    if let Err(error) = core::str::from_utf8(bytes) {
        return Err(Error::NotCanonical {
            at: error.valid_up_to(),
            problem: Problem::Utf8,
        });
    }
    scan::document(bytes).map_err(|(at, problem)| Error::NotCanonical { at, problem })
}

/// Appends a string in canonical form, quotes and all, as `JSON.stringify` writes it too.
pub(crate) fn push_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            '\0'..'\u{20}' => {
                let (high, low) = (u32::from(c) / 16, u32::from(c) % 16);
                out.push_str("\\u00");
                out.extend(
                    [high, low]
                        .into_iter()
                        .filter_map(|digit| char::from_digit(digit, 16)),
                );
            }
            _ => out.push(c),
        }
    }
    out.push('"');
}

fn within_length(bytes: &[u8]) -> Result<(), Error> {
    if bytes.len() > MAX_BYTES {
        Err(Error::TooLong { bytes: bytes.len() })
    } else {
        Ok(())
    }
}

fn write<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::with_capacity(1024);
    serde_json::to_writer(&mut bytes, value).map_err(|error| Error::Unwritable(error.to_string()))?;
    Ok(bytes)
}

/// The order of RFC 8785 §3.2.3, by UTF-16 code units, for names given as UTF-8.
///
/// UTF-8 bytes sort by code point. UTF-16 differs only in that its surrogates (U+10000 and above, lead bytes F0 to F4)
/// come before U+E000 to U+FFFF (lead bytes EE and EF), so lifting those two bytes above all others is enough.
fn name_order(a: impl Iterator<Item = u8>, b: impl Iterator<Item = u8>) -> Ordering {
    fn rank(byte: u8) -> u8 {
        if matches!(byte, 0xEE | 0xEF) {
            byte + 0x10
        } else {
            byte
        }
    }
    a.map(rank).cmp(b.map(rank))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn canonical(text: &str) -> Result<String, Error> {
        parse(text.as_bytes())
            .and_then(|value| to_vec(&value))
            .map(|bytes| String::from_utf8(bytes).unwrap())
    }

    fn problem(bytes: &[u8]) -> Option<(usize, Problem)> {
        match check(bytes) {
            Err(Error::NotCanonical { at, problem }) => Some((at, problem)),
            Ok(())
            | Err(
                Error::TooLong { .. } | Error::Unreadable(_) | Error::AnotherSpelling | Error::Unwritable(_),
            ) => None,
        }
    }

    #[test]
    fn strings_are_escaped_as_in_rfc_8785() {
        let text = r#""\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/""#;
        assert_eq!(
            canonical(text).unwrap(),
            r#""€$\u000f\nA'B\"\\\\\"/""#,
            "the sample of §3.2.2"
        );
        for (control, escaped) in [
            ('\u{0}', r"\u0000"),
            ('\u{8}', r"\b"),
            ('\t', r"\t"),
            ('\n', r"\n"),
            ('\u{b}', r"\u000b"),
            ('\u{c}', r"\f"),
            ('\r', r"\r"),
            ('\u{1f}', r"\u001f"),
        ] {
            let bytes = to_vec(&control.to_string()).unwrap();
            assert_eq!(
                bytes,
                format!("\"{escaped}\"").as_bytes(),
                "U+{:04X}",
                u32::from(control)
            );
        }
        for raw in [
            "\u{7f}", "\u{2028}", "\u{2029}", "\u{feff}", "é", "日本", "😀", "/",
        ] {
            assert_eq!(
                to_vec(raw).unwrap(),
                format!("\"{raw}\"").as_bytes(),
                "{raw:?} stays as it is"
            );
        }
    }

    #[test]
    fn names_are_sorted_as_in_rfc_8785() {
        let text = r#"{"\u20ac":"Euro Sign","\r":"Carriage Return",
            "\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\ud83d\ude00":"Emoji: Grinning Face",
            "\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}"#;
        let value = parse(text.as_bytes()).unwrap();
        let order: Vec<_> = value
            .as_object()
            .unwrap()
            .iter()
            .map(|(_, value)| value.as_str().unwrap())
            .collect();
        assert_eq!(
            order,
            [
                "Carriage Return",
                "One",
                "Control",
                "Latin Small Letter O With Diaeresis",
                "Euro Sign",
                "Emoji: Grinning Face",
                "Hebrew Letter Dalet With Dagesh"
            ],
            "the sample of §3.2.3"
        );
    }

    #[test]
    fn surrogate_pairs_sort_before_the_end_of_the_basic_plane() {
        assert_eq!(
            check("{\"\u{10000}\":1,\"\u{ff61}\":2}".as_bytes()),
            Ok(()),
            "D800 DC00 comes before FF61"
        );
        let by_code_point = "{\"\u{ff61}\":2,\"\u{10000}\":1}";
        assert_eq!(
            problem(by_code_point.as_bytes()),
            Some((9, Problem::Order)),
            "code points are not the order"
        );
        assert_eq!(
            canonical(by_code_point).unwrap(),
            "{\"\u{10000}\":1,\"\u{ff61}\":2}"
        );
    }

    #[test]
    fn only_integers_that_everybody_reads_alike_are_numbers() {
        for text in ["0", "-1", "10", "9007199254740991", "-9007199254740991"] {
            assert_eq!(canonical(text).as_deref(), Ok(text), "{text} is in the profile");
        }
        let outside = "9007199254740992 -9007199254740992 9007199254740993 18446744073709551615 \
            18446744073709551616 1.0 0.5 1e2 1E2 -0 0e0";
        for text in outside.split(' ') {
            assert!(parse(text.as_bytes()).is_err(), "{text} is outside the profile");
            assert_eq!(problem(text.as_bytes()), Some((0, Problem::Number)), "{text}");
        }
        for text in ["01", "-01", "-", "+1", ".5", "NaN", "0x1"] {
            assert!(parse(text.as_bytes()).is_err(), "{text} is not even JSON");
            assert!(check(text.as_bytes()).is_err(), "{text}");
        }
        assert!(
            to_vec(&Value::Integer(MAX_INTEGER + 1)).is_err(),
            "what cannot be read is not written"
        );
        assert!(to_vec(&1.5).is_err(), "a fraction is not written");
    }

    #[test]
    fn a_refusal_says_what_and_where() {
        let message = |text: &str| parse(text.as_bytes()).unwrap_err().to_string();
        assert_eq!(
            message(r#"{"a":1.5}"#),
            "the number 1.5 is not an integer of at most 2^53−1 written without fraction or exponent at line 1 column 8"
        );
        assert_eq!(
            message(r#"{"a":1,"a":2}"#),
            "the name \"a\" appears twice in one object at line 1 column 13"
        );
        assert_eq!(
            check(b"{\"a\": 1}").unwrap_err().to_string(),
            "not canonical JSON at byte 5: unexpected byte"
        );
    }

    #[test]
    fn two_equal_names_are_refused_in_every_spelling() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"b":2,"a":3}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"[{"":1,"":2}]"#,
        ] {
            assert!(
                parse(text.as_bytes()).is_err(),
                "{text} means different things to different readers"
            );
            assert!(check(text.as_bytes()).is_err(), "{text}");
        }
        assert_eq!(
            problem(br#"{"\n":1,"\n":2}"#),
            Some((8, Problem::Duplicate)),
            "escaped names are compared too"
        );

        #[derive(Serialize)]
        struct Flattened {
            #[serde(flatten)]
            first: Object,
            #[serde(flatten)]
            second: Object,
        }
        let object = Object::from_iter([("z", 1), ("a", 2)]);
        let twice = Flattened {
            first: object.clone(),
            second: object,
        };
        assert!(to_vec(&twice).is_err(), "nor can a struct write them");
    }

    #[test]
    fn escaped_names_are_ordered_by_what_they_mean() {
        assert_eq!(
            check(br##"{"\u0000":0,"\n":1,"\u001f":2,"!":3,"\"":4,"#":5,"[":6,"\\":7}"##),
            Ok(())
        );
        assert_eq!(
            problem(br##"{"#":1,"\"":2}"##),
            Some((7, Problem::Order)),
            "a quote is below a number sign"
        );
    }

    #[test]
    fn thirty_two_levels_are_enough() {
        for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
            let nested = |depth: usize| format!("{}0{}", open.repeat(depth), close.repeat(depth));
            assert_eq!(check(nested(MAX_DEPTH).as_bytes()), Ok(()));
            assert!(parse(nested(MAX_DEPTH).as_bytes()).is_ok());
            let too_deep = nested(MAX_DEPTH + 1);
            assert_eq!(
                problem(too_deep.as_bytes()).map(|(_, problem)| problem),
                Some(Problem::Depth)
            );
            assert!(
                parse(too_deep.as_bytes())
                    .unwrap_err()
                    .to_string()
                    .contains("nested deeper than 32 levels")
            );
            assert!(
                parse(nested(100_000 / open.len()).as_bytes()).is_err(),
                "and no stack overflows"
            );
        }
    }

    #[test]
    fn a_document_has_at_most_128_kib() {
        let longest = "a".repeat(MAX_BYTES - 2);
        let bytes = to_vec(&longest).unwrap();
        assert_eq!(from_slice::<String>(&bytes), Ok(longest.clone()));
        let too_long = Err(Error::TooLong { bytes: MAX_BYTES + 1 });
        assert_eq!(to_vec(&(longest + "a")), too_long, "one byte more is not written");
        let spaces = format!("0{}", " ".repeat(MAX_BYTES));
        assert_eq!(
            parse(spaces.as_bytes()).map(drop),
            too_long.map(drop),
            "nor read, even if it would shrink"
        );
    }

    #[test]
    fn text_that_is_not_unicode_is_refused() {
        for text in [
            r#""\ud800""#,
            r#""\udc00""#,
            r#""\ud800a""#,
            r#""\ud800\ud800""#,
            r#"{"\ud800":1}"#,
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text} has a lone surrogate");
            assert!(
                matches!(problem(text.as_bytes()), Some((_, Problem::Escape))),
                "{text}"
            );
        }
        for bytes in [
            &b"\"\xff\""[..],
            b"\"\xc0\x80\"",
            b"\"\xed\xa0\x80\"",
            b"\"\xf4\x90\x80\x80\"",
            b"\"\xe2\x82",
        ] {
            assert!(parse(bytes).is_err(), "{bytes:x?} is not UTF-8");
            assert_eq!(problem(bytes), Some((1, Problem::Utf8)));
        }
        assert!(
            parse("\u{feff}1".as_bytes()).is_err(),
            "a byte order mark is not JSON"
        );
    }

    #[test]
    fn another_spelling_is_not_canonical() {
        let raw = [
            " 1",
            "1 ",
            "[1, 2]",
            "{\"a\" :1}",
            "{\"a\":\n1}",
            "\"\t\"",
            "\u{feff}1",
            "",
            "1 2",
        ];
        let escapes = r#""\u0061" "\/" "\u000a" "\u000B" "\u007f" "\ud83d\ude00" " "\ "\u00"#;
        let structures = r#"[ [1 [1, [1,] [,] [1]] { {"a" {"a": {"a":1 {"a":1, {"a":1,} {1:1} {"b":1,"a":2}"#;
        let spellings = escapes
            .split(' ')
            .chain(structures.split(' '))
            .chain("tru True nul".split(' '));
        for text in raw.into_iter().chain(spellings) {
            assert!(
                check(text.as_bytes()).is_err(),
                "{text:?} must not be a second name for its value"
            );
        }
    }

    #[test]
    fn a_struct_is_written_in_order_however_it_is_declared() {
        #[derive(Serialize)]
        struct Sorted {
            a: u64,
            b: Option<bool>,
        }
        #[derive(Serialize)]
        struct Unsorted {
            b: Option<bool>,
            a: u64,
        }
        let expected = br#"{"a":1,"b":null}"#;
        assert_eq!(to_vec(&Sorted { a: 1, b: None }).unwrap(), expected);
        assert_eq!(to_vec(&Unsorted { b: None, a: 1 }).unwrap(), expected);
    }

    #[test]
    fn an_object_keeps_its_order() {
        let mut object = Object::from_iter([("b", 2), ("a", 1), ("b", 3)]);
        assert_eq!(
            object.iter().map(|(name, _)| name).collect::<Vec<_>>(),
            ["a", "b"]
        );
        assert_eq!(
            object.get("b"),
            Some(&Value::Integer(3)),
            "the later of two equal names stays"
        );
        assert_eq!(object.insert("aa", true), None);
        assert_eq!(object.remove("a"), Some(Value::Integer(1)));
        assert_eq!(to_vec(&object).unwrap(), br#"{"aa":true,"b":3}"#);
        assert!(
            serde_json::from_str::<Object>("[]").is_err(),
            "an array is no object"
        );
    }

    /// Characters around every border that the escapes, the order and UTF-8 know.
    fn character() -> impl Strategy<Value = char> {
        prop_oneof![
            Just('a'),
            proptest::sample::select(
                &[
                    '"',
                    '\\',
                    '/',
                    '\u{0}',
                    '\u{8}',
                    '\t',
                    '\n',
                    '\u{b}',
                    '\u{c}',
                    '\r',
                    '\u{1f}',
                    ' ',
                    '\u{7f}',
                    '\u{80}',
                    '\u{7ff}',
                    '\u{800}',
                    '\u{2028}',
                    '\u{d7ff}',
                    '\u{e000}',
                    '\u{ff61}',
                    '\u{ffff}',
                    '\u{10000}',
                    '\u{1f600}',
                    '\u{10ffff}'
                ][..]
            ),
            any::<char>(),
        ]
    }

    fn text() -> impl Strategy<Value = String> {
        proptest::collection::vec(character(), 0..6).prop_map(String::from_iter)
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            (-MAX_INTEGER..=MAX_INTEGER).prop_map(Value::Integer),
            (-11_i64..=11).prop_map(Value::Integer),
            text().prop_map(Value::String),
        ];
        leaf.prop_recursive(5, 40, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
                proptest::collection::vec((text(), inner), 0..6)
                    .prop_map(|entries| Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    /// Bytes that are often, but not always, nearly canonical.
    fn document() -> impl Strategy<Value = Vec<u8>> {
        const PIECES: &str = "{¦}¦[¦]¦,¦:¦ ¦\n¦0¦-0¦-1¦12¦01¦1.0¦1e2¦9007199254740991¦9007199254740992¦true¦\
            false¦null¦\"a\"¦\"b\"¦\"\"¦\"\\u0061\"¦\"\\n\"¦\"\\u000a\"¦\"\\u001f\"¦\"\\u001F\"¦\"\\\"\"¦\\\\¦\
            \"\\/\"¦\"\u{ff61}\"¦\"\u{10000}\"¦\"\\ud800\"¦\"\\ud83d\\ude00\"¦\"a\":¦\"b\":1,¦\"\t\"¦\"";
        let pieces = proptest::collection::vec(
            proptest::sample::select(PIECES.split('¦').collect::<Vec<_>>()),
            0..9,
        )
        .prop_map(|pieces| pieces.concat().into_bytes());
        let mutated = (value(), any::<proptest::sample::Index>(), any::<u8>(), 0..4).prop_map(
            |(value, at, byte, how)| {
                let mut bytes = serde_json::to_vec(&value).unwrap();
                let at = at.index(bytes.len());
                match how {
                    0 => bytes[at] = byte,
                    1 => bytes.insert(at, byte),
                    2 => drop(bytes.remove(at)),
                    _ => bytes[at] ^= 1 << (byte % 8),
                }
                bytes
            },
        );
        prop_oneof![pieces, mutated]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn the_canonical_form_is_a_fixed_point(value in value()) {
            let bytes = to_vec(&value).unwrap();
            prop_assert_eq!(check(&bytes), Ok(()), "what is written is accepted");
            prop_assert_eq!(&parse(&bytes).unwrap(), &value, "and means what was written");
            prop_assert_eq!(&from_slice::<Value>(&bytes).unwrap(), &value);
            prop_assert_eq!(to_vec(&parse(&bytes).unwrap()).unwrap(), bytes);
        }

        #[test]
        fn the_scanner_accepts_exactly_what_the_writer_writes(bytes in document()) {
            let written = parse(&bytes).ok().map(|value| serde_json::to_vec(&value).unwrap());
            prop_assert_eq!(check(&bytes).is_ok(), written.as_deref() == Some(&bytes[..]));
        }

        #[test]
        fn a_string_written_by_hand_is_the_same(text in text()) {
            let mut out = String::new();
            push_string(&mut out, &text);
            prop_assert_eq!(out.into_bytes(), to_vec(&text).unwrap());
        }

        #[test]
        fn names_are_ordered_by_utf_16_units(a in text(), b in text()) {
            prop_assert_eq!(name_order(a.bytes(), b.bytes()), a.encode_utf16().cmp(b.encode_utf16()));
        }

        #[test]
        fn order_and_white_space_do_not_change_the_canonical_form(value in value()) {
            let pretty = serde_json::to_vec_pretty(&value).unwrap();
            prop_assert_eq!(&parse(&pretty).unwrap(), &value);
        }
    }
}

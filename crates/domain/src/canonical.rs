//! Canonical JSON: one spelling for one meaning, so that bytes can be hashed and signed.
//!
//! The form is JCS (RFC 8785) under a restricted profile: strings, booleans, null, arrays, objects and integers up to
//! 2^53−1. No fractions, no exponents, no negative zero, no two equal names in an object, at most [`MAX_DEPTH`] arrays
//! and objects inside each other, at most [`MAX_BYTES`] bytes. Within the profile every JSON reader in the world sees
//! the same values, and a receiver refuses a body that is not its own canonical form.
//!
//! - [`to_vec`] writes, and is quick for a struct that declares its fields in order.
//! - [`from_slice`] reads a body that must be canonical, [`check`] only looks.
//! - [`parse`] reads any JSON text of the profile, canonical or not, as a [`Value`].

use core::{cmp::Ordering, fmt, ops::Range};

use serde::{
    Deserialize, Serialize,
    de::{self, DeserializeOwned, DeserializeSeed},
    ser::{SerializeMap, SerializeSeq},
};

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
    let bytes = write(value)?;
    match check(&bytes) {
        Ok(()) => Ok(bytes),
        Err(Error::NotCanonical {
            problem: Problem::Order,
            ..
        }) => write(&parse(&bytes)?),
        Err(error) => Err(error),
    }
}

/// Reads a body that must be canonical.
///
/// # Errors
/// When the bytes are not canonical, or are not a `T`.
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    check(bytes)?;
    serde_json::from_slice(bytes).map_err(|error| Error::Unreadable(error.to_string()))
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
    if let Err(error) = core::str::from_utf8(bytes) {
        return Err(Error::NotCanonical {
            at: error.valid_up_to(),
            problem: Problem::Utf8,
        });
    }
    let mut scanner = Scanner { bytes, at: 0 };
    scanner.document().map_err(|problem| Error::NotCanonical {
        at: scanner.at,
        problem,
    })
}

/// Appends a string in canonical form, quotes and all, as `JSON.stringify` writes it too.
pub(crate) fn push_string(out: &mut String, text: &str) {
    const HEX: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    ];
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
                let code = c as usize;
                out.push_str("\\u00");
                out.extend([HEX[code / 16], HEX[code % 16]]);
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

/// Any document of the profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// An integer; [`to_vec`] refuses one beyond [`MAX_INTEGER`].
    Integer(i64),
    /// A string.
    String(String),
    /// An array.
    Array(Vec<Value>),
    /// An object.
    Object(Object),
}

impl Value {
    /// The string, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self {
            Some(text)
        } else {
            None
        }
    }

    /// The integer, if it is one.
    pub fn as_integer(&self) -> Option<i64> {
        if let Self::Integer(number) = self {
            Some(*number)
        } else {
            None
        }
    }

    /// The truth value, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(truth) = self {
            Some(*truth)
        } else {
            None
        }
    }

    /// The items, if it is an array.
    pub fn as_array(&self) -> Option<&[Self]> {
        if let Self::Array(items) = self {
            Some(items)
        } else {
            None
        }
    }

    /// The object, if it is one.
    pub fn as_object(&self) -> Option<&Object> {
        if let Self::Object(object) = self {
            Some(object)
        } else {
            None
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<Vec<Self>> for Value {
    fn from(items: Vec<Self>) -> Self {
        Self::Array(items)
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Self {
        Self::Object(object)
    }
}

/// An object: names and values, always in canonical order.
// INVARIANT: strictly rising by `name_order`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Object(Vec<(String, Value)>);

impl Object {
    /// An object without names.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The value under a name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.position(name).ok().map(|at| &self.0[at].1)
    }

    /// Puts a value under a name and gives back the one that was there.
    pub fn insert(&mut self, name: impl Into<String>, value: impl Into<Value>) -> Option<Value> {
        let (name, value) = (name.into(), value.into());
        match self.position(&name) {
            Ok(at) => Some(core::mem::replace(&mut self.0[at].1, value)),
            Err(at) => {
                self.0.insert(at, (name, value));
                None
            }
        }
    }

    /// Takes a name out and gives back its value.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        self.position(name).ok().map(|at| self.0.remove(at).1)
    }

    /// Names and values in canonical order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> + DoubleEndedIterator {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// How many names there are.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no names.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn position(&self, name: &str) -> Result<usize, usize> {
        self.0
            .binary_search_by(|(other, _)| name_order(other.bytes(), name.bytes()))
    }

    /// Sorts once: inserting one by one would let a long foreign object cost the square of its length.
    fn from_entries<E: de::Error>(mut entries: Vec<(String, Value)>) -> Result<Self, E> {
        entries.sort_by(|(a, _), (b, _)| name_order(a.bytes(), b.bytes()));
        if let Some([(name, _), _]) = entries.array_windows().find(|[a, b]| a.0 == b.0) {
            return Err(E::custom(format_args!(
                "the name {name:?} appears twice in one object"
            )));
        }
        Ok(Self(entries))
    }
}

impl<N: Into<String>, V: Into<Value>> FromIterator<(N, V)> for Object {
    /// Of two equal names the later one stays.
    fn from_iter<I: IntoIterator<Item = (N, V)>>(entries: I) -> Self {
        let mut object = Self::new();
        for (name, value) in entries {
            object.insert(name, value);
        }
        object
    }
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

/// A position in a text that has passed as UTF-8. Every method leaves `at` on the byte that is at fault.
struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Scanner<'_> {
    fn document(&mut self) -> Result<(), Problem> {
        self.value(0)?;
        if self.at == self.bytes.len() {
            Ok(())
        } else {
            Err(Problem::Trailing)
        }
    }

    fn value(&mut self, depth: usize) -> Result<(), Problem> {
        match self.peek()? {
            b'"' => self.string().map(drop),
            b'{' => self.object(depth + 1),
            b'[' => self.array(depth + 1),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            b'n' => self.literal(b"null"),
            _ => Err(Problem::Unexpected),
        }
    }

    fn object(&mut self, depth: usize) -> Result<(), Problem> {
        self.open(depth)?;
        if self.take(b'}') {
            return Ok(());
        }
        let mut previous: Option<Range<usize>> = None;
        loop {
            let start = self.at;
            let name = self.string()?;
            if let Some(previous) = previous {
                let (before, this) = (&self.bytes[previous], &self.bytes[name.clone()]);
                let problem = match name_order(unescaped(before), unescaped(this)) {
                    Ordering::Less => None,
                    Ordering::Equal => Some(Problem::Duplicate),
                    Ordering::Greater => Some(Problem::Order),
                };
                if let Some(problem) = problem {
                    self.at = start;
                    return Err(problem);
                }
            }
            previous = Some(name);
            self.expect(b':')?;
            self.value(depth)?;
            if self.take(b'}') {
                return Ok(());
            }
            self.expect(b',')?;
        }
    }

    fn array(&mut self, depth: usize) -> Result<(), Problem> {
        self.open(depth)?;
        if self.take(b']') {
            return Ok(());
        }
        loop {
            self.value(depth)?;
            if self.take(b']') {
                return Ok(());
            }
            self.expect(b',')?;
        }
    }

    /// Passes a string and gives the range between its quotes.
    fn string(&mut self) -> Result<Range<usize>, Problem> {
        self.expect(b'"')?;
        let start = self.at;
        loop {
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Ok(start..self.at - 1);
                }
                b'\\' => self.at += escape(&self.bytes[self.at..]).ok_or(Problem::Escape)?.1,
                0..0x20 => return Err(Problem::Escape),
                _ => self.at += 1,
            }
        }
    }

    fn number(&mut self) -> Result<(), Problem> {
        let start = self.at;
        let negative = self.take(b'-');
        let digits = self.at;
        let mut magnitude = 0_u64;
        while let Some(digit @ b'0'..=b'9') = self.bytes.get(self.at) {
            magnitude = magnitude
                .saturating_mul(10)
                .saturating_add(u64::from(digit - b'0'));
            self.at += 1;
        }
        let length = self.at - digits;
        let shortest = length == 1 || (length > 1 && self.bytes[digits] != b'0');
        let whole = !matches!(self.bytes.get(self.at), Some(b'.' | b'e' | b'E'));
        if shortest && whole && magnitude <= MAX_INTEGER.unsigned_abs() && !(negative && magnitude == 0) {
            return Ok(());
        }
        self.at = start;
        Err(Problem::Number)
    }

    fn literal(&mut self, word: &[u8]) -> Result<(), Problem> {
        if !self.bytes[self.at..].starts_with(word) {
            return Err(Problem::Unexpected);
        }
        self.at += word.len();
        Ok(())
    }

    fn open(&mut self, depth: usize) -> Result<(), Problem> {
        if depth > MAX_DEPTH {
            return Err(Problem::Depth);
        }
        self.at += 1;
        Ok(())
    }

    fn expect(&mut self, byte: u8) -> Result<(), Problem> {
        if self.peek()? != byte {
            return Err(Problem::Unexpected);
        }
        self.at += 1;
        Ok(())
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.bytes.get(self.at) == Some(&byte);
        self.at += usize::from(found);
        found
    }

    fn peek(&self) -> Result<u8, Problem> {
        self.bytes.get(self.at).copied().ok_or(Problem::End)
    }
}

/// The character and the length of the canonical escape that `text` begins with.
///
/// Quote, backslash and the five controls with a short form have that form; the other controls are `\u00` and two
/// lower-case digits; nothing else is ever escaped.
fn escape(text: &[u8]) -> Option<(u8, usize)> {
    let short = match text.get(1)? {
        b'"' => b'"',
        b'\\' => b'\\',
        b'b' => 0x08,
        b't' => b'\t',
        b'n' => b'\n',
        b'f' => 0x0C,
        b'r' => b'\r',
        b'u' => {
            let [
                b'0',
                b'0',
                high @ (b'0' | b'1'),
                low @ (b'0'..=b'9' | b'a'..=b'f'),
            ] = text.get(2..6)?
            else {
                return None;
            };
            let low = if low.is_ascii_digit() {
                low - b'0'
            } else {
                low - b'a' + 10
            };
            let control = (high - b'0') * 16 + low;
            return (!matches!(control, 0x08..=0x0A | 0x0C | 0x0D)).then_some((control, 6));
        }
        _ => return None,
    };
    Some((short, 2))
}

/// The bytes that a canonically escaped name stands for.
fn unescaped(mut text: &[u8]) -> impl Iterator<Item = u8> {
    core::iter::from_fn(move || {
        let &first = text.first()?;
        let (byte, length) = if first == b'\\' { escape(text)? } else { (first, 1) };
        text = &text[length..];
        Some(byte)
    })
}

impl Serialize for Value {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(truth) => serializer.serialize_bool(*truth),
            Self::Integer(number) => serializer.serialize_i64(*number),
            Self::String(text) => serializer.serialize_str(text),
            Self::Array(items) => {
                let mut array = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    array.serialize_element(item)?;
                }
                array.end()
            }
            Self::Object(object) => object.serialize(serializer),
        }
    }
}

impl Serialize for Object {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        for (name, value) in self.iter() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// Refuses what is outside the profile, also in JSON that is not canonical: the untrusted body of an HTTP request.
impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Within { depth: 0 }.deserialize(deserializer)
    }
}

/// As for [`Value`], and refuses anything but an object.
impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Object(object) => Ok(object),
            Value::Null | Value::Bool(_) | Value::Integer(_) | Value::String(_) | Value::Array(_) => {
                Err(de::Error::custom("expected an object"))
            }
        }
    }
}

/// Reads a value that stands inside `depth` arrays and objects.
#[derive(Clone, Copy)]
struct Within {
    depth: usize,
}

impl Within {
    fn deeper<E: de::Error>(self) -> Result<Self, E> {
        if self.depth == MAX_DEPTH {
            return Err(E::custom(format_args!("nested deeper than {MAX_DEPTH} levels")));
        }
        Ok(Self {
            depth: self.depth + 1,
        })
    }
}

impl<'de> DeserializeSeed<'de> for Within {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> de::Visitor<'de> for Within {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("null, a boolean, an integer, a string, an array or an object")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: de::Error>(self, truth: bool) -> Result<Value, E> {
        Ok(Value::Bool(truth))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Value, E> {
        if number.unsigned_abs() > MAX_INTEGER.unsigned_abs() {
            return Err(E::custom(format_args!("the integer {number} is beyond 2^53−1")));
        }
        Ok(Value::Integer(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Value, E> {
        match i64::try_from(number) {
            Ok(number) => self.visit_i64(number),
            Err(_) => Err(E::custom(format_args!("the integer {number} is beyond 2^53−1"))),
        }
    }

    /// `serde_json` gives a fraction, an exponent, negative zero and an integer beyond 64 bits in this form.
    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Value, E> {
        Err(E::custom(format_args!(
            "the number {number:?} is not an integer of at most 2^53−1 written without fraction or exponent"
        )))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::from(text))
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut array: A) -> Result<Value, A::Error> {
        let inside = self.deeper()?;
        let mut items = Vec::new();
        while let Some(item) = array.next_element_seed(inside)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let inside = self.deeper()?;
        let mut entries = Vec::new();
        while let Some(name) = object.next_key()? {
            entries.push((name, object.next_value_seed(inside)?));
        }
        Object::from_entries(entries).map(Value::Object)
    }
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
            Ok(()) | Err(Error::TooLong { .. } | Error::Unreadable(_) | Error::Unwritable(_)) => None,
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

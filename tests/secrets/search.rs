//! Looking for secrets in bytes, in every spelling in which a program is likely to put one down: as it is, escaped, as
//! digits, as base64 of whatever it stands in, and any two of these one inside the other.

use std::collections::{BTreeMap, BTreeSet};

use aho_corasick::AhoCorasick;
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};

/// Something with a name and bytes in which a secret could be.
pub(crate) struct Place {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

impl Place {
    pub(crate) fn new(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            name: name.into(),
            bytes: bytes.into(),
        }
    }
}

/// A secret that was found.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Hit {
    pub(crate) canary: String,
    pub(crate) place: String,
    pub(crate) context: String,
}

/// Every spelling of every secret at once.
pub(crate) struct Search {
    automaton: AhoCorasick,
    /// Whose spelling each pattern is.
    names: Vec<String>,
}

impl Search {
    pub(crate) fn new(canaries: &BTreeMap<String, Vec<u8>>) -> Self {
        let (mut patterns, mut names) = (Vec::new(), Vec::new());
        for (name, bytes) in canaries {
            assert!(bytes.len() >= 8, "{name} is too short to be told from chance");
            for spelling in spellings(bytes) {
                patterns.push(spelling);
                names.push(name.clone());
            }
        }
        Self {
            automaton: AhoCorasick::new(patterns).unwrap(),
            names,
        }
    }

    /// Each secret once that is in a place, or in what that unpacks to.
    pub(crate) fn hits(&self, place: &Place) -> Vec<Hit> {
        let unpacked = zstd::decode_all(&place.bytes[..]).ok();
        let mut hits = BTreeMap::new();
        for bytes in [Some(&place.bytes), unpacked.as_ref()].into_iter().flatten() {
            for found in self.automaton.find_overlapping_iter(bytes) {
                let name = &self.names[found.pattern()];
                let around = &bytes[found.start().saturating_sub(80)..(found.end() + 40).min(bytes.len())];
                hits.entry(name).or_insert_with(|| Hit {
                    canary: name.clone(),
                    place: place.name.clone(),
                    context: String::from_utf8_lossy(around).into_owned(),
                });
            }
        }
        hits.into_values().collect()
    }
}

/// How it would look, whatever stands around it.
pub(crate) fn spellings(bytes: &[u8]) -> BTreeSet<Vec<u8>> {
    let once = spelled(bytes);
    once.iter()
        .flat_map(|form| spelled(form))
        .chain(once.clone())
        .collect()
}

fn spelled(bytes: &[u8]) -> BTreeSet<Vec<u8>> {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let percent = percent(bytes, unreserved);
    // A list of bytes, as a careless `Debug` writes it.
    let list: Vec<String> = bytes.iter().map(u8::to_string).collect();
    let mut forms = vec![
        bytes.to_vec(),
        hex.to_uppercase().into_bytes(),
        hex.into_bytes(),
        percent.replace("%20", "+").into_bytes(),
        percent.to_lowercase().into_bytes(),
        percent.into_bytes(),
        self::percent(bytes, |byte| byte.is_ascii_graphic()).into_bytes(),
        list.join(", ").into_bytes(),
        list.join(",").into_bytes(),
        bytes.escape_ascii().to_string().into_bytes(),
    ];
    if let Ok(text) = std::str::from_utf8(bytes) {
        let json = serde_json::json!(text).to_string();
        let json = json[1..json.len() - 1].to_owned();
        forms.push(json.replace('/', "\\/").into_bytes());
        forms.push(ascii(&json).into_bytes());
        forms.push(json.into_bytes());
        let debug = format!("{text:?}");
        forms.push(debug.as_bytes()[1..debug.len() - 1].to_vec());
        // As the cell of a table.
        forms.push(text.replace('"', "\"\"").into_bytes());
    }
    for offset in 0..3 {
        let encoded = STANDARD_NO_PAD.encode([&b"\0\0"[..offset], bytes].concat());
        // Without the characters that also depend on what stands next to it.
        let last = encoded.len() - usize::from(!(offset + bytes.len()).is_multiple_of(3));
        let inner = &encoded[[0, 2, 3][offset]..last];
        forms.push(inner.replace('+', "-").replace('/', "_").into_bytes());
        forms.push(inner.as_bytes().to_vec());
    }
    forms.into_iter().collect()
}

fn percent(bytes: &[u8], plain: impl Fn(u8) -> bool) -> String {
    let one = |byte: &u8| {
        if plain(*byte) {
            char::from(*byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    bytes.iter().map(one).collect()
}

/// With everything that is not ASCII as `\u` and four digits.
fn ascii(json: &str) -> String {
    let mut text = String::new();
    for letter in json.chars() {
        if letter.is_ascii() {
            text.push(letter);
        } else {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                text.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    text
}

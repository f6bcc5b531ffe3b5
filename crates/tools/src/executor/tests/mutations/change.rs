//! Changes of a record's bytes.

use serde_json::{Map, Value as Json};

use super::seeded::Seeded;

/// How a field is changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum How {
    BitFlip,
    Delete,
    /// The same name twice.
    Duplicate,
    OtherType,
    /// A number, or a digit of a text, one more or less.
    OneOff,
    /// A letter for one that looks like it, or one that cannot be seen.
    Lookalike,
    /// Two members change places.
    Reorder,
    /// Another tenant's, another version's, another digest.
    Foreign,
}

pub(super) const KINDS: [How; 8] = [
    How::BitFlip,
    How::Delete,
    How::Duplicate,
    How::OtherType,
    How::OneOff,
    How::Lookalike,
    How::Reorder,
    How::Foreign,
];

/// Other bytes than these, which are JSON.
pub(super) fn change(bytes: &[u8], rng: &mut Seeded) -> Vec<u8> {
    loop {
        let changed = once(bytes, *rng.pick(&KINDS), rng);
        if let Some(changed) = changed.filter(|changed| changed != bytes) {
            return changed;
        }
    }
}

fn once(bytes: &[u8], how: How, rng: &mut Seeded) -> Option<Vec<u8>> {
    if how == How::BitFlip {
        let mut bytes = bytes.to_vec();
        let at = rng.below(bytes.len());
        bytes[at] ^= 1 << rng.below(8);
        return Some(bytes);
    }
    let mut json: Json = serde_json::from_slice(bytes).unwrap();
    let mut objects = Vec::new();
    find(&json, &mut String::new(), &mut objects);
    let path = rng.pick(&objects).clone();
    let object = json.pointer_mut(&path)?.as_object_mut()?;
    let names: Vec<String> = object.keys().cloned().collect();
    let name = rng.pick(&names).clone();
    match how {
        How::Duplicate => {
            return Some(twisted(&json, &path, |members| {
                members.insert(0, members[0].clone())
            }));
        }
        How::Reorder => {
            let last = names.len() - 1;
            return Some(twisted(&json, &path, |members| members.swap(0, last)));
        }
        How::Delete => drop(object.remove(&name)),
        How::OtherType | How::OneOff | How::Lookalike | How::Foreign => {
            let value = object.get_mut(&name)?;
            *value = changed(value, how, rng)?;
        }
        How::BitFlip => return None,
    }
    Some(json.to_string().into_bytes())
}

/// The paths of all objects that have members.
fn find(json: &Json, path: &mut String, found: &mut Vec<String>) {
    match json {
        Json::Object(members) => {
            if !members.is_empty() {
                found.push(path.clone());
            }
            for (name, value) in members {
                let length = path.len();
                path.push('/');
                path.push_str(&name.replace('~', "~0").replace('/', "~1"));
                find(value, path, found);
                path.truncate(length);
            }
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) => {}
    }
}

fn changed(value: &Json, how: How, rng: &mut Seeded) -> Option<Json> {
    Some(match (how, value) {
        (How::OtherType, _) => {
            let others = [
                Json::Null,
                Json::Bool(true),
                Json::from(7),
                Json::from("7"),
                Json::Array(Vec::new()),
            ];
            rng.pick(&others).clone()
        }
        (How::OneOff, Json::Number(number)) => {
            let number = number.as_i64()?;
            Json::from(if rng.below(2) == 0 { number + 1 } else { number - 1 })
        }
        (How::OneOff, Json::String(text)) => replaced(text, rng, |letter| {
            let digit = letter.to_digit(10)?;
            char::from_digit((digit + 1) % 10, 10)
        })?,
        (How::OneOff, Json::Bool(yes)) => Json::Bool(!yes),
        (How::Lookalike, Json::String(text)) if rng.below(4) == 0 => Json::from(format!("{text}\u{200B}")),
        (How::Lookalike, Json::String(text)) => replaced(text, rng, |letter| {
            let alike = [
                ('a', 'а'),
                ('c', 'с'),
                ('e', 'е'),
                ('o', 'о'),
                ('p', 'р'),
                ('x', 'х'),
                ('.', '․'),
            ];
            alike
                .iter()
                .find(|(plain, _)| *plain == letter)
                .map(|(_, other)| *other)
        })?,
        (How::Foreign, Json::String(text)) => replaced(text, rng, |letter| match letter {
            '0'..='8' => char::from_u32(u32::from(letter) + 1),
            'a'..='e' => char::from_u32(u32::from(letter) + 1),
            _ => None,
        })?,
        (How::Foreign, Json::Number(number)) => Json::from(number.as_i64()? + 1_000),
        _ => return None,
    })
}

/// The text with one of the letters that have another, changed.
fn replaced(text: &str, rng: &mut Seeded, other: impl Fn(char) -> Option<char>) -> Option<Json> {
    let places: Vec<usize> = text
        .char_indices()
        .filter(|(_, letter)| other(*letter).is_some())
        .map(|(at, _)| at)
        .collect();
    if places.is_empty() {
        return None;
    }
    let place = *rng.pick(&places);
    let swap = |(at, letter)| {
        if at == place {
            other(letter).unwrap_or(letter)
        } else {
            letter
        }
    };
    Some(Json::from(text.char_indices().map(swap).collect::<String>()))
}

/// The text of `json` with the members of the object at `path` as `twist` leaves them.
fn twisted(json: &Json, path: &str, twist: impl Fn(&mut Vec<String>)) -> Vec<u8> {
    const HERE: &str = "\u{1}here\u{1}";
    let mut json = json.clone();
    let members: Map<String, Json> = json
        .pointer(path)
        .and_then(Json::as_object)
        .cloned()
        .unwrap_or_default();
    let mut written: Vec<String> = members
        .iter()
        .map(|(name, value)| format!("{}:{value}", Json::from(name.as_str())))
        .collect();
    twist(&mut written);
    if let Some(place) = json.pointer_mut(path) {
        *place = Json::from(HERE);
    }
    let object = format!("{{{}}}", written.join(","));
    json.to_string()
        .replace(&Json::from(HERE).to_string(), &object)
        .into_bytes()
}

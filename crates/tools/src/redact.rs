//! What a call came back with may hold what it was sent with: a server that echoes must not carry a secret into the
//! journal, where everybody reads it and nothing is ever taken out.

use core::fmt::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use countersign_domain::{
    canonical::{Object, Value},
    record::Failure,
};
use secrecy::{ExposeSecret as _, SecretString};

use crate::Ran;

/// What is shorter is no secret, and would be found in any text.
const SHORTEST: usize = 6;

/// Stands where the secret stood.
const STAND_IN: &str = "[secret]";

/// The run without the secret it was given.
pub(crate) fn redacted(ran: Ran, secret: Option<&SecretString>) -> Ran {
    let Some(secret) = secret else { return ran };
    let forms = forms(secret.expose_secret());
    let clean = |text: String| replaced(text, &forms);
    Ran {
        summary: clean(ran.summary),
        failure: ran.failure.map(|failure| Failure {
            message: clean(failure.message),
            ..failure
        }),
        reference: ran.reference.map(clean),
        result: ran.result.map(|result| everywhere(result, &clean)),
        ..ran
    }
}

/// Takes a secret out of a text: before the text is cut, or half of it would stay.
pub(crate) fn without(text: &str, secret: &SecretString) -> String {
    replaced(text.to_owned(), &forms(secret.expose_secret()))
}

fn replaced(text: String, forms: &[String]) -> String {
    forms.iter().fold(text, |text, form| {
        if text.contains(form) {
            text.replace(form, STAND_IN)
        } else {
            text
        }
    })
}

fn everywhere(value: Value, clean: &impl Fn(String) -> String) -> Value {
    match value {
        Value::String(text) => clean(text).into(),
        Value::Array(items) => items
            .into_iter()
            .map(|item| everywhere(item, clean))
            .collect::<Vec<_>>()
            .into(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (clean(name.to_owned()), everywhere(value.clone(), clean)))
            .collect::<Object>()
            .into(),
        other @ (Value::Null | Value::Bool(_) | Value::Integer(_)) => other,
    }
}

/// How a secret looks when it is sent back: as it is, without its scheme (of `Bearer x` also `x`), and as mail servers and
/// proxies write it.
fn forms(whole: &str) -> Vec<String> {
    let bare = whole.rsplit(' ').next().unwrap_or_default();
    let mut forms = Vec::new();
    for part in [whole, bare] {
        if part.len() < SHORTEST {
            continue;
        }
        let hex = part.bytes().fold(String::new(), |mut hex, byte| {
            // Writing to a string does not fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        let percent = part.bytes().fold(String::new(), |mut percent, byte| {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                percent.push(char::from(byte));
            } else {
                let _ = write!(percent, "%{byte:02X}");
            }
            percent
        });
        forms.extend([part.to_owned(), hex.to_uppercase(), hex, percent]);
        for base64 in inner_base64(part) {
            forms.extend([base64.replace('+', "-").replace('/', "_"), base64]);
        }
    }
    forms
}

/// The base64 of anything that has `part` in it holds one of these, whatever stands around it.
fn inner_base64(part: &str) -> impl Iterator<Item = String> {
    (0..3).map(move |offset| {
        let padded = [&b"\0\0"[..offset], part.as_bytes()].concat();
        let text = STANDARD_NO_PAD.encode(padded);
        // Characters that also depend on what is next to it.
        let first = [0, 2, 3][offset];
        let last = text.len() - usize::from(!(offset + part.len()).is_multiple_of(3));
        text[first..last].to_owned()
    })
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};

    use super::*;

    const SECRET: &str = "hunter2/öl+tank";

    #[test]
    fn no_spelling_of_a_secret_comes_back() {
        let secret = SecretString::from(SECRET);
        for around in ["", "a", "ab", "abc", "\0ada\0"] {
            let text = format!("{around}{SECRET}{around}");
            for spelled in [
                text.clone(),
                STANDARD.encode(&text),
                URL_SAFE.encode(&text),
                format!(
                    "hex {}",
                    text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>()
                ),
                "hunter2%2F%C3%B6l%2Btank".to_owned(),
            ] {
                let said = without(&format!("You sent {spelled}."), &secret);
                assert!(said.contains(STAND_IN), "{said}");
                assert!(!said.contains(SECRET) && !said.contains(&spelled), "{said}");
            }
        }
        assert_eq!(without("nothing of it", &secret), "nothing of it");
    }

    #[test]
    fn every_text_of_a_run_is_cleaned() {
        let secret = SecretString::from("Bearer opensesame");
        let member = Object::from_iter([("opensesame", "x opensesame y")]);
        let ran = Ran::refused("refused", "535 opensesame")
            .with_reference("opensesame")
            .with_result(Value::from(vec![member.into()]));
        let shown = format!("{:?}", redacted(ran, Some(&secret)));
        assert!(
            !shown.contains("opensesame") && shown.contains(STAND_IN),
            "{shown}"
        );
    }

    #[test]
    fn what_is_too_short_to_be_a_secret_is_left_alone() {
        assert_eq!(without("a b c", &SecretString::from("b")), "a b c");
    }
}

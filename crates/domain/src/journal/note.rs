//! Signed notes (C2SP `signed-note`) with Ed25519: a text, a blank line, and lines that sign the text.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{
    Digest,
    dsse::{PublicKey, SigningKey},
};

/// How many signatures a note may carry: ours and those of witnesses.
const MAX_SIGNATURES: usize = 16;

/// Why a note must not be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Not a text, a blank line and signature lines.
    #[error("not a signed note")]
    Malformed,
    /// No signature claims to be by the expected key.
    #[error("the note is not signed by the expected key")]
    NotSigned,
    /// A signature claims to be by the expected key and is not.
    #[error("the note's signature does not verify")]
    BadSignature,
}

/// Signs a text that ends with a newline and has no control characters.
pub(super) fn sign(text: &str, name: &str, key: &SigningKey) -> String {
    let id = key_id(name, &key.public_key());
    let signature = STANDARD.encode([&id[..], &key.sign_bytes(text.as_bytes())].concat());
    format!("{text}\n— {name} {signature}\n")
}

/// The text of a note that the named key has signed.
///
/// As the specification wants, signatures of other keys are passed over, and one that claims this key must verify.
pub(super) fn open<'a>(note: &'a str, name: &str, key: &PublicKey) -> Result<&'a str, NoteError> {
    if note.chars().any(|c| c < ' ' && c != '\n') {
        return Err(NoteError::Malformed);
    }
    let end = note.rfind("\n\n").ok_or(NoteError::Malformed)? + 1;
    let (text, signatures) = (&note[..end], &note[end + 1..]);
    let lines = signatures.strip_suffix('\n').ok_or(NoteError::Malformed)?;
    let mut signed = false;
    for (count, line) in lines.split('\n').enumerate() {
        let (signer, signature) = signature_line(line)
            .filter(|_| count < MAX_SIGNATURES)
            .ok_or(NoteError::Malformed)?;
        let Some((id, signature)) = signature.split_first_chunk::<4>() else {
            return Err(NoteError::Malformed);
        };
        if signer != name || *id != key_id(name, key) {
            continue;
        }
        let verifies = signature
            .try_into()
            .is_ok_and(|signature| key.verify(text.as_bytes(), signature));
        if !verifies {
            return Err(NoteError::BadSignature);
        }
        signed = true;
    }
    if signed {
        Ok(text)
    } else {
        Err(NoteError::NotSigned)
    }
}

fn signature_line(line: &str) -> Option<(&str, Vec<u8>)> {
    let (name, signature) = line.strip_prefix("— ")?.split_once(' ')?;
    let is_name = !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c == '+');
    STANDARD
        .decode(signature)
        .ok()
        .filter(|_| is_name)
        .map(|signature| (name, signature))
}

/// A hint, four bytes short: who is trusted is decided by the key that is passed in.
fn key_id(name: &str, key: &PublicKey) -> [u8; 4] {
    const ED25519: &[u8] = b"\n\x01";
    let [a, b, c, d, ..] = *Digest::of_parts(&[name.as_bytes(), ED25519, key.as_bytes()]).as_bytes();
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    // The vectors of golang.org/x/mod/sumdb/note, the format's first implementation.
    const TEXT: &str = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
    const PETER_SEED: &str = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    const PETER_KEY: &str = "ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const PETER: &str = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    const ENOCH: &str = "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n";

    fn peter() -> SigningKey {
        let seed = STANDARD.decode(PETER_SEED).unwrap();
        SigningKey::from_seed(seed[1..].try_into().unwrap())
    }

    fn opened(note: &str) -> Result<&str, NoteError> {
        open(note, "PeterNeumann", &peter().public_key())
    }

    #[test]
    fn notes_are_those_of_the_go_checksum_database() {
        assert_eq!(
            STANDARD.decode(PETER_KEY).unwrap()[1..],
            *peter().public_key().as_bytes()
        );
        assert_eq!(
            key_id("PeterNeumann", &peter().public_key()),
            [0xc7, 0x4f, 0x20, 0xa3]
        );
        let note = sign(TEXT, "PeterNeumann", &peter());
        assert_eq!(note, format!("{TEXT}\n{PETER}"));
        assert_eq!(opened(&note), Ok(TEXT));
    }

    #[test]
    fn signatures_of_others_are_passed_over() {
        for signatures in [
            format!("{PETER}{ENOCH}"),
            format!("{ENOCH}{PETER}"),
            PETER.repeat(16),
        ] {
            assert_eq!(opened(&format!("{TEXT}\n{signatures}")), Ok(TEXT), "{signatures}");
        }
        assert_eq!(opened(&format!("{TEXT}\n{ENOCH}")), Err(NoteError::NotSigned));
        let renamed = PETER.replace("PeterNeumann", "CarmenSandiego");
        assert_eq!(
            opened(&format!("{TEXT}\n{renamed}")),
            Err(NoteError::NotSigned),
            "the name belongs to the key"
        );
    }

    #[test]
    fn a_bad_signature_of_the_key_spoils_the_note() {
        let bad = PETER.replace("nAM=", "nAA=");
        assert_eq!(opened(&format!("{TEXT}\n{bad}")), Err(NoteError::BadSignature));
        assert_eq!(
            opened(&format!("{TEXT}\n{PETER}{bad}")),
            Err(NoteError::BadSignature),
            "even beside a good one"
        );
        let long = PETER.replace("nAM=", "nAMA");
        assert_eq!(
            opened(&format!("{TEXT}\n{long}")),
            Err(NoteError::BadSignature),
            "a signature has 64 bytes"
        );
        assert_eq!(
            opened(&format!("Some{TEXT}\n{PETER}")),
            Err(NoteError::BadSignature),
            "another text"
        );
        assert_eq!(
            opened(&format!("{TEXT}\n\n{PETER}")),
            Err(NoteError::BadSignature),
            "one more empty line"
        );
    }

    #[test]
    fn only_a_well_formed_note_is_read() {
        for note in [
            String::new(),
            TEXT.to_owned(),
            format!("{TEXT}\n"),
            format!("{TEXT}{PETER}"),
            format!("{TEXT}\n{}", PETER.trim_end()),
            format!("\u{1}{TEXT}\n{PETER}"),
            format!("{}\n{PETER}", TEXT.replace('\n', "\r\n")),
            format!("{TEXT}\n{PETER}Unexpected line.\n"),
            format!("{TEXT}\n{}", PETER.replace("PeterNeumann", "Bad Name")),
            format!("{TEXT}\n{}", PETER.replace("PeterNeumann", "Bad+Name")),
            format!("{TEXT}\n{}", PETER.replace("PeterNeumann", "")),
            format!("{TEXT}\n{}", PETER.replace("nAM=", "nAN=")),
            format!("{TEXT}\n{}", PETER.replace('—', "-")),
            format!("{TEXT}\n{PETER}— x AAA=\n"),
            format!("{TEXT}\n{}", PETER.repeat(17)),
        ] {
            assert_eq!(opened(&note), Err(NoteError::Malformed), "{note}");
        }
    }
}

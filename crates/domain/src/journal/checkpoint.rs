//! The log's signed word for its size and root, a C2SP `tlog-checkpoint`.
//!
//! ```text
//! countersign/<tenant id>
//! <size>
//! <root, base64>
//!
//! — countersign/<tenant id> <base64 of the key's hash and the signature>
//! ```
//!
//! Two verified checkpoints of one tenant that no consistency proof joins are evidence of a fork: keep both.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::note::{self, NoteError};
use crate::{
    Digest, canonical,
    dsse::{PublicKey, SigningKey},
    id::TenantId,
};

/// A tenant's journal at one size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Whose journal it is.
    pub tenant: TenantId,
    /// How many entries it has; the last one's sequence number.
    pub size: u64,
    /// The root over them.
    pub root: Digest,
}

/// Why a signed checkpoint must not be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The note around it.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// Well signed, and of another log.
    #[error("the checkpoint is of another log")]
    OtherLog,
    /// Well signed, and not the three lines that we write.
    #[error("the note is not a checkpoint")]
    Malformed,
}

impl Checkpoint {
    /// The signed note. A log must never sign two checkpoints that are not consistent.
    pub fn sign(&self, key: &SigningKey) -> String {
        let origin = origin(self.tenant);
        let text = format!(
            "{origin}\n{}\n{}\n",
            self.size,
            STANDARD.encode(self.root.as_bytes())
        );
        note::sign(&text, &origin, key)
    }

    /// Reads a note that `key` has signed as the log of `tenant`.
    ///
    /// # Errors
    /// When the note is not signed so, or its text is not exactly the one form of a checkpoint of this tenant.
    pub fn open(note: &str, tenant: TenantId, key: &PublicKey) -> Result<Self, CheckpointError> {
        let expected = origin(tenant);
        let text = note::open(note, &expected, key)?;
        let mut lines = text.split('\n');
        let (Some(origin), Some(size), Some(root), Some(""), None) = (
            lines.next(),
            lines.next(),
            lines.next(),
            lines.next(),
            lines.next(),
        ) else {
            return Err(CheckpointError::Malformed);
        };
        if origin != expected {
            return Err(CheckpointError::OtherLog);
        }
        let size = parse_size(size).ok_or(CheckpointError::Malformed)?;
        let root = STANDARD
            .decode(root)
            .ok()
            .and_then(|root| Digest::from_slice(&root).ok());
        Ok(Self {
            tenant,
            size,
            root: root.ok_or(CheckpointError::Malformed)?,
        })
    }
}

fn origin(tenant: TenantId) -> String {
    format!("countersign/{tenant}")
}

fn parse_size(text: &str) -> Option<u64> {
    let size = text.parse().ok()?;
    let is_shortest = text == "0" || text.starts_with(|c: char| matches!(c, '1'..='9'));
    (is_shortest && size <= canonical::MAX_INTEGER.unsigned_abs()).then_some(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SigningKey {
        SigningKey::from_seed(&[1; 32])
    }

    fn tenant() -> TenantId {
        "0192f3a4-0000-7000-8000-0123456789ab".parse().unwrap()
    }

    fn checkpoint() -> Checkpoint {
        Checkpoint {
            tenant: tenant(),
            size: 20_852_163,
            root: Digest::of(b"root"),
        }
    }

    fn open(note: &str) -> Result<Checkpoint, CheckpointError> {
        Checkpoint::open(note, tenant(), &key().public_key())
    }

    #[test]
    fn a_checkpoint_looks_like_this_and_stays_so() {
        let note = checkpoint().sign(&key());
        insta::assert_snapshot!(note, @"
        countersign/0192f3a4-0000-7000-8000-0123456789ab
        20852163
        SBNJTRN+FjG7owHVrKtue7eqdM4RhdRWVl71HXN2d7I=

        — countersign/0192f3a4-0000-7000-8000-0123456789ab hRzQQ49whGr9pCKYVfLlF8fCKqNERo6nWx0dfC+eB62eu5/dP2w9Wc+yX6oEt7xHIb5gGGH8aqrLQPzvcbu2bzbnHAE=
        ");
        assert_eq!(open(&note), Ok(checkpoint()));
    }

    #[test]
    fn a_checkpoint_speaks_for_one_log_and_is_by_one_key() {
        let note = checkpoint().sign(&key());
        let other: TenantId = "0192f3a4-0000-7000-8000-0123456789ac".parse().unwrap();
        let verdict = Checkpoint::open(&note, other, &key().public_key());
        assert_eq!(
            verdict,
            Err(CheckpointError::Note(NoteError::NotSigned)),
            "another tenant"
        );
        let verdict = Checkpoint::open(&note, tenant(), &SigningKey::from_seed(&[2; 32]).public_key());
        assert_eq!(
            verdict,
            Err(CheckpointError::Note(NoteError::NotSigned)),
            "another key"
        );
        let text = format!("countersign/{other}\n1\n{}\n", STANDARD.encode([0; 32]));
        let crossed = note::sign(&text, &origin(tenant()), &key());
        assert_eq!(
            open(&crossed),
            Err(CheckpointError::OtherLog),
            "a line signed for one and a text about another"
        );
    }

    #[test]
    fn any_changed_byte_is_noticed() {
        let note = checkpoint().sign(&key());
        for at in 0..note.len() {
            let mut bytes = note.clone().into_bytes();
            bytes[at] ^= 1;
            if let Ok(other) = String::from_utf8(bytes) {
                assert!(open(&other).is_err(), "byte {at}");
            }
        }
    }

    #[test]
    fn only_three_exact_lines_are_a_checkpoint() {
        let root = STANDARD.encode([7; 32]);
        let signed = |size: &str, rest: &str| {
            note::sign(
                &format!("{}\n{size}\n{rest}\n", origin(tenant())),
                &origin(tenant()),
                &key(),
            )
        };
        assert!(open(&signed("0", &root)).is_ok());
        for size in [
            "",
            "00",
            "01",
            "+1",
            "-1",
            " 1",
            "1 ",
            "1.0",
            "0x1",
            "9007199254740992",
            "99999999999999999999",
        ] {
            assert_eq!(
                open(&signed(size, &root)),
                Err(CheckpointError::Malformed),
                "{size:?} is not a size"
            );
        }
        let short = STANDARD.encode([7; 31]);
        for rest in [
            "",
            &short,
            &hex::encode([7; 32]),
            &format!("{root}\nextension"),
            root.trim_end_matches('='),
        ] {
            assert_eq!(
                open(&signed("1", rest)),
                Err(CheckpointError::Malformed),
                "{rest:?} is not a root"
            );
        }
    }
}

//! What is kept when a log does not go on as it was: its two signed words, in one JSON form for whoever looks into it.

use serde::{Deserialize, Serialize};

use super::{checkpoint::Checkpoint, follow::Departure};
use crate::{
    dsse::{Envelope, PublicKey},
    id::TenantId,
};

/// What has happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmKind {
    /// Entries are missing or come twice.
    Gap,
    /// Two signed heads that do not go together.
    Fork,
    /// The log is smaller than it was.
    Rollback,
    /// A device has signed that it saw another history than the one that its record stands in.
    Witness,
    /// A page that no honest server sends: not signed, or not what the log has signed.
    Tampered,
}

impl AlarmKind {
    /// The name in lines and files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gap => "gap",
            Self::Fork => "fork",
            Self::Rollback => "rollback",
            Self::Witness => "witness",
            Self::Tampered => "tampered",
        }
    }
}

/// Both words of a log. Each is checked with the log's key and nothing else; where a device is the witness, its word is what it
/// signed, and is checked with its key and the journal.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Evidence {
    pub alarm: AlarmKind,
    /// A sentence for people.
    pub problem: String,
    pub tenant: TenantId,
    /// The newest head that was verified before, as the log has signed it; none at the very beginning.
    pub ours: Option<String>,
    /// What came: a note, or a device's record as a DSSE envelope in JSON.
    pub theirs: String,
}

impl Evidence {
    /// Of two heads that do not go together: a rollback where the log's own word is that it has become smaller. Or of a head and
    /// a device's record.
    pub fn of_two(tenant: TenantId, log_key: &PublicKey, ours: String, theirs: String) -> Self {
        if serde_json::from_str::<Envelope>(&theirs).is_ok() {
            return Self {
                alarm: AlarmKind::Witness,
                problem: "a device has signed that it saw another history of this log".to_owned(),
                tenant,
                ours: Some(ours),
                theirs,
            };
        }
        let size = |note: &str| Checkpoint::open(note, tenant, log_key).map(|head| head.size);
        let notes = (ours.clone(), theirs.clone());
        let (alarm, departure) = match (size(&ours), size(&theirs)) {
            (Ok(before), Ok(after)) if after < before => {
                (AlarmKind::Rollback, Departure::Rollback { ours, theirs })
            }
            (Ok(_), Ok(_)) | (Err(_), _) | (_, Err(_)) => (AlarmKind::Fork, Departure::Fork { ours, theirs }),
        };
        Self {
            alarm,
            problem: departure.to_string(),
            tenant,
            ours: Some(notes.0),
            theirs: notes.1,
        }
    }

    /// The file's content.
    ///
    /// # Errors
    /// Never, for text is always JSON; the serialiser cannot say so.
    pub fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Digest, dsse::SigningKey};

    #[test]
    fn two_heads_are_a_rollback_where_the_log_says_itself_that_it_is_smaller_and_else_a_fork() {
        let tenant: TenantId = "0192f3a4-0000-7000-8000-0123456789ab".parse().unwrap();
        let key = SigningKey::from_seed(&[1; 32]);
        let head = |size, root: &[u8]| {
            let root = Digest::of(root);
            Checkpoint { tenant, size, root }.sign(&key)
        };
        let log_key = key.public_key();
        for (ours, theirs, alarm) in [
            (head(9, b"a"), head(7, b"b"), AlarmKind::Rollback),
            (head(9, b"a"), head(9, b"b"), AlarmKind::Fork),
            (head(7, b"a"), head(9, b"b"), AlarmKind::Fork),
            ("not signed".to_owned(), head(9, b"b"), AlarmKind::Fork),
        ] {
            let evidence = Evidence::of_two(tenant, &log_key, ours.clone(), theirs.clone());
            assert_eq!(evidence.alarm, alarm, "{ours} {theirs}");
            assert_eq!(
                (evidence.ours, evidence.theirs),
                (Some(ours), theirs),
                "byte by byte"
            );
        }
        let evidence = Evidence::of_two(tenant, &log_key, head(9, b"a"), head(7, b"b"));
        insta::assert_snapshot!(evidence.to_json().unwrap());
    }
}

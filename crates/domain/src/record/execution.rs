//! What ran, and how it ended.

use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::SerializeStruct as _};

use super::{Body, EffectClass, Holder, Kind, Nonce, proposal::subject};
use crate::{
    Digest, UnixMillis,
    canonical::Value,
    execution::MOST_ATTEMPTS,
    id::{DeviceId, ProposalId, TaskId, UserId},
    render::is_plain,
};

/// Who executes: the holder of the connection, or the server where there is none.
pub type Executor = Holder;

/// The one point after which a reject, withdraw or stop is too late (design §6.2).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Begin {
    pub at: UnixMillis,
    /// Digests of the approvals on which it stands; empty when policy allowed the call.
    pub authority: Vec<Digest>,
    /// A device's next sequence number and previous record; absent when the server executes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_seq: Option<u64>,
    pub executor: Executor,
    /// Grows with each lease of the proposal; only its bearer may complete.
    pub fence: u64,
    pub nonce: Nonce,
    /// What people were shown of the effect, where they were: the executor has made it again right before, and it was the
    /// same. Absent in records of before it was named here, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<Digest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Digest>,
    pub proposal: ProposalId,
    pub proposal_digest: Digest,
}

impl Body for Begin {
    const KIND: Kind = Kind::Begin;

    fn subject(&self) -> String {
        subject(self.proposal)
    }

    fn link(&self) -> Option<(DeviceId, u64)> {
        self.executor.device().zip(self.device_seq)
    }
}

/// How a run ended, as its executor saw it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// How many requests were made under the one key, where it was more than one ([`MOST_ATTEMPTS`] at most): the first went
    /// unanswered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_seq: Option<u64>,
    /// Whether the call had left for its target.
    pub dispatched: bool,
    /// What a `local` tool changes in the tenant's own store, applied with this record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
    pub executor: Executor,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    pub fence: u64,
    pub finished_at: UnixMillis,
    pub nonce: Nonce,
    pub outcome: Outcome,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Digest>,
    pub proposal: ProposalId,
    pub proposal_digest: Digest,
    /// The key under which the target knows the call: a Message-ID, an Idempotency-Key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// What the tool returned, in its own form; `null` is one that it may have.
    #[serde(
        default,
        deserialize_with = "whatever_is_there",
        skip_serializing_if = "Option::is_none"
    )]
    pub result: Option<Value>,
    pub started_at: UnixMillis,
    /// One sentence for people, at most [`LONGEST_SENTENCE`] characters.
    pub summary: String,
}

/// Most characters of a sentence that an executor says to people: a receipt's summary, its failure's message, the reason
/// for giving a lease back.
pub const LONGEST_SENTENCE: usize = 500;

impl Receipt {
    /// Whether its sentences are fit to be shown: one line each, nothing in them that hides or reorders, not too long.
    pub fn is_plain(&self) -> bool {
        let failure = self.failure.as_ref().map(|failure| failure.message.as_str());
        [Some(self.summary.as_str()), failure]
            .into_iter()
            .flatten()
            .all(is_sentence)
    }

    /// Whether a call of this class may have taken as many requests as it says.
    pub fn attempts_fit(&self, effect: EffectClass) -> bool {
        self.attempts.is_none_or(|attempts| {
            effect == EffectClass::Idempotent && (2..=MOST_ATTEMPTS).contains(&attempts)
        })
    }
}

/// Whether what an executor says is one plain line of at most [`LONGEST_SENTENCE`] characters.
pub fn is_sentence(text: &str) -> bool {
    text.chars().count() <= LONGEST_SENTENCE && is_plain(text)
}

impl Body for Receipt {
    const KIND: Kind = Kind::Receipt;

    fn subject(&self) -> String {
        subject(self.proposal)
    }

    fn link(&self) -> Option<(DeviceId, u64)> {
        self.executor.device().zip(self.device_seq)
    }
}

/// How it ended. A timeout is `Unknown`, never `Failed`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Completed,
    Failed,
    Unknown,
}

/// Why it did not complete.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// A machine code: `not_dispatched`, `refused`, `timeout`, …
    pub code: String,
    /// A sentence for people.
    pub message: String,
}

/// Without it `null` would read as if there were nothing.
fn whatever_is_there<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// What a `local` tool changes.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Effect {
    /// A task in the tenant's own list.
    TaskCreated {
        #[serde(default)]
        description: Option<String>,
        /// A calendar date, `2026-11-30`.
        #[serde(default)]
        due_date: Option<String>,
        id: TaskId,
        priority: TaskPriority,
        title: String,
    },
}

impl Serialize for Effect {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self::TaskCreated {
            description,
            due_date,
            id,
            priority,
            title,
        } = self;
        let absent = usize::from(description.is_none()) + usize::from(due_date.is_none());
        let mut fields = serializer.serialize_struct("Effect", 6 - absent)?;
        if let Some(description) = description {
            fields.serialize_field("description", description)?;
        }
        if let Some(due_date) = due_date {
            fields.serialize_field("due_date", due_date)?;
        }
        fields.serialize_field("id", id)?;
        fields.serialize_field("kind", "task_created")?;
        fields.serialize_field("priority", priority)?;
        fields.serialize_field("title", title)?;
        fields.end()
    }
}

/// How pressing a task is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum TaskPriority {
    Low,
    #[default]
    Normal,
    High,
}

/// The executor went silent after begin: whether the call happened is not known.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lapse {
    pub at: UnixMillis,
    pub fence: u64,
    pub proposal: ProposalId,
}

impl Body for Lapse {
    const KIND: Kind = Kind::Lapse;

    fn subject(&self) -> String {
        subject(self.proposal)
    }
}

/// One person says what became of a call whose outcome is unknown (design §5). Where one person is not enough, it counts
/// with those that say the same.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resolution {
    /// By the clock of whoever made it: information, never an order.
    pub at: UnixMillis,
    pub by: UserId,
    /// The person typed the words that were asked for.
    pub confirmed: bool,
    /// The device that signed it, with its next sequence number and previous record; absent for a session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_seq: Option<u64>,
    /// The run that it is about.
    pub fence: u64,
    pub happened: bool,
    pub nonce: Nonce,
    /// How the person knows, at most 500 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Digest>,
    pub proposal: ProposalId,
    pub proposal_digest: Digest,
}

impl Body for Resolution {
    const KIND: Kind = Kind::Resolution;

    fn subject(&self) -> String {
        subject(self.proposal)
    }

    fn link(&self) -> Option<(DeviceId, u64)> {
        self.device.zip(self.device_seq)
    }
}

//! The trusted card, and the decision about it.

use serde::{Deserialize, Serialize};
use specta::Type;

use super::{ProposerKind, Risk, Span, StateView, edit::Replaces};

/// The trusted card. `body` holds every argument that will run.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Card {
    pub id: String,
    /// The tool's id, such as `email.send`.
    pub tool: String,
    pub risk: Risk,
    /// Why the risk is what it is, sentences.
    pub risk_reasons: Vec<String>,
    /// One line: what will happen.
    pub sentence: Vec<Span>,
    pub body: Vec<CardNode>,
    pub why: Why,
    pub after: After,
    pub proposer: CardProposer,
    /// The proposer's own words. Untrusted, unverified.
    pub note: Option<Vec<Span>>,
    /// What the proposer says in support. Untrusted, unverified.
    pub evidence: Vec<Evidence>,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub expires_at: String,
    /// Seconds until expiry when this was made; 0 once expired.
    pub expires_in_seconds: u32,
    pub state: StateView,
    /// Oldest first.
    pub history: Vec<HistoryItem>,
    /// Oldest first.
    pub decisions: Vec<DecisionItem>,
    /// What was asked of the proposer, oldest first. Untrusted, unverified.
    pub questions: Vec<Question>,
    /// The request that this one took the place of.
    pub replaces: Option<Replaces>,
    /// The request that took its place.
    pub replaced_by: Option<String>,
    /// The finished request that it tries again.
    pub retry_of: Option<String>,
    /// Where the outcome is not known: this person's word on it; null otherwise.
    pub settle: Option<Settle>,
    /// What the call came back with, once it has run.
    pub result: Vec<CardNode>,
    pub signature: Signature,
    /// Goes back with `decide`, so that what is signed is what was shown.
    pub view_digest: String,
    pub arm: Arms,
    /// What must be typed to approve; null when nothing.
    pub confirm: Option<Confirm>,
    pub reason: ReasonRule,
    /// RFC 3339: it is not to run before, as its proposer asked; null once that has passed.
    pub not_before: Option<String>,
    /// Set while an approved proposal waits before it runs.
    pub hold: Option<Hold>,
    /// Whether `undo` is possible now.
    pub undo: bool,
    /// Whether this person may have what was written about it erased.
    pub may_erase: bool,
}

/// Saying what became of a call whose outcome is unknown.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Settle {
    pub arm: ArmState,
    /// What to look for, a sentence.
    pub advice: String,
    /// What others have said, a sentence each.
    pub said: Vec<String>,
    /// What must be typed; null when nothing.
    pub confirm: Option<Confirm>,
}

/// A person's word on an unknown outcome.
#[derive(Clone, Debug, Deserialize, Type)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResolveForm {
    pub id: String,
    pub happened: bool,
    /// How the person knows; one line.
    pub note: Option<String>,
    pub confirmation: Option<String>,
}

/// One argument, in its own form.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum CardNode {
    Field {
        label: String,
        value: Vec<Span>,
        mono: bool,
    },
    Recipient {
        label: String,
        address: Vec<Span>,
        known: bool,
        note: Option<String>,
    },
    Text {
        label: String,
        lines: Vec<Vec<Span>>,
        /// The whole text's length in characters.
        characters: u32,
    },
    Url {
        label: String,
        method: String,
        scheme: String,
        host: Vec<Span>,
        path: Vec<Span>,
    },
    Money {
        label: String,
        /// A decimal string, such as "480.00".
        amount: String,
        currency: String,
    },
    List {
        label: String,
        items: Vec<Vec<Span>>,
    },
    Json {
        label: String,
        text: Vec<Span>,
    },
    Flag {
        label: String,
        on: bool,
    },
}

#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Why {
    /// Why this person is asked.
    pub sentence: String,
    /// The policies that decided, by name.
    pub policies: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct After {
    /// What happens after an approval, a sentence.
    pub approve: String,
    /// What happens after a rejection, a sentence.
    pub reject: String,
}

#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct CardProposer {
    pub kind: ProposerKind,
    pub name: Vec<Span>,
    /// The proposer's own run id. Untrusted.
    pub run: Option<Vec<Span>>,
    /// The person it says it acts for, as the credential has it.
    pub on_behalf_of: Option<String>,
    /// Whoever else asked for it or has written on it.
    pub contributors: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    pub label: Vec<Span>,
    pub text: Vec<Span>,
}

#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct HistoryItem {
    /// RFC 3339.
    pub at: String,
    pub words: String,
}

#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct DecisionItem {
    /// A person, or "Policy".
    pub who: String,
    pub verdict: DecisionVerdict,
    /// RFC 3339.
    pub at: String,
    /// Such as "Approved on Studio, counted" or "Rejected, too late".
    pub words: String,
    pub comment: Option<Vec<Span>>,
}

#[derive(Clone, Copy, Debug, Serialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum DecisionVerdict {
    Approve,
    Reject,
    Retract,
}

/// Who would sign, or who signed.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Signature {
    /// A person, or "Nobody".
    pub signer: String,
    /// The rest of the line, such as "on Studio".
    pub whence: String,
    /// Short fingerprint of the exact bytes of the proposal.
    pub fingerprint: String,
}

#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Arms {
    pub approve: ArmState,
    pub reject: ArmState,
    /// Null unless it is this person's own request, and open.
    pub withdraw: Option<ArmState>,
    /// Null unless it is open and this person may put another request in its place.
    pub edit: Option<ArmState>,
    /// Null unless this person may ask the proposer something.
    pub ask: Option<ArmState>,
}

/// Whether a decision can be taken now. The page obeys it and knows no rule behind it.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct ArmState {
    /// False: the button is off whatever the page does; `why` says why.
    pub armed: bool,
    /// Milliseconds that the card must have been on screen unchanged before the button arms.
    pub after_ms: u32,
    /// A sentence, when `armed` is false.
    pub why: Option<String>,
    /// The button arms only once everything that will run was scrolled into view.
    pub must_read_to_end: bool,
    /// Never straight from the list: the card must have been opened on purpose.
    pub open_first: bool,
}

#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Confirm {
    /// What to type, such as "Type the amount, 1,240.00 EUR, to approve".
    pub prompt: String,
    pub placeholder: String,
}

#[derive(Clone, Copy, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct ReasonRule {
    /// Whether a rejection needs a reason.
    pub required: bool,
    /// Characters.
    pub max_length: u32,
}

#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Hold {
    /// RFC 3339.
    pub until: String,
    /// Seconds left when this was made.
    pub in_seconds: u32,
}

#[derive(Clone, Debug, Deserialize, Type)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Decide {
    pub id: String,
    pub view_digest: String,
    pub verdict: Verdict,
    /// An approver's comment, or the reason of a rejection.
    pub comment: Option<String>,
    /// What was typed where the card asked for a confirmation.
    pub confirmation: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Approve,
    Reject,
}

#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Decided {
    pub state: StateView,
    /// The proposal to look at next in "to decide", in the list's order; null when none is left.
    pub next: Option<String>,
    /// Seconds during which `undo` is offered; null when it cannot be undone.
    pub undo_seconds: Option<u32>,
}

/// A question to the proposer.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Question {
    /// Goes back with an answer.
    pub question: String,
    /// Such as "Ana asked".
    pub who: String,
    /// RFC 3339.
    pub at: String,
    pub text: Vec<Span>,
    pub answer: Option<QuestionAnswer>,
    /// Null unless it is this person's to answer.
    pub may_answer: Option<ArmState>,
    /// Saved on this device, will be sent.
    pub on_its_way: bool,
}

#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct QuestionAnswer {
    /// Such as "Billing bot answered".
    pub who: String,
    /// RFC 3339.
    pub at: String,
    pub text: Vec<Span>,
    /// Saved on this device, will be sent.
    pub on_its_way: bool,
}

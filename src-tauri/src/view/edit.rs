//! Another request in place of one that waits: its form, and what it would change.

use std::collections::BTreeMap;

use countersign_domain::{form, render};
use countersign_engine::views::lineage::Predecessor;
use serde::{Deserialize, Serialize};
use specta::Type;

use super::{Span, spans};

/// A proposal's arguments, to be typed.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct EditForm {
    pub id: String,
    /// It is over, and may be asked for again as it is.
    pub again: bool,
    /// What would happen, one line.
    pub sentence: Vec<Span>,
    pub fields: Vec<FormField>,
    /// The editor's own words.
    pub note: String,
    /// The time before which it is not to begin (RFC 3339); empty: right after its approval.
    pub not_before: String,
    /// Something was typed before and kept.
    pub kept: bool,
    /// What sending it does, a sentence or two.
    pub consequence: String,
}

/// One argument, to be typed as text in the notation of its input.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct FormField {
    pub name: String,
    pub label: String,
    pub hint: Option<String>,
    pub input: FieldInput,
    /// The choices of `choice`.
    pub options: Vec<String>,
    pub required: bool,
    /// Characters.
    pub longest: Option<u32>,
    pub text: String,
}

/// `items` and `pairs` take one on each line, `pairs` as `name: value`; `flag` takes `yes`, `no` or nothing.
#[derive(Clone, Copy, Debug, Serialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum FieldInput {
    Line,
    Text,
    Items,
    Pairs,
    Flag,
    Number,
    Date,
    Choice,
    Json,
}

/// What a person has typed.
#[derive(Clone, Debug, Deserialize, Type)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Edit {
    pub id: String,
    pub entered: Vec<Entered>,
    pub note: String,
    /// As in the form.
    pub not_before: String,
}

#[derive(Clone, Debug, Deserialize, Type)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Entered {
    pub name: String,
    pub text: String,
}

/// What an edit comes to, before it is sent.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Edited {
    pub sentence: Vec<Span>,
    /// Every argument, with what becomes of it, and the time where it differs.
    pub differences: Vec<Difference>,
    pub problem: Option<FieldProblem>,
    /// Whether it asks for anything else than before.
    pub changed: bool,
}

/// Trouble with one field; with an empty name, with all of them together.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct FieldProblem {
    pub field: String,
    pub message: String,
}

/// One argument in both requests.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    pub label: String,
    pub change: Change,
    /// The old lines and the new ones in one order; of a line never `changed`.
    pub lines: Vec<DifferentLine>,
}

#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct DifferentLine {
    pub change: Change,
    pub text: Vec<Span>,
}

#[derive(Clone, Copy, Debug, Serialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    Unchanged,
    Changed,
    Added,
    Removed,
}

/// The request that a card took the place of.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Replaces {
    pub id: String,
    /// Such as "Edited by Ana".
    pub words: String,
    pub differences: Vec<Difference>,
}

impl Edit {
    /// As the engine takes it.
    pub(crate) fn named(self, id: countersign_domain::id::ProposalId) -> countersign_engine::Edit {
        let entered: BTreeMap<_, _> = self.entered.into_iter().map(|one| (one.name, one.text)).collect();
        countersign_engine::Edit {
            id,
            entered,
            note: self.note,
            not_before: Some(self.not_before),
        }
    }
}

impl From<countersign_engine::EditForm> for EditForm {
    fn from(form: countersign_engine::EditForm) -> Self {
        Self {
            id: form.id.to_string(),
            again: form.again,
            sentence: spans(form.sentence),
            fields: form.fields.into_iter().map(Into::into).collect(),
            note: form.note,
            not_before: form.not_before,
            kept: form.kept,
            consequence: form.consequence,
        }
    }
}

impl From<form::Field> for FormField {
    fn from(field: form::Field) -> Self {
        let (input, options) = match field.input {
            form::Input::Line => (FieldInput::Line, Vec::new()),
            form::Input::Text => (FieldInput::Text, Vec::new()),
            form::Input::Items => (FieldInput::Items, Vec::new()),
            form::Input::Pairs => (FieldInput::Pairs, Vec::new()),
            form::Input::Flag => (FieldInput::Flag, Vec::new()),
            form::Input::Number => (FieldInput::Number, Vec::new()),
            form::Input::Date => (FieldInput::Date, Vec::new()),
            form::Input::Choice(options) => (FieldInput::Choice, options),
            form::Input::Json => (FieldInput::Json, Vec::new()),
        };
        Self {
            name: field.name,
            label: field.label,
            hint: field.hint,
            input,
            options,
            required: field.required,
            longest: field.longest,
            text: field.text,
        }
    }
}

impl From<countersign_engine::Edited> for Edited {
    fn from(edited: countersign_engine::Edited) -> Self {
        Self {
            sentence: spans(edited.sentence),
            differences: edited.differences.into_iter().map(Into::into).collect(),
            problem: edited.problem.map(Into::into),
            changed: edited.changed,
        }
    }
}

impl From<form::FieldError> for FieldProblem {
    fn from(problem: form::FieldError) -> Self {
        Self {
            field: problem.name,
            message: problem.message,
        }
    }
}

impl From<render::Difference> for Difference {
    fn from(difference: render::Difference) -> Self {
        let lines = difference.lines.into_iter().map(|line| DifferentLine {
            change: line.change.into(),
            text: spans(line.text),
        });
        Self {
            label: difference.label,
            change: difference.change.into(),
            lines: lines.collect(),
        }
    }
}

impl From<render::Change> for Change {
    fn from(change: render::Change) -> Self {
        match change {
            render::Change::Unchanged => Self::Unchanged,
            render::Change::Changed => Self::Changed,
            render::Change::Added => Self::Added,
            render::Change::Removed => Self::Removed,
        }
    }
}

impl From<Predecessor> for Replaces {
    fn from(before: Predecessor) -> Self {
        Self {
            id: before.id.to_string(),
            words: before.words,
            differences: before.differences.into_iter().map(Into::into).collect(),
        }
    }
}

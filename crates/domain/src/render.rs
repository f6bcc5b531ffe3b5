//! The trusted card: what a person reads before deciding, as typed nodes.
//!
//! `render` is pure and locale-free. It runs on the desktop, which shows the view and signs its digest, and on the
//! server, which makes the view again and compares. INVARIANT: every argument that will run is in the view; an
//! argument that the manifest does not mention is shown raw.

mod differ;
mod marks;
mod visible;

use serde::{Deserialize, Serialize};

pub use differ::{
    Change, Difference, DifferentLine, argument_differences, differences, foreseen_difference,
    schedule_difference,
};
pub use visible::{Span, Spans, exact, flat, is_plain, visible};

use crate::{
    Digest, UnixMillis,
    canonical::{self, Object, Value},
    id::ProposalId,
    manifest::{CardField, Manifest, Pinned, Shape},
    record::{Connection, ConnectionKind, Preview, PreviewOutcome, Proposal, Risk},
};

/// Version of this renderer. It goes up with every change that alters any view.
pub const RENDERER: u32 = 4;

/// The card's content. Its canonical digest is what an approval names.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct View {
    /// Every argument, in the manifest's order and form.
    pub body: Vec<Node>,
    /// What a person types or matches when the decision needs it.
    pub confirm: Confirm,
    /// Through what the call leaves the tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<Through>,
    pub expires_at: UnixMillis,
    /// Earliest time to run, when the proposer asked for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<UnixMillis>,
    /// The holder's preview.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<PreviewView>,
    pub proposal: ProposalId,
    pub proposal_digest: Digest,
    /// The name under which the proposer is registered.
    pub proposer: Spans,
    pub renderer: u32,
    pub risk: Risk,
    pub risk_reasons: Vec<Spans>,
    /// What will happen, in one line.
    pub sentence: Spans,
    /// The tool's title and version.
    pub tool: String,
    /// The proposer's own words, unverified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub untrusted: Option<UntrustedView>,
}

/// One block of the card.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Node {
    /// One line. `mono` for what identifies something: an address, a method, a key.
    Line {
        label: String,
        mono: bool,
        value: Spans,
    },
    /// Text as written, every line of it. `characters` counts Unicode scalar values.
    Text {
        characters: u32,
        label: String,
        lines: Vec<Spans>,
    },
    /// Exact bytes that are sent as they stand.
    Code {
        characters: u32,
        label: String,
        lines: Vec<Spans>,
    },
    /// E-mail addresses.
    Recipients {
        addresses: Vec<Spans>,
        label: String,
    },
    /// Where a request goes, taken apart so that the host stands alone.
    Url {
        host: Spans,
        label: String,
        path: Spans,
        scheme: Spans,
    },
    /// Names with values.
    Pairs {
        label: String,
        pairs: Vec<Pair>,
    },
    Flag {
        label: String,
        on: bool,
    },
}

/// One name with its value.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    pub name: Spans,
    pub value: Spans,
}

/// The connection as the card names it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Through {
    /// The public configuration, line by line.
    pub config: Vec<Pair>,
    pub kind: ConnectionKind,
    pub name: Spans,
}

/// What the holder's preview shows.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum PreviewView {
    Shown { lines: Vec<Pair> },
    Unavailable { reason: Spans },
}

/// The proposer's note and evidence.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UntrustedView {
    pub evidence: Vec<Pair>,
    pub note: Vec<Spans>,
}

/// What a person does to show that they read it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Confirm {
    /// Type this text, which stands on the card under `label`.
    Type { label: String, text: String },
    /// Type this number, which belongs to exactly these bytes.
    Match { number: u32 },
}

/// The card cannot be made: the proposal and what it names do not fit together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    #[error("the tool's manifest is not the one that the proposal names")]
    Manifest,
    #[error("the connection is not the one that the proposal names, or its configuration has changed")]
    Connection,
    #[error("the preview is about another proposal")]
    Preview,
    #[error("the arguments are not an object")]
    Arguments,
    #[error(transparent)]
    Canonical(#[from] canonical::Error),
}

impl View {
    /// The digest that an approval names.
    ///
    /// # Errors
    /// When the view is outside the canonical profile.
    pub fn digest(&self) -> Result<Digest, canonical::Error> {
        canonical::to_vec_of_any_length(self).map(|bytes| Digest::of(&bytes))
    }
}

/// Why a call without a preview is one step riskier than it was when it was proposed.
const UNSEEN: &str = "Nobody could look beforehand at what it would do.";

/// Makes the card.
///
/// `digest` is the proposal record's. The caller has checked `proposal`, `preview` and `connection` against the journal.
///
/// # Errors
/// When manifest, connection or preview are not those that the proposal names, or the arguments have no names.
pub fn render(
    proposal: &Proposal,
    digest: Digest,
    preview: Option<&Preview>,
    manifest: &Pinned,
    connection: Option<&Connection>,
) -> Result<View, RenderError> {
    if manifest.id != proposal.tool.id || manifest.digest() != proposal.tool.manifest {
        return Err(RenderError::Manifest);
    }
    let through = through(proposal, connection)?;
    if preview.is_some_and(|preview| preview.proposal != proposal.id || preview.proposal_digest != digest) {
        return Err(RenderError::Preview);
    }
    let args = proposal.args.as_object().ok_or(RenderError::Arguments)?;
    let unseen = preview.is_some_and(|preview| matches!(preview.outcome, PreviewOutcome::Unavailable { .. }));
    let reasons = proposal.risk_reasons.iter().map(String::as_str);
    Ok(View {
        body: body(args, manifest, connection),
        confirm: confirm(args, manifest, digest),
        connection: through,
        expires_at: proposal.expires_at,
        not_before: proposal.not_before,
        preview: preview.map(|preview| match &preview.outcome {
            PreviewOutcome::Shown { content } => PreviewView::Shown {
                lines: pairs(content),
            },
            PreviewOutcome::Unavailable { reason } => PreviewView::Unavailable {
                reason: visible(reason),
            },
        }),
        proposal: proposal.id,
        proposal_digest: digest,
        proposer: visible(&proposal.proposer.name),
        renderer: RENDERER,
        risk: if unseen {
            proposal.risk.raised()
        } else {
            proposal.risk
        },
        risk_reasons: reasons.chain(unseen.then_some(UNSEEN)).map(visible).collect(),
        sentence: sentence(&manifest.sentence, args),
        tool: shown(&format!("{} {}", manifest.title, manifest.version)),
        untrusted: (!proposal.untrusted.is_empty()).then(|| UntrustedView {
            evidence: proposal
                .untrusted
                .evidence
                .iter()
                .map(|item| Pair {
                    name: visible(&item.title),
                    value: visible(&item.value),
                })
                .collect(),
            note: proposal.untrusted.note.as_deref().map(prose).unwrap_or_default(),
        }),
    })
}

/// One line saying what a call with these arguments does. Also what the inbox shows in its rows. An argument in a script
/// that is written from right to left stays in its place: without isolation it would reorder the words and numbers
/// around it (UAX #9).
pub fn sentence(template: &str, args: &Object) -> Spans {
    let mut spans = Spans::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else {
            break;
        };
        push(&mut spans, before);
        let value = brief(args.get(name));
        let (open, close) = if value.chars().any(is_right_to_left) {
            ("\u{2068}", "\u{2069}")
        } else {
            ("", "")
        };
        extend(&mut spans, [Span::Plain(open.to_owned())]);
        push(&mut spans, &value);
        extend(&mut spans, [Span::Plain(close.to_owned())]);
        rest = after;
    }
    push(&mut spans, rest);
    spans
}

fn push(spans: &mut Spans, text: &str) {
    extend(spans, visible(text));
}

fn extend(spans: &mut Spans, more: impl IntoIterator<Item = Span>) {
    for span in more {
        match (spans.last_mut(), span) {
            (_, Span::Plain(text)) if text.is_empty() => {}
            (Some(Span::Plain(last)), Span::Plain(text)) => last.push_str(&text),
            (_, span) => spans.push(span),
        }
    }
}

/// The blocks whose characters are right-to-left by default (UAX #9, `DerivedBidiClass.txt`).
const fn is_right_to_left(c: char) -> bool {
    matches!(c, '\u{0590}'..='\u{08FF}' | '\u{FB1D}'..='\u{FDFF}' | '\u{FE70}'..='\u{FEFF}'
        | '\u{10800}'..='\u{10FFF}' | '\u{1E800}'..='\u{1EFFF}')
}

/// Text in a place of the card that holds a string: harmless to look at all the same.
fn shown(text: &str) -> String {
    flat(&visible(text))
}

/// How much of one value the sentence carries, in characters.
const BRIEF: usize = 120;

fn brief(value: Option<&Value>) -> String {
    let whole = match value {
        None => "…".to_owned(),
        Some(Value::Array(items)) => match items.as_slice() {
            [first, rest @ ..] if !rest.is_empty() => {
                let others = if rest.len() == 1 {
                    "1 more".to_owned()
                } else {
                    format!("{} more", rest.len())
                };
                format!("{} and {others}", raw(first))
            }
            [only] => raw(only),
            _ => "nobody".to_owned(),
        },
        Some(other) => raw(other),
    };
    let line: String = whole
        .chars()
        .map(|c| if c == '\n' || c == '\r' { ' ' } else { c })
        .collect();
    match line.char_indices().nth(BRIEF) {
        Some((cut, _)) => format!("{}…", &line[..cut]),
        None => line,
    }
}

/// A scalar as it is, anything else as canonical JSON.
fn raw(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Null => "nothing".to_owned(),
        Value::Array(_) | Value::Object(_) => match canonical::to_vec(value) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            // The value comes out of a record body, which is canonical: it has a canonical form.
            Err(error) => error.to_string(),
        },
    }
}

fn lines(text: &str) -> Vec<Spans> {
    text.split('\n').map(visible).collect()
}

/// Lines of a text for people: CR LF ends one as LF does. A CR anywhere else is shown.
fn prose(text: &str) -> Vec<Spans> {
    lines(&text.replace("\r\n", "\n"))
}

/// Names with values; what has no name, or nothing in it, stands there as a value.
fn pairs(value: &Value) -> Vec<Pair> {
    let named = |object: &Object| -> Vec<Pair> {
        object
            .iter()
            .map(|(name, value)| Pair {
                name: visible(name),
                value: visible(&raw(value)),
            })
            .collect()
    };
    let unnamed = |value: &Value| Pair {
        name: Spans::new(),
        value: visible(&raw(value)),
    };
    match value {
        Value::Object(object) => named(object),
        Value::Array(items) => items
            .iter()
            .flat_map(|item| match item.as_object() {
                Some(object) if !object.is_empty() => named(object),
                Some(_) | None => vec![unnamed(item)],
            })
            .collect(),
        other @ (Value::Null | Value::Bool(_) | Value::Integer(_) | Value::String(_)) => vec![unnamed(other)],
    }
}

fn through(proposal: &Proposal, connection: Option<&Connection>) -> Result<Option<Through>, RenderError> {
    match (&proposal.connection, connection) {
        (None, None) => Ok(None),
        (Some(named), Some(given)) if named.id == given.id && given.config_digest()? == named.config => {
            Ok(Some(Through {
                config: pairs(&given.config),
                kind: given.kind,
                name: visible(&given.name),
            }))
        }
        (None | Some(_), _) => Err(RenderError::Connection),
    }
}

fn body(args: &Object, manifest: &Manifest, connection: Option<&Connection>) -> Vec<Node> {
    let named = manifest
        .card
        .iter()
        .filter_map(|field| Some(node(field, args.get(&field.arg)?, connection)));
    let unnamed = args
        .iter()
        .filter(|(name, _)| !manifest.card.iter().any(|field| field.arg == *name))
        .map(|(name, value)| code(shown(name), &raw(value)));
    named.chain(unnamed).collect()
}

fn node(field: &CardField, value: &Value, connection: Option<&Connection>) -> Node {
    let label = shown(&field.label);
    match (field.shape, value) {
        (Shape::Text, Value::String(text)) => Node::Text {
            characters: characters(text),
            label,
            lines: prose(text),
        },
        (Shape::Code, Value::String(text)) => code(label, text),
        (Shape::Recipients, Value::String(address)) => Node::Recipients {
            addresses: vec![exact(address)],
            label,
        },
        (Shape::Recipients, Value::Array(items)) => Node::Recipients {
            addresses: items.iter().map(|item| exact(&raw(item))).collect(),
            label,
        },
        (Shape::Url, Value::String(path)) => url(label, path, connection),
        (Shape::Pairs, value @ (Value::Object(_) | Value::Array(_))) => Node::Pairs {
            label,
            pairs: pairs(value),
        },
        (Shape::Flag, Value::Bool(on)) => Node::Flag { label, on: *on },
        (Shape::Line | Shape::Date, Value::String(text)) if !text.contains('\n') => Node::Line {
            label,
            mono: false,
            value: visible(text),
        },
        (Shape::Method, Value::String(text)) => Node::Line {
            label,
            mono: true,
            value: exact(text),
        },
        // A value that does not have its field's shape is still shown, whole.
        (_, other) => code(label, &raw(other)),
    }
}

fn code(label: String, text: &str) -> Node {
    Node::Code {
        characters: characters(text),
        label,
        lines: lines(text),
    }
}

fn characters(text: &str) -> u32 {
    u32::try_from(text.chars().count()).unwrap_or(u32::MAX)
}

/// A path under the connection's base URL; the host comes from the connection, never from the arguments.
fn url(label: String, path: &str, connection: Option<&Connection>) -> Node {
    let base = connection
        .and_then(|c| c.config.as_object()?.get("base_url")?.as_str())
        .unwrap_or_default();
    let (scheme, rest) = base.split_once("://").unwrap_or(("", base));
    let (host, prefix) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
    let whole = format!("{}{path}", prefix.trim_end_matches('/'));
    Node::Url {
        host: exact(host),
        label,
        path: exact(&whole),
        scheme: exact(scheme),
    }
}

fn confirm(args: &Object, manifest: &Manifest, digest: Digest) -> Confirm {
    let typed = manifest.confirm.as_deref().and_then(|arg| {
        let text = match args.get(arg)? {
            Value::Array(items) => raw(items.first()?),
            one
            @ (Value::Null | Value::Bool(_) | Value::Integer(_) | Value::String(_) | Value::Object(_)) => {
                raw(one)
            }
        };
        let label = shown(&manifest.card.iter().find(|field| field.arg == arg)?.label);
        // What a person cannot see or type exactly cannot be asked for.
        let exact = text.trim() == text && !text.contains("  ");
        let plain = matches!(visible(&text).as_slice(), [Span::Plain(_)]) && text.is_ascii() && exact;
        (plain && text.len() <= BRIEF).then_some(Confirm::Type { label, text })
    });
    typed.unwrap_or_else(|| {
        let [first, second, ..] = *digest.as_bytes();
        Confirm::Match {
            number: 10 + u32::from(u16::from_be_bytes([first, second])) % 90,
        }
    })
}

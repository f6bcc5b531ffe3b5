//! The engine's card as the page's: the same nodes under the page's names, and nothing left out.

use countersign_domain::{
    UnixMillis,
    record::Verdict,
    render::{self, Node, Pair, PreviewView, View},
};
use countersign_engine::{
    Arm,
    views::{card, questions::QuestionItem},
};
use countersign_tools::email::new_recipient;

use super::{
    Span,
    card::{
        After, ArmState, Arms, Card, CardNode, CardProposer, Confirm, Decided, DecisionItem, DecisionVerdict,
        Evidence, HistoryItem, Hold, Question, QuestionAnswer, ReasonRule, Settle, Signature, Why,
    },
    preview, result, seconds_until, spans, through, time, visible,
};

impl Card {
    pub(crate) fn new(card: card::Card, now: UnixMillis) -> Self {
        let (sentence, risk_reasons, body) = match card.view {
            Some(view) => (
                spans(view.sentence.clone()),
                view.risk_reasons
                    .iter()
                    .map(|reason| render::flat(reason))
                    .collect(),
                body(view),
            ),
            None => (
                visible(&format!("A call of {} that cannot be shown here", card.tool)),
                Vec::new(),
                Vec::new(),
            ),
        };
        Self {
            id: card.id.to_string(),
            tool: card.tool,
            risk: card.risk.into(),
            risk_reasons,
            sentence,
            body,
            why: Why {
                sentence: card.why.sentence,
                policies: card.why.policies,
            },
            after: After {
                approve: card.after_approve,
                reject: card.after_reject,
            },
            proposer: CardProposer {
                kind: card.proposer.kind.into(),
                name: visible(&card.proposer.name),
                run: card.proposer.run.as_deref().map(visible),
                on_behalf_of: card.on_behalf_of,
                contributors: card.contributors,
            },
            note: card.untrusted.note.as_deref().map(visible),
            evidence: card
                .untrusted
                .evidence
                .iter()
                .map(|item| Evidence {
                    label: visible(&item.title),
                    text: visible(&item.value),
                })
                .collect(),
            created_at: time(card.created_at),
            expires_at: time(card.expires_at),
            expires_in_seconds: seconds_until(card.expires_at, now),
            state: card.state.into(),
            history: card
                .history
                .into_iter()
                .map(|item| HistoryItem {
                    at: time(item.at),
                    words: item.words,
                })
                .collect(),
            decisions: card.decisions.into_iter().map(Into::into).collect(),
            questions: card.questions.into_iter().map(Into::into).collect(),
            replaces: card.lineage.replaces.map(Into::into),
            replaced_by: card.lineage.replaced_by.map(|id| id.to_string()),
            retry_of: card.lineage.retry_of.map(|id| id.to_string()),
            settle: card.settle.map(|settle| Settle {
                arm: settle.arm.into(),
                advice: settle.advice,
                said: settle.said,
                confirm: settle.confirm.map(Into::into),
            }),
            result: result::nodes(card.result.as_ref(), card.reference.as_deref()),
            signature: Signature {
                signer: card.signature.who,
                whence: card.signature.whence,
                fingerprint: card.fingerprint,
            },
            view_digest: card.view_digest.to_string(),
            arm: Arms {
                approve: card.approve.into(),
                reject: card.reject.into(),
                withdraw: card.withdraw.map(Into::into),
                edit: card.edit.map(Into::into),
                ask: card.ask.map(Into::into),
            },
            confirm: card.confirm.map(Into::into),
            reason: ReasonRule {
                required: true,
                max_length: u32::try_from(card.reason_max_length).unwrap_or(u32::MAX),
            },
            not_before: card.scheduled.map(time),
            hold: card.held_until.map(|until| Hold {
                until: time(until),
                in_seconds: seconds_until(until, now),
            }),
            undo: card.can_undo,
            may_erase: card.may_erase,
        }
    }
}

impl From<card::ConfirmPrompt> for Confirm {
    fn from(confirm: card::ConfirmPrompt) -> Self {
        Self {
            prompt: confirm.prompt,
            placeholder: confirm.placeholder,
        }
    }
}

impl From<card::Decided> for Decided {
    fn from(decided: card::Decided) -> Self {
        Self {
            state: decided.state.into(),
            next: decided.next.map(|id| id.to_string()),
            undo_seconds: decided.undo_seconds,
        }
    }
}

impl From<card::DecisionItem> for DecisionItem {
    fn from(item: card::DecisionItem) -> Self {
        Self {
            who: item.who,
            verdict: match item.verdict {
                Verdict::Approve => DecisionVerdict::Approve,
                Verdict::Reject => DecisionVerdict::Reject,
                Verdict::Retract => DecisionVerdict::Retract,
            },
            at: time(item.at),
            words: item.words,
            comment: item.comment.as_deref().map(visible),
        }
    }
}

impl From<QuestionItem> for Question {
    fn from(item: QuestionItem) -> Self {
        Self {
            question: item.question.to_string(),
            who: flat(&visible(&item.who)),
            at: time(item.at),
            text: visible(&item.text),
            answer: item.answer.map(|answer| QuestionAnswer {
                who: flat(&visible(&answer.who)),
                at: time(answer.at),
                text: visible(&answer.text),
                on_its_way: answer.on_its_way,
            }),
            may_answer: item.may_answer.map(Into::into),
            on_its_way: item.on_its_way,
        }
    }
}

impl From<Arm> for ArmState {
    fn from(arm: Arm) -> Self {
        Self {
            armed: arm.is_armed(),
            after_ms: arm.after_ms,
            why: arm.why_not,
            must_read_to_end: arm.must_read_to_end,
            open_first: arm.open_first,
        }
    }
}

/// Everything that will run, through what it leaves, and what the holder's preview adds.
pub(crate) fn body(view: View) -> Vec<CardNode> {
    let mut nodes = Vec::new();
    let reasons: Vec<String> = view
        .risk_reasons
        .iter()
        .map(|reason| render::flat(reason))
        .collect();
    for node in view.body {
        push(&mut nodes, node, &reasons);
    }
    if let Some(through) = view.connection {
        nodes.extend(through::nodes(through));
    }
    match view.preview {
        Some(PreviewView::Shown { lines }) => {
            let more = preview::additions(lines, &nodes);
            nodes.extend(more);
        }
        Some(PreviewView::Unavailable { reason }) => nodes.push(CardNode::Field {
            label: "No preview".to_owned(),
            value: spans(reason),
            mono: false,
        }),
        None => {}
    }
    nodes
}

fn push(nodes: &mut Vec<CardNode>, node: Node, reasons: &[String]) {
    let node = match node {
        Node::Line { label, mono, value } => CardNode::Field {
            label,
            value: spans(value),
            mono,
        },
        Node::Text {
            characters,
            label,
            mut lines,
        } => {
            // The line feed that ends the last line begins no further one.
            if lines.len() > 1 {
                lines.pop_if(|last| last.is_empty());
            }
            CardNode::Text {
                label,
                lines: lines.into_iter().map(spans).collect(),
                characters,
            }
        }
        Node::Code { label, lines, .. } => CardNode::Json {
            label,
            text: joined(lines),
        },
        Node::Recipients { addresses, label } => {
            // Whether an address is new stands among the reasons for the risk, in a sentence of its own.
            nodes.extend(addresses.into_iter().map(|address| CardNode::Recipient {
                label: label.clone(),
                known: !reasons.contains(&new_recipient(render::flat(&address))),
                address: spans(address),
                note: None,
            }));
            return;
        }
        Node::Url {
            host,
            label,
            path,
            scheme,
        } => url(nodes, label, &scheme, host, path),
        Node::Pairs { label, pairs } => list(&label, pairs),
        Node::Flag { label, on } => CardNode::Flag { label, on },
    };
    nodes.push(node);
}

/// A method stands right before its URL, and the page shows the two as one.
fn url(
    nodes: &mut Vec<CardNode>,
    label: String,
    scheme: &render::Spans,
    host: render::Spans,
    path: render::Spans,
) -> CardNode {
    let scheme = render::flat(scheme);
    match nodes.pop_if(|node| matches!(node, CardNode::Field { mono: true, .. })) {
        Some(CardNode::Field { value, .. }) => CardNode::Url {
            label,
            method: flat(&value),
            scheme,
            host: spans(host),
            path: spans(path),
        },
        Some(_) | None => {
            let mut value = vec![Span::Text {
                text: format!("{scheme}://"),
            }];
            value.extend(spans(host));
            value.extend(spans(path));
            CardNode::Field {
                label,
                value,
                mono: true,
            }
        }
    }
}

/// Between a pair's name and its value on one line.
const COLON: &str = ": ";

fn list(label: &str, pairs: Vec<Pair>) -> CardNode {
    let items = pairs.into_iter().map(|pair| {
        let mut item = spans(pair.name);
        if !item.is_empty() {
            item.push(Span::Text {
                text: COLON.to_owned(),
            });
        }
        item.extend(spans(pair.value));
        item
    });
    CardNode::List {
        label: label.to_owned(),
        items: items.collect(),
    }
}

/// Name and value of an item of [`list`].
pub(super) fn pair(item: &[Span]) -> Option<(String, String)> {
    let text = flat(item);
    let (name, value) = text.split_once(COLON)?;
    Some((name.to_owned(), value.to_owned()))
}

fn joined(lines: Vec<render::Spans>) -> Vec<Span> {
    let mut text = Vec::new();
    for (number, line) in lines.into_iter().enumerate() {
        if number > 0 {
            text.push(Span::Text {
                text: "\n".to_owned(),
            });
        }
        text.extend(spans(line));
    }
    text
}

pub(super) fn flat(pieces: &[Span]) -> String {
    pieces
        .iter()
        .map(|span| match span {
            Span::Text { text } | Span::Escape { text } => text.as_str(),
        })
        .collect()
}

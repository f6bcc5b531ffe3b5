//! What has happened to a proposal, and who decided what.

use countersign_domain::{
    UnixMillis,
    fold::{Cast, Status},
    record::Verdict,
};
use countersign_replica::Card;

use super::Words;

/// Something that happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HistoryItem {
    pub at: UnixMillis,
    pub words: String,
}

/// One decision in the journal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DecisionItem {
    pub who: String,
    pub verdict: Verdict,
    pub at: UnixMillis,
    pub words: String,
    pub comment: Option<String>,
}

pub(super) fn history(words: &Words<'_>, card: &Card) -> Vec<HistoryItem> {
    let state = &card.state;
    let item = |at: UnixMillis, words: String| HistoryItem { at, words };
    let mut items = vec![item(
        state.created_at,
        format!("Proposed by {}", card.proposal.proposer.name),
    )];
    if let Some(policy) = &state.policy {
        items.push(item(policy.at, policy.reason.clone()));
    }
    for decision in decisions(words, card) {
        items.push(item(decision.at, format!("{}: {}", decision.who, decision.words)));
    }
    if let Some(begun) = &state.begun {
        items.push(item(begun.at, "Started".to_owned()));
    }
    if let Some(at) = state.lapsed_at {
        items.push(item(
            at,
            "Its executor went silent: it may have happened".to_owned(),
        ));
    }
    if let Some(ended) = &state.ended {
        items.push(item(ended.at, ended.summary.clone()));
    }
    if state.status(words.now) == Status::Expired {
        items.push(item(state.expires_at, "Expired".to_owned()));
    }
    items.sort_by_key(|item| item.at);
    items
}

pub(super) fn decisions(words: &Words<'_>, card: &Card) -> Vec<DecisionItem> {
    let mut items: Vec<DecisionItem> = card
        .state
        .decisions
        .iter()
        .map(|cast| decision(words, card, cast))
        .collect();
    items.sort_by_key(|item| item.at);
    items
}

fn decision(words: &Words<'_>, card: &Card, cast: &Cast) -> DecisionItem {
    let what = match cast.verdict {
        Verdict::Approve => "Approved",
        Verdict::Reject => "Rejected",
        Verdict::Retract => "Took the approval back",
    };
    let whence = match cast.device {
        Some(device) => words
            .people
            .devices
            .get(&device)
            .map_or_else(String::new, |device| format!(" on {}", device.name)),
        None => " in a browser session".to_owned(),
    };
    let offline = if cast.offline { ", while offline" } else { "" };
    let counted = match card.state.voids.get(&cast.digest) {
        Some(reason) => format!(", does not count. {reason}"),
        None => String::new(),
    };
    let who = words.who(cast.approver);
    DecisionItem {
        who: if who == "you" { "You".to_owned() } else { who },
        verdict: cast.verdict,
        at: cast.at,
        words: format!("{what}{whence}{offline}{counted}"),
        comment: cast.comment.clone(),
    }
}

//! What has happened to a proposal, and who decided what.

use countersign_domain::{
    UnixMillis,
    fold::{Cast, Closed, Status},
    id::UserId,
    record::{Actor, PolicyDecision, Verdict},
};
use countersign_replica::Card;

use super::{Words, card::Signature};

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
    let item = |at: UnixMillis, words: String| HistoryItem {
        at,
        words: super::plain(&words),
    };
    let mut items = vec![item(
        state.created_at,
        format!("Proposed by {}", card.proposal.proposer.name),
    )];
    if let Some(policy) = &state.policy {
        let verdict = match policy.decision {
            PolicyDecision::Allow => "Policy lets it run",
            PolicyDecision::Deny => "Policy denies it",
            PolicyDecision::RequiresApproval => "Policy asks people",
        };
        items.push(item(policy.at, verdict.to_owned()));
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
    for (person, said) in &state.said {
        let what = if said.happened {
            "it happened"
        } else {
            "it did not happen"
        };
        items.push(item(
            said.at,
            format!("{} said that {what}", words.named(Actor::User(*person))),
        ));
    }
    match &state.closed {
        Some(Closed::Withdrawn { at }) => items.push(item(*at, "Taken back".to_owned())),
        Some(Closed::Superseded { at, reason, .. }) => items.push(item(*at, reason.clone())),
        Some(Closed::Expired { .. }) | None => {}
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
        words: format!("{what} {}{offline}{counted}", whence(words, cast)),
        comment: cast.comment.clone(),
    }
}

/// Where a decision was made.
fn whence(words: &Words<'_>, cast: &Cast) -> String {
    match cast.device {
        Some(device) => words.people.devices.get(&device).map_or_else(
            || "on another device".to_owned(),
            |device| format!("on {}", device.name),
        ),
        None => "in a browser session".to_owned(),
    }
}

/// Who signed it: whose decision it went by. While it waits, who would: this person on this device.
pub(super) fn signature(words: &Words<'_>, card: &Card, mine: bool, this_device: &str) -> Signature {
    let state = &card.state;
    let name = |person: UserId| {
        let member = words.people.members.get(&person);
        member.map_or_else(|| words.who(person), |member| member.name.clone())
    };
    if mine || state.status(words.now) == Status::Proposed {
        return Signature {
            who: name(words.me),
            whence: format!("on {this_device}"),
        };
    }
    let retracted: Vec<_> = state.standing().filter_map(|cast| cast.retracts).collect();
    let counts = |verdict: Verdict| {
        state
            .standing()
            .filter(move |cast| cast.verdict == verdict)
            .filter(|cast| !retracted.contains(&cast.digest))
            .max_by_key(|cast| cast.at)
    };
    let decided = counts(Verdict::Reject).or_else(|| counts(Verdict::Approve));
    match (decided, state.policy.as_ref().map(|policy| policy.decision)) {
        (Some(cast), _) => Signature {
            who: name(cast.approver),
            whence: whence(words, cast),
        },
        (None, Some(PolicyDecision::Allow)) => Signature {
            who: "Nobody".to_owned(),
            whence: "signed it: policy lets it run".to_owned(),
        },
        (None, Some(PolicyDecision::Deny | PolicyDecision::RequiresApproval) | None) => Signature {
            who: "Nobody".to_owned(),
            whence: "signed it".to_owned(),
        },
    }
}

//! Where a proposal stands, in words: the journal's state with this person's own decisions laid over it.

use countersign_domain::{
    UnixMillis,
    fold::{Closed, Merged, ProposalState, Resolved, Status},
    id::{DeviceId, UserId},
    people::People,
    record::{Actor, EffectClass, Executor, Holder, Kind, PolicyDecision, Reason, Verdict},
};
use jiff::{Timestamp, tz::TimeZone};

use super::{StateKind, StateView, Tone};
use crate::{
    overlay::Mine,
    rules::standing_approval,
    seat::Seat,
    store::{Answer, Entry, EntryState, HeldWhat},
};

/// Most characters of a question that stand in a list.
const MOST_OF_A_QUESTION: usize = 120;

/// Whose words, at what time, as seen from where.
#[derive(Clone, Debug)]
pub(crate) struct Words<'a> {
    pub(crate) people: &'a People,
    pub(crate) me: UserId,
    pub(crate) this: Executor,
    pub(crate) now: UnixMillis,
    pub(crate) zone: TimeZone,
    pub(crate) online: bool,
}

impl<'a> Words<'a> {
    pub(crate) fn new(seat: &Seat, people: &'a People) -> Self {
        Self {
            people,
            me: seat.person(),
            this: Holder::Device(seat.device()),
            now: seat.now(),
            zone: seat.ports.clock.zone(),
            online: seat.is_online(),
        }
    }

    /// The state of a proposal for this person.
    pub(crate) fn state(&self, state: &ProposalState, mine: Option<&Mine>) -> StateView {
        let Some(mine) = mine else {
            return self.refused(state).unwrap_or_else(|| self.journal(state));
        };
        let by_itself = self.under_way(state.status(self.now), state.created_at, mine);
        by_itself.unwrap_or_else(|| self.journal(state))
    }

    /// What is under way about a proposal, where it is told without what else the journal says of it.
    pub(crate) fn under_way(&self, status: Status, created_at: UnixMillis, mine: &Mine) -> Option<StateView> {
        match mine {
            Mine::Held(held) => {
                let words = match held.what {
                    HeldWhat::Reject => "Rejected by you, can be undone",
                    HeldWhat::Withdraw => "Taken back by you, can be undone",
                };
                Some(view(StateKind::Saved, words, Some(held.created), Tone::Busy))
            }
            Mine::Signed(entry) => match &entry.state {
                EntryState::Waiting => Some(self.saved(entry)),
                EntryState::Answered(answer) | EntryState::Folded(answer) => {
                    // What has happened since then is for the journal to tell, and so is what came first.
                    let over_taken = !status.is_open() && status != Status::Expired;
                    (answer.effective && !over_taken).then(|| sent(entry, created_at))
                }
            },
        }
    }

    /// A person's name, or "you".
    pub(crate) fn who(&self, person: UserId) -> String {
        if person == self.me {
            return "you".to_owned();
        }
        self.people
            .members
            .get(&person)
            .map_or_else(|| "a former member".to_owned(), |known| known.name.clone())
    }

    /// "14:30", or with the day when it is another one.
    pub(crate) fn time(&self, at: UnixMillis) -> String {
        time(at, self.now, &self.zone)
    }

    /// What this person signed and does not count. Where something else came first it says what did, by whom and when.
    pub(crate) fn does_not_count(&self, state: &ProposalState, entry: &Entry) -> StateView {
        let answer = match &entry.state {
            EntryState::Answered(answer) | EntryState::Folded(answer) => answer,
            EntryState::Waiting => return self.saved(entry),
        };
        let refused = refusal(entry.kind, answer, entry.created);
        let reason = answer.reason.as_deref().and_then(reason);
        let came_first = reason.and_then(|reason| state.came_first(reason));
        let so = self.journal(state);
        if came_first.is_none() || so.kind == StateKind::Proposed {
            return refused;
        }
        let at = so.at.map(|at| self.time(at)).filter(|at| !so.words.contains(at));
        let at = at.map(|at| format!(" {at}")).unwrap_or_default();
        let words = format!("{} {}{at}.", refused.words, so.words.trim_end_matches('.'));
        view(refused.kind, words, refused.at, refused.tone)
    }

    fn saved(&self, entry: &Entry) -> StateView {
        let expired = entry.expires_at.is_some_and(|at| at <= self.now);
        let words = match (entry.verdict, entry.expires_at) {
            (None, _) if entry.kind == Kind::Resolution => {
                "What you said of it is saved on this device, will be sent".to_owned()
            }
            (None, _) if entry.kind == Kind::Withdraw => "Taken back on this device, will be sent".to_owned(),
            (Some(Verdict::Retract), _) => {
                "Your approval is taken back on this device, will be sent".to_owned()
            }
            (_, Some(at)) if expired => {
                format!(
                    "Saved on this device, and not sent before it expired at {}",
                    self.time(at)
                )
            }
            (_, Some(at)) if !self.online => {
                format!(
                    "Saved on this device. Counts only if sent before {}",
                    self.time(at)
                )
            }
            (_, _) => "Saved on this device, will be sent".to_owned(),
        };
        let tone = if expired { Tone::Warn } else { Tone::Busy };
        view(StateKind::Saved, words, Some(entry.created), tone)
    }

    /// This person's newest decision, when the journal says that it does not count and nobody has decided since.
    fn refused(&self, state: &ProposalState) -> Option<StateView> {
        if state.status(self.now) != Status::Proposed {
            return None;
        }
        let newest = state
            .decisions
            .iter()
            .filter(|cast| cast.approver == self.me)
            .max_by_key(|cast| cast.at)?;
        let reason = state.voids.get(&newest.digest)?;
        let answer = Answer {
            effective: false,
            reason: Some(reason.code().to_owned()),
        };
        Some(refusal(Kind::Decision, &answer, newest.at))
    }

    fn journal(&self, state: &ProposalState) -> StateView {
        match state.status(self.now) {
            Status::Proposed => self.proposed(state),
            Status::Pending => self.pending(state),
            Status::Running => {
                let at = state.begun.as_ref().map(|begun| begun.at);
                view(StateKind::Running, "Running", at, Tone::Busy)
            }
            Status::Completed | Status::Failed | Status::Unknown => self.ended(state),
            Status::Rejected => {
                let by = state
                    .standing()
                    .filter(|cast| cast.verdict == Verdict::Reject)
                    .min_by_key(|cast| cast.at);
                let who = by.map_or_else(|| "somebody".to_owned(), |cast| self.who(cast.approver));
                view(
                    StateKind::Rejected,
                    format!("Rejected by {who}"),
                    by.map(|cast| cast.at),
                    Tone::Bad,
                )
            }
            Status::Denied => {
                let at = state.policy.as_ref().map(|policy| policy.at);
                view(StateKind::Denied, "Denied by policy", at, Tone::Bad)
            }
            Status::Expired => {
                let words = format!("Expired {}", self.time(state.expires_at));
                view(StateKind::Expired, words, Some(state.expires_at), Tone::Warn)
            }
            Status::Withdrawn => {
                let words = if state.proposer.id == self.me.to_string() {
                    "Taken back by you"
                } else {
                    "Taken back by its proposer"
                };
                view(
                    StateKind::Withdrawn,
                    words,
                    state.closed.as_ref().map(Closed::at),
                    Tone::Neutral,
                )
            }
            Status::Superseded => {
                let words = match &state.closed {
                    Some(Closed::Superseded { reason, .. }) => reason.clone(),
                    Some(Closed::Withdrawn { .. } | Closed::Expired { .. }) | None => "Replaced".to_owned(),
                };
                view(
                    StateKind::Superseded,
                    words,
                    state.closed.as_ref().map(Closed::at),
                    Tone::Neutral,
                )
            }
        }
    }

    /// Whoever did something, as a sentence begins with it.
    pub(super) fn named(&self, actor: Actor) -> String {
        match actor {
            Actor::User(person) if person == self.me => "You".to_owned(),
            Actor::User(person) => self.who(person),
            Actor::Agent(agent) => self
                .people
                .agents
                .get(&agent)
                .map_or_else(|| "An agent".to_owned(), |known| known.name.clone()),
            Actor::Server => "The tenant".to_owned(),
        }
    }

    /// The question that waits for an answer, in one line.
    fn asked(&self, state: &ProposalState) -> Option<String> {
        let question = state.open_question()?;
        let line = question.text.split_whitespace().collect::<Vec<_>>().join(" ");
        let short: String = line.chars().take(MOST_OF_A_QUESTION).collect();
        let more = if short.len() < line.len() { "…" } else { "" };
        let who = self.named(Actor::User(question.by));
        Some(format!("{who} asked {}: {short}{more}", self.time(question.at)))
    }

    fn proposed(&self, state: &ProposalState) -> StateView {
        let waits = self.waits(state);
        match self.asked(state) {
            None => waits,
            Some(asked) if waits.kind == StateKind::Proposed => {
                view(StateKind::Proposed, asked, waits.at, Tone::Busy)
            }
            Some(asked) => view(
                waits.kind,
                format!("{}. {asked}", waits.words),
                waits.at,
                waits.tone,
            ),
        }
    }

    fn waits(&self, state: &ProposalState) -> StateView {
        let mine = standing_approval(state, self.me).is_some();
        match state.merged() {
            Merged::Open { have, need } if have > 0 => {
                let more = need - have;
                let who = if mine {
                    "Approved by you"
                } else {
                    "Approved in part"
                };
                let kind = if mine {
                    StateKind::Effective
                } else {
                    StateKind::Proposed
                };
                view(kind, format!("{who}, {more} more needed"), None, Tone::Busy)
            }
            Merged::Open { .. } | Merged::Approved { .. } | Merged::Rejected { .. } => view(
                StateKind::Proposed,
                "Waits for a decision",
                Some(state.created_at),
                Tone::Neutral,
            ),
        }
    }

    fn pending(&self, state: &ProposalState) -> StateView {
        let allowed = state
            .policy
            .as_ref()
            .is_some_and(|policy| policy.decision == PolicyDecision::Allow);
        let mine = standing_approval(state, self.me).is_some();
        if let Some(until) = state.held_until().filter(|until| *until > self.now) {
            let undo = if mine { ", can be undone" } else { "" };
            let what = if state.not_before == Some(until) {
                "Approved, runs at"
            } else {
                "Held until"
            };
            let words = format!("{what} {}{undo}", self.time(until));
            return view(StateKind::Held, words, Some(until), Tone::Busy);
        }
        let approvals = state.standing().filter(|cast| cast.verdict == Verdict::Approve);
        let approved = approvals.map(|cast| cast.at).max();
        let by = if allowed {
            "Allowed by policy".to_owned()
        } else if mine {
            "Approved by you".to_owned()
        } else {
            let first = state.standing().find(|cast| cast.verdict == Verdict::Approve);
            first.map_or_else(
                || "Approved".to_owned(),
                |cast| format!("Approved by {}", self.who(cast.approver)),
            )
        };
        if self.people.stopped(&state.proposer, &state.tool).is_some() {
            return view(StateKind::Pending, format!("{by}, stopped"), approved, Tone::Warn);
        }
        let words = match self.waits_for(state.executor) {
            Some(device) => format!("{by}, waits for {device}"),
            None => by,
        };
        view(StateKind::Pending, words, approved, Tone::Good)
    }

    /// The other device that has to run it.
    /// A device by its name.
    pub(super) fn device(&self, id: DeviceId) -> String {
        if Holder::Device(id) == self.this {
            return "this device".to_owned();
        }
        let known = self.people.devices.get(&id);
        known.map_or_else(|| "another device".to_owned(), |known| super::plain(&known.name))
    }

    fn waits_for(&self, executor: Executor) -> Option<String> {
        match executor {
            Holder::Device(device) if executor != self.this => Some(self.device(device)),
            Holder::Device(_) | Holder::Tenant => None,
        }
    }

    /// What people have settled, and whether the executor has said the opposite since.
    fn settled(&self, state: &ProposalState, resolved: Resolved) -> StateView {
        let who: Vec<_> = state
            .said
            .iter()
            .filter(|(_, said)| said.happened == resolved.happened)
            .map(|(person, _)| self.who(*person))
            .collect();
        let (what, who) = (
            if resolved.happened {
                "It happened"
            } else {
                "It did not happen"
            },
            who.join(" and "),
        );
        let opposite = if state.contradicted_at.is_some() {
            " Who ran it has since said the opposite: look again at what was done."
        } else {
            ""
        };
        let words = format!("{what}, said {who} {}.{opposite}", self.time(resolved.at));
        let (kind, tone) = match (resolved.happened, opposite.is_empty()) {
            (true, true) => (StateKind::Completed, Tone::Good),
            (true, false) => (StateKind::Completed, Tone::Warn),
            (false, true) => (StateKind::Failed, Tone::Bad),
            (false, false) => (StateKind::Failed, Tone::Warn),
        };
        view(kind, words, Some(resolved.at), tone)
    }

    fn ended(&self, state: &ProposalState) -> StateView {
        let ended = state.ended.as_ref();
        let at = ended.map(|ended| ended.at).or(state.lapsed_at);
        if let Some(resolved) = state.resolved {
            return self.settled(state, resolved);
        }
        let why = ended.map(|ended| {
            let failure = ended.failure.as_ref().map(|failure| &failure.message);
            failure.unwrap_or(&ended.summary).clone()
        });
        match state.recorded_status() {
            Status::Completed => {
                let time = at.map(|at| format!(" {}", self.time(at))).unwrap_or_default();
                view(StateKind::Completed, format!("Done{time}"), at, Tone::Good)
            }
            Status::Failed => {
                let words = why.map_or_else(|| "Failed".to_owned(), |why| format!("Failed: {why}"));
                view(StateKind::Failed, words, at, Tone::Bad)
            }
            Status::Unknown
            | Status::Proposed
            | Status::Pending
            | Status::Running
            | Status::Rejected
            | Status::Denied
            | Status::Expired
            | Status::Withdrawn
            | Status::Superseded => {
                let why = match (&why, state.lapsed_at) {
                    (Some(why), _) => why.as_str(),
                    (None, Some(_)) => "Whoever ran it went silent",
                    (None, None) => "Nobody has said how it ended",
                };
                let why = why.trim_end_matches('.');
                let again = if state.ended.is_none() && state.effect == EffectClass::Idempotent {
                    "It may be asked again, under the same key"
                } else {
                    "It is not tried again"
                };
                let words = format!("Unknown, it may have happened. {why}. {again}.");
                view(StateKind::Unknown, words, at, Tone::Warn)
            }
        }
    }
}

/// [`Words::time`], where there are no words.
pub(crate) fn time(at: UnixMillis, now: UnixMillis, zone: &TimeZone) -> String {
    let zoned = |at: UnixMillis| {
        Timestamp::from_millisecond(at.0)
            .unwrap_or(Timestamp::UNIX_EPOCH)
            .to_zoned(zone.clone())
    };
    let (then, now) = (zoned(at), zoned(now));
    let form = if then.date() == now.date() {
        "%H:%M"
    } else if then.year() == now.year() {
        "%-d %b %H:%M"
    } else {
        "%-d %b %Y %H:%M"
    };
    then.strftime(form).to_string()
}

/// The tenant has it, and nothing has come of it yet.
fn sent(entry: &Entry, created_at: UnixMillis) -> StateView {
    let words = match entry.verdict {
        None if entry.kind == Kind::Resolution => "You have said what became of it",
        None if entry.kind == Kind::Withdraw => "Taken back by you",
        Some(Verdict::Reject) => "Rejected by you",
        Some(Verdict::Retract) => "Your approval is taken back",
        Some(Verdict::Approve) | None => "Approved by you",
    };
    view(
        StateKind::Sent,
        words,
        Some(created_at.max(entry.created)),
        Tone::Good,
    )
}

/// What does not count, with its reason.
fn refusal(kind: Kind, answer: &Answer, at: UnixMillis) -> StateView {
    let what = if kind == Kind::Withdraw {
        "It was not taken back"
    } else if kind == Kind::Resolution {
        "What you said of it does not count"
    } else {
        "Your decision does not count"
    };
    let reason = answer.reason.as_deref().and_then(reason);
    let why = reason.map_or_else(
        || "The tenant did not take it.".to_owned(),
        |reason| reason.to_string(),
    );
    view(
        StateKind::Refused,
        format!("{what}: {}", lower(&why)),
        Some(at),
        Tone::Warn,
    )
}

fn lower(sentence: &str) -> String {
    let mut chars = sentence.chars();
    chars
        .next()
        .map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

/// A machine code of the wire as the reason that it stands for.
fn reason(code: &str) -> Option<Reason> {
    serde_json::from_value(serde_json::Value::String(code.to_owned())).ok()
}

pub(crate) fn view(
    kind: StateKind,
    words: impl Into<String>,
    at: Option<UnixMillis>,
    tone: Tone,
) -> StateView {
    let words: String = words.into();
    StateView {
        kind,
        // What an executor said may be in it, and another client's executor says what it likes.
        words: super::plain(&words),
        at,
        tone,
    }
}

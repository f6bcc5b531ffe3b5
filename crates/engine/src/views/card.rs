//! The trusted card: the domain's view of the proposal, with what this person may do about it.

use countersign_domain::{
    Digest, Millis, UnixMillis,
    canonical::Value,
    id::ProposalId,
    people::People,
    record::{Assurance, PolicyDecision, Proposer, Risk, Role, Untrusted},
    render::{Confirm, View},
};

use countersign_policy::TENANT_TABLE;

pub use super::trail::{DecisionItem, HistoryItem};
use super::{
    StateView, Words,
    lineage::{Lineage, lineage},
    questions::{QuestionItem, questions},
    rules::span,
    trail,
};
use crate::{
    Arm, Decide, Engine, EngineError, MAX_COMMENT, acts, decide,
    overlay::Overlay,
    remarks,
    rules::{self, Viewer},
    seat::Seat,
    undo, withdraw,
};

/// Everything that a person reads before deciding.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Card {
    pub id: ProposalId,
    pub tool: String,
    pub risk: Risk,
    /// The rendered content; `None` when it cannot be shown here, and then it cannot be approved here either.
    pub view: Option<View>,
    /// Goes back with the decision.
    pub view_digest: Digest,
    pub proposer: Proposer,
    /// The name of the person that it acts for.
    pub on_behalf_of: Option<String>,
    /// The names of whoever else had a hand in it.
    pub contributors: Vec<String>,
    /// The proposer's own words, unverified.
    pub untrusted: Untrusted,
    pub created_at: UnixMillis,
    pub expires_at: UnixMillis,
    pub state: StateView,
    pub why: Why,
    pub after_approve: String,
    pub after_reject: String,
    /// Oldest first.
    pub history: Vec<HistoryItem>,
    /// Oldest first.
    pub decisions: Vec<DecisionItem>,
    /// What the call returned, in its tool's own form, once it has run.
    pub result: Option<Value>,
    /// The key under which the target knows the call: a Message-ID, an Idempotency-Key.
    pub reference: Option<String>,
    pub signature: Signature,
    /// Of the exact bytes of the proposal.
    pub fingerprint: String,
    pub approve: Arm,
    pub reject: Arm,
    /// For a request of this person's own that is still open.
    pub withdraw: Option<Arm>,
    /// For an open request that this person may put another one in the place of.
    pub edit: Option<Arm>,
    pub lineage: Lineage,
    /// What was asked of its proposer, oldest first.
    pub questions: Vec<QuestionItem>,
    /// Whether this person may ask the proposer something.
    pub ask: Option<Arm>,
    /// Where the outcome is not known: whether this person may say what became of it.
    pub settle: Option<Settle>,
    /// What has to be typed to approve.
    pub confirm: Option<ConfirmPrompt>,
    pub reason_max_length: usize,
    /// Earliest time to run, when the proposer asked for one, while it has not begun.
    pub scheduled: Option<UnixMillis>,
    /// Until when an approved call waits.
    pub held_until: Option<UnixMillis>,
    pub can_undo: bool,
    /// Whether this person may have what was written about it erased.
    pub may_erase: bool,
}

/// The line at the foot: whose signature it is, or would be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signature {
    pub who: String,
    /// From where, such as "on Studio"; or why nobody signed.
    pub whence: String,
}

/// Saying what became of a call whose outcome is unknown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settle {
    pub arm: Arm,
    /// What to look for, a sentence.
    pub advice: String,
    /// What others have said, a sentence each.
    pub said: Vec<String>,
    /// What has to be typed.
    pub confirm: Option<ConfirmPrompt>,
}

/// Why this person is asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Why {
    pub sentence: String,
    pub policies: Vec<String>,
}

/// What to type.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfirmPrompt {
    pub prompt: String,
    pub placeholder: String,
}

/// What became of a decision.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decided {
    pub state: StateView,
    /// What to look at next.
    pub next: Option<ProposalId>,
    /// For how long undo is offered.
    pub undo_seconds: Option<u32>,
}

impl Engine {
    /// The card of one proposal, from bodies checked against the journal.
    ///
    /// # Errors
    /// When nobody is signed in, or it is not here.
    pub async fn card(&self, id: ProposalId) -> Result<Card, EngineError> {
        let seat = self.seat()?;
        seat.first_look.is_over()?;
        let (mine, people) = (Overlay::of(&seat, id).await?, seat.people().await?);
        let (now, zone) = (seat.now(), seat.ports.clock.zone());
        let found = seat
            .journal
            .read(move |reader| {
                let card = reader.proposal(id)?;
                let time = |at| super::words::time(at, now, &zone);
                let lineage = card
                    .as_ref()
                    .map(|card| lineage(reader, card, time))
                    .transpose()?;
                Ok(card.zip(lineage))
            })
            .await?;
        let (card, lineage) = found.ok_or_else(EngineError::not_found)?;
        let words = Words::new(&seat, &people);
        let viewer = Viewer {
            person: seat.person(),
            device: seat.device(),
            now: seat.now(),
        };
        let mine = mine.as_ref();
        let already = mine.map(|_| "You have decided this.".to_owned());
        let disarm = |mut arm: Arm| {
            arm.why_not = already.clone().or(arm.why_not);
            arm
        };
        let (view_digest, confirm) = decide::shown(&card);
        let needs = rules::needed(&card, &people, seat.person()) == Assurance::DeviceConfirmed;
        Ok(Card {
            id,
            tool: card.proposal.tool.id.clone(),
            risk: card.state.risk,
            view: card.view().ok(),
            view_digest,
            contributors: card
                .proposal
                .proposer
                .contributors
                .iter()
                .map(|person| words.who(*person))
                .collect(),
            on_behalf_of: card
                .proposal
                .proposer
                .on_behalf_of
                .map(|person| words.who(person)),
            proposer: card.proposal.proposer.clone(),
            untrusted: card.proposal.untrusted.clone(),
            created_at: card.proposal.created_at,
            expires_at: card.proposal.expires_at,
            state: words.state(&card.state, mine),
            why: why(&card, &people, &seat),
            after_approve: after_approve(&card, &people, &words),
            after_reject: "It will not run, and the proposer is told your reason. A rejection is final."
                .to_owned(),
            history: trail::history(&words, &card),
            decisions: trail::decisions(&words, &card),
            settle: settle(&words, &card, &people, viewer),
            result: card.receipt.as_ref().and_then(|receipt| receipt.result.clone()),
            reference: card
                .receipt
                .as_ref()
                // What never went out has left no trace there.
                .filter(|receipt| receipt.dispatched)
                .and_then(|receipt| receipt.reference.clone()),
            signature: trail::signature(&words, &card, mine.is_some(), &seat.account.device_name),
            fingerprint: card.state.digest.fingerprint(),
            approve: disarm(rules::approve(&card, &people, viewer)),
            reject: disarm(rules::reject(&card, &people, viewer)),
            withdraw: rules::withdraw(&card, &people, viewer).map(disarm),
            edit: rules::edit(&card, &people, viewer).map(disarm),
            lineage,
            questions: questions(&seat, &words, &card, &people, viewer).await?,
            ask: remarks::ask(&card, &people, viewer),
            confirm: confirm.filter(|_| needs).map(prompt),
            reason_max_length: MAX_COMMENT,
            scheduled: card
                .state
                .not_before
                .filter(|at| *at > seat.now() && card.state.status(seat.now()).is_open()),
            held_until: card.state.held_until().filter(|until| *until > seat.now()),
            can_undo: matches!(mine, Some(crate::overlay::Mine::Held(_)))
                || undo::undoable(&seat, &card, mine).is_some(),
            may_erase: card.state.status(seat.now()).is_final()
                && people.role(seat.person()).is_some_and(Role::manages),
        })
    }

    /// Has what was written about a request that is over erased: by the tenant, and by every desktop as it hears of it.
    ///
    /// # Errors
    /// Offline, or when the tenant says no.
    pub async fn erase(&self, id: ProposalId, reason: String) -> Result<(), EngineError> {
        let seat = self.online()?;
        seat.client.erase(id, reason).await?;
        seat.wakes.sync.notify_one();
        Ok(())
    }

    /// Takes a decision. It is on this device's disk when this answers; the tenant gets it as soon as it can be reached.
    ///
    /// # Errors
    /// When the card has changed, the rules do not let this person, or the confirmation is not what was asked for.
    /// Nothing was decided then.
    pub async fn decide(&self, form: Decide) -> Result<Decided, EngineError> {
        let seat = self.seat()?;
        decide::decide(&seat, &form).await?;
        let card = self.card(form.id).await?;
        let undo = match form.verdict {
            crate::Choice::Reject => Some(decide::UNDO.0 / 1000),
            crate::Choice::Approve => card
                .can_undo
                .then_some(hold_seconds(&seat, form.id).await?)
                .filter(|s| *s > 0),
        };
        Ok(Decided {
            state: card.state,
            next: self.next_to_decide(form.id).await?,
            undo_seconds: undo.and_then(|seconds| u32::try_from(seconds).ok()),
        })
    }

    /// Takes this person's own request back, before it runs. It can be undone for a moment, and is signed and sent then.
    ///
    /// # Errors
    /// When it is not theirs, or not open any more.
    pub async fn withdraw(&self, id: ProposalId) -> Result<Decided, EngineError> {
        let seat = self.seat()?;
        withdraw::withdraw(&seat, id).await?;
        Ok(Decided {
            state: self.card(id).await?.state,
            next: self.next_to_decide(id).await?,
            undo_seconds: u32::try_from(decide::UNDO.0 / 1000).ok(),
        })
    }

    /// Takes back what this person said about a proposal, while that is possible.
    ///
    /// # Errors
    /// When it is too late.
    pub async fn undo(&self, id: ProposalId) -> Result<(), EngineError> {
        undo::undo(&self.seat()?, id).await
    }
}

async fn hold_seconds(seat: &Seat, id: ProposalId) -> Result<i64, EngineError> {
    let card = seat.journal.read(move |reader| Ok(reader.proposal(id)?)).await?;
    Ok(card
        .and_then(|card| card.state.policy)
        .map_or(0, |policy| policy.requirement.hold.0 / 1000))
}

fn prompt(confirm: Confirm) -> ConfirmPrompt {
    match confirm {
        Confirm::Type { label, text } => ConfirmPrompt {
            prompt: format!("Type what stands under “{label}”, {text}, to approve"),
            placeholder: text,
        },
        Confirm::Match { number } => ConfirmPrompt {
            prompt: format!("Type the number {number} to approve"),
            placeholder: number.to_string(),
        },
    }
}

fn why(card: &countersign_replica::Card, people: &countersign_domain::people::People, seat: &Seat) -> Why {
    let Some(policy) = &card.state.policy else {
        return Why {
            sentence: "Policy has not been asked yet.".to_owned(),
            policies: Vec::new(),
        };
    };
    let mut sentence = policy_words(&policy.policies, &policy.reason);
    if policy.decision == PolicyDecision::RequiresApproval && policy.requirement.quorum > 1 {
        sentence.push_str(&format!(" {} people have to approve.", policy.requirement.quorum));
    }
    if rules::own(card, people, seat.person()) {
        sentence.push_str(" You proposed it yourself.");
    }
    Why {
        sentence,
        policies: policy.policies.clone(),
    }
}

/// What policy said, in a sentence: its own where the rules are the tenant's, ours where the rule is built in. The record
/// keeps the words that it was signed with.
pub(super) fn policy_words(rules: &[String], reason: &str) -> String {
    let mut own = rules.iter().filter(|rule| *rule != TENANT_TABLE);
    let built_in = match (own.next(), own.next()) {
        (Some(rule), None) => match rule.as_str() {
            "seed.low" => Some("Low risk: policy lets it run without asking."),
            "seed.medium" => Some("Medium risk: it runs only once a person has approved it."),
            "seed.high" => Some("High risk: it runs only once a person has approved it on their own device."),
            "seed.critical" => {
                Some("Critical risk: it runs only once a person has confirmed it on their own device.")
            }
            "seed.denied_before" => Some("The same was denied before, so it does not run by itself."),
            "seed.unknown_tool" => Some("Policy does not know this tool."),
            _ => None,
        },
        _ => None,
    };
    built_in.map_or_else(|| format!("{}.", reason.trim_end_matches('.')), str::to_owned)
}

fn settle(
    words: &Words<'_>,
    card: &countersign_replica::Card,
    people: &People,
    viewer: Viewer,
) -> Option<Settle> {
    let arm = acts::settle(card, people, viewer)?;
    let reference = card
        .receipt
        .as_ref()
        .and_then(|receipt| receipt.reference.as_deref());
    let look = match (reference, card.state.effect) {
        (Some(reference), _) => format!("Look there for {}", super::plain(reference)),
        (None, _) => "Look there whether it was done".to_owned(),
    };
    let more = match card.state.settlers() {
        0 | 1 => "",
        _ => " Two people have to say the same.",
    };
    let mut said: Vec<_> = card.state.said.iter().collect();
    said.sort_by_key(|(_, said)| said.at);
    let said = said.into_iter().map(|(person, said)| {
        let what = if said.happened {
            "it happened"
        } else {
            "it did not happen"
        };
        let note = said
            .note
            .as_ref()
            .map(|note| format!(": {note}"))
            .unwrap_or_default();
        let line = format!(
            "{} said that {what}, {}{note}",
            words.who(*person),
            words.time(said.at)
        );
        super::plain(&line)
    });
    Some(Settle {
        arm,
        advice: format!(
            "{look}, then say what you found.{more} If it did not happen, it can be proposed again."
        ),
        said: said.collect(),
        confirm: countersign_domain::acts::takes_confirmation(people, &card.state).then(|| ConfirmPrompt {
            prompt: format!("Type “{}” to settle it", acts::SETTLE),
            placeholder: acts::SETTLE.to_owned(),
        }),
    })
}

fn after_approve(card: &countersign_replica::Card, people: &People, words: &Words<'_>) -> String {
    let hold = card
        .state
        .policy
        .as_ref()
        .map_or(Millis(0), |policy| policy.requirement.hold);
    let quorum = card
        .state
        .policy
        .as_ref()
        .map_or(1, |policy| policy.requirement.quorum);
    let run = match (card.proposal.not_before, hold) {
        (Some(at), _) if at > words.now => {
            format!(
                "It runs once, not before {}; until then you can undo.",
                words.time(at)
            )
        }
        (_, Millis(0)) => "It runs once, right away.".to_owned(),
        (_, hold) => format!("It runs once, after {} in which you can undo.", span(hold)),
    };
    let stopped = people.stopped(&card.state.proposer, &card.state.tool).is_some();
    let run = if stopped {
        "It runs once, when the stop over it has been released.".to_owned()
    } else {
        run
    };
    if quorum > 1 {
        format!("When {quorum} people have approved: {run}")
    } else {
        run
    }
}

#[cfg(test)]
mod tests {
    use countersign_domain::record::{EffectClass, Mode, ProposerKind};
    use countersign_policy::{Call, Policy as _, SeedRules};

    use super::*;

    #[test]
    fn a_rule_of_one_s_own_keeps_its_own_words() {
        let said = |rule: &str| policy_words(&[rule.to_owned()], "Two people above 1,000 EUR");
        assert_eq!(said("payments"), "Two people above 1,000 EUR.");
        assert_eq!(
            said("seed.medium"),
            "Medium risk: it runs only once a person has approved it."
        );
    }

    #[test]
    fn every_built_in_rule_has_a_sentence_here() {
        let mut calls: Vec<Call<'_>> = Risk::ALL.map(|risk| call(risk, true)).to_vec();
        calls.push(call(Risk::Low, false));
        for call in calls {
            let answer = SeedRules.evaluate(&call);
            let words = policy_words(&answer.policies, &answer.reason);
            assert!(!words.contains(" - "), "{words}");
            assert!(words != format!("{}.", answer.reason), "{:?}", answer.policies);
        }
    }

    fn call(risk: Risk, registered: bool) -> Call<'static> {
        Call {
            tool: "email.send",
            registered,
            risk,
            effect: EffectClass::Opaque,
            proposer: ProposerKind::Agent,
            hold: Millis(0),
            money: false,
            denied_before: false,
            mode: Mode::Company,
            table: &[],
        }
    }
}

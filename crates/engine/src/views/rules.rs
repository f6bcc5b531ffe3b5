//! The tenant's table of rules: what is asked of which call, what waits for a second person, and changing it.

use std::sync::Arc;

use countersign_domain::{
    Digest, Millis, UnixMillis, acts,
    people::{People, Wanted},
    record::{ApprovalRule, Assurance, Nonce, Reason, Risk, Role, Rules, loosens, shortest_kept},
    render::{self, Change, Difference, DifferentLine},
};

use super::{Permission, Words, card::ConfirmPrompt};
use crate::{
    Engine, EngineError,
    acts::{LOOSEN, not_typed, sign, typed},
    rules::{self, Viewer},
    seat::{Seat, nonce},
    store::outbox,
};

/// What the page of rules shows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RulesPage {
    /// Goes back with a change.
    pub base: Option<Digest>,
    pub table: Vec<ApprovalRule>,
    /// Looser tables that wait for a second person, oldest first.
    pub wanted: Vec<WantedRow>,
    /// Whether this person may write a table.
    pub edit: Permission,
    /// Tools that a rule can name, by id, with their titles.
    pub tools: Vec<(String, String)>,
    /// How many people decide here: no rule asks for more.
    pub most_people: u32,
    /// A change of this device's is on its way.
    pub on_its_way: bool,
}

/// A looser table that somebody wants.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WantedRow {
    /// Such as "Ana wants the rules to ask less, since 10:04."
    pub words: String,
    pub at: UnixMillis,
    /// The rules of both, a sentence each.
    pub difference: Difference,
    pub table: Vec<ApprovalRule>,
    /// Whether this person may say the same.
    pub confirm: Permission,
}

/// What a table that is being written comes to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Judged {
    /// The rules of both, a sentence each.
    pub difference: Difference,
    /// What saving it does, a sentence; or why it cannot be saved.
    pub words: String,
    /// Whether it can be saved.
    pub ready: bool,
    /// What has to be typed.
    pub confirm: Option<ConfirmPrompt>,
}

/// A table to be put in force.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewTable {
    /// The table that the person has seen.
    pub base: Option<Digest>,
    pub table: Vec<ApprovalRule>,
    /// What was typed, where something has to be.
    pub confirmation: Option<String>,
}

impl Engine {
    /// The table in force, and what waits.
    ///
    /// # Errors
    /// When nobody is signed in.
    pub async fn approval_rules(&self) -> Result<RulesPage, EngineError> {
        let seat = self.seat()?;
        let people = seat.people().await?;
        let on_its_way = under_way(&seat).await?;
        let edit = may_edit(&people, &seat, on_its_way);
        let words = Words::new(&seat, &people);
        let in_force = &people.rules;
        let row = |wanted: &Wanted| {
            let who: Vec<_> = wanted.by.iter().map(|person| words.who(*person)).collect();
            WantedRow {
                words: super::plain(&format!("{}, {}.", wants(&who), words.time(wanted.at))),
                at: wanted.at,
                difference: difference(&people, &in_force.table, &wanted.table),
                table: wanted.table.clone(),
                confirm: may_confirm(&people, &seat, wanted, on_its_way),
            }
        };
        let titled = |(id, (_, manifest)): (&String, &(Digest, countersign_domain::manifest::Manifest))| {
            (id.clone(), super::plain(&manifest.title))
        };
        Ok(RulesPage {
            base: in_force.digest,
            table: in_force.table.clone(),
            wanted: in_force.wanted.iter().map(row).collect(),
            edit,
            tools: people.tools.iter().map(titled).collect(),
            most_people: acts::most_people(&people),
            on_its_way,
        })
    }

    /// What a table would come to. Changes nothing.
    ///
    /// # Errors
    /// When nobody is signed in.
    pub async fn judge_rules(&self, new: &NewTable) -> Result<Judged, EngineError> {
        let seat = self.seat()?;
        let people = seat.people().await?;
        let old = &people.rules.table;
        let mut judged = Judged {
            difference: difference(&people, old, &new.table),
            words: String::new(),
            ready: false,
            confirm: None,
        };
        let wants = body(&seat, new, Nonce::from_bytes([0; 16]), true);
        let verdict = acts::rules(&people, &wants);
        (judged.ready, judged.words) = match verdict {
            Err(reason) => (false, why_not(&people, new, reason)),
            Ok(()) if new.table == *old => {
                (false, "Nothing is different from the rules in force.".to_owned())
            }
            Ok(()) if !loosens(old, &new.table) => (
                true,
                "It asks at least as much of every call and keeps all of it as long, and holds at once.".to_owned(),
            ),
            Ok(()) if people.second_needed() => (
                true,
                "It asks less of some call, or keeps it for less long: a second person has to want the same before it holds.".to_owned(),
            ),
            Ok(()) => {
                judged.confirm = Some(ConfirmPrompt {
                    prompt: format!("Type “{LOOSEN}” to save it"),
                    placeholder: LOOSEN.to_owned(),
                });
                (
                    true,
                    "It asks less of some call, or keeps it for less long, and holds at once.".to_owned(),
                )
            }
        };
        if judged.ready && keeps_less(old, &new.table) {
            judged.words.push_str(
                " What is over for longer than it is kept is erased for good, with the tasks that it made; who decided, when, \
                 and every proof stay.",
            );
        }
        Ok(judged)
    }

    /// Wants a table: one's own, or the same that somebody else wants. Signed by this device at once, sent when the tenant
    /// can be reached.
    ///
    /// # Errors
    /// When this person or this device may not, the table in force is another, or what has to be typed was not.
    pub async fn change_rules(&self, new: NewTable) -> Result<(), EngineError> {
        let seat = self.seat()?;
        let (people, nonce) = (seat.people().await?, nonce()?);
        if under_way(&seat).await? {
            return Err(EngineError::refused(ON_ITS_WAY));
        }
        if new.table == people.rules.table {
            return Err(EngineError::refused(
                "Nothing is different from the rules in force.",
            ));
        }
        let confirmed = typed(new.confirmation.as_deref(), LOOSEN);
        let alone = !people.second_needed() && loosens(&people.rules.table, &new.table);
        if alone && !confirmed {
            return Err(not_typed(LOOSEN));
        }
        let wants = body(&seat, &new, nonce, confirmed);
        acts::rules(&people, &wants)
            .map_err(|reason| EngineError::refused(why_not(&people, &new, reason)))?;
        let viewer = Viewer {
            person: seat.person(),
            device: seat.device(),
            now: seat.now(),
        };
        if let Some(why) = rules::why_not_sign(&people, viewer) {
            return Err(EngineError::refused(why));
        }
        sign(&seat, None, wants, |wants, seq, previous| {
            (wants.device_seq, wants.previous) = (Some(seq), previous);
        })
        .await
    }
}

const ON_ITS_WAY: &str = "A change of yours is on its way to the tenant.";

fn body(seat: &Arc<Seat>, new: &NewTable, nonce: Nonce, confirmed: bool) -> Rules {
    Rules {
        at: seat.now(),
        base: new.base,
        by: seat.person(),
        confirmed,
        device: Some(seat.device()),
        device_seq: None,
        nonce,
        previous: None,
        table: new.table.clone(),
        tenant: seat.tenant(),
    }
}

/// Whether a table that this device signed has not come back in the journal.
async fn under_way(seat: &Seat) -> Result<bool, EngineError> {
    let account = seat.account.id;
    let said = seat
        .store
        .read(move |db| outbox::said::<countersign_domain::record::Rules>(db, account, None))
        .await?;
    Ok(said.iter().any(|(entry, _)| !entry.state.is_refused()))
}

fn may_edit(people: &People, seat: &Seat, on_its_way: bool) -> Permission {
    if !people.role(seat.person()).is_some_and(Role::manages) {
        Permission::no("Owners and admins write the rules.")
    } else if on_its_way {
        Permission::no(ON_ITS_WAY)
    } else {
        Permission::YES
    }
}

fn may_confirm(people: &People, seat: &Seat, wanted: &Wanted, on_its_way: bool) -> Permission {
    if !people.role(seat.person()).is_some_and(Role::decides) {
        Permission::no("Approvers, admins and owners agree to rules.")
    } else if wanted.by.contains(&seat.person()) {
        Permission::no("You want it; one more person is needed.")
    } else if on_its_way {
        Permission::no(ON_ITS_WAY)
    } else {
        Permission::YES
    }
}

fn wants(who: &[String]) -> String {
    let names = who.join(" and ");
    match who {
        [one] if one == "you" => "You want the rules to ask less".to_owned(),
        [_] => format!("{names} wants the rules to ask less"),
        _ => format!("{names} want the rules to ask less"),
    }
}

fn why_not(people: &People, new: &NewTable, reason: Reason) -> String {
    if reason == Reason::ViewMismatch {
        "The rules have changed since you opened them. Look again.".to_owned()
    } else if reason == Reason::Decided {
        "You want this already; one more person is needed.".to_owned()
    } else {
        let misfit = acts::misfit(people, &new.table).filter(|_| reason == Reason::NotEligible);
        misfit.unwrap_or_else(|| reason.to_string())
    }
}

/// Whether something is kept for less long than before.
fn keeps_less(old: &[ApprovalRule], new: &[ApprovalRule]) -> bool {
    let only = |table: &[ApprovalRule]| -> Vec<_> {
        let keep = |rule: &ApprovalRule| ApprovalRule {
            assurance: None,
            hold: None,
            lifetime: None,
            quorum: 1,
            ..rule.clone()
        };
        table.iter().map(keep).collect()
    };
    shortest_kept(new).is_some() && loosens(&only(old), &only(new))
}

/// The rules of both, a sentence each: how a table of a few rules is compared.
fn difference(people: &People, old: &[ApprovalRule], new: &[ApprovalRule]) -> Difference {
    let line = |change: Change, rule: &ApprovalRule| DifferentLine {
        change,
        text: render::visible(&sentence(people, rule)),
    };
    let gone = old.iter().filter(|rule| !new.contains(rule));
    let mut lines: Vec<_> = gone.map(|rule| line(Change::Removed, rule)).collect();
    lines.extend(new.iter().map(|rule| {
        let change = if old.contains(rule) {
            Change::Unchanged
        } else {
            Change::Added
        };
        line(change, rule)
    }));
    let same = lines.iter().all(|line| line.change == Change::Unchanged);
    Difference {
        label: "Rules".to_owned(),
        change: if same { Change::Unchanged } else { Change::Changed },
        lines,
    }
}

/// "Send E-mail, from high risk on: 2 people, on their own device, within 8 hours, 5 minutes to undo it at least; what was
/// written is kept for 90 days."
fn sentence(people: &People, rule: &ApprovalRule) -> String {
    let tool = match &rule.tool {
        None => "Every tool".to_owned(),
        Some(id) => people
            .tools
            .get(id)
            .map_or_else(|| id.clone(), |(_, manifest)| manifest.title.clone()),
    };
    let risk = match rule.risk {
        None | Some(Risk::Low) => "",
        Some(Risk::Medium) => ", from medium risk on",
        Some(Risk::High) => ", from high risk on",
        Some(Risk::Critical) => ", of critical risk",
    };
    let quorum = match rule.quorum {
        1 => "1 person".to_owned(),
        many => format!("{many} people"),
    };
    let sure = match rule.assurance {
        None | Some(Assurance::Session) => "",
        Some(Assurance::Device) => ", on their own device",
        Some(Assurance::DeviceConfirmed) => ", confirmed on their own device",
    };
    let lifetime = rule.lifetime.map(|time| format!(", within {}", span(time)));
    let hold = rule
        .hold
        .map(|time| format!(", {} to undo it at least", span(time)));
    let keep = rule.keep.map(|days| {
        let (number, unit) = if days % 365 == 0 {
            (days / 365, "year")
        } else {
            (days, "day")
        };
        let s = if number == 1 { "" } else { "s" };
        format!("; what was written is kept for {number} {unit}{s}")
    });
    let [lifetime, hold, keep] = [lifetime, hold, keep].map(Option::unwrap_or_default);
    format!("{tool}{risk}: {quorum}{sure}{lifetime}{hold}{keep}.")
}

/// "8 hours", "90 seconds": whole seconds in the longest unit that says them exactly.
pub(super) fn span(time: Millis) -> String {
    const UNITS: [(i64, &str); 3] = [(24 * 60 * 60, "day"), (60 * 60, "hour"), (60, "minute")];
    let seconds = time.0 / 1_000;
    let whole = UNITS
        .into_iter()
        .find(|(unit, _)| seconds > 0 && seconds % unit == 0);
    let (number, unit) = whole.map_or((seconds, "second"), |(unit, name)| (seconds / unit, name));
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {unit}{plural}")
}

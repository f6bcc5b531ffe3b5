//! What stands still, and what this person may do about it.

use countersign_domain::{
    UnixMillis,
    fold::{ProposalState, Status},
    id::ProposalId,
    people::People,
    record::{Release, Role, Scope, Stop},
};

use super::{Permission, Words};
use crate::{Engine, EngineError, acts, seat::Seat, store::outbox, views::card::ConfirmPrompt};

/// Most calls that are named as in flight.
const MOST_IN_FLIGHT: u32 = 100;

/// One stop, as the journal has it or as this device has signed it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StopRow {
    pub scope: Scope,
    /// "Everything", "What Bookkeeper proposes", "Send E-mail".
    pub what: String,
    /// "Stopped by Ana 12:04: mails go to everybody."
    pub words: String,
    pub at: UnixMillis,
    /// What had begun under it and is not over, oldest first.
    pub in_flight: Vec<InFlight>,
    pub release: Permission,
    /// What has to be typed to release it.
    pub confirm: Option<ConfirmPrompt>,
}

/// A call that had begun before it was stopped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InFlight {
    pub id: ProposalId,
    pub sentence: String,
    pub begun_at: UnixMillis,
}

/// Something that can be stopped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StopChoice {
    pub scope: Scope,
    pub what: String,
}

impl Engine {
    /// What can be stopped and is not: everything, each agent in service, each tool.
    ///
    /// # Errors
    /// When nobody is signed in.
    pub async fn stop_choices(&self) -> Result<Vec<StopChoice>, EngineError> {
        let seat = self.seat()?;
        let people = seat.people().await?;
        let agents = people.agents.iter().filter(|(_, agent)| !agent.revoked);
        let agents = agents.map(|(id, _)| Scope::Agent(*id));
        let tools = people.tools.keys().map(|tool| Scope::Tool(tool.clone()));
        let choices = std::iter::once(Scope::Tenant)
            .chain(agents)
            .chain(tools)
            .filter(|scope| !people.stops.contains_key(scope))
            .map(|scope| StopChoice {
                what: what(&people, &scope),
                scope,
            });
        Ok(choices.collect())
    }
}

/// What stands still, the widest first; and whether this person may stop something.
pub(super) async fn stops(seat: &Seat, people: &People) -> Result<(Vec<StopRow>, Permission), EngineError> {
    let account = seat.account.id;
    let (signed, released) = seat
        .store
        .read(move |db| {
            let stops = outbox::said::<Stop>(db, account, None)?;
            Ok((stops, outbox::said::<Release>(db, account, None)?))
        })
        .await?;
    let words = Words::new(seat, people);
    let running = running(seat, people).await?;
    let role = people.role(seat.person());
    let may = if role.is_some_and(Role::decides) {
        Permission::YES
    } else {
        Permission::no("Approvers, admins and owners stop and release.")
    };
    let mut rows: Vec<StopRow> = people
        .stops
        .iter()
        .map(|(scope, stopped)| {
            let who = capital(&words.who(stopped.by));
            let reason = stopped.reason.as_ref().map(|reason| format!(": {reason}"));
            let releases = stopped.releases.len();
            let more = match (releases, people.second_needed()) {
                (0, _) | (_, false) => String::new(),
                (_, true) => " One person wants it released; one more is needed.".to_owned(),
            };
            let mine = released.iter().any(|(_, release)| release.scope == *scope);
            let release = if !may.is_allowed() {
                may.clone()
            } else if mine {
                Permission::no("You have released it on this device; it will be sent.")
            } else if stopped.releases.contains(&seat.person()) && people.second_needed() {
                Permission::no("You want it released; one more person is needed.")
            } else {
                Permission::YES
            };
            StopRow {
                what: what(people, scope),
                words: super::plain(&format!(
                    "{who} stopped it {}{}.{more}",
                    words.time(stopped.at),
                    reason.unwrap_or_default()
                )),
                scope: scope.clone(),
                in_flight: running
                    .iter()
                    .filter(|(state, _)| scope.covers(&state.proposer, &state.tool))
                    .map(|(_, call)| call.clone())
                    .collect(),
                at: stopped.at,
                release,
                confirm: (!people.second_needed()).then(|| ConfirmPrompt {
                    prompt: format!("Type “{}” to release it", acts::RELEASE),
                    placeholder: acts::RELEASE.to_owned(),
                }),
            }
        })
        .collect();
    for (entry, stop) in signed {
        if !entry.state.is_refused() && !people.stops.contains_key(&stop.scope) {
            rows.push(StopRow {
                what: what(people, &stop.scope),
                words: "Saved on this device. It holds once the tenant has it.".to_owned(),
                at: entry.created,
                in_flight: Vec::new(),
                release: Permission::no("It is on its way to the tenant."),
                confirm: None,
                scope: stop.scope,
            });
        }
    }
    rows.sort_by(|a, b| a.scope.cmp(&b.scope));
    Ok((rows, may))
}

/// What runs while something stands still.
async fn running(seat: &Seat, people: &People) -> Result<Vec<(ProposalState, InFlight)>, EngineError> {
    if people.stops.is_empty() {
        return Ok(Vec::new());
    }
    let now = seat.now();
    let read = seat.journal.read(move |reader| {
        let (rows, _) = reader.oldest(MOST_IN_FLIGHT, now)?;
        let mut found = Vec::new();
        for row in rows.into_iter().filter(|row| row.status == Status::Running) {
            let Some(card) = reader.proposal(row.id)? else {
                continue;
            };
            if let Some(begun_at) = card.state.begun.as_ref().map(|begun| begun.at) {
                let call = InFlight {
                    id: row.id,
                    sentence: row.sentence,
                    begun_at,
                };
                found.push((card.state, call));
            }
        }
        Ok(found)
    });
    Ok(read.await?)
}

fn what(people: &People, scope: &Scope) -> String {
    match scope {
        Scope::Tenant => "Everything".to_owned(),
        Scope::Agent(agent) => match people.agents.get(agent) {
            Some(known) => super::plain(&format!("What {} proposes", known.name)),
            None => "What one agent proposes".to_owned(),
        },
        Scope::Tool(tool) => match people.tools.get(tool) {
            Some((_, manifest)) => super::plain(&manifest.title),
            None => super::plain(tool),
        },
    }
}

fn capital(name: &str) -> String {
    if name == "you" {
        "You".to_owned()
    } else {
        name.to_owned()
    }
}

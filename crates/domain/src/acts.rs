//! Whether what a person wants beside deciding counts: stopping and releasing, the tenant's table of rules, another key
//! for a device, settling an unknown outcome. Pure: asked by the server when it arrives, and by a desktop before it offers it.

use crate::{
    UnixMillis,
    decision::is_own,
    fold::{ProposalState, Status},
    id::{TenantId, UserId},
    people::People,
    record::{
        ApprovalRule, Erase, LONGEST_KEPT, MOST_PEOPLE, MOST_RULES, Mode, Reason, Release, Resolution, Role,
        Rotate, Rules, Scope, Stop, is_sentence, kept, loosens,
    },
};

/// Whether a stop counts. Whoever decides may stop what there is.
///
/// # Errors
/// Why it does not.
pub fn stop(people: &People, stop: &Stop) -> Result<(), Reason> {
    decides(people, stop.tenant, stop.by)?;
    let there = match &stop.scope {
        Scope::Tenant => true,
        Scope::Agent(agent) => people.agents.contains_key(agent),
        Scope::Tool(tool) => people.tools.contains_key(tool),
    };
    if !there {
        return Err(Reason::NotEligible);
    }
    said_plainly(stop.reason.as_deref())
}

/// Whether a release counts: of a stop that stands, by somebody who has not said so yet. Where one person is enough, it
/// takes that person's device and a typed confirmation.
///
/// # Errors
/// Why it does not.
pub fn release(people: &People, release: &Release) -> Result<(), Reason> {
    decides(people, release.tenant, release.by)?;
    let stands = people
        .stops
        .get(&release.scope)
        .filter(|stopped| stopped.digest == release.stop);
    let stopped = stands.ok_or(Reason::Decided)?;
    if people.second_needed() {
        // The same word twice is one person's.
        let said = stopped.releases.contains(&release.by);
        return if said { Err(Reason::Decided) } else { Ok(()) };
    }
    confirmed(release.confirmed, release.device.is_some())
}

/// Whether a table of rules counts: written over the one in force, within its limits, and such that there are people
/// enough to satisfy it.
///
/// # Errors
/// Why it does not.
pub fn rules(people: &People, wants: &Rules) -> Result<(), Reason> {
    decides(people, wants.tenant, wants.by)?;
    if wants.base != people.rules.digest {
        return Err(Reason::ViewMismatch);
    }
    if misfit(people, &wants.table).is_some() {
        return Err(Reason::NotEligible);
    }
    let manages = people.role(wants.by).is_some_and(Role::manages);
    let loosens = loosens(&people.rules.table, &wants.table);
    let wanted = people
        .rules
        .wanted
        .iter()
        .find(|wanted| wanted.table == wants.table);
    match wanted {
        Some(wanted) if wanted.by.contains(&wants.by) => Err(Reason::Decided),
        // A second person who decides may agree to what one who manages wants.
        Some(_) if loosens && people.second_needed() => Ok(()),
        Some(_) | None if !manages => Err(Reason::NotEligible),
        Some(_) | None if loosens && !people.second_needed() => {
            confirmed(wants.confirmed, wants.device.is_some())
        }
        Some(_) | None => Ok(()),
    }
}

/// Why nobody can put a table in force, a sentence: it is not within its limits, or there are not people enough to satisfy it.
pub fn misfit(people: &People, table: &[ApprovalRule]) -> Option<String> {
    let most = most_people(people);
    // A tool may be named before it is registered; its name is shown to everybody.
    let plain = |rule: &ApprovalRule| rule.tool.as_deref().is_none_or(is_sentence);
    if table.len() > MOST_RULES {
        Some(format!("A table has at most {MOST_RULES} rules."))
    } else if table.iter().any(|rule| rule.quorum == 0) {
        Some("A rule asks for one person at least.".to_owned())
    } else if table.iter().any(|rule| rule.quorum > most) {
        let decide = if most == 1 {
            "person decides"
        } else {
            "people decide"
        };
        Some(format!("{most} {decide} here: no rule can ask for more."))
    } else if !table.iter().all(plain) {
        Some("A tool's id is one plain line of at most 500 characters.".to_owned())
    } else if !table.iter().all(ApprovalRule::lifetime_fits) {
        Some("A time to live is from one minute to 30 days, in whole minutes.".to_owned())
    } else if !table.iter().all(ApprovalRule::hold_fits) {
        Some("An undo window is at most ten minutes, in whole seconds.".to_owned())
    } else if !table.iter().all(ApprovalRule::keep_fits) {
        Some(format!(
            "What was written is kept for one to {LONGEST_KEPT} days, or for ever."
        ))
    } else {
        None
    }
}

/// For how many people a rule can ask here.
pub fn most_people(people: &People) -> u32 {
    let deciders = u32::try_from(people.deciders()).unwrap_or(MOST_PEOPLE);
    deciders.clamp(1, MOST_PEOPLE)
}

/// Whether a device may go on with a new key: it is in service, the new key says that it takes over, and no device here
/// has or had that key. Numbers only go forwards, so nothing that was signed before changes its signer.
///
/// # Errors
/// Why it may not.
pub fn rotate(people: &People, rotate: &Rotate) -> Result<(), Reason> {
    let here = people
        .tenant
        .as_ref()
        .is_some_and(|tenant| tenant.id == rotate.tenant);
    let device = people.devices.get(&rotate.device).filter(|_| here);
    let device = device
        .filter(|device| device.endorsed_by.is_some())
        .ok_or(Reason::NotEligible)?;
    if device.revoked_at.is_some() {
        return Err(Reason::DeviceRevoked);
    }
    if people.devices.values().any(|known| known.has_had(rotate.key)) {
        return Err(Reason::NotEligible);
    }
    let last_turn = device.earlier_keys.last().map_or(0, |(last, _)| *last);
    if rotate.device_seq <= last_turn {
        return Err(Reason::Fork);
    }
    if rotate.is_proven() {
        Ok(())
    } else {
        Err(Reason::BadSignature)
    }
}

/// Whether what was written about a proposal may be erased: once it is over, by an owner or admin, or by the rules in force
/// once it has been over for as long as they keep it. `last` is the time of its newest entry ([`ProposalState::over_since`]).
///
/// # Errors
/// Why it may not.
pub fn erase(
    people: &People,
    proposal: &ProposalState,
    erase: &Erase,
    last: UnixMillis,
    now: UnixMillis,
) -> Result<(), Reason> {
    let here = people
        .tenant
        .as_ref()
        .is_some_and(|tenant| tenant.id == erase.tenant);
    said_plainly(Some(&erase.reason))?;
    let over = proposal.over_since(last, now).ok_or(Reason::TooLate);
    match (erase.by, erase.rules) {
        _ if !here => Err(Reason::NotEligible),
        (Some(person), None) if people.role(person).is_some_and(Role::manages) => over.map(drop),
        (None, Some(rules)) if people.rules.digest == Some(rules) => {
            let until = kept_until(people, proposal, over?).ok_or(Reason::NotEligible)?;
            if until <= now {
                Ok(())
            } else {
                Err(Reason::TooLate)
            }
        }
        (Some(_), _) | (None, _) => Err(Reason::NotEligible),
    }
}

/// Until when the rules in force keep what was written about a proposal that is over since then; `None`: for ever.
pub fn kept_until(people: &People, proposal: &ProposalState, over: UnixMillis) -> Option<UnixMillis> {
    kept(&people.rules.table, &proposal.tool, proposal.risk).map(|time| over + time)
}

/// Whether a word on an unknown outcome counts. Where money moved, nobody settles their own in a company, and in a tenant
/// of one it takes the person's device and a typed confirmation.
///
/// # Errors
/// Why it does not.
pub fn resolve(
    people: &People,
    proposal: &ProposalState,
    word: &Resolution,
    now: UnixMillis,
) -> Result<(), Reason> {
    let begun = proposal.begun.as_ref();
    if proposal.digest != word.proposal_digest || begun.is_some_and(|begun| begun.fence != word.fence) {
        return Err(Reason::DigestMismatch);
    }
    if !people.role(word.by).is_some_and(Role::decides) {
        return Err(Reason::NotEligible);
    }
    match proposal.status(now) {
        Status::Unknown => {}
        // It may still say by itself how it ended, or will never begin.
        Status::Proposed | Status::Pending | Status::Running => return Err(Reason::TooLate),
        Status::Completed
        | Status::Failed
        | Status::Rejected
        | Status::Denied
        | Status::Expired
        | Status::Withdrawn
        | Status::Superseded => return Err(Reason::Decided),
    }
    said_plainly(word.note.as_deref())?;
    let same = proposal
        .said
        .get(&word.by)
        .filter(|said| said.happened == word.happened);
    if same.is_some() {
        return Err(Reason::Decided);
    }
    if !moves_money(people, proposal) && proposal.settlers() == 1 {
        return Ok(());
    }
    let own = is_own(
        &proposal.proposer,
        people.owner_behind(&proposal.proposer),
        word.by,
    );
    match people.mode() {
        Mode::Company if own => Err(Reason::SelfApproval),
        Mode::Company => Ok(()),
        Mode::Solo => confirmed(word.confirmed, word.device.is_some()),
    }
}

/// Whether the word has to be confirmed: it is about money, and nobody else is there to say the same.
pub fn takes_confirmation(people: &People, proposal: &ProposalState) -> bool {
    people.mode() == Mode::Solo && (moves_money(people, proposal) || proposal.settlers() > 1)
}

fn moves_money(people: &People, proposal: &ProposalState) -> bool {
    let tool = people.tools.get(&proposal.tool);
    tool.is_some_and(|(_, manifest)| manifest.money)
}

fn decides(people: &People, tenant: TenantId, person: UserId) -> Result<(), Reason> {
    let ours = people.tenant.as_ref().is_some_and(|known| known.id == tenant);
    if ours && people.role(person).is_some_and(Role::decides) {
        Ok(())
    } else {
        Err(Reason::NotEligible)
    }
}

/// Everybody will read it.
fn said_plainly(text: Option<&str>) -> Result<(), Reason> {
    if text.is_none_or(is_sentence) {
        Ok(())
    } else {
        Err(Reason::ViewMismatch)
    }
}

fn confirmed(confirmed: bool, device: bool) -> Result<(), Reason> {
    if confirmed && device {
        Ok(())
    } else {
        Err(Reason::AssuranceTooLow)
    }
}

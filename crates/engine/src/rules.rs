//! What this person may do with a proposal, and why not. Pure: the domain's rules over what the journal says.

use countersign_domain::{
    UnixMillis,
    decision::{is_own, least_assurance},
    fold::{Cast, ProposalState, Status},
    id::{DeviceId, UserId},
    people::People,
    record::{Assurance, Mode, Risk, Role, Verdict},
};
use countersign_replica::{Card, Gap};

/// Buttons arm when the card has been still for so long.
pub(crate) const STILL_MS: u32 = 600;
const STILL_GRAVE_MS: u32 = 2_000;

/// Why a call over a device's connection cannot be approved yet.
pub(crate) const AWAITS_PREVIEW: &str =
    "The device that would run it still has to say what it would do: a minute at most.";

/// Whether a button may be pressed, and when.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Arm {
    /// A sentence that says why not; `None` when it may.
    pub why_not: Option<String>,
    /// For how long the card must have been on the screen unchanged.
    pub after_ms: u32,
    /// Everything that will run must have been in view.
    pub must_read_to_end: bool,
    /// Never straight from the list.
    pub open_first: bool,
}

impl Arm {
    /// Whether the button may be pressed at all.
    pub const fn is_armed(&self) -> bool {
        self.why_not.is_none()
    }
}

/// Who looks, from which device, at what time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Viewer {
    pub(crate) person: UserId,
    pub(crate) device: DeviceId,
    pub(crate) now: UnixMillis,
}

/// Whether the proposal is this person's own: proposed by them, for them, or by their agent.
pub(crate) fn own(card: &Card, people: &People, person: UserId) -> bool {
    let proposer = &card.proposal.proposer;
    is_own(proposer, people.owner_behind(proposer), person)
}

/// What an approval of this person has to carry.
pub(crate) fn needed(card: &Card, people: &People, person: UserId) -> Assurance {
    least_assurance(&card.state, people.mode(), own(card, people, person))
}

/// Whether this person could decide it now.
pub(crate) fn decidable(card: &Card, people: &People, person: UserId, now: UnixMillis) -> bool {
    card.gap.is_none() && why_not_decide(card, people, person, now).is_none()
}

/// Whether the approve button arms.
pub(crate) fn approve(card: &Card, people: &People, viewer: Viewer) -> Arm {
    let grave = card.state.risk >= Risk::High;
    let why_not = match card.gap {
        Some(Gap::NewerVersion) => {
            Some("This needs a newer version of Countersign to be decided.".to_owned())
        }
        Some(Gap::MissingBody) => {
            Some("Not everything about this can be seen here, so it cannot be approved here.".to_owned())
        }
        None => {
            why_not_decide(card, people, viewer.person, viewer.now).or_else(|| why_not_sign(people, viewer))
        }
    };
    let why_not = why_not.or_else(|| match card.view() {
        Ok(_) => None,
        Err(error) => {
            tracing::info!(proposal = %card.state.id, "No card can be made: {error}");
            Some("What would run cannot be shown here, so it cannot be approved here.".to_owned())
        }
    });
    Arm {
        why_not,
        after_ms: if grave { STILL_GRAVE_MS } else { STILL_MS },
        must_read_to_end: grave,
        open_first: grave,
    }
}

/// Whether the reject button arms. Nobody is kept from saying no to what they can decide, also where the card is not
/// whole.
pub(crate) fn reject(card: &Card, people: &People, viewer: Viewer) -> Arm {
    let why_not =
        why_not_reject(card, people, viewer.person, viewer.now).or_else(|| why_not_sign(people, viewer));
    Arm {
        why_not,
        after_ms: STILL_MS,
        must_read_to_end: false,
        open_first: false,
    }
}

/// Whether this person may take their own request back; `None` when it is not theirs, or over.
pub(crate) fn withdraw(card: &Card, people: &People, viewer: Viewer) -> Option<Arm> {
    let proposer = &card.proposal.proposer;
    let theirs = [proposer.person(), proposer.on_behalf_of].contains(&Some(viewer.person));
    (theirs && card.state.status(viewer.now).is_open()).then(|| Arm {
        why_not: why_not_sign(people, viewer),
        after_ms: STILL_MS,
        must_read_to_end: false,
        open_first: false,
    })
}

/// Whether this person may put another request in its place, or ask for it again where it came to nothing: their own, or one
/// that they decide on. `None` where that is never theirs.
pub(crate) fn edit(card: &Card, people: &People, viewer: Viewer) -> Option<Arm> {
    let proposer = &card.proposal.proposer;
    let theirs = proposer.person() == Some(viewer.person);
    let decides = people.role(viewer.person).is_some_and(Role::decides);
    let status = card.state.status(viewer.now);
    let offered = (theirs || decides) && (status.is_open() || status.came_to_nothing());
    offered.then(|| Arm {
        why_not: card
            .view()
            .err()
            .map(|_| "What would run cannot be shown here, so it cannot be edited here.".to_owned()),
        after_ms: 0,
        must_read_to_end: false,
        open_first: false,
    })
}

fn why_not_decide(card: &Card, people: &People, person: UserId, now: UnixMillis) -> Option<String> {
    if !people.role(person).is_some_and(Role::decides) {
        return Some("Your role here reads and does not decide.".to_owned());
    }
    if people.mode() == Mode::Company && own(card, people, person) {
        return Some("You proposed it, or it was proposed for you: somebody else decides.".to_owned());
    }
    let status = card.state.status(now);
    if status != Status::Proposed {
        return Some(over(status));
    }
    if card.state.awaits_preview() {
        return Some(AWAITS_PREVIEW.to_owned());
    }
    standing_approval(&card.state, person).map(|_| "You have approved it; it waits for others.".to_owned())
}

fn why_not_reject(card: &Card, people: &People, person: UserId, now: UnixMillis) -> Option<String> {
    if !people.role(person).is_some_and(Role::decides) {
        return Some("Your role here reads and does not decide.".to_owned());
    }
    let status = card.state.status(now);
    (!status.is_open()).then(|| over(status))
}

/// Whether this device's signature counts.
pub(crate) fn why_not_sign(people: &People, viewer: Viewer) -> Option<String> {
    match people.devices.get(&viewer.device) {
        Some(device) if device.is_active() => None,
        Some(device) if device.revoked_at.is_some() => {
            Some("This device has been revoked: its decisions do not count.".to_owned())
        }
        Some(device) => Some(format!(
            "This device is not in service yet. Ask an admin to confirm it: code {}.",
            device.code()
        )),
        None => Some("This device is being enrolled.".to_owned()),
    }
}

fn over(status: Status) -> String {
    match status {
        Status::Proposed => "It waits for a decision.",
        Status::Pending => "It is approved.",
        Status::Running => "It is running.",
        Status::Completed => "It is done.",
        Status::Failed => "It has failed.",
        Status::Unknown => "It has run, and its outcome is not known.",
        Status::Rejected => "It is rejected.",
        Status::Denied => "Policy denies it.",
        Status::Expired => "It has expired.",
        Status::Withdrawn => "Its proposer took it back.",
        Status::Superseded => "Another proposal has taken its place.",
    }
    .to_owned()
}

/// This person's own approval that stands and was not taken back.
pub(crate) fn standing_approval(state: &ProposalState, person: UserId) -> Option<&Cast> {
    let taken_back: Vec<_> = state.standing().filter_map(|cast| cast.retracts).collect();
    let mine = |cast: &&Cast| cast.approver == person && cast.verdict == Verdict::Approve;
    state
        .standing()
        .filter(mine)
        .find(|cast| !taken_back.contains(&cast.digest))
}

/// Whether an approval in the journal still carries a begin, by the rules of the domain and this device's own copy.
pub(crate) fn still_counts(card: &Card, people: &People, cast: &Cast, now: UnixMillis) -> bool {
    let role = people.role(cast.approver).is_some_and(Role::decides);
    let own = own(card, people, cast.approver);
    let apart = people.mode() == Mode::Solo || !own;
    let device = match cast.device {
        None => cast.assurance == Assurance::Session,
        // One that was taken out of service since may have been in good hands then: what it may not carry any more the tenant
        // has voided, and the executor looks at its number again.
        Some(id) => people
            .devices
            .get(&id)
            .is_some_and(|device| device.endorsed_by.is_some() && device.user == cast.approver),
    };
    let sure = cast.assurance >= least_assurance(&card.state, people.mode(), own);
    role && apart && device && sure && cast.expires_at > now
}

//! One proposal's story in plain words, each sentence an entry that is shown to be in the tree.

use core::fmt;

use countersign_domain::{
    Digest, Record, UnixMillis,
    bundle::{Content, Entry},
    id::{DeviceId, ProposalId, UserId},
    journal::verify_inclusion,
    people::People,
    record::{
        Actor, Assurance, Begin, Body, Decision, Erase, Evaluation, Holder, Kind, Outcome, PolicyDecision,
        Preview, PreviewOutcome, Proposal, ProposerKind, Receipt, Remark, Resolution, Supersede, Verdict,
        Void, Withdraw,
    },
    render,
};
use serde::Serialize;

use crate::{nodes::Nodes, report::safe};

/// What the journal says of one proposal.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Story {
    pub proposal: ProposalId,
    /// Size and root of the tree that the proofs lead to.
    pub size: u64,
    pub root: Digest,
    pub chapters: Vec<Chapter>,
}

/// One entry of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Chapter {
    pub entry: u64,
    pub at: UnixMillis,
    /// What it says, with what others wrote made harmless to look at.
    pub text: String,
    pub leaf: Digest,
    /// Its siblings in the tree, from the bottom up (RFC 6962 §2.1.1).
    pub inclusion: Vec<Digest>,
}

/// Listens for what concerns one proposal.
#[derive(Debug)]
pub(crate) struct Teller {
    proposal: ProposalId,
    subject: String,
    chapters: Vec<Chapter>,
}

impl Teller {
    pub(crate) fn new(proposal: ProposalId) -> Self {
        Self {
            proposal,
            subject: format!("proposal/{proposal}"),
            chapters: Vec::new(),
        }
    }

    /// `people` as they are after this entry.
    pub(crate) fn hear(&mut self, entry: &Entry, people: &People) {
        if entry.header.subject != self.subject {
            return;
        }
        let text = match &entry.content {
            Content::Known(record) => sentence(record, people).unwrap_or_else(|| record.kind.to_string()),
            Content::Newer => format!("Something that this version cannot read ({}).", entry.header.kind),
            Content::Withheld(kind) => format!("A {kind} whose text is withheld from this bundle."),
            Content::Erased(kind) => format!("A {kind} whose text was erased."),
        };
        self.chapters.push(Chapter {
            entry: entry.header.seq,
            at: entry.header.at,
            text: safe(&text),
            leaf: entry.leaf,
            inclusion: Vec::new(),
        });
    }

    /// The story, every entry proved; `None` when there is none, or a proof does not hold.
    pub(crate) fn finish(mut self, nodes: &Nodes) -> Option<Story> {
        let (size, root) = (nodes.size(), nodes.root());
        for chapter in &mut self.chapters {
            chapter.inclusion = nodes.inclusion(chapter.entry).ok()?;
            verify_inclusion(chapter.leaf, chapter.entry - 1, size, root, &chapter.inclusion).ok()?;
        }
        (!self.chapters.is_empty()).then_some(Story {
            proposal: self.proposal,
            size,
            root,
            chapters: self.chapters,
        })
    }
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Proposal {}", self.proposal)?;
        for Chapter { entry, at, text, .. } in &self.chapters {
            writeln!(f, "  {at}  entry {entry}: {text}")?;
        }
        if let Some(Chapter {
            entry,
            leaf,
            inclusion,
            ..
        }) = self.chapters.first()
        {
            writeln!(
                f,
                "\nProof that entry {entry} is in the tree of {} entries (RFC 6962):",
                self.size
            )?;
            writeln!(f, "  leaf {leaf}")?;
            for hash in inclusion {
                writeln!(f, "  with {hash}")?;
            }
            writeln!(f, "  root {}", self.root)?;
        }
        Ok(())
    }
}

fn sentence(record: &Record, people: &People) -> Option<String> {
    fn body<B: Body>(record: &Record) -> Option<B> {
        record.body().ok()
    }
    Some(match record.kind {
        Kind::Proposal => proposed(&body(record)?, people),
        Kind::Preview => match body::<Preview>(record)?.outcome {
            PreviewOutcome::Shown { .. } => "It was said beforehand what the call would do.".to_owned(),
            PreviewOutcome::Unavailable { reason } => {
                format!("What the call would do could not be said: {reason}")
            }
        },
        Kind::Evaluation => {
            let Evaluation {
                decision,
                reason,
                requirement,
                ..
            } = body(record)?;
            match decision {
                PolicyDecision::Allow => format!("Policy allowed it: {reason}"),
                PolicyDecision::Deny => format!("Policy denied it: {reason}"),
                PolicyDecision::RequiresApproval => {
                    format!(
                        "Policy asked for {} to approve it: {reason}",
                        of_people(requirement.quorum)
                    )
                }
            }
        }
        Kind::Decision => decided(&body(record)?, people),
        Kind::Void => {
            let Void { decision, reason, .. } = body(record)?;
            format!(
                "What was signed as {} does not count: {reason}",
                decision.fingerprint()
            )
        }
        Kind::Withdraw => {
            let Withdraw { by, reason, .. } = body(record)?;
            let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
            format!("{} took it back{reason}", actor(by, people))
        }
        Kind::Supersede => match body::<Supersede>(record)? {
            Supersede {
                reason,
                successor: Some(successor),
                ..
            } => {
                format!("It was replaced by {successor}: {reason}")
            }
            Supersede { reason, .. } => format!("It was closed: {reason}"),
        },
        Kind::Expire => "Its time was up.".to_owned(),
        Kind::Begin => {
            let Begin {
                authority, executor, ..
            } = body(record)?;
            let on = match authority.len() {
                0 => "policy's word".to_owned(),
                1 => "one approval".to_owned(),
                many => format!("{many} approvals"),
            };
            format!("{} began to run it, on {on}.", holder(executor, people))
        }
        Kind::Receipt => {
            let Receipt { outcome, summary, .. } = body(record)?;
            match outcome {
                Outcome::Completed => format!("It was done: {summary}"),
                Outcome::Failed => format!("It failed: {summary}"),
                Outcome::Unknown => format!("Whether it was done is not known: {summary}"),
            }
        }
        Kind::Resolution => {
            let Resolution {
                by, happened, note, ..
            } = body(record)?;
            let what = if happened {
                "it happened"
            } else {
                "it did not happen"
            };
            let note = note.map(|note| format!(": {note}")).unwrap_or_default();
            format!("{} said that {what}{note}", person(by, people))
        }
        Kind::Erase => {
            let Erase { by, reason, .. } = body(record)?;
            let who = by.map_or_else(|| "The rules".to_owned(), |by| person(by, people));
            format!("{who} had what was written erased: {reason}")
        }
        Kind::Remark => {
            let Remark {
                answers, by, text, ..
            } = body(record)?;
            let says = if answers.is_some() { "answered" } else { "asked" };
            format!("{} {says}: {text}", actor(by, people))
        }
        Kind::Lapse => "Who ran it went silent: whether it was done is not known.".to_owned(),
        Kind::Genesis
        | Kind::Member
        | Kind::Invite
        | Kind::Agent
        | Kind::Connection
        | Kind::Manifest
        | Kind::Enrol
        | Kind::Endorse
        | Kind::Revoke
        | Kind::Refuse
        | Kind::Stop
        | Kind::Release
        | Kind::Rules
        | Kind::Rotate => return None,
    })
}

fn proposed(proposal: &Proposal, people: &People) -> String {
    let who = match proposal.proposer.kind {
        ProposerKind::Agent => format!("The agent {}", proposal.proposer.name),
        ProposerKind::User => proposal.proposer.name.clone(),
        ProposerKind::System => "The server".to_owned(),
    };
    let behalf = match proposal.proposer.on_behalf_of {
        Some(user) => format!(" for {}", person(user, people)),
        None => String::new(),
    };
    let manifest = people
        .tools
        .get(&proposal.tool.id)
        .filter(|(digest, _)| *digest == proposal.tool.manifest);
    let what = match (manifest, proposal.args.as_object()) {
        (Some((_, manifest)), Some(args)) => render::flat(&render::sentence(&manifest.sentence, args)),
        _ => format!("a call of {}", proposal.tool.id),
    };
    let others: Vec<_> = proposal
        .proposer
        .contributors
        .iter()
        .map(|user| person(*user, people))
        .collect();
    let also = if others.is_empty() {
        String::new()
    } else {
        format!(", also by {}", others.join(" and "))
    };
    format!(
        "{who} proposed{behalf}{also}: {what} (risk {})",
        proposal.risk.name()
    )
}

fn decided(decision: &Decision, people: &People) -> String {
    let verb = match decision.verdict {
        Verdict::Approve => "approved it",
        Verdict::Reject => "rejected it",
        Verdict::Retract => "took an approval back",
    };
    let by = match decision.device {
        Some(id) => format!("signed by {}", device(id, people)),
        None => "in a signed-in session, on the server's word".to_owned(),
    };
    let confirmed = match decision.assurance {
        Assurance::DeviceConfirmed => ", confirmed by typing",
        Assurance::Session | Assurance::Device => "",
    };
    let offline = if decision.offline { ", offline" } else { "" };
    let comment = decision
        .comment
        .as_ref()
        .map(|text| format!(": {text}"))
        .unwrap_or_default();
    format!(
        "{} {verb}, {by}{confirmed}{offline}, at {} by that clock{comment}",
        person(decision.approver, people),
        decision.decided_at
    )
}

fn of_people(quorum: u32) -> String {
    match quorum {
        0 | 1 => "one person".to_owned(),
        many => format!("{many} people"),
    }
}

fn actor(actor: Actor, people: &People) -> String {
    match actor {
        Actor::User(user) => person(user, people),
        Actor::Agent(agent) => match people.agents.get(&agent) {
            Some(known) => format!("The agent {}", known.name),
            None => format!("The agent {agent}"),
        },
        Actor::Server => "The server".to_owned(),
    }
}

fn holder(holder: Holder, people: &People) -> String {
    match holder {
        Holder::Tenant => "The server".to_owned(),
        Holder::Device(id) => device(id, people),
    }
}

fn person(user: UserId, people: &People) -> String {
    match people.members.get(&user) {
        Some(person) => format!("{} <{}>", person.name, person.email),
        None => format!("the person {user}"),
    }
}

fn device(id: DeviceId, people: &People) -> String {
    match people.devices.get(&id) {
        Some(device) => format!("the device {} of {}", device.name, person(device.user, people)),
        None => format!("the device {id}"),
    }
}

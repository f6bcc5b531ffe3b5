//! What comes out.

use core::fmt;

use countersign_domain::{
    Digest, UnixMillis,
    bundle::{Counts, Fault, Place, Profile},
    dsse::PublicKey,
    id::{ProposalId, TenantId},
    render,
};
use serde::Serialize;

use crate::{Found, Story};

/// What to look for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// The log key that the reader knows from elsewhere.
    pub trust: Option<PublicKey>,
    /// The proposal whose story is wanted.
    pub proposal: Option<ProposalId>,
}

/// What was found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Report {
    #[serde(flatten)]
    pub verdict: Verdict,
    /// What the first line says; `None` when there is no such line.
    pub about: Option<About>,
    /// What was there, as far as it was read.
    pub counts: Counts,
    pub found: Found,
    /// What was asked for, when it is there and the bundle is whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub story: Option<Story>,
}

/// How it stands.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// Every byte is there and is the log's, and whatever counts or ran had to.
    Whole,
    /// Something is not. It is the first such place: nothing is said of what comes after it.
    Tampered {
        /// The entry, when it is one.
        #[serde(skip_serializing_if = "Option::is_none")]
        entry: Option<u64>,
        place: String,
        problem: String,
    },
    /// It breaks off; what is there is in order.
    Incomplete,
}

impl Verdict {
    /// The exit code that says so.
    pub const fn code(&self) -> u8 {
        match self {
            Self::Whole => 0,
            Self::Tampered { .. } => 1,
            Self::Incomplete => 2,
        }
    }
}

impl From<Fault> for Verdict {
    fn from(fault: Fault) -> Self {
        let entry = match fault.place {
            Place::Entry(seq) => Some(seq),
            Place::Segment { first, .. } => Some(first),
            Place::Opening | Place::End => None,
        };
        Self::Tampered {
            entry,
            place: fault.place.to_string(),
            problem: fault.problem,
        }
    }
}

/// Which journal it is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct About {
    pub tenant: TenantId,
    /// From the genesis, once that was read.
    pub name: Option<String>,
    pub log_key: PublicKey,
    /// Whether that is the key that the reader trusts. Without one it is only consistent.
    pub key_checked: bool,
    pub profile: Profile,
    /// How many entries the signed checkpoint is for.
    pub size: u64,
    pub root: Digest,
    /// Time of the newest entry that was read.
    pub until: Option<UnixMillis>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(about) = &self.about {
            about.fmt(f)?;
        }
        let trusted = self.about.as_ref().is_some_and(|about| about.key_checked);
        match &self.verdict {
            Verdict::Whole if trusted => writeln!(
                f,
                "WHOLE: every entry is the log's, and the log key is the one you trust."
            )?,
            Verdict::Whole => writeln!(
                f,
                "WHOLE: consistent, key not checked. Compare the log key with the one that you know from elsewhere."
            )?,
            Verdict::Tampered { place, problem, .. } => {
                writeln!(f, "TAMPERED at {place}: {}", safe(problem))?;
            }
            Verdict::Incomplete => writeln!(
                f,
                "INCOMPLETE: it breaks off after entry {}. What is there is in order.",
                self.counts.entries
            )?,
        }
        let Found {
            signatures,
            signatures_not_judged,
            decisions_effective,
            decisions_refused,
            decisions_not_judged,
            runs,
            runs_not_judged,
            witnesses,
            endorsed_by_server,
            device_gaps,
            newer,
            erased_unsaid,
        } = self.found;
        let Counts {
            entries,
            withheld,
            erased,
            ..
        } = self.counts;
        writeln!(
            f,
            "{entries} entries; bodies withheld {withheld}, erased {erased}"
        )?;
        writeln!(
            f,
            "{signatures} signatures of devices hold; {signatures_not_judged} could not be judged"
        )?;
        writeln!(
            f,
            "{decisions_effective} decisions count, {decisions_refused} were refused; {decisions_not_judged} could not be judged"
        )?;
        writeln!(
            f,
            "{runs} runs had their authority; {runs_not_judged} could not be judged"
        )?;
        writeln!(
            f,
            "{witnesses} decisions bear witness to an earlier state of this journal"
        )?;
        if erased_unsaid > 0 {
            writeln!(
                f,
                "{erased_unsaid} bodies are erased and no entry up to here says so: ask for the whole journal"
            )?;
        }
        if device_gaps > 0 {
            writeln!(
                f,
                "{device_gaps} numbers of devices are not here: never sent, not taken, or kept back"
            )?;
        }
        if endorsed_by_server > 0 {
            writeln!(
                f,
                "{endorsed_by_server} devices were vouched for by the server itself: ask who did that"
            )?;
        }
        if newer > 0 {
            writeln!(
                f,
                "{newer} entries are of kinds that this version does not know: what they change is not judged"
            )?;
        }
        match &self.story {
            Some(story) => write!(f, "\n{story}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name.as_deref().unwrap_or("of unknown name");
        writeln!(f, "Journal of {} ({})", safe(name), self.tenant)?;
        writeln!(f, "Log key {}", self.log_key)?;
        writeln!(f, "Checkpoint: {} entries, root {}", self.size, self.root)?;
        if let Some(until) = self.until {
            writeln!(f, "Newest entry read: {until}")?;
        }
        Ok(())
    }
}

/// Text of others as it may stand in a terminal.
pub(crate) fn safe(text: &str) -> String {
    render::flat(&render::visible(text))
}

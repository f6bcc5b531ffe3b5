//! A proposal's state as a pure fold over its journal entries, and the merge of its decisions.
//!
//! INVARIANT: the state after any prefix of the journal depends on that prefix alone, and on the decisions in it only
//! as a set. Time enters in one place, [`ProposalState::status`], and there as an argument.

use std::{cmp::Ordering, collections::BTreeMap};

use serde::{Deserialize, Serialize};

use crate::{
    Digest, Millis, UnixMillis,
    id::{DeviceId, ProposalId, UserId},
    record::{
        Actor, Assurance, Begin, Decision, EffectClass, Erase, Evaluation, Executor, Expire, Failure, Holder,
        InvalidRecord, Kind, Lapse, Outcome, PolicyDecision, Preview, PreviewOutcome, Proposal, Proposer,
        Reason, Receipt, Record, Remark, Requirement, Resolution, Risk, Supersede, Verdict, Void, Withdraw,
    },
};

/// Everything that the journal says of one proposal.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProposalState {
    pub id: ProposalId,
    pub digest: Digest,
    /// Sequence number of the proposal's own entry.
    pub created_seq: u64,
    /// Sequence number of the newest entry about it.
    pub last_seq: u64,
    pub created_at: UnixMillis,
    pub expires_at: UnixMillis,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<UnixMillis>,
    pub proposer: Proposer,
    pub tool: String,
    pub manifest: Digest,
    pub effect: EffectClass,
    /// As assessed at ingress; one step worse when no preview could be made.
    pub risk: Risk,
    /// Who executes it.
    pub executor: Executor,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<crate::record::ConnectionRef>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicySays>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<Digest>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decisions: Vec<Cast>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub voids: BTreeMap<Digest, Reason>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<Closed>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun: Option<Begun>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lapsed_at: Option<UnixMillis>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
    /// What was asked of its proposer, in the order of the entries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub questions: Vec<Question>,
    /// What people have said of an unknown outcome: the newest word of each.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub said: BTreeMap<UserId, Said>,
    /// What enough of them have said. The run's fence ended with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved: Option<Resolved>,
    /// Since when a late receipt says the opposite of what people had said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contradicted_at: Option<UnixMillis>,
}

/// A question to the proposer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Time of its entry.
    pub at: UnixMillis,
    pub by: UserId,
    pub digest: Digest,
    pub text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answered>,
}

/// The answer to a question: the first one that the journal has.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answered {
    /// Time of its entry.
    pub at: UnixMillis,
    pub by: Actor,
    pub digest: Digest,
    pub text: String,
}

/// One person's word on an unknown outcome.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Said {
    pub at: UnixMillis,
    pub happened: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    pub digest: Digest,
}

/// What people have settled.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resolved {
    pub at: UnixMillis,
    pub happened: bool,
}

/// What policy has said so far: the newest evaluation, as far as it is not looser than those before.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicySays {
    pub decision: PolicyDecision,
    pub reason: String,
    pub policies: Vec<String>,
    pub requirement: Requirement,
    /// Time of the entry: for an allowed call the start of its hold.
    pub at: UnixMillis,
}

impl PolicySays {
    /// What it says after a later evaluation, which can only tighten it (design §8).
    fn tightened(self, newest: Self) -> Self {
        let requirement = self.requirement.max(newest.requirement);
        match newest.decision.cmp(&self.decision) {
            Ordering::Less => Self { requirement, ..self },
            // The hold of an allowed call began when it was first allowed.
            Ordering::Equal => Self {
                requirement,
                at: self.at,
                ..newest
            },
            Ordering::Greater => Self {
                requirement,
                ..newest
            },
        }
    }
}

/// One decision in the journal.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cast {
    /// Time of the entry, the server's; what order and expiry go by.
    pub at: UnixMillis,
    pub digest: Digest,
    pub verdict: Verdict,
    pub approver: UserId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceId>,
    pub assurance: Assurance,
    pub decided_at: UnixMillis,
    pub expires_at: UnixMillis,
    pub offline: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retracts: Option<Digest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Sequence number of its entry: where its signed bytes are.
    pub seq: u64,
}

/// An end without a run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Closed {
    Withdrawn {
        at: UnixMillis,
    },
    Superseded {
        at: UnixMillis,
        reason: String,
        successor: Option<ProposalId>,
    },
    Expired {
        at: UnixMillis,
    },
}

/// The accepted begin.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Begun {
    pub at: UnixMillis,
    pub executor: Executor,
    pub fence: u64,
    pub digest: Digest,
}

/// The accepted receipt.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ended {
    pub at: UnixMillis,
    pub outcome: Outcome,
    pub summary: String,
    pub started_at: UnixMillis,
    pub finished_at: UnixMillis,
    pub dispatched: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    pub digest: Digest,
}

/// Where a proposal stands (design §5). `Pending` keeps the seed's meaning: approved, waiting to run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Proposed,
    Pending,
    Running,
    Completed,
    Failed,
    Unknown,
    Rejected,
    Denied,
    Expired,
    Withdrawn,
    Superseded,
}

impl Status {
    /// Every status with its name on the wire.
    pub const ALL: [(Self, &'static str); 11] = [
        (Self::Proposed, "proposed"),
        (Self::Pending, "pending"),
        (Self::Running, "running"),
        (Self::Completed, "completed"),
        (Self::Failed, "failed"),
        (Self::Unknown, "unknown"),
        (Self::Rejected, "rejected"),
        (Self::Denied, "denied"),
        (Self::Expired, "expired"),
        (Self::Withdrawn, "withdrawn"),
        (Self::Superseded, "superseded"),
    ];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    /// Reads a name from the wire.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(_, n)| *n == name)
            .map(|(status, _)| *status)
    }

    /// Whether nothing more will happen to the proposal by itself. `Unknown` waits for people or a late receipt.
    pub const fn is_final(self) -> bool {
        !matches!(
            self,
            Self::Proposed | Self::Pending | Self::Running | Self::Unknown
        )
    }

    /// Whether it is over, nothing has happened, and nothing else was asked for in its place: then the same may be asked for
    /// again.
    pub const fn came_to_nothing(self) -> bool {
        matches!(
            self,
            Self::Failed | Self::Rejected | Self::Denied | Self::Expired | Self::Withdrawn
        )
    }

    /// Whether it is neither over nor begun.
    pub const fn is_open(self) -> bool {
        self.still_open().is_ok()
    }

    /// That it is neither over nor begun.
    ///
    /// # Errors
    /// Why it is too late.
    pub const fn still_open(self) -> Result<(), Reason> {
        match self {
            Self::Proposed | Self::Pending => Ok(()),
            Self::Running | Self::Completed | Self::Failed | Self::Unknown => Err(Reason::TooLate),
            Self::Rejected => Err(Reason::Decided),
            Self::Denied => Err(Reason::DeniedByPolicy),
            Self::Expired => Err(Reason::Expired),
            Self::Withdrawn => Err(Reason::Withdrawn),
            Self::Superseded => Err(Reason::Superseded),
        }
    }

    /// What a recorded status is at `now`: what is open is over once it has expired, entry or no entry.
    #[must_use]
    pub fn at(self, now: UnixMillis, expires_at: UnixMillis) -> Self {
        if self.is_open() && expires_at <= now {
            Self::Expired
        } else {
            self
        }
    }
}

/// What the decisions of a proposal come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Merged {
    /// Still `need - have` people short.
    Open { have: u32, need: u32 },
    /// Enough distinct people approved; the quorum was whole at `at`.
    Approved { at: UnixMillis },
    /// Somebody rejected it first at `at`.
    Rejected { at: UnixMillis },
}

/// A journal entry cannot follow the state that it was applied to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FoldError {
    #[error(transparent)]
    Record(#[from] InvalidRecord),
    /// The entry is about another proposal, or is not about a proposal at all.
    #[error("a {0} entry that does not belong to this proposal")]
    NotOurs(Kind),
}

impl ProposalState {
    /// The state right after the proposal's own entry.
    pub fn new(proposal: &Proposal, digest: Digest, seq: u64) -> Self {
        Self {
            id: proposal.id,
            digest,
            created_seq: seq,
            last_seq: seq,
            created_at: proposal.created_at,
            expires_at: proposal.expires_at,
            not_before: proposal.not_before,
            proposer: proposal.proposer.clone(),
            tool: proposal.tool.id.clone(),
            manifest: proposal.tool.manifest,
            effect: proposal.effect,
            risk: proposal.risk,
            executor: proposal
                .connection
                .as_ref()
                .map_or(Holder::Tenant, |connection| connection.holder),
            connection: proposal.connection.clone(),
            policy: None,
            preview: None,
            decisions: Vec::new(),
            voids: BTreeMap::new(),
            closed: None,
            begun: None,
            lapsed_at: None,
            ended: None,
            questions: Vec::new(),
            said: BTreeMap::new(),
            resolved: None,
            contradicted_at: None,
        }
    }

    /// Takes one later entry of the same proposal into account. `at` is the entry's time.
    ///
    /// # Errors
    /// When the entry is not about this proposal or its body does not parse; the state is then unchanged.
    pub fn apply(&mut self, seq: u64, at: UnixMillis, record: &Record) -> Result<(), FoldError> {
        match record.kind {
            Kind::Evaluation => self.policy(at, record.body::<Evaluation>()?)?,
            Kind::Preview => self.previewed(record.digest, &record.body()?)?,
            Kind::Decision => self.cast(seq, at, record.digest, record.body::<Decision>()?)?,
            Kind::Void => {
                let void: Void = record.body()?;
                self.ours(Kind::Void, void.proposal)?;
                // The first reason is the one that its author was told.
                self.voids.entry(void.decision).or_insert(void.reason);
            }
            Kind::Withdraw => {
                self.ours(Kind::Withdraw, record.body::<Withdraw>()?.proposal)?;
                if !self.voids.contains_key(&record.digest) {
                    self.close(Closed::Withdrawn { at });
                }
            }
            Kind::Supersede => {
                let supersede: Supersede = record.body()?;
                self.ours(Kind::Supersede, supersede.proposal)?;
                self.close(Closed::Superseded {
                    at,
                    reason: supersede.reason,
                    successor: supersede.successor,
                });
            }
            Kind::Expire => {
                self.ours(Kind::Expire, record.body::<Expire>()?.proposal)?;
                self.close(Closed::Expired { at });
            }
            Kind::Begin => {
                let begin: Begin = record.body()?;
                self.ours(Kind::Begin, begin.proposal)?;
                self.begun.get_or_insert(Begun {
                    at,
                    executor: begin.executor,
                    fence: begin.fence,
                    digest: record.digest,
                });
            }
            Kind::Receipt => self.end(at, record.digest, record.body::<Receipt>()?)?,
            Kind::Lapse => {
                let lapse: Lapse = record.body()?;
                self.ours(Kind::Lapse, lapse.proposal)?;
                if self.runs_under(lapse.fence) {
                    self.lapsed_at.get_or_insert(at);
                }
            }
            Kind::Remark => self.remark(at, record.digest, record.body()?)?,
            Kind::Resolution => self.resolve(at, record.digest, record.body()?)?,
            // It says nothing about what happened.
            Kind::Erase => self.ours(Kind::Erase, record.body::<Erase>()?.proposal)?,
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
            | Kind::Rotate
            | Kind::Proposal => return Err(FoldError::NotOurs(record.kind)),
        }
        self.last_seq = seq;
        Ok(())
    }

    /// Where the proposal stands at `now`. Only expiry depends on `now`: an `expire` entry may be late, the answer
    /// is not.
    pub fn status(&self, now: UnixMillis) -> Status {
        self.recorded_status().at(now, self.expires_at)
    }

    /// Where the entries alone put the proposal, whatever the time is.
    pub fn recorded_status(&self) -> Status {
        if let Some(resolved) = self.resolved {
            return if resolved.happened {
                Status::Completed
            } else {
                Status::Failed
            };
        }
        if let Some(ended) = &self.ended {
            return match ended.outcome {
                Outcome::Completed => Status::Completed,
                Outcome::Failed => Status::Failed,
                Outcome::Unknown => Status::Unknown,
            };
        }
        if self.begun.is_some() {
            return if self.lapsed_at.is_some() {
                Status::Unknown
            } else {
                Status::Running
            };
        }
        let decision = self.policy.as_ref().map(|policy| policy.decision);
        // What people and policy have refused stays refused, whatever entry follows.
        match (decision, self.merged(), &self.closed) {
            (_, Merged::Rejected { .. }, _) => Status::Rejected,
            (Some(PolicyDecision::Deny), ..) => Status::Denied,
            (.., Some(Closed::Withdrawn { .. })) => Status::Withdrawn,
            (.., Some(Closed::Superseded { .. })) => Status::Superseded,
            (.., Some(Closed::Expired { .. })) => Status::Expired,
            (Some(PolicyDecision::Allow), ..)
            | (Some(PolicyDecision::RequiresApproval), Merged::Approved { .. }, None) => Status::Pending,
            (Some(PolicyDecision::RequiresApproval) | None, ..) => Status::Proposed,
        }
    }

    /// Since when it is over, when its newest entry is of `last`, but for one that only says that its time is up: that may be
    /// late. `None` while it is not over.
    pub fn over_since(&self, last: UnixMillis, now: UnixMillis) -> Option<UnixMillis> {
        match self.status(now) {
            Status::Expired => Some(last.max(self.expires_at)),
            status if status.is_final() => Some(last),
            _ => None,
        }
    }

    /// The earliest time at which a pending call may begin: its hold after the approval was whole, or the scheduled
    /// time when that is later. `None` while it is not pending.
    pub fn held_until(&self) -> Option<UnixMillis> {
        let policy = self.policy.as_ref()?;
        if self.recorded_status() != Status::Pending {
            return None;
        }
        let from = match (policy.decision, self.merged()) {
            (PolicyDecision::RequiresApproval, Merged::Approved { at }) => at,
            _ => policy.at,
        };
        let held = from + policy.requirement.hold;
        Some(self.not_before.map_or(held, |scheduled| held.max(scheduled)))
    }

    /// The decisions that stand: journalled, not void.
    pub fn standing(&self) -> impl Iterator<Item = &Cast> + Clone {
        self.decisions
            .iter()
            .filter(|cast| !self.voids.contains_key(&cast.digest))
    }

    /// What the standing decisions come to under the newest requirement.
    pub fn merged(&self) -> Merged {
        let need = self.policy.as_ref().map_or(1, |policy| policy.requirement.quorum);
        merge(self.counting(), need)
    }

    /// The approvals that a begin would stand on, one for each person, in order of digest.
    pub fn authority(&self) -> Vec<Digest> {
        let mut digests: Vec<_> = approvals(self.counting())
            .into_values()
            .map(|cast| cast.digest)
            .collect();
        digests.sort_unstable();
        digests
    }

    /// The approvals of one person that stand and were not taken back, strong enough or not.
    pub(crate) fn approvals_of(&self, person: UserId) -> impl Iterator<Item = &Cast> {
        let retracted = retracted(self.standing());
        self.standing().filter(move |cast| {
            cast.verdict == Verdict::Approve
                && cast.approver == person
                && !retracted.contains(&(person, cast.digest))
        })
    }

    /// Whether an approval is as strong as the newest requirement wants it.
    pub(crate) fn suffices(&self, cast: &Cast) -> bool {
        self.policy
            .as_ref()
            .is_none_or(|policy| cast.assurance >= policy.requirement.assurance)
    }

    /// The decisions that count: a requirement that grew since leaves approvals standing that no longer do.
    fn counting(&self) -> impl Iterator<Item = &Cast> + Clone {
        self.standing()
            .filter(|cast| cast.verdict != Verdict::Approve || self.suffices(cast))
    }

    /// Whether the device that would make the call has still to say what it would do. It is not approved before.
    pub const fn awaits_preview(&self) -> bool {
        matches!(self.executor, Holder::Device(_)) && self.preview.is_none()
    }

    /// Whether policy would ask for more than it has so far, or deny what it let through.
    pub fn is_tightened_by(&self, decision: PolicyDecision, requirement: Requirement) -> bool {
        self.policy.as_ref().is_none_or(|policy| {
            decision > policy.decision || policy.requirement.max(requirement) != policy.requirement
        })
    }

    /// Whether the accepted begin was under this fence.
    fn runs_under(&self, fence: u64) -> bool {
        self.begun.as_ref().is_some_and(|begun| begun.fence == fence)
    }

    /// The first end without a run stands; there is none after begin.
    fn close(&mut self, closed: Closed) {
        if self.begun.is_none() {
            self.closed.get_or_insert(closed);
        }
    }

    fn ours(&self, kind: Kind, proposal: ProposalId) -> Result<(), FoldError> {
        if proposal == self.id {
            Ok(())
        } else {
            Err(FoldError::NotOurs(kind))
        }
    }

    /// The first preview stands: it is the one that people have seen. Where none could be made the risk goes one step up.
    fn previewed(&mut self, digest: Digest, preview: &Preview) -> Result<(), FoldError> {
        self.ours(Kind::Preview, preview.proposal)?;
        if self.preview.is_some() || self.voids.contains_key(&digest) {
            return Ok(());
        }
        self.preview = Some(digest);
        if matches!(preview.outcome, PreviewOutcome::Unavailable { .. }) {
            self.risk = self.risk.raised();
        }
        Ok(())
    }

    fn policy(&mut self, at: UnixMillis, evaluation: Evaluation) -> Result<(), FoldError> {
        self.ours(Kind::Evaluation, evaluation.proposal)?;
        let newest = PolicySays {
            decision: evaluation.decision,
            reason: evaluation.reason,
            policies: evaluation.policies,
            requirement: evaluation.requirement,
            at,
        };
        self.policy = Some(match self.policy.take() {
            Some(before) => before.tightened(newest),
            None => newest,
        });
        Ok(())
    }

    fn cast(
        &mut self,
        seq: u64,
        at: UnixMillis,
        digest: Digest,
        decision: Decision,
    ) -> Result<(), FoldError> {
        self.ours(Kind::Decision, decision.proposal)?;
        if self.decisions.iter().any(|known| known.digest == digest) {
            return Ok(());
        }
        // Kept sorted, so that the state is the same whatever order the set arrived in.
        let cast = Cast {
            at,
            digest,
            verdict: decision.verdict,
            approver: decision.approver,
            device: decision.device,
            assurance: decision.assurance,
            decided_at: decision.decided_at,
            expires_at: decision.expires_at,
            offline: decision.offline,
            retracts: decision.retracts,
            comment: decision.comment,
            seq,
        };
        if let Err(place) = self.decisions.binary_search(&cast) {
            self.decisions.insert(place, cast);
        }
        Ok(())
    }

    /// The oldest question that nobody has answered, while that can still change something.
    pub fn open_question(&self) -> Option<&Question> {
        let open = self.recorded_status().is_open();
        self.questions
            .iter()
            .find(|question| open && question.answer.is_none())
    }

    fn remark(&mut self, at: UnixMillis, digest: Digest, remark: Remark) -> Result<(), FoldError> {
        self.ours(Kind::Remark, remark.proposal)?;
        if self.voids.contains_key(&digest) {
            return Ok(());
        }
        let Remark {
            answers, by, text, ..
        } = remark;
        match (answers, by) {
            (None, Actor::User(by)) => {
                if !self.questions.iter().any(|known| known.digest == digest) {
                    let answer = None;
                    self.questions.push(Question {
                        at,
                        by,
                        digest,
                        text,
                        answer,
                    });
                }
            }
            (Some(question), by) => {
                let asked = self.questions.iter_mut().find(|known| known.digest == question);
                if let Some(asked) = asked {
                    asked.answer.get_or_insert(Answered { at, by, digest, text });
                }
            }
            // Nobody but a person asks.
            (None, Actor::Agent(_) | Actor::Server) => {}
        }
        Ok(())
    }

    /// A word counts while the outcome is unknown; it is settled once enough people say the same.
    fn resolve(&mut self, at: UnixMillis, digest: Digest, word: Resolution) -> Result<(), FoldError> {
        self.ours(Kind::Resolution, word.proposal)?;
        let unknown = self.recorded_status() == Status::Unknown && self.runs_under(word.fence);
        if !unknown || self.voids.contains_key(&digest) {
            return Ok(());
        }
        let said = Said {
            at,
            happened: word.happened,
            note: word.note,
            digest,
        };
        self.said.insert(word.by, said);
        let same = self.said.values().filter(|said| said.happened == word.happened);
        if same.count() >= self.settlers() {
            self.resolved = Some(Resolved {
                at,
                happened: word.happened,
            });
        }
        Ok(())
    }

    /// How many distinct people settle an unknown outcome.
    pub fn settlers(&self) -> usize {
        let needed = self
            .policy
            .as_ref()
            .map_or(1, |policy| policy.requirement.settlers);
        usize::try_from(needed).unwrap_or(usize::MAX).max(1)
    }

    fn end(&mut self, at: UnixMillis, digest: Digest, receipt: Receipt) -> Result<(), FoldError> {
        self.ours(Kind::Receipt, receipt.proposal)?;
        let settled = self
            .ended
            .as_ref()
            .is_some_and(|ended| ended.outcome != Outcome::Unknown);
        // Only an unknown outcome can still be told (design §5).
        if settled || !self.runs_under(receipt.fence) {
            return Ok(());
        }
        if let Some(resolved) = self.resolved {
            let opposite = match receipt.outcome {
                Outcome::Completed => !resolved.happened,
                Outcome::Failed => resolved.happened,
                Outcome::Unknown => false,
            };
            if opposite {
                self.contradicted_at.get_or_insert(at);
            }
        }
        self.ended = Some(Ended {
            at,
            outcome: receipt.outcome,
            summary: receipt.summary,
            started_at: receipt.started_at,
            finished_at: receipt.finished_at,
            dispatched: receipt.dispatched,
            failure: receipt.failure,
            reference: receipt.reference,
            digest,
        });
        Ok(())
    }
}

/// What a set of valid decisions comes to. Any reject wins; a quorum counts distinct people whose approval stands.
///
/// The order of `decisions` does not matter: only their own times do, and those are part of the set.
pub fn merge<'a>(decisions: impl Iterator<Item = &'a Cast> + Clone, need: u32) -> Merged {
    if let Some(at) = decisions
        .clone()
        .filter(|cast| cast.verdict == Verdict::Reject)
        .map(|cast| cast.at)
        .min()
    {
        return Merged::Rejected { at };
    }
    let mut times: Vec<_> = approvals(decisions).into_values().map(|cast| cast.at).collect();
    times.sort_unstable();
    let have = u32::try_from(times.len()).unwrap_or(u32::MAX);
    // A quorum of nobody would let anything run: at least one person always has to agree.
    match usize::try_from(need.max(1) - 1)
        .ok()
        .and_then(|last| times.get(last))
    {
        Some(at) => Merged::Approved { at: *at },
        None => Merged::Open {
            have,
            need: need.max(1),
        },
    }
}

/// The earliest standing approval of each person that the person has not taken back.
fn approvals<'a>(decisions: impl Iterator<Item = &'a Cast> + Clone) -> BTreeMap<UserId, &'a Cast> {
    let retracted = retracted(decisions.clone());
    let mut first: BTreeMap<UserId, &Cast> = BTreeMap::new();
    for cast in decisions.filter(|cast| cast.verdict == Verdict::Approve) {
        if retracted.contains(&(cast.approver, cast.digest)) {
            continue;
        }
        first
            .entry(cast.approver)
            .and_modify(|kept| *kept = (*kept).min(cast))
            .or_insert(cast);
    }
    first
}

/// What was taken back, by whom: nobody takes back what another person decided.
fn retracted<'a>(decisions: impl Iterator<Item = &'a Cast>) -> Vec<(UserId, Digest)> {
    decisions
        .filter(|cast| cast.verdict == Verdict::Retract)
        .filter_map(|cast| Some((cast.approver, cast.retracts?)))
        .collect()
}

/// How long a proposal over a device's connection waits for that device's preview before it is decided without one.
pub const PREVIEW_WAIT: Millis = Millis::seconds(60);

/// How long a proposal can be decided unless its proposer or policy says less (design §4).
pub const DEFAULT_LIFETIME: Millis = Millis::hours(72);
/// The shortest time that a proposal may ask for.
pub const SHORTEST_LIFETIME: Millis = Millis::seconds(60);
/// The longest time that a proposal may ask for.
pub const LONGEST_LIFETIME: Millis = Millis::hours(30 * 24);

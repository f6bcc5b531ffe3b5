//! A proposal's state as a pure fold over its journal entries, and the merge of its decisions.
//!
//! INVARIANT: the state after any prefix of the journal depends on that prefix alone, and on the decisions in it only
//! as a set. Time enters in one place, [`ProposalState::status`], and there as an argument.

mod merge;
mod parts;
mod status;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    Digest, Millis, UnixMillis,
    id::{ProposalId, UserId},
    record::{
        Actor, Begin, Decision, EffectClass, Erase, Evaluation, Executor, Expire, Holder, InvalidRecord,
        Kind, Lapse, Outcome, PolicyDecision, Preview, PreviewOutcome, Proposal, Proposer, Reason, Receipt,
        Record, Remark, Requirement, Resolution, Risk, Supersede, Verdict, Void, Withdraw,
    },
};

pub use merge::{Merged, merge};
pub use parts::{Answered, Begun, Cast, Closed, Ended, PolicySays, Question, Resolved, Said};
pub use status::Status;

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

    /// What came before a decision that does not count for this reason: when, and by whom where it was a person.
    pub fn came_first(&self, reason: Reason) -> Option<(UnixMillis, Option<UserId>)> {
        match reason {
            Reason::Decided => {
                let rejected = self.standing().filter(|cast| cast.verdict == Verdict::Reject);
                let approved = self.standing().filter(|cast| cast.verdict == Verdict::Approve);
                let cast = rejected
                    .min_by_key(|cast| cast.seq)
                    .or(approved.max_by_key(|cast| cast.seq))?;
                Some((cast.at, Some(cast.approver)))
            }
            Reason::Expired => Some((self.expires_at, None)),
            Reason::Superseded | Reason::Withdrawn => Some((self.closed.as_ref()?.at(), None)),
            Reason::TooLate => Some((self.begun.as_ref()?.at, None)),
            Reason::DeniedByPolicy => Some((self.policy.as_ref()?.at, None)),
            Reason::UnknownProposal
            | Reason::DigestMismatch
            | Reason::BadSignature
            | Reason::DeviceRevoked
            | Reason::Fork
            | Reason::OtherHistory
            | Reason::NotEligible
            | Reason::SelfApproval
            | Reason::ViewMismatch
            | Reason::AssuranceTooLow => None,
        }
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

/// How long a proposal over a device's connection waits for that device's preview before it is decided without one.
pub const PREVIEW_WAIT: Millis = Millis::seconds(60);

/// How long a proposal can be decided unless its proposer or policy says less (design §4).
pub const DEFAULT_LIFETIME: Millis = Millis::hours(72);
/// The shortest time that a proposal may ask for.
pub const SHORTEST_LIFETIME: Millis = Millis::seconds(60);
/// The longest time that a proposal may ask for.
pub const LONGEST_LIFETIME: Millis = Millis::hours(30 * 24);

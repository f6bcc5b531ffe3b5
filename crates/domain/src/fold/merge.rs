//! What the decisions of a proposal come to.

use std::collections::BTreeMap;

use super::{Cast, ProposalState};
use crate::{Digest, UnixMillis, id::UserId, record::Verdict};

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

impl ProposalState {
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

//! What a tenant asks beyond policy's own rules: how many people, how sure, how soon and with how much time to take it back,
//! by tool and risk; and for how long it keeps what was written.

use serde::{Deserialize, Serialize};

use super::{Assurance, Body, Kind, Nonce, Requirement, Risk};
use crate::{
    Digest, Millis, UnixMillis,
    fold::{LONGEST_LIFETIME, SHORTEST_LIFETIME},
    id::{DeviceId, TenantId, UserId},
};

/// Most rules in a table.
pub const MOST_RULES: usize = 100;
/// Most people that a rule asks for.
pub const MOST_PEOPLE: u32 = 9;
/// The longest time for which a rule holds what was approved.
pub const LONGEST_HOLD: Millis = Millis::seconds(10 * 60);

/// The most days for which a rule keeps what was written: ten years.
pub const LONGEST_KEPT: u32 = 3_650;

/// One line of the table. What it asks is asked beside everything else that is asked; it never asks less.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ApprovalRule {
    /// The least assurance of an approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assurance: Option<Assurance>,
    /// How long an approved call waits at least before it begins, so that it can be taken back: whole seconds up to
    /// [`LONGEST_HOLD`]. The tool's own time stays where it is longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Millis>,
    /// For how many days what was written about such a call is kept once it is over, 1 to [`LONGEST_KEPT`]; then the bodies
    /// are erased, and every proof stays. What no rule speaks of is kept for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<u32>,
    /// How long such a call can be decided from when it is proposed: whole minutes within what any proposal may ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<Millis>,
    /// How many distinct people approve, 1 to [`MOST_PEOPLE`].
    pub quorum: u32,
    /// From this risk on; absent: of any risk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub risk: Option<Risk>,
    /// A tool's id; absent: of any tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
}

impl ApprovalRule {
    /// Whether its time to live is one that a proposal can have.
    pub fn lifetime_fits(&self) -> bool {
        let fits = |time: Millis| {
            (SHORTEST_LIFETIME..=LONGEST_LIFETIME).contains(&time) && time.0 % SHORTEST_LIFETIME.0 == 0
        };
        self.lifetime.is_none_or(fits)
    }

    /// Whether its hold is one that a call can have.
    pub fn hold_fits(&self) -> bool {
        let fits = |time: Millis| (Millis(0)..=LONGEST_HOLD).contains(&time) && time.0 % 1_000 == 0;
        self.hold.is_none_or(fits)
    }

    /// Whether its time to keep is one that a rule can have.
    pub fn keep_fits(&self) -> bool {
        self.keep.is_none_or(|days| (1..=LONGEST_KEPT).contains(&days))
    }

    /// Whether it speaks of such a call.
    pub fn covers(&self, tool: &str, risk: Risk) -> bool {
        self.tool.as_ref().is_none_or(|named| named == tool) && self.risk.is_none_or(|least| risk >= least)
    }
}

/// What a table asks of such a call: the most that any of its rules does.
pub fn asked(table: &[ApprovalRule], tool: &str, risk: Risk) -> Requirement {
    let nothing = Requirement {
        assurance: Assurance::Session,
        hold: Millis(0),
        quorum: 1,
        settlers: 1,
    };
    let rules = table.iter().filter(|rule| rule.covers(tool, risk));
    rules.fold(nothing, |most, rule| {
        most.max(Requirement {
            assurance: rule.assurance.unwrap_or(Assurance::Session),
            hold: rule.hold.unwrap_or(Millis(0)),
            quorum: rule.quorum,
            ..nothing
        })
    })
}

/// How long such a call can be decided by a table: the shortest that any of its rules says.
pub fn lifetime(table: &[ApprovalRule], tool: &str, risk: Risk) -> Option<Millis> {
    let rules = table.iter().filter(|rule| rule.covers(tool, risk));
    rules.filter_map(|rule| rule.lifetime).min()
}

/// For how long what was written about such a call is kept once it is over: the longest that any of its rules says; for
/// ever where none does.
pub fn kept(table: &[ApprovalRule], tool: &str, risk: Risk) -> Option<Millis> {
    let rules = table.iter().filter(|rule| rule.covers(tool, risk));
    rules.filter_map(|rule| rule.keep).max().map(days)
}

/// The shortest time for which a table keeps anything.
pub fn shortest_kept(table: &[ApprovalRule]) -> Option<Millis> {
    table.iter().filter_map(|rule| rule.keep).min().map(days)
}

fn days(count: u32) -> Millis {
    Millis::seconds(i64::from(count) * 24 * 60 * 60)
}

/// Whether `new` asks less than `old` of any call there could be, or keeps less of it.
pub fn loosens(old: &[ApprovalRule], new: &[ApprovalRule]) -> bool {
    // A tool that neither names stands for all others; no tool's id is empty.
    let named = old.iter().chain(new).filter_map(|rule| rule.tool.as_deref());
    named.chain([""]).any(|tool| {
        Risk::ALL.into_iter().any(|risk| {
            let (before, after) = (asked(old, tool, risk), asked(new, tool, risk));
            let (sooner, later) = [old, new].map(|table| lifetime(table, tool, risk)).into();
            let longer = sooner.is_some_and(|before| later.is_none_or(|after| after > before));
            let (kept, keeps) = [old, new].map(|table| kept(table, tool, risk)).into();
            let shorter = keeps.is_some_and(|after: Millis| kept.is_none_or(|before| after < before));
            longer || shorter || before.max(after) != after
        })
    })
}

/// One person wants this table. What loosens takes a second person, or in a tenant of one a typed confirmation.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// By the clock of whoever made it: information, never an order.
    pub at: UnixMillis,
    /// Digest of the record whose table was in force when the person wrote this one; absent for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Digest>,
    pub by: UserId,
    /// The person typed the words that were asked for.
    pub confirmed: bool,
    /// The device that signed it, with its next sequence number and previous record; absent for a session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_seq: Option<u64>,
    pub nonce: Nonce,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Digest>,
    /// The whole table, at most [`MOST_RULES`] lines.
    pub table: Vec<ApprovalRule>,
    pub tenant: TenantId,
}

impl Body for Rules {
    const KIND: Kind = Kind::Rules;

    fn subject(&self) -> String {
        "rules".to_owned()
    }

    fn link(&self) -> Option<(DeviceId, u64)> {
        self.device.zip(self.device_seq)
    }
}

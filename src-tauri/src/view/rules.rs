//! The tenant's table of rules, and changing it.

use countersign_domain::{
    Millis,
    record::{self, ApprovalRule},
};
use countersign_engine::views::rules;
use serde::{Deserialize, Serialize};
use specta::Type;

use super::{Permission, Risk, card::Confirm, edit::Difference, time};

/// What the page of rules shows.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct RulesPage {
    /// Goes back with a change.
    pub base: Option<String>,
    pub table: Vec<Rule>,
    /// Looser tables that wait for a second person.
    pub wanted: Vec<WantedTable>,
    pub edit: Permission,
    pub tools: Vec<RuleTool>,
    /// No rule asks for more people.
    pub most_people: u32,
    /// A change of this device's is on its way.
    pub on_its_way: bool,
}

/// One line of the table.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// A tool's id; null: of any tool.
    pub tool: Option<String>,
    /// From this risk on; null: of any risk.
    pub risk: Option<Risk>,
    pub people: u32,
    pub assurance: Option<Assurance>,
    /// How long it can be decided; null: as long as its proposer asks.
    pub minutes: Option<u32>,
    /// For how many seconds it can be undone at least once it is approved; null: for the tool's own time.
    pub hold: Option<u32>,
    /// For how many days what was written about it is kept once it is over; null: for ever.
    pub keep: Option<u32>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum Assurance {
    Session,
    Device,
    DeviceConfirmed,
}

/// A tool that a rule can name.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct RuleTool {
    pub id: String,
    pub title: String,
}

/// A looser table that somebody wants.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct WantedTable {
    /// Such as "Ana wants the rules to ask less, 10:04."
    pub words: String,
    /// RFC 3339.
    pub at: String,
    pub difference: Difference,
    pub table: Vec<Rule>,
    pub confirm: Permission,
}

/// A table to be put in force.
#[derive(Clone, Debug, Deserialize, Type)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewTable {
    pub base: Option<String>,
    pub table: Vec<Rule>,
    pub confirmation: Option<String>,
}

/// What a table that is being written comes to.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct JudgedTable {
    pub difference: Difference,
    /// What saving it does, a sentence; or why it cannot be saved.
    pub words: String,
    pub ready: bool,
    /// What must be typed; null when nothing.
    pub confirm: Option<Confirm>,
}

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;

impl NewTable {
    /// As the engine takes it; `None` where the base is no digest.
    pub(crate) fn named(self) -> Option<rules::NewTable> {
        Some(rules::NewTable {
            base: self.base.map(|base| base.parse()).transpose().ok()?,
            table: self.table.into_iter().map(Into::into).collect(),
            confirmation: self.confirmation,
        })
    }
}

impl From<rules::RulesPage> for RulesPage {
    fn from(page: rules::RulesPage) -> Self {
        let tools = page.tools.into_iter().map(|(id, title)| RuleTool { id, title });
        Self {
            base: page.base.map(|base| base.to_string()),
            table: table(page.table),
            wanted: page.wanted.into_iter().map(Into::into).collect(),
            edit: page.edit.into(),
            tools: tools.collect(),
            most_people: page.most_people,
            on_its_way: page.on_its_way,
        }
    }
}

impl From<rules::WantedRow> for WantedTable {
    fn from(row: rules::WantedRow) -> Self {
        Self {
            words: row.words,
            at: time(row.at),
            difference: row.difference.into(),
            table: table(row.table),
            confirm: row.confirm.into(),
        }
    }
}

impl From<rules::Judged> for JudgedTable {
    fn from(judged: rules::Judged) -> Self {
        Self {
            difference: judged.difference.into(),
            words: judged.words,
            ready: judged.ready,
            confirm: judged.confirm.map(Into::into),
        }
    }
}

fn table(rules: Vec<ApprovalRule>) -> Vec<Rule> {
    rules.into_iter().map(Into::into).collect()
}

impl From<ApprovalRule> for Rule {
    fn from(rule: ApprovalRule) -> Self {
        let whole = |time: Millis, unit: i64| u32::try_from(time.0 / unit).unwrap_or(u32::MAX);
        Self {
            tool: rule.tool,
            risk: rule.risk.map(Into::into),
            people: rule.quorum,
            assurance: rule.assurance.map(|sure| match sure {
                record::Assurance::Session => Assurance::Session,
                record::Assurance::Device => Assurance::Device,
                record::Assurance::DeviceConfirmed => Assurance::DeviceConfirmed,
            }),
            minutes: rule.lifetime.map(|time| whole(time, MINUTE)),
            hold: rule.hold.map(|time| whole(time, SECOND)),
            keep: rule.keep,
        }
    }
}

impl From<Rule> for ApprovalRule {
    fn from(rule: Rule) -> Self {
        Self {
            tool: rule.tool,
            risk: rule.risk.map(Into::into),
            quorum: rule.people,
            assurance: rule.assurance.map(|sure| match sure {
                Assurance::Session => record::Assurance::Session,
                Assurance::Device => record::Assurance::Device,
                Assurance::DeviceConfirmed => record::Assurance::DeviceConfirmed,
            }),
            lifetime: rule.minutes.map(|minutes| Millis(i64::from(minutes) * MINUTE)),
            hold: rule.hold.map(|seconds| Millis(i64::from(seconds) * SECOND)),
            keep: rule.keep,
        }
    }
}

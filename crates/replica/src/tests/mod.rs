//! Whole replicas against journals that are built on the spot.

mod apply;
mod damage;
mod erase;
mod inbox;
mod open;
mod read;
#[path = "../../../verify/tests/bundles/seeded.rs"]
#[allow(dead_code, reason = "shared with suites that use more of it")]
mod seeded;
mod snapshot;
mod witness;

use countersign_domain::{
    Millis,
    id::ProposalId,
    record::{Outcome, PolicyDecision, Reason, Risk, Role, Verdict},
};
use proptest::prelude::*;
use tempfile::TempDir;

use crate::{
    Reader, Replica,
    testing::{Draft, JournalBuilder},
};

/// A replica in a folder of its own.
struct Here {
    folder: TempDir,
    replica: Replica,
}

impl Here {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let replica = Replica::open(&folder.path().join("replica.db"), None).unwrap();
        Self { folder, replica }
    }

    /// One that has the whole journal.
    fn with(journal: &JournalBuilder) -> Self {
        let mut here = Self::new();
        here.pull(journal, 1_000);
        here
    }

    fn pull(&mut self, journal: &JournalBuilder, limit: usize) {
        let mut size = self.reader().head().unwrap().map_or(0, |head| head.size);
        while size < journal.size() {
            size = self
                .replica
                .apply(&journal.page(size, limit), &journal.log())
                .unwrap()
                .size;
        }
    }

    fn reader(&self) -> Reader {
        self.replica.reader().unwrap()
    }

    /// Every row of every table, as text: equal exactly when the files say the same.
    fn dump(&self) -> String {
        dump(&self.replica.connection)
    }
}

fn dump(connection: &rusqlite::Connection) -> String {
    try_dump(connection).unwrap()
}

/// What was journalled, and what says that it was.
const JOURNALLED: [&str; 4] = ["entry", "body", "head", "checkpoint"];
/// What the journal comes to.
const FOLDED: [&str; 5] = ["proposal", "tally", "task", "device_record", "device_fork"];

fn try_dump(connection: &rusqlite::Connection) -> rusqlite::Result<String> {
    Ok(try_tables(connection, &JOURNALLED)? + &try_tables(connection, &FOLDED)?)
}

fn try_tables(connection: &rusqlite::Connection, tables: &[&str]) -> rusqlite::Result<String> {
    let mut text = String::new();
    for table in tables {
        let mut statement = connection.prepare(&format!("SELECT * FROM {table}"))?;
        let columns = statement.column_count();
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let values = (0..columns)
                .map(|at| Ok(format!("{:?}", row.get::<_, rusqlite::types::Value>(at)?)))
                .collect::<rusqlite::Result<Vec<_>>>()?;
            text.push_str(&format!("{table}: {}\n", values.join(" ")));
        }
    }
    Ok(text)
}

/// One thing that happens, as numbers to be taken modulo what there is.
type Step = (u8, u8, u8);

fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    proptest::collection::vec((0..20_u8, any::<u8>(), any::<u8>()), 0..most)
}

/// A journal in which these things happened.
fn journal(steps: &[Step]) -> (JournalBuilder, Vec<ProposalId>) {
    let mut journal = JournalBuilder::new();
    let people = [
        journal.member("Ada", Role::Approver),
        journal.member("Bob", Role::Admin),
    ];
    let mut device = journal.device(people[0]);
    let other_tool = journal.tool("mail.send");
    let mut proposals = Vec::new();
    let mut decisions = Vec::new();
    for (step, a, b) in steps.iter().copied() {
        let one = (!proposals.is_empty()).then(|| proposals[a as usize % proposals.len().max(1)]);
        let person = people[b as usize % 2];
        match (step, one) {
            (0..=4, _) | (_, None) => proposals.push(journal.propose(Draft {
                title: format!("Task {a} for Zoë"),
                risk: Risk::ALL[b as usize % 4],
                lifetime: Millis(i64::from(a) * 3 + 1),
                tool: (b > 128).then(|| other_tool.clone()),
                ..Draft::default()
            })),
            (5, Some(id)) => decisions.push((id, journal.decide(id, person, Verdict::Approve))),
            (6, Some(id)) => decisions.push((id, journal.decide(id, person, Verdict::Reject))),
            (7, Some(id)) => {
                journal.decide_on(id, &mut device, Verdict::Approve);
            }
            (8, Some(id)) => journal.evaluate(id, PolicyDecision::RequiresApproval, u32::from(b % 3)),
            (9, Some(id)) => journal.evaluate(id, PolicyDecision::Allow, 1),
            (10, Some(id)) => journal.evaluate(id, PolicyDecision::Deny, 1),
            (11, Some(id)) => journal.begin(id, Vec::new()),
            (12, Some(id)) => journal.receipt(
                id,
                [Outcome::Completed, Outcome::Failed, Outcome::Unknown][b as usize % 3],
            ),
            (13, Some(id)) => journal.lapse(id),
            (14, Some(id)) => journal.withdraw(id),
            (15, Some(id)) => journal.supersede(id, None),
            (16, Some(id)) => journal.expire(id),
            (17, Some(id)) => {
                journal.preview(id);
            }
            (18, _) => {
                if let Some((id, decision)) = decisions.get(a as usize % decisions.len().max(1)) {
                    journal.void(*id, *decision, Reason::DeviceRevoked);
                }
            }
            (_, _) => journal.wait(Millis(i64::from(a))),
        }
    }
    (journal, proposals)
}

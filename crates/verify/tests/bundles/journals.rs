//! Honest journals with every kind of life in them, and their bundles.

use countersign_domain::{
    Digest, Millis,
    bundle::{Profile, Writer},
    dsse::SigningKey,
    id::{ProposalId, TenantId, UserId},
    journal::{Checkpoint, Frontier},
    record::{ApprovalRule, Outcome, PolicyDecision, Reason, Role, Scope, Verdict},
    wire::WireEntry,
};
use countersign_replica::testing::{Draft, JournalBuilder, TestDevice};
use countersign_verify::{Options, Report, verify};

use crate::seeded::Seeded;

/// A journal and who acts in it.
pub(crate) struct World {
    pub(crate) journal: JournalBuilder,
    pub(crate) ana: TestDevice,
    pub(crate) ben: TestDevice,
    pub(crate) cleo: UserId,
}

impl World {
    pub(crate) fn new() -> Self {
        let mut journal = JournalBuilder::new();
        let ana = journal.member("Ana Alvarez", Role::Approver);
        let ben = journal.member("Ben Brandt", Role::Admin);
        let cleo = journal.member("Cleo Conti", Role::Approver);
        journal.invite("dan@example.com", Role::Auditor);
        journal.agent("Bookkeeper", None);
        let (ana, ben) = (journal.device(ana), journal.device(ben));
        Self {
            journal,
            ana,
            ben,
            cleo,
        }
    }

    /// A world in which `lives` proposals have come and gone.
    pub(crate) fn grown(random: &mut Seeded, lives: usize) -> Self {
        let mut world = Self::new();
        for _ in 0..lives {
            world.live(random.below(LIVES));
        }
        world
    }

    /// Two people want everything kept for so many days: the record that puts it in force.
    pub(crate) fn keeps(&mut self, days: u32) -> Digest {
        let table = vec![ApprovalRule {
            assurance: None,
            hold: None,
            keep: Some(days),
            lifetime: None,
            quorum: 1,
            risk: None,
            tool: None,
        }];
        self.journal.rules(self.ben.user, None, table.clone());
        self.journal.rules(self.cleo, None, table)
    }

    pub(crate) fn propose(&mut self, quorum: u32) -> ProposalId {
        let id = self.journal.propose_only(Draft::default());
        self.journal
            .evaluate(id, PolicyDecision::RequiresApproval, quorum);
        id
    }

    fn run(&mut self, id: ProposalId, mut authority: Vec<Digest>, outcome: Outcome) {
        authority.sort_unstable();
        self.journal.begin(id, authority);
        self.journal.receipt(id, outcome);
    }

    /// One proposal's life. Each number is another one.
    pub(crate) fn live(&mut self, life: usize) {
        let Self {
            journal,
            ana,
            ben,
            cleo,
        } = self;
        let id = match life {
            6 | 7 => journal.propose_only(Draft::default()),
            2 | 10 => {
                let id = journal.propose_only(Draft::default());
                journal.evaluate(id, PolicyDecision::RequiresApproval, 2);
                id
            }
            _ => journal.propose(Draft::default()),
        };
        match life {
            0 => {
                let yes = journal.decide(id, *cleo, Verdict::Approve);
                self.run(id, vec![yes], Outcome::Completed);
            }
            1 => {
                journal.preview(id);
                let yes = journal.decide_on(id, ana, Verdict::Approve);
                self.run(id, vec![yes], Outcome::Failed);
            }
            2 => {
                let first = journal.decide_on(id, ana, Verdict::Approve);
                let second = journal.decide_on(id, ben, Verdict::Approve);
                self.run(id, vec![first, second], Outcome::Completed);
            }
            3 => {
                journal.decide_on(id, ben, Verdict::Reject);
            }
            4 => {
                let question = journal.remark(id, *cleo, None);
                journal.remark(id, ben.user, Some(question));
                journal.withdraw(id);
            }
            5 => journal.supersede(id, None),
            6 => {
                journal.evaluate(id, PolicyDecision::Allow, 1);
                self.run(id, vec![], Outcome::Completed);
            }
            7 => journal.evaluate(id, PolicyDecision::Deny, 1),
            8 => {
                journal.wait(Millis::hours(73));
                journal.expire(id);
            }
            9 => {
                let yes = journal.decide_on(id, ana, Verdict::Approve);
                journal.decide_in_vain(id, ben, Verdict::Approve, Reason::Decided);
                self.run(id, vec![yes], Outcome::Completed);
                self.journal
                    .decide_in_vain(id, &mut self.ben, Verdict::Reject, Reason::TooLate);
            }
            10 => {
                let yes = journal.decide(id, *cleo, Verdict::Approve);
                journal.retract(id, *cleo, yes);
                journal.decide_on(id, ben, Verdict::Reject);
            }
            11 => {
                let yes = journal.decide(id, *cleo, Verdict::Approve);
                journal.begin(id, vec![yes]);
                journal.lapse(id);
                journal.receipt(id, Outcome::Completed);
            }
            12 => {
                // A device is lost, and what it approved with it.
                let mut lost = journal.device(*cleo);
                let yes = journal.decide_on(id, &mut lost, Verdict::Approve);
                journal.revoke(&lost);
                journal.void(id, yes, Reason::DeviceRevoked);
            }
            13 => {
                journal.decide_astray(id, ana);
            }
            14 => {}
            15 => {
                // Nobody heard how it ended, and somebody looked.
                let yes = journal.decide_on(id, ana, Verdict::Approve);
                journal.begin(id, vec![yes]);
                journal.lapse(id);
                journal.resolve(id, *cleo, false);
            }
            16 => {
                // It waits for the end of a stop.
                let yes = journal.decide(id, *cleo, Verdict::Approve);
                let stop = journal.stop(ana.user, Scope::Tenant);
                journal.release(*cleo, Scope::Tenant, stop);
                journal.release(ben.user, Scope::Tenant, stop);
                self.run(id, vec![yes], Outcome::Completed);
            }
            _ => unreachable!("there are {LIVES} lives"),
        }
    }
}

/// How many lives there are.
pub(crate) const LIVES: usize = 17;

/// The bundle of these entries as the owner of `key` would make it, whatever they say.
pub(crate) fn bundle(entries: &[WireEntry], tenant: TenantId, key: &SigningKey, profile: Profile) -> Vec<u8> {
    let mut tree = Frontier::new();
    for entry in entries {
        tree.append(entry.header().expect("a kind").leaf_hash());
    }
    let checkpoint = Checkpoint {
        tenant,
        size: tree.size(),
        root: tree.root(),
    };
    let (mut writer, mut bytes) = Writer::begin(&checkpoint, profile, key.clone()).unwrap();
    while let Some((after, count)) = writer.next() {
        let from = usize::try_from(after).unwrap();
        let entries = &entries[from..from + usize::try_from(count).unwrap()];
        bytes.extend(writer.segment(entries).unwrap());
    }
    bytes.extend(writer.end().unwrap());
    bytes
}

/// The honest bundle.
pub(crate) fn export(journal: &JournalBuilder, profile: Profile) -> Vec<u8> {
    bundle(journal.entries(), journal.tenant(), &journal.log_key(), profile)
}

/// What is found by somebody who knows the log key of these journals.
pub(crate) fn examine(bytes: &[u8]) -> Report {
    let options = Options {
        trust: Some(JournalBuilder::new().log_key().public_key()),
        proposal: None,
    };
    verify(bytes, &options).expect("reading from memory")
}

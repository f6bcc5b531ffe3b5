//! What a journal says of stops, rules and settled outcomes.

use countersign_domain::{
    Digest,
    id::{ProposalId, UserId},
    record::{ApprovalRule, Body as _, Erase, Release, Resolution, Rules, Scope, Stop},
};

use super::JournalBuilder;

impl JournalBuilder {
    /// Somebody has what was written about a proposal erased.
    pub fn erase(&mut self, proposal: ProposalId, by: UserId) {
        self.erased(proposal, Some(by), None);
    }

    /// A table of rules has it erased.
    pub fn outlive(&mut self, proposal: ProposalId, rules: Digest) {
        self.erased(proposal, None, Some(rules));
    }

    /// As the tenant does: the entry says so, and the bodies are gone.
    fn erased(&mut self, proposal: ProposalId, by: Option<UserId>, rules: Option<Digest>) {
        let erase = Erase {
            at: self.at,
            by,
            nonce: self.nonce(),
            proposal,
            reason: "Somebody has asked for it.".to_owned(),
            rules,
            tenant: self.tenant,
        };
        let subject = erase.subject();
        for entry in self.entries.iter_mut().filter(|entry| entry.subject == subject) {
            if entry.record().is_some_and(|record| record.is_erasable()) {
                (entry.body, entry.signature) = (None, None);
            }
        }
        self.append(&erase);
    }

    /// A person's word on a run that went silent.
    pub fn resolve(&mut self, proposal: ProposalId, by: UserId, happened: bool) {
        let word = Resolution {
            at: self.at,
            by,
            confirmed: false,
            device: None,
            device_seq: None,
            fence: 1,
            happened,
            nonce: self.nonce(),
            note: None,
            previous: None,
            proposal,
            proposal_digest: self.digest_of(proposal),
        };
        self.append(&word);
    }

    pub fn stop(&mut self, by: UserId, scope: Scope) -> Digest {
        let stop = Stop {
            at: self.at,
            by,
            device: None,
            device_seq: None,
            nonce: self.nonce(),
            previous: None,
            reason: Some("Something is wrong".to_owned()),
            scope,
            tenant: self.tenant,
        };
        self.append(&stop)
    }

    pub fn release(&mut self, by: UserId, scope: Scope, stop: Digest) {
        let release = Release {
            at: self.at,
            by,
            confirmed: false,
            device: None,
            device_seq: None,
            nonce: self.nonce(),
            previous: None,
            scope,
            stop,
            tenant: self.tenant,
        };
        self.append(&release);
    }

    /// A table of rules written over the one that `base` brought.
    pub fn rules(&mut self, by: UserId, base: Option<Digest>, table: Vec<ApprovalRule>) -> Digest {
        let rules = Rules {
            at: self.at,
            base,
            by,
            confirmed: false,
            device: None,
            device_seq: None,
            nonce: self.nonce(),
            previous: None,
            table,
            tenant: self.tenant,
        };
        self.append(&rules)
    }
}

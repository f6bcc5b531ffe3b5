//! A decision that would count, and what may be wrong with it or happen before it arrives.

use countersign_domain::{
    Millis,
    decision::DeviceStanding,
    record::{
        Actor, Assurance, Decision, Expire, PolicyDecision, ProposerKind, Reason, Supersede, Verdict,
        Withdraw,
    },
};

use crate::support::{Story, World, at, by_session, needs, nonce, person};

/// A way to spoil a decision that would count, or the world that it meets.
pub(crate) type Spoil = fn(&mut Scene);

#[derive(Clone)]
pub(crate) struct Scene {
    pub(crate) story: Story,
    pub(crate) world: World,
    pub(crate) decision: Decision,
}

impl Scene {
    /// Approver 1 of a company approves on an enrolled device.
    pub(crate) fn approval() -> Self {
        let story = Story::needing(needs(2, Assurance::Device));
        Self {
            world: World::of(&story),
            decision: story.decision(1, Verdict::Approve, at(50_000)),
            story,
        }
    }

    pub(crate) fn verdict(&self) -> Option<Reason> {
        self.world.judge(&self.decision).err()
    }

    /// Lets more happen to the proposal before the decision arrives.
    pub(crate) fn meanwhile(&mut self, change: impl FnOnce(&mut Story)) {
        change(&mut self.story);
        self.world.state = Some(self.story.state());
    }

    /// The device as the journal has it.
    pub(crate) fn device(&mut self) -> &mut DeviceStanding {
        self.world.device.as_mut().unwrap()
    }

    pub(crate) fn says(&mut self, verdict: Verdict) {
        self.decision.verdict = verdict;
    }

    pub(crate) fn session(&mut self) {
        by_session(&mut self.decision);
        self.world.session = Some(person(1));
    }

    pub(crate) fn withdrawn(&mut self) {
        self.meanwhile(|story| {
            let body = Withdraw {
                at: at(1),
                by: Actor::Server,
                device: None,
                device_seq: None,
                nonce: nonce(1),
                previous: None,
                proposal: story.proposal.id,
                reason: None,
            };
            story.enter(at(1), &body);
        });
    }

    pub(crate) fn superseded(&mut self) {
        self.meanwhile(|story| {
            let body = Supersede {
                at: at(1),
                proposal: story.proposal.id,
                reason: "Replaced.".to_owned(),
                successor: None,
            };
            story.enter(at(1), &body);
        });
    }

    pub(crate) fn expire_entry(&mut self) {
        self.meanwhile(|story| {
            let body = Expire {
                at: at(1),
                proposal: story.proposal.id,
            };
            story.enter(at(1), &body);
        });
    }

    pub(crate) fn begun(&mut self) {
        self.meanwhile(|story| {
            story.begin(at(1), 1);
        });
    }

    pub(crate) fn denied(&mut self) {
        self.meanwhile(|story| story.rule(at(1), PolicyDecision::Deny, needs(1, Assurance::Session)));
    }

    pub(crate) fn already_approved(&mut self) {
        self.meanwhile(|story| {
            story.approve(at(1), 1);
        });
    }

    pub(crate) fn rejected(&mut self) {
        self.meanwhile(|story| {
            story.reject(at(1), 2);
        });
    }

    pub(crate) fn proposed_by_person(&mut self, who: u8) {
        self.meanwhile(|story| {
            story.proposal.proposer.kind = ProposerKind::User;
            story.proposal.proposer.id = person(who).to_string();
        });
    }
}

/// `millis` after the proposal's end, with an approval that would still carry a begin.
pub(crate) fn late(scene: &mut Scene, millis: i64) {
    scene.world.now = scene.story.proposal.expires_at + Millis(millis);
    scene.decision.expires_at = scene.world.now + Millis::hours(1);
}

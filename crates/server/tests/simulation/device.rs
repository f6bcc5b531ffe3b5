//! A desktop: its own durable memory, its copy of the journal, and what it signs.
//!
//! The copy is the real [`Replica`], the signatures are real, and so is what verifies them. The outbox, the row of a begun
//! call and the order in which both are written are the simulation's: they do what `countersign_engine` does, which the
//! family of kills holds.

use std::{path::PathBuf, sync::Arc};

use countersign_domain::{
    Digest, Record, UnixMillis,
    dsse::SigningKey,
    id::{DecisionId, DeviceId, ProposalId, TenantId, UserId},
    record::{Assurance, Body, CheckpointSeen, Decision, EffectClass, Nonce, Verdict},
    render::RENDERER,
    wire::JournalPage,
};
use countersign_replica::{Card, Filter, Reader, Replica, View};
use countersign_tools::executor::Intent;
use uuid::Uuid;

use crate::seeded::Seeded;

/// What a device has signed, until it is answered.
#[derive(Clone, Debug)]
pub(crate) struct Out {
    pub(crate) record: Arc<Record>,
    /// Whether it counts, and why not.
    pub(crate) answer: Option<(bool, String)>,
}

/// A call that this device has asked to begin.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) proposal: ProposalId,
    pub(crate) digest: Digest,
    pub(crate) effect: EffectClass,
    pub(crate) fence: u64,
    pub(crate) begin: Digest,
    pub(crate) begun: bool,
    pub(crate) intent: Option<Intent>,
    pub(crate) at: UnixMillis,
}

pub(crate) struct Device {
    pub(crate) id: DeviceId,
    pub(crate) person: UserId,
    pub(crate) tenant: TenantId,
    pub(crate) key: SigningKey,
    // What is durable.
    pub(crate) last_seq: u64,
    pub(crate) previous: Option<Digest>,
    pub(crate) outbox: Vec<Out>,
    pub(crate) row: Option<Row>,
    pub(crate) path: PathBuf,
    // What is not.
    pub(crate) replica: Option<(Replica, Reader)>,
    /// Pages that are still on their way.
    pub(crate) late: Vec<JournalPage>,
    // Its surroundings.
    pub(crate) skew: i64,
    pub(crate) cut_off: bool,
}

impl Device {
    pub(crate) fn reader(&mut self) -> &Reader {
        &self.open().1
    }

    pub(crate) fn open(&mut self) -> &mut (Replica, Reader) {
        let path = &self.path;
        self.replica.get_or_insert_with(|| {
            let replica = Replica::open(path, None).unwrap();
            let reader = replica.reader().unwrap();
            (replica, reader)
        })
    }

    /// The process ends.
    pub(crate) fn crash(&mut self) {
        self.replica = None;
        self.late.clear();
    }

    /// Signs with the next number, and keeps it.
    pub(crate) fn sign<B: Body>(&mut self, body: impl FnOnce(u64, Option<Digest>) -> B) -> Arc<Record> {
        let record = Arc::new(Record::signed(&body(self.last_seq + 1, self.previous), &self.key).unwrap());
        self.last_seq += 1;
        self.previous = Some(record.digest);
        self.outbox.push(Out {
            record: Arc::clone(&record),
            answer: None,
        });
        record
    }

    /// Something that it could decide, by its own copy.
    pub(crate) fn pick(&mut self, rng: &mut Seeded, pending: bool) -> Option<Card> {
        let now = UnixMillis(0);
        let view = if pending { View::InProgress } else { View::All };
        let reader = self.reader();
        let rows = reader
            .inbox(view, &Filter::default(), None, 20, now)
            .unwrap()
            .rows;
        if rows.is_empty() {
            return None;
        }
        let id = rng.pick(&rows).id;
        reader.proposal(id).unwrap()
    }

    /// A decision about what this device has on its screen.
    pub(crate) fn decision(
        &mut self,
        rng: &mut Seeded,
        card: &Card,
        verdict: Verdict,
        now: UnixMillis,
    ) -> Option<Decision> {
        let view = card.view().ok()?.digest().ok()?;
        let seen = self.reader().head().unwrap().map(|head| CheckpointSeen {
            root: head.root,
            size: head.size,
        });
        let mine = card
            .state
            .standing()
            .find(|cast| cast.approver == self.person && cast.verdict == Verdict::Approve);
        let retracts = mine
            .map(|cast| cast.digest)
            .filter(|_| verdict == Verdict::Retract);
        if verdict == Verdict::Retract && retracts.is_none() {
            return None;
        }
        let assurance = *rng.pick(&[
            Assurance::Device,
            Assurance::DeviceConfirmed,
            Assurance::DeviceConfirmed,
        ]);
        Some(Decision {
            approver: self.person,
            assurance,
            checkpoint: seen,
            comment: None,
            decided_at: now,
            device: Some(self.id),
            device_seq: None,
            // Sometimes only for minutes.
            expires_at: if rng.below(5) == 0 {
                now + countersign_domain::Millis::seconds(180)
            } else {
                card.state.expires_at
            },
            id: DecisionId::from_uuid(Uuid::from_u64_pair(rng.number(), rng.number())),
            nonce: nonce(rng),
            offline: self.cut_off,
            preview: card.state.preview,
            previous: None,
            proposal: card.state.id,
            proposal_digest: card.state.digest,
            renderer: RENDERER,
            retracts,
            tenant: self.tenant,
            verdict,
            view,
        })
    }

    pub(crate) fn waiting(&self) -> Option<usize> {
        self.outbox.iter().position(|out| out.answer.is_none())
    }
}

pub(crate) fn nonce(rng: &mut Seeded) -> Nonce {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&rng.number().to_be_bytes());
    bytes[8..].copy_from_slice(&rng.number().to_be_bytes());
    Nonce::from_bytes(bytes)
}

//! Records about a thing, as the sender's device signs them.

use countersign_domain::{
    Digest,
    id::DecisionId,
    record::{
        Actor, Assurance, Body, Decision, Endorse, Endorsement, Holder, Outcome, Preview, Receipt, Remark,
        Resolution, Scope, Stop, Verdict, Withdraw,
    },
    render::RENDERER,
};
use serde_json::{Value, json};

use super::{
    super::*,
    office::{Named, digest_of},
    rows::Saying,
};
use crate::random;

fn envelope(saying: &Saying<'_>, body: &impl Body) -> Value {
    json!(saying.seat.device.sign(body).to_envelope())
}

pub(super) fn enrol(saying: &Saying<'_>, tenant: TenantId) -> Value {
    let device = devices::Device::new();
    let record = device.record(tenant, &saying.seat.person, saying.challenge);
    json!({"record": device.sign(&record).to_envelope()})
}

pub(super) fn approval(saying: &Saying<'_>) -> Value {
    let (store, id) = (
        saying.office.store(saying.world),
        saying.named.id.parse().unwrap(),
    );
    // What is somewhere else cannot be seen from here; the reader's own copy of the rules says the same.
    let runtime = tokio::runtime::Handle::current();
    let seen = tokio::task::block_in_place(|| runtime.block_on(store.proposal_bodies(id))).unwrap();
    let registry = &saying.world.server.app().rules().registry;
    let view = seen
        .as_ref()
        .map(|bodies| crate::cards::views(registry, &store, bodies).unwrap()[0].1);
    let expires_at = seen.as_ref().map(|bodies| bodies.stored.state.expires_at);
    let decision = Decision {
        approver: saying.seat.person.id,
        assurance: Assurance::Device,
        checkpoint: None,
        comment: None,
        decided_at: saying.world.clock.now(),
        device: Some(saying.seat.device.id),
        device_seq: saying.seat.device.next(),
        expires_at: expires_at.unwrap_or(saying.world.clock.now() + Millis::hours(1)),
        id: DecisionId::from_uuid(random::uuid()),
        nonce: random::nonce(),
        offline: false,
        preview: None,
        previous: None,
        proposal: id,
        proposal_digest: seen.map_or_else(|| digest_of(saying.named), |bodies| bodies.stored.state.digest),
        renderer: RENDERER,
        retracts: None,
        tenant: saying.office.id,
        verdict: Verdict::Approve,
        view: view.unwrap_or_else(|| Digest::of(b"a view")),
    };
    envelope(saying, &decision)
}

pub(super) fn receipt(saying: &Saying<'_>, named: &Named) -> Value {
    let now = saying.world.clock.now();
    let receipt = Receipt {
        attempts: None,
        device_seq: saying.seat.device.next(),
        dispatched: true,
        effect: None,
        executor: Holder::Device(saying.seat.device.id),
        failure: None,
        fence: named.more["fence"].as_u64().unwrap_or(1),
        finished_at: now,
        nonce: random::nonce(),
        outcome: Outcome::Completed,
        previous: None,
        proposal: named.id.parse().unwrap(),
        proposal_digest: digest_of(named),
        reference: None,
        result: None,
        started_at: now,
        summary: "Done.".to_owned(),
    };
    envelope(saying, &receipt)
}

pub(super) fn withdrawal(saying: &Saying<'_>) -> Value {
    let Saying {
        world, seat, named, ..
    } = saying;
    envelope(
        saying,
        &Withdraw {
            at: world.clock.now(),
            by: Actor::User(seat.person.id),
            device: Some(seat.device.id),
            device_seq: seat.device.next(),
            nonce: random::nonce(),
            previous: None,
            proposal: named.id.parse().unwrap(),
            reason: None,
        },
    )
}

pub(super) fn question(saying: &Saying<'_>) -> Value {
    let Saying {
        world, seat, named, ..
    } = saying;
    envelope(
        saying,
        &Remark {
            answers: None,
            at: world.clock.now(),
            by: Actor::User(seat.person.id),
            device: Some(seat.device.id),
            device_seq: seat.device.next(),
            nonce: random::nonce(),
            previous: None,
            proposal: named.id.parse().unwrap(),
            proposal_digest: digest_of(named),
            text: "Why?".to_owned(),
        },
    )
}

pub(super) fn resolution(saying: &Saying<'_>) -> Value {
    let Saying {
        world, seat, named, ..
    } = saying;
    envelope(
        saying,
        &Resolution {
            at: world.clock.now(),
            by: seat.person.id,
            confirmed: false,
            device: Some(seat.device.id),
            device_seq: seat.device.next(),
            fence: named.more["fence"].as_u64().unwrap_or(1),
            happened: true,
            nonce: random::nonce(),
            note: None,
            previous: None,
            proposal: named.id.parse().unwrap(),
            proposal_digest: digest_of(named),
        },
    )
}

pub(super) fn preview(saying: &Saying<'_>) -> Value {
    let Saying {
        world, seat, named, ..
    } = saying;
    envelope(
        saying,
        &Preview {
            by: Holder::Device(seat.device.id),
            device_seq: seat.device.next(),
            made_at: world.clock.now(),
            nonce: random::nonce(),
            outcome: records::shown(),
            previous: None,
            proposal: named.id.parse().unwrap(),
            proposal_digest: digest_of(named),
        },
    )
}

pub(super) fn stop(saying: &Saying<'_>) -> Value {
    let Saying {
        world,
        seat,
        named,
        office,
        ..
    } = saying;
    envelope(
        saying,
        &Stop {
            at: world.clock.now(),
            by: seat.person.id,
            device: Some(seat.device.id),
            device_seq: seat.device.next(),
            nonce: random::nonce(),
            previous: None,
            reason: None,
            scope: Scope::Agent(named.id.parse().unwrap()),
            tenant: office.id,
        },
    )
}

pub(super) fn endorsement(saying: &Saying<'_>) -> Value {
    let Saying {
        world,
        seat,
        named,
        office,
        ..
    } = saying;
    envelope(
        saying,
        &Endorse {
            at: world.clock.now(),
            by: Endorsement::Device(seat.device.id),
            device: named.id.parse().unwrap(),
            device_seq: seat.device.next(),
            enrol: Digest::of(b"an enrolment"),
            nonce: random::nonce(),
            previous: None,
            tenant: office.id,
        },
    )
}

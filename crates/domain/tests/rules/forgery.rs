//! A signed decision is bound to its bytes: nothing in it can be changed on the way.

use countersign_domain::{
    Record,
    decision::Effective,
    dsse::{Envelope, Signature},
    record::{Assurance, CheckpointSeen, Decision, Kind, Reason, Verdict},
};
use proptest::prelude::*;

use crate::{
    scene::Scene,
    support::{digest, key, nonce, person},
};

/// A decision with every field set, so that every field can be attacked.
fn scene() -> Scene {
    let mut scene = Scene::approval();
    scene.decision.comment = Some("Agreed on the phone.".to_owned());
    scene.decision.previous = Some(digest("previous"));
    scene.decision.checkpoint = Some(CheckpointSeen {
        root: digest("root"),
        size: 10,
    });
    scene
}

fn envelope(scene: &Scene) -> Envelope {
    Record::signed(&scene.decision, &scene.world.key)
        .unwrap()
        .to_envelope()
}

/// What the server makes of an envelope; `None` when it is not even a decision.
fn receive(scene: &Scene, envelope: Envelope) -> Option<Result<Effective, Reason>> {
    let record = Record::from_envelope(envelope).ok()?;
    record.body::<Decision>().ok()?;
    Some(scene.world.judge_record(&record))
}

/// Changes one byte at `place` of everything that is sent: type, body, key id, signature.
fn flip(envelope: &mut Envelope, place: usize, change: u8) -> bool {
    let mut kind = core::mem::take(&mut envelope.payload_type).into_bytes();
    let mut keyid = *envelope.signatures[0].keyid.as_bytes();
    let Signature { sig, .. } = &mut envelope.signatures[0];
    let byte = kind
        .iter_mut()
        .chain(&mut envelope.payload)
        .chain(&mut keyid)
        .chain(sig)
        .nth(place)
        .unwrap();
    *byte ^= change;
    envelope.signatures[0].keyid = countersign_domain::Digest::from_bytes(keyid);
    match String::from_utf8(kind) {
        Ok(kind) => {
            envelope.payload_type = kind;
            true
        }
        Err(_) => false,
    }
}

fn length(envelope: &Envelope) -> usize {
    envelope.payload_type.len() + envelope.payload.len() + 32 + 64
}

#[test]
fn a_signed_decision_counts_after_its_journey() {
    let scene = scene();
    let received = receive(&scene, envelope(&scene)).unwrap();
    assert_eq!(
        received.map(|effective| effective.digest()),
        Ok(envelope(&scene).digest())
    );
}

#[test]
fn no_byte_of_it_can_be_changed() {
    let scene = scene();
    let good = envelope(&scene);
    for place in 0..length(&good) {
        let mut other = good.clone();
        if flip(&mut other, place, 1) {
            let received = receive(&scene, other);
            assert!(
                !matches!(received, Some(Ok(_))),
                "byte {place} was changed and the decision counted"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_change_of_a_byte_makes_a_decision_that_counts(place in any::<prop::sample::Index>(), change in 1..=u8::MAX) {
        let scene = scene();
        let mut other = envelope(&scene);
        let place = place.index(length(&other));
        if flip(&mut other, place, change) {
            match receive(&scene, other) {
                None => {}
                Some(result) => prop_assert_eq!(result, Err(Reason::BadSignature)),
            }
        }
    }
}

#[test]
fn no_field_can_be_changed_under_the_same_signature() {
    let changes: [fn(&mut Decision); 18] = [
        |d| d.approver = person(2),
        |d| d.assurance = Assurance::Session,
        |d| d.checkpoint = None,
        |d| d.comment = None,
        |d| d.decided_at.0 += 1,
        |d| d.device = None,
        |d| d.device_seq = Some(2),
        |d| d.expires_at.0 += 1,
        |d| d.id = countersign_domain::id::DecisionId::from_uuid(crate::support::uuid(7)),
        |d| d.nonce = nonce(7),
        |d| d.offline = true,
        |d| d.previous = None,
        |d| d.preview = Some(digest("preview")),
        |d| d.proposal_digest = digest("another"),
        |d| d.renderer = 2,
        |d| d.retracts = Some(digest("approval")),
        |d| d.verdict = Verdict::Reject,
        |d| d.view = digest("another card"),
    ];
    let scene = scene();
    let good = Record::signed(&scene.decision, &key(1)).unwrap();
    for (number, change) in changes.into_iter().enumerate() {
        let mut decision = scene.decision.clone();
        change(&mut decision);
        let mut forged = Record::unsigned(&decision).unwrap();
        forged.signature = good.signature.clone();
        assert_eq!(
            scene.world.judge_record(&forged),
            Err(Reason::BadSignature),
            "change {number}"
        );
    }
}

#[test]
fn a_signature_over_another_kind_of_record_is_none_here() {
    let scene = scene();
    let mut record = Record::signed(&scene.decision, &key(1)).unwrap();
    let elsewhere = key(1).sign(&Kind::Withdraw.payload_type(), record.bytes().to_vec());
    record.signature = elsewhere.signatures.into_iter().next();
    assert_eq!(scene.world.judge_record(&record), Err(Reason::BadSignature));
}

#[test]
fn a_record_of_another_kind_is_no_decision() {
    let scene = scene();
    let record = Record::unsigned(&scene.story.evaluation(
        countersign_domain::record::PolicyDecision::Allow,
        crate::support::needs(1, Assurance::Session),
    ))
    .unwrap();
    assert!(record.body::<Decision>().is_err());
    let mut posing = record;
    posing.kind = Kind::Decision;
    assert!(posing.body::<Decision>().is_err(), "nor by its name alone");
}

#[test]
fn an_unsigned_decision_does_not_pass_for_a_devices() {
    let scene = scene();
    let record = Record::unsigned(&scene.decision).unwrap();
    assert_eq!(scene.world.judge_record(&record), Err(Reason::BadSignature));
}

#[test]
fn a_signed_decision_does_not_pass_for_a_sessions() {
    let mut scene = scene();
    crate::support::by_session(&mut scene.decision);
    let record = Record::signed(&scene.decision, &key(1)).unwrap();
    scene.world.session = Some(person(1));
    assert_eq!(
        scene.world.judge_record(&record),
        Err(Reason::BadSignature),
        "the server writes those itself"
    );
}

//! Signed records and their bodies.

use countersign_domain::{
    Record,
    canonical::{self, Value},
    decision::{Circumstances, Credential, verify_decision},
    dsse::Envelope,
    manifest::Pinned,
    record::{Body, Decision, Mode, Proposal, Reason, Role},
    render::render,
};
use serde_json::Value as Json;

use crate::seeds;

/// An envelope is the same after a journey, and none that was changed passes for the signer's.
pub(crate) fn envelope(bytes: &[u8]) -> bool {
    let Ok(envelope) = serde_json::from_slice::<Envelope>(bytes) else {
        return false;
    };
    let again = serde_json::to_vec(&envelope).expect("an envelope is JSON");
    assert_eq!(
        serde_json::from_slice::<Envelope>(&again).expect("its own form"),
        envelope
    );
    let speaks = envelope.verify(seeds::device_key()).is_ok();
    let honest = seeds::envelopes();
    assert!(
        !speaks || honest.contains(&envelope),
        "a record that nobody has signed"
    );
    if let Ok(record) = Record::from_envelope(envelope.clone()) {
        assert_eq!(record.digest, envelope.digest());
        assert_eq!(record.to_envelope().payload, envelope.payload);
    }
    true
}

/// What is read is JSON to everybody and means the same; what is canonical has no second spelling; and no JSON is refused
/// that is already in its canonical form.
pub(crate) fn canonical(bytes: &[u8]) -> bool {
    let theirs = serde_json::from_slice::<Json>(bytes).ok();
    let is_canonical = canonical::check(bytes).is_ok();
    if let Ok(ours) = canonical::parse(bytes) {
        assert_eq!(Some(json(&ours)), theirs, "one text, one meaning");
        let spelled = canonical::to_vec(&ours).expect("it was read");
        assert_eq!(is_canonical, spelled == bytes, "one value, one text");
        canonical::check(&spelled).expect("it was written");
    } else {
        assert!(!is_canonical, "what is canonical can be read");
        let spelled = theirs.and_then(|theirs| canonical::to_vec(&value(&theirs)?).ok());
        assert_ne!(spelled.as_deref(), Some(bytes), "refused although canonical");
    }
    is_canonical
}

fn json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(truth) => Json::from(*truth),
        Value::Integer(number) => Json::from(*number),
        Value::String(text) => Json::from(text.as_str()),
        Value::Array(items) => items.iter().map(json).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.to_owned(), json(value)))
            .collect(),
    }
}

/// Their value as ours, when it is within the profile.
fn value(json: &Json) -> Option<Value> {
    Some(match json {
        Json::Null => Value::Null,
        Json::Bool(truth) => Value::from(*truth),
        // A fraction, also one of zero, is outside of it.
        Json::Number(number) => Value::from(number.as_i64().filter(|n| n.abs() <= canonical::MAX_INTEGER)?),
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => Value::from(items.iter().map(value).collect::<Option<Vec<_>>>()?),
        Json::Object(members) => Value::Object(
            members
                .iter()
                .map(|(name, json)| Some((name.clone(), value(json)?)))
                .collect::<Option<_>>()?,
        ),
    })
}

/// A proposal that is read is read whole, and its card can be made or not: never half.
pub(crate) fn proposal(bytes: &[u8]) -> bool {
    let Some(proposal) = body::<Proposal>(bytes) else {
        return false;
    };
    let digest = Record::unsigned(&proposal).expect("it was read").digest;
    let mut manifest = seeds::manifest();
    manifest.id.clone_from(&proposal.tool.id);
    let manifest = Pinned::new(manifest).expect("a manifest");
    let mut shown = proposal.clone();
    shown.tool.manifest = manifest.digest();
    shown.connection = None;
    if let Ok(view) = render(&shown, digest, None, &manifest, None) {
        view.digest().expect("whatever can be proposed can be decided");
    }
    true
}

/// A decision that is read is read whole, and counts for nobody who is not known.
pub(crate) fn decision(bytes: &[u8]) -> bool {
    let Some(decision) = body::<Decision>(bytes) else {
        return false;
    };
    let record = Record::unsigned(&decision).expect("it was read");
    let views = [(decision.renderer, decision.view)];
    let world = |credential| Circumstances {
        tenant: decision.tenant,
        mode: Mode::Company,
        proposal: None,
        role: Some(Role::Owner),
        agent_owner: None,
        credential,
        views: &views,
    };
    let judged = |credential| verify_decision(&record, &world(credential), decision.decided_at).err();
    assert_eq!(judged(Credential::Device(None)), Some(Ok(Reason::BadSignature)));
    let by_session = judged(Credential::Session(decision.approver));
    assert!(matches!(
        by_session,
        Some(Ok(Reason::BadSignature | Reason::UnknownProposal))
    ));
    true
}

/// A body holds what its bytes say and nothing else, in the one spelling that it has.
fn body<B: Body + PartialEq + std::fmt::Debug>(bytes: &[u8]) -> Option<B> {
    let body: B = canonical::exactly(bytes).ok()?;
    let again = canonical::to_vec(&body).expect("it was read");
    assert_eq!(again, bytes, "written as it was read");
    Some(body)
}

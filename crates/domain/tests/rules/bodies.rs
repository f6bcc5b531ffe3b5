//! The stored form of every kind of record: one spelling, nothing unknown in it, and no change unseen.

use std::collections::BTreeSet;

use countersign_domain::{
    Record,
    canonical::{self, Object, Value},
    manifest::Manifest,
    record::{
        Actor, Agent, Begin, Body, Connection, Decision, Effect, Endorse, Endorsement, Enrol, Erase,
        Evaluation, Expire, Genesis, Holder, InvalidRecord, Invite, Kind, Lapse, Member, Preview,
        PreviewOutcome, Proposal, Receipt, Refuse, Release, Remark, Resolution, Revoke, Rotate, Rules, Stop,
        Supersede, TaskPriority, Void, Withdraw,
    },
    render::{flat, visible},
};

use crate::{
    samples,
    support::{device, key, person, uuid},
};

#[test]
fn every_kind_of_record_has_one_stored_form() {
    let records = samples::records();
    let kinds: Vec<_> = records.iter().map(|record| record.kind).collect();
    assert_eq!(kinds, Kind::ALL.map(|(kind, _)| kind), "no kind is left out");
    let text: Vec<_> = records
        .iter()
        .map(|record| {
            // The digest is over the very bytes; what would hide in this file is shown.
            let body = flat(&visible(core::str::from_utf8(record.bytes()).unwrap()));
            format!("{} {}\n{}\n{body}\n", record.kind, subject(record), record.digest)
        })
        .collect();
    insta::assert_snapshot!(text.join("\n"));
}

/// Calls `$check::<Body>(record)` with the type that belongs to the record's kind.
macro_rules! of_its_type {
    ($check:ident, $record:expr) => {
        match $record.kind {
            Kind::Genesis => $check::<Genesis>($record),
            Kind::Member => $check::<Member>($record),
            Kind::Invite => $check::<Invite>($record),
            Kind::Agent => $check::<Agent>($record),
            Kind::Connection => $check::<Connection>($record),
            Kind::Manifest => $check::<Manifest>($record),
            Kind::Enrol => $check::<Enrol>($record),
            Kind::Endorse => $check::<Endorse>($record),
            Kind::Revoke => $check::<Revoke>($record),
            Kind::Refuse => $check::<Refuse>($record),
            Kind::Proposal => $check::<Proposal>($record),
            Kind::Preview => $check::<Preview>($record),
            Kind::Evaluation => $check::<Evaluation>($record),
            Kind::Decision => $check::<Decision>($record),
            Kind::Void => $check::<Void>($record),
            Kind::Withdraw => $check::<Withdraw>($record),
            Kind::Supersede => $check::<Supersede>($record),
            Kind::Expire => $check::<Expire>($record),
            Kind::Begin => $check::<Begin>($record),
            Kind::Receipt => $check::<Receipt>($record),
            Kind::Lapse => $check::<Lapse>($record),
            Kind::Resolution => $check::<Resolution>($record),
            Kind::Stop => $check::<Stop>($record),
            Kind::Release => $check::<Release>($record),
            Kind::Rules => $check::<Rules>($record),
            Kind::Remark => $check::<Remark>($record),
            Kind::Rotate => $check::<Rotate>($record),
            Kind::Erase => $check::<Erase>($record),
        }
    };
}

fn subject(record: &Record) -> String {
    fn of<B: Body>(record: &Record) -> String {
        record.body::<B>().unwrap().subject()
    }
    of_its_type!(of, record)
}

#[test]
fn a_body_is_written_in_order_at_the_first_go() {
    fn check<B: Body>(record: &Record) {
        let body: B = record.body().unwrap();
        let written = serde_json::to_vec(&body).unwrap();
        assert_eq!(
            canonical::check(&written),
            Ok(()),
            "{} would be put in order each time it is written",
            record.kind
        );
        assert_eq!(written, record.bytes(), "and reads back as it was written");
    }
    for record in &samples::records() {
        of_its_type!(check, record);
    }
}

#[test]
fn every_variant_in_a_body_writes_itself_in_order_and_reads_back() {
    fn check<T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + core::fmt::Debug>(value: T) {
        let bytes = serde_json::to_vec(&value).unwrap();
        assert_eq!(canonical::check(&bytes), Ok(()), "{value:?}");
        assert_eq!(canonical::from_slice::<T>(&bytes), Ok(value));
    }
    let agent = samples::agent().agent;
    for actor in [Actor::User(person(1)), Actor::Agent(agent), Actor::Server] {
        check(actor);
    }
    for holder in [Holder::Tenant, Holder::Device(device(1))] {
        check(holder);
    }
    for endorsement in [
        Endorsement::FirstDevice,
        Endorsement::Device(device(1)),
        Endorsement::Admin(person(1)),
        Endorsement::Server,
    ] {
        check(endorsement);
    }
    check(PreviewOutcome::Shown { content: Value::Null });
    check(PreviewOutcome::Unavailable {
        reason: "offline".to_owned(),
    });
    for text in [None, Some("x".to_owned())] {
        check(Effect::TaskCreated {
            description: text.clone(),
            due_date: text,
            id: countersign_domain::id::TaskId::from_uuid(uuid(1)),
            priority: TaskPriority::Normal,
            title: "t".to_owned(),
        });
    }
}

/// Free JSON: whatever stands below is the tool's or the connection's own.
const FREE: [&str; 5] = ["args", "config", "content", "result", "schema"];

/// Every copy of `value` in which one typed object says that `name` is `what`.
fn with_one_said(value: &Value, name: &str, what: &Value) -> Vec<Value> {
    match value {
        Value::Object(object) => {
            let mut more = object.clone();
            more.insert(name, what.clone());
            let mut found = vec![Value::Object(more)];
            for (place, inner) in object.iter().filter(|(place, _)| !FREE.contains(place)) {
                for changed in with_one_said(inner, name, what) {
                    let mut copy = object.clone();
                    copy.insert(place, changed);
                    found.push(Value::Object(copy));
                }
            }
            found
        }
        Value::Array(items) => (0..items.len())
            .flat_map(|at| {
                with_one_said(&items[at], name, what)
                    .into_iter()
                    .map(move |changed| {
                        let mut copy = items.clone();
                        copy[at] = changed;
                        Value::Array(copy)
                    })
            })
            .collect(),
        Value::Null | Value::Bool(_) | Value::Integer(_) | Value::String(_) => Vec::new(),
    }
}

/// The names of all typed objects in `value`.
fn names(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (name, inner) in object.iter() {
                into.insert(name.to_owned());
                if !FREE.contains(&name) {
                    names(inner, into);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| names(item, into)),
        Value::Null | Value::Bool(_) | Value::Integer(_) | Value::String(_) => (),
    }
}

#[test]
fn whatever_is_read_as_a_body_is_what_that_body_writes() {
    /// Whether a reader of types would take it for a body; it is then refused unless it is what that body writes.
    fn is_second_spelling<B: Body>(record: &Record) -> bool {
        let Ok(read) = canonical::from_slice::<B>(record.bytes()) else {
            assert!(record.body::<B>().is_err());
            return false;
        };
        let text = String::from_utf8_lossy(record.bytes());
        let is_its_own = canonical::to_vec(&read).unwrap() == record.bytes();
        assert_eq!(record.body::<B>().is_ok(), is_its_own, "{}: {text}", record.kind);
        assert_eq!(
            record.body::<B>().is_ok(),
            is_its_own,
            "and again: {}: {text}",
            record.kind
        );
        assert!(is_its_own || record.subject().is_err(), "{}: {text}", record.kind);
        !is_its_own
    }
    let said = ["null", "false", "0", "1", "\"\"", "[]", "{}"]
        .map(|text| canonical::parse(text.as_bytes()).unwrap());
    let (mut null, mut default) = (BTreeSet::new(), BTreeSet::new());
    for record in samples::records() {
        let value = canonical::parse(record.bytes()).unwrap();
        let mut known = BTreeSet::new();
        names(&value, &mut known);
        for name in &known {
            for what in &said {
                for other in with_one_said(&value, name, what) {
                    let other = Record::new(
                        record.kind,
                        canonical::to_vec(&other).unwrap(),
                        record.signature.clone(),
                    );
                    if of_its_type!(is_second_spelling, &other) {
                        let found = if *what == Value::Null {
                            &mut null
                        } else {
                            &mut default
                        };
                        found.insert((record.kind, name.clone()));
                    }
                }
            }
        }
    }
    assert!(
        null.contains(&(Kind::Decision, "device".to_owned())) && null.len() > 50,
        "nothing is refused for nothing: {null:?}"
    );
    for (kind, name) in [
        (Kind::Proposal, "untrusted"),
        (Kind::Proposal, "evidence"),
        (Kind::Evaluation, "settlers"),
    ] {
        assert!(
            default.contains(&(kind, name.to_owned())),
            "{kind} {name}: {default:?}"
        );
    }
}

#[test]
fn a_result_of_null_is_a_result() {
    let receipt = |result| Receipt {
        result,
        ..samples::receipt()
    };
    for result in [None, Some(Value::Null), Some(Value::Bool(false))] {
        let record = Record::unsigned(&receipt(result.clone())).unwrap();
        assert_eq!(record.body::<Receipt>().unwrap().result, result);
    }
}

#[test]
fn a_body_with_an_unknown_name_anywhere_is_refused() {
    fn refuses<B: Body>(record: &Record) -> bool {
        matches!(record.body::<B>(), Err(InvalidRecord::Body(_)))
    }
    for record in samples::records() {
        let value = canonical::parse(record.bytes()).unwrap();
        let others = with_one_said(&value, "zzz", &Value::Integer(1));
        assert!(!others.is_empty());
        for other in others {
            let other = Record::new(
                record.kind,
                canonical::to_vec(&other).unwrap(),
                record.signature.clone(),
            );
            let text = String::from_utf8_lossy(other.bytes()).into_owned();
            assert!(of_its_type!(refuses, &other), "{}: {text}", record.kind);
        }
    }
}

#[test]
fn a_body_that_lacks_a_required_name_is_refused() {
    fn reads<B: Body>(record: &Record) -> bool {
        record.body::<B>().is_ok()
    }
    let optional = [
        "answers",
        "base",
        "checkpoint",
        "comment",
        "compromised_since",
        "confirm",
        "connection",
        "contributors",
        "device",
        "device_seq",
        "effect",
        "failure",
        "last_good_seq",
        "not_before",
        "note",
        "owner",
        "previous",
        "preview",
        "reason",
        "reference",
        "result",
        "retracts",
        "retry_of",
        "role",
        "successor",
        "supersedes",
        "untrusted",
    ];
    for record in samples::records() {
        let value = canonical::parse(record.bytes()).unwrap();
        let whole = value.as_object().unwrap();
        for (name, _) in whole.iter() {
            let mut less: Object = whole.clone();
            less.remove(name);
            let other = Record::new(
                record.kind,
                canonical::to_vec(&less).unwrap(),
                record.signature.clone(),
            );
            if of_its_type!(reads, &other) {
                // Where the rules have something erased nobody does.
                let nobody = record.kind == Kind::Erase && name == "by";
                assert!(
                    nobody || optional.contains(&name),
                    "{} without {name}",
                    record.kind
                );
            }
        }
    }
}

#[test]
fn a_body_in_another_spelling_is_refused() {
    for record in samples::records() {
        let text = String::from_utf8(record.bytes().to_vec()).unwrap();
        for other in [
            text.replacen(':', ": ", 1),
            format!("{text}\n"),
            text.replacen('{', "{\"at\":1,", 1),
            text.replacen("0192f3a4", "0192F3A4", 1),
        ] {
            fn reads<B: Body>(record: &Record) -> bool {
                record.body::<B>().is_ok()
            }
            let changed = other != text;
            let other = Record::new(record.kind, other.into_bytes(), record.signature.clone());
            assert!(!changed || !of_its_type!(reads, &other), "{}", record.kind);
        }
    }
}

#[test]
fn a_record_survives_its_envelope() {
    for record in samples::records() {
        let signed = key(1).sign(&record.kind.payload_type(), record.bytes().to_vec());
        let received = Record::from_envelope(signed.clone()).unwrap();
        assert_eq!(received.digest, record.digest, "one name, signed or not");
        assert!(received.is_signed_by(&key(1).public_key()));
        assert!(!received.is_signed_by(&key(2).public_key()));
        assert!(!record.is_signed_by(&key(1).public_key()), "unsigned");
        assert_eq!(received.to_envelope(), signed);
    }
}

#[test]
fn an_envelope_of_an_unknown_kind_or_with_another_number_of_signatures_is_no_record() {
    let record = samples::records().remove(0);
    let mut envelope = key(1).sign(
        "application/vnd.countersign.prophecy.v1+json",
        record.bytes().to_vec(),
    );
    assert!(matches!(
        Record::from_envelope(envelope.clone()),
        Err(InvalidRecord::UnknownKind(_))
    ));
    envelope.payload_type = Kind::Genesis.payload_type();
    envelope.signatures.push(envelope.signatures[0].clone());
    assert_eq!(
        Record::from_envelope(envelope.clone()),
        Err(InvalidRecord::Signatures)
    );
    envelope.signatures.clear();
    assert_eq!(Record::from_envelope(envelope), Err(InvalidRecord::Signatures));
}

//! What travels: each request as JSON, and what it refuses.

use core::fmt::Debug;
use std::collections::BTreeMap;

use countersign_domain::{
    Record,
    canonical::{Object, Value},
    id::{AgentId, InviteId},
    record::{ConnectionKind, Evidence, Holder, Role},
    wire::{
        AcceptInvite, AgentCreated, Approve, ChangeMember, Claim, CreateAgent, CreateConnection,
        EndorseRequest, EnrolRequest, Execute, ExecutionRecord, InviteRequest, Invited, Propose,
        ProviderSignIn, PushRecords, REDIRECT_PATH, Reject, RevokeRequest, SignIn, SignedIn, WireEntry,
        WithdrawRequest,
    },
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    samples::{self, id},
    support::{at, device, digest, key, person, uuid},
};

/// Collects samples by name, each checked to read back as it was written.
#[derive(Default)]
pub(crate) struct Sheet(pub(crate) BTreeMap<&'static str, serde_json::Value>);

impl Sheet {
    pub(crate) fn answer<T: Serialize + DeserializeOwned>(&mut self, name: &'static str, body: &T) {
        let json = serde_json::to_value(body).unwrap();
        let read: T = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(serde_json::to_value(read).unwrap(), json, "{name} reads back");
        assert!(self.0.insert(name, json).is_none(), "{name} is there twice");
    }

    /// A request also refuses what it does not know.
    fn request<T: Serialize + DeserializeOwned + Debug>(&mut self, name: &'static str, body: &T) {
        self.answer(name, body);
        let text = serde_json::to_string(body).unwrap();
        let rest = text.strip_prefix('{').unwrap();
        let unknown = format!("{{\"zzz\":1{}{rest}", if rest == "}" { "" } else { "," });
        assert!(
            serde_json::from_str::<T>(&unknown).is_err(),
            "{name} takes a name that it does not know"
        );
        if let Some((first, _)) = rest.split_once(':') {
            let twice = format!("{{{first}:null,{rest}");
            assert!(
                serde_json::from_str::<T>(&twice).is_err(),
                "{name} takes one name twice"
            );
        }
    }
}

#[test]
fn requests_have_one_form() {
    let mut sheet = Sheet::default();
    let envelope = Record::signed(&samples::decision(), &key(1))
        .unwrap()
        .to_envelope();
    sheet.request(
        "sign-in",
        &SignIn {
            email: "ada@acme.com".to_owned(),
            password: "correct horse".to_owned(),
        },
    );
    sheet.request(
        "sign-in by the company's provider",
        &ProviderSignIn {
            code: "c0de".to_owned(),
            verifier: "verifier".to_owned(),
            nonce: "nonce".to_owned(),
            redirect_uri: format!("http://127.0.0.1:49152{REDIRECT_PATH}"),
            invite: None,
        },
    );
    sheet.request(
        "propose text",
        &Propose {
            text: Some("create task: Call the bank".to_owned()),
            ..Propose::default()
        },
    );
    sheet.request(
        "propose",
        &Propose {
            text: None,
            tool_id: Some("http.request".to_owned()),
            input: Some(Value::Object(Object::from_iter([("method", "GET")]))),
            note: Some("For the audit.".to_owned()),
            evidence: vec![Evidence {
                title: "Invoice".to_owned(),
                value: "number 7".to_owned(),
            }],
            connection: Some(samples::connection().id),
            expires_at: Some(at(0)),
            not_before: Some(at(1)),
            retry_of: Some(id()),
            supersedes: Some(id()),
            run: Some("run 7".to_owned()),
        },
    );
    sheet.request(
        "approve",
        &Approve {
            ai_tool_call_id: id(),
            comment: Some("Fine.".to_owned()),
        },
    );
    sheet.request(
        "reject",
        &Reject {
            ai_tool_call_id: id(),
            reason: "Wrong month.".to_owned(),
        },
    );
    sheet.request(
        "execute",
        &Execute {
            ai_tool_call_id: id(),
        },
    );
    sheet.request(
        "withdraw",
        &WithdrawRequest {
            reason: Some("Paid already.".to_owned()),
        },
    );
    sheet.request(
        "push records",
        &PushRecords {
            records: vec![envelope.clone()],
        },
    );
    sheet.request(
        "enrol",
        &EnrolRequest {
            record: envelope.clone(),
        },
    );
    sheet.request(
        "endorse",
        &EndorseRequest {
            code: "012345".to_owned(),
        },
    );
    sheet.request(
        "revoke",
        &RevokeRequest {
            reason: "Lost.".to_owned(),
            ..RevokeRequest::default()
        },
    );
    sheet.request(
        "revoke, compromised",
        &RevokeRequest {
            reason: "Stolen.".to_owned(),
            compromised_since: Some(at(1)),
            decisions_stand: false,
        },
    );
    sheet.request("change member", &ChangeMember { role: Role::Admin });
    sheet.request(
        "invite",
        &InviteRequest {
            email: "bob@acme.com".to_owned(),
            role: Role::Approver,
        },
    );
    sheet.request(
        "accept invite",
        &AcceptInvite {
            secret: "s3cret".to_owned(),
            name: "Bob".to_owned(),
            password: "correct horse".to_owned(),
        },
    );
    sheet.request(
        "create agent",
        &CreateAgent {
            name: "bookkeeper".to_owned(),
            personal: true,
        },
    );
    sheet.request(
        "create connection",
        &CreateConnection {
            kind: ConnectionKind::Http,
            name: "Billing".to_owned(),
            config: samples::connection().config,
            holder: Holder::Device(device(1)),
        },
    );
    sheet.request(
        "claim",
        &Claim {
            device: device(1),
            manifests: vec![digest("manifest")],
            limit: 10,
        },
    );
    sheet.request("execution record", &ExecutionRecord { record: envelope });
    insta::assert_json_snapshot!(sheet.0);
}

pub(crate) fn entry() -> WireEntry {
    let record = Record::signed(&samples::begin(), &key(1)).unwrap();
    WireEntry {
        seq: 16,
        at: at(18),
        kind: record.kind.name().to_owned(),
        subject: format!("proposal/{}", id()),
        digest: record.digest,
        signature: record.signature.clone(),
        body: Some(String::from_utf8(record.into_bytes()).unwrap()),
    }
}

#[test]
fn an_entry_gives_its_record_only_when_it_is_the_one_that_the_header_names() {
    let good = entry();
    let record = good.record().unwrap();
    assert!(record.is_signed_by(&key(1).public_key()));
    let other = |change: &dyn Fn(&mut WireEntry)| {
        let mut entry = good.clone();
        change(&mut entry);
        entry.record()
    };
    assert_eq!(other(&|entry| entry.body = None), None, "withheld or erased");
    assert_eq!(
        other(&|entry| entry.kind = "prophecy".to_owned()),
        None,
        "not known here"
    );
    assert_eq!(
        other(&|entry| entry.kind = "receipt".to_owned()),
        None,
        "another kind"
    );
    assert_eq!(other(&|entry| entry.digest = digest("another")), None);
    assert_eq!(other(&|entry| entry.body.as_mut().unwrap().push(' ')), None);
}

#[test]
fn secrets_do_not_print() {
    let debug = [
        format!(
            "{:?}",
            SignIn {
                email: "ada@acme.com".to_owned(),
                password: "hunter22".to_owned(),
            }
        ),
        format!(
            "{:?}",
            ProviderSignIn {
                code: "hunter22".to_owned(),
                verifier: "hunter22".to_owned(),
                nonce: "hunter22".to_owned(),
                redirect_uri: "http://127.0.0.1:1/signed-in".to_owned(),
                invite: Some("hunter22".to_owned()),
            }
        ),
        format!(
            "{:?}",
            SignedIn {
                token: "hunter22".to_owned(),
                user_id: person(1),
                email: "ada@acme.com".to_owned(),
                tenants: Vec::new(),
            }
        ),
        format!(
            "{:?}",
            AcceptInvite {
                secret: "hunter22".to_owned(),
                name: "Bob".to_owned(),
                password: "hunter22".to_owned(),
            }
        ),
        format!(
            "{:?}",
            AgentCreated {
                agent_id: AgentId::from_uuid(uuid(0x400)),
                api_key: "hunter22".to_owned(),
            }
        ),
        format!(
            "{:?}",
            Invited {
                invite_id: InviteId::from_uuid(uuid(0x600)),
                secret: "hunter22".to_owned(),
                expires_at: at(1),
            }
        ),
        format!("{:?}", key(1)),
    ];
    for text in debug {
        assert!(!text.contains("hunter22"), "{text}");
    }
}

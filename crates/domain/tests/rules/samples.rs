//! One of every kind of record, with every optional field set.

use countersign_domain::{
    Digest, Millis, Record,
    canonical::{Object, Value},
    id::{AgentId, ConnectionId, InviteId, ProposalId, TaskId},
    manifest::{CardField, Idempotency, Manifest, Pinned, Shape},
    record::{
        Actor, Agent, ApprovalRule, Assurance, Begin, CheckpointSeen, Connection, ConnectionKind,
        ConnectionRef, Decision, Effect, EffectClass, Endorse, Endorsement, Enrol, Erase, Evaluation,
        Evidence, Expire, Failure, Genesis, Holder, Invite, Lapse, Member, Mode, Outcome, Phase,
        PolicyDecision, Preview, PreviewOutcome, Proposal, Proposer, ProposerKind, Reason, Receipt, Refuse,
        Release, Remark, Requirement, Resolution, Revoke, Risk, Role, Rotate, Rules, Scope, Stop, Supersede,
        TaskPriority, ToolRef, Untrusted, Verdict, Void, Withdraw,
    },
    render::{View, render},
};

use crate::support::{Story, at, device, digest, key, nonce, person, tenant, uuid};

/// All of them, in the order of `Kind::ALL`.
pub(crate) fn records() -> Vec<Record> {
    [
        Record::unsigned(&genesis()),
        Record::unsigned(&member()),
        Record::unsigned(&invite()),
        Record::unsigned(&agent()),
        Record::unsigned(&connection()),
        Record::unsigned(&manifest()),
        Record::unsigned(&enrol()),
        Record::unsigned(&endorse()),
        Record::unsigned(&revoke()),
        Record::unsigned(&refuse()),
        Record::unsigned(&proposal()),
        Record::unsigned(&shown()),
        Record::unsigned(&evaluation()),
        Record::unsigned(&decision()),
        Record::unsigned(&void()),
        Record::unsigned(&withdraw()),
        Record::unsigned(&supersede()),
        Record::unsigned(&Expire {
            at: at(17),
            proposal: id(),
        }),
        Record::unsigned(&begin()),
        Record::unsigned(&receipt()),
        Record::unsigned(&lapse()),
        Record::unsigned(&resolution()),
        Record::unsigned(&stop()),
        Record::unsigned(&release()),
        Record::unsigned(&rules()),
        Record::unsigned(&rotate()),
        Record::unsigned(&erase()),
        Record::unsigned(&remark()),
    ]
    .map(Result::unwrap)
    .into()
}

pub(crate) fn id() -> ProposalId {
    ProposalId::from_uuid(uuid(0x300))
}

fn resolution() -> Resolution {
    Resolution {
        at: at(21),
        by: person(1),
        confirmed: true,
        device: Some(device(1)),
        device_seq: Some(8),
        fence: 1,
        happened: true,
        nonce: nonce(21),
        note: Some("It is in the sent folder.".to_owned()),
        previous: Some(digest("the device's seventh record")),
        proposal: id(),
        proposal_digest: digest("the proposal"),
    }
}

fn stop() -> Stop {
    Stop {
        at: at(22),
        by: person(1),
        device: Some(device(1)),
        device_seq: Some(9),
        nonce: nonce(22),
        previous: Some(digest("the device's eighth record")),
        reason: Some("Something sends mails to everybody.".to_owned()),
        scope: Scope::Agent(AgentId::from_uuid(uuid(0x500))),
        tenant: tenant(),
    }
}

fn release() -> Release {
    Release {
        at: at(23),
        by: person(2),
        confirmed: false,
        device: Some(device(2)),
        device_seq: Some(1),
        nonce: nonce(23),
        previous: Some(digest("nothing")),
        scope: Scope::Tool("email.send".to_owned()),
        stop: digest("the stop"),
        tenant: tenant(),
    }
}

fn rules() -> Rules {
    Rules {
        at: at(24),
        base: Some(digest("the rules before")),
        by: person(1),
        confirmed: true,
        device: Some(device(1)),
        device_seq: Some(10),
        nonce: nonce(24),
        previous: Some(digest("the device's ninth record")),
        table: vec![ApprovalRule {
            assurance: Some(Assurance::Device),
            hold: Some(Millis::seconds(60)),
            keep: None,
            lifetime: Some(Millis::hours(8)),
            quorum: 2,
            risk: Some(Risk::High),
            tool: Some("email.send".to_owned()),
        }],
        tenant: tenant(),
    }
}

fn rotate() -> Rotate {
    Rotate {
        at: at(25),
        device: device(1),
        device_seq: 11,
        key: key(2).public_key(),
        nonce: nonce(25),
        previous: Some(digest("the device's tenth record")),
        proof: Rotate::proof(&key(2), tenant(), device(1), 11, nonce(25)).unwrap(),
        tenant: tenant(),
    }
}

fn erase() -> Erase {
    Erase {
        at: at(26),
        by: Some(person(1)),
        nonce: nonce(26),
        proposal: id(),
        reason: "The customer has asked for it.".to_owned(),
        rules: None,
        tenant: tenant(),
    }
}

pub(crate) fn genesis() -> Genesis {
    Genesis {
        created_at: at(0),
        log_key: key(9).public_key(),
        mode: Mode::Company,
        name: "Acme".to_owned(),
        nonce: nonce(1),
        tenant: tenant(),
    }
}

pub(crate) fn member() -> Member {
    Member {
        at: at(1),
        by: Actor::User(person(1)),
        email: "ada@acme.com".to_owned(),
        name: "Ada".to_owned(),
        nonce: nonce(2),
        role: Some(Role::Approver),
        tenant: tenant(),
        user: person(2),
    }
}

pub(crate) fn invite() -> Invite {
    Invite {
        at: at(2),
        by: Actor::User(person(1)),
        email: "bob@acme.com".to_owned(),
        expires_at: at(2) + Millis::hours(72),
        id: InviteId::from_uuid(uuid(0x600)),
        nonce: nonce(3),
        role: Some(Role::Auditor),
        tenant: tenant(),
    }
}

pub(crate) fn agent() -> Agent {
    Agent {
        agent: AgentId::from_uuid(uuid(0x400)),
        at: at(3),
        by: Actor::User(person(1)),
        name: "bookkeeper".to_owned(),
        nonce: nonce(4),
        owner: Some(person(1)),
        revoked: false,
        tenant: tenant(),
    }
}

pub(crate) fn connection() -> Connection {
    Connection {
        at: at(4),
        by: Actor::Server,
        config: Value::Object(Object::from_iter([(
            "base_url",
            "https://api.example.com:8443/v1/",
        )])),
        holder: Holder::Device(device(1)),
        id: ConnectionId::from_uuid(uuid(0x700)),
        kind: ConnectionKind::Http,
        name: "Billing".to_owned(),
        nonce: nonce(5),
        removed: false,
        tenant: tenant(),
    }
}

pub(crate) fn manifest() -> Manifest {
    let field = |arg: &str, label: &str, shape| CardField {
        arg: arg.to_owned(),
        label: label.to_owned(),
        shape,
    };
    Manifest {
        money: false,
        card: vec![
            field("method", "Method", Shape::Method),
            field("path", "Address", Shape::Url),
            field("headers", "Headers", Shape::Pairs),
            field("body", "Body", Shape::Code),
            field("to", "To", Shape::Recipients),
            field("note", "Note", Shape::Text),
            field("due", "Due", Shape::Date),
            field("urgent", "Urgent", Shape::Flag),
            field("amount", "Amount", Shape::Line),
        ],
        confirm: Some("amount".to_owned()),
        connection: Some(ConnectionKind::Http),
        description: "Sends one request.".to_owned(),
        effect: EffectClass::Opaque,
        hold: Millis(10_000),
        id: "http.request".to_owned(),
        idempotency: Idempotency::IdempotencyKey,
        risk: Risk::High,
        schema: Value::Object(Object::from_iter([("type", "object")])),
        sentence: "{method} {path} at Billing".to_owned(),
        title: "HTTP request".to_owned(),
        version: "1.0.0".to_owned(),
    }
}

fn enrol() -> Enrol {
    Enrol {
        challenge: nonce(6),
        device: device(1),
        name: "laptop".to_owned(),
        nonce: nonce(7),
        public_key: key(1).public_key(),
        tenant: tenant(),
        user: person(1),
    }
}

fn endorse() -> Endorse {
    Endorse {
        at: at(5),
        by: Endorsement::Admin(person(2)),
        device: device(1),
        device_seq: None,
        enrol: digest("enrol"),
        nonce: nonce(8),
        previous: None,
        tenant: tenant(),
    }
}

fn revoke() -> Revoke {
    Revoke {
        at: at(6),
        by: Actor::Agent(AgentId::from_uuid(uuid(0x400))),
        compromised_since: Some(at(3)),
        device: device(1),
        last_good_seq: Some(4),
        nonce: nonce(9),
        reason: "Lost on a train.".to_owned(),
    }
}

fn refuse() -> Refuse {
    Refuse {
        at: at(6),
        device: device(1),
        reason: Reason::NotEligible,
        record: digest("endorse"),
    }
}

/// A request with something of every shape, over the sample connection.
pub(crate) fn proposal() -> Proposal {
    let args = [
        ("method", Value::from("POST")),
        ("path", Value::from("/invoices")),
        (
            "headers",
            Value::Object(Object::from_iter([("Accept", "application/json")])),
        ),
        ("body", Value::from("{\n\t\"total\": \"480.00\"\n}")),
        (
            "to",
            Value::from(vec![Value::from("ann@acme.com"), Value::from("аnn@acme.com")]),
        ),
        ("note", Value::from("Please pay.\r\nSincerely \u{202E}eht dna")),
        ("due", Value::from("2026-11-30")),
        ("urgent", Value::from(true)),
        ("amount", Value::from("480.00")),
        ("retries", Value::from(3)),
    ];
    Proposal {
        args: Value::Object(args.into_iter().collect()),
        connection: Some(ConnectionRef {
            config: connection().config_digest().unwrap(),
            holder: connection().holder,
            id: connection().id,
        }),
        created_at: at(10),
        effect: EffectClass::Opaque,
        expires_at: at(10) + Millis::hours(72),
        id: id(),
        nonce: nonce(10),
        not_before: Some(at(20)),
        proposer: Proposer {
            contributors: [person(4), person(5)].into(),
            id: uuid(0x400).to_string(),
            kind: ProposerKind::Agent,
            name: "bookkeeper".to_owned(),
            on_behalf_of: Some(person(3)),
            run: Some("run 7".to_owned()),
        },
        retry_of: Some(ProposalId::from_uuid(uuid(0x301))),
        risk: Risk::High,
        risk_reasons: vec!["A new recipient.".to_owned()],
        supersedes: Some(ProposalId::from_uuid(uuid(0x302))),
        tenant: tenant(),
        tool: ToolRef {
            id: "http.request".to_owned(),
            manifest: manifest().digest().unwrap(),
            version: "1.0.0".to_owned(),
        },
        untrusted: Untrusted {
            evidence: vec![Evidence {
                title: "Invoice".to_owned(),
                value: "https://example.com/invoice.pdf".to_owned(),
            }],
            note: Some("Ada said this is fine.\nApprove it.".to_owned()),
        },
    }
}

pub(crate) fn proposal_digest() -> Digest {
    Record::unsigned(&proposal()).unwrap().digest
}

pub(crate) fn preview(proposal: &Proposal, outcome: PreviewOutcome) -> Preview {
    Preview {
        by: Holder::Device(device(1)),
        device_seq: None,
        made_at: at(11),
        nonce: nonce(11),
        outcome,
        previous: None,
        proposal: proposal.id,
        proposal_digest: Record::unsigned(proposal).unwrap().digest,
    }
}

pub(crate) fn shown() -> Preview {
    let content = Object::from_iter([("bytes", Value::from(23)), ("to", Value::from("api.example.com"))]);
    preview(
        &proposal(),
        PreviewOutcome::Shown {
            content: Value::Object(content),
        },
    )
}

pub(crate) fn view() -> View {
    render(
        &proposal(),
        proposal_digest(),
        Some(&shown()),
        &Pinned::new(manifest()).unwrap(),
        Some(&connection()),
    )
    .unwrap()
}

pub(crate) fn evaluation() -> Evaluation {
    Evaluation {
        bundle: digest("bundle"),
        decision: PolicyDecision::RequiresApproval,
        evaluated_at: at(12),
        nonce: nonce(12),
        phase: Phase::Propose,
        policies: vec!["new-recipient".to_owned()],
        proposal: id(),
        proposal_digest: proposal_digest(),
        reason: "It goes to somebody new.".to_owned(),
        requirement: Requirement {
            settlers: 2,
            assurance: Assurance::Device,
            hold: Millis(10_000),
            quorum: 2,
        },
    }
}

pub(crate) fn decision() -> Decision {
    let mut story = Story::untold();
    story.proposal = proposal();
    Decision {
        checkpoint: Some(CheckpointSeen {
            root: digest("root"),
            size: 12,
        }),
        comment: Some("Agreed on the phone.".to_owned()),
        offline: true,
        previous: Some(digest("previous")),
        preview: Some(digest("preview")),
        retracts: Some(digest("approval")),
        ..story.decision(1, Verdict::Retract, at(13))
    }
}

fn void() -> Void {
    Void {
        at: at(14),
        decision: digest("decision"),
        proposal: id(),
        reason: Reason::AssuranceTooLow,
    }
}

fn withdraw() -> Withdraw {
    Withdraw {
        at: at(15),
        by: Actor::User(person(1)),
        device: None,
        device_seq: None,
        nonce: nonce(15),
        previous: None,
        proposal: id(),
        reason: Some("Paid already.".to_owned()),
    }
}

fn supersede() -> Supersede {
    Supersede {
        at: at(16),
        proposal: id(),
        reason: "Replaced by its proposer.".to_owned(),
        successor: Some(ProposalId::from_uuid(uuid(0x303))),
    }
}

pub(crate) fn begin() -> Begin {
    Begin {
        at: at(18),
        authority: vec![digest("decision")],
        device_seq: Some(2),
        executor: Holder::Device(device(1)),
        fence: 1,
        nonce: nonce(18),
        preview: Some(digest("preview")),
        previous: Some(digest("decision")),
        proposal: id(),
        proposal_digest: proposal_digest(),
    }
}

pub(crate) fn receipt() -> Receipt {
    Receipt {
        attempts: None,
        device_seq: Some(3),
        dispatched: true,
        effect: Some(Effect::TaskCreated {
            description: Some("About the invoice".to_owned()),
            due_date: Some("2026-11-30".to_owned()),
            id: TaskId::from_uuid(uuid(0x800)),
            priority: TaskPriority::High,
            title: "Call the bank".to_owned(),
        }),
        executor: Holder::Device(device(1)),
        failure: Some(Failure {
            code: "refused".to_owned(),
            message: "The server answered 402.".to_owned(),
        }),
        fence: 1,
        finished_at: at(20),
        nonce: nonce(19),
        outcome: Outcome::Failed,
        previous: Some(digest("begin")),
        proposal: id(),
        proposal_digest: proposal_digest(),
        reference: Some("019-key".to_owned()),
        result: Some(Value::Object(Object::from_iter([("status", 402)]))),
        started_at: at(19),
        summary: "The server refused it.".to_owned(),
    }
}

fn lapse() -> Lapse {
    Lapse {
        at: at(21),
        fence: 1,
        proposal: id(),
    }
}

fn remark() -> Remark {
    Remark {
        answers: Some(digest("question")),
        at: at(30),
        by: Actor::User(person(4)),
        device: Some(device(4)),
        device_seq: Some(9),
        nonce: nonce(27),
        previous: Some(digest("record 8")),
        proposal: id(),
        proposal_digest: proposal_digest(),
        text: "Invoice 7 is the last one.\nThe others were paid.".to_owned(),
    }
}

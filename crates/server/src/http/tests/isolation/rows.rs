//! The matrix's rows: one for each call, and one for each other name that a call takes.

use countersign_domain::Digest;
use serde_json::{Value, json};

use super::{
    super::*,
    office::{Named, Office, Seat, Thing, begin, question_of},
    signed::{approval, endorsement, enrol, preview, question, receipt, resolution, stop, withdrawal},
    wire::Sent,
};
use crate::random;

/// Everybody, in the order of what they may.
pub(super) const ROLES: [&str; 6] = ["owner", "admin", "approver", "auditor", "member", "agent"];

const ALL: &[&str] = &ROLES;
const PEOPLE: &[&str] = &["owner", "admin", "approver", "auditor", "member"];
const SEE_ALL: &[&str] = &["owner", "admin", "approver", "auditor"];
const DECIDE: &[&str] = &["owner", "admin", "approver"];
const EXPORT: &[&str] = &["owner", "admin", "auditor"];
const MANAGE: &[&str] = &["owner", "admin"];
/// The one whose device holds the connection.
const HOLDER: &[&str] = &["owner"];
const NOBODY: &[&str] = &[];

/// What a call's body says: who sends it to which tenant, and the thing that it names.
pub(super) struct Saying<'a> {
    pub(super) world: &'a World,
    pub(super) office: &'a Office,
    /// Whose device signs; an agent has none, so the owner's does.
    pub(super) seat: &'a Seat,
    pub(super) named: &'a Named,
    /// A challenge of the sender's.
    pub(super) challenge: &'a str,
}

/// Who has to be known for a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reach {
    /// Nobody.
    Open,
    /// A person, and no tenant.
    Session,
    Tenant,
}

/// One call.
pub(super) struct Row {
    pub(super) call: (&'static str, &'static str),
    pub(super) reach: Reach,
    /// What its `{id}` is of, or what its body names.
    pub(super) thing: Thing,
    /// Who gets the answer `good`.
    pub(super) may: &'static [&'static str],
    pub(super) good: u16,
    pub(super) body: fn(&Saying<'_>) -> Value,
}

impl Row {
    pub(super) fn sent(&self, saying: &Saying<'_>) -> Sent {
        Sent {
            method: self.call.0.to_uppercase().parse().unwrap(),
            path: self.call.1.replace("{id}", &saying.named.id),
            headers: Vec::new(),
            body: (self.body)(saying),
        }
    }

    /// Whether nothing but a read.
    pub(super) fn reads(&self) -> bool {
        self.call.0 == "get"
    }
}

const fn open(call: (&'static str, &'static str), good: u16, body: fn(&Saying<'_>) -> Value) -> Row {
    Row {
        call,
        reach: Reach::Open,
        thing: Thing::Nothing,
        may: ALL,
        good,
        body,
    }
}

const fn read(path: &'static str, may: &'static [&'static str]) -> Row {
    row(("get", path), Thing::Nothing, may, 200, none)
}

const fn row(
    call: (&'static str, &'static str),
    thing: Thing,
    may: &'static [&'static str],
    good: u16,
    body: fn(&Saying<'_>) -> Value,
) -> Row {
    Row {
        call,
        reach: Reach::Tenant,
        thing,
        may,
        good,
        body,
    }
}

const fn none(_: &Saying<'_>) -> Value {
    Value::Null
}

/// Every call there is.
pub(super) fn rows() -> Vec<Row> {
    use Thing::*;
    let decided = |saying: &Saying<'_>| json!({"aiToolCallId": saying.named.id, "reason": "No."});
    vec![
        open(("get", "/api/health"), 200, none),
        open(("get", "/api/openapi.json"), 200, none),
        open(
            ("post", "/api/auth/sign-in"),
            401,
            |_| json!({"email": "nobody@acme.example", "password": "not this one"}),
        ),
        open(("get", "/api/auth/methods"), 200, none),
        open(("get", "/api/auth/provider"), 404, none),
        open(("post", "/api/auth/provider/sign-in"), 404, |_| {
            json!({
                "code": "code", "verifier": "v".repeat(43), "nonce": "n".repeat(43),
                "redirectUri": "http://127.0.0.1:1/signed-in",
            })
        }),
        open(
            ("post", "/api/invites/accept"),
            404,
            |_| json!({"secret": "cs_invite_none", "name": "Nobody", "password": PASSWORD}),
        ),
        Row {
            reach: Reach::Session,
            ..row(("post", "/api/auth/sign-out"), Nothing, PEOPLE, 204, none)
        },
        // From another machine, and where there are several tenants: nobody's.
        read("/metrics", NOBODY),
        read("/api/tenant", PEOPLE),
        read("/api/tools", ALL),
        read("/api/members", PEOPLE),
        row(
            ("patch", "/api/members/{id}"),
            Member,
            MANAGE,
            204,
            |_| json!({"role": "member"}),
        ),
        row(("delete", "/api/members/{id}"), Member, MANAGE, 204, none),
        read("/api/invites", MANAGE),
        row(
            ("post", "/api/invites"),
            Nothing,
            MANAGE,
            201,
            |saying| json!({"email": format!("{}@acme.example", saying.named.id), "role": "member"}),
        ),
        row(("delete", "/api/invites/{id}"), Invite, MANAGE, 204, none),
        read("/api/agents", PEOPLE),
        row(
            ("post", "/api/agents"),
            Nothing,
            MANAGE,
            201,
            |saying| json!({"name": saying.named.id}),
        ),
        row(("post", "/api/agents/{id}/revoke"), Agent, MANAGE, 204, none),
        read("/api/connections", PEOPLE),
        row(("post", "/api/connections"), Nothing, MANAGE, 201, |saying| {
            connection(&saying.seat.device.id.to_string())
        }),
        row(("delete", "/api/connections/{id}"), Connection, MANAGE, 204, none),
        read("/api/devices", PEOPLE),
        row(("post", "/api/devices/challenge"), Nothing, PEOPLE, 200, none),
        row(("post", "/api/devices/enrol"), Nothing, PEOPLE, 200, |saying| {
            enrol(saying, saying.office.id)
        }),
        row(
            ("post", "/api/devices/{id}/endorse"),
            Waiting,
            MANAGE,
            204,
            |saying| json!({"code": saying.named.more.as_str().unwrap_or("000000")}),
        ),
        row(
            ("post", "/api/devices/{id}/revoke"),
            Device,
            MANAGE,
            204,
            |_| json!({"reason": "Lost."}),
        ),
        row(("get", "/api/devices/{id}/review"), Revoked, MANAGE, 200, none),
        row(
            ("post", "/api/assistant/propose"),
            Nothing,
            ALL,
            200,
            |saying| json!({"text": format!("create task: {}", saying.named.id)}),
        ),
        row(
            ("post", "/api/assistant/approve"),
            Proposal,
            DECIDE,
            200,
            |saying| json!({"aiToolCallId": saying.named.id}),
        ),
        row(("post", "/api/assistant/reject"), Proposal, DECIDE, 200, decided),
        row(
            ("post", "/api/assistant/execute"),
            Approved,
            &["owner", "admin", "approver", "auditor", "agent"],
            200,
            |saying| json!({"aiToolCallId": saying.named.id}),
        ),
        read("/api/assistant/proposals", ALL),
        row(
            ("get", "/api/assistant/proposals/{id}"),
            Proposal,
            &["owner", "admin", "approver", "auditor", "agent"],
            200,
            none,
        ),
        row(
            ("post", "/api/assistant/proposals/{id}/withdraw"),
            Proposal,
            &["agent"],
            200,
            |_| json!({}),
        ),
        row(
            ("post", "/api/assistant/proposals/{id}/ask"),
            Proposal,
            DECIDE,
            200,
            |_| json!({"text": "Why?"}),
        ),
        row(
            ("post", "/api/assistant/proposals/{id}/answer"),
            Asked,
            &["agent"],
            200,
            |saying| json!({"question": question_of(saying.named), "text": "Because."}),
        ),
        row(
            ("post", "/api/assistant/proposals/{id}/resolve"),
            Unknown,
            DECIDE,
            200,
            |_| json!({"happened": true}),
        ),
        row(
            ("post", "/api/assistant/proposals/{id}/erase"),
            Approved,
            MANAGE,
            204,
            |_| json!({"reason": "Asked to."}),
        ),
        read("/api/stop", PEOPLE),
        row(
            ("post", "/api/stop"),
            Agent,
            DECIDE,
            201,
            |saying| json!({"scope": {"kind": "agent", "id": saying.named.id}}),
        ),
        row(("post", "/api/stop/release"), Stop, DECIDE, 200, |saying| {
            let scope = Some(&saying.named.more).filter(|more| more.is_object()).cloned();
            let scope = scope.unwrap_or_else(|| json!({"kind": "tenant"}));
            let stop: Option<Digest> = saying.named.id.parse().ok();
            json!({"scope": scope, "stop": stop.unwrap_or_else(|| Digest::of(saying.named.id.as_bytes()))})
        }),
        read("/api/rules", PEOPLE),
        row(("put", "/api/rules"), Nothing, MANAGE, 200, |saying| {
            let people = saying.office.store(saying.world).people();
            // One rule more: it loosens nothing.
            let mut table = json!(people.rules.table);
            let rule = json!({"quorum": 1, "tool": format!("nothing.{}", people.rules.table.len())});
            table.as_array_mut().unwrap().push(rule);
            json!({"base": people.rules.digest, "table": table})
        }),
        read("/api/radar", SEE_ALL),
        read("/api/tasks", PEOPLE),
        row(
            ("post", "/api/records"),
            Proposal,
            DECIDE,
            200,
            |saying| json!({"records": [approval(saying)]}),
        ),
        read("/api/journal", PEOPLE),
        read("/api/journal/events", PEOPLE),
        read("/api/journal/checkpoint", PEOPLE),
        read("/api/journal/export", EXPORT),
        read("/api/snapshot", SEE_ALL),
        row(
            ("post", "/api/executions/claim"),
            Nothing,
            PEOPLE,
            200,
            |saying| json!({"device": saying.seat.device.id, "manifests": [], "limit": 1}),
        ),
        row(
            ("post", "/api/executions/{id}/begin"),
            Leased,
            HOLDER,
            200,
            |saying| json!({"record": begin(&saying.seat.device, saying.world, &well_formed(saying.named)).to_envelope()}),
        ),
        row(
            ("post", "/api/executions/{id}/confirm"),
            Begun,
            HOLDER,
            200,
            |saying| {
                let fence = saying.named.more["fence"].as_u64().unwrap_or(1);
                json!({"device": saying.seat.device.id, "fence": fence})
            },
        ),
        row(
            ("post", "/api/executions/{id}/complete"),
            Begun,
            HOLDER,
            200,
            |saying| json!({"record": receipt(saying, &well_formed(saying.named))}),
        ),
        row(
            ("post", "/api/executions/{id}/refuse"),
            Leased,
            HOLDER,
            200,
            |saying| {
                let fence = saying.named.more["fence"].as_u64().unwrap_or(1);
                json!({"device": saying.seat.device.id, "fence": fence, "reason": "It is not what was approved."})
            },
        ),
    ]
}

/// Names that calls take beside those of [`rows`]: a parent of one's own with a child of somebody else's.
pub(super) fn mixed() -> Vec<Row> {
    use Thing::*;
    let of = |call, thing, body| row(call, thing, MANAGE, 0, body);
    let propose = ("post", "/api/assistant/propose");
    let records = ("post", "/api/records");
    vec![
        of(
            propose,
            Proposal,
            |saying| json!({"toolId": "assistant.create_task", "input": {"title": "x"}, "supersedes": saying.named.id}),
        ),
        of(
            propose,
            Unknown,
            |saying| json!({"toolId": "assistant.create_task", "input": {"title": "x"}, "retryOf": saying.named.id}),
        ),
        of(propose, Connection, |saying| {
            let input = json!({"method": "GET", "path": "/v1/x"});
            json!({"toolId": "http.request", "input": input, "connection": saying.named.id})
        }),
        of(("post", "/api/connections"), Device, |saying| {
            connection(&saying.named.id)
        }),
        of(
            ("post", "/api/executions/claim"),
            Device,
            |saying| json!({"device": saying.named.id, "manifests": [], "limit": 1}),
        ),
        of(
            records,
            Proposal,
            |saying| json!({"records": [withdrawal(saying)]}),
        ),
        of(records, Proposal, |saying| json!({"records": [question(saying)]})),
        of(
            records,
            Unknown,
            |saying| json!({"records": [resolution(saying)]}),
        ),
        of(records, Leased, |saying| json!({"records": [preview(saying)]})),
        of(records, Agent, |saying| json!({"records": [stop(saying)]})),
        of(
            records,
            Waiting,
            |saying| json!({"records": [endorsement(saying)]}),
        ),
    ]
}

/// For what is no id at all the record is about another one than the path, which nobody gets to see.
fn well_formed(named: &Named) -> Named {
    let mut named = named.clone();
    if named.id.parse::<countersign_domain::id::ProposalId>().is_err() {
        named.id = random::uuid().to_string();
    }
    named
}

fn connection(device: &str) -> Value {
    let config = json!({
        "base_url": "https://billing.example.com/",
        "allowed_methods": ["GET"],
        "allowed_path_prefixes": ["/v1"],
    });
    let name = random::uuid().to_string();
    json!({"kind": "http", "name": name, "config": config, "holder": {"kind": "device", "id": device}})
}

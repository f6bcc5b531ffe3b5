//! `GET /api/openapi.json`: the description of every call. Its schemas are derived from the wire types; tests hold it
//! against the router's list of calls and against every answer that they get.

use std::sync::LazyLock;

use axum::{http::header, response::IntoResponse};
use countersign_domain::{fold::Status, wire};
use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

static TEXT: LazyLock<String> = LazyLock::new(|| describe().to_string());

/// The description, made once.
pub(crate) async fn document() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], TEXT.as_str())
}

/// Every call. The order of a path's methods and of the paths is of no matter.
pub(crate) fn describe() -> Value {
    let mut api = Api::new();
    api.call("get", "/api/health", "Whether the server lives")
        .open()
        .answers::<wire::Health>(200)
        .answers::<wire::Health>(503);
    api.call(
        "get",
        "/metrics",
        "The process's counts, which name nobody: without a credential from this machine with no proxy in front, else for an \
         owner or admin where there is one tenant only",
    )
    .security_optional()
    .answers_in::<wire_json::Anything>(200, "application/openmetrics-text");
    api.call("get", "/api/openapi.json", "This description")
        .open()
        .answers::<wire_json::Anything>(200);
    api.call("post", "/api/auth/sign-in", "Open a session")
        .open()
        .takes::<wire::SignIn>()
        .answers::<wire::SignedIn>(200);
    api.call(
        "get",
        "/api/auth/methods",
        "Whether people sign in with the company's OpenID provider, and what it is called",
    )
    .open()
    .answers::<wire::SignInMethods>(200);
    api.call(
        "get",
        "/api/auth/provider",
        "What an app needs to send somebody to the company's provider; 404 without one",
    )
    .open()
    .answers::<wire::ProviderInfo>(200);
    api.call(
        "post",
        "/api/auth/provider/sign-in",
        "Open a session with an authorization code of the company's provider. A 403's `code` says what was not believed: \
         `code_refused`, `token_invalid`, `wrong_nonce`, `wrong_audience`, `token_expired`, `email_missing`, \
         `email_unverified`, `email_foreign`, `email_changed`, `bound_to_another` or `not_a_member`",
    )
    .open()
    .takes::<wire::ProviderSignIn>()
    .answers::<wire::SignedIn>(200);
    api.call("post", "/api/auth/sign-out", "End the session")
        .no_tenant()
        .done();

    api.call("get", "/api/tenant", "The tenant and the caller's role in it")
        .answers::<wire::TenantInfo>(200);
    api.call("get", "/api/tools", "Every tool's manifest")
        .answers::<wire::ToolList>(200);

    api.call("get", "/api/members", "The tenant's people")
        .answers::<wire::MemberList>(200);
    api.call("patch", "/api/members/{id}", "Give a member another role")
        .takes::<wire::ChangeMember>()
        .done();
    api.call("delete", "/api/members/{id}", "Remove a member").done();
    api.call("get", "/api/invites", "Open invitations")
        .answers::<wire::InviteList>(200);
    api.call("post", "/api/invites", "Invite somebody")
        .takes::<wire::InviteRequest>()
        .answers::<wire::Invited>(201);
    api.call("delete", "/api/invites/{id}", "Take an invitation back")
        .done();
    api.call(
        "post",
        "/api/invites/accept",
        "Join with an invitation's secret, and sign in",
    )
    .open()
    .takes::<wire::AcceptInvite>()
    .answers::<wire::SignedIn>(200);

    api.call("get", "/api/agents", "The tenant's agents")
        .answers::<wire::AgentList>(200);
    api.call("post", "/api/agents", "Register an agent; its key is shown once")
        .takes::<wire::CreateAgent>()
        .answers::<wire::AgentCreated>(201);
    api.call("post", "/api/agents/{id}/revoke", "Take an agent out of service")
        .done();

    api.call("get", "/api/connections", "The tenant's ways out")
        .answers::<wire::ConnectionList>(200);
    api.call("post", "/api/connections", "Add a connection in its public part")
        .takes::<wire::CreateConnection>()
        .answers::<wire::ConnectionCreated>(201);
    api.call(
        "delete",
        "/api/connections/{id}",
        "Remove a connection; what has not begun over it is superseded",
    )
    .done();

    api.call(
        "get",
        "/api/devices",
        "Device keys: everybody's for who manages, else one's own",
    )
    .answers::<wire::DeviceList>(200);
    api.call(
        "post",
        "/api/devices/challenge",
        "The nonce that an enrol record has to carry",
    )
    .answers::<wire::Challenge>(200);
    api.call("post", "/api/devices/enrol", "Bring a device's key")
        .takes::<wire::EnrolRequest>()
        .answers::<wire::Enrolled>(200);
    api.call(
        "post",
        "/api/devices/{id}/endorse",
        "Vouch for another person's device",
    )
    .takes::<wire::EndorseRequest>()
    .done();
    api.call("post", "/api/devices/{id}/revoke", "Take a device out of service")
        .takes::<wire::RevokeRequest>()
        .done();
    api.call(
        "get",
        "/api/devices/{id}/review",
        "What had begun on the word of a revoked device after its last good record",
    )
    .answers::<wire::DeviceReview>(200);

    api.call(
        "post",
        "/api/assistant/propose",
        "Propose a tool call, as text or as tool and input",
    )
    .header(
        "idempotency-key",
        "1 to 255 printable ASCII characters; wins over the key made from the text",
    )
    .takes::<wire::Propose>()
    .answers::<wire::Proposed>(200);
    api.call(
        "post",
        "/api/assistant/approve",
        "Approve with the session's assurance",
    )
    .takes::<wire::Approve>()
    .answers::<wire::DecidedAnswer>(200);
    api.call("post", "/api/assistant/reject", "Reject, finally")
        .takes::<wire::Reject>()
        .answers::<wire::DecidedAnswer>(200);
    api.call(
        "post",
        "/api/assistant/execute",
        "Wait up to 30 seconds for the one run",
    )
    .takes::<wire::Execute>()
    .answers::<wire::Executed>(200)
    .answers::<wire::Executed>(202);
    api.call("get", "/api/assistant/proposals", "Proposals, newest first")
        .query("status", json!({"type": "string", "enum": Status::ALL.map(|(_, name)| name)}))
        .query("tool", json!({"type": "string"}))
        .query("risk", json!({"enum": ["low", "medium", "high", "critical"]}))
        .query(
            "q",
            json!({"type": "string", "description": "Beginnings of words that all occur in the sentence, in any order"}),
        )
        .page(1, wire::MAX_PAGE)
        .answers::<wire::ProposalList>(200);
    api.call(
        "get",
        "/api/assistant/proposals/{id}",
        "One proposal whole, optionally waiting for a change",
    )
    .query(
        "wait",
        json!({"type": "integer", "minimum": 0, "description": "Seconds, at most 45"}),
    )
    .query(
        "revision",
        json!({"type": "integer", "minimum": 0, "description": "The revision that the caller has"}),
    )
    .answers::<wire::ProposalDetail>(200);
    api.call(
        "post",
        "/api/assistant/proposals/{id}/withdraw",
        "Take one's own proposal back",
    )
    .takes::<wire::WithdrawRequest>()
    .answers::<wire::ProposalDetail>(200);
    api.call(
        "post",
        "/api/assistant/proposals/{id}/ask",
        "Ask the proposer something; whoever decides may, while it is open",
    )
    .takes::<wire::AskRequest>()
    .answers::<wire::ProposalDetail>(200);
    api.call(
        "post",
        "/api/assistant/proposals/{id}/answer",
        "Answer a question about one's own proposal",
    )
    .takes::<wire::AnswerRequest>()
    .answers::<wire::ProposalDetail>(200);
    api.call(
        "post",
        "/api/assistant/proposals/{id}/resolve",
        "Say what became of a call whose outcome is unknown",
    )
    .takes::<wire::ResolveRequest>()
    .answers::<wire::ProposalDetail>(200);
    api.call(
        "post",
        "/api/assistant/proposals/{id}/erase",
        "Erase what was written about a request that is over; the journal still proves that it was",
    )
    .takes::<wire::EraseRequest>()
    .done();

    api.call("get", "/api/stop", "What stands still, and what had begun before")
        .answers::<wire::StopList>(200);
    api.call(
        "post",
        "/api/stop",
        "Stop: from now on nothing in the scope begins",
    )
    .takes::<wire::StopRequest>()
    .answers::<wire::StopList>(201);
    api.call(
        "post",
        "/api/stop/release",
        "Want a stop to end; it does once two people do",
    )
    .takes::<wire::ReleaseRequest>()
    .answers::<wire::StopList>(200);
    api.call(
        "get",
        "/api/rules",
        "What the tenant asks beyond policy's own rules",
    )
    .answers::<wire::RuleTable>(200);
    api.call(
        "put",
        "/api/rules",
        "Want another table of rules; one that loosens takes a second person who sends the same",
    )
    .takes::<wire::RulesRequest>()
    .answers::<wire::RuleTable>(200);

    api.call(
        "get",
        "/api/radar",
        "Everything that is not over, whose move it is, and what has waited too long",
    )
    .answers::<wire::Radar>(200);
    api.call("get", "/api/tasks", "Tasks made so far, newest first")
        .page(1, wire::MAX_PAGE)
        .answers::<wire::TaskList>(200);

    api.call(
        "post",
        "/api/records",
        "What a device signed, in its order: decisions, previews, withdrawals, questions and answers, endorsements, turns to a new key, resolutions, stops, releases, rules",
    )
    .takes::<wire::PushRecords>()
    .answers::<wire::PushedRecords>(200);
    api.call(
        "get",
        "/api/journal",
        "Entries after a sequence number, with the head's checkpoint and a proof",
    )
    .page(0, wire::MAX_JOURNAL_PAGE)
    .answers::<wire::JournalPage>(200);
    api.call(
        "get",
        "/api/journal/events",
        "Server-sent events, each the new head",
    )
    .answers_in::<wire::Head>(200, "text/event-stream");
    api.call("get", "/api/journal/checkpoint", "The head")
        .answers::<wire::Head>(200);
    api.call(
        "get",
        "/api/journal/export",
        "The whole journal as evidence (docs/bundle.md), for owners, admins and auditors; as CSV a view, not evidence",
    )
    .query("format", json!({"type": "string", "enum": ["bundle", "csv"], "default": "bundle"}))
    .query("profile", json!({"type": "string", "enum": ["full", "redacted"], "default": "full"}))
    .query(
        "size",
        json!({"type": "integer", "minimum": 1, "description": "The first so many entries; without it all"}),
    )
    .header("Range", "`bytes=N-`: go on with a bundle that broke off. Counts only with `size`")
    .answers_in::<wire_json::Anything>(200, "application/vnd.countersign.bundle")
    .answers_in::<wire_json::Anything>(200, "text/csv")
    .answers_in::<wire_json::Anything>(206, "application/vnd.countersign.bundle");
    api.call(
        "get",
        "/api/snapshot",
        "A replica for a fresh device, compressed with zstd",
    )
    .answers_in::<wire_json::Anything>(200, "application/zstd");

    api.call("post", "/api/executions/claim", "Lease what the device may begin")
        .takes::<wire::Claim>()
        .answers::<wire::Claimed>(200);
    for (path, summary) in [
        ("/api/executions/{id}/begin", "Begin: the point of no return"),
        ("/api/executions/{id}/complete", "Hand in the receipt"),
    ] {
        api.call("post", path, summary)
            .takes::<wire::ExecutionRecord>()
            .answers::<wire::ExecutionAnswer>(200);
    }
    api.call(
        "post",
        "/api/executions/{id}/confirm",
        "Ask whether a call that has begun and went unanswered may be made again under its key",
    )
    .takes::<wire::ConfirmFence>()
    .answers::<wire::Lease>(200);
    api.call(
        "post",
        "/api/executions/{id}/refuse",
        "End a lease: the call is not what was approved",
    )
    .takes::<wire::RefuseLease>()
    .answers::<wire::LeaseRefused>(200);
    api.finish()
}

mod wire_json {
    /// Any JSON.
    #[derive(schemars::JsonSchema)]
    #[schemars(transparent)]
    pub(super) struct Anything(#[allow(dead_code, reason = "only its schema is wanted")] serde_json::Value);
}

struct Api {
    schemas: SchemaGenerator,
    paths: Map<String, Value>,
}

impl Api {
    fn new() -> Self {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        });
        Self {
            schemas: settings.into_generator(),
            paths: Map::new(),
        }
    }

    fn call(&mut self, method: &str, path: &str, summary: &str) -> Operation<'_> {
        let place = self.paths.entry(path).or_insert_with(|| json!({}));
        let mut operation = json!({
            "operationId": format!("{method}{}", path.replace("/api", "").replace(['/', '-', '.'], "_").replace(['{', '}'], "")),
            "summary": summary,
            "security": [{"bearer": []}],
            "parameters": [{"$ref": "#/components/parameters/Tenant"}],
            "responses": {"default": {"$ref": "#/components/responses/Refusal"}},
        });
        if path.contains("{id}") {
            push(
                &mut operation["parameters"],
                json!({
                    "name": "id", "in": "path", "required": true, "schema": {"type": "string"}
                }),
            );
        }
        place[method] = operation;
        Operation {
            schemas: &mut self.schemas,
            value: &mut place[method],
        }
    }

    fn finish(mut self) -> Value {
        let refusal = self.schemas.subschema_for::<wire::ErrorBody>();
        json!({
            "openapi": "3.1.0",
            "info": {
                "title": "Countersign tenant server",
                "version": env!("CARGO_PKG_VERSION"),
                "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
                "description": "People countersign what software wants to do. Times are RFC 3339, UTC, with milliseconds; \
                    ids are UUIDs in lower case; absent, foreign and malformed ids answer 404 alike. 429 says in Retry-After when to \
                    come back: `too_many_open` when so many proposals of one proposer wait for people already (10,000 unless \
                    the server is started with another --max-open), `too_many_open_calls` when one credential holds 1,024 \
                    waiting calls or 32 event streams open, `rate_limited` after too many wrong passwords, more than 6,000 \
                    calls to propose of one proposer within five minutes (--max-rate) or, from one address, 1,000 requests in \
                    five minutes whose credential does not count. Waiting calls and event streams end with \
                    their credential.",
            },
            "servers": [{"url": "/"}],
            "paths": self.paths,
            "components": {
                "schemas": self.schemas.take_definitions(true),
                "parameters": {"Tenant": {
                    "name": "x-tenant-id", "in": "header", "required": true, "schema": {"type": "string"},
                    "description": "The tenant's id",
                }},
                "responses": {"Refusal": {
                    "description": "A refusal: a sentence and a machine code",
                    "headers": {"Retry-After": {
                        "description": "Seconds after which the same request may do; with 429 and 503",
                        "schema": {"type": "integer", "minimum": 1},
                    }},
                    "content": {"application/json": {"schema": refusal}},
                }},
                "securitySchemes": {"bearer": {
                    "type": "http", "scheme": "bearer", "description": "A session's token, or an agent's key",
                }},
            },
        })
    }
}

struct Operation<'a> {
    schemas: &'a mut SchemaGenerator,
    value: &'a mut Value,
}

impl Operation<'_> {
    /// Needs no credential.
    fn open(self) -> Self {
        self.value["security"] = json!([]);
        self.no_tenant()
    }

    fn no_tenant(self) -> Self {
        self.value["parameters"] = json!([]);
        self
    }

    fn query(self, name: &str, schema: Value) -> Self {
        push(
            &mut self.value["parameters"],
            json!({"name": name, "in": "query", "schema": schema}),
        );
        self
    }

    /// Also where nobody has to say who they are.
    fn security_optional(self) -> Self {
        self.value["security"] = json!([{}, {"bearer": []}]);
        self.no_tenant()
    }

    fn page(self, least: u32, most: u32) -> Self {
        self.query(
            "after",
            json!({"type": "integer", "minimum": 0, "description": "Where the page before ended"}),
        )
        .query(
            "limit",
            json!({"type": "integer", "minimum": least, "maximum": most}),
        )
    }

    fn header(self, name: &str, description: &str) -> Self {
        let header =
            json!({"name": name, "in": "header", "schema": {"type": "string"}, "description": description});
        push(&mut self.value["parameters"], header);
        self
    }

    fn takes<T: JsonSchema>(self) -> Self {
        let schema = self.schemas.subschema_for::<T>();
        self.value["requestBody"] =
            json!({"required": true, "content": {"application/json": {"schema": schema}}});
        self
    }

    fn answers<T: JsonSchema>(self, status: u16) -> Self {
        self.answers_in::<T>(status, "application/json")
    }

    fn answers_in<T: JsonSchema>(self, status: u16, media: &str) -> Self {
        let schema = self.schemas.subschema_for::<T>();
        let content = json!({media: {"schema": schema}});
        let answer = &mut self.value["responses"][status.to_string()];
        if answer.is_null() {
            *answer = json!({"description": "Done", "content": content});
        } else {
            answer["content"][media] = content[media].clone();
        }
        self
    }

    /// Answers without a body.
    fn done(self) {
        self.value["responses"]["204"] = json!({"description": "Done"});
    }
}

fn push(list: &mut Value, item: Value) {
    if let Value::Array(items) = list {
        items.push(item);
    }
}

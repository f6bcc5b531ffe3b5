//! What the server answers, as JSON.

use crate::{
    samples::{self, id},
    support::{at, device, digest, key, nonce, person, tenant, uuid},
    wire::{Sheet, entry},
};
use countersign_domain::{
    canonical::{Object, Value},
    fold::Status,
    id::{AgentId, InviteId, ProposalId, TaskId},
    radar::{Duty, Move, Owner},
    record::{Endorsement, Holder, Mode, Outcome, PolicyDecision, Reason, Risk, Role, TaskPriority, Verdict},
    wire::{
        AgentCreated, AgentList, AgentSummary, AnswerDetail, Approval, Challenge, CheckStatus, Claimed,
        ConnectionCreated, ConnectionList, ConnectionSummary, DecidedAnswer, DecisionDetail, DeviceList,
        DeviceState, DeviceSummary, Enrolled, ErrorBody, Executed, ExecutionAnswer, ExecutionDetail, Head,
        Health, HealthCheck, HealthStatus, InviteList, InviteSummary, Invited, JournalPage, Lease,
        MemberList, MemberSummary, PolicyAnswer, PolicyDetail, ProposalDetail, ProposalList, ProposalRecord,
        ProposalSummary, Proposed, ProposedCall, ProviderInfo, ProviderName, PushedRecords, QuestionDetail,
        Radar, RadarRow, RecordResult, ResolutionDetail, ResultSummary, SaidDetail, SignInMethods, SignedIn,
        TaskList, TaskSummary, TenantInfo, TenantSummary, ToolList,
    },
};

#[test]
fn answers_about_proposals_have_one_form() {
    let mut sheet = Sheet::default();
    let proposer = samples::proposal().proposer;
    sheet.answer(
        "error",
        &ErrorBody {
            error: "It was decided already.".to_owned(),
            code: "decided".to_owned(),
            current_status: Some(Status::Rejected),
            at: Some(at(40)),
            by: Some(person(2)),
            field: Some("aiToolCallId".to_owned()),
        },
    );
    sheet.answer(
        "radar",
        &Radar {
            overdue: 1,
            proposals: vec![RadarRow {
                id: id(),
                status: Status::Proposed,
                risk: Risk::High,
                sentence: "Send a mail".to_owned(),
                waits_for: Move {
                    owner: Owner::Deciders,
                    duty: Duty::Decide,
                    since: at(1),
                    due: at(2),
                },
                overdue: true,
            }],
            capped: false,
        },
    );
    sheet.answer(
        "proposed",
        &Proposed {
            ok: true,
            tenant_id: tenant(),
            user_id: person(1).to_string(),
            proposed: Some(ProposedCall {
                tool_id: "http.request".to_owned(),
                input: Value::Object(Object::from_iter([("method", "GET")])),
                risk_level: Risk::High,
            }),
            policy: Some(PolicyAnswer {
                decision: PolicyDecision::RequiresApproval,
                reason: "Somebody looks at it first.".to_owned(),
            }),
            proposal_record: Some(ProposalRecord {
                ai_tool_call_id: id(),
                ai_conversation_id: person(1).to_string(),
                ai_message_id: id(),
                tool_call_id: "assistant:propose:v2:00".to_owned(),
                status: Status::Proposed,
                created: true,
            }),
            reason: None,
        },
    );
    sheet.answer(
        "nothing proposed",
        &Proposed {
            ok: true,
            tenant_id: tenant(),
            user_id: person(1).to_string(),
            proposed: None,
            policy: None,
            proposal_record: None,
            reason: Some("no_intent_match".to_owned()),
        },
    );
    let decided = |status, approval| DecidedAnswer {
        ok: true,
        ai_tool_call_id: id(),
        status,
        tool_name: "http.request".to_owned(),
        tool_call_id: "key".to_owned(),
        approval,
    };
    sheet.answer(
        "approved",
        &decided(
            Status::Pending,
            Approval::Approved {
                approved_at: at(1),
                approved_by: person(1),
                comment: Some("Fine.".to_owned()),
            },
        ),
    );
    sheet.answer(
        "rejected",
        &decided(
            Status::Rejected,
            Approval::Rejected {
                rejected_at: at(1),
                rejected_by: person(1),
                reason: "Wrong month.".to_owned(),
            },
        ),
    );
    sheet.answer(
        "executed",
        &Executed {
            ok: true,
            ai_tool_call_id: id(),
            status: Status::Failed,
            tool_name: "http.request".to_owned(),
            tool_call_id: "key".to_owned(),
            duration_ms: Some(12),
            result_summary: Some(ResultSummary {
                success: false,
                formatted: Some("402".to_owned()),
                error: Some("The server refused it.".to_owned()),
            }),
            not_before: Some(at(10_000)),
            stopped: Some("Everything is stopped.".to_owned()),
        },
    );
    sheet.answer(
        "proposal list",
        &ProposalList {
            proposals: vec![ProposalSummary {
                id: id(),
                status: Status::Proposed,
                tool_id: "http.request".to_owned(),
                risk: Risk::High,
                sentence: "POST /invoices".to_owned(),
                proposer: proposer.clone(),
                created_at: at(0),
                expires_at: at(1),
            }],
            next: Some("cursor".to_owned()),
        },
    );
    sheet.answer(
        "proposal",
        &ProposalDetail {
            id: id(),
            status: Status::Failed,
            tool_id: "http.request".to_owned(),
            input: Value::Object(Object::from_iter([("method", "GET")])),
            risk: Risk::High,
            risk_reasons: vec!["A new recipient.".to_owned()],
            sentence: "POST /invoices".to_owned(),
            proposer,
            digest: samples::proposal_digest(),
            created_at: at(0),
            expires_at: at(1),
            not_before: Some(at(2)),
            policy: PolicyDetail {
                decision: PolicyDecision::RequiresApproval,
                reason: "It goes to somebody new.".to_owned(),
                policies: vec!["new-recipient".to_owned()],
                requirement: samples::evaluation().requirement,
            },
            decisions: vec![DecisionDetail {
                digest: digest("decision"),
                verdict: Verdict::Approve,
                approver: person(1),
                at: at(3),
                decided_at: at(2),
                offline: true,
                comment: Some("Fine.".to_owned()),
                void: Some(Reason::Expired),
            }],
            waits_for: Some(Move {
                owner: Owner::Device { id: device(9) },
                duty: Duty::End,
                since: at(1),
                due: at(2),
            }),
            questions: vec![QuestionDetail {
                question: digest("question"),
                by: person(1),
                at: at(2),
                text: "Which invoice?".to_owned(),
                answer: Some(AnswerDetail {
                    at: at(3),
                    text: "Number 7.".to_owned(),
                }),
            }],
            execution: Some(ExecutionDetail {
                executor: Holder::Tenant,
                begun_at: at(4),
                finished_at: Some(at(5)),
                outcome: Some(Outcome::Failed),
                summary: Some("The server refused it.".to_owned()),
                error: Some("402".to_owned()),
                reference: Some("019-key".to_owned()),
                result: Some(Value::from(402)),
                resolution: Some(ResolutionDetail {
                    happened: Some(true),
                    at: Some(at(6)),
                    needed: 2,
                    said: vec![SaidDetail {
                        by: person(1),
                        happened: true,
                        at: at(6),
                        note: Some("It is in the sent folder.".to_owned()),
                    }],
                    contradicted_at: Some(at(7)),
                }),
            }),
            closed: Some("Replaced.".to_owned()),
            retry_of: Some(ProposalId::from_uuid(uuid(0x300))),
            supersedes: Some(ProposalId::from_uuid(uuid(0x301))),
            superseded_by: Some(ProposalId::from_uuid(uuid(0x302))),
            revision: 17,
        },
    );
    sheet.answer(
        "pushed records",
        &PushedRecords {
            results: vec![RecordResult {
                digest: digest("decision"),
                effective: false,
                reason: Some("too_late".to_owned()),
                status: Some(Status::Running),
            }],
        },
    );
    sheet.answer(
        "claimed",
        &Claimed {
            leases: vec![Lease {
                proposal_id: id(),
                fence: 1,
                expires_at: at(60_000),
                authority: vec![digest("decision")],
                size: 17,
            }],
            next_due: Some(at(10_000)),
        },
    );
    sheet.answer(
        "execution",
        &ExecutionAnswer {
            status: Status::Running,
            digest: digest("begin"),
        },
    );
    insta::assert_json_snapshot!(sheet.0);
}

#[test]
fn answers_about_the_tenant_have_one_form() {
    let mut sheet = Sheet::default();
    sheet.answer(
        "signed in",
        &SignedIn {
            token: "t0ken".to_owned(),
            user_id: person(1),
            email: "ada@acme.com".to_owned(),
            tenants: vec![TenantSummary {
                id: tenant(),
                name: "Acme".to_owned(),
                role: Role::Owner,
                mode: Mode::Solo,
            }],
        },
    );
    sheet.answer(
        "ways to sign in",
        &SignInMethods {
            provider: Some(ProviderName {
                name: "Acme".to_owned(),
            }),
        },
    );
    sheet.answer(
        "the company's provider",
        &ProviderInfo {
            issuer: "https://id.acme.com".to_owned(),
            client_id: "countersign".to_owned(),
            authorization_endpoint: "https://id.acme.com/auth".to_owned(),
            scope: "openid email profile".to_owned(),
        },
    );
    sheet.answer(
        "tenant",
        &TenantInfo {
            id: tenant(),
            name: "Acme".to_owned(),
            mode: Mode::Company,
            log_key: key(9).public_key(),
            user_id: person(1),
            role: Role::Owner,
        },
    );
    sheet.answer("challenge", &Challenge { challenge: nonce(1) });
    sheet.answer(
        "enrolled",
        &Enrolled {
            device_id: device(1),
            standing: DeviceState::Waiting,
            code: "012345".to_owned(),
        },
    );
    sheet.answer(
        "devices",
        &DeviceList {
            devices: vec![DeviceSummary {
                id: device(1),
                user_id: person(1),
                name: "laptop".to_owned(),
                public_key: key(1).public_key(),
                state: DeviceState::Active,
                enrolled_at: at(0),
                endorsed_by: Some(Endorsement::Device(device(2))),
                code: Some("012345".to_owned()),
            }],
        },
    );
    sheet.answer(
        "members",
        &MemberList {
            members: vec![MemberSummary {
                user_id: person(1),
                email: "ada@acme.com".to_owned(),
                name: "Ada".to_owned(),
                role: Role::Owner,
                since: at(0),
            }],
        },
    );
    sheet.answer(
        "invited",
        &Invited {
            invite_id: InviteId::from_uuid(uuid(0x600)),
            secret: "s3cret".to_owned(),
            expires_at: at(1),
        },
    );
    sheet.answer(
        "invites",
        &InviteList {
            invites: vec![InviteSummary {
                id: InviteId::from_uuid(uuid(0x600)),
                email: "bob@acme.com".to_owned(),
                role: Role::Approver,
                expires_at: at(1),
            }],
        },
    );
    let agent = AgentId::from_uuid(uuid(0x400));
    sheet.answer(
        "agent created",
        &AgentCreated {
            agent_id: agent,
            api_key: "k3y".to_owned(),
        },
    );
    sheet.answer(
        "agents",
        &AgentList {
            agents: vec![AgentSummary {
                id: agent,
                name: "bookkeeper".to_owned(),
                owner: Some(person(1)),
                revoked: false,
                created_at: at(0),
            }],
        },
    );
    let connection = samples::connection();
    sheet.answer(
        "connection created",
        &ConnectionCreated {
            connection_id: connection.id,
        },
    );
    sheet.answer(
        "connections",
        &ConnectionList {
            connections: vec![ConnectionSummary {
                id: connection.id,
                kind: connection.kind,
                name: connection.name,
                config: connection.config,
                holder: connection.holder,
                open_proposals: 2,
            }],
        },
    );
    sheet.answer(
        "tasks",
        &TaskList {
            tasks: vec![TaskSummary {
                id: TaskId::from_uuid(uuid(0x800)),
                title: "Call the bank".to_owned(),
                description: Some("About the invoice".to_owned()),
                due_date: Some("2026-11-30".to_owned()),
                priority: TaskPriority::High,
                created_at: at(0),
                proposal_id: id(),
            }],
            next: Some("cursor".to_owned()),
        },
    );
    sheet.answer(
        "journal",
        &JournalPage {
            entries: vec![entry()],
            checkpoint: "note".to_owned(),
            consistency: vec![digest("node")],
        },
    );
    sheet.answer(
        "head",
        &Head {
            size: 17,
            root: digest("root"),
            checkpoint: "note".to_owned(),
        },
    );
    sheet.answer(
        "tools",
        &ToolList {
            tools: vec![samples::manifest()],
        },
    );
    sheet.answer(
        "health",
        &Health {
            status: HealthStatus::Degraded,
            version: "0.1.0".to_owned(),
            checks: vec![HealthCheck {
                name: "store".to_owned(),
                status: CheckStatus::Warn,
                message: "The disk is nearly full.".to_owned(),
            }],
        },
    );
    insta::assert_json_snapshot!(sheet.0);
}

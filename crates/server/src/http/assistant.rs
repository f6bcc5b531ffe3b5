//! The assistant endpoints: propose, approve, reject, execute, list, get, withdraw. Field names, success bodies and the
//! order of checks are the seed's (contract §1), its weaknesses mended (design §10).

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
};
use countersign_domain::{
    Record, UnixMillis,
    fold::{Closed, Status},
    id::{DecisionId, ProposalId, UserId},
    record::{Actor, Assurance, Decision, Outcome, Proposer, ProposerKind, Reason, Risk, Verdict},
    render::RENDERER,
    wire::{
        Approval, Approve, DecidedAnswer, Execute, Executed, ExecutionDetail, MAX_PAGE, MAX_WAIT_SECONDS,
        PolicyDetail, ProposalDetail, ProposalList, ProposalRecord, ProposalSummary, Propose, Proposed,
        Reject, ResultSummary, WithdrawRequest,
    },
};
use serde::Deserialize;

use super::{
    auth::Caller,
    body::{Json, Query},
    error::ApiError,
    places::Stay,
};
use crate::{
    App,
    cards::views,
    ingress::{ProposeError, Understood},
    random,
    tenant::{
        DecideRefusal, Filter, ProposalBodies, ProposeRefusal, Stored, Tenant, WithdrawRefusal, still_open,
    },
};

/// Longest comment of an approval and reason of a reject, in characters.
const MAX_COMMENT: usize = 2_000;

/// How long execute waits for the run that it joins.
const EXECUTE_WAIT: Duration = Duration::from_secs(30);

/// `POST /api/assistant/propose`
pub(crate) async fn propose(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Json(request): Json<Propose>,
) -> Result<axum::Json<Proposed>, ApiError> {
    let key = idempotency_key(&headers)?;
    let proposer = proposer(&caller)?;
    let actor = proposer.id.clone();
    let understood = app
        .rules()
        .propose(&caller.tenant, proposer, request, key)
        .await
        .map_err(propose_error)?;
    let (proposed, policy, proposal_record, reason) = match understood {
        Understood::NoIntent => (None, None, None, Some("no_intent_match".to_owned())),
        Understood::NoTool => (None, None, None, Some("tool_not_found".to_owned())),
        Understood::Stored {
            call,
            policy,
            stored,
            created,
        } => {
            let record = ProposalRecord {
                ai_tool_call_id: stored.state.id,
                ai_conversation_id: actor.clone(),
                ai_message_id: stored.state.id,
                tool_call_id: stored.tool_call_id.clone(),
                status: stored.status(caller.tenant.now()),
                created,
            };
            (Some(call), Some(policy), Some(record), None)
        }
    };
    let tenant_id = caller.tenant.id();
    Ok(axum::Json(Proposed {
        ok: true,
        tenant_id,
        user_id: actor,
        proposed,
        policy,
        proposal_record,
        reason,
    }))
}

/// `POST /api/assistant/approve`
pub(crate) async fn approve(
    State(app): State<App>,
    caller: Caller,
    Json(request): Json<Approve>,
) -> Result<axum::Json<DecidedAnswer>, ApiError> {
    let comment = within(request.comment, "comment")?;
    let (stored, decision) = decide(
        &app,
        &caller,
        request.ai_tool_call_id,
        Verdict::Approve,
        comment.clone(),
    )
    .await?;
    let approval = Approval::Approved {
        approved_at: decision.decided_at,
        approved_by: decision.approver,
        comment,
    };
    Ok(axum::Json(decided(&caller.tenant, &stored, approval)))
}

/// `POST /api/assistant/reject`
pub(crate) async fn reject(
    State(app): State<App>,
    caller: Caller,
    Json(request): Json<Reject>,
) -> Result<axum::Json<DecidedAnswer>, ApiError> {
    let reason = within(Some(request.reason), "reason")?.filter(|reason| !reason.trim().is_empty());
    let reason = reason.ok_or_else(|| ApiError::missing("reason"))?;
    let (stored, decision) = decide(
        &app,
        &caller,
        request.ai_tool_call_id,
        Verdict::Reject,
        Some(reason.clone()),
    )
    .await?;
    let approval = Approval::Rejected {
        rejected_at: decision.decided_at,
        rejected_by: decision.approver,
        reason,
    };
    Ok(axum::Json(decided(&caller.tenant, &stored, approval)))
}

/// `POST /api/assistant/execute`: joins the one run. Nobody has to call it.
pub(crate) async fn execute(
    State(app): State<App>,
    caller: Caller,
    Json(request): Json<Execute>,
) -> Result<(StatusCode, axum::Json<Executed>), ApiError> {
    let id = request.ai_tool_call_id;
    visible(&caller, id).await?;
    let tenant = &caller.tenant;
    let over = |stored: &Stored, now| {
        let held = stored.due().is_some_and(|due| due > now);
        held || !matches!(stored.status(now), Status::Pending | Status::Running)
    };
    let stored = wait_until(&app, &caller, id, EXECUTE_WAIT, over).await?;
    let now = tenant.now();
    let status = stored.status(now);
    match status {
        Status::Completed | Status::Failed | Status::Unknown => {}
        Status::Pending | Status::Running => {
            let answer = executed(&stored, status, stored.due().filter(|due| *due > now), None);
            return Ok((StatusCode::ACCEPTED, axum::Json(answer)));
        }
        Status::Proposed
        | Status::Rejected
        | Status::Denied
        | Status::Expired
        | Status::Withdrawn
        | Status::Superseded => {
            let message = format!(
                "Conflict: Tool call status is '{}', must be 'pending'",
                status.name()
            );
            return Err(ApiError::conflict("not_pending", message, status));
        }
    }
    let summary = summary(&stored);
    Ok((
        StatusCode::OK,
        axum::Json(executed(&stored, status, None, Some(summary))),
    ))
}

/// Filters of the list.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    status: Option<String>,
    tool: Option<String>,
    risk: Option<Risk>,
    q: Option<String>,
    after: Option<u64>,
    limit: Option<u32>,
}

/// `GET /api/assistant/proposals`
pub(crate) async fn list(
    caller: Caller,
    Query(query): Query<ListQuery>,
) -> Result<axum::Json<ProposalList>, ApiError> {
    let status = query
        .status
        .map(|name| Status::from_name(&name).ok_or_else(|| ApiError::missing("status")));
    let limit = query.limit.unwrap_or(50).clamp(1, MAX_PAGE);
    let filter = Filter {
        status: status.transpose()?,
        tool: query.tool,
        risk: query.risk,
        words: query
            .q
            .iter()
            .flat_map(|q| q.split_whitespace())
            .filter(|word| word.chars().any(char::is_alphanumeric))
            .take(10)
            .map(str::to_owned)
            .collect(),
        proposer: (!caller.sees_all()).then(|| caller.actor_id()),
        before: query.after,
    };
    let now = caller.tenant.now();
    let found = caller.tenant.proposals(filter, limit).await?;
    let full = u32::try_from(found.len()).is_ok_and(|count| count == limit);
    let next = found
        .last()
        .filter(|_| full)
        .map(|last| last.state.created_seq.to_string());
    let proposals = found
        .into_iter()
        .map(|stored| ProposalSummary {
            id: stored.state.id,
            status: stored.status(now),
            tool_id: stored.state.tool.clone(),
            risk: stored.state.risk,
            sentence: stored.sentence,
            proposer: stored.state.proposer,
            created_at: stored.state.created_at,
            expires_at: stored.state.expires_at,
        })
        .collect();
    Ok(axum::Json(ProposalList { proposals, next }))
}

/// `?wait=` of the detail, in seconds; `?revision=` is what the caller has.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GetQuery {
    wait: Option<u32>,
    revision: Option<u64>,
}

/// `GET /api/assistant/proposals/{id}`: at once, or when it has changed, or when the wait is over.
pub(crate) async fn get(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Query(query): Query<GetQuery>,
) -> Result<axum::Json<ProposalDetail>, ApiError> {
    let id = parse_id(&id)?;
    let stored = visible(&caller, id).await?;
    if let Some(wait) = query.wait {
        let since = query.revision.unwrap_or(stored.state.last_seq);
        let wait = Duration::from_secs(u64::from(wait.min(MAX_WAIT_SECONDS)));
        // What is over will not change: there is nothing to wait for.
        let changed = |stored: &Stored, now| stored.state.last_seq > since || stored.status(now).is_final();
        wait_until(&app, &caller, id, wait, changed).await?;
        // What the caller may see can be less than it was.
        visible(&caller, id).await?;
    }
    let bodies = caller
        .tenant
        .proposal_bodies(id)
        .await?
        .ok_or_else(ApiError::not_found)?;
    Ok(axum::Json(detail(bodies, caller.tenant.now())?))
}

/// `POST /api/assistant/proposals/{id}/withdraw`
pub(crate) async fn withdraw(
    caller: Caller,
    Path(id): Path<String>,
    Json(request): Json<WithdrawRequest>,
) -> Result<axum::Json<ProposalDetail>, ApiError> {
    let id = parse_id(&id)?;
    let reason = within(request.reason, "reason")?;
    match caller.tenant.withdraw(id, caller.actor, reason).await? {
        Ok(_) => {
            let bodies = caller
                .tenant
                .proposal_bodies(id)
                .await?
                .ok_or_else(ApiError::not_found)?;
            Ok(axum::Json(detail(bodies, caller.tenant.now())?))
        }
        Err(WithdrawRefusal::NotFound) => Err(ApiError::not_found()),
        Err(WithdrawRefusal::State(status)) => {
            let message = format!(
                "Conflict: Tool call status is '{}', it can no longer be withdrawn",
                status.name()
            );
            Err(ApiError::conflict("wrong_state", message, status))
        }
    }
}

/// An id from a path: what is not an id is as absent as an unknown one.
pub(crate) fn parse_id(text: &str) -> Result<ProposalId, ApiError> {
    text.parse().map_err(|_| ApiError::not_found())
}

/// A proposal that the caller may see; the others answer like absent ones.
async fn visible(caller: &Caller, id: ProposalId) -> Result<Arc<Stored>, ApiError> {
    let stored = caller
        .tenant
        .proposal(id)
        .await?
        .ok_or_else(ApiError::not_found)?;
    if caller.sees_all() || stored.state.proposer.id == caller.actor_id() {
        Ok(stored)
    } else {
        Err(ApiError::not_found())
    }
}

/// Waits until `done` holds of the proposal, at most `time`, and returns it as it then is. A caller whose credential ends
/// meanwhile is sent away.
async fn wait_until(
    app: &App,
    caller: &Caller,
    id: ProposalId,
    time: Duration,
    done: impl Fn(&Stored, UnixMillis) -> bool,
) -> Result<Arc<Stored>, ApiError> {
    let _place = app.places().take(caller.credential, Stay::Wait)?;
    tokio::select! {
        stored = settled(&caller.tenant, id, time, done) => stored,
        () = caller.ended(app) => Err(ApiError::unauthorized()),
    }
}

async fn settled(
    tenant: &Tenant,
    id: ProposalId,
    time: Duration,
    done: impl Fn(&Stored, UnixMillis) -> bool,
) -> Result<Arc<Stored>, ApiError> {
    let give_up = tokio::time::Instant::now() + time;
    let change = tenant.watch(id);
    loop {
        // Registered before reading: what changes in between is not missed.
        let changed = change.notified();
        let mut changed = std::pin::pin!(changed);
        changed.as_mut().enable();
        let stored = tenant.proposal(id).await?.ok_or_else(ApiError::not_found)?;
        if done(&stored, tenant.now()) {
            return Ok(stored);
        }
        if tokio::time::timeout_at(give_up, changed).await.is_err() {
            return Ok(stored);
        }
    }
}

/// Makes and stores the decision of a signed-in person without a device.
async fn decide(
    app: &App,
    caller: &Caller,
    id: ProposalId,
    verdict: Verdict,
    comment: Option<String>,
) -> Result<(Stored, Arc<Decision>), ApiError> {
    let Actor::User(approver) = caller.actor else {
        return Err(ApiError::forbidden(
            "not_eligible",
            "Forbidden: An agent's key cannot decide",
        ));
    };
    let bodies = caller
        .tenant
        .to_decide(id)
        .await?
        .ok_or_else(ApiError::not_found)?;
    let own = bodies.stored.state.proposer.id == caller.actor_id();
    if !caller.sees_all() && !own {
        return Err(ApiError::not_found());
    }
    let accepted = views(&app.rules().registry, &caller.tenant, &bodies)?;
    let view = accepted.first().map(|(_, digest)| *digest).ok_or_else(|| {
        let status = bodies.stored.status(caller.tenant.now());
        match still_open(status) {
            Err(reason) => refusal(reason, Some(status)),
            Ok(()) => ApiError::conflict(
                "view_mismatch",
                "Conflict: The card of this proposal cannot be made: its tool or connection has changed",
                status,
            ),
        }
    })?;
    let decision = Arc::new(session_decision(
        &caller.tenant,
        approver,
        &bodies,
        verdict,
        comment,
        view,
    ));
    let record = Record::unsigned(&*decision).map_err(ApiError::internal)?;
    match caller
        .tenant
        .decide_by_session(Arc::new(record), Arc::clone(&decision), approver, accepted)
        .await?
    {
        Ok(stored) => Ok((stored, decision)),
        Err(DecideRefusal::Reason(reason, status)) => Err(refusal(reason, status)),
    }
}

fn session_decision(
    tenant: &Tenant,
    approver: UserId,
    bodies: &ProposalBodies,
    verdict: Verdict,
    comment: Option<String>,
    view: countersign_domain::Digest,
) -> Decision {
    let state = &bodies.stored.state;
    Decision {
        approver,
        assurance: Assurance::Session,
        checkpoint: None,
        comment,
        decided_at: tenant.now(),
        device: None,
        device_seq: None,
        expires_at: state.expires_at,
        id: DecisionId::from_uuid(random::uuid()),
        nonce: random::nonce(),
        offline: false,
        previous: None,
        preview: state.preview,
        proposal: state.id,
        proposal_digest: state.digest,
        renderer: RENDERER,
        retracts: None,
        tenant: tenant.id(),
        verdict,
        view,
    }
}

/// Why a decision changed nothing, as HTTP says it.
fn refusal(reason: Reason, status: Option<Status>) -> ApiError {
    match (reason, status) {
        (Reason::UnknownProposal, _) | (_, None) => ApiError::not_found(),
        (Reason::NotEligible | Reason::SelfApproval | Reason::AssuranceTooLow, _) => {
            ApiError::forbidden(reason.code(), format!("Forbidden: {reason}"))
        }
        (
            Reason::DigestMismatch
            | Reason::BadSignature
            | Reason::DeviceRevoked
            | Reason::Fork
            | Reason::ViewMismatch
            | Reason::Expired
            | Reason::Decided
            | Reason::Superseded
            | Reason::Withdrawn
            | Reason::TooLate
            | Reason::DeniedByPolicy,
            Some(status),
        ) => ApiError::conflict(reason.code(), format!("Conflict: {reason}"), status),
    }
}

fn decided(tenant: &Tenant, stored: &Stored, approval: Approval) -> DecidedAnswer {
    DecidedAnswer {
        ok: true,
        ai_tool_call_id: stored.state.id,
        status: stored.status(tenant.now()),
        tool_name: stored.state.tool.clone(),
        tool_call_id: stored.tool_call_id.clone(),
        approval,
    }
}

fn executed(
    stored: &Stored,
    status: Status,
    not_before: Option<UnixMillis>,
    result_summary: Option<ResultSummary>,
) -> Executed {
    let begun = stored.state.begun.as_ref().map(|begun| begun.at);
    let duration = stored
        .state
        .ended
        .as_ref()
        .zip(begun)
        .map(|(ended, begun)| ended.at.since(begun).0);
    Executed {
        ok: true,
        ai_tool_call_id: stored.state.id,
        status,
        tool_name: stored.state.tool.clone(),
        tool_call_id: stored.tool_call_id.clone(),
        duration_ms: duration,
        result_summary,
        not_before,
    }
}

/// The seed's summary: the receipt's sentence, and the error of one that failed, each cut to 200 UTF-16 units.
fn summary(stored: &Stored) -> ResultSummary {
    let ended = stored.state.ended.as_ref();
    let success = ended.is_some_and(|ended| ended.outcome == Outcome::Completed);
    let error = match ended {
        Some(ended) => ended.failure.as_ref().map(|failure| failure.message.clone()),
        None => Some("The call began and nothing was heard of it since: it may have happened.".to_owned()),
    };
    ResultSummary {
        success,
        formatted: ended.map(|ended| cut(&ended.summary)),
        error: error.filter(|_| !success).map(|error| cut(&error)),
    }
}

/// The first 200 UTF-16 units of a text, whole characters only.
fn cut(text: &str) -> String {
    let mut units = 0;
    text.chars()
        .take_while(|c| {
            units += c.len_utf16();
            units <= 200
        })
        .collect()
}

fn detail(bodies: ProposalBodies, now: UnixMillis) -> Result<ProposalDetail, ApiError> {
    let ProposalBodies {
        stored,
        proposal,
        receipt,
        ..
    } = bodies;
    let (stored, proposal) = (Arc::unwrap_or_clone(stored), Arc::unwrap_or_clone(proposal));
    let status = stored.status(now);
    let not_before = stored.due();
    let state = stored.state;
    let policy = state
        .policy
        .ok_or_else(|| ApiError::internal("a proposal without an evaluation"))?;
    let (closed, superseded_by) = match state.closed {
        Some(Closed::Superseded {
            reason, successor, ..
        }) => (Some(reason), successor),
        Some(Closed::Withdrawn { .. } | Closed::Expired { .. }) | None => (None, None),
    };
    let execution = state.begun.map(|begun| {
        let ended = state.ended.as_ref();
        ExecutionDetail {
            executor: begun.executor,
            begun_at: begun.at,
            finished_at: ended.map(|ended| ended.finished_at),
            outcome: ended
                .map(|ended| ended.outcome)
                .or(state.lapsed_at.map(|_| Outcome::Unknown)),
            summary: ended.map(|ended| ended.summary.clone()),
            error: ended.and_then(|ended| Some(ended.failure.as_ref()?.message.clone())),
            reference: ended.and_then(|ended| ended.reference.clone()),
            result: receipt.and_then(|receipt| receipt.result),
        }
    });
    let voids = state.voids;
    Ok(ProposalDetail {
        id: state.id,
        status,
        tool_id: state.tool,
        input: proposal.args,
        risk: state.risk,
        risk_reasons: proposal.risk_reasons,
        sentence: stored.sentence,
        proposer: state.proposer,
        digest: state.digest,
        created_at: state.created_at,
        expires_at: state.expires_at,
        not_before,
        policy: PolicyDetail {
            decision: policy.decision,
            reason: policy.reason,
            policies: policy.policies,
            requirement: policy.requirement,
        },
        decisions: state
            .decisions
            .into_iter()
            .map(|cast| countersign_domain::wire::DecisionDetail {
                void: voids.get(&cast.digest).copied(),
                digest: cast.digest,
                verdict: cast.verdict,
                approver: cast.approver,
                at: cast.at,
                decided_at: cast.decided_at,
                offline: cast.offline,
                comment: cast.comment,
            })
            .collect(),
        execution,
        closed,
        supersedes: proposal.supersedes,
        superseded_by,
        revision: state.last_seq,
    })
}

/// Who proposes, as the credential says.
fn proposer(caller: &Caller) -> Result<Proposer, ApiError> {
    let people = caller.tenant.people();
    let (kind, name, owner) = match caller.actor {
        Actor::User(user) => {
            let person = people.members.get(&user).ok_or_else(ApiError::not_found)?;
            (ProposerKind::User, person.name.clone(), None)
        }
        Actor::Agent(agent) => {
            let software = people.agents.get(&agent).ok_or_else(ApiError::not_found)?;
            (ProposerKind::Agent, software.name.clone(), software.owner)
        }
        Actor::Server => return Err(ApiError::not_found()),
    };
    Ok(Proposer {
        id: caller.actor_id(),
        kind,
        name,
        on_behalf_of: owner,
        run: None,
    })
}

/// The `Idempotency-Key` header: 1 to 255 printable ASCII characters (draft-ietf-httpapi-idempotency-key-header).
fn idempotency_key(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let mut values = headers.get_all("idempotency-key").iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let text = value.to_str().ok().map(|text| text.trim().trim_matches('"'));
    match text {
        Some(text) if !text.is_empty() && text.len() <= 255 && values.next().is_none() => Ok(Some(text)),
        Some(_) | None => Err(ApiError::bad_request(
            "idempotency_key",
            "Bad Request: Idempotency-Key must be one value of 1 to 255 printable ASCII characters",
        )),
    }
}

fn within(text: Option<String>, field: &'static str) -> Result<Option<String>, ApiError> {
    if text
        .as_ref()
        .is_some_and(|text| text.chars().count() > MAX_COMMENT)
    {
        let message = format!("Bad Request: '{field}' has at most {MAX_COMMENT} characters");
        return Err(ApiError::bad_request("too_long", message).with_field(field));
    }
    Ok(text.filter(|text| !text.is_empty()))
}

fn propose_error(error: ProposeError) -> ApiError {
    match error {
        ProposeError::Field { field, message } => {
            ApiError::bad_request("invalid_field", message).with_field(field)
        }
        ProposeError::NoConnection => ApiError::unprocessable("no_connection", error.to_string()),
        ProposeError::Refused(ProposeRefusal::KeyReused) => ApiError::unprocessable(
            "idempotency_key_reused",
            "Unprocessable: This Idempotency-Key was used for another request",
        ),
        ProposeError::Refused(ProposeRefusal::TooManyOpen(most)) => ApiError::too_many(
            "too_many_open",
            format!("Too Many Requests: {most} of your proposals wait for people already"),
            60,
        ),
        ProposeError::Refused(ProposeRefusal::NothingToSupersede) => {
            ApiError::bad_request("invalid_field", "There is no open proposal of yours with that id")
                .with_field("supersedes")
        }
        ProposeError::Refused(ProposeRefusal::ConnectionChanged | ProposeRefusal::ToolChanged) => {
            ApiError::retry(
                "changed",
                "The tool or its connection has just changed: send the same request again",
            )
        }
        ProposeError::Store(error) => error.into(),
    }
}

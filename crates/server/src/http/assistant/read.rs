//! The list of proposals, and one of them with all that happened to it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::extract::{Path, State};
use countersign_domain::{
    fold::{Closed, Said, Status},
    id::UserId,
    radar::Move,
    record::{Outcome, Risk},
    wire::{
        AnswerDetail, DecisionDetail, ExecutionDetail, MAX_PAGE, MAX_WAIT_SECONDS, PolicyDetail,
        ProposalDetail, ProposalList, ProposalSummary, QuestionDetail, Radar, RadarRow, ResolutionDetail,
        SaidDetail,
    },
};
use serde::Deserialize;

use super::{parse_id, visible, wait_until};
use crate::{
    App,
    http::{auth::Caller, body::Query, error::ApiError},
    tenant::{Filter, ProposalBodies, Stored, Tenant, waits_for},
};

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
    Ok(axum::Json(detail(bodies, &caller.tenant)?))
}

pub(super) fn detail(bodies: ProposalBodies, tenant: &Tenant) -> Result<ProposalDetail, ApiError> {
    let ProposalBodies {
        stored,
        proposal,
        receipt,
        ..
    } = bodies;
    let (stored, proposal) = (Arc::unwrap_or_clone(stored), Arc::unwrap_or_clone(proposal));
    let now = tenant.now();
    let status = stored.status(now);
    let waits_for = waits_for(&tenant.people(), &stored.state, now);
    let scheduled = stored.state.not_before.filter(|_| status.is_open());
    let not_before = stored.due().or(scheduled);
    let state = stored.state;
    let settlers = u32::try_from(state.settlers()).unwrap_or(u32::MAX);
    let policy = state
        .policy
        .ok_or_else(|| ApiError::internal("a proposal without an evaluation"))?;
    let (closed, superseded_by) = match state.closed {
        Some(Closed::Superseded {
            reason, successor, ..
        }) => (Some(reason), successor),
        Some(Closed::Withdrawn { .. } | Closed::Expired { .. }) | None => (None, None),
    };
    let resolution = (!state.said.is_empty()).then(|| ResolutionDetail {
        happened: state.resolved.map(|resolved| resolved.happened),
        at: state.resolved.map(|resolved| resolved.at),
        needed: settlers,
        said: said(&state.said),
        contradicted_at: state.contradicted_at,
    });
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
            resolution,
        }
    });
    let questions = state.questions.into_iter().map(|asked| QuestionDetail {
        question: asked.digest,
        by: asked.by,
        at: asked.at,
        text: asked.text,
        answer: asked.answer.map(|answer| AnswerDetail {
            at: answer.at,
            text: answer.text,
        }),
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
            .map(|cast| DecisionDetail {
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
        waits_for,
        questions: questions.collect(),
        closed,
        retry_of: proposal.retry_of,
        supersedes: proposal.supersedes,
        superseded_by,
        revision: state.last_seq,
    })
}

fn said(said: &BTreeMap<UserId, Said>) -> Vec<SaidDetail> {
    let mut words: Vec<_> = said
        .iter()
        .map(|(by, said)| SaidDetail {
            by: *by,
            happened: said.happened,
            at: said.at,
            note: said.note.clone(),
        })
        .collect();
    words.sort_by_key(|word| word.at);
    words
}

/// `GET /api/radar`
pub(crate) async fn radar(caller: Caller) -> Result<axum::Json<Radar>, ApiError> {
    caller.person()?;
    if !caller.sees_all() {
        let message = "Forbidden: Only who decides or audits sees what everybody waits for";
        return Err(ApiError::forbidden("forbidden", message));
    }
    let now = caller.tenant.now();
    let (moves, capped) = caller.tenant.radar().await?;
    let row = |(stored, waits_for): (Stored, Move)| RadarRow {
        id: stored.state.id,
        status: stored.status(now),
        risk: stored.state.risk,
        sentence: stored.sentence,
        waits_for,
        overdue: waits_for.is_overdue(now),
    };
    let proposals: Vec<_> = moves.into_iter().map(row).collect();
    let overdue = proposals.iter().filter(|row| row.overdue).count();
    Ok(axum::Json(Radar {
        overdue: u32::try_from(overdue).unwrap_or(u32::MAX),
        proposals,
        capped,
    }))
}

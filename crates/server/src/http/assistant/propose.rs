//! The proposer's side: propose and withdraw.

use axum::{
    extract::{Path, State},
    http::HeaderMap,
};
use countersign_domain::{
    record::{Actor, Proposer, ProposerKind},
    wire::{ProposalDetail, ProposalRecord, Propose, Proposed, WithdrawRequest},
};

use super::{parse_id, read::detail, within};
use crate::{
    App,
    http::{auth::Caller, body::Json, error::ApiError},
    ingress::{ProposeError, Understood},
    tenant::{ProposeRefusal, WithdrawRefusal},
};

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
    app.throttle()
        .proposed(&actor, app.now())
        .map_err(ApiError::throttled)?;
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
            Ok(axum::Json(detail(bodies, &caller.tenant)?))
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
        contributors: Default::default(),
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
        ProposeError::Refused(ProposeRefusal::NothingToRetry) => ApiError::bad_request(
            "invalid_field",
            "There is no proposal of yours with that id that came to nothing",
        )
        .with_field("retryOf"),
        ProposeError::Refused(ProposeRefusal::ConnectionChanged | ProposeRefusal::ToolChanged) => {
            ApiError::retry(
                "changed",
                "The tool or its connection has just changed: send the same request again",
            )
        }
        ProposeError::Store(error) => error.into(),
    }
}

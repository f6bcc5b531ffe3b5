//! The assistant endpoints: propose, approve, reject, execute, list, get, withdraw. Field names, success bodies and the
//! order of checks are the seed's (contract §1), its weaknesses mended (design §10).

mod decide;
mod erase;
mod execute;
mod propose;
mod read;
mod remarks;
mod resolve;

use std::{sync::Arc, time::Duration};

use countersign_domain::{UnixMillis, id::ProposalId, record::is_sentence};

pub(crate) use decide::{approve, reject};
pub(crate) use erase::erase;
pub(crate) use execute::execute;
pub(crate) use propose::{propose, withdraw};
pub(crate) use read::{get, list, radar};
pub(crate) use remarks::{answer, ask};
pub(crate) use resolve::resolve;

use super::{auth::Caller, error::ApiError, places::Stay};
use crate::{
    App,
    tenant::{Stored, Tenant},
};

/// Longest comment of an approval and reason of a reject, in characters.
const MAX_COMMENT: usize = 2_000;

/// An id from a path: what is not an id is as absent as an unknown one.
pub(crate) fn parse_id(text: &str) -> Result<ProposalId, ApiError> {
    text.parse().map_err(|_| ApiError::not_found())
}

/// A sentence of a person that everybody will read: one plain line, or nothing.
pub(crate) fn plain(text: Option<String>, field: &str) -> Result<Option<String>, ApiError> {
    let text = text
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty());
    if text.as_deref().is_none_or(is_sentence) {
        Ok(text)
    } else {
        let message = "Bad Request: It has to be one plain line of at most 500 characters";
        Err(ApiError::bad_request("invalid_field", message).with_field(field))
    }
}

/// A proposal that the caller may see; the others answer like absent ones.
async fn visible(caller: &Caller, id: ProposalId) -> Result<Arc<Stored>, ApiError> {
    let stored = caller
        .tenant
        .proposal(id)
        .await?
        .ok_or_else(ApiError::not_found)?;
    if caller.sees_all()
        || stored.state.proposer.id == caller.actor_id()
        || is_edit_of_own(caller, id).await?
    {
        Ok(stored)
    } else {
        Err(ApiError::not_found())
    }
}

/// Most edits of edits that are followed back.
const MOST_EDITS: usize = 32;

/// Whether the proposal has taken the place of one of the caller's own: whoever asked goes on with what became of it.
async fn is_edit_of_own(caller: &Caller, id: ProposalId) -> Result<bool, ApiError> {
    let mut id = id;
    for _ in 0..MOST_EDITS {
        let Some(bodies) = caller.tenant.proposal_bodies(id).await? else {
            return Ok(false);
        };
        let Some(before) = bodies.proposal.supersedes else {
            return Ok(false);
        };
        let stored = caller.tenant.proposal(before).await?;
        match stored {
            Some(stored) if stored.state.proposer.id == caller.actor_id() => return Ok(true),
            Some(_) => id = before,
            None => return Ok(false),
        }
    }
    Ok(false)
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

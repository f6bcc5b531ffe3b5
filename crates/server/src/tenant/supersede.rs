//! Closing what is not what was shown any more, by its tool, its connection or what its executor finds right before the call, and making it again where the request still fits (design §4).
//!
//! INVARIANT: a proposal and its successor change places in one transaction, its idempotency key with them: there is no
//! moment at which the request is lost, or there twice.

use std::collections::HashMap;

use countersign_domain::{
    id::{ConnectionId, ProposalId},
    record::{PolicyDecision, Proposal, Supersede},
    render,
};
use rusqlite::params;

use super::{
    Tenant,
    decide::open_proposals,
    desk::Desk,
    entries,
    found::register_tools,
    proposals::Stored,
    propose::{NewProposal, store},
    reads::known_recipients,
    writer::StoreError,
};
use crate::ingress::{self, RenewError, Rules};

/// Most characters of the reason for which a request could not be made again.
const MAX_REASON: usize = 300;

impl Tenant {
    /// Journals the manifests of this version's tools where they differ from those in force. What was proposed to a tool
    /// as it was before is made again, or closed with the reason when its arguments do not fit any more.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn update_tools(&self, rules: Rules) -> Result<(), StoreError> {
        self.never(move |desk| update_tools(desk, &rules)).await
    }
}

fn update_tools(desk: &mut Desk, rules: &Rules) -> Result<(), StoreError> {
    let manifests = rules.registry.manifests().map(|(_, manifest)| manifest);
    if !register_tools(desk, manifests)? {
        return Ok(());
    }
    let mut successors = HashMap::new();
    for mut stored in open_proposals(desk)? {
        let in_force = desk.people().tools.get(&stored.state.tool);
        if in_force.is_none_or(|(digest, _)| *digest == stored.state.manifest) {
            continue;
        }
        let successor = make_again(desk, rules, &mut stored, |failed| match failed {
            None => "The tool has changed since this was proposed: the request was made again".to_owned(),
            Some(error) => format!(
                "The tool has changed and takes this request no more: {}",
                line(error)
            ),
        })?;
        successors.extend(successor.map(|new| (stored.state.id, new)));
    }
    hand_over_keys(desk, &successors)
}

/// Closes a call that its executor found to be otherwise than it was shown; `drift` says how. With `rules` the request is made
/// again, and asks people anew. What policy lets run by itself is not: nobody would look at it, and it could go round in
/// circles.
pub(super) fn drifted(
    desk: &mut Desk,
    stored: &mut Stored,
    drift: &str,
    rules: Option<&Rules>,
) -> Result<(), StoreError> {
    let says = stored.state.policy.as_ref().map(|policy| policy.decision);
    let Some(rules) = rules.filter(|_| says == Some(PolicyDecision::RequiresApproval)) else {
        supersede(desk, stored, drift, None)?;
        return Ok(());
    };
    let old = stored.state.id;
    let successor = make_again(desk, rules, stored, |failed| match failed {
        None => format!("{drift} The request was made again"),
        Some(error) => format!("{drift} The request could not be made again: {}", line(error)),
    })?;
    hand_over_keys(desk, &successor.map(|new| (old, new)).into_iter().collect())
}

/// Makes an open proposal again as its tool and its connection are now, and closes it; says what took its place. `reason` is
/// told why it could not be made.
fn make_again(
    desk: &mut Desk,
    rules: &Rules,
    stored: &mut Stored,
    reason: impl FnOnce(Option<&RenewError>) -> String,
) -> Result<Option<ProposalId>, StoreError> {
    let renewed = renew(desk, rules, stored)?;
    let reason = reason(renewed.as_ref().err());
    let successor = renewed.as_ref().ok().map(|new| new.proposal.id);
    if supersede(desk, stored, &reason, successor)?
        && let Ok(new) = renewed
    {
        store(desk, &new)?;
        return Ok(successor);
    }
    Ok(None)
}

/// What a request comes to as its tool and its connection are now.
fn renew(desk: &Desk, rules: &Rules, stored: &Stored) -> Result<Result<NewProposal, RenewError>, StoreError> {
    let (_, record) = entries::record_at(desk.connection(), stored.state.created_seq)?;
    let old: Proposal = record.body().map_err(StoreError::damaged)?;
    let known = known_recipients(desk.connection(), ingress::addresses(&old.args))?;
    // A no is not forgotten because the tool has changed.
    let denied = desk
        .denials()
        .get(old.intent().map_err(StoreError::damaged)?, desk.now());
    Ok(rules.renew(
        &old,
        stored.tool_call_id.clone(),
        desk.people(),
        denied.as_ref(),
        &known,
        desk.now(),
    ))
}

/// The reason in one harmless line: parts of it may be the proposer's words.
fn line(error: &RenewError) -> String {
    let text = render::flat(&render::visible(&error.to_string()));
    text.chars().take(MAX_REASON).collect()
}

/// Lets the keys of closed proposals name their successors. Once for all of them: keys are not indexed by proposal.
fn hand_over_keys(desk: &Desk, successors: &HashMap<ProposalId, ProposalId>) -> Result<(), StoreError> {
    if successors.is_empty() {
        return Ok(());
    }
    let mut keys = desk
        .connection()
        .prepare_cached("SELECT key, proposal FROM proposal_key")?;
    let mut rows = keys.query([])?;
    let mut moved: Vec<(Vec<u8>, ProposalId)> = Vec::new();
    while let Some(row) = rows.next()? {
        let old = ProposalId::from_slice(&row.get::<_, Vec<u8>>(1)?).map_err(StoreError::damaged)?;
        if let Some(new) = successors.get(&old) {
            moved.push((row.get(0)?, *new));
        }
    }
    drop(rows);
    let mut name = desk
        .connection()
        .prepare_cached("UPDATE proposal_key SET proposal = ?2 WHERE key = ?1")?;
    for (key, new) in moved {
        name.execute(params![key, new.as_bytes()])?;
    }
    Ok(())
}

/// Closes every open proposal over a connection that is gone: there is nothing through which it could be made again.
pub(super) fn close_over(desk: &mut Desk, connection: ConnectionId) -> Result<(), StoreError> {
    for mut stored in open_proposals(desk)? {
        let named = stored.state.connection.as_ref();
        if named.is_some_and(|named| named.id == connection) {
            supersede(desk, &mut stored, "The connection was removed", None)?;
        }
    }
    Ok(())
}

/// Closes a proposal that is neither over nor begun, and says whether it was.
pub(super) fn supersede(
    desk: &mut Desk,
    stored: &mut Stored,
    reason: &str,
    successor: Option<ProposalId>,
) -> Result<bool, StoreError> {
    if !stored.status(desk.now()).is_open() {
        return Ok(false);
    }
    let entry = Supersede {
        at: desk.now(),
        proposal: stored.state.id,
        reason: reason.to_owned(),
        successor,
    };
    desk.extend_with(stored, &entry)?;
    desk.save(stored)?;
    Ok(true)
}

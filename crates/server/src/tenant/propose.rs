//! Storing a proposal: one for each key, with what policy says of it.

use std::{collections::BTreeMap, sync::Arc};

use countersign_domain::{
    Digest, Millis, Record, UnixMillis,
    fold::{ProposalState, Status},
    id::ProposalId,
    record::{Proposal, ProposerKind, Role},
    render,
};
use rusqlite::{OptionalExtension, params};

use super::{
    desk::Desk,
    proposals::Stored,
    supersede::supersede,
    writer::{Answer, StoreError},
};

/// How long a key still answers with its proposal after that completed (design §10).
const KEY_HOLDS_AFTER_COMPLETION: Millis = Millis::hours(24);

/// A proposal made ready outside the writer.
#[derive(Clone, Debug)]
pub struct NewProposal {
    pub proposal: Arc<Proposal>,
    pub record: Arc<Record>,
    /// Policy's evaluation of exactly this record.
    pub evaluation: Arc<Record>,
    pub sentence: String,
    /// The key's text, as answered to the proposer.
    pub tool_call_id: String,
}

/// Under what a proposal is found again.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// SHA-256 of the key's text.
    pub key: Digest,
    /// SHA-256 of what is proposed under it.
    pub payload: Digest,
}

/// Why a proposal was not stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProposeRefusal {
    /// The key names another proposal's payload.
    KeyReused,
    /// The connection is gone, or is not what it was a moment ago.
    ConnectionChanged,
    /// The tool's manifest is not the one that is in force.
    ToolChanged,
    /// So many of the proposer's wait for people already.
    TooManyOpen(usize),
    /// `supersedes` names nothing that this proposer can replace.
    NothingToSupersede,
    /// `retryOf` names nothing of this proposer's that came to nothing.
    NothingToRetry,
}

/// A stored proposal, and whether this call made it.
pub type Proposed = (Stored, bool);

/// Stores a proposal, or finds the one that its key holds.
pub(super) fn propose(
    desk: &mut Desk,
    new: &NewProposal,
    key: Key,
    max_open: Option<usize>,
) -> Answer<Proposed, ProposeRefusal> {
    if let Some((existing, payload)) = by_key(desk, key.key)?
        && holds(&existing.state, desk.now())
    {
        return Ok(if payload == key.payload {
            Ok((existing, false))
        } else {
            Err(ProposeRefusal::KeyReused)
        });
    }
    let proposal = &*new.proposal;
    if let Some(refusal) = stale(desk, proposal)? {
        return Ok(Err(refusal));
    }
    if let Some(retried) = proposal.retry_of
        && !may_retry(desk, retried, proposal)?
    {
        return Ok(Err(ProposeRefusal::NothingToRetry));
    }
    // What takes the place of one that waits makes no more of them.
    let replaces = match proposal.supersedes {
        Some(replaced) => desk.proposal(replaced)?,
        None => None,
    };
    let waits = replaces.is_some_and(|stored| stored.state.recorded_status() == Status::Proposed);
    if let Some(most) = max_open
        && !waits
        && desk.has_waiting(&proposal.proposer.id, most)?
    {
        return Ok(Err(ProposeRefusal::TooManyOpen(most)));
    }
    if let Some(replaced) = proposal.supersedes
        && !replace(desk, replaced, proposal)?
    {
        return Ok(Err(ProposeRefusal::NothingToSupersede));
    }
    let stored = store(desk, new)?;
    desk.connection()
        .prepare_cached(
            "INSERT INTO proposal_key (key, payload, proposal) VALUES (?1, ?2, ?3)
             ON CONFLICT (key) DO UPDATE SET payload = excluded.payload, proposal = excluded.proposal",
        )?
        .execute(params![
            key.key.as_bytes(),
            key.payload.as_bytes(),
            proposal.id.as_bytes()
        ])?;
    Ok(Ok((stored, true)))
}

/// Appends a proposal with what policy says of it.
pub(super) fn store(desk: &mut Desk, new: &NewProposal) -> Result<Stored, StoreError> {
    let proposal = &*new.proposal;
    let seq = desk.append(&new.record, proposal)?;
    let mut stored = Stored {
        state: ProposalState::new(proposal, new.record.digest, seq),
        tool_call_id: new.tool_call_id.clone(),
        sentence: new.sentence.clone(),
        preview_seq: None,
        receipt_seq: None,
        fence: 0,
        proposal: Some(Arc::clone(&new.proposal)),
        records: BTreeMap::from([(seq, Arc::clone(&new.record))]),
    };
    desk.extend(&mut stored, &new.evaluation)?;
    desk.insert(&mut stored)?;
    Ok(stored)
}

fn by_key(desk: &Desk, key: Digest) -> Result<Option<(Stored, Digest)>, StoreError> {
    let row: Option<(Vec<u8>, Vec<u8>)> = desk
        .connection()
        .prepare_cached("SELECT proposal, payload FROM proposal_key WHERE key = ?1")?
        .query_row([key.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((id, payload)) = row else { return Ok(None) };
    let id = ProposalId::from_slice(&id).map_err(StoreError::damaged)?;
    let payload = Digest::from_slice(&payload).map_err(StoreError::damaged)?;
    Ok(desk.proposal(id)?.map(|stored| (stored, payload)))
}

/// Whether a key still stands for this proposal: until it is over, and 24 hours after it completed.
fn holds(state: &ProposalState, now: UnixMillis) -> bool {
    let status = state.status(now);
    let settled = state.resolved.map(|resolved| resolved.at);
    let ended = settled.or(state.ended.as_ref().map(|ended| ended.at));
    let fresh = ended.is_some_and(|at| now.since(at) < KEY_HOLDS_AFTER_COMPLETION);
    !status.is_final() || (status == Status::Completed && fresh)
}

/// What the proposal was made from may have changed while it was made.
fn stale(desk: &Desk, proposal: &Proposal) -> Result<Option<ProposeRefusal>, StoreError> {
    let people = desk.people();
    // A tool that is not registered is stored as denied; there is no manifest to compare.
    if people
        .tools
        .get(&proposal.tool.id)
        .is_some_and(|(digest, _)| *digest != proposal.tool.manifest)
    {
        return Ok(Some(ProposeRefusal::ToolChanged));
    }
    if let Some(named) = &proposal.connection {
        let known = people.connections.get(&named.id);
        let config = known
            .map(|known| known.config_digest())
            .transpose()
            .map_err(StoreError::damaged)?;
        if config != Some(named.config) || known.map(|known| known.holder) != Some(named.holder) {
            return Ok(Some(ProposeRefusal::ConnectionChanged));
        }
    }
    Ok(None)
}

/// Whether `retried` came to nothing, and is the proposer's own or taken on by a person who decides. While its outcome is
/// unknown, a second try could be a second effect.
fn may_retry(desk: &Desk, retried: ProposalId, by: &Proposal) -> Result<bool, StoreError> {
    let Some(stored) = desk.proposal(retried)? else {
        return Ok(false);
    };
    let before = &stored.state;
    let theirs = before.proposer.id == by.proposer.id || is_edit(desk, before, by);
    Ok(theirs && before.status(desk.now()).came_to_nothing())
}

/// Whether a person who decides has taken another's request on. It stays with the tool: another tool is another request.
fn is_edit(desk: &Desk, before: &ProposalState, by: &Proposal) -> bool {
    let person = match by.proposer.kind {
        ProposerKind::User => by.proposer.id.parse().ok(),
        ProposerKind::Agent | ProposerKind::System => None,
    };
    let decides = |person| desk.people().role(person).is_some_and(Role::decides);
    before.tool == by.tool.id && person.is_some_and(decides)
}

/// Closes the open proposal that a new one replaces: of the same proposer, or edited by a person who decides.
fn replace(desk: &mut Desk, replaced: ProposalId, by: &Proposal) -> Result<bool, StoreError> {
    let Some(mut stored) = desk.proposal(replaced)? else {
        return Ok(false);
    };
    let before = &stored.state;
    let reason = if before.proposer.id == by.proposer.id {
        "Replaced by its proposer".to_owned()
    } else if is_edit(desk, before, by) {
        format!("Edited by {}", render::flat(&render::visible(&by.proposer.name)))
    } else {
        return Ok(false);
    };
    supersede(desk, &mut stored, &reason, Some(by.id))
}

//! Leases, begin and receipts: who may run a call, the point of no return, and how it ended (design §6).

use countersign_domain::{
    Digest, Record, UnixMillis,
    execution::{self, Authority, Blocked, LEASE, NotBegun, RunRefusal, Step},
    id::ProposalId,
    record::{Begin, Effect, Executor, Holder, Lapse, Outcome, Phase, Reason, Receipt, TaskPriority, Void},
    wire,
};
use rusqlite::{OptionalExtension, params};

use super::{
    desk::{Desk, to_sql},
    proposals::Stored,
    supersede,
    writer::{Answer, StoreError},
};
use crate::ingress::Rules;

/// Leases what `by` may begin now.
pub(super) fn claim(
    desk: &mut Desk,
    by: Executor,
    manifests: &[Digest],
    limit: u32,
) -> Answer<wire::Claimed, std::convert::Infallible> {
    let (mut leases, mut after) = (Vec::new(), (i64::MIN, 0));
    // Page by page: what cannot be leased, at the front, keeps nothing behind it waiting.
    'pages: loop {
        let page = due(desk, by, after)?;
        let Some(last) = page.last() else { break };
        after = (last.0, last.1);
        for (_, _, id) in page {
            if leases.len() == limit as usize {
                break 'pages;
            }
            if desk.leased_until(id).is_some_and(|until| until > desk.now()) {
                continue;
            }
            let Some(mut stored) = desk.proposal(id)? else {
                continue;
            };
            if manifests.contains(&stored.state.manifest)
                && let Some(lease) = lease(desk, &mut stored)?
            {
                leases.push(lease);
            }
        }
    }
    let next_due = desk
        .connection()
        .prepare_cached(
            "SELECT min(due_ms) FROM proposal WHERE status = 1 AND executor IS ?1 AND due_ms > ?2",
        )?
        .query_row(
            params![by.device().map(|device| *device.as_bytes()), desk.now().0],
            |row| row.get::<_, Option<i64>>(0),
        )?
        .map(UnixMillis);
    Ok(Ok(wire::Claimed { leases, next_due }))
}

/// When it became due, its place, and what it is.
type Due = (i64, i64, ProposalId);

/// Some of what is pending for `by`, due, and under no lease of a device that still stands; in order, after that place.
fn due(desk: &Desk, by: Executor, after: (i64, i64)) -> Result<Vec<Due>, StoreError> {
    let mut statement = desk.connection().prepare_cached(
        "SELECT due_ms, created_seq, id FROM proposal WHERE status = 1 AND executor IS ?1 AND due_ms <= ?2
             AND due_ms >= ?3 AND (due_ms > ?3 OR created_seq > ?4) AND NOT EXISTS
             (SELECT 1 FROM lease WHERE lease.proposal = proposal.id AND (begun = 1 OR lease.expires_ms > ?2))
         ORDER BY due_ms, created_seq LIMIT 64",
    )?;
    let device = by.device().map(|device| *device.as_bytes());
    let mut rows = statement.query(params![device, desk.now().0, after.0, after.1])?;
    let mut due = Vec::new();
    while let Some(row) = rows.next()? {
        let id = ProposalId::from_slice(&row.get::<_, Vec<u8>>(2)?).map_err(StoreError::damaged)?;
        due.push((row.get(0)?, row.get(1)?, id));
    }
    Ok(due)
}

fn lease(desk: &mut Desk, stored: &mut Stored) -> Result<Option<wire::Lease>, StoreError> {
    if desk.stands_still(stored) {
        return Ok(None);
    }
    desk.settle(stored)?;
    desk.reconsider(stored, Phase::Begin)?;
    let Ok(authority) = authority(desk, stored)? else {
        return Ok(None);
    };
    stored.fence += 1;
    let lease = granted(desk, stored.fence, &authority);
    match stored.state.executor {
        // The process that would begin it ends with this memory.
        Holder::Tenant => desk.leases().give(stored.state.id, lease.expires_at),
        Holder::Device(_) => put_lease(desk, stored, lease.expires_at, false)?,
    }
    desk.save_fence(stored)?;
    Ok(Some(lease))
}

/// From now on, by everything that is journalled so far.
fn granted(desk: &Desk, fence: u64, authority: &Authority) -> wire::Lease {
    wire::Lease {
        proposal_id: authority.proposal(),
        fence,
        expires_at: desk.now() + LEASE,
        authority: authority.approvals().to_vec(),
        size: desk.size(),
    }
}

/// The authority to run it now; approvals past their own time are voided on the way.
fn authority(desk: &mut Desk, stored: &mut Stored) -> Result<Result<Authority, Blocked>, StoreError> {
    loop {
        match Authority::of(&stored.state, desk.now()) {
            Err(Blocked::Stale(approval, reason)) => void(desk, stored, approval, reason)?,
            other => return Ok(other),
        }
    }
}

fn void(desk: &mut Desk, stored: &mut Stored, decision: Digest, reason: Reason) -> Result<(), StoreError> {
    let void = Void {
        at: desk.now(),
        decision,
        proposal: stored.state.id,
        reason,
    };
    desk.extend_with(stored, &void)?;
    desk.save(stored)
}

/// The one linearisation point: from here on a reject, withdraw or stop is too late. A refused one keeps what it found
/// out: that policy is stricter, or an approval too old.
pub(super) fn begin(desk: &mut Desk, record: &Record, begin: &Begin) -> Answer<Stored, RunRefusal> {
    let begun = accept(desk, record, begin)?;
    Ok(match begun {
        Ok((mut stored, true)) => {
            put_lease(desk, &stored, desk.now() + LEASE, true)?;
            desk.save(&mut stored)?;
            Ok(stored)
        }
        Ok((stored, false)) => Ok(stored),
        Err(refusal) => Err(refusal),
    })
}

/// Appends the begin, unless it is there already: that is what the flag says. The caller saves.
fn accept(desk: &mut Desk, record: &Record, begin: &Begin) -> Answer<(Stored, bool), RunRefusal> {
    let mut stored = match leased(desk, begin.proposal, begin.executor, begin.fence)? {
        Ok((stored, Step::New)) => stored,
        Ok((stored, Step::Again)) => {
            let begun = stored.state.begun.as_ref().map(|begun| begun.digest);
            return Ok(again(stored, begun, record).map(|stored| (stored, false)));
        }
        Err(refusal) => return Ok(Err(refusal)),
    };
    // Taken or refused, it is used: what is still due may be leased again at once, and a copy of this begin that comes
    // late, after the release of the stop that had refused it, finds no lease.
    match begin.executor {
        Holder::Tenant => desk.leases().end(begin.proposal),
        Holder::Device(_) => end_lease(desk, begin.proposal)?,
    }
    let stopped = desk.stands_still(&stored);
    if !stopped {
        desk.settle(&mut stored)?;
        desk.reconsider(&mut stored, Phase::Begin)?;
    }
    loop {
        match execution::begin(&stored.state, begin, stopped, desk.now()) {
            Ok(()) => break,
            Err(NotBegun::Refused(refusal)) => return Ok(Err(refusal)),
            Err(NotBegun::Stale(approval, reason)) => void(desk, &mut stored, approval, reason)?,
        }
    }
    desk.extend(&mut stored, record)?;
    Ok(Ok((stored, true)))
}

/// How the run ended. A late receipt settles an `unknown`; one about what is known changes nothing.
pub(super) fn complete(desk: &mut Desk, record: &Record, receipt: &Receipt) -> Answer<Stored, RunRefusal> {
    let finished = match desk.proposal(receipt.proposal)? {
        Some(stored) => finish(desk, stored, record, receipt)?,
        None => Err(RunRefusal::NotFound),
    };
    if finished.is_ok() {
        end_lease(desk, receipt.proposal)?;
    }
    Ok(finished)
}

fn finish(
    desk: &mut Desk,
    mut stored: Stored,
    record: &Record,
    receipt: &Receipt,
) -> Answer<Stored, RunRefusal> {
    match execution::complete(&stored.state, receipt, record.digest, desk.now()) {
        Ok(Step::New) => {}
        Ok(Step::Again) => return Ok(Ok(stored)),
        Err(refusal) => return Ok(Err(refusal)),
    }
    let seq = desk.extend(&mut stored, record)?;
    if let Some(effect) = &receipt.effect {
        apply(desk, seq, &stored, effect)?;
    }
    if receipt.outcome == Outcome::Completed {
        remember_recipients(desk, &stored)?;
    }
    desk.save(&mut stored)?;
    Ok(Ok(stored))
}

/// A call whose whole effect is in the tenant's own store: begin, effect and receipt in one transaction. What a refused
/// begin has found out stays, as it does in [`begin`]: that is the inner answer.
pub(super) fn run_local(
    desk: &mut Desk,
    begun: (&Record, &Begin),
    ended: (&Record, &Receipt),
) -> Answer<Result<Stored, RunRefusal>, RunRefusal> {
    match accept(desk, begun.0, begun.1)? {
        Ok((stored, _)) => Ok(finish(desk, stored, ended.0, ended.1)?.map(Ok)),
        Err(refusal) => Ok(Ok(Err(refusal))),
    }
}

/// Marks begun calls whose executor has gone silent as unknown, and returns how many there were.
pub(super) fn lapse(desk: &mut Desk) -> Answer<usize, std::convert::Infallible> {
    let mut silent = Vec::new();
    {
        let mut statement = desk
            .connection()
            .prepare_cached("SELECT proposal, fence FROM lease WHERE begun = 1 AND expires_ms <= ?1")?;
        let mut rows = statement.query([desk.now().0])?;
        while let Some(row) = rows.next()? {
            let id = ProposalId::from_slice(&row.get::<_, Vec<u8>>(0)?).map_err(StoreError::damaged)?;
            silent.push((id, row.get::<_, i64>(1)?.unsigned_abs()));
        }
    }
    for (proposal, fence) in &silent {
        if let Some(mut stored) = desk.proposal(*proposal)? {
            desk.extend_with(
                &mut stored,
                &Lapse {
                    at: desk.now(),
                    fence: *fence,
                    proposal: *proposal,
                },
            )?;
            desk.save(&mut stored)?;
        }
        end_lease(desk, *proposal)?;
    }
    Ok(Ok(silent.len()))
}

/// The same record once more gets the same answer; another one is refused.
fn again(stored: Stored, taken: Option<Digest>, record: &Record) -> Result<Stored, RunRefusal> {
    if taken == Some(record.digest) {
        Ok(stored)
    } else {
        Err(RunRefusal::State(stored.state.recorded_status()))
    }
}

/// The proposal under the newest lease with this fence, and whether it has begun.
fn leased(
    desk: &Desk,
    id: ProposalId,
    by: Executor,
    fence: u64,
) -> Result<Result<(Stored, Step), RunRefusal>, StoreError> {
    let Some(stored) = desk.proposal(id)? else {
        return Ok(Err(RunRefusal::NotFound));
    };
    let until = match by {
        Holder::Tenant => desk.leased_until(id),
        Holder::Device(_) => device_lease(desk, id)?,
    };
    let newest = execution::Lease {
        fence: stored.fence,
        until,
    };
    let step = newest.admits(&stored.state, by, fence, desk.now());
    Ok(step.map(|step| (stored, step)))
}

/// Until when the newest lease of a device's call stands.
fn device_lease(desk: &Desk, id: ProposalId) -> Result<Option<UnixMillis>, StoreError> {
    Ok(desk
        .connection()
        .prepare_cached("SELECT expires_ms FROM lease WHERE proposal = ?1")?
        .query_row([id.as_bytes()], |row| row.get(0).map(UnixMillis))
        .optional()?)
}

/// Whether the fence of a call that has begun still stands, so that its request may be made again.
pub(super) fn confirm(
    desk: &Desk,
    id: ProposalId,
    by: Executor,
    fence: u64,
) -> Answer<wire::Lease, RunRefusal> {
    let Some(stored) = desk.proposal(id)? else {
        return Ok(Err(RunRefusal::NotFound));
    };
    let stopped = desk.stands_still(&stored);
    let authority = execution::confirm(&stored.state, by, fence, stopped);
    Ok(authority.map(|authority| granted(desk, fence, &authority)))
}

/// Stores that the call under this fence is about to be made.
pub(super) fn intend(
    desk: &mut Desk,
    proposal: ProposalId,
    fence: u64,
    intent: &str,
) -> Answer<(), RunRefusal> {
    let changed = desk
        .connection()
        .prepare_cached("UPDATE lease SET intent = ?3 WHERE proposal = ?1 AND fence = ?2 AND begun = 1")?
        .execute(params![proposal.as_bytes(), to_sql(fence)?, intent])?;
    Ok(if changed == 1 {
        Ok(())
    } else {
        Err(RunRefusal::Fenced)
    })
}

/// Calls that the server itself had begun and not ended: (proposal, intent).
pub(super) fn interrupted(
    connection: &rusqlite::Connection,
) -> Result<Vec<(Stored, Option<String>)>, StoreError> {
    let mut statement = connection.prepare(
        "SELECT state, tool_call_id, sentence, preview_seq, receipt_seq, proposal.fence, lease.intent
         FROM lease JOIN proposal ON proposal.id = lease.proposal WHERE begun = 1 AND executor IS NULL",
    )?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push((super::proposals::read(row)?, row.get(6)?));
    }
    Ok(found)
}

/// Ends a lease over what is not what was approved: the proposal is closed, and with `rules` made again.
pub(super) fn refuse(
    desk: &mut Desk,
    (id, by, fence): (ProposalId, Executor, u64),
    drift: &str,
    rules: Option<&Rules>,
) -> Answer<Stored, RunRefusal> {
    let mut stored = match leased(desk, id, by, fence)? {
        Ok((stored, Step::New)) => stored,
        Ok((stored, Step::Again)) => return Ok(Err(RunRefusal::State(stored.status(desk.now())))),
        Err(refusal) => return Ok(Err(refusal)),
    };
    end_lease(desk, id)?;
    supersede::drifted(desk, &mut stored, drift, rules)?;
    Ok(Ok(stored))
}

fn end_lease(desk: &mut Desk, proposal: ProposalId) -> Result<(), StoreError> {
    desk.leases().end(proposal);
    desk.connection()
        .prepare_cached("DELETE FROM lease WHERE proposal = ?1")?
        .execute([proposal.as_bytes()])?;
    Ok(())
}

fn put_lease(desk: &Desk, stored: &Stored, expires: UnixMillis, begun: bool) -> Result<(), StoreError> {
    desk.connection()
        .prepare_cached(
            "INSERT INTO lease (proposal, fence, expires_ms, begun) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (proposal)
             DO UPDATE SET fence = excluded.fence, expires_ms = excluded.expires_ms, begun = excluded.begun",
        )?
        .execute(params![stored.state.id.as_bytes(), to_sql(stored.fence)?, expires.0, begun])?;
    Ok(())
}

fn apply(desk: &Desk, seq: u64, stored: &Stored, effect: &Effect) -> Result<(), StoreError> {
    match effect {
        Effect::TaskCreated {
            description,
            due_date,
            id,
            priority,
            title,
        } => {
            let priority = match priority {
                TaskPriority::Low => "low",
                TaskPriority::Normal => "normal",
                TaskPriority::High => "high",
            };
            desk.connection()
                .prepare_cached(
                    "INSERT INTO task (seq, id, title, description, due_date, priority, created_ms, proposal)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                )?
                .execute(params![
                    to_sql(seq)?,
                    id.as_bytes(),
                    title,
                    description,
                    due_date,
                    priority,
                    desk.now().0,
                    stored.state.id.as_bytes(),
                ])?;
        }
    }
    Ok(())
}

/// Everyone who was mailed is known from now on, so that the next mail to them is a smaller risk.
pub(super) fn remember_recipients(desk: &Desk, stored: &Stored) -> Result<(), StoreError> {
    if stored.state.tool != "email.send" {
        return Ok(());
    }
    let (_, record) = super::entries::record_at(desk.connection(), stored.state.created_seq)?;
    let proposal: countersign_domain::record::Proposal = record.body().map_err(StoreError::damaged)?;
    let args = proposal.args.as_object();
    let lists = ["to", "cc", "bcc"]
        .into_iter()
        .filter_map(|name| args?.get(name)?.as_array());
    let mut insert = desk
        .connection()
        .prepare_cached("INSERT OR IGNORE INTO known_recipient (address) VALUES (?1)")?;
    for address in lists.flatten().filter_map(|value| value.as_str()) {
        insert.execute([address.to_lowercase()])?;
    }
    Ok(())
}

//! Execute: calls over connections that this device holds, once their authority is whole.
//!
//! INVARIANT: nothing runs without the tenant, and nothing that has begun is ever begun again here. What a crash or a silence
//! leaves is settled before anything new is claimed: a begin without an intent has failed, an intent without a receipt is
//! asked again under its key where its target knows that one, and else unknown.

use std::{sync::Arc, time::Duration};

use countersign_domain::{
    Digest, UnixMillis,
    execution::{Authority, Blocked, LEASE},
    id::ProposalId,
    record::{Holder, Verdict},
    wire::{Claim, Lease},
};
use countersign_faults::{Point, crash_point};
use countersign_replica::Card;
use countersign_tools::executor::{ExecuteError, Executed, Interrupted, Leased, Settled, execute, settle};

use super::{ledger::DeviceLedger, pause, pull, push};
use crate::{
    client::CallError,
    event::EngineEvent,
    rules::still_counts,
    seat::Seat,
    store::{Answer, EntryState, Execution, ExecutionState, execution, outbox},
};

/// How often it looks without a hint.
const PERIOD: Duration = Duration::from_secs(5);
/// How many calls it takes at once. One after the other runs, and a lease lasts a minute.
const AT_ONCE: u32 = 1;

/// Executes until the task is dropped.
pub(crate) async fn run(seat: &Arc<Seat>) {
    loop {
        let rest = match reconcile(seat).await {
            Ok(Some(due)) => PERIOD.min(Duration::from_millis(
                due.since(seat.now()).0.max(50).unsigned_abs(),
            )),
            Ok(None) => PERIOD,
            Err(error) => {
                match error.downcast_ref::<CallError>() {
                    Some(error) if error.is_retryable() => tracing::debug!("Executing waits: {error:?}"),
                    Some(_) | None => tracing::warn!("Executing approved calls failed: {error:#}"),
                }
                PERIOD
            }
        };
        pause(&seat.wakes.execute, rest).await;
    }
}

/// One pass. Says when the next held call becomes due.
pub(crate) async fn reconcile(seat: &Arc<Seat>) -> anyhow::Result<Option<UnixMillis>> {
    settle_interrupted(seat).await?;
    // Without the tenant nothing runs. And no question to the tenant unless there is something for this device.
    if seat.is_cut_off() || !seat.is_online() || !has_work(seat).await? {
        return Ok(None);
    }
    loop {
        let _call = seat.executing.lock().await;
        let claim = Claim {
            device: seat.device(),
            manifests: seat.registry.manifests().map(|(digest, _)| digest).collect(),
            limit: AT_ONCE,
        };
        let claimed = seat.client.claim(&claim).await?;
        if claimed.leases.is_empty() {
            return Ok(claimed.next_due);
        }
        for lease in claimed.leases {
            let id = lease.proposal_id;
            // One call that goes wrong must not keep the others from running.
            if let Err(error) = run_one(seat, &lease).await {
                tracing::warn!(proposal = %id, "A call was not run to its end: {error:#}");
            }
            seat.tell(EngineEvent::ProposalChanged(id));
        }
    }
}

/// Whether the journal has an approved call that this device executes.
async fn has_work(seat: &Seat) -> anyhow::Result<bool> {
    if !seat.holds_connections().await? {
        return Ok(false);
    }
    let (me, now) = (seat.device(), seat.now());
    Ok(seat
        .journal
        .read(move |reader| Ok(reader.has_due(me, now)?))
        .await?)
}

async fn run_one(seat: &Arc<Seat>, lease: &Lease) -> anyhow::Result<()> {
    crash_point(Point::Claimed);
    catch_up(seat, lease.size).await?;
    let Some(authority) = authority(seat, lease).await? else {
        return Ok(());
    };
    let leased = Leased::new(authority, lease.fence, Holder::Device(seat.device()));
    let ledger = DeviceLedger::new(seat);
    match execute(leased, &ledger, &seat.registry, &ledger).await {
        Ok(Executed::Ended(_)) => {
            push::push(seat).await?;
            seat.wakes.sync.notify_one();
        }
        // Nothing is lost if this waits for the next pass.
        Ok(Executed::Unanswered) => seat.wakes.execute.notify_one(),
        Ok(Executed::Drifted(drift)) => {
            tracing::warn!(proposal = %lease.proposal_id, "The call is not what was approved: {drift}");
        }
        Ok(Executed::NotBegun { reason }) => {
            tracing::info!(proposal = %lease.proposal_id, "The begin was not accepted: {reason}");
        }
        // The receipt exists nowhere but in memory, so it is given again, never the call. If that fails too the intent
        // without a receipt becomes `unknown`.
        Err(ExecuteError::Complete(completion, error)) => {
            tracing::error!("A receipt could not be stored and is stored again: {error}");
            countersign_tools::executor::Ledger::complete(&ledger, &completion).await?;
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// The journal here has to reach to where the authority was whole.
pub(super) async fn catch_up(seat: &Arc<Seat>, size: u64) -> anyhow::Result<()> {
    let have = seat
        .journal
        .read(|reader| Ok(reader.head()?.map_or(0, |head| head.size)))
        .await?;
    if have < size {
        pull::pull(seat).await?;
    }
    Ok(())
}

/// The authority by this device's own copy of the journal: the server's word is not enough.
async fn authority(seat: &Seat, lease: &Lease) -> anyhow::Result<Option<Authority>> {
    let (id, people) = (lease.proposal_id, seat.people().await?);
    let Some(card) = seat.journal.read(move |reader| Ok(reader.proposal(id)?)).await? else {
        return Ok(None);
    };
    // The server's clock judges holds and expiry; this device's may be wrong by hours.
    let server_now = said_at(lease);
    let authority = match Authority::of(&card.state, server_now) {
        Ok(authority) => authority,
        Err(Blocked::Status(_) | Blocked::Held(_) | Blocked::Stale(..)) => {
            tracing::warn!(proposal = %id, "The tenant leased a call that may not begin by the journal.");
            return Ok(None);
        }
    };
    let sound =
        authority.approvals() == lease.authority && counts(&card, &people, authority.approvals(), server_now);
    if !sound {
        tracing::warn!(proposal = %id, "The tenant leased a call whose approvals do not count by the journal.");
    }
    Ok(sound.then_some(authority))
}

/// What the server's clock said when it gave the lease: that follows from the lease's end.
pub(super) const fn said_at(lease: &Lease) -> UnixMillis {
    UnixMillis(lease.expires_at.0.saturating_sub(LEASE.0))
}

fn counts(
    card: &Card,
    people: &countersign_domain::people::People,
    approvals: &[Digest],
    now: UnixMillis,
) -> bool {
    approvals.iter().all(|digest| {
        card.state
            .standing()
            .find(|cast| cast.digest == *digest && cast.verdict == Verdict::Approve)
            .is_some_and(|cast| still_counts(card, people, cast, now))
    })
}

/// Calls that a crash or a lost answer has left behind.
pub(crate) async fn settle_interrupted(seat: &Arc<Seat>) -> anyhow::Result<()> {
    let account = seat.account.id;
    let open = seat.store.read(move |db| execution::open(db, account)).await?;
    if open.is_empty() {
        return Ok(());
    }
    if open
        .iter()
        .any(|execution| execution.state == ExecutionState::Begin)
    {
        // Whether the begin was accepted has to be known first: the same envelope gets the same answer.
        push::push(seat).await?;
    }
    for execution in open {
        let begin = execution.begin;
        let answered = seat
            .store
            .read(move |db| outbox::get(db, begin))
            .await?
            .map(|entry| entry.state);
        match (execution.state, answered) {
            (ExecutionState::Begin, Some(EntryState::Waiting)) => {}
            (ExecutionState::Begin, Some(EntryState::Answered(answer) | EntryState::Folded(answer)))
                if !answer.effective =>
            {
                forget(seat, execution.proposal, execution.fence).await?;
            }
            (ExecutionState::Begin | ExecutionState::Begun | ExecutionState::Intended, _) => {
                settle_one(seat, execution).await?;
            }
            (ExecutionState::Done, _) => {}
        }
    }
    push::push(seat).await?;
    Ok(())
}

async fn forget(seat: &Seat, id: ProposalId, fence: u64) -> anyhow::Result<()> {
    let account = seat.account.id;
    seat.store
        .write(move |tx| execution::done(tx, account, id, fence, None))
        .await?;
    Ok(())
}

async fn settle_one(seat: &Arc<Seat>, open: Execution) -> anyhow::Result<()> {
    let interrupted = Interrupted {
        proposal: open.proposal,
        proposal_digest: open.digest,
        executor: Holder::Device(seat.device()),
        fence: open.fence,
        effect: open.effect,
        begun_at: open.at,
        intent: open.intent,
    };
    // It may make the call again.
    let _call = seat.executing.lock().await;
    let (ledger, deadline) = (DeviceLedger::new(seat), countersign_tools::executor::DEADLINE);
    match settle(interrupted, deadline, &ledger, &seat.registry, &ledger).await {
        Ok(Settled::Ended(completion)) => {
            tracing::warn!(proposal = %open.proposal, "{}", completion.summary);
            seat.tell(EngineEvent::ProposalChanged(open.proposal));
            Ok(())
        }
        // Whatever else is open has not to wait for it.
        Ok(Settled::Waits) => Ok(()),
        Err(error @ ExecuteError::Complete(..)) => Err(error.into()),
        Err(error) => {
            tracing::info!(proposal = %open.proposal, "What was interrupted is not settled yet: {error}");
            Ok(())
        }
    }
}

/// The server's word on a begin.
pub(super) fn is_accepted(state: &EntryState) -> Option<&Answer> {
    match state {
        EntryState::Waiting => None,
        EntryState::Answered(answer) | EntryState::Folded(answer) => Some(answer),
    }
}

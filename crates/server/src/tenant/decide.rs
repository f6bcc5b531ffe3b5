//! Taking decisions: those that a device signed, in its order, and those of a signed-in session.

use std::{collections::BTreeSet, sync::Arc};

use countersign_domain::{
    Digest, Record, UnixMillis,
    decision::{Circumstances, Credential, DeviceStanding, verify_decision},
    fold::{Cast, ProposalState, Status},
    id::{DeviceId, ProposalId, UserId},
    record::{Actor, Body, Decision, Phase, Proposer, Reason, Revoke, Verdict, Void, Withdraw},
    remarks::speaks_for,
    wire::{RecordResult, ReviewedRecord},
};
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    denials,
    desk::{Desk, to_sql},
    proposals::Stored,
    signed::{Arrival, arrive, effective, refuse},
    writer::{Answer, StoreError},
};
use crate::random;

/// The cards that count as a proposal's own: (renderer version, view digest).
pub type Views = Vec<(u32, Digest)>;

/// A decision that a device has signed, with what is looked up for it before the writer is asked.
#[derive(Clone, Debug)]
pub struct Signed {
    pub decision: Decision,
    pub views: Views,
    /// The proposal as it was then, with the records that its card is made of.
    pub seen: Option<Arc<Stored>>,
}

/// Why a session's decision changed nothing.
#[derive(Debug, Clone)]
pub enum DecideRefusal {
    /// It does not count; the proposal is as it was. `None` stands for no such proposal.
    Reason(Reason, Option<Status>),
}

/// Why a proposal was not taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WithdrawRefusal {
    /// No such proposal, or not the caller's: the same answer.
    NotFound,
    /// It is in a state that takes no withdrawal.
    State(Status),
}

/// A decision of a signed-in person without a device. One that does not count leaves no trace but what policy has to say.
pub(super) fn by_session(
    desk: &mut Desk,
    record: &Record,
    decision: &Decision,
    user: UserId,
    views: &Views,
) -> Answer<Stored, DecideRefusal> {
    let mut stored = desk.proposal(decision.proposal)?;
    if let Some(stored) = &mut stored {
        desk.settle(stored)?;
        desk.reconsider(stored, Phase::Decide)?;
    }
    let verdict = verify(
        desk,
        record,
        decision,
        stored.as_ref(),
        Credential::Session(user),
        views,
    )?;
    match (verdict, stored) {
        (Ok(()), Some(mut stored)) => {
            desk.extend(&mut stored, record)?;
            desk.save(&mut stored)?;
            if decision.verdict == Verdict::Reject {
                denials::note(desk, &stored, decision)?;
            }
            Ok(Ok(stored))
        }
        (Err(reason), stored) => Ok(Err(DecideRefusal::Reason(
            reason,
            stored.map(|stored| stored.status(desk.now())),
        ))),
        (Ok(()), None) => Ok(Err(DecideRefusal::Reason(Reason::UnknownProposal, None))),
    }
}

/// A decision that one of `user`'s devices signed. It is journalled whether it counts or not, and the answer is final.
pub(super) fn by_device(
    desk: &mut Desk,
    record: &Record,
    Signed {
        decision,
        views,
        seen,
    }: &Signed,
    user: UserId,
) -> Result<RecordResult, StoreError> {
    let link = decision.link().filter(|_| decision.approver == user);
    let signed = match arrive(desk, record, user, link)? {
        Arrival::Signed(signed) => signed,
        Arrival::Answered(answer) => return Ok(answer),
    };
    // Not journalled, not even as refused: whoever reads it there has to take it for the log's second history, and one
    // device could have every reader do so for ever.
    if let Some(seen) = decision.checkpoint
        && !desk.has_shown(seen)?
    {
        return Ok(refused(record, Reason::OtherHistory, None));
    }
    let mut stored = desk.proposal(decision.proposal)?;
    if let Some(stored) = &mut stored {
        desk.settle(stored)?;
        desk.reconsider(stored, Phase::Decide)?;
        if let Some(seen) = seen {
            stored.keep(seen, desk.now());
        }
    }
    let credential = Credential::Device(Some(&signed.by));
    let verdict = match signed.twin {
        true => Err(Reason::Fork),
        false => verify(desk, record, decision, stored.as_ref(), credential, views)?,
    };
    let result = match (verdict, &mut stored) {
        (Ok(()), Some(stored)) => {
            desk.extend(stored, record)?;
            desk.save(stored)?;
            if decision.verdict == Verdict::Reject {
                denials::note(desk, stored, decision)?;
            }
            effective(record, Some(stored.status(desk.now())))
        }
        (Err(reason), Some(stored)) => refuse(desk, stored, record, reason)?,
        (_, None) => signed.absent(desk, record)?,
    };
    signed.answer(desk, result)
}

/// The proposer takes its own proposal back.
pub(super) fn withdraw(
    desk: &mut Desk,
    id: ProposalId,
    by: Actor,
    reason: Option<&str>,
) -> Answer<Stored, WithdrawRefusal> {
    let Some(mut stored) = desk.proposal(id)? else {
        return Ok(Err(WithdrawRefusal::NotFound));
    };
    if !may_withdraw(&stored.state.proposer, by) {
        return Ok(Err(WithdrawRefusal::NotFound));
    }
    let status = stored.status(desk.now());
    if !status.is_open() {
        return Ok(Err(WithdrawRefusal::State(status)));
    }
    let nonce = random::nonce();
    let body = Withdraw {
        at: desk.now(),
        by,
        device: None,
        device_seq: None,
        nonce,
        previous: None,
        proposal: id,
        reason: reason.map(str::to_owned),
    };
    desk.extend_with(&mut stored, &body)?;
    desk.save(&mut stored)?;
    Ok(Ok(stored))
}

/// The proposer takes it back, or the person it acts for.
pub(super) fn may_withdraw(proposer: &Proposer, by: Actor) -> bool {
    by == Actor::Server || speaks_for(proposer, by)
}

fn verify(
    desk: &Desk,
    record: &Record,
    decision: &Decision,
    stored: Option<&Stored>,
    credential: Credential<'_>,
    views: &Views,
) -> Result<Result<(), Reason>, StoreError> {
    let people = desk.people();
    let world = Circumstances {
        tenant: desk.tenant(),
        mode: people.mode(),
        proposal: stored.map(|stored| &stored.state),
        role: people.role(decision.approver),
        agent_owner: stored.and_then(|stored| people.owner_behind(&stored.state.proposer)),
        credential,
        views,
    };
    match verify_decision(record, &world, desk.now()) {
        Ok(_) => Ok(Ok(())),
        Err(Ok(reason)) => Ok(Err(reason)),
        Err(Err(invalid)) => Err(StoreError::damaged(invalid)),
    }
}

/// The device as the journal has it, with the key that its record `seq` takes.
pub(super) fn standing(
    desk: &Desk,
    device: DeviceId,
    seq: u64,
) -> Result<Option<DeviceStanding>, StoreError> {
    let Some(known) = desk.people().devices.get(&device) else {
        return Ok(None);
    };
    if known.endorsed_by.is_none() {
        return Ok(None);
    }
    let last_seq: Option<i64> = desk
        .connection()
        .prepare_cached("SELECT max(device_seq) FROM device_record WHERE device = ?1")?
        .query_row([&device.as_bytes()[..]], |row| row.get(0))?;
    Ok(Some(DeviceStanding {
        user: known.user,
        key: known.key_of(seq),
        revoked: known.revoked_at.is_some(),
        forked: false,
        last_seq: last_seq.unwrap_or(0).unsigned_abs(),
    }))
}

/// What was answered to the record that used this number.
pub(super) fn answered(
    desk: &Desk,
    device: DeviceId,
    device_seq: u64,
) -> Result<Option<(Digest, RecordResult)>, StoreError> {
    let row: Option<(Vec<u8>, String)> = desk
        .connection()
        .prepare_cached("SELECT digest, answer FROM device_record WHERE device = ?1 AND device_seq = ?2")?
        .query_row(params![&device.as_bytes()[..], to_sql(device_seq)?], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    let Some((digest, answer)) = row else {
        return Ok(None);
    };
    let digest = Digest::from_slice(&digest).map_err(StoreError::damaged)?;
    Ok(Some((
        digest,
        serde_json::from_str(&answer).map_err(StoreError::damaged)?,
    )))
}

/// Keeps the answer for ever.
pub(super) fn remember(
    desk: &Desk,
    device: DeviceId,
    device_seq: u64,
    answer: &RecordResult,
) -> Result<(), StoreError> {
    let text = serde_json::to_string(answer).map_err(StoreError::damaged)?;
    desk.connection()
        .prepare_cached(
            "INSERT INTO device_record (device, device_seq, digest, answer) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![
            &device.as_bytes()[..],
            to_sql(device_seq)?,
            answer.digest.as_bytes(),
            text
        ])?;
    Ok(())
}

/// One number, two records: the key is in two hands, so it leaves service.
pub(super) fn quarantine(desk: &mut Desk, device: DeviceId) -> Result<(), StoreError> {
    if desk
        .people()
        .devices
        .get(&device)
        .is_some_and(|known| known.revoked_at.is_some())
    {
        return Ok(());
    }
    let revoke = Revoke {
        at: desk.now(),
        by: Actor::Server,
        compromised_since: None,
        device,
        last_good_seq: None,
        nonce: random::nonce(),
        reason: "It signed two different records with one number: its key may have been copied.".to_owned(),
    };
    revoke_device(desk, &revoke)
}

/// Takes a device out of service and voids what it approved after its last good record and has not begun, in one go.
pub(super) fn revoke_device(desk: &mut Desk, revoke: &Revoke) -> Result<(), StoreError> {
    let record = Record::unsigned(revoke).map_err(StoreError::damaged)?;
    desk.append_about(&record, revoke.subject())?;
    let doubted = after(
        desk.connection(),
        revoke.device,
        revoke.last_good_seq.unwrap_or(0),
    )?;
    void_where(desk, Reason::DeviceRevoked, |_, cast| {
        cast.device == Some(revoke.device) && doubted.contains(&cast.digest)
    })
}

/// The digests of what a device has signed with numbers above `seq`.
pub(super) fn after(db: &Connection, device: DeviceId, seq: u64) -> Result<BTreeSet<Digest>, StoreError> {
    let mut statement =
        db.prepare_cached("SELECT digest FROM device_record WHERE device = ?1 AND device_seq > ?2")?;
    let rows = statement.query_map(params![&device.as_bytes()[..], to_sql(seq)?], |row| {
        row.get::<_, Vec<u8>>(0)
    })?;
    rows.map(|bytes| Digest::from_slice(&bytes?).map_err(StoreError::damaged))
        .collect()
}

/// The entries of what a device has signed with numbers above `seq`, newest first.
pub(super) fn signed_after(
    db: &Connection,
    device: DeviceId,
    seq: u64,
) -> Result<Vec<ReviewedRecord>, StoreError> {
    let mut statement = db.prepare_cached(
        "SELECT seq, at_ms, kind, subject FROM entry WHERE digest IN
             (SELECT digest FROM device_record WHERE device = ?1 AND device_seq > ?2)
         ORDER BY seq DESC",
    )?;
    let mut rows = statement.query(params![&device.as_bytes()[..], to_sql(seq)?])?;
    let mut signed = Vec::new();
    while let Some(row) = rows.next()? {
        signed.push(ReviewedRecord {
            seq: row.get::<_, i64>(0)?.unsigned_abs(),
            at: UnixMillis(row.get(1)?),
            kind: row.get::<_, String>(2)?.parse().map_err(StoreError::damaged)?,
            subject: row.get(3)?,
        });
    }
    Ok(signed)
}

/// Voids every standing approval that `touched` picks, in proposals that have not begun. A no stays, and so does what
/// takes an approval back: voiding one of these would bring the approval to life again.
pub(super) fn void_where(
    desk: &mut Desk,
    reason: Reason,
    touched: impl Fn(&ProposalState, &Cast) -> bool,
) -> Result<(), StoreError> {
    for mut stored in open_proposals(desk)? {
        let decisions: Vec<_> = stored
            .state
            .standing()
            .filter(|cast| cast.verdict == Verdict::Approve && touched(&stored.state, cast))
            .map(|cast| cast.digest)
            .collect();
        if decisions.is_empty() {
            continue;
        }
        for decision in decisions {
            let void = Void {
                at: desk.now(),
                decision,
                proposal: stored.state.id,
                reason,
            };
            desk.extend_with(&mut stored, &void)?;
        }
        desk.save(&mut stored)?;
    }
    Ok(())
}

/// Proposals that are neither over nor begun, as recorded.
pub(super) fn open_proposals(desk: &Desk) -> Result<Vec<Stored>, StoreError> {
    let mut statement = desk.connection().prepare_cached(
        "SELECT state, tool_call_id, sentence, preview_seq, receipt_seq, fence FROM proposal WHERE status IN (0, 1)",
    )?;
    let mut rows = statement.query([])?;
    let mut open = Vec::new();
    while let Some(row) = rows.next()? {
        open.push(super::proposals::read(row)?);
    }
    Ok(open)
}

pub(super) fn refused(record: &Record, reason: Reason, status: Option<Status>) -> RecordResult {
    RecordResult {
        digest: record.digest,
        effective: false,
        reason: Some(reason.code().to_owned()),
        status,
    }
}

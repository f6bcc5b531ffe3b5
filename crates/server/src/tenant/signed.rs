//! What a device signs: it decides, vouches for another device of its person, goes on with a new key, takes its person's
//! proposal back, says what a call over its connection would do.
//!
//! Each is answered for ever. One that does not count is journalled all the same: with its proposal,
//! behind its void, or where there is none that its signer may speak of, with its device, behind a [`Refuse`].

use std::sync::Arc;

use countersign_domain::{
    Record,
    decision::SignedBy,
    fold::Status,
    id::{DeviceId, ProposalId, UserId},
    record::{
        Actor, Body as _, Endorse, Phase, Preview, Reason, Refuse, Remark, Resolution, Rotate, Void, Withdraw,
    },
    remarks,
    wire::RecordResult,
};

use super::{
    acts::{self, Act},
    decide::{self, answered, may_withdraw, quarantine, refused, remember, standing},
    desk::Desk,
    found::append,
    proposals::Stored,
    writer::StoreError,
};

/// Most records about one proposal, and of one device about none, that are refused and journalled all the same. What is
/// refused beyond that is answered and remembered and takes no more room: a device in wrong hands must not make a
/// proposal grow without end.
const MOST_REFUSED: usize = 64;

/// What a device signs.
#[derive(Clone, Debug)]
pub enum SignedBody {
    /// Its person decides.
    Decision(Box<decide::Signed>),
    /// It vouches for another device of the same person.
    Endorse(Endorse),
    /// The person takes a proposal back.
    Withdraw(Withdraw),
    /// The holder of a connection says what a call over it would do.
    Preview(Preview),
    /// The person says what became of a call.
    Resolution(Resolution),
    /// The person asks, or answers, about a proposal.
    Remark(Remark),
    /// It goes on with a new key.
    Rotate(Rotate),
    /// The person wants something for the whole tenant.
    Act(Act),
}

/// Takes a record whose body is `body`. The answer is final, also when it does not count.
fn take(
    desk: &mut Desk,
    record: &Record,
    body: &SignedBody,
    user: UserId,
) -> Result<RecordResult, StoreError> {
    match body {
        SignedBody::Decision(body) => decide::by_device(desk, record, body, user),
        SignedBody::Endorse(body) => endorse(desk, record, body, user),
        SignedBody::Withdraw(body) => withdraw(desk, record, body, user),
        SignedBody::Preview(body) => preview(desk, record, body, user),
        SignedBody::Resolution(body) => resolution(desk, record, body, user),
        SignedBody::Remark(body) => remark(desk, record, body, user),
        SignedBody::Rotate(body) => rotate(desk, record, body, user),
        SignedBody::Act(act) => acts::by_device(desk, record, act, user),
    }
}

/// Takes records in their order, all of them or none: of a device's chain nothing is stored without what comes before it.
pub(super) fn take_all(
    desk: &mut Desk,
    records: &[(Arc<Record>, SignedBody)],
    user: UserId,
) -> Result<Vec<RecordResult>, StoreError> {
    records
        .iter()
        .map(|(record, body)| take(desk, record, body, user))
        .collect()
}

/// A record that one of the person's own devices has signed.
pub(super) struct Signed<'r> {
    pub(super) device: DeviceId,
    pub(super) device_seq: u64,
    /// Another record has this number: whatever it says, it is a fork, also when it is sent again.
    pub(super) twin: bool,
    /// As it was before this record.
    pub(super) by: SignedBy<'r>,
}

/// What an envelope is before anybody asks what it says.
pub(super) enum Arrival<'r> {
    Signed(Signed<'r>),
    /// It has its answer already, or is nobody's.
    Answered(RecordResult),
}

/// Whether it is `user`'s device that signed these bytes, and whether they are new. A second record with a used number
/// takes the device out of service.
pub(super) fn arrive<'r>(
    desk: &mut Desk,
    record: &'r Record,
    user: UserId,
    link: Option<(DeviceId, u64)>,
) -> Result<Arrival<'r>, StoreError> {
    let nobodys = || Arrival::Answered(refused(record, Reason::BadSignature, None));
    let Some((device, device_seq)) = link else {
        return Ok(nobodys());
    };
    // Before anything is looked up in its name: is it this person's device, and did it sign these bytes?
    let standing = standing(desk, device, device_seq)?.filter(|standing| standing.user == user);
    let Some(by) = standing.and_then(|standing| standing.signed(record)) else {
        return Ok(nobodys());
    };
    let before = answered(desk, device, device_seq)?;
    let twin = match before {
        Some((digest, answer)) if digest == record.digest => return Ok(Arrival::Answered(answer)),
        Some(_) => {
            quarantine(desk, device)?;
            true
        }
        None => false,
    };
    Ok(Arrival::Signed(Signed {
        device,
        device_seq,
        twin,
        by,
    }))
}

impl Signed<'_> {
    /// The device is in service and its numbers grow.
    fn in_order(&self) -> Result<(), Reason> {
        if self.by.standing().revoked {
            Err(Reason::DeviceRevoked)
        } else if self.device_seq <= self.by.standing().last_seq {
            Err(Reason::Fork)
        } else {
            Ok(())
        }
    }

    fn about(
        &self,
        desk: &mut Desk,
        record: &Record,
        id: ProposalId,
        check: impl FnOnce(&Stored, Status) -> Result<(), Reason>,
    ) -> Result<RecordResult, StoreError> {
        let stored = desk.proposal(id)?;
        let result = match stored {
            None => self.absent(desk, record)?,
            Some(mut stored) => {
                desk.settle(&mut stored)?;
                let status = stored.status(desk.now());
                let judged = if self.twin {
                    Err(Reason::Fork)
                } else {
                    check(&stored, status)
                };
                match judged {
                    // To whom it is foreign it is absent.
                    Err(Reason::UnknownProposal) => self.refuse(desk, record, Reason::UnknownProposal)?,
                    Err(reason) => refuse(desk, &mut stored, record, reason)?,
                    Ok(()) => match self.in_order() {
                        Err(reason) => refuse(desk, &mut stored, record, reason)?,
                        Ok(()) => {
                            desk.extend(&mut stored, record)?;
                            desk.save(&mut stored)?;
                            acts::settled(desk, &stored)?;
                            desk.reconsider(&mut stored, Phase::Decide)?;
                            effective(record, Some(stored.status(desk.now())))
                        }
                    },
                }
            }
        };
        self.answer(desk, result)
    }

    /// Refuses a record about a proposal that is not there.
    pub(super) fn absent(&self, desk: &mut Desk, record: &Record) -> Result<RecordResult, StoreError> {
        let reason = if self.twin {
            Reason::Fork
        } else {
            Reason::UnknownProposal
        };
        self.refuse(desk, record, reason)
    }

    /// Keeps the answer for ever. The number of a twin is the other's: its answer is the same without being kept.
    pub(super) fn answer(&self, desk: &Desk, mut result: RecordResult) -> Result<RecordResult, StoreError> {
        if self.twin {
            result.status = None;
        } else {
            remember(desk, self.device, self.device_seq, &result)?;
        }
        Ok(result)
    }

    /// Answers a record that is about no proposal, for ever: by `take` where it counts.
    pub(super) fn settle(
        &self,
        desk: &mut Desk,
        record: &Record,
        verdict: Result<(), Reason>,
        take: impl FnOnce(&mut Desk) -> Result<RecordResult, StoreError>,
    ) -> Result<RecordResult, StoreError> {
        let verdict = if self.twin { Err(Reason::Fork) } else { verdict };
        let result = match verdict.and_then(|()| self.in_order()) {
            Ok(()) => take(desk)?,
            Err(reason) => self.refuse(desk, record, reason)?,
        };
        self.answer(desk, result)
    }

    /// Journals a refused record with its device, that it is refused first: no prefix of the journal ever counts it.
    pub(super) fn refuse(
        &self,
        desk: &mut Desk,
        record: &Record,
        reason: Reason,
    ) -> Result<RecordResult, StoreError> {
        let known = &desk.people().refused;
        let of_this_device = known.values().filter(|device| **device == self.device).count();
        if of_this_device < MOST_REFUSED && !known.contains_key(&record.digest) {
            let refuse = Refuse {
                at: desk.now(),
                device: self.device,
                reason,
                record: record.digest,
            };
            append(desk, &refuse)?;
            desk.append_about(record, refuse.subject())?;
        }
        Ok(refused(record, reason, None))
    }
}

/// Journals a refused record about a proposal, its void first: no prefix of the journal ever counts it.
pub(super) fn refuse(
    desk: &mut Desk,
    stored: &mut Stored,
    record: &Record,
    reason: Reason,
) -> Result<RecordResult, StoreError> {
    let voids = &stored.state.voids;
    if voids.len() < MOST_REFUSED && !voids.contains_key(&record.digest) {
        let void = Void {
            at: desk.now(),
            decision: record.digest,
            proposal: stored.state.id,
            reason,
        };
        desk.extend_with(stored, &void)?;
        desk.extend(stored, record)?;
        desk.save(stored)?;
    }
    Ok(refused(record, reason, Some(stored.status(desk.now()))))
}

fn endorse(
    desk: &mut Desk,
    record: &Record,
    endorse: &Endorse,
    user: UserId,
) -> Result<RecordResult, StoreError> {
    let signed = match arrive(desk, record, user, endorse.link())? {
        Arrival::Signed(signed) => signed,
        Arrival::Answered(answer) => return Ok(answer),
    };
    let waits = desk.people().devices.get(&endorse.device).is_some_and(|known| {
        known.user == user
            && known.enrol == endorse.enrol
            && known.endorsed_by.is_none()
            && known.revoked_at.is_none()
    });
    let member = desk.people().role(user).is_some();
    let verdict = if endorse.tenant != desk.tenant() || !waits || !member {
        Err(Reason::NotEligible)
    } else {
        Ok(())
    };
    signed.settle(desk, record, verdict, |desk| {
        desk.append(record, endorse)?;
        Ok(effective(record, None))
    })
}

fn rotate(
    desk: &mut Desk,
    record: &Record,
    rotate: &Rotate,
    user: UserId,
) -> Result<RecordResult, StoreError> {
    let signed = match arrive(desk, record, user, rotate.link())? {
        Arrival::Signed(signed) => signed,
        Arrival::Answered(answer) => return Ok(answer),
    };
    let verdict = countersign_domain::acts::rotate(desk.people(), rotate);
    signed.settle(desk, record, verdict, |desk| {
        desk.append(record, rotate)?;
        Ok(effective(record, None))
    })
}

fn withdraw(
    desk: &mut Desk,
    record: &Record,
    withdraw: &Withdraw,
    user: UserId,
) -> Result<RecordResult, StoreError> {
    let link = withdraw.link().filter(|_| withdraw.by == Actor::User(user));
    let signed = match arrive(desk, record, user, link)? {
        Arrival::Signed(signed) => signed,
        Arrival::Answered(answer) => return Ok(answer),
    };
    let result = signed.about(desk, record, withdraw.proposal, |stored, status| {
        if !may_withdraw(&stored.state.proposer, withdraw.by) {
            return Err(Reason::UnknownProposal);
        }
        status.still_open()
    })?;
    Ok(result)
}

fn resolution(
    desk: &mut Desk,
    record: &Record,
    word: &Resolution,
    user: UserId,
) -> Result<RecordResult, StoreError> {
    let link = word.link().filter(|_| word.by == user);
    let signed = match arrive(desk, record, user, link)? {
        Arrival::Signed(signed) => signed,
        Arrival::Answered(answer) => return Ok(answer),
    };
    let (people, now) = (Arc::clone(desk.people()), desk.now());
    signed.about(desk, record, word.proposal, |stored, _| {
        if people.role(user).is_none_or(|role| !role.sees_all()) {
            return Err(Reason::UnknownProposal);
        }
        countersign_domain::acts::resolve(&people, &stored.state, word, now)
    })
}

fn remark(
    desk: &mut Desk,
    record: &Record,
    remark: &Remark,
    user: UserId,
) -> Result<RecordResult, StoreError> {
    let link = remark.link().filter(|_| remark.by == Actor::User(user));
    let signed = match arrive(desk, record, user, link)? {
        Arrival::Signed(signed) => signed,
        Arrival::Answered(answer) => return Ok(answer),
    };
    let (people, now) = (Arc::clone(desk.people()), desk.now());
    signed.about(desk, record, remark.proposal, |stored, _| {
        let sees = people.role(user).is_some_and(|role| role.sees_all());
        if !sees && !remarks::speaks_for(&stored.state.proposer, remark.by) {
            return Err(Reason::UnknownProposal);
        }
        remarks::remark(&people, &stored.state, remark, now)
    })
}

fn preview(
    desk: &mut Desk,
    record: &Record,
    preview: &Preview,
    user: UserId,
) -> Result<RecordResult, StoreError> {
    let signed = match arrive(desk, record, user, preview.link())? {
        Arrival::Signed(signed) => signed,
        Arrival::Answered(answer) => return Ok(answer),
    };
    let result = signed.about(desk, record, preview.proposal, |stored, status| {
        if stored.state.executor != preview.by {
            return Err(Reason::UnknownProposal);
        }
        if stored.state.digest != preview.proposal_digest {
            return Err(Reason::DigestMismatch);
        }
        status.still_open()?;
        // What people have seen does not change under them.
        if status == Status::Proposed && stored.state.awaits_preview() {
            Ok(())
        } else {
            Err(Reason::TooLate)
        }
    })?;
    Ok(result)
}

pub(super) fn effective(record: &Record, status: Option<Status>) -> RecordResult {
    RecordResult {
        digest: record.digest,
        effective: true,
        reason: None,
        status,
    }
}

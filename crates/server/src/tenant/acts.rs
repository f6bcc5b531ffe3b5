//! What a person wants for the whole tenant: to stop, to release, another table of rules; and settling what is not known.

use std::sync::Arc;

use countersign_domain::{
    Record, UnixMillis, acts,
    fold::Status,
    id::{ProposalId, UserId},
    people::People,
    record::{Reason, Release, Resolution, Rules, Stop},
    wire::RecordResult,
};

use super::{
    Tenant,
    desk::Desk,
    hands::Work,
    proposals::Stored,
    run::remember_recipients,
    signed::{Arrival, arrive, effective},
    writer::{Answer, StoreError},
};

/// What one person wants for the whole tenant.
#[derive(Clone, Debug)]
pub enum Act {
    Stop(Stop),
    Release(Release),
    Rules(Rules),
}

impl Act {
    fn judge(&self, people: &People) -> Result<(), Reason> {
        match self {
            Self::Stop(stop) => acts::stop(people, stop),
            Self::Release(release) => acts::release(people, release),
            Self::Rules(rules) => acts::rules(people, rules),
        }
    }

    const fn by(&self) -> UserId {
        match self {
            Self::Stop(Stop { by, .. })
            | Self::Release(Release { by, .. })
            | Self::Rules(Rules { by, .. }) => *by,
        }
    }

    fn record(&self) -> Result<Record, StoreError> {
        match self {
            Self::Stop(stop) => Record::unsigned(stop),
            Self::Release(release) => Record::unsigned(release),
            Self::Rules(rules) => Record::unsigned(rules),
        }
        .map_err(StoreError::damaged)
    }

    fn append(&self, desk: &mut Desk, record: &Record) -> Result<(), StoreError> {
        match self {
            Self::Stop(stop) => desk.append(record, stop)?,
            Self::Release(release) => desk.append(record, release)?,
            Self::Rules(rules) => desk.append(record, rules)?,
        };
        if matches!(self, Self::Release(_)) {
            // The server's own executor looks at what has been standing still.
            desk.put_to_work(Work::Held(desk.now()));
        }
        Ok(())
    }
}

/// Why a word on an unknown outcome was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResolveRefusal {
    NotFound,
    Reason(Reason, Status),
}

impl Tenant {
    /// Takes an act of a signed-in person.
    ///
    /// # Errors
    /// When the store fails; inside, why it does not count.
    pub async fn act(&self, act: Act) -> Answer<(), Reason> {
        self.write(move |desk| by_session(desk, &act)).await
    }

    /// Takes a signed-in person's word on an unknown outcome. `word` makes it for the run that is not known.
    ///
    /// # Errors
    /// When the store fails; inside, why it does not count.
    pub async fn resolve(
        &self,
        id: ProposalId,
        word: impl Fn(&Stored, UnixMillis) -> Option<Resolution> + Send + Sync + 'static,
    ) -> Answer<Stored, ResolveRefusal> {
        let word = Arc::new(word);
        self.write(move |desk| resolve(desk, id, &*word)).await
    }
}

fn by_session(desk: &mut Desk, act: &Act) -> Answer<(), Reason> {
    if let Err(reason) = act.judge(desk.people()) {
        return Ok(Err(reason));
    }
    let record = act.record()?;
    act.append(desk, &record)?;
    Ok(Ok(()))
}

/// An act that one of `user`'s devices signed. It is journalled whether it counts or not, and the answer is final.
pub(super) fn by_device(
    desk: &mut Desk,
    record: &Record,
    act: &Act,
    user: UserId,
) -> Result<RecordResult, StoreError> {
    let link = record.link().filter(|_| act.by() == user);
    let signed = match arrive(desk, record, user, link)? {
        Arrival::Signed(signed) => signed,
        Arrival::Answered(answer) => return Ok(answer),
    };
    let verdict = act.judge(desk.people());
    signed.settle(desk, record, verdict, |desk| {
        act.append(desk, record)?;
        Ok(effective(record, None))
    })
}

fn resolve(
    desk: &mut Desk,
    id: ProposalId,
    word: &dyn Fn(&Stored, UnixMillis) -> Option<Resolution>,
) -> Answer<Stored, ResolveRefusal> {
    let Some(mut stored) = desk.proposal(id)? else {
        return Ok(Err(ResolveRefusal::NotFound));
    };
    let (now, status) = (desk.now(), stored.status(desk.now()));
    let Some(word) = word(&stored, now) else {
        let reason = if status.is_final() {
            Reason::Decided
        } else {
            Reason::TooLate
        };
        return Ok(Err(ResolveRefusal::Reason(reason, status)));
    };
    if let Err(reason) = acts::resolve(desk.people(), &stored.state, &word, now) {
        return Ok(Err(ResolveRefusal::Reason(reason, status)));
    }
    desk.extend_with(&mut stored, &word)?;
    desk.save(&mut stored)?;
    settled(desk, &stored)?;
    Ok(Ok(stored))
}

/// What follows once an outcome is known.
pub(super) fn settled(desk: &mut Desk, stored: &Stored) -> Result<(), StoreError> {
    if stored.state.resolved.is_some_and(|resolved| resolved.happened) {
        remember_recipients(desk, stored)?;
    }
    Ok(())
}

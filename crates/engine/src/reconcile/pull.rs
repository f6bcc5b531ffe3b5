//! The journal comes down: page by page, each proved against the log's signed head before the cursor moves.

use std::{collections::BTreeSet, sync::Arc};

use countersign_domain::{Record, id::ProposalId, record::Kind, wire::JournalPage};
use countersign_faults::{Point, crash_point};
use countersign_replica::{Applied, ApplyError, OtherHistory, Reader};
use rusqlite::Connection;

use crate::{
    client::CallError,
    event::EngineEvent,
    journal::JournalError,
    seat::Seat,
    store::{Answer, Entry, EntryState, Seen, StoreError, account, erased, outbox},
};

/// Entries asked for at once: few enough that the tenant, the network and this device work beside each other.
const PAGE: u64 = 2_000;

/// A page that came, and what was asked for.
struct Fetched {
    after: u64,
    /// As many entries as were asked for: there are probably more.
    full: bool,
    page: JournalPage,
}

/// Pulls until nothing is missing. True when something came.
pub(crate) async fn pull(seat: &Arc<Seat>) -> anyhow::Result<bool> {
    // One at a time: of two that ask for the same entries the second one's page would not be what comes next.
    let _one = seat.pulling.lock().await;
    let id = seat.account.id;
    let (mut seen, fork) = seat
        .store
        .read(move |db| Ok((account::seen(db, id)?, account::fork(db, id)?)))
        .await?;
    if fork.is_some() {
        anyhow::bail!("nothing is pulled from a log that shows two histories");
    }
    let begin = seat.journal.size().await?;
    let mut fetched = fetch(seat, begin, seen.as_ref()).await?;
    loop {
        let Fetched { after, full, page } = fetched;
        let note = page.checkpoint.clone();
        let end = page.entries.last().map_or(after, |entry| entry.seq);
        // The next page is on its way while this one is folded, which then says whether it is of any use.
        let (applied, next) = tokio::join!(seat.journal.apply(page, seat.log()), async {
            if full {
                Some(fetch(seat, end, seen.as_ref()).await)
            } else {
                None
            }
        });
        let applied = match applied {
            Ok(applied) => applied,
            Err(JournalError::Apply(
                ApplyError::Fork { ours, theirs } | ApplyError::Rollback { ours, theirs },
            )) => {
                return Err(alarm(seat, &ours, &theirs).await);
            }
            Err(JournalError::Apply(ApplyError::OtherHistory(other))) => {
                return Err(contradicted(seat, &other).await);
            }
            Err(error) => return Err(error.into()),
        };
        crash_point(Point::PageTaken);
        if let Some(seen) = &seen {
            witness(seat, seen, &applied, &note).await?;
        }
        forget_erased(seat, applied.proposals.iter().copied().collect()).await?;
        // What is here can be shown; that the log has shown it is for later.
        hint(seat, &applied);
        let newest = Seen {
            size: applied.head.size,
            root: applied.head.root,
            note,
        };
        seen = Some(newest.clone());
        seat.store
            .write(move |tx| account::set_seen(tx, id, &newest))
            .await?;
        if !applied.is_behind() {
            return Ok(applied.size > begin);
        }
        if applied.size == after {
            return Err(CallError::Protocol("a page without entries, and more to come".to_owned()).into());
        }
        fetched = match next {
            Some(next) => next?,
            None => fetch(seat, applied.size, seen.as_ref()).await?,
        };
    }
}

/// Asks for the entries after `after`. A page ends where the last checkpoint that this device has verified was, so that
/// the roots can be compared, also by a replica that begins anew.
async fn fetch(seat: &Seat, after: u64, seen: Option<&Seen>) -> Result<Fetched, CallError> {
    if seat.is_cut_off() {
        return Err(CallError::Transport("cut off".to_owned()));
    }
    let limit = match seen {
        Some(seen) if seen.size > after => (seen.size - after).min(PAGE),
        Some(_) | None => PAGE,
    };
    let page = seat.client.journal(after, limit).await?;
    let full = page.entries.len() as u64 == limit;
    Ok(Fetched { after, full, page })
}

/// The last checkpoint that this device has verified is kept in its own database: the log cannot go back behind it even
/// when the replica was lost or an old copy of it was put in place.
async fn witness(seat: &Seat, seen: &Seen, applied: &Applied, note: &str) -> anyhow::Result<()> {
    if applied.head.size < seen.size {
        return Err(alarm(seat, &seen.note, note).await);
    }
    if applied.size == seen.size {
        let head = seat.journal.read(|reader| Ok(reader.head()?)).await?;
        if head.is_none_or(|head| head.root != seen.root) {
            return Err(alarm(seat, &seen.note, note).await);
        }
    }
    Ok(())
}

/// The log has two histories. Both signed notes are kept, or its note and what a device has signed; nothing more is pulled
/// until people have settled it.
async fn alarm(seat: &Seat, ours: &str, theirs: &str) -> anyhow::Error {
    let evidence = format!("{ours}\n{theirs}");
    let id = seat.account.id;
    if let Err(error) = seat
        .store
        .write(move |tx| account::set_fork(tx, id, &evidence))
        .await
    {
        tracing::error!("The evidence of a forked log could not be kept: {error:#}");
    }
    seat.tell(EngineEvent::StateChanged);
    anyhow::anyhow!("the tenant's log shows another history than the one that this device has verified")
}

/// The same, where what shows it is a decision of the journal whose device had seen the other.
pub(crate) async fn contradicted(seat: &Seat, other: &OtherHistory) -> anyhow::Error {
    match serde_json::to_string(&other.record) {
        Ok(record) => alarm(seat, &other.head, &record).await,
        Err(error) => error.into(),
    }
}

fn hint(seat: &Seat, applied: &Applied) {
    seat.tell_changed(&applied.proposals);
    if applied.people {
        seat.tell(EngineEvent::StateChanged);
    }
}

/// Forgets what this device has kept of everything that was erased: asked once, at its start. Later each erasure says so.
pub(crate) async fn forget_all_erased(seat: &Seat) -> anyhow::Result<()> {
    let account = seat.account.id;
    let kept = seat.store.read(move |db| erased::candidates(db, account)).await?;
    forget_erased(seat, kept).await
}

async fn forget_erased(seat: &Seat, among: BTreeSet<ProposalId>) -> anyhow::Result<()> {
    let gone: Vec<ProposalId> = seat
        .journal
        .read(move |reader| {
            let mut gone = Vec::new();
            for id in among {
                if reader.has_entry(id, Kind::Erase)? {
                    gone.push(id);
                }
            }
            Ok(gone)
        })
        .await?;
    if gone.is_empty() {
        return Ok(());
    }
    let account = seat.account.id;
    seat.store
        .write(move |tx| gone.iter().try_for_each(|id| erased::forget(tx, account, *id)))
        .await?;
    Ok(())
}

/// Outbox rows whose record the journal has: from now on the journal speaks for them.
pub(crate) async fn fold_outbox(seat: &Seat) -> anyhow::Result<()> {
    let account = seat.account.id;
    let open = seat
        .store
        .read(move |db| {
            let open = outbox::open(db, account)?.into_iter();
            open.map(|entry| Ok((subject(db, &entry)?, entry)))
                .collect::<Result<Vec<_>, StoreError>>()
        })
        .await?;
    if open.is_empty() {
        return Ok(());
    }
    let (folded, gone) = seat
        .journal
        .read(move |reader| {
            let (mut folded, mut gone) = (Vec::new(), BTreeSet::new());
            for (subject, entry) in &open {
                match entry.proposal {
                    Some(id) if reader.has_entry(id, Kind::Erase)? => drop(gone.insert(id)),
                    Some(id) if reader.has_about(id, entry.digest)? => {
                        folded.push((entry.digest, journalled(reader, id, entry)?));
                    }
                    Some(_) => {}
                    None => {
                        let known = match subject {
                            Some(subject) => reader.has(subject, entry.digest)?,
                            None => false,
                        };
                        folded.extend(about_none(entry, known).map(|answer| (entry.digest, answer)));
                    }
                }
            }
            Ok((folded, gone))
        })
        .await?;
    // Answered only now: nothing in the journal will ever speak for it.
    forget_erased(seat, gone).await?;
    if folded.is_empty() {
        return Ok(());
    }
    seat.store
        .write(move |tx| {
            for (digest, answer) in &folded {
                outbox::folded(tx, *digest, answer)?;
            }
            Ok(())
        })
        .await?;
    Ok(())
}

/// What a record is about that is about no proposal.
fn subject(db: &Connection, entry: &Entry) -> Result<Option<String>, StoreError> {
    if entry.proposal.is_some() {
        return Ok(None);
    }
    let record = outbox::envelope(db, entry.digest)?.map(Record::from_envelope);
    Ok(record.and_then(|record| record.ok()?.subject().ok()))
}

/// What has come of a record that the journal has. The tenant's answer is final; where it was lost the journal tells.
fn journalled(reader: &Reader, id: ProposalId, entry: &Entry) -> Result<Answer, JournalError> {
    if let EntryState::Answered(answer) | EntryState::Folded(answer) = &entry.state {
        return Ok(answer.clone());
    }
    let card = reader.proposal(id)?;
    let void = card.and_then(|card| card.state.voids.get(&entry.digest).copied());
    Ok(Answer {
        effective: void.is_none(),
        reason: void.map(|reason| reason.code().to_owned()),
    })
}

/// One that was refused is in the journal under its device, or not at all: the answer is all that there will be.
fn about_none(entry: &Entry, known: bool) -> Option<Answer> {
    match &entry.state {
        EntryState::Answered(answer) if !answer.effective => Some(answer.clone()),
        EntryState::Waiting | EntryState::Answered(_) | EntryState::Folded(_) => known.then_some(Answer {
            effective: true,
            reason: None,
        }),
    }
}

//! Notices: one for each high or critical item that this person can decide, coalesced when they come in bursts, taken
//! back when there is nothing left to decide. A restart shows nothing twice.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use countersign_domain::{id::ProposalId, record::Risk};
use countersign_replica::Filter;

use super::pause;
use crate::{
    overlay::Overlay,
    ports::{Notice, NoticeId},
    rules::decidable,
    seat::Seat,
    store::{notices, settings},
};

/// How often it looks without a hint: expiry needs no entry in the journal.
const PERIOD: Duration = Duration::from_secs(30);
/// The least time between two looks: a burst of changes is one look, and each folds every item that is shown.
const REST: Duration = Duration::from_millis(250);
/// More new items than this at once are one notice.
const EACH: usize = 2;
/// How many waiting items are looked at.
const LOOK: u32 = 200;

/// Keeps the notices right until the task is dropped.
pub(crate) async fn run(seat: &Arc<Seat>) {
    loop {
        if let Err(error) = reconcile(seat).await {
            tracing::warn!("Notices could not be kept up to date: {error:#}");
        }
        tokio::time::sleep(REST).await;
        pause(&seat.wakes.notify, PERIOD).await;
    }
}

/// One pass.
pub(crate) async fn reconcile(seat: &Arc<Seat>) -> anyhow::Result<()> {
    let waiting = waiting(seat).await?;
    retract(seat, &waiting).await?;
    let account = seat.account.id;
    let (known, paused) = seat
        .store
        .read(move |db| Ok((notices::known(db, account)?, settings::notifications_paused(db)?)))
        .await?;
    let fresh: Vec<(ProposalId, Risk)> = waiting
        .iter()
        .filter(|(id, _)| !known.contains(id))
        .copied()
        .collect();
    let Some(worst) = fresh.iter().map(|(_, risk)| *risk).max() else {
        return Ok(());
    };
    if paused {
        return Ok(());
    }
    let shown: Vec<NoticeId> = if fresh.len() > EACH {
        seat.ports.notifier.notify(&many(waiting.len(), worst))?;
        vec![NoticeId::Many]
    } else {
        for (id, risk) in &fresh {
            seat.ports.notifier.notify(&one(*id, *risk))?;
        }
        fresh.iter().map(|(id, _)| NoticeId::Proposal(*id)).collect()
    };
    tracing::debug!(count = shown.len(), "Notices shown");
    let (now, ids): (_, Vec<ProposalId>) = (seat.now(), fresh.into_iter().map(|(id, _)| id).collect());
    // After showing: a crash in between shows a notice twice, the other order would lose one.
    seat.store
        .write(move |tx| notices::show(tx, account, &ids, now))
        .await?;
    Ok(())
}

/// High and critical items that this person can decide, worst first.
async fn waiting(seat: &Seat) -> anyhow::Result<Vec<(ProposalId, Risk)>> {
    let (people, now) = (seat.people().await?, seat.now());
    let overlay = Overlay::load(seat).await?;
    let person = seat.person();
    let found = seat
        .journal
        .read(move |reader| {
            let page = reader.to_decide(&Filter::default(), None, LOOK, now, &|id| overlay.is_mine(id))?;
            let mut found = Vec::new();
            for row in page.rows.into_iter().filter(|row| row.risk >= Risk::High) {
                // From the checked bodies: a notice must lead to something that this person can decide.
                if let Some(card) = reader.proposal(row.id)?
                    && decidable(&card, &people, person, now)
                {
                    found.push((row.id, row.risk));
                }
            }
            Ok(found)
        })
        .await?;
    Ok(found)
}

/// Takes back what is decided, expired or gone.
async fn retract(seat: &Seat, waiting: &[(ProposalId, Risk)]) -> anyhow::Result<()> {
    let account = seat.account.id;
    let shown = seat.store.read(move |db| notices::shown(db, account)).await?;
    let open: BTreeSet<ProposalId> = waiting.iter().map(|(id, _)| *id).collect();
    let gone: Vec<ProposalId> = shown.difference(&open).copied().collect();
    if gone.is_empty() {
        return Ok(());
    }
    for id in &gone {
        seat.ports.notifier.retract(NoticeId::Proposal(*id));
    }
    if open.is_disjoint(&shown) {
        seat.ports.notifier.retract(NoticeId::Many);
    }
    seat.store
        .write(move |tx| {
            for id in gone {
                notices::retract(tx, account, id)?;
            }
            Ok(())
        })
        .await?;
    Ok(())
}

fn one(id: ProposalId, risk: Risk) -> Notice {
    Notice {
        id: NoticeId::Proposal(id),
        title: format!("A {} risk request waits for you", risk.name()),
        body: "Open it to read what will happen.".to_owned(),
        risk,
    }
}

fn many(count: usize, risk: Risk) -> Notice {
    Notice {
        id: NoticeId::Many,
        title: format!("{count} requests wait for you"),
        body: format!("The worst is {} risk. Open the inbox to read them.", risk.name()),
        risk,
    }
}

//! What this device signed goes up: in its order, one sender at a time.
//!
//! Only what was not answered is sent again, and every answer is final. A record that is refused is set aside with its
//! reason and blocks nothing behind it.

use anyhow::Context as _;
use countersign_domain::{
    Digest,
    id::ProposalId,
    record::Kind,
    wire::{ExecutionRecord, MAX_RECORDS, PushRecords},
};
use countersign_faults::{Point, crash_point};

use crate::{
    client::CallError,
    seat::Seat,
    store::{Answer, Outgoing, StoreError, outbox},
};

/// Most bytes of envelopes in one request: base64 makes a third more of them, and the server takes 2 MiB.
const MAX_BYTES: usize = 1024 * 1024;

/// What the tenant has said of a record, not stored yet.
struct Answered {
    digest: Digest,
    proposal: Option<ProposalId>,
    answer: Answer,
}

impl Answered {
    const fn new(entry: &Outgoing, answer: Answer) -> Self {
        Self {
            digest: entry.digest,
            proposal: entry.proposal,
            answer,
        }
    }
}

/// Sends everything that waits. When this answers, every record that was waiting at the call is answered. True when
/// there was one.
pub(crate) async fn push(seat: &Seat) -> anyhow::Result<bool> {
    let _order = seat.sending.lock().await;
    let mut waiting = behind(seat, 0).await?;
    let sent = !waiting.is_empty();
    let mut answered = Vec::new();
    while !waiting.is_empty() {
        let records = batch(&waiting);
        let last = records.last().map_or(0, |entry| entry.id);
        // While it is on its way the answers before it are stored, and what comes behind it is read. What a crash leaves
        // without its answer is sent again, and gets the same one.
        let (answers, next) = tokio::join!(send(seat, records), async {
            settle(seat, std::mem::take(&mut answered)).await?;
            behind(seat, last).await
        });
        answered = answers?;
        waiting = next?;
    }
    settle(seat, answered).await?;
    Ok(sent)
}

/// What waits behind the row `after`, as much as one request may have.
async fn behind(seat: &Seat, after: i64) -> Result<Vec<Outgoing>, StoreError> {
    let account = seat.account.id;
    seat.store
        .read(move |db| outbox::waiting(db, account, after, MAX_RECORDS))
        .await
}

/// The longest run of records from the front that goes in one request.
fn batch(waiting: &[Outgoing]) -> &[Outgoing] {
    let mut bytes = 0;
    let end = waiting
        .iter()
        .position(|entry| {
            bytes += entry.envelope.payload.len();
            matches!(entry.kind, Kind::Begin | Kind::Receipt) || bytes > MAX_BYTES
        })
        // One record always fits: bodies are at most 128 KiB.
        .map_or(waiting.len(), |end| end.max(1));
    &waiting[..end]
}

/// Sends what [`batch`] has chosen, and gives an answer to each.
async fn send(seat: &Seat, batch: &[Outgoing]) -> anyhow::Result<Vec<Answered>> {
    if seat.is_cut_off() {
        return Err(CallError::Transport("cut off".to_owned()).into());
    }
    crash_point(Point::PushAhead);
    let answered = match batch {
        [only] if matches!(only.kind, Kind::Begin | Kind::Receipt) => vec![step(seat, only).await?],
        records => together(seat, records).await?,
    };
    crash_point(Point::PushSent);
    Ok(answered)
}

async fn together(seat: &Seat, batch: &[Outgoing]) -> anyhow::Result<Vec<Answered>> {
    let records = batch.iter().map(|entry| entry.envelope.clone()).collect();
    let pushed = seat.client.push(&PushRecords { records }).await?;
    if pushed.results.len() != batch.len() {
        return Err(CallError::Protocol("not one answer to each record".to_owned()).into());
    }
    let mut answered = Vec::with_capacity(batch.len());
    for (entry, result) in batch.iter().zip(pushed.results) {
        if result.digest != entry.digest {
            return Err(CallError::Protocol("an answer about another record".to_owned()).into());
        }
        let answer = Answer {
            effective: result.effective,
            reason: result.reason,
        };
        answered.push(Answered::new(entry, answer));
    }
    Ok(answered)
}

/// Begin and receipt have calls of their own, fenced.
async fn step(seat: &Seat, entry: &Outgoing) -> anyhow::Result<Answered> {
    let id = entry.proposal.context("a begin or a receipt of nothing")?;
    let record = ExecutionRecord {
        record: entry.envelope.clone(),
    };
    let called = if entry.kind == Kind::Begin {
        seat.client.begin(id, &record).await
    } else {
        seat.client.complete(id, &record).await
    };
    let answer = match called {
        Ok(_) => Answer {
            effective: true,
            reason: None,
        },
        Err(CallError::Refused { code, .. }) => Answer {
            effective: false,
            reason: Some(code),
        },
        Err(error) => return Err(error.into()),
    };
    Ok(Answered::new(entry, answer))
}

/// Stores what was answered, all of it in one transaction.
async fn settle(seat: &Seat, answered: Vec<Answered>) -> Result<(), StoreError> {
    if answered.is_empty() {
        return Ok(());
    }
    let changed: Vec<ProposalId> = answered.iter().filter_map(|one| one.proposal).collect();
    seat.store
        .write(move |tx| {
            for one in &answered {
                outbox::answer(tx, one.digest, &one.answer)?;
            }
            Ok(())
        })
        .await?;
    crash_point(Point::PushKept);
    seat.tell_changed(&changed);
    Ok(())
}

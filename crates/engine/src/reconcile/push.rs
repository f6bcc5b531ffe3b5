//! What this device signed goes up: in its order, one sender at a time.
//!
//! Only what was not answered is sent again, and every answer is final. A record that is refused is set aside with its
//! reason and blocks nothing behind it.

use countersign_domain::{
    Digest,
    id::ProposalId,
    record::Kind,
    wire::{ExecutionRecord, MAX_RECORDS, PushRecords},
};
use countersign_faults::{Point, crash_point};

use crate::{
    client::CallError,
    event::EngineEvent,
    seat::Seat,
    store::{Answer, Entry, outbox},
};

/// Most bytes of envelopes in one request: base64 makes a third more of them, and the server takes 2 MiB.
const MAX_BYTES: usize = 1024 * 1024;

/// Sends everything that waits. When this answers, every record that was waiting at the call is answered. True when
/// there was one.
pub(crate) async fn push(seat: &Seat) -> anyhow::Result<bool> {
    let _order = seat.sending.lock().await;
    let mut sent = false;
    loop {
        let account = seat.account.id;
        let waiting = seat
            .store
            .read(move |db| outbox::waiting(db, account, MAX_RECORDS))
            .await?;
        let Some(first) = waiting.first() else {
            return Ok(sent);
        };
        if seat.is_cut_off() {
            return Err(CallError::Transport("cut off".to_owned()).into());
        }
        crash_point(Point::PushAhead);
        let answers = match (first.kind, first.proposal) {
            (Kind::Begin | Kind::Receipt, Some(id)) => vec![(first.digest, step(seat, first, id).await?)],
            _ => send(seat, batch(&waiting)).await?,
        };
        crash_point(Point::PushSent);
        settle(seat, answers).await?;
        crash_point(Point::PushKept);
        sent = true;
        for id in waiting.iter().filter_map(|entry| entry.proposal) {
            seat.tell(EngineEvent::ProposalChanged(id));
        }
    }
}

/// The longest run of records from the front that goes in one request.
fn batch(waiting: &[Entry]) -> &[Entry] {
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

async fn send(seat: &Seat, batch: &[Entry]) -> anyhow::Result<Vec<(Digest, Answer)>> {
    let records = batch.iter().map(|entry| entry.envelope.clone()).collect();
    let pushed = seat.client.push(&PushRecords { records }).await?;
    let mut answers = Vec::with_capacity(batch.len());
    for (entry, result) in batch.iter().zip(pushed.results) {
        if result.digest != entry.digest {
            return Err(CallError::Protocol("an answer about another record".to_owned()).into());
        }
        answers.push((
            entry.digest,
            Answer {
                effective: result.effective,
                reason: result.reason,
            },
        ));
    }
    if answers.is_empty() {
        return Err(CallError::Protocol("no answer to the records".to_owned()).into());
    }
    Ok(answers)
}

/// Begin and receipt have calls of their own, fenced.
async fn step(seat: &Seat, entry: &Entry, id: ProposalId) -> anyhow::Result<Answer> {
    let record = ExecutionRecord {
        record: entry.envelope.clone(),
    };
    let answered = if entry.kind == Kind::Begin {
        seat.client.begin(id, &record).await
    } else {
        seat.client.complete(id, &record).await
    };
    match answered {
        Ok(_) => Ok(Answer {
            effective: true,
            reason: None,
        }),
        Err(CallError::Refused { code, .. }) => Ok(Answer {
            effective: false,
            reason: Some(code),
        }),
        Err(error) => Err(error.into()),
    }
}

async fn settle(seat: &Seat, answers: Vec<(Digest, Answer)>) -> anyhow::Result<()> {
    seat.store
        .write(move |tx| {
            for (digest, answer) in &answers {
                outbox::answer(tx, *digest, answer)?;
            }
            Ok(())
        })
        .await?;
    Ok(())
}

//! Previews: what a call over a connection of this device would do, said before anyone decides it.
//!
//! Nobody approves such a call before, and after a minute it counts as one that nobody could look at. So what is older
//! by the journal's own time is left alone.

use std::{collections::BTreeSet, sync::Arc};

use countersign_domain::{
    UnixMillis,
    fold::{PREVIEW_WAIT, Status},
    id::ProposalId,
    record::{Holder, Kind, Preview},
};
use countersign_replica::{Card, Filter, View};

use crate::{
    enrol,
    seat::{About, Seat, nonce},
    store::outbox,
};

/// How many rows are looked at together, newest first.
const PAGE: u32 = 50;

/// Signs the previews that this device owes. True when there was one; they go up with the next push.
pub(crate) async fn make(seat: &Arc<Seat>) -> anyhow::Result<bool> {
    let people = seat.people().await?;
    // The tenant's answer to a device that is not in service is final, and it may be in service in a moment.
    if !enrol::is_in_service(seat, &people) {
        return Ok(false);
    }
    // Every pass comes by here.
    if !seat.holds_connections().await? {
        return Ok(false);
    }
    let account = seat.account.id;
    let said: BTreeSet<ProposalId> = seat
        .store
        .read(move |db| {
            let open = outbox::open(db, account)?.into_iter();
            Ok(open
                .filter(|entry| entry.kind == Kind::Preview)
                .filter_map(|entry| entry.proposal)
                .collect())
        })
        .await?;
    let mut made = false;
    for card in owed(seat).await? {
        if !said.contains(&card.state.id) {
            sign(seat, &people, card).await?;
            made = true;
        }
    }
    Ok(made)
}

/// The newest proposals over this device's connections, as far as they still wait.
async fn owed(seat: &Seat) -> anyhow::Result<Vec<Card>> {
    let me = Holder::Device(seat.device());
    let cards = seat
        .journal
        .read(move |reader| {
            let Some(head) = reader.head()? else {
                return Ok(Vec::new());
            };
            let since = UnixMillis(head.last_at.0.saturating_sub(PREVIEW_WAIT.0));
            let (mut cards, mut after) = (Vec::new(), None);
            loop {
                let page = reader.inbox(View::All, &Filter::default(), after.as_ref(), PAGE, head.last_at)?;
                for row in &page.rows {
                    if row.created_at < since {
                        return Ok(cards);
                    }
                    if row.executor == me
                        && row.status == Status::Proposed
                        && let Some(card) = reader.proposal(row.id)?
                        && card.state.awaits_preview()
                    {
                        cards.push(card);
                    }
                }
                match page.next {
                    Some(next) => after = Some(next),
                    None => return Ok(cards),
                }
            }
        })
        .await?;
    Ok(cards)
}

async fn sign(
    seat: &Arc<Seat>,
    people: &countersign_domain::people::People,
    card: Card,
) -> anyhow::Result<()> {
    let named = card.proposal.connection.as_ref();
    let connection = named.and_then(|named| people.connections.get(&named.id));
    let (now, nonce) = (seat.now(), nonce()?);
    let outcome = seat.registry.preview(&card.proposal, connection, now).await;
    let (signer, state) = (Arc::clone(seat), card.state);
    seat.store
        .write(move |tx| {
            let about = About {
                proposal: Some(state.id),
                verdict: None,
                expires_at: None,
                now,
            };
            signer.sign(tx, &about, |seq, previous| Preview {
                by: Holder::Device(signer.device()),
                device_seq: Some(seq),
                made_at: now,
                nonce,
                outcome,
                previous,
                proposal: state.id,
                proposal_digest: state.digest,
            })?;
            Ok(())
        })
        .await?;
    Ok(())
}

//! The durable side of an execution on a device: begin and receipt are records in the outbox, the intent is a row in
//! the device's own database.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use countersign_domain::{
    Record, UnixMillis,
    id::{ConnectionId, ProposalId},
    record::Kind,
    wire::RefuseLease,
};
use countersign_faults::{Point, crash_point};
use countersign_tools::executor::{
    Approval, BeginAnswer, Beginning, Completion, Drift, Intent, Ledger, LedgerError, SecretError, Secrets,
    Stored,
};
use secrecy::SecretString;

use super::{execute::is_accepted, push};
use crate::{
    client::CallError,
    journal::JournalError,
    ports::SecretStoreError,
    seat::{About, Seat, nonce},
    store::{Execution, ExecutionState, StoreError, execution, outbox},
};

/// How often a begin is sent while no answer comes: a lease lasts a minute, and each try may wait for its time-out.
const TRIES: u32 = 4;

/// Most characters of the reason that goes with a refused lease.
const MAX_REASON: usize = 500;

/// One seat as the executor sees it.
pub(crate) struct DeviceLedger {
    seat: Arc<Seat>,
}

impl DeviceLedger {
    pub(crate) fn new(seat: &Arc<Seat>) -> Self {
        Self {
            seat: Arc::clone(seat),
        }
    }

    /// Signs the receipt and closes the execution, in one transaction.
    pub(crate) async fn store_receipt(&self, completion: &Completion) -> Result<(), StoreError> {
        let (seat, completion, nonce) = (Arc::clone(&self.seat), completion.clone(), nonce()?);
        self.seat
            .store
            .write(move |tx| {
                let about = about(completion.proposal, seat.now());
                let receipt = seat.sign(tx, &about, |seq, previous| {
                    completion.record(nonce, Some((seq, previous)))
                })?;
                let (account, id) = (seat.account.id, completion.proposal);
                execution::done(tx, account, id, completion.fence, Some(receipt.digest))
            })
            .await
    }

    async fn store_begin(&self, beginning: &Beginning) -> Result<Record, LedgerError> {
        let (seat, beginning, nonce) = (
            Arc::clone(&self.seat),
            beginning.clone(),
            nonce().map_err(LedgerError::new)?,
        );
        let id = beginning.proposal;
        let card = seat
            .journal
            .read(move |reader| Ok(reader.proposal(id)?))
            .await
            .map_err(LedgerError::new)?;
        let effect = card
            .ok_or_else(|| LedgerError::new("the proposal is gone"))?
            .proposal
            .effect;
        self.seat
            .store
            .write(move |tx| {
                let about = about(beginning.proposal, seat.now());
                let record = seat.sign(tx, &about, |seq, previous| {
                    beginning.record(nonce, Some((seq, previous)))
                })?;
                let started = Execution {
                    proposal: beginning.proposal,
                    fence: beginning.fence,
                    digest: beginning.proposal_digest,
                    effect,
                    state: ExecutionState::Begin,
                    begin: record.digest,
                    intent: None,
                    at: beginning.at,
                };
                execution::insert(tx, seat.account.id, &started)?;
                Ok(record)
            })
            .await
            .map_err(LedgerError::new)
    }
}

#[async_trait]
impl Ledger for DeviceLedger {
    fn now(&self) -> UnixMillis {
        self.seat.now()
    }

    async fn stored(&self, proposal: ProposalId) -> Result<Stored, LedgerError> {
        let people = self.seat.people().await.map_err(LedgerError::new)?;
        self.seat
            .journal
            .read(move |reader| {
                let records: Vec<Record> = reader
                    .history(proposal)?
                    .iter()
                    .filter_map(countersign_domain::wire::WireEntry::record)
                    .collect();
                let own = records
                    .iter()
                    .find(|record| record.kind == Kind::Proposal)
                    .cloned()
                    .ok_or(JournalError::Read(countersign_replica::ReadError::Projection(
                        proposal,
                    )))?;
                let connection = own
                    .body::<countersign_domain::record::Proposal>()
                    .ok()
                    .and_then(|body| people.connections.get(&body.connection?.id).cloned());
                // Another one, or one that was refused, is journalled and is not the proposal's.
                let shown = reader.proposal(proposal)?.and_then(|card| card.state.preview);
                let preview = records
                    .iter()
                    .find(|record| record.kind == Kind::Preview && Some(record.digest) == shown)
                    .cloned();
                let approvals = records
                    .into_iter()
                    .filter(|record| record.kind == Kind::Decision)
                    .map(|record| Approval {
                        key: people.key_behind(&record),
                        record,
                    })
                    .collect();
                Ok(Stored {
                    proposal: own,
                    preview,
                    connection,
                    approvals,
                })
            })
            .await
            .map_err(LedgerError::new)
    }

    async fn refuse(&self, proposal: ProposalId, fence: u64, drift: &Drift) -> Result<(), LedgerError> {
        let refusal = RefuseLease {
            device: self.seat.device(),
            fence,
            reason: drift.to_string().chars().take(MAX_REASON).collect(),
            renew: drift.renews(),
        };
        match self.seat.client.refuse(proposal, &refusal).await {
            // Where the lease was over already, so is the reason to end it.
            Ok(_) | Err(CallError::Refused { .. }) => Ok(()),
            Err(error) => Err(LedgerError::new(error)),
        }
    }

    async fn begin(&self, beginning: &Beginning) -> Result<BeginAnswer, LedgerError> {
        let record = self.store_begin(beginning).await?;
        crash_point(Point::BeginKept);
        let mut last = None;
        for pause in super::pauses().take(TRIES as usize) {
            match push::push(&self.seat).await {
                Ok(_) => break,
                Err(error) => last = Some(error),
            }
            tokio::time::sleep(pause.min(Duration::from_secs(2))).await;
        }
        let digest = record.digest;
        let entry = self
            .seat
            .store
            .read(move |db| outbox::get(db, digest))
            .await
            .map_err(LedgerError::new)?;
        let Some(answer) = entry.as_ref().and_then(|entry| is_accepted(&entry.state)) else {
            // Not known: the row stays open, and the next pass finds out before anything else.
            return Err(LedgerError::new(
                last.map_or_else(|| "no answer".to_owned(), |error| format!("{error:#}")),
            ));
        };
        crash_point(Point::BeginAnswered);
        let (account, id, fence) = (self.seat.account.id, beginning.proposal, beginning.fence);
        let accepted = answer.effective;
        self.seat
            .store
            .write(move |tx| {
                if accepted {
                    execution::begun(tx, account, id, fence)
                } else {
                    execution::done(tx, account, id, fence, None)
                }
            })
            .await
            .map_err(LedgerError::new)?;
        Ok(if accepted {
            BeginAnswer::Begun
        } else {
            BeginAnswer::Refused {
                reason: answer.reason.clone().unwrap_or_default(),
            }
        })
    }

    async fn intend(&self, intent: &Intent) -> Result<(), LedgerError> {
        let (account, intent) = (self.seat.account.id, intent.clone());
        crash_point(Point::IntentAhead);
        let intended = self
            .seat
            .store
            .write(move |tx| execution::intend(tx, account, &intent))
            .await;
        crash_point(Point::IntentKept);
        intended.map_err(LedgerError::new)
    }

    async fn complete(&self, completion: &Completion) -> Result<(), LedgerError> {
        let stored = self.store_receipt(completion).await;
        crash_point(Point::ReceiptKept);
        stored.map_err(LedgerError::new)
    }

    async fn apply_local(&self, _: &Beginning, _: &Completion) -> Result<BeginAnswer, LedgerError> {
        Ok(BeginAnswer::Refused {
            reason: "not_here".to_owned(),
        })
    }
}

#[async_trait]
impl Secrets for DeviceLedger {
    async fn secret(&self, connection: ConnectionId) -> Result<Option<SecretString>, SecretError> {
        match self.seat.keyring.connection(connection).await {
            Ok(bytes) => match core::str::from_utf8(&bytes) {
                Ok(text) => Ok(Some(SecretString::from(text.to_owned()))),
                Err(_) => Ok(None),
            },
            Err(SecretStoreError::Missing) => Ok(None),
            Err(error) => Err(SecretError(error.to_string())),
        }
    }
}

fn about(proposal: ProposalId, now: UnixMillis) -> About {
    About {
        proposal: Some(proposal),
        verdict: None,
        expires_at: None,
        now,
    }
}

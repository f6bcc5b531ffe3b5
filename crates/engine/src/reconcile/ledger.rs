//! The durable side of an execution on a device: begin and receipt are records in the outbox, the intent is a row in
//! the device's own database.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use countersign_domain::{
    Record, UnixMillis,
    execution::{self, RunRefusal},
    id::{ConnectionId, ProposalId},
    record::{Holder, Kind},
    wire::{ConfirmFence, RefuseLease},
};
use countersign_faults::{Point, crash_point};
use countersign_tools::executor::{
    Approval, BeginAnswer, Beginning, Completion, Confirmation, Drift, Intent, Ledger, LedgerError,
    SecretError, Secrets, Stored,
};
use secrecy::SecretString;

use super::{
    execute::{catch_up, is_accepted, said_at},
    push,
};
use crate::{
    client::CallError,
    journal::JournalError,
    ports::SecretStoreError,
    seat::{About, Seat, nonce},
    store::{Execution, ExecutionState, StoreError, execution as row, outbox},
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
                row::done(tx, account, id, completion.fence, Some(receipt.digest))
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
                row::insert(tx, seat.account.id, &started)?;
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
                    row::begun(tx, account, id, fence)
                } else {
                    row::done(tx, account, id, fence, None)
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
            .write(move |tx| row::intend(tx, account, &intent))
            .await;
        crash_point(Point::IntentKept);
        intended.map_err(LedgerError::new)
    }

    async fn confirm(&self, proposal: ProposalId, fence: u64) -> Result<Confirmation, LedgerError> {
        let over = |reason: &str| {
            Ok(Confirmation::Over {
                reason: reason.to_owned(),
            })
        };
        if self.seat.is_cut_off() {
            return Err(LedgerError::new("Countersign is offline"));
        }
        let me = self.seat.device();
        let lease = match self
            .seat
            .client
            .confirm(proposal, &ConfirmFence { device: me, fence })
            .await
        {
            Ok(lease) => lease,
            Err(CallError::Refused { code, .. }) if code == "stopped" => return Ok(Confirmation::Stopped),
            Err(CallError::Refused { code, .. }) => return over(&code),
            Err(error) => return Err(LedgerError::new(error)),
        };
        catch_up(&self.seat, lease.size)
            .await
            .map_err(|error| LedgerError::new(format!("{error:#}")))?;
        // By this device's own copy of the journal: the server's word is not enough.
        let people = self.seat.people().await.map_err(LedgerError::new)?;
        let read = self
            .seat
            .journal
            .read(move |reader| Ok(reader.proposal(proposal)?));
        let Some(state) = read.await.map_err(LedgerError::new)?.map(|card| card.state) else {
            return over("not_found");
        };
        let stopped = people.stopped(&state.proposer, &state.tool).is_some();
        match (
            execution::confirm(&state, Holder::Device(me), fence, stopped),
            &state.begun,
        ) {
            (Ok(authority), Some(begun)) if authority.approvals() == lease.authority => {
                Ok(Confirmation::Stands {
                    authority,
                    begun_at: begun.at,
                    now: said_at(&lease),
                })
            }
            (Err(RunRefusal::Stopped), _) => Ok(Confirmation::Stopped),
            (Ok(_) | Err(_), _) => over("journal"),
        }
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

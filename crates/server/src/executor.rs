//! The server's side of execution: it runs what has no connection, with the one executor of `countersign-tools`.
//!
//! A reconciler: no input, idempotent, woken by a hint or a timer. Devices run what their own connections carry.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use countersign_domain::{
    Digest, Record, UnixMillis,
    execution::Authority,
    id::{ConnectionId, ProposalId},
    record::Holder,
    wire::Lease,
};
use countersign_tools::{
    Registry,
    executor::{
        Approval, BeginAnswer, Beginning, Completion, Confirmation, Drift, ExecuteError, Executed, Intent,
        Interrupted, Leased, Ledger, LedgerError, SecretError, Secrets, Stored as StoredBytes, execute,
        recover,
    },
};
use futures::{StreamExt as _, stream::FuturesUnordered};
use secrecy::SecretString;
use tokio::time::Instant;

use crate::{
    random,
    tenant::{RunRefusal, StoreError, Tenant, Work},
};

/// How often the executor looks without being told: it bounds how late a lapse is noticed.
const PERIOD: Duration = Duration::from_secs(5);

/// How long it waits before it looks for what was not run.
const REST: Duration = Duration::from_millis(200);

/// How many calls it takes at once when it looks by itself.
const LOOK: u32 = 256;

/// With how many calls under way it takes no more that it is told of.
const AT_ONCE: usize = 512;

/// Runs a tenant's own calls until the task is dropped.
pub async fn run(tenant: Tenant, registry: Arc<Registry>) {
    match settle_interrupted(&tenant).await {
        Ok(()) => {}
        Err(error) if matches!(error.downcast_ref(), Some(StoreError::Closed)) => return,
        Err(error) => tracing::warn!("Settling interrupted calls failed: {error:#}"),
    }
    let manifests = manifests(&registry);
    let mut work = loop {
        match tenant.serve(Arc::clone(&manifests)).await {
            Ok(work) => break work,
            Err(StoreError::Closed) => return,
            Err(error) => tracing::error!("The executor cannot start, and tries again: {error:#}"),
        }
        tokio::time::sleep(REST).await;
    };
    // Side by side: what they store is committed together, and one that hangs keeps no other waiting.
    let mut runs = FuturesUnordered::new();
    let mut looks = Instant::now();
    let mut silence = looks;
    loop {
        tokio::select! {
            Some(work) = work.recv(), if runs.len() < AT_ONCE => match work {
                Work::Leased(proposal, fence) => runs.push(run_one(&tenant, &registry, proposal, fence)),
                Work::Held(due) => looks = looks.min(Instant::now() + until(due, tenant.now())),
            },
            Some(begun) = runs.next() => if !begun {
                looks = looks.min(Instant::now() + REST);
            },
            () = tokio::time::sleep_until(looks) => {
                if Instant::now() >= silence {
                    silence = Instant::now() + PERIOD;
                    if let Err(error) = notice_silence(&tenant).await {
                        tracing::warn!("Looking for what has gone silent failed: {error:#}");
                    }
                }
                let (leases, pause) = look(&tenant, &manifests).await;
                runs.extend(leases.into_iter().map(|lease| run_one(&tenant, &registry, lease.proposal_id, lease.fence)));
                looks = Instant::now() + pause;
            }
        }
    }
}

/// Leases what nobody was told of, and says when to look again.
async fn look(tenant: &Tenant, manifests: &Arc<[Digest]>) -> (Vec<Lease>, Duration) {
    match tenant.claim(Holder::Tenant, Arc::clone(manifests), LOOK).await {
        Ok(claimed) if claimed.leases.len() == LOOK as usize => (claimed.leases, REST),
        Ok(claimed) => {
            let due = claimed.next_due.map(|due| until(due, tenant.now()));
            (claimed.leases, due.map_or(PERIOD, |due| PERIOD.min(due)))
        }
        Err(error) => {
            tracing::warn!("Looking for pending calls failed: {error:#}");
            (Vec::new(), PERIOD)
        }
    }
}

fn manifests(registry: &Registry) -> Arc<[Digest]> {
    registry.manifests().map(|(digest, _)| digest).collect()
}

/// Calls without a receipt, and devices without a preview, for too long.
async fn notice_silence(tenant: &Tenant) -> anyhow::Result<()> {
    tenant.lapse().await?;
    tenant.mark_unseen().await?;
    Ok(())
}

fn until(due: UnixMillis, now: UnixMillis) -> Duration {
    Duration::from_millis(due.since(now).0.max(1).unsigned_abs())
}

/// Runs everything that is due.
#[cfg(test)]
pub(crate) async fn reconcile(tenant: &Tenant, registry: &Registry) -> anyhow::Result<()> {
    let claimed = tenant.claim(Holder::Tenant, manifests(registry), LOOK).await?;
    for lease in claimed.leases {
        run_one(tenant, registry, lease.proposal_id, lease.fence).await;
    }
    Ok(())
}

/// Runs a leased call. False when it has not begun: it may be leased again.
pub(crate) async fn run_one(tenant: &Tenant, registry: &Registry, proposal: ProposalId, fence: u64) -> bool {
    match run_to_its_end(tenant, registry, proposal, fence).await {
        Ok(true) => return true,
        Ok(false) => {}
        Err(error) => tracing::warn!(%proposal, "A call was not run to its end: {error:#}"),
    }
    if let Err(error) = tenant.give_back(proposal, fence).await {
        tracing::warn!(%proposal, "A lease could not be given back: {error:#}");
    }
    false
}

/// True when it has begun, or must not.
async fn run_to_its_end(
    tenant: &Tenant,
    registry: &Registry,
    proposal: ProposalId,
    fence: u64,
) -> anyhow::Result<bool> {
    let Some(stored) = tenant.proposal(proposal).await? else {
        return Ok(true);
    };
    let Ok(authority) = Authority::of(&stored.state, tenant.now()) else {
        return Ok(false);
    };
    let ledger = Books::new(tenant.clone());
    let outcome = execute(
        Leased::new(authority, fence, Holder::Tenant),
        &ledger,
        registry,
        &NoSecrets,
    )
    .await;
    match outcome {
        Ok(Executed::Ended(_) | Executed::Drifted(_)) => Ok(true),
        // Nothing that runs here has a target that knows keys. If it had, its silence would be noticed like any other.
        Ok(Executed::Unanswered) => Ok(true),
        Ok(Executed::NotBegun { .. }) => Ok(false),
        // The call is over: the receipt is given again, never the call.
        Err(ExecuteError::Complete(completion, _)) => {
            ledger.complete(&completion).await?;
            Ok(true)
        }
        Err(error) => Err(error.into()),
    }
}

/// After a restart: what had begun here and has no receipt gets one that says what is known.
///
/// # Errors
/// When the store fails, or an intent in it cannot be read.
pub async fn settle_interrupted(tenant: &Tenant) -> anyhow::Result<()> {
    let ledger = Books::new(tenant.clone());
    for (stored, intent) in tenant.interrupted().await? {
        let Some(begun) = stored.state.begun.clone() else {
            continue;
        };
        let intent: Option<Intent> = intent.map(|text| serde_json::from_str(&text)).transpose()?;
        let interrupted = Interrupted {
            proposal: stored.state.id,
            proposal_digest: stored.state.digest,
            executor: begun.executor,
            fence: begun.fence,
            effect: stored.state.effect,
            begun_at: begun.at,
            intent,
        };
        ledger.complete(&recover(interrupted, tenant.now())).await?;
    }
    Ok(())
}

/// The tenant's store as the executor sees it.
#[derive(Clone, Debug)]
pub struct Books {
    tenant: Tenant,
}

impl Books {
    /// Those of this tenant.
    pub const fn new(tenant: Tenant) -> Self {
        Self { tenant }
    }
}

#[async_trait]
impl Ledger for Books {
    fn now(&self) -> UnixMillis {
        self.tenant.now()
    }

    async fn stored(&self, proposal: ProposalId) -> Result<StoredBytes, LedgerError> {
        let evidence = self.tenant.evidence(proposal).await.map_err(LedgerError::new)?;
        let people = self.tenant.people();
        let connection = evidence.stored.state.connection.as_ref();
        let connection = connection
            .and_then(|named| people.connections.get(&named.id))
            .cloned();
        let approvals = evidence
            .decisions
            .into_iter()
            .map(|record| Approval {
                key: people.key_behind(&record),
                record,
            })
            .collect();
        Ok(StoredBytes {
            proposal: evidence.proposal,
            preview: evidence.preview,
            connection,
            approvals,
        })
    }

    async fn refuse(&self, proposal: ProposalId, fence: u64, drift: &Drift) -> Result<(), LedgerError> {
        let refused = self
            .tenant
            // What runs here has no connection, and changed tools are made again where the server starts.
            .refuse(proposal, Holder::Tenant, fence, drift.to_string(), None)
            .await;
        // Where the lease was over already, so is the reason to end it.
        refused.map(|_| ()).map_err(LedgerError::new)
    }

    async fn begin(&self, beginning: &Beginning) -> Result<BeginAnswer, LedgerError> {
        let begin = beginning.record(random::nonce(), None);
        let record = Record::unsigned(&begin).map_err(LedgerError::new)?;
        let answer = self
            .tenant
            .begin(Arc::new(record), Arc::new(begin))
            .await
            .map_err(LedgerError::new)?;
        Ok(answer.map_or_else(refused, |_| BeginAnswer::Begun))
    }

    async fn confirm(&self, _: ProposalId, _: u64) -> Result<Confirmation, LedgerError> {
        Ok(Confirmation::Over {
            reason: "not_here".to_owned(),
        })
    }

    async fn intend(&self, intent: &Intent) -> Result<(), LedgerError> {
        let text = serde_json::to_string(intent).map_err(LedgerError::new)?;
        let answer = self
            .tenant
            .intend(intent.proposal, intent.fence, text)
            .await
            .map_err(LedgerError::new)?;
        answer.map_err(|refusal| LedgerError::new(format!("{refusal:?}")))
    }

    async fn complete(&self, completion: &Completion) -> Result<(), LedgerError> {
        let receipt = completion.record(random::nonce(), None);
        let record = Record::unsigned(&receipt).map_err(LedgerError::new)?;
        let answer = self
            .tenant
            .complete(Arc::new(record), Arc::new(receipt))
            .await
            .map_err(LedgerError::new)?;
        answer
            .map(|_| ())
            .map_err(|refusal| LedgerError::new(format!("{refusal:?}")))
    }

    async fn apply_local(
        &self,
        beginning: &Beginning,
        completion: &Completion,
    ) -> Result<BeginAnswer, LedgerError> {
        let begin = beginning.record(random::nonce(), None);
        let receipt = completion.record(random::nonce(), None);
        let begun = Record::unsigned(&begin).map_err(LedgerError::new)?;
        let ended = Record::unsigned(&receipt).map_err(LedgerError::new)?;
        let (begun, ended) = (
            (Arc::new(begun), Arc::new(begin)),
            (Arc::new(ended), Arc::new(receipt)),
        );
        let answer = self
            .tenant
            .run_local(begun, ended)
            .await
            .map_err(LedgerError::new)?;
        Ok(answer.map_or_else(refused, |_| BeginAnswer::Begun))
    }
}

fn refused(refusal: RunRefusal) -> BeginAnswer {
    let reason = match refusal {
        RunRefusal::NotFound => "not_found",
        RunRefusal::Fenced => "fence",
        RunRefusal::State(status) => status.name(),
        RunRefusal::Held(_) => "held",
        RunRefusal::Stopped => "stopped",
        RunRefusal::DigestMismatch => "digest_mismatch",
        RunRefusal::Attempts => "attempts",
    };
    BeginAnswer::Refused {
        reason: reason.to_owned(),
    }
}

/// The server holds no connection yet, so there is no secret that a call of its own could need.
struct NoSecrets;

#[async_trait]
impl Secrets for NoSecrets {
    async fn secret(&self, _connection: ConnectionId) -> Result<Option<SecretString>, SecretError> {
        Ok(None)
    }
}

//! One tenant: its journal, what is projected from it, and the commands that change it.
//!
//! [`Tenant`] is a cheap handle. Changes go through [`Tenant::write`] to the one writer; reads run on connections of
//! their own and see only what is committed.

mod acts;
mod check;
mod decide;
mod denials;
mod desk;
mod entries;
mod erase;
mod export;
mod found;
mod hands;
mod mirror;
mod people;
mod proposals;
mod propose;
mod radar;
mod reads;
mod recent;
mod reconsider;
mod remarks;
mod run;
mod search;
mod signed;
mod supersede;
#[cfg(test)]
pub(crate) mod tests;
mod waiting;
mod writer;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, Weak},
};

use countersign_domain::{
    Digest, Record, UnixMillis,
    dsse::SigningKey,
    fold::{PREVIEW_WAIT, ProposalState},
    id::{ProposalId, TenantId, UserId},
    journal::Checkpoint,
    people::People,
    record::{Actor, Begin, Decision, Executor, Receipt, Role},
    wire::{self, Head, JournalPage},
};
use countersign_faults::{Point, crash_point};
use countersign_policy::Policy;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::{Notify, mpsc, watch};

pub use acts::{Act, ResolveRefusal};
pub(crate) use check::{Checked, check, open};
pub use countersign_domain::execution::{LEASE, RunRefusal};
pub use decide::{DecideRefusal, Signed as SignedDecision, Views, WithdrawRefusal};
pub use denials::Denied;
pub use desk::Desk;
pub use entries::Sight;
pub use erase::EraseRefusal;
#[cfg(test)]
pub(crate) use export::Auditor;
pub(crate) use export::{Bundle, Export, file_name};
pub use found::Founding;
pub use hands::Work;
pub(crate) use mirror::keep_ready;
pub(crate) use people::INVITATION;
pub use people::{NewAgent, NewInvite, PeopleRefusal, Trust};
pub use proposals::Stored;
pub use propose::{Key, NewProposal, ProposeRefusal, Proposed};
pub(crate) use radar::waits_for;
pub use reads::{Evidence, Filter, ProposalBodies};
pub use signed::SignedBody;
pub use writer::{Answer, StoreError};

use crate::{clock::Clock, ingress::Rules, metrics::METRICS};

/// A command that never refuses.
pub type Never = std::convert::Infallible;

/// One tenant's store.
#[derive(Clone, Debug)]
pub struct Tenant {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    id: TenantId,
    path: PathBuf,
    clock: Arc<dyn Clock>,
    writer: writer::Writer,
    log_key: SigningKey,
    published: watch::Receiver<Published>,
    people: watch::Receiver<Arc<People>>,
    readers: Mutex<Vec<Connection>>,
    recent: Arc<recent::Recent>,
    denials: Arc<denials::Denials>,
    waiters: Waiters,
    /// Entries in the newest snapshot; held while one is made.
    mirror: tokio::sync::Mutex<Option<u64>>,
}

/// What is committed: the journal's size and root, and the people.
#[derive(Clone, Debug)]
pub struct Published {
    pub size: u64,
    pub root: Digest,
    pub people: Arc<People>,
}

type Waiters = Arc<Mutex<BTreeMap<ProposalId, Weak<Notify>>>>;

/// Read connections that are kept for the next reader.
const KEPT_READERS: usize = 4;

impl Tenant {
    /// Makes the file of a new tenant in `folder`, with its genesis, its owner and the tools.
    ///
    /// # Errors
    /// When the file exists or cannot be made.
    pub async fn create(
        folder: &Path,
        clock: Arc<dyn Clock>,
        policy: Arc<dyn Policy>,
        founding: Founding,
    ) -> Result<Self, StoreError> {
        let path = folder.join("tenant.db");
        if path.exists() {
            return Err(StoreError::damaged("there is a tenant in this folder already"));
        }
        let tenant = Self::start(path, clock, policy, founding.tenant, Some(founding.log_seed))?;
        tenant.never(move |desk| founding.append(desk)).await?;
        Ok(tenant)
    }

    /// Opens the tenant in `folder`.
    ///
    /// # Errors
    /// When there is none, it is damaged, or a newer version has written it.
    pub fn open(
        folder: &Path,
        clock: Arc<dyn Clock>,
        policy: Arc<dyn Policy>,
        id: TenantId,
    ) -> Result<Self, StoreError> {
        Self::start(folder.join("tenant.db"), clock, policy, id, None)
    }

    fn start(
        path: PathBuf,
        clock: Arc<dyn Clock>,
        policy: Arc<dyn Policy>,
        id: TenantId,
        seed: Option<[u8; 32]>,
    ) -> Result<Self, StoreError> {
        let connection = found::open_file(&path, seed.is_some())?;
        let desk = match seed {
            Some(seed) => desk::Desk::found(connection, Arc::clone(&clock), policy, id, &seed)?,
            None => desk::Desk::load(connection, Arc::clone(&clock), policy, id)?
                .ok_or_else(|| StoreError::damaged("the file holds no journal"))?,
        };
        let (publish, published) = watch::channel(desk.published());
        let (publish_people, people) = watch::channel(Arc::clone(desk.people()));
        let log_key = desk.log_key();
        let waiters = Waiters::default();
        let (recent, denials) = (desk.recent(), Arc::clone(desk.denials()));
        let wake = Arc::clone(&waiters);
        let writer = writer::Writer::start(desk, move |desk, hints| {
            let published = desk.published();
            let people = Arc::clone(&published.people);
            publish.send_replace(published);
            // After that: who hears that somebody has changed finds it so.
            publish_people.send_if_modified(|known| {
                let changed = !Arc::ptr_eq(known, &people);
                *known = people;
                changed
            });
            notify(&wake, &hints.proposals);
            if let Some(hands) = desk.hands() {
                // Where an executor has gone, the next one looks by itself.
                for work in hints.work {
                    let _ = hands.work.send(work);
                }
            }
        })
        .map_err(StoreError::damaged)?;
        let readers = Mutex::new(Vec::new());
        let inner = Inner {
            id,
            path,
            clock,
            writer,
            log_key,
            published,
            people,
            readers,
            recent,
            denials,
            waiters,
            mirror: tokio::sync::Mutex::default(),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// The tenant's id.
    pub fn id(&self) -> TenantId {
        self.inner.id
    }

    /// The server's time.
    pub fn now(&self) -> UnixMillis {
        self.inner.clock.now()
    }

    /// Everyone and everything that belongs to it, as committed.
    pub fn people(&self) -> Arc<People> {
        Arc::clone(&self.inner.published.borrow().people)
    }

    /// The person's role; `None` for strangers and former members.
    pub fn role(&self, user: UserId) -> Option<Role> {
        self.inner.published.borrow().people.role(user)
    }

    /// The committed head, signed.
    pub fn head(&self) -> Head {
        let (size, root) = {
            let published = self.inner.published.borrow();
            (published.size, published.root)
        };
        crash_point(Point::CheckpointStored);
        let checkpoint = Checkpoint {
            tenant: self.inner.id,
            size,
            root,
        }
        .sign(&self.inner.log_key);
        crash_point(Point::CheckpointSigned);
        Head {
            size,
            root,
            checkpoint,
        }
    }

    /// How many entries are committed.
    pub fn head_size(&self) -> u64 {
        self.inner.published.borrow().size
    }

    /// Follows the head: changes whenever a commit has added entries.
    pub fn follow(&self) -> watch::Receiver<Published> {
        self.inner.published.clone()
    }

    /// Gives the calls that the server itself runs to the caller from now on, who has these manifests.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn serve(&self, manifests: Arc<[Digest]>) -> Result<mpsc::UnboundedReceiver<Work>, StoreError> {
        let (work, receiver) = mpsc::unbounded_channel();
        let hands = hands::Hands { manifests, work };
        self.never(move |desk| {
            desk.serve(hands.clone());
            Ok(())
        })
        .await?;
        Ok(receiver)
    }

    /// Follows the people: changes whenever a commit has changed one of them, or what belongs to them.
    pub fn follow_people(&self) -> watch::Receiver<Arc<People>> {
        self.inner.people.clone()
    }

    /// A wake-up for one proposal. Take it before reading the proposal, so that no change is missed.
    pub fn watch(&self, proposal: ProposalId) -> Arc<Notify> {
        let mut waiters = self.inner.waiters.lock().unwrap_or_else(PoisonError::into_inner);
        waiters.retain(|_, waiter| waiter.strong_count() > 0);
        if let Some(waiter) = waiters.get(&proposal).and_then(Weak::upgrade) {
            return waiter;
        }
        let waiter = Arc::new(Notify::new());
        waiters.insert(proposal, Arc::downgrade(&waiter));
        waiter
    }

    /// Runs a command in the writer's next transaction and waits until it is durable. A refusal writes nothing. The
    /// command may run twice, when a batch has to be tried again.
    ///
    /// # Errors
    /// When the store fails; nothing of the command is kept then.
    pub async fn write<T, R, F>(&self, command: F) -> Answer<T, R>
    where
        T: Send + 'static,
        R: Send + 'static,
        F: FnMut(&mut Desk) -> Answer<T, R> + Send + 'static,
    {
        self.inner.writer.run(command).await
    }

    /// [`Self::write`] for commands that never refuse.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn never<T, F>(&self, mut command: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&mut Desk) -> Result<T, StoreError> + Send + 'static,
    {
        match self.write(move |desk| command(desk).map(Ok::<T, Never>)).await? {
            Ok(value) => Ok(value),
            Err(never) => match never {},
        }
    }

    /// Runs a read on a connection of its own, off the async threads.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn read<T, F>(&self, read: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let inner = Arc::clone(&self.inner);
        tokio::task::spawn_blocking(move || {
            let kept = inner.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let connection = match kept {
                Some(connection) => connection,
                None => open_reader(&inner.path)?,
            };
            let answer = read(&connection)?;
            let mut readers = inner.readers.lock().unwrap_or_else(PoisonError::into_inner);
            if readers.len() < KEPT_READERS {
                readers.push(connection);
            }
            Ok(answer)
        })
        .await
        .map_err(|error| match error.is_cancelled() {
            true => StoreError::Closed,
            false => StoreError::damaged(error),
        })?
    }

    /// Stores a proposal, or finds the one that its key holds. Who has `max_open` that wait for people makes no more.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn propose(
        &self,
        new: NewProposal,
        key: Key,
        max_open: Option<usize>,
    ) -> Answer<Proposed, ProposeRefusal> {
        let proposed = self
            .write(move |desk| propose::propose(desk, &new, key, max_open))
            .await;
        crash_point(Point::ProposalStored);
        proposed
    }

    /// Takes the decision of a signed-in person without a device.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn decide_by_session(
        &self,
        record: Arc<Record>,
        decision: Arc<Decision>,
        user: UserId,
        views: Views,
    ) -> Answer<Stored, DecideRefusal> {
        self.never(move |desk| decide::by_session(desk, &record, &decision, user, &views))
            .await
    }

    /// Takes what one of `user`'s devices signed, in its order and in one commit. Each answer is final, also where it does
    /// not count.
    ///
    /// # Errors
    /// When the store fails: for one record alone, with those before it taken.
    pub async fn take_signed(
        &self,
        records: Vec<(Arc<Record>, SignedBody)>,
        user: UserId,
    ) -> Result<Vec<wire::RecordResult>, StoreError> {
        let records: Arc<[_]> = records.into();
        let together = Arc::clone(&records);
        let taken = self
            .never(move |desk| signed::take_all(desk, &together, user))
            .await;
        crash_point(Point::DecisionStored);
        let Err(error) = taken else { return taken };
        if records.len() == 1 {
            return Err(error);
        }
        // One that the store cannot take must not keep what comes before it from being answered.
        let mut answers = Vec::new();
        for at in 0..records.len() {
            let together = Arc::clone(&records);
            let one = self.never(move |desk| signed::take_all(desk, &together[at..=at], user));
            answers.extend(one.await?);
        }
        Ok(answers)
    }

    /// Says of calls over devices' connections whose preview is overdue that there is none, and returns how many.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn mark_unseen(&self) -> Result<usize, StoreError> {
        match self.write(reconsider::mark_unseen).await? {
            Ok(count) => Ok(count),
            Err(never) => match never {},
        }
    }

    /// Proposals with what their cards are made of, as they stand for whoever decides now; without those that are not
    /// there.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn to_decide(
        &self,
        ids: impl IntoIterator<Item = ProposalId>,
    ) -> Result<BTreeMap<ProposalId, ProposalBodies>, StoreError> {
        let mut found = self.bodies(ids).await?;
        let now = self.now();
        let is_overdue =
            |state: &ProposalState| state.awaits_preview() && now.since(state.created_at) >= PREVIEW_WAIT;
        let overdue: Vec<_> = found
            .values()
            .map(|bodies| &bodies.stored.state)
            .filter(|state| is_overdue(state))
            .map(|state| state.id)
            .collect();
        if !overdue.is_empty() && self.mark_unseen().await? > 0 {
            found.extend(self.bodies(overdue).await?);
        }
        Ok(found)
    }

    /// Takes a proposal back in its proposer's name.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn withdraw(
        &self,
        id: ProposalId,
        by: Actor,
        reason: Option<String>,
    ) -> Answer<Stored, WithdrawRefusal> {
        self.write(move |desk| decide::withdraw(desk, id, by, reason.as_deref()))
            .await
    }

    /// Leases what `by` may begin now, with one of these manifests. What a device holds outlives this process.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn claim(
        &self,
        by: Executor,
        manifests: Arc<[Digest]>,
        limit: u32,
    ) -> Result<wire::Claimed, StoreError> {
        let claimed = self
            .write(move |desk| run::claim(desk, by, &manifests, limit))
            .await?;
        crash_point(Point::ClaimStored);
        match claimed {
            Ok(claimed) => Ok(claimed),
            Err(never) => match never {},
        }
    }

    /// Accepts a begin: the point of no return.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn begin(&self, record: Arc<Record>, begin: Arc<Begin>) -> Answer<Stored, RunRefusal> {
        let begun = self
            .never(move |desk| {
                let begun = run::begin(desk, &record, &begin);
                crash_point(Point::BeginWritten);
                begun
            })
            .await;
        crash_point(Point::BeginStored);
        begun
    }

    /// Accepts a receipt.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn complete(&self, record: Arc<Record>, receipt: Arc<Receipt>) -> Answer<Stored, RunRefusal> {
        let outcome = receipt.outcome;
        let ended = self
            .write(move |desk| {
                let ended = run::complete(desk, &record, &receipt);
                crash_point(Point::ReceiptWritten);
                ended
            })
            .await?;
        crash_point(Point::ReceiptStored);
        if ended.is_ok() {
            METRICS.ran(outcome);
        }
        Ok(ended)
    }

    /// Accepts begin and receipt of a call whose whole effect is in this store, in one transaction.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn run_local(
        &self,
        begun: (Arc<Record>, Arc<Begin>),
        ended: (Arc<Record>, Arc<Receipt>),
    ) -> Answer<Stored, RunRefusal> {
        let outcome = ended.1.outcome;
        let run = move |desk: &mut Desk| {
            let ended = run::run_local(desk, (&begun.0, &begun.1), (&ended.0, &ended.1));
            crash_point(Point::LocalWritten);
            ended
        };
        let ended = self.write(run).await?.and_then(|begun| begun);
        crash_point(Point::LocalStored);
        if ended.is_ok() {
            METRICS.ran(outcome);
        }
        Ok(ended)
    }

    /// Stores that the server is about to make a call.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn intend(&self, proposal: ProposalId, fence: u64, intent: String) -> Answer<(), RunRefusal> {
        let intended = self
            .write(move |desk| run::intend(desk, proposal, fence, &intent))
            .await;
        crash_point(Point::IntentStored);
        intended
    }

    /// Calls that the server itself had begun and not ended when it stopped, each with its intent.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn interrupted(&self) -> Result<Vec<(Stored, Option<String>)>, StoreError> {
        self.read(run::interrupted).await
    }

    /// The server's own executor has not begun this call and will not under this fence.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn give_back(&self, proposal: ProposalId, fence: u64) -> Result<(), StoreError> {
        self.never(move |desk| hands::give_back(desk, proposal, fence))
            .await
    }

    /// Whether `by` may make the request of a call that it has begun once more, since no answer came ([`execution::confirm`]).
    ///
    /// [`execution::confirm`]: countersign_domain::execution::confirm
    ///
    /// # Errors
    /// When the store fails.
    pub async fn confirm(
        &self,
        proposal: ProposalId,
        by: Executor,
        fence: u64,
    ) -> Answer<wire::Lease, RunRefusal> {
        self.write(move |desk| run::confirm(desk, proposal, by, fence))
            .await
    }

    /// Closes a proposal that `by` holds the lease of and that is not what was approved; `drift` says how. With `renew` the
    /// request is made again by these rules, and asks people anew.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn refuse(
        &self,
        proposal: ProposalId,
        by: Executor,
        fence: u64,
        drift: String,
        renew: Option<Rules>,
    ) -> Answer<Stored, RunRefusal> {
        self.write(move |desk| run::refuse(desk, (proposal, by, fence), &drift, renew.as_ref()))
            .await
    }

    /// What the executor checks a call against: its proposal's record, its approvals' records.
    ///
    /// # Errors
    /// When the store fails or there is no such proposal.
    pub async fn evidence(&self, proposal: ProposalId) -> Result<Evidence, StoreError> {
        match self.at_hand(proposal) {
            Some(stored) => Ok(reads::evidence(&stored)?),
            None => {
                self.read(move |connection| {
                    let stored = reads::with_records(connection, proposal)?;
                    let stored = stored.ok_or_else(|| StoreError::damaged("a leased proposal is missing"))?;
                    reads::evidence(&Arc::new(stored))
                })
                .await
            }
        }
    }

    /// Marks begun calls whose executor has gone silent as unknown, and returns how many there were.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn lapse(&self) -> Result<usize, StoreError> {
        match self.write(run::lapse).await? {
            Ok(count) => Ok(count),
            Err(never) => match never {},
        }
    }

    /// The entries after `after` as of the committed head.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn page(&self, after: u64, limit: u32, sight: Sight) -> Result<JournalPage, StoreError> {
        let head = self.head();
        self.read(move |connection| entries::page(connection, after, limit, &head, &sight))
            .await
    }
}

fn notify(waiters: &Waiters, proposals: &[ProposalId]) {
    if proposals.is_empty() {
        return;
    }
    let waiters = waiters.lock().unwrap_or_else(PoisonError::into_inner);
    if waiters.is_empty() {
        return;
    }
    for waiter in proposals.iter().filter_map(|id| waiters.get(id)?.upgrade()) {
        waiter.notify_waiters();
    }
}

fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.pragma_update(None, "trusted_schema", "OFF")?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

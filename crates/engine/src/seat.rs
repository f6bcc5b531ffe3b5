//! A person's seat at a tenant on this device: everything that is open while somebody is signed in.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use countersign_domain::{
    Record, UnixMillis,
    dsse::{PublicKey, SigningKey},
    id::{DeviceId, ProposalId, TenantId, UserId},
    people::People,
    record::{Body, Holder, Nonce, Verdict},
};
use countersign_replica::Log;
use countersign_tools::Registry;
use rusqlite::Transaction;
use tokio::sync::{Notify, broadcast, watch};

use crate::{
    client::TenantClient,
    device::Keyring,
    event::EngineEvent,
    first_look::FirstLook,
    journal::{Journal, JournalError},
    ports::Ports,
    store::{Account, NewEntry, Store, StoreError, account, outbox},
};

/// How many changed proposals get a hint each.
const HINTS_EACH: usize = 20;

/// Everything that belongs to one sign-in. The files are closed as its person leaves, or with the last handle.
pub(crate) struct Seat {
    pub(crate) account: Account,
    /// The key that signs, and after it the one that is about to.
    keys: Mutex<Vec<SigningKey>>,
    pub(crate) store: Store,
    pub(crate) journal: Journal,
    pub(crate) client: TenantClient,
    pub(crate) keyring: Keyring,
    pub(crate) ports: Ports,
    pub(crate) registry: Arc<Registry>,
    pub(crate) wakes: Wakes,
    pub(crate) link: watch::Sender<Link>,
    pub(crate) first_look: FirstLook,
    pub(crate) events: broadcast::Sender<EngineEvent>,
    /// One sender at a time: the device's records go up in their order.
    pub(crate) sending: tokio::sync::Mutex<()>,
    /// One pull at a time.
    pub(crate) pulling: tokio::sync::Mutex<()>,
    /// Held while a call is claimed and run; whoever closes the seat waits for it.
    pub(crate) executing: tokio::sync::Mutex<()>,
    /// The tenant said that the session is over.
    pub(crate) session_over: Arc<Notify>,
    /// How many requests waited too long when somebody last looked.
    pub(crate) overdue: AtomicU64,
    cut_off: AtomicBool,
    trouble: Mutex<Option<String>>,
}

/// Wake-ups of the reconcilers. Losing one costs their period.
#[derive(Debug, Default)]
pub(crate) struct Wakes {
    pub(crate) sync: Notify,
    pub(crate) execute: Notify,
    pub(crate) notify: Notify,
    pub(crate) radar: Notify,
    /// The tenant answers again: listen at once.
    pub(crate) hints: Notify,
}

/// How the tenant is reached.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Link {
    pub state: LinkState,
    /// When the journal was last known to be complete here, by this device's clock.
    pub as_of: Option<UnixMillis>,
}

/// Whether the tenant answers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum LinkState {
    Online,
    #[default]
    Connecting,
    Offline,
    /// It answers, and what it says cannot be taken in here.
    Stalled,
}

/// What makes up a seat.
pub(crate) struct SeatParts {
    pub(crate) account: Account,
    pub(crate) key: SigningKey,
    pub(crate) store: Store,
    pub(crate) journal: Journal,
    pub(crate) client: TenantClient,
    pub(crate) keyring: Keyring,
    pub(crate) ports: Ports,
    pub(crate) registry: Arc<Registry>,
    pub(crate) events: broadcast::Sender<EngineEvent>,
    pub(crate) session_over: Arc<Notify>,
}

impl Seat {
    pub(crate) fn new(parts: SeatParts) -> Self {
        let SeatParts {
            account,
            key,
            store,
            journal,
            client,
            keyring,
            ports,
            registry,
            events,
            session_over,
        } = parts;
        Self {
            account,
            keys: Mutex::new(vec![key]),
            store,
            journal,
            client,
            keyring,
            ports,
            registry,
            wakes: Wakes::default(),
            link: watch::Sender::new(Link::default()),
            first_look: FirstLook::default(),
            events,
            sending: tokio::sync::Mutex::new(()),
            pulling: tokio::sync::Mutex::new(()),
            executing: tokio::sync::Mutex::new(()),
            session_over,
            overdue: AtomicU64::new(0),
            cut_off: AtomicBool::new(false),
            trouble: Mutex::default(),
        }
    }

    pub(crate) fn now(&self) -> UnixMillis {
        self.ports.clock.now()
    }

    pub(crate) const fn tenant(&self) -> TenantId {
        self.account.tenant
    }

    pub(crate) const fn person(&self) -> UserId {
        self.account.person
    }

    pub(crate) const fn device(&self) -> DeviceId {
        self.account.device
    }

    /// Whose journal it has to be. The key is pinned by the replica with the first genesis.
    pub(crate) const fn log(&self) -> Log {
        Log {
            tenant: self.account.tenant,
            key: None,
        }
    }

    pub(crate) async fn people(&self) -> Result<Arc<People>, JournalError> {
        self.journal.people().await
    }

    /// Whether calls may go over a connection of this device. Most devices hold none.
    pub(crate) async fn holds_connections(&self) -> Result<bool, JournalError> {
        let (people, me) = (self.people().await?, Holder::Device(self.device()));
        let mut all = people.connections.values();
        Ok(all.any(|connection| connection.holder == me))
    }

    pub(crate) fn is_online(&self) -> bool {
        self.link.borrow().state == LinkState::Online
    }

    /// Keeps the network away, for tests and for a person who wants to work offline.
    pub(crate) fn cut_off(&self, cut: bool) {
        self.cut_off.store(cut, Ordering::SeqCst);
        self.wakes.sync.notify_one();
    }

    pub(crate) fn is_cut_off(&self) -> bool {
        self.cut_off.load(Ordering::SeqCst)
    }

    pub(crate) fn set_link(&self, state: LinkState) {
        let now = self.now();
        let changed = self.link.send_if_modified(|link| {
            let changed = link.state != state;
            link.state = state;
            if state == LinkState::Online {
                link.as_of = Some(now);
            }
            changed
        });
        if changed && state == LinkState::Online {
            self.wakes.hints.notify_one();
        }
        if changed {
            self.tell(EngineEvent::ConnectionChanged);
        }
    }

    /// The log's second history, when it has shown one.
    pub(crate) async fn fork(&self) -> Result<Option<String>, StoreError> {
        let id = self.account.id;
        self.store.read(move |db| account::fork(db, id)).await
    }

    /// A sentence about a background task that does not work; stays until it works again.
    pub(crate) fn set_trouble(&self, trouble: Option<String>) {
        let mut told = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if *told != trouble {
            *told = trouble;
            self.tell(EngineEvent::StateChanged);
        }
    }

    pub(crate) fn trouble(&self) -> Option<String> {
        self.trouble
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// A hint to the shell. Nobody listening is fine.
    pub(crate) fn tell(&self, event: EngineEvent) {
        let _ = self.events.send(event);
    }

    /// Hints about proposals: one for each, or where there are many one about the inbox.
    pub(crate) fn tell_changed(&self, ids: &[ProposalId]) {
        if ids.len() > HINTS_EACH {
            self.tell(EngineEvent::InboxChanged);
        } else {
            for id in ids {
                self.tell(EngineEvent::ProposalChanged(*id));
            }
        }
    }

    /// The key that signs at present.
    pub(crate) async fn present_key(&self) -> Result<SigningKey, StoreError> {
        let id = self.account.id;
        let public = self.store.read(move |db| account::key(db, id)).await?;
        self.held(public)
    }

    fn held(&self, public: PublicKey) -> Result<SigningKey, StoreError> {
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let mine = keys.iter().find(|key| key.public_key() == public).cloned();
        mine.ok_or_else(|| StoreError::damaged("the key that signs is not at hand"))
    }

    /// A key that may sign here once the database says so.
    pub(crate) fn hold(&self, key: SigningKey) {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).push(key);
    }

    /// Signs a body with the device's next number and stores it, in the caller's transaction. `body` gets the number and
    /// the record before.
    pub(crate) fn sign<B: Body>(
        &self,
        tx: &Transaction<'_>,
        about: &About,
        body: impl FnOnce(u64, Option<countersign_domain::Digest>) -> B,
    ) -> Result<Record, StoreError> {
        let (seq, previous) = account::next_link(tx, self.account.id)?;
        let key = self.held(account::key(tx, self.account.id)?)?;
        let record = Record::signed(&body(seq, previous), &key).map_err(StoreError::damaged)?;
        let entry = NewEntry {
            record: &record,
            device_seq: seq,
            proposal: about.proposal,
            verdict: about.verdict,
            expires_at: about.expires_at,
            created: about.now,
        };
        outbox::append(tx, self.account.id, &entry)?;
        Ok(record)
    }
}

/// What the outbox notes about a record beside its bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About {
    pub(crate) proposal: Option<ProposalId>,
    pub(crate) verdict: Option<Verdict>,
    pub(crate) expires_at: Option<UnixMillis>,
    pub(crate) now: UnixMillis,
}

impl core::fmt::Debug for Seat {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Seat")
            .field("device", &self.account.device)
            .finish_non_exhaustive()
    }
}

/// 128 random bits for a record.
pub(crate) fn nonce() -> Result<Nonce, StoreError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(StoreError::damaged)?;
    Ok(Nonce::from_bytes(bytes))
}

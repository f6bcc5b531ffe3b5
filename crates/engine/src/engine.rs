//! The engine: one cheap handle for whatever shows it.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use countersign_tools::{Registry, RegistryError};
use tokio::sync::{Notify, broadcast, mpsc};

use crate::{
    device::{Folder, Keyring},
    error::EngineError,
    event::EngineEvent,
    opening::sign_in_stage,
    ports::{NoticeId, Ports},
    reconcile::Tasks,
    seat::{Link, Seat},
};

/// Hints that a slow listener may fall behind; it is told that it missed some.
const HINTS: usize = 256;

/// The desktop's backend. Clones are the same engine.
#[derive(Clone)]
pub struct Engine {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) folder: Folder,
    pub(crate) ports: Ports,
    pub(crate) registry: Arc<Registry>,
    pub(crate) events: broadcast::Sender<EngineEvent>,
    pub(crate) stage: Mutex<Stage>,
    /// One change of phase at a time.
    pub(crate) changing: tokio::sync::Mutex<()>,
    pub(crate) session_over: Arc<Notify>,
    /// Whether the network is kept away, also from the next seat.
    pub(crate) cut_off: AtomicBool,
}

/// Where the engine is, with what is open there.
pub(crate) enum Stage {
    Starting,
    FirstRun,
    Keychain { message: String, lost: Option<u32> },
    SignIn { tenant_url: String, email: String },
    Fatal { message: String },
    Ready { seat: Arc<Seat>, tasks: Tasks },
}

/// Where the engine is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Phase {
    Starting,
    /// Nothing was ever set up here.
    FirstRun,
    /// The keychain does not give what opens the files. Nothing was opened or changed.
    Keychain {
        message: String,
        /// Where it has no entry of this device at all: how many records were saved here and not sent, which only that entry
        /// could open. [`Engine::begin_anew`] is the way on when it is gone for good.
        lost: Option<u32>,
    },
    SignIn {
        tenant_url: String,
        email: String,
    },
    /// It cannot go on with these files.
    Fatal {
        message: String,
    },
    Ready,
}

impl Engine {
    /// An engine over one folder. Makes and opens nothing: [`Self::start`] does.
    ///
    /// # Errors
    /// When a tool is broken.
    pub fn new(folder: impl Into<std::path::PathBuf>, ports: Ports) -> Result<Self, EngineError> {
        let registry = Registry::standard(Arc::new(countersign_tools::health::Elsewhere))
            .map_err(|error: RegistryError| EngineError::internal(error))?;
        Ok(Self::with_registry(folder, ports, registry))
    }

    /// The same with other tools, for tests.
    pub fn with_registry(folder: impl Into<std::path::PathBuf>, ports: Ports, registry: Registry) -> Self {
        let inner = Inner {
            folder: Folder::new(folder),
            ports,
            registry: Arc::new(registry),
            events: broadcast::Sender::new(HINTS),
            stage: Mutex::new(Stage::Starting),
            changing: tokio::sync::Mutex::default(),
            session_over: Arc::default(),
            cut_off: AtomicBool::new(false),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Opens what is there and says where that leads. Also *Try again*, where it did not open.
    pub async fn start(&self) -> Phase {
        let _changing = self.inner.changing.lock().await;
        self.reopen().await;
        self.phase()
    }

    /// Where the engine is.
    pub fn phase(&self) -> Phase {
        match &*self.stage() {
            Stage::Starting => Phase::Starting,
            Stage::FirstRun => Phase::FirstRun,
            Stage::Keychain { message, lost } => Phase::Keychain {
                message: message.clone(),
                lost: *lost,
            },
            Stage::SignIn { tenant_url, email } => Phase::SignIn {
                tenant_url: tenant_url.clone(),
                email: email.clone(),
            },
            Stage::Fatal { message } => Phase::Fatal {
                message: message.clone(),
            },
            Stage::Ready { .. } => Phase::Ready,
        }
    }

    /// Hints that something may have changed.
    pub fn events(&self) -> broadcast::Receiver<EngineEvent> {
        self.inner.events.subscribe()
    }

    /// How the tenant is reached, and as of when the data is.
    pub fn link(&self) -> Link {
        match &*self.stage() {
            Stage::Ready { seat, .. } => seat.link.borrow().clone(),
            Stage::Starting
            | Stage::FirstRun
            | Stage::Keychain { .. }
            | Stage::SignIn { .. }
            | Stage::Fatal { .. } => Link::default(),
        }
    }

    /// Keeps the network away from this engine, or lets it back. What is decided meanwhile is kept and sent later.
    pub fn cut_off(&self, cut: bool) {
        self.inner.cut_off.store(cut, Ordering::SeqCst);
        if let Ok(seat) = self.seat() {
            seat.cut_off(cut);
        }
    }

    pub(crate) fn is_cut_off(&self) -> bool {
        self.inner.cut_off.load(Ordering::SeqCst)
    }

    /// Turns what the person pressed in a notice into hints for the shell. Decides nothing.
    pub async fn follow_notices(&self, mut pressed: mpsc::UnboundedReceiver<NoticeId>) {
        while let Some(id) = pressed.recv().await {
            self.tell(match id {
                NoticeId::Proposal(id) => EngineEvent::Open(id),
                NoticeId::Many => EngineEvent::OpenInbox,
            });
        }
    }

    /// Closes everything, as at the end of the app. A call that is under way comes to its end first, and none is begun
    /// meanwhile; the background work has ended and the files are nobody's when this answers.
    pub async fn close(&self) {
        let _changing = self.inner.changing.lock().await;
        match self.seat() {
            Ok(seat) => self.vacate(&seat, Stage::Starting).await,
            Err(_) => *self.stage() = Stage::Starting,
        }
    }

    /// Stops one reconciler, for tests that do its work step by step.
    #[cfg(test)]
    pub(crate) fn stop_task(&self, name: &str) {
        if let Stage::Ready { tasks, .. } = &*self.stage() {
            tasks.stop(name);
        }
    }

    /// Closes the session on this device; where it is over already, lets somebody else sign in. What was signed and not
    /// sent stays for the next sign-in of its person.
    ///
    /// # Errors
    /// When the keychain does not let go of the session, or nobody was signed in.
    pub async fn sign_out(&self) -> Result<(), EngineError> {
        let _changing = self.inner.changing.lock().await;
        if matches!(self.phase(), Phase::SignIn { .. }) {
            return self.leave_account().await;
        }
        let seat = self.seat()?;
        self.forget_session(&seat).await?;
        if let Err(error) = seat.client.sign_out().await {
            tracing::info!("The tenant was not told of the sign-out: {error:?}");
        }
        self.leave(&seat, sign_in_stage(&seat.account)).await;
        Ok(())
    }

    /// The next stage, as whoever was signed in leaves.
    pub(crate) async fn leave(&self, seat: &Seat, next: Stage) {
        self.vacate(seat, next).await;
        self.tell(EngineEvent::StateChanged);
    }

    /// Ends the background work and closes the files, once no call is under way: one that is cut off in its middle would end as
    /// unknown.
    async fn vacate(&self, seat: &Seat, next: Stage) {
        let _no_call = seat.executing.lock().await;
        let before = std::mem::replace(&mut *self.stage(), next);
        if let Stage::Ready { tasks, .. } = before {
            tasks.end().await;
        }
        seat.store.close().await;
        seat.journal.close().await;
    }

    pub(crate) async fn forget_session(&self, seat: &Seat) -> Result<(), EngineError> {
        let mut secrets = seat.keyring.load().await?;
        let (tenant, person) = (seat.tenant(), seat.person());
        if let Some(mut own) = secrets.account(tenant, person).cloned() {
            own.token = None;
            secrets.put(tenant, person, own);
            seat.keyring.save(&secrets).await?;
        }
        Ok(())
    }

    /// The open seat.
    pub(crate) fn seat(&self) -> Result<Arc<Seat>, EngineError> {
        match &*self.stage() {
            Stage::Ready { seat, .. } => Ok(Arc::clone(seat)),
            Stage::Starting
            | Stage::FirstRun
            | Stage::Keychain { .. }
            | Stage::SignIn { .. }
            | Stage::Fatal { .. } => Err(EngineError::signed_out()),
        }
    }

    pub(crate) fn keyring(&self) -> Result<Keyring, EngineError> {
        let installation = self.inner.folder.installation()?;
        Ok(Keyring::new(Arc::clone(&self.inner.ports.secrets), installation))
    }

    /// The next stage. The one before is closed when its last user is done.
    pub(crate) fn enter(&self, stage: Stage) {
        *self.stage() = stage;
        self.tell(EngineEvent::StateChanged);
    }

    pub(crate) fn stage(&self) -> std::sync::MutexGuard<'_, Stage> {
        self.inner.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn tell(&self, event: EngineEvent) {
        let _ = self.inner.events.send(event);
    }
}

impl core::fmt::Debug for Engine {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Engine({:?})", self.phase())
    }
}

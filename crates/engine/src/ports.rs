//! What the engine asks of the operating system. Each port has a real form and, in `testing`, a fake.

use std::sync::Arc;

use countersign_domain::{UnixMillis, id::ProposalId, record::Risk};
use tokio::sync::mpsc;
use zeroize::Zeroizing;

/// The wall clock and where on earth it hangs. Order never comes from it.
pub trait Clock: Send + Sync + 'static {
    /// Now.
    fn now(&self) -> UnixMillis;

    /// The person's time zone, for times in sentences.
    fn zone(&self) -> jiff::tz::TimeZone;
}

/// A place for secrets that outlives the app: the operating system's keychain. Calls block and may wait for a person,
/// so the engine makes them off the async threads and gives up after a while.
pub trait SecretStore: Send + Sync + 'static {
    /// Reads a secret.
    ///
    /// # Errors
    /// [`SecretStoreError::Missing`] when there is none, or when the store hides that it is locked.
    fn get(&self, name: &str) -> Result<Zeroizing<Vec<u8>>, SecretStoreError>;

    /// Stores a secret, in place of an earlier one.
    ///
    /// # Errors
    /// When the store does not take it.
    fn set(&self, name: &str, secret: &[u8]) -> Result<(), SecretStoreError>;

    /// Removes a secret; one that is not there is removed already.
    ///
    /// # Errors
    /// When the store cannot be asked.
    fn delete(&self, name: &str) -> Result<(), SecretStoreError>;
}

/// Why a secret cannot be had. The sentences are for people.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SecretStoreError {
    #[error(
        "This computer offers no keychain to this app. Sign in to a desktop session with a keychain, then try again."
    )]
    Unavailable,
    #[error("The keychain is locked or did not answer. Unlock it, then try again.")]
    Locked,
    #[error("The keychain does not have this app's entry.")]
    Missing,
}

/// Shows notices to the person. A notice only ever leads to a card; no decision is taken from one.
pub trait Notifier: Send + Sync + 'static {
    /// Shows a notice, in place of an earlier one about the same thing.
    ///
    /// # Errors
    /// When it cannot be shown; it will be tried again.
    fn notify(&self, notice: &Notice) -> Result<(), NotifyError>;

    /// Takes a notice back; one that is gone already is not an error.
    fn retract(&self, about: NoticeId);
}

/// Where the notifier sends what the person clicked: the notice to open.
pub type NoticeActions = mpsc::UnboundedSender<NoticeId>;

/// What a notice is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum NoticeId {
    Proposal(ProposalId),
    /// Several at once.
    Many,
}

/// What is shown. INVARIANT: nothing in it comes from a proposal's content; lock screens show it to anybody.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notice {
    pub id: NoticeId,
    pub title: String,
    pub body: String,
    /// The worst risk it is about.
    pub risk: Risk,
}

/// The notice was not shown.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the notice cannot be shown: {0}")]
pub struct NotifyError(pub String);

/// The ports, as the shell gives them.
#[derive(Clone)]
pub struct Ports {
    pub clock: Arc<dyn Clock>,
    pub secrets: Arc<dyn SecretStore>,
    pub notifier: Arc<dyn Notifier>,
}

impl core::fmt::Debug for Ports {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Ports")
    }
}

/// The computer's own clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> UnixMillis {
        UnixMillis(jiff::Timestamp::now().as_millisecond())
    }

    fn zone(&self) -> jiff::tz::TimeZone {
        jiff::tz::TimeZone::system()
    }
}

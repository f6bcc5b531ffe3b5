//! Fakes of the ports: a clock that is set, a keychain in memory that can be locked, a notifier that remembers.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

use countersign_domain::{Millis, UnixMillis};
use zeroize::Zeroizing;

use crate::ports::{Clock, Notice, NoticeId, Notifier, NotifyError, Ports, SecretStore, SecretStoreError};

/// A clock that runs, from where it is set, or stands still.
#[derive(Debug, Default)]
pub struct SetClock {
    ahead: AtomicI64,
    still: Mutex<Option<UnixMillis>>,
}

impl SetClock {
    /// Moves it ahead of the computer's clock, or of where it stands.
    pub fn advance(&self, by: Millis) {
        self.ahead.fetch_add(by.0, Ordering::SeqCst);
    }

    /// From here on only [`Self::advance`] moves it: what is looked at within seconds is there however long the looking takes.
    pub fn stand_still(&self) {
        *lock(&self.still) = Some(computers());
    }
}

impl Clock for SetClock {
    fn now(&self) -> UnixMillis {
        let base = lock(&self.still).unwrap_or_else(computers);
        base + Millis(self.ahead.load(Ordering::SeqCst))
    }

    fn zone(&self) -> jiff::tz::TimeZone {
        jiff::tz::TimeZone::UTC
    }
}

fn computers() -> UnixMillis {
    UnixMillis(jiff::Timestamp::now().as_millisecond())
}

/// A keychain in memory.
#[derive(Debug, Default)]
pub struct MemorySecrets {
    entries: Mutex<BTreeMap<String, Vec<u8>>>,
    trouble: Mutex<Option<SecretStoreError>>,
}

impl MemorySecrets {
    /// From here on every call fails so, or works again.
    pub fn fail_with(&self, trouble: Option<SecretStoreError>) {
        *lock(&self.trouble) = trouble;
    }

    /// Everything that is stored.
    pub fn names(&self) -> Vec<String> {
        lock(&self.entries).keys().cloned().collect()
    }

    /// Forgets everything, as a keychain does that was made anew.
    pub fn clear(&self) {
        lock(&self.entries).clear();
    }

    fn ask(&self) -> Result<MutexGuard<'_, BTreeMap<String, Vec<u8>>>, SecretStoreError> {
        match lock(&self.trouble).clone() {
            Some(trouble) => Err(trouble),
            None => Ok(lock(&self.entries)),
        }
    }
}

impl SecretStore for MemorySecrets {
    fn get(&self, name: &str) -> Result<Zeroizing<Vec<u8>>, SecretStoreError> {
        self.ask()?
            .get(name)
            .cloned()
            .map(Zeroizing::new)
            .ok_or(SecretStoreError::Missing)
    }

    fn set(&self, name: &str, secret: &[u8]) -> Result<(), SecretStoreError> {
        self.ask()?.insert(name.to_owned(), secret.to_vec());
        Ok(())
    }

    fn delete(&self, name: &str) -> Result<(), SecretStoreError> {
        self.ask()?.remove(name);
        Ok(())
    }
}

/// Remembers what was shown and what was taken back.
#[derive(Debug, Default)]
pub struct RecordingNotifier {
    shown: Mutex<Vec<Notice>>,
    retracted: Mutex<Vec<NoticeId>>,
}

impl RecordingNotifier {
    /// Everything that was ever shown.
    pub fn shown(&self) -> Vec<Notice> {
        lock(&self.shown).clone()
    }

    /// Everything that was ever taken back.
    pub fn retracted(&self) -> Vec<NoticeId> {
        lock(&self.retracted).clone()
    }
}

impl Notifier for RecordingNotifier {
    fn notify(&self, notice: &Notice) -> Result<(), NotifyError> {
        lock(&self.shown).push(notice.clone());
        Ok(())
    }

    fn retract(&self, about: NoticeId) {
        lock(&self.retracted).push(about);
    }
}

/// All fakes of one device.
#[derive(Clone, Debug, Default)]
pub struct Fakes {
    pub clock: Arc<SetClock>,
    pub secrets: Arc<MemorySecrets>,
    pub notifier: Arc<RecordingNotifier>,
}

impl Fakes {
    /// As the engine takes them.
    pub fn ports(&self) -> Ports {
        let Self {
            clock,
            secrets,
            notifier,
        } = self.clone();
        Ports {
            clock,
            secrets,
            notifier,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

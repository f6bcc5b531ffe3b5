//! The operating system's keychain through `keyring`: Secret Service on Linux, Keychain on macOS, Credential Manager on
//! Windows.
//!
//! On Linux a keychain without a collection answers `NoEntry` to every read, exactly like one that has no such entry, so
//! [`SecretStoreError::Missing`] alone never means a first run: see `device.rs`.

use keyring_core::Entry;
#[cfg(target_os = "linux")]
use keyring_core::api::CredentialStoreApi as _;
use zeroize::Zeroizing;

use crate::ports::{SecretStore, SecretStoreError};

/// The name under which keychains list this app's entries.
const SERVICE: &str = "countersign";

/// The real keychain.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keychain;

impl SecretStore for Keychain {
    fn get(&self, name: &str) -> Result<Zeroizing<Vec<u8>>, SecretStoreError> {
        entry(name)?
            .get_secret()
            .map(Zeroizing::new)
            .map_err(|error| translate(&error))
    }

    fn set(&self, name: &str, secret: &[u8]) -> Result<(), SecretStoreError> {
        match entry(name)?.set_secret(secret).map_err(|error| translate(&error)) {
            // A write cannot miss an entry; a store without a collection says so all the same.
            Err(SecretStoreError::Missing) => Err(SecretStoreError::Unavailable),
            other => other,
        }
    }

    fn delete(&self, name: &str) -> Result<(), SecretStoreError> {
        match entry(name)?
            .delete_credential()
            .map_err(|error| translate(&error))
        {
            Err(SecretStoreError::Missing) => Ok(()),
            other => other,
        }
    }
}

/// A Secret Service store is a session with the daemon, and is worth nothing after that has ended. A fresh one each time
/// also works with a daemon that was restarted, or that came after this app.
#[cfg(target_os = "linux")]
fn entry(name: &str) -> Result<Entry, SecretStoreError> {
    zbus_secret_service_keyring_store::Store::new()
        .and_then(|store| store.build(SERVICE, name, None))
        .map_err(|error| translate(&error))
}

#[cfg(not(target_os = "linux"))]
fn entry(name: &str) -> Result<Entry, SecretStoreError> {
    keyring::Entry::new(SERVICE, name)
        .map(|entry| entry.inner)
        .map_err(|error| translate(&error))
}

fn translate(error: &keyring_core::Error) -> SecretStoreError {
    if matches!(error, keyring_core::Error::NoEntry) {
        return SecretStoreError::Missing;
    }
    // The error's text names entries, never secrets; people get our sentence.
    tracing::warn!("The keychain answered: {error}");
    if matches!(error, keyring_core::Error::NoStorageAccess(_)) {
        SecretStoreError::Locked
    } else {
        SecretStoreError::Unavailable
    }
}

//! What tells a first run from a lost or locked keychain, and the secrets of this device.
//!
//! Both databases are encrypted, so whether a device was ever set up has to be known before any is opened: `device.json`
//! says so. It holds no secret. INVARIANT: it is durable before the keychain gets an entry, and the keychain has its
//! entry before `device.db` exists; so with a `device.db` a missing entry is a lost or locked one, never a first run.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use countersign_domain::{
    dsse::{PublicKey, SigningKey},
    id::{ConnectionId, TenantId, UserId},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::ports::{SecretStore, SecretStoreError};

/// Longer than a person needs to unlock a keychain that asks, shorter than a person waits for an app.
const KEYCHAIN_TIME: Duration = Duration::from_secs(60);

/// The folder with this device's files.
#[derive(Clone, Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Makes it, private to the person, when it is not there.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn make(&self) -> io::Result<()> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&self.0)
    }

    pub(crate) fn device_db(&self) -> PathBuf {
        self.0.join("device.db")
    }

    pub(crate) fn replica_db(&self, tenant: TenantId, person: UserId) -> PathBuf {
        self.0.join(format!("replica-{tenant}-{person}.db"))
    }

    /// Whether this device was ever set up.
    pub(crate) fn is_set_up(&self) -> bool {
        self.device_db().exists()
    }

    /// Says how many records of this device are not sent: what is lost with its keychain.
    pub(crate) fn unsent_file(&self) -> PathBuf {
        self.0.join("unsent")
    }

    /// How many records were not sent, as far as the file beside the database says; it needs no key.
    pub(crate) fn unsent(&self) -> u32 {
        let text = fs::read_to_string(self.unsent_file()).unwrap_or_default();
        text.trim().parse().unwrap_or(0)
    }

    /// Puts this device's files into a folder beside them. Nothing is deleted: a keychain that was thought lost may come back.
    /// `device.db` goes last, so that what ends half way is found as it was: set up, and without its keychain.
    ///
    /// # Errors
    /// When a file cannot be moved.
    pub(crate) fn set_aside(&self) -> io::Result<PathBuf> {
        let aside = (1_u32..)
            .map(|number| self.0.join(format!("set-aside-{number}")))
            .find(|folder| !folder.exists())
            .ok_or(io::ErrorKind::AlreadyExists)?;
        Self(aside.clone()).make()?;
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.0)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                files.push(entry.file_name());
            }
        }
        files.sort_by_key(|name| name == "device.db");
        for name in files {
            fs::rename(self.0.join(&name), aside.join(&name))?;
        }
        fs::File::open(&self.0)?.sync_all()?;
        Ok(aside)
    }

    /// The name of this installation in the keychain, which several installations of one person share. Made on the
    /// first call.
    ///
    /// # Errors
    /// When the marker cannot be read or written.
    pub(crate) fn installation(&self) -> io::Result<Installation> {
        let path = self.0.join("device.json");
        match fs::read(&path) {
            Ok(bytes) => {
                let marker: Marker = serde_json::from_slice(&bytes)?;
                Ok(Installation(marker.installation))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let marker = Marker {
                    v: 1,
                    installation: Uuid::now_v7(),
                };
                write_durably(&path, &serde_json::to_vec(&marker)?)?;
                Ok(Installation(marker.installation))
            }
            Err(error) => Err(error),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Marker {
    v: u32,
    installation: Uuid,
}

fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = path.with_extension("new");
    let mut file = fs::File::create(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    path.parent()
        .map_or(Ok(()), |folder| fs::File::open(folder)?.sync_all())
}

/// One set of this app's files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Installation(Uuid);

/// The keychain off the async threads, with a time limit.
#[derive(Clone)]
pub(crate) struct Keyring {
    store: Arc<dyn SecretStore>,
    installation: Installation,
}

impl Keyring {
    pub(crate) fn new(store: Arc<dyn SecretStore>, installation: Installation) -> Self {
        Self { store, installation }
    }

    /// The secrets of this device.
    pub(crate) async fn load(&self) -> Result<DeviceSecrets, SecretStoreError> {
        let name = self.device_entry();
        let bytes = self.call(move |store| store.get(&name)).await?;
        DeviceSecrets::read(&bytes).ok_or(SecretStoreError::Missing)
    }

    pub(crate) async fn save(&self, secrets: &DeviceSecrets) -> Result<(), SecretStoreError> {
        let name = self.device_entry();
        let bytes = secrets.write().ok_or(SecretStoreError::Unavailable)?;
        self.call(move |store| store.set(&name, &bytes)).await
    }

    /// Whether a secret that is stored can be read back: a keychain without a collection only shows at the write.
    pub(crate) async fn probe(&self) -> Result<(), SecretStoreError> {
        let name = format!("{}/probe", self.installation.0);
        self.call(move |store| {
            store.set(&name, b"probe")?;
            store.get(&name)?;
            store.delete(&name)
        })
        .await
    }

    pub(crate) async fn connection(&self, id: ConnectionId) -> Result<Zeroizing<Vec<u8>>, SecretStoreError> {
        let name = self.connection_entry(id);
        self.call(move |store| store.get(&name)).await
    }

    pub(crate) async fn set_connection(
        &self,
        id: ConnectionId,
        secret: Zeroizing<Vec<u8>>,
    ) -> Result<(), SecretStoreError> {
        let name = self.connection_entry(id);
        self.call(move |store| store.set(&name, &secret)).await
    }

    pub(crate) async fn delete_connection(&self, id: ConnectionId) -> Result<(), SecretStoreError> {
        let name = self.connection_entry(id);
        self.call(move |store| store.delete(&name)).await
    }

    fn device_entry(&self) -> String {
        format!("{}/device", self.installation.0)
    }

    fn connection_entry(&self, id: ConnectionId) -> String {
        format!("{}/connection/{id}", self.installation.0)
    }

    /// A keychain that waits for a person holds one blocking thread until then, never the app.
    async fn call<T, F>(&self, ask: F) -> Result<T, SecretStoreError>
    where
        T: Send + 'static,
        F: FnOnce(&dyn SecretStore) -> Result<T, SecretStoreError> + Send + 'static,
    {
        let store = Arc::clone(&self.store);
        let asked = tokio::task::spawn_blocking(move || ask(&*store));
        match tokio::time::timeout(KEYCHAIN_TIME, asked).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(SecretStoreError::Unavailable),
            Err(_) => Err(SecretStoreError::Locked),
        }
    }
}

impl core::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Keyring({:?})", self.installation)
    }
}

/// The one entry of the keychain that opens everything else. It never prints and is wiped when dropped.
#[derive(Clone, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeviceSecrets {
    /// Opens both databases.
    pub(crate) database_key: Key,
    /// By `<tenant>/<person>`.
    #[zeroize(skip)]
    accounts: BTreeMap<String, AccountSecrets>,
}

/// 32 secret bytes, hexadecimal in the entry.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(crate) struct Key([u8; 32]);

/// What one person of one tenant has on this device.
#[derive(Clone, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccountSecrets {
    pub(crate) device_seed: Key,
    /// The key that comes after it, from before a turn is signed until the old one is forgotten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) next_seed: Option<Key>,
    /// Absent while signed out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<String>,
}

impl DeviceSecrets {
    pub(crate) fn fresh() -> Result<Self, getrandom::Error> {
        Ok(Self {
            database_key: Key::fresh()?,
            accounts: BTreeMap::new(),
        })
    }

    pub(crate) fn account(&self, tenant: TenantId, person: UserId) -> Option<&AccountSecrets> {
        self.accounts.get(&format!("{tenant}/{person}"))
    }

    pub(crate) fn put(&mut self, tenant: TenantId, person: UserId, secrets: AccountSecrets) {
        self.accounts.insert(format!("{tenant}/{person}"), secrets);
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    fn write(&self) -> Option<Zeroizing<Vec<u8>>> {
        serde_json::to_vec(self).ok().map(Zeroizing::new)
    }
}

impl AccountSecrets {
    /// Of a device that is new here.
    pub(crate) fn fresh() -> Result<Self, getrandom::Error> {
        Ok(Self {
            device_seed: Key::fresh()?,
            next_seed: None,
            token: None,
        })
    }

    pub(crate) fn signing_key(&self) -> SigningKey {
        SigningKey::from_seed(&self.device_seed.0)
    }

    /// The key that belongs to `public`. Which of the two it is the device's own database knows.
    pub(crate) fn key_of(&self, public: PublicKey) -> Option<SigningKey> {
        let seeds = [Some(&self.device_seed), self.next_seed.as_ref()];
        let mut keys = seeds
            .into_iter()
            .flatten()
            .map(|seed| SigningKey::from_seed(&seed.0));
        keys.find(|key| key.public_key() == public)
    }

    /// Forgets the key that does not belong to `public`.
    pub(crate) fn keep_only(&mut self, public: PublicKey) {
        if let Some(next) = self.next_seed.take()
            && SigningKey::from_seed(&next.0).public_key() == public
        {
            self.device_seed = next;
        }
    }
}

impl Key {
    pub(crate) fn fresh() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// The bytes, for the databases.
    pub(crate) const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl Serialize for Key {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(hex::encode(self.0)))
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        let mut bytes = [0; 32];
        hex::decode_to_slice(&*text, &mut bytes).map_err(serde::de::Error::custom)?;
        Ok(Self(bytes))
    }
}

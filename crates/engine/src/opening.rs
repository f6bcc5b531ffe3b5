//! Opening what is on this device: keychain, then databases, then the seat. Each step that cannot be taken has its own
//! screen, and nothing is changed before all of them are.

use std::sync::{Arc, atomic::Ordering};

use countersign_domain::people::Device;

use crate::{
    client::{Address, TenantClient},
    device::{DeviceSecrets, Keyring},
    engine::{Engine, Phase, Stage},
    enrol,
    error::EngineError,
    journal::Journal,
    ports::SecretStoreError,
    reconcile::{Tasks, pull},
    seat::{Seat, SeatParts},
    store::{Account, Store, StoreError, account},
};

impl Engine {
    /// Opens what is there, unless something is open.
    pub(crate) async fn reopen(&self) {
        if matches!(self.phase(), Phase::Ready) {
            return;
        }
        let stage = match self.open().await {
            Ok(stage) => stage,
            Err(error) => Stage::Fatal {
                message: error.message,
            },
        };
        self.enter(stage);
    }

    async fn open(&self) -> Result<Stage, EngineError> {
        self.inner.folder.make()?;
        if !self.inner.folder.is_set_up() {
            return Ok(Stage::FirstRun);
        }
        let keyring = self.keyring()?;
        let secrets = match keyring.load().await {
            Ok(secrets) => secrets,
            Err(error) => return Ok(self.locked_out(&error)),
        };
        let store = match Store::open(&self.inner.folder.device_db(), &secrets.database_key) {
            Ok(store) => store,
            Err(error @ (StoreError::Newer | StoreError::Unreadable(_) | StoreError::Damaged(_))) => {
                return Ok(Stage::Fatal {
                    message: error.to_string(),
                });
            }
            Err(error) => return Err(error.into()),
        };
        let Some(account) = store.read(account::active).await? else {
            return Ok(Stage::FirstRun);
        };
        self.sit_down(store, account, &secrets, keyring)
    }

    /// Opens the seat of an account, as far as the keychain lets.
    fn sit_down(
        &self,
        store: Store,
        account: Account,
        secrets: &DeviceSecrets,
        keyring: Keyring,
    ) -> Result<Stage, EngineError> {
        let own = secrets.account(account.tenant, account.person);
        let Some((own, key)) = own.and_then(|own| Some((own, own.key_of(account.device_key)?))) else {
            return Ok(self.locked_out(&SecretStoreError::Missing));
        };
        let Some(token) = own.token.clone() else {
            return Ok(sign_in_stage(&account));
        };
        let path = self.inner.folder.replica_db(account.tenant, account.person);
        let opens = countersign_replica::Key::from_bytes(*secrets.database_key.as_bytes());
        let journal = match Journal::open(path, opens) {
            Ok(journal) => journal,
            Err(error @ countersign_replica::OpenError::Newer { .. }) => {
                return Ok(Stage::Fatal {
                    message: error.to_string(),
                });
            }
            Err(error) => return Err(EngineError::internal(error)),
        };
        let client = TenantClient::new(Address::parse(&account.tenant_url)?, account.tenant, token.into())?;
        let seat = Arc::new(Seat::new(SeatParts {
            key,
            account,
            store,
            journal,
            client,
            keyring,
            ports: self.inner.ports.clone(),
            registry: Arc::clone(&self.inner.registry),
            events: self.inner.events.clone(),
            session_over: Arc::clone(&self.inner.session_over),
        }));
        seat.cut_off(self.inner.cut_off.load(Ordering::SeqCst));
        let tasks = Tasks::start(&seat);
        self.watch_session(&seat);
        Ok(Stage::Ready { seat, tasks })
    }

    /// Begins anew on a computer whose keychain has lost this device's entry for good: the files are put aside, and nothing is
    /// set up here any more. What counts comes back from the tenant with the next sign-in; what was saved here and not sent
    /// does not, and this says how many records that were.
    ///
    /// # Errors
    /// When the keychain gives the entry after all, or does not say that it has none; or a file cannot be moved.
    pub async fn begin_anew(&self) -> Result<u32, EngineError> {
        let _changing = self.inner.changing.lock().await;
        self.reopen().await;
        let Phase::Keychain { lost: Some(lost), .. } = self.phase() else {
            return Err(EngineError::refused(
                "The keychain may still have this device's entry. Nothing was changed. Try again.",
            ));
        };
        let aside = self.inner.folder.set_aside()?;
        tracing::warn!(
            unsent = lost,
            "This device begins anew; its files are in {}",
            aside.display()
        );
        self.enter(Stage::FirstRun);
        Ok(lost)
    }

    /// The six digits that this device shows while it waits for somebody to vouch for it, once the tenant knows it.
    ///
    /// # Errors
    /// When nobody is signed in, or the tenant cannot be reached.
    pub async fn enrolment_code(&self) -> Result<Option<String>, EngineError> {
        let seat = self.seat()?;
        enrol::settle(&seat).await.map_err(EngineError::internal)?;
        pull::pull(&seat).await.map_err(EngineError::internal)?;
        let people = seat.people().await?;
        let device = people.devices.get(&seat.device());
        Ok(device.filter(|device| device.is_waiting()).map(Device::code))
    }

    fn locked_out(&self, error: &SecretStoreError) -> Stage {
        let gone = matches!(error, SecretStoreError::Missing);
        Stage::Keychain {
            message: locked_out(error),
            lost: gone.then(|| self.inner.folder.unsent()),
        }
    }

    /// The account that waits for its sign-in steps back, for another person's. It and its records stay.
    pub(crate) async fn leave_account(&self) -> Result<(), EngineError> {
        let secrets = self.keyring()?.load().await?;
        let store = Store::open(&self.inner.folder.device_db(), &secrets.database_key)?;
        store.write(account::step_back).await?;
        self.enter(Stage::FirstRun);
        Ok(())
    }

    /// Takes a seat at once, after a sign-in.
    pub(crate) fn take_seat(
        &self,
        store: Store,
        account: Account,
        secrets: &DeviceSecrets,
        keyring: Keyring,
    ) -> Result<(), EngineError> {
        let stage = self.sit_down(store, account, secrets, keyring)?;
        self.enter(stage);
        Ok(())
    }

    /// Ends the stage before, so that its files are closed.
    pub(crate) fn stand_up(&self) {
        *self.stage() = Stage::Starting;
    }

    /// When the tenant says that the session is over, the sign-in screen is next. Nothing is lost by it.
    fn watch_session(&self, seat: &Arc<Seat>) {
        let (engine, seat) = (Arc::downgrade(&self.inner), Arc::downgrade(seat));
        let over = Arc::clone(&self.inner.session_over);
        tokio::spawn(async move {
            over.notified().await;
            let (Some(inner), Some(seat)) = (engine.upgrade(), seat.upgrade()) else {
                return;
            };
            let engine = Self { inner };
            let _changing = engine.inner.changing.lock().await;
            let current = engine.seat().is_ok_and(|current| Arc::ptr_eq(&current, &seat));
            if current {
                if let Err(error) = engine.forget_session(&seat).await {
                    tracing::warn!("The ended session could not be removed from the keychain: {error}");
                }
                engine.leave(&seat, sign_in_stage(&seat.account)).await;
            }
        });
    }
}

pub(crate) fn sign_in_stage(account: &Account) -> Stage {
    Stage::SignIn {
        tenant_url: account.tenant_url.clone(),
        email: account.email.clone(),
    }
}

/// This device was set up, so a keychain without its entry is locked or lost: never a first run.
fn locked_out(error: &SecretStoreError) -> String {
    match error {
        SecretStoreError::Missing => {
            "This device was set up before, and the keychain does not give its entry: it is locked, or another keychain \
             than before. Nothing was opened or changed. Unlock it, then try again."
        }
        SecretStoreError::Locked => {
            "The keychain is locked or did not answer. Nothing was opened or changed. Unlock it, then try again."
        }
        SecretStoreError::Unavailable => {
            "This computer offers no keychain to this app. Nothing was opened or changed. Sign in to a desktop session \
             with a keychain, then try again."
        }
    }
    .to_owned()
}

//! Signing in: the first time on this device with a new key, later with the one that is kept.

use countersign_domain::{
    Record,
    id::{DeviceId, TenantId, UserId},
    record::Enrol,
    wire::{AcceptInvite, EnrolRequest, SignIn, SignedIn, TenantSummary},
};
use countersign_faults::{Point, crash_point};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use crate::{
    client::{self, Address, CallError, TenantClient},
    device::{AccountSecrets, DeviceSecrets, Keyring},
    engine::Engine,
    enrol::device_name,
    error::EngineError,
    provider::BroughtBack,
    seat::nonce,
    store::{NewAccount, Store, account},
};

/// How a person comes in.
#[derive(Debug)]
pub struct Connect {
    pub url: String,
    /// Whose the password is.
    pub email: String,
    pub credential: Credential,
    /// The person's name for this device.
    pub device_name: String,
    /// Which tenant, when the person belongs to several; the first otherwise.
    pub tenant: Option<TenantId>,
}

/// By what.
#[derive(Debug)]
pub enum Credential {
    Password(SecretString),
    /// Joins with an invitation first, with this name and password.
    Invite {
        code: SecretString,
        name: String,
        password: SecretString,
    },
    /// What the company's provider gave to the browser; it says whose.
    Provider(BroughtBack),
    /// A session that is open already: the embedded tenant's own.
    Session(SignedIn),
}

impl Engine {
    /// Whether the keychain takes and gives secrets. Asked before a tenant is made on this computer.
    ///
    /// # Errors
    /// With the sentence for the keychain screen.
    pub async fn check_keychain(&self) -> Result<(), EngineError> {
        Ok(self.keyring()?.probe().await?)
    }

    /// Signs in. A device that is new to this person and tenant makes its key and enrols it.
    ///
    /// # Errors
    /// When the keychain, the tenant or the form say no. Nothing is set up then that a second try would not find.
    pub async fn connect(&self, form: Connect) -> Result<(), EngineError> {
        let _changing = self.inner.changing.lock().await;
        if self.is_cut_off() {
            return Err(EngineError::offline());
        }
        let address = Address::parse(&form.url)?;
        let name = device_name(&form.device_name)?;
        let keyring = self.keyring()?;
        // Before anything else: without a keychain nothing is opened, sent or changed.
        let secrets = self.secrets(&keyring).await?;
        let awaited = match &form.credential {
            Credential::Provider(brought) => brought.awaited.clone(),
            Credential::Password(_) | Credential::Invite { .. } | Credential::Session(_) => None,
        };
        let signed_in = sign_in(&address, &form.email, form.credential).await?;
        let tenant = choose(&signed_in, form.tenant)?;
        if let Some(awaited) = awaited.filter(|email| !email.eq_ignore_ascii_case(&signed_in.email)) {
            let client = TenantClient::new(address, tenant.id, signed_in.token.into())?;
            client.sign_out().await?;
            return Err(EngineError::refused(format!(
                "Your browser is signed in as {}, and this device waits for {awaited}. Sign out there, or choose \
                 \"Use another account\" here.",
                signed_in.email
            )));
        }
        let (tenant, person) = (tenant.id, signed_in.user_id);
        let arrival = Arrival {
            address,
            email: signed_in.email,
            name,
            tenant,
            person,
            token: signed_in.token,
        };
        let arrived = self.arrive(arrival, secrets, keyring).await;
        if arrived.is_err() {
            self.reopen().await;
        }
        arrived
    }

    /// This device's secrets; fresh ones when it was never set up.
    async fn secrets(&self, keyring: &Keyring) -> Result<DeviceSecrets, EngineError> {
        if self.inner.folder.is_set_up() {
            return Ok(keyring.load().await?);
        }
        keyring.probe().await?;
        Ok(DeviceSecrets::fresh()?)
    }

    async fn arrive(
        &self,
        arrival: Arrival,
        mut secrets: DeviceSecrets,
        keyring: Keyring,
    ) -> Result<(), EngineError> {
        let (tenant, person) = (arrival.tenant, arrival.person);
        let mut own = match secrets.account(tenant, person) {
            Some(known) => known.clone(),
            None => AccountSecrets::fresh()?,
        };
        own.token = Some(arrival.token.clone());
        let key = own.signing_key();
        secrets.put(tenant, person, own.clone());
        // The keychain has the key before any file or server speaks of it.
        keyring.save(&secrets).await?;
        crash_point(Point::KeychainWritten);
        self.stand_up();
        let store = Store::open(&self.inner.folder.device_db(), &secrets.database_key)?;
        let row = store.read(move |db| account::of(db, tenant, person)).await?;
        match row {
            Some(row) if own.key_of(row.device_key).is_some() => {
                let (url, email) = (arrival.address.as_str().to_owned(), arrival.email.clone());
                store
                    .write(move |tx| account::activate(tx, row.id, &url, &email))
                    .await?;
            }
            Some(_) => {
                return Err(EngineError::new(
                    crate::ErrorCode::Keychain,
                    "The keychain has another key than this device was enrolled with. Nothing was changed.",
                ));
            }
            None => {
                let token = SecretString::from(arrival.token.clone());
                let client = TenantClient::new(arrival.address.clone(), tenant, token)?;
                let device = DeviceId::from_uuid(Uuid::now_v7());
                let body = Enrol {
                    challenge: client.challenge().await?.challenge,
                    device,
                    name: arrival.name.clone(),
                    nonce: nonce()?,
                    public_key: key.public_key(),
                    tenant,
                    user: person,
                };
                let envelope = Record::signed(&body, &key)
                    .map_err(EngineError::internal)?
                    .to_envelope();
                let new = NewAccount {
                    tenant,
                    person,
                    tenant_url: arrival.address.as_str().to_owned(),
                    email: arrival.email,
                    device,
                    device_key: key.public_key(),
                    device_name: arrival.name,
                    enrol: serde_json::to_string(&envelope).map_err(EngineError::internal)?,
                };
                let id = store.write(move |tx| account::insert(tx, &new)).await?;
                crash_point(Point::EnrolSigned);
                let answered = client.enrol(&EnrolRequest { record: envelope }).await;
                crash_point(Point::EnrolAnswered);
                match answered {
                    Ok(_) => store.write(move |tx| account::enrolled(tx, id)).await?,
                    // The record is kept, and sync sends it until it is answered.
                    Err(error) if error.is_retryable() => {
                        tracing::info!("The enrolment is sent again later: {error:?}")
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        }
        let row = store
            .read(account::active)
            .await?
            .ok_or_else(EngineError::not_found)?;
        self.take_seat(store, row, &secrets, keyring)
    }
}

struct Arrival {
    address: Address,
    email: String,
    name: String,
    tenant: TenantId,
    person: UserId,
    token: String,
}

async fn sign_in(address: &Address, email: &str, credential: Credential) -> Result<SignedIn, CallError> {
    let password = match credential {
        Credential::Session(session) => return Ok(session),
        Credential::Provider(brought) => return client::sign_in_by_provider(address, &brought.form()).await,
        Credential::Password(password) => password,
        Credential::Invite { code, name, password } => {
            let form = AcceptInvite {
                secret: code.expose_secret().to_owned(),
                name,
                password: password.expose_secret().to_owned(),
            };
            client::accept_invite(address, &form).await?;
            password
        }
    };
    let form = SignIn {
        email: email.to_owned(),
        password: password.expose_secret().to_owned(),
    };
    client::sign_in(address, &form).await
}

fn choose(signed_in: &SignedIn, wanted: Option<TenantId>) -> Result<&TenantSummary, EngineError> {
    let found = match wanted {
        Some(id) => signed_in.tenants.iter().find(|tenant| tenant.id == id),
        None => signed_in.tenants.first(),
    };
    found.ok_or_else(|| EngineError::refused("You are not a member of a tenant there. Ask to be invited."))
}

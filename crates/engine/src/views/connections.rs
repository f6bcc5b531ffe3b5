//! Ways out of the tenant: which there are, and adding one that this device holds. The secret goes into the keychain
//! and nowhere else.

use countersign_domain::{
    canonical::{self, Value},
    id::ConnectionId,
    record::{ConnectionKind, Holder, Role},
    wire::CreateConnection,
};
use countersign_tools::{
    email::{self, SmtpConfig},
    http::{self, HttpConfig},
};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::{Permission, Tone};
use crate::{Engine, EngineError, ErrorCode, ports::SecretStoreError, seat::Seat};

/// Every connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Connections {
    pub rows: Vec<ConnectionRow>,
    pub add: Permission,
}

/// One of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConnectionRow {
    pub id: ConnectionId,
    pub name: String,
    pub kind: ConnectionKind,
    pub holder: HeldBy,
    /// Host and the like, never a secret.
    pub summary: String,
    pub status: String,
    pub tone: Tone,
    /// Proposals over it that are not over.
    pub used_by: u64,
    pub may_test: bool,
    pub may_remove: bool,
}

/// Who holds the secret.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HeldBy {
    ThisDevice,
    /// By name.
    OtherDevice(String),
    Tenant,
}

/// A connection to be made.
#[derive(Debug)]
pub struct NewConnection {
    pub name: String,
    pub way: Way,
    /// The password, or the header's whole value.
    pub secret: Option<SecretString>,
}

/// The public part.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Way {
    Smtp(SmtpConfig),
    Http(HttpConfig),
}

impl Engine {
    /// Every connection of the tenant, also offline.
    ///
    /// # Errors
    /// When nobody is signed in.
    pub async fn connections(&self) -> Result<Connections, EngineError> {
        let seat = self.seat()?;
        let people = seat.people().await?;
        let manages = people.role(seat.person()).is_some_and(Role::manages);
        let mut rows = Vec::new();
        for (id, connection) in people.connections.clone() {
            let used_by = seat.journal.read(move |reader| Ok(reader.open_over(id)?)).await?;
            let holder = match connection.holder {
                Holder::Tenant => HeldBy::Tenant,
                Holder::Device(device) if device == seat.device() => HeldBy::ThisDevice,
                Holder::Device(device) => HeldBy::OtherDevice(
                    people
                        .devices
                        .get(&device)
                        .map_or_else(|| "another device".to_owned(), |known| known.name.clone()),
                ),
            };
            let (status, tone) = match &holder {
                HeldBy::ThisDevice => (
                    "Ready: runs from this device while it is online".to_owned(),
                    Tone::Good,
                ),
                HeldBy::OtherDevice(name) => (format!("Runs from {name}"), Tone::Neutral),
                HeldBy::Tenant => ("Runs on the tenant's server".to_owned(), Tone::Neutral),
            };
            rows.push(ConnectionRow {
                id,
                name: connection.name,
                kind: connection.kind,
                summary: summary(connection.kind, &connection.config),
                status,
                tone,
                used_by,
                may_test: holder == HeldBy::ThisDevice,
                may_remove: manages,
                holder,
            });
        }
        let add = if manages {
            Permission::YES
        } else {
            Permission::no("Owners and admins add connections.")
        };
        Ok(Connections { rows, add })
    }

    /// Adds a connection that this device holds.
    ///
    /// # Errors
    /// When a field is wrong, the keychain does not take the secret, or the tenant says no. Nothing is left behind then.
    pub async fn add_connection(&self, new: NewConnection) -> Result<(), EngineError> {
        let seat = self.seat()?;
        let (kind, config) = public(&new.way)?;
        if seat.is_cut_off() {
            return Err(EngineError::offline());
        }
        if new.secret.is_some() {
            seat.keyring.probe().await?;
        }
        let form = CreateConnection {
            kind,
            name: new.name,
            config,
            holder: Holder::Device(seat.device()),
        };
        let id = seat
            .client
            .create_connection(&form)
            .await
            .map_err(form_error)?
            .connection_id;
        if let Some(secret) = &new.secret {
            let bytes = Zeroizing::new(secret.expose_secret().as_bytes().to_vec());
            if let Err(error) = seat.keyring.set_connection(id, bytes).await {
                // A connection without its secret would only ever fail.
                if let Err(left) = seat.client.remove_connection(id).await {
                    tracing::warn!(connection = %id, "A connection without its secret could not be removed: {left:?}");
                }
                return Err(error.into());
            }
        }
        seat.wakes.sync.notify_one();
        Ok(())
    }

    /// Connects and leaves again; sends nothing.
    ///
    /// # Errors
    /// With the sentence of what did not work.
    pub async fn test_connection(&self, id: ConnectionId) -> Result<(), EngineError> {
        let seat = self.seat()?;
        let people = seat.people().await?;
        let connection = people.connections.get(&id).ok_or_else(EngineError::not_found)?;
        if connection.holder != Holder::Device(seat.device()) {
            return Err(EngineError::refused(
                "Only the device that holds a connection can test it.",
            ));
        }
        let secret = secret(&seat, id).await?;
        let tested = match connection.kind {
            ConnectionKind::Smtp => {
                let config = SmtpConfig::read(&connection.config).map_err(EngineError::internal)?;
                if config.username.is_some() && secret.is_none() {
                    return Err(EngineError::refused(
                        "The keychain does not have its password. Add the connection anew.",
                    ));
                }
                email::test_connection(&connection.config, secret.as_ref())
                    .await
                    .map_err(|error| error.to_string())
            }
            ConnectionKind::Http => http::test_connection(&connection.config)
                .await
                .map_err(|error| error.to_string()),
        };
        tested.map_err(EngineError::refused)
    }

    /// Removes a connection, and its secret if it is here. What has not begun over it is closed.
    ///
    /// # Errors
    /// Offline, when the keychain would not let go of the secret, or when the tenant says no: nothing is changed then. When
    /// the keychain is locked in the very middle, the connection is gone and its secret is not, which is said.
    pub async fn remove_connection(&self, id: ConnectionId) -> Result<(), EngineError> {
        let seat = self.seat()?;
        if seat.is_cut_off() {
            return Err(EngineError::offline());
        }
        let people = seat.people().await?;
        let held_here = people
            .connections
            .get(&id)
            .is_some_and(|connection| connection.holder == Holder::Device(seat.device()));
        if held_here {
            // Once it is removed nothing here names the secret, so it has to be known before that it can go.
            seat.keyring.probe().await?;
        }
        seat.client.remove_connection(id).await?;
        seat.wakes.sync.notify_one();
        if held_here && let Err(error) = seat.keyring.delete_connection(id).await {
            return Err(EngineError::new(
                ErrorCode::Keychain,
                format!(
                    "The connection is removed, and its secret is still in this computer's keychain, as connection/{id}: \
                     remove it there. {error}"
                ),
            ));
        }
        Ok(())
    }
}

async fn secret(seat: &Seat, id: ConnectionId) -> Result<Option<SecretString>, EngineError> {
    match seat.keyring.connection(id).await {
        Ok(bytes) => Ok(core::str::from_utf8(&bytes)
            .ok()
            .map(|text| SecretString::from(text.to_owned()))),
        Err(SecretStoreError::Missing) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The public configuration, checked before it leaves.
fn public(way: &Way) -> Result<(ConnectionKind, Value), EngineError> {
    let (kind, bytes) = match way {
        Way::Smtp(config) => (ConnectionKind::Smtp, canonical::to_vec(config)),
        Way::Http(config) => (ConnectionKind::Http, canonical::to_vec(config)),
    };
    let config = bytes
        .and_then(|bytes| canonical::parse(&bytes))
        .map_err(EngineError::internal)?;
    let checked = match way {
        Way::Smtp(_) => SmtpConfig::read(&config).map(drop),
        Way::Http(_) => HttpConfig::read(&config).map(drop),
    };
    match checked {
        Ok(()) => Ok((kind, config)),
        Err(error) => Err(EngineError {
            code: ErrorCode::Invalid,
            message: error.message,
            field: error.field,
        }),
    }
}

/// The tenant names fields below `config.`; the form does not.
fn form_error(error: crate::client::CallError) -> EngineError {
    let mut error = EngineError::from(error);
    error.field = error
        .field
        .map(|field| field.trim_start_matches("config.").to_owned());
    error
}

fn summary(kind: ConnectionKind, config: &Value) -> String {
    match kind {
        ConnectionKind::Smtp => SmtpConfig::read(config).map_or_else(
            |_| "Mail".to_owned(),
            |config| format!("{} through {}:{}", config.from, config.host, config.port),
        ),
        ConnectionKind::Http => {
            HttpConfig::read(config).map_or_else(|_| "HTTP".to_owned(), |config| config.base_url)
        }
    }
}

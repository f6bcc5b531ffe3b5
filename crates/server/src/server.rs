//! The server as one value: opened over a data folder, founded tenants in it, served on a listener.

use std::{
    fs::{self, DirBuilder, File, Permissions, TryLockError},
    future::Future,
    io,
    net::SocketAddr,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    panic::AssertUnwindSafe,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::Router;
use countersign_domain::{
    id::{AgentId, DeviceId, TenantId, UserId},
    manifest::Manifest,
    record::{Actor, Mode},
};
use countersign_policy::Policy;
use countersign_tools::{Registry, health::HealthProbe};
use futures::FutureExt as _;
use tokio::{net::TcpListener, sync::watch, task::JoinSet};
use zeroize::Zeroizing;

use crate::{
    App, Config, Transport,
    app::{Parts, Tenants},
    clock::Clock,
    control::{Control, ControlError, NewAccount, Passwords, Placed, SHORTEST_PASSWORD, Token, email},
    executor,
    health::Probe,
    http::{self, throttle::Throttle},
    ingress::Rules,
    keeper, names,
    provider::Provider,
    random, serve,
    tenant::{self, Founding, NewAgent, PeopleRefusal, StoreError, Tenant},
};

/// How long a tenant's task rests after a panic before it is started again.
const REST: Duration = Duration::from_secs(5);

/// A tenant server over one data folder, which nobody else can open meanwhile.
#[derive(Debug)]
pub struct Server {
    app: App,
    config: Config,
    control: Control,
    tenants: Arc<Tenants>,
    passwords: Passwords,
    registry: Arc<Registry>,
    stop: watch::Sender<bool>,
    /// For each tenant its executor, and who keeps its snapshot ready; they end with the server.
    tasks: Mutex<JoinSet<()>>,
    _lock: File,
}

/// The server cannot start over this folder.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the data folder {} cannot be used: {error}", folder.display())]
    Folder { folder: PathBuf, error: io::Error },
    #[error("{} holds other things: give the server a folder of its own", .0.display())]
    NotOurs(PathBuf),
    #[error("another Countersign server is using the data folder {}", .0.display())]
    InUse(PathBuf),
    #[error(transparent)]
    Control(#[from] ControlError),
    #[error("tenant {0} cannot be opened: {1}")]
    Tenant(TenantId, StoreError),
    #[error("a tool is broken: {0}")]
    Tools(#[from] countersign_tools::RegistryError),
    #[error("the company's provider cannot be asked over TLS: {0}")]
    Provider(reqwest::Error),
}

/// A tenant to be founded, with its first owner.
#[derive(Clone)]
pub struct NewTenant {
    pub name: String,
    pub mode: Mode,
    pub email: String,
    /// The owner's name.
    pub owner: String,
    pub password: Zeroizing<String>,
}

impl std::fmt::Debug for NewTenant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewTenant")
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}

/// A tenant was not founded.
#[derive(Debug, thiserror::Error)]
pub enum FoundError {
    #[error("the tenant's name must have 1 to 100 visible characters")]
    Name,
    #[error("the owner's name must have 1 to 100 visible characters")]
    Owner,
    #[error("that is not an e-mail address")]
    Email,
    #[error("the password must have at least {SHORTEST_PASSWORD} characters")]
    Password,
    #[error("there is an account with that e-mail address, and this is not its password")]
    WrongPassword,
    #[error("the server is busy; try again")]
    Busy,
    #[error(transparent)]
    Control(#[from] ControlError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the tenant's folder cannot be made: {0}")]
    Folder(#[from] io::Error),
}

/// An agent's key was not made.
#[derive(Debug, thiserror::Error)]
pub enum AgentKeyError {
    #[error("there is no such tenant")]
    NoTenant,
    #[error("the agent's name must have 1 to 100 visible characters")]
    Name,
    #[error("an agent of that name is in service already")]
    NameTaken,
    #[error("the tenant has too many agents already")]
    TooMany,
    #[error(transparent)]
    Control(#[from] ControlError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A password was not set.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    #[error("there is no account with that e-mail address")]
    NoAccount,
    #[error("the password must have at least {SHORTEST_PASSWORD} characters")]
    Password,
    #[error("the server is busy; try again")]
    Busy,
    #[error(transparent)]
    Control(#[from] ControlError),
}

/// A device was not brought into service.
#[derive(Debug, thiserror::Error)]
pub enum EndorseError {
    #[error("there is no such tenant")]
    NoTenant,
    #[error("nobody with that e-mail address is a member of the tenant")]
    NoMember,
    #[error("no device of that person waits to be confirmed")]
    NotWaiting,
    #[error("no device of that person that waits shows this code")]
    WrongCode,
    #[error(transparent)]
    Control(#[from] ControlError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The server cannot listen there.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    #[error(
        "{0} can be reached from other machines: give --tls-cert and --tls-key, or --behind-proxy, or listen on 127.0.0.1"
    )]
    Unprotected(SocketAddr),
    #[error("cannot listen on {0}: {1}")]
    Bind(SocketAddr, io::Error),
    #[error("the certificate or its key cannot be used: {0}")]
    Tls(io::Error),
}

/// A bound listener with what protects it.
pub struct Listening {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<tokio_rustls::TlsAcceptor>,
}

impl std::fmt::Debug for Listening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listening")
            .field("url", &self.url())
            .finish_non_exhaustive()
    }
}

impl Listening {
    /// The address with its real port.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where clients find it.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }
}

impl Server {
    /// Opens the data folder and every tenant in it, and starts their tasks. Needs a tokio runtime.
    ///
    /// # Errors
    /// When the folder is in use or cannot be used, or something in it is damaged or of a newer version.
    pub async fn open(config: Config) -> Result<Self, OpenError> {
        let lock = lock_folder(&config.data)?;
        let control = Control::open(&config.data)?;
        let tenants = Arc::new(Tenants::default());
        let clock = Arc::clone(&config.clock);
        let probe = Arc::new(Probe::new(
            config.data.clone(),
            Arc::clone(&clock),
            control.clone(),
            Arc::clone(&tenants),
        ));
        let registry = Arc::new(Registry::standard(Arc::clone(&probe) as Arc<dyn HealthProbe>)?);
        let passwords = Passwords::default();
        let provider = config.provider.clone().map(Provider::new).transpose();
        let provider = provider.map_err(OpenError::Provider)?;
        let (stop, stopping) = watch::channel(false);
        let app = App::new(Parts {
            clock,
            control: control.clone(),
            passwords: passwords.clone(),
            tenants: Arc::clone(&tenants),
            rules: Rules {
                registry: Arc::clone(&registry),
                policy: Arc::clone(&config.policy),
                max_open: config.max_open,
            },
            throttle: Throttle::new(config.max_rate),
            places: Arc::default(),
            probe,
            provider,
            behind_proxy: config.transport == Transport::BehindProxy,
            stopping,
        });
        let tasks = Mutex::default();
        let server = Self {
            app,
            config,
            control,
            tenants,
            passwords,
            registry,
            stop,
            tasks,
            _lock: lock,
        };
        for Placed { id, folder } in server.control.tenants().await? {
            let failed = |error| OpenError::Tenant(id, error);
            let folder = server.config.data.join(folder);
            let tenant = Tenant::open(&folder, server.clock(), server.policy(), id).map_err(failed)?;
            tenant
                .update_tools(server.app.rules().clone())
                .await
                .map_err(failed)?;
            server.admit(tenant);
        }
        Ok(server)
    }

    /// Makes a tenant with its first owner, who gets an account, or keeps the one there is under that address.
    ///
    /// # Errors
    /// When something given does not fit, or a store fails.
    pub async fn found_tenant(&self, new: NewTenant) -> Result<(TenantId, UserId), FoundError> {
        let name = names::name(&new.name).ok_or(FoundError::Name)?;
        let owner_name = names::name(&new.owner).ok_or(FoundError::Owner)?;
        let owner_email = email(&new.email).ok_or(FoundError::Email)?;
        let owner = self.owner(&owner_email, &owner_name, new.password).await?;
        let tenant = TenantId::from_uuid(random::uuid());
        let placed = Placed::new(tenant);
        let folder = self.config.data.join(&placed.folder);
        private_folder(&folder)?;
        let founding = Founding {
            tenant,
            name: name.clone(),
            mode: new.mode,
            owner,
            owner_email,
            owner_name,
            manifests: self.manifests(),
            log_seed: random::bytes(),
        };
        let opened = Tenant::create(&folder, self.clock(), self.policy(), founding).await?;
        // The folder has to be findable after a power loss before anything names it.
        for folder in [
            folder.as_path(),
            &self.config.data.join("tenants"),
            &self.config.data,
        ] {
            File::open(folder)?.sync_all()?;
        }
        self.control
            .add_tenant(&placed, name, self.config.clock.now())
            .await?;
        self.admit(opened);
        Ok((tenant, owner))
    }

    /// Opens a session for a person without asking for a password: for whoever embeds the server and holds its data
    /// folder anyway.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn open_session(&self, user: UserId) -> Result<Token, ControlError> {
        self.control.open_session(user, self.config.clock.now()).await
    }

    /// Registers an agent of the tenant, as somebody with a shell on the server, and makes its key.
    ///
    /// # Errors
    /// When there is no such tenant, the name does not fit, or a store fails.
    pub async fn add_agent(&self, tenant: TenantId, name: &str) -> Result<(AgentId, Token), AgentKeyError> {
        let tenant = self.tenants.get(tenant).ok_or(AgentKeyError::NoTenant)?;
        let name = names::name(name).ok_or(AgentKeyError::Name)?;
        let id = AgentId::from_uuid(random::uuid());
        let token = self
            .control
            .add_agent_key(tenant.id(), id, self.config.clock.now())
            .await?;
        match tenant
            .add_agent(
                Actor::Server,
                NewAgent {
                    id,
                    name,
                    owner: None,
                },
            )
            .await?
        {
            Ok(()) => Ok((id, token)),
            Err(refusal) => {
                self.control.remove_agent_key(id).await?;
                let taken = refusal == PeopleRefusal::NameTaken;
                Err(if taken {
                    AgentKeyError::NameTaken
                } else {
                    AgentKeyError::TooMany
                })
            }
        }
    }

    /// Vouches, as somebody with a shell on the server, for the device of the person with this address that waits and
    /// shows `code`: the way back for who has lost every device.
    ///
    /// # Errors
    /// When there is no such tenant, member or waiting device, or a store fails.
    pub async fn endorse(
        &self,
        tenant: TenantId,
        address: &str,
        code: &str,
    ) -> Result<DeviceId, EndorseError> {
        let tenant = self.tenants.get(tenant).ok_or(EndorseError::NoTenant)?;
        let address = email(address).ok_or(EndorseError::NoMember)?;
        let account = self
            .control
            .account(address)
            .await?
            .ok_or(EndorseError::NoMember)?;
        let endorsed = tenant.endorse_by_server(account.user, code.to_owned()).await?;
        endorsed.map_err(|refusal| {
            if refusal == PeopleRefusal::NotWaiting {
                EndorseError::NotWaiting
            } else if refusal == PeopleRefusal::WrongCode {
                EndorseError::WrongCode
            } else {
                EndorseError::NoMember
            }
        })
    }

    /// Gives an account a password, as somebody with a shell on the server, and takes it from the company's provider: the
    /// way back when the provider is gone, or has made the person anew. The account's sessions end.
    ///
    /// # Errors
    /// When there is no such account, the password is too short, or the store fails.
    pub async fn set_password(
        &self,
        address: &str,
        password: Zeroizing<String>,
    ) -> Result<(), PasswordError> {
        let address = email(address).ok_or(PasswordError::NoAccount)?;
        if !Passwords::is_acceptable(&password) {
            return Err(PasswordError::Password);
        }
        let hash = self.passwords.hash(password).await;
        let hash = hash.map_err(|_| PasswordError::Busy)??;
        if self.control.set_password(address, hash).await? {
            Ok(())
        } else {
            Err(PasswordError::NoAccount)
        }
    }

    /// The open tenants' ids.
    pub fn tenants(&self) -> Vec<TenantId> {
        self.tenants.all().iter().map(Tenant::id).collect()
    }

    /// The HTTP API, for a caller that serves it by itself. It answers to loopback names and the configured hosts.
    pub fn router(&self) -> Router {
        http::router(&self.app, http::guard::Guard::new(None, &self.config.hosts))
    }

    /// Binds a listener.
    ///
    /// # Errors
    /// When the address is taken or not ours, would be open to the network unprotected, or the certificate is unusable.
    pub async fn listen(&self, address: SocketAddr) -> Result<Listening, ListenError> {
        let tls = match &self.config.transport {
            Transport::Loopback if !address.ip().is_loopback() => {
                return Err(ListenError::Unprotected(address));
            }
            Transport::Tls { certificates, key } => {
                Some(serve::tls(certificates, key).map_err(ListenError::Tls)?)
            }
            Transport::Loopback | Transport::BehindProxy => None,
        };
        let failed = |error| ListenError::Bind(address, error);
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Listening {
            listener,
            address,
            tls,
        })
    }

    /// Serves until `until`, then lets requests under way end.
    pub async fn serve(&self, listening: Listening, until: impl Future<Output = ()>) {
        let guard = http::guard::Guard::new(Some(listening.address.ip()), &self.config.hosts);
        let router = http::router(&self.app, guard);
        let stop = async {
            until.await;
            self.stop.send_replace(true);
        };
        serve::serve(listening.listener, listening.tls, router, stop).await;
    }

    /// What the handlers share, for tests that look behind the API.
    #[cfg(test)]
    pub(crate) const fn app(&self) -> &App {
        &self.app
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.config.clock)
    }

    fn policy(&self) -> Arc<dyn Policy> {
        Arc::clone(&self.config.policy)
    }

    fn manifests(&self) -> Arc<[Manifest]> {
        self.registry
            .manifests()
            .map(|(_, manifest)| manifest.clone())
            .collect()
    }

    fn admit(&self, tenant: Tenant) {
        self.tenants.insert(tenant.clone());
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        let (mirrored, kept, registry) = (tenant.clone(), tenant.clone(), Arc::clone(&self.registry));
        tasks.spawn(keep("snapshot", move || tenant::keep_ready(mirrored.clone())));
        tasks.spawn(keep("keeper", move || keeper::run(kept.clone())));
        tasks.spawn(keep("executor", move || {
            executor::run(tenant.clone(), Arc::clone(&registry))
        }));
    }

    async fn owner(
        &self,
        email: &str,
        name: &str,
        password: Zeroizing<String>,
    ) -> Result<UserId, FoundError> {
        let busy = |_| FoundError::Busy;
        if let Some(account) = self.control.account(email.to_owned()).await? {
            let right = self
                .passwords
                .verify(password, account.password)
                .await
                .map_err(busy)?;
            return if right {
                Ok(account.user)
            } else {
                Err(FoundError::WrongPassword)
            };
        }
        if !Passwords::is_acceptable(&password) {
            return Err(FoundError::Password);
        }
        let user = UserId::from_uuid(random::uuid());
        let password = self.passwords.hash(password).await.map_err(busy)??;
        let new = NewAccount {
            user,
            email: email.to_owned(),
            name: name.to_owned(),
            password,
        };
        if self.control.add_account(new, self.config.clock.now()).await? {
            Ok(user)
        } else {
            Err(FoundError::Busy)
        }
    }
}

/// Runs a task of a tenant and notices its death.
async fn keep<W: Future<Output = ()>>(name: &'static str, work: impl Fn() -> W) {
    loop {
        match AssertUnwindSafe(work()).catch_unwind().await {
            Ok(()) => return,
            Err(_) => tracing::error!(task = name, "A tenant's task panicked; it is started again."),
        }
        tokio::time::sleep(REST).await;
    }
}

/// Makes the folder if absent, closes it to others, and takes it for this process alone.
pub(crate) fn lock_folder(data: &Path) -> Result<File, OpenError> {
    let failed = |error| OpenError::Folder {
        folder: data.to_owned(),
        error,
    };
    if holds_other_things(data).map_err(failed)? {
        return Err(OpenError::NotOurs(data.to_owned()));
    }
    private_folder(data).map_err(failed)?;
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(data.join("lock"))
        .map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(data.to_owned())),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// Whether there is a folder with something in it, and none of it ours: that one we do not close to others.
fn holds_other_things(folder: &Path) -> io::Result<bool> {
    match fs::read_dir(folder) {
        Ok(mut entries) => Ok(entries.next().is_some() && !folder.join("lock").exists()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

pub(crate) fn private_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    fs::set_permissions(folder, Permissions::from_mode(0o700))
}

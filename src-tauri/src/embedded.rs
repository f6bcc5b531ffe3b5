//! The tenant server inside the app, for who works on this computer alone. It is the server that a company runs, on
//! loopback, and the engine reaches it over HTTP like any other.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    net::{Ipv4Addr, SocketAddr},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, bail};
use countersign_domain::{
    id::{TenantId, UserId},
    record::{Mode, Role},
    wire::{SignedIn, TenantSummary},
};
use countersign_server::{Config, ListenError, Listening, NewTenant, Server};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use zeroize::Zeroizing;

/// The tenant server's folder, inside the app's own.
pub(crate) const FOLDER: &str = "tenant";
/// Says that the folder has a tenant, whose it is, and where it is reached.
pub(crate) const MARKER: &str = "tenant.json";
/// Stands in the records where the owner has given no address, and is never shown.
const NO_ADDRESS: &str = "owner@localhost";

/// The running server.
#[derive(Debug)]
pub(crate) struct Embedded {
    server: Arc<Server>,
    founded: Founded,
    url: String,
    /// Its receivers are held by the serving task, so it is closed when that has ended.
    stop: watch::Sender<bool>,
}

/// What was made on this computer. Written once, when all of it is there.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Founded {
    tenant: TenantId,
    name: String,
    owner: UserId,
    email: String,
    /// Chosen by the system once; agents have it in their configuration from then on.
    port: u16,
}

/// An address as people may see it.
pub(crate) fn address(email: String) -> Option<String> {
    (email != NO_ADDRESS).then_some(email)
}

/// Who the tenant is made for.
#[derive(Debug)]
pub(crate) struct Owner {
    pub(crate) name: String,
    pub(crate) email: Option<String>,
}

impl Embedded {
    /// Whether a tenant was made on this computer.
    pub(crate) fn is_there(data: &Path) -> bool {
        data.join(MARKER).is_file()
    }

    /// Serves the tenant that was made here.
    ///
    /// # Errors
    /// When another process has its data, or another program has its port.
    pub(crate) async fn open(data: &Path) -> anyhow::Result<Self> {
        let marker = fs::read(data.join(MARKER)).context("the tenant's marker cannot be read")?;
        let founded: Founded = serde_json::from_slice(&marker).context("the tenant's marker is damaged")?;
        let server = Server::open(Config::new(data.join(FOLDER))).await?;
        let listening = listen(&server, founded.port).await?;
        Ok(Self::serve(server, listening, founded))
    }

    /// Makes a tenant with its owner, and serves it.
    ///
    /// # Errors
    /// When it cannot be made; a second try starts afresh.
    pub(crate) async fn found(data: &Path, owner: Owner) -> anyhow::Result<Self> {
        set_aside(data)?;
        let server = Server::open(Config::new(data.join(FOLDER))).await?;
        let email = owner.email.unwrap_or_else(|| NO_ADDRESS.to_owned());
        let name = format!("{} on this computer", owner.name.trim());
        let new = NewTenant {
            name: name.clone(),
            mode: Mode::Solo,
            email: email.clone(),
            owner: owner.name,
            password: nobodys_password()?,
        };
        let (tenant, owner) = server.found_tenant(new).await?;
        let listening = listen(&server, 0).await?;
        let founded = Founded {
            tenant,
            name,
            owner,
            email,
            port: listening.address().port(),
        };
        write_durably(&data.join(MARKER), &serde_json::to_vec_pretty(&founded)?)?;
        Ok(Self::serve(server, listening, founded))
    }

    fn serve(server: Server, listening: Listening, founded: Founded) -> Self {
        let server = Arc::new(server);
        let url = listening.url();
        let (stop, mut stopped) = watch::channel(false);
        tokio::spawn({
            let server = Arc::clone(&server);
            async move {
                let serving = stopped.clone();
                let until = async move {
                    // A dropped sender is the end of the app, and so a stop too.
                    drop(stopped.wait_for(|stop| *stop).await);
                };
                server.serve(listening, until).await;
                drop(serving);
            }
        });
        Self {
            server,
            founded,
            url,
            stop,
        }
    }

    /// Where agents and the engine reach it.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The owner's e-mail address.
    pub(crate) fn email(&self) -> &str {
        &self.founded.email
    }

    /// A fresh session of the owner. Whoever can open these files is the owner, so nobody is asked for a password.
    pub(crate) async fn session(&self) -> anyhow::Result<SignedIn> {
        let token = self.server.open_session(self.founded.owner).await?;
        let tenant = TenantSummary {
            id: self.founded.tenant,
            name: self.founded.name.clone(),
            role: Role::Owner,
            mode: Mode::Solo,
        };
        Ok(SignedIn {
            token: token.reveal().to_owned(),
            user_id: self.founded.owner,
            email: self.founded.email.clone(),
            tenants: vec![tenant],
        })
    }

    /// Vouches for the owner's device that shows `code`.
    pub(crate) async fn vouch(&self, code: &str) -> anyhow::Result<()> {
        let (tenant, email) = (self.founded.tenant, &self.founded.email);
        self.server.endorse(tenant, email, code).await?;
        Ok(())
    }

    /// Ends it once the requests under way have ended.
    pub(crate) async fn stop(&self) {
        self.stop.send_replace(true);
        self.stop.closed().await;
    }
}

async fn listen(server: &Server, port: u16) -> anyhow::Result<Listening> {
    match server.listen(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await {
        Err(ListenError::Bind(address, cause)) if cause.kind() == io::ErrorKind::AddrInUse => bail!(
            "Another program uses {address}, where your agents find Countersign. End that program, then \
             try again."
        ),
        other => Ok(other?),
    }
}

/// A folder without its marker is of a first run that did not get to its end. Nobody ever used it, and it is kept.
pub(crate) fn set_aside(data: &Path) -> io::Result<()> {
    let folder = data.join(FOLDER);
    if !folder.exists() {
        return Ok(());
    }
    let free = (1..)
        .map(|number: u32| data.join(format!("{FOLDER}.unfinished-{number}")))
        .find(|path: &PathBuf| !path.exists());
    free.map_or(Ok(()), |free| fs::rename(folder, free))
}

/// The owner of a tenant on this computer signs in by being on this computer, and with nothing else.
fn nobodys_password() -> anyhow::Result<Zeroizing<String>> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(bytes.as_mut_slice())?;
    Ok(Zeroizing::new(hex::encode(bytes.as_slice())))
}

/// Writes a file for its owner only, which is there whole or not at all.
pub(crate) fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = path.with_extension("new");
    let mut file = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    path.parent()
        .map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

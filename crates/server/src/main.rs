//! `countersign-server`: serves tenants, founds them, makes agents' keys, copies its data and takes it back, writes a
//! journal into a file, and brings back who has lost every device.
//!
//! Standard output carries the one line that a command promises and nothing else; logs go to standard error.

use std::{
    cell::LazyCell,
    io::{self, IsTerminal as _, Read as _, Write as _},
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use clap::{Args, Parser, Subcommand};
use countersign_domain::{bundle::Profile, id::TenantId, record::Mode};
use countersign_server::{
    Config, MAX_OPEN, MAX_RATE, NewTenant, OpenError, ProviderSettings, Server, Transport,
    backup::{self, Adoption, NewOwner},
    clock::{Clock as _, SystemClock},
    export,
};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use zeroize::Zeroizing;

/// What one thread allocates another one frees, request after request: the system's allocator takes an eighth of the
/// processor for that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long a command that goes on says nothing.
const SILENCE: Duration = Duration::from_secs(2);

/// The tenant server of Countersign.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve every tenant in the data folder; prints `listening on http://ADDR`.
    Serve(Serve),
    /// Found a tenant with its first owner; prints `{"tenantId","userId"}`.
    Init(Init),
    /// Register an agent of a tenant; prints `{"apiKey"}`, which is shown this once.
    AgentKey(AgentKey),
    /// Confirm a device that nobody else can confirm, journalled as done by the server; prints `{"deviceId"}`.
    Endorse(Endorse),
    /// Copy the data folder, also while a server runs on it, and check the copy; prints what it holds.
    Backup(Backup),
    /// Put a copy back into an empty data folder; prints what it holds.
    Restore(Restore),
    /// Take one tenant of a copy into this server's data folder; prints it.
    Adopt(Adopt),
    /// Write a tenant's journal into a file that proves itself, also while a server runs on it; prints what it holds.
    Export(Export),
    /// Give an account a password, and take it from the company's provider where it was bound to it; prints `{"email"}`.
    Password(Password),
}

#[derive(Debug, Args)]
struct Serve {
    /// The data folder. Made if absent, for its owner only.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Address and port; port 0 takes a free one.
    #[arg(long, value_name = "ADDR")]
    listen: SocketAddr,
    /// A name under which clients address the server, besides loopback and the listening address.
    #[arg(long = "host", value_name = "NAME")]
    hosts: Vec<String>,
    /// The certificate chain, as PEM.
    #[arg(
        long,
        value_name = "FILE",
        requires = "tls_key",
        conflicts_with = "behind_proxy"
    )]
    tls_cert: Option<PathBuf>,
    /// The certificate's key, as PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// A proxy in front ends TLS and sets X-Forwarded-For.
    #[arg(long)]
    behind_proxy: bool,
    /// Most proposals of one agent or person that wait for people at once; 0 for any number.
    #[arg(long, value_name = "N", default_value_t = MAX_OPEN)]
    max_open: usize,
    /// Most calls of one agent or person to propose within five minutes; 0 for any number.
    #[arg(long, value_name = "N", default_value_t = MAX_RATE)]
    max_rate: u32,
    #[command(flatten)]
    provider: Provider,
}

/// The company's OpenID provider, with which its people sign in.
#[derive(Debug, Args)]
struct Provider {
    /// The provider's issuer, as its `/.well-known/openid-configuration` writes it.
    #[arg(long, value_name = "URL", requires = "oidc_client_id")]
    oidc_issuer: Option<String>,
    /// The client that the provider knows this server as. Register it as a native app with the redirect address
    /// `http://127.0.0.1/signed-in`.
    #[arg(long, value_name = "ID", requires = "oidc_issuer")]
    oidc_client_id: Option<String>,
    /// A file with the client's secret, where the provider gave one.
    #[arg(long, value_name = "FILE", requires = "oidc_issuer")]
    oidc_client_secret: Option<PathBuf>,
    /// What people call the provider; the issuer's host when absent.
    #[arg(long, value_name = "NAME", requires = "oidc_issuer")]
    oidc_name: Option<String>,
    /// A domain whose e-mail addresses may sign in; all when absent.
    #[arg(long = "oidc-domain", value_name = "DOMAIN", requires = "oidc_issuer")]
    oidc_domains: Vec<String>,
}

#[derive(Debug, Args)]
struct Init {
    /// The data folder. Made if absent, for its owner only.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The tenant's name.
    #[arg(long, value_name = "NAME")]
    tenant: String,
    /// The owner's e-mail address.
    #[arg(long, value_name = "E")]
    email: String,
    /// The owner's name; the address's first part when absent.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Read the owner's password from standard input: an argument would show in the process list.
    #[arg(long, required = true)]
    password_stdin: bool,
    /// For one person: rules that separate people become confirmations.
    #[arg(long)]
    solo: bool,
}

#[derive(Debug, Args)]
struct AgentKey {
    /// The data folder.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The tenant's id.
    #[arg(long, value_name = "ID")]
    tenant: TenantId,
    /// The agent's name.
    #[arg(long, value_name = "NAME")]
    name: String,
}

#[derive(Debug, Args)]
struct Endorse {
    /// The data folder.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The tenant's id.
    #[arg(long, value_name = "ID")]
    tenant: TenantId,
    /// The e-mail address of the person whose device it is. Make sure that it is that person who asks.
    #[arg(long, value_name = "E")]
    email: String,
    /// The six digits that the new device shows.
    #[arg(long, value_name = "DIGITS")]
    code: String,
}

#[derive(Debug, Args)]
struct Backup {
    /// The data folder.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The copy. Made, for its owner only; it has the key that signs the log, so keep it as safe as the data folder.
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
}

#[derive(Debug, Args)]
struct Restore {
    /// The copy.
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    /// The data folder. Made if absent, for its owner only.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
}

#[derive(Debug, Args)]
struct Adopt {
    /// The copy.
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    /// The data folder of the server that takes the tenant in; the server must not run.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The tenant's id.
    #[arg(long, value_name = "ID")]
    tenant: TenantId,
    /// The address under which the owner signs in from now on.
    #[arg(long, value_name = "E", requires = "password_stdin")]
    email: Option<String>,
    /// Read the owner's new password from standard input.
    #[arg(long, requires = "email")]
    password_stdin: bool,
    /// Take it in also where another tenant of the server has its name.
    #[arg(long)]
    same_name: bool,
}

#[derive(Debug, Args)]
struct Export {
    /// The data folder, or a copy that `backup` has made.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The tenant's id.
    #[arg(long, value_name = "ID")]
    tenant: TenantId,
    /// Leave out what was asked for and what came of it; the rest still verifies.
    #[arg(long)]
    redacted: bool,
    /// The file, which must not be there yet; one of its own name in the current folder when absent.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Password {
    /// The data folder.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The account's e-mail address.
    #[arg(long, value_name = "E")]
    email: String,
    /// Read the password from standard input: an argument would show in the process list.
    #[arg(long, required = true)]
    password_stdin: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    log_to_stderr();
    let outcome = match cli.command {
        Command::Serve(serve) => serve.run().await,
        Command::Init(init) => init.run().await,
        Command::AgentKey(agent_key) => agent_key.run().await,
        Command::Endorse(endorse) => endorse.run().await,
        Command::Backup(backup) => backup.run(),
        Command::Restore(restore) => restore.run(),
        Command::Adopt(adopt) => adopt.run().await,
        Command::Export(export) => export.run(),
        Command::Password(password) => password.run().await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "countersign-server: {error:#}");
            ExitCode::FAILURE
        }
    }
}

impl Serve {
    async fn run(self) -> anyhow::Result<()> {
        // Caught from here on: a stop during start-up must not tear anything.
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let mut config = Config::new(self.data);
        config.hosts = self.hosts;
        config.max_open = Some(self.max_open).filter(|most| *most > 0);
        config.max_rate = Some(self.max_rate).filter(|most| *most > 0);
        config.transport = match (self.tls_cert, self.tls_key, self.behind_proxy) {
            (Some(certificates), Some(key), _) => Transport::Tls { certificates, key },
            (_, _, true) => Transport::BehindProxy,
            (_, _, false) => Transport::Loopback,
        };
        config.provider = self.provider.settings()?;
        let server = Server::open(config).await?;
        let listening = server.listen(self.listen).await?;
        print(&format!("listening on {}", listening.url()))?;
        let stop = async {
            tokio::select! {
                _ = terminate.recv() => (),
                _ = interrupt.recv() => (),
            }
            tracing::info!("Stopping: requests under way get ten seconds.");
        };
        server.serve(listening, stop).await;
        Ok(())
    }
}

impl Init {
    async fn run(self) -> anyhow::Result<()> {
        let password = password_from_stdin()?;
        let owner = self
            .name
            .unwrap_or_else(|| self.email.split('@').next().unwrap_or_default().to_owned());
        let mode = if self.solo { Mode::Solo } else { Mode::Company };
        let server = Server::open(Config::new(self.data)).await?;
        let new = NewTenant {
            name: self.tenant,
            mode,
            email: self.email,
            owner,
            password,
        };
        let (tenant, user) = server.found_tenant(new).await?;
        print(&json!({"tenantId": tenant, "userId": user}).to_string())
    }
}

impl AgentKey {
    async fn run(self) -> anyhow::Result<()> {
        let server = match Server::open(Config::new(self.data)).await {
            Err(error @ OpenError::InUse(_)) => {
                return Err(error).context(
                    "while the server runs, an owner or admin makes agents' keys with POST /api/agents or in the app",
                );
            }
            other => other?,
        };
        let (_, key) = server.add_agent(self.tenant, &self.name).await?;
        print(&json!({"apiKey": key.reveal()}).to_string())
    }
}

impl Endorse {
    async fn run(self) -> anyhow::Result<()> {
        let server = match Server::open(Config::new(self.data)).await {
            Err(error @ OpenError::InUse(_)) => {
                return Err(error).context(
                    "stop the server first; while it runs, an admin who is another person confirms the device in the app",
                );
            }
            other => other?,
        };
        let device = server.endorse(self.tenant, &self.email, &self.code).await?;
        print(&json!({"deviceId": device}).to_string())
    }
}

impl Backup {
    fn run(self) -> anyhow::Result<()> {
        let made = backup::back_up(&self.data, &self.to, SystemClock.now())?;
        print(&serde_json::to_string(&made)?)
    }
}

impl Restore {
    fn run(self) -> anyhow::Result<()> {
        let restored = backup::restore(&self.from, &self.data)?;
        print(&serde_json::to_string(&restored)?)
    }
}

impl Adopt {
    async fn run(self) -> anyhow::Result<()> {
        let owner = match self.email {
            None => None,
            Some(email) => Some(NewOwner {
                email,
                password: password_from_stdin()?,
            }),
        };
        let how = Adoption {
            owner,
            same_name: self.same_name,
        };
        let now = SystemClock.now();
        let adopted = backup::adopt(&self.from, &self.data, self.tenant, how, now).await?;
        for note in &adopted.notes {
            let _ = writeln!(io::stderr(), "countersign-server: {note}");
        }
        print(&serde_json::to_string(&adopted.tenant)?)
    }
}

impl Export {
    fn run(self) -> anyhow::Result<()> {
        let profile = if self.redacted {
            Profile::Redacted
        } else {
            Profile::Full
        };
        // Until something is written there is nothing to tidy up.
        let stopped = LazyCell::new(stopped);
        let mut said = Instant::now();
        let exported = export::export(&self.data, self.tenant, profile, self.output, |entries, all| {
            if said.elapsed() >= SILENCE {
                said = Instant::now();
                let _ = writeln!(io::stderr(), "countersign-server: {entries} of {all} entries");
            }
            !stopped.load(Ordering::Relaxed)
        })?;
        print(&serde_json::to_string(&exported)?)
    }
}

impl Provider {
    fn settings(self) -> anyhow::Result<Option<ProviderSettings>> {
        let (Some(issuer), Some(client_id)) = (self.oidc_issuer, self.oidc_client_id) else {
            return Ok(None);
        };
        let secret = self.oidc_client_secret.map(|file| {
            let text = std::fs::read_to_string(&file)
                .with_context(|| format!("reading the client secret in {}", file.display()))?;
            anyhow::Ok(text.trim_end_matches(['\r', '\n']).to_owned())
        });
        let settings = ProviderSettings::new(
            &issuer,
            &client_id,
            secret.transpose()?,
            self.oidc_name.as_deref(),
            &self.oidc_domains,
        );
        Ok(Some(settings.context("the company's provider")?))
    }
}

impl Password {
    async fn run(self) -> anyhow::Result<()> {
        let password = password_from_stdin()?;
        let server = match Server::open(Config::new(self.data)).await {
            Err(error @ OpenError::InUse(_)) => return Err(error).context("stop the server first"),
            other => other?,
        };
        server.set_password(&self.email, password).await?;
        print(&json!({"email": self.email}).to_string())
    }
}

/// Becomes true when this process is asked to end, which does not end it from here on.
fn stopped() -> Arc<AtomicBool> {
    let stopped = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stopped);
    let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    if let (Ok(mut terminate), Ok(mut interrupt)) = signals {
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => (),
                _ = interrupt.recv() => (),
            }
            told.store(true, Ordering::Relaxed);
        });
    }
    stopped
}

fn password_from_stdin() -> anyhow::Result<Zeroizing<String>> {
    if io::stdin().is_terminal() {
        bail!("give the password on standard input, for example from a password manager through a pipe");
    }
    let mut password = Zeroizing::new(String::new());
    io::stdin()
        .take(4096)
        .read_to_string(&mut password)
        .context("reading the password")?;
    // A pipe ends in a newline that is not part of it.
    Ok(Zeroizing::new(password.trim_end_matches(['\r', '\n']).to_owned()))
}

fn print(line: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()?;
    Ok(())
}

fn log_to_stderr() {
    let filter = EnvFilter::try_from_env("COUNTERSIGN_LOG")
        .unwrap_or_else(|_| EnvFilter::new("info,refinery_core=warn"));
    tracing_subscriber::fmt()
        .json()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .init();
}

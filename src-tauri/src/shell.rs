//! What the commands, the tray and the event loop share, and how the app starts and ends.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use countersign_domain::id::TenantId;
use countersign_engine::{
    Connect, Credential, Engine, EngineError, Phase,
    keychain::Keychain,
    ports::{Ports, SystemClock},
};
use tokio::sync::{Notify, OnceCell, watch};

use crate::{
    embedded::{Embedded, Owner},
    error::{CommandError, ErrorCode},
    files::Saving,
    notifier::DesktopNotifier,
    tray::Glance,
    view::{app::AppState, stops::Scope},
    window::Navigation,
};

/// The engine's folder, inside the app's own.
const ENGINE: &str = "desktop";

/// The app's one shared thing: handles, and no rule.
#[derive(Debug)]
pub struct Shell {
    data: PathBuf,
    /// Where the log is kept, if it is.
    log: Option<PathBuf>,
    notifier: DesktopNotifier,
    /// The sentence for the person, where the engine cannot even be made.
    engine: Result<Engine, String>,
    embedded: OnceCell<Embedded>,
    /// Why this computer's folder or tenant is not open.
    trouble: watch::Sender<Option<String>>,
    pub(crate) navigation: Navigation,
    /// Whether the desktop shows our icon.
    pub(crate) tray_host: watch::Sender<bool>,
    /// The tray is to look again.
    pub(crate) glance: Arc<Notify>,
    /// The person does not wait for the browser any longer.
    pub(crate) browser_left: Notify,
    pub(crate) saving: Saving,
    /// The person ends the app.
    pub(crate) quit: Notify,
}

impl Shell {
    /// Opens nothing yet: [`Self::start`] does.
    pub(crate) fn new(data: PathBuf, log: Option<PathBuf>, notifier: DesktopNotifier) -> Self {
        let ports = Ports {
            clock: Arc::new(SystemClock),
            secrets: Arc::new(Keychain),
            notifier: Arc::new(notifier.clone()),
        };
        let engine = Engine::new(data.join(ENGINE), ports).map_err(|error| error.message);
        Self {
            data,
            log,
            notifier,
            engine,
            embedded: OnceCell::new(),
            trouble: watch::Sender::default(),
            navigation: Navigation::default(),
            tray_host: watch::Sender::default(),
            glance: Arc::default(),
            browser_left: Notify::new(),
            saving: Saving::default(),
            quit: Notify::new(),
        }
    }

    /// The engine, for everything but telling why there is none.
    pub(crate) fn engine(&self) -> Result<&Engine, CommandError> {
        self.engine.as_ref().map_err(|message| CommandError {
            code: ErrorCode::NotReady,
            message: message.clone(),
            field: None,
        })
    }

    /// Why nothing can go on, if so.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.engine
            .as_ref()
            .err()
            .cloned()
            .or_else(|| self.trouble.borrow().clone())
    }

    /// Whether the app could not be opened, for another reason than the keychain.
    pub(crate) fn is_stuck(&self) -> bool {
        self.trouble().is_some()
            || self
                .engine()
                .is_ok_and(|engine| matches!(engine.phase(), Phase::Fatal { .. }))
    }

    /// Opens what was set up on this computer. Also *Try again*, where that has failed.
    pub(crate) async fn start(&self) {
        let opened = self.open().await;
        if let Err(error) = &opened {
            tracing::error!("What is on this computer does not open: {error:#}");
        }
        self.trouble
            .send_replace(opened.err().map(|error| format!("{error:#}")));
    }

    /// The tenant comes after the keychain: without it nothing is opened.
    async fn open(&self) -> anyhow::Result<()> {
        let Ok(engine) = &self.engine else { return Ok(()) };
        private_folder(&self.data).with_context(|| format!("{} cannot be used", self.data.display()))?;
        let is_here = Embedded::is_there(&self.data);
        // Until the tenant listens at its address another program may, and is not to get the session's token.
        engine.cut_off(is_here && !self.embedded.initialized());
        let phase = engine.start().await;
        if !is_here || matches!(phase, Phase::Keychain { .. } | Phase::Fatal { .. }) {
            return Ok(());
        }
        let embedded = self
            .embedded
            .get_or_try_init(|| Embedded::open(&self.data))
            .await?;
        say(format_args!(
            "Agents propose at {}/api/assistant/propose",
            embedded.url()
        ));
        engine.cut_off(false);
        self.resume().await;
        Ok(())
    }

    /// The owner of a tenant on this computer never has to sign in: an ended session is followed by a fresh one.
    pub(crate) async fn resume(&self) {
        let (Ok(engine), Some(embedded)) = (&self.engine, self.embedded.get()) else {
            return;
        };
        let ours = |url: &str| url.trim_end_matches('/') == embedded.url();
        if matches!(engine.phase(), Phase::SignIn { tenant_url, .. } if ours(&tenant_url))
            && let Err(error) = self.sit_down(engine, embedded).await
        {
            tracing::warn!("No fresh session on this computer: {}", error.message);
        }
    }

    /// Makes the tenant on this computer, and this device's key in it. What an earlier try has made is used.
    ///
    /// # Errors
    /// When the keychain, the disk or a field say no.
    pub(crate) async fn set_up_here(&self, owner: Owner) -> Result<(), CommandError> {
        let engine = self.engine()?;
        if engine.phase() != Phase::FirstRun {
            return Err(CommandError::not_ready(
                "Countersign is set up on this computer already.",
            ));
        }
        // Before anything is made: without a keychain there would be a tenant that nobody can sign for.
        engine.check_keychain().await?;
        let was_there = Embedded::is_there(&self.data);
        let embedded = self
            .embedded
            .get_or_try_init(|| async {
                if was_there {
                    Embedded::open(&self.data).await
                } else {
                    Embedded::found(&self.data, owner).await
                }
            })
            .await?;
        say(format_args!(
            "Agents propose at {}/api/assistant/propose",
            embedded.url()
        ));
        // It listens at its address now.
        engine.cut_off(false);
        self.sit_down(engine, embedded).await?;
        if was_there && let Some(code) = engine.enrolment_code().await? {
            // Not its first device: the one before was lost with its keychain. Whoever has this folder is its owner, and the
            // journal says that the tenant vouched.
            embedded.vouch(&code).await?;
            engine.refresh();
        }
        Ok(())
    }

    /// The app's own folder.
    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// The tenant that somebody is signed in to.
    pub(crate) fn tenant(&self) -> Result<TenantId, CommandError> {
        self.engine()?
            .tenant()
            .ok_or_else(|| CommandError::not_ready("Sign in first."))
    }

    /// What the frame of the window shows.
    pub(crate) async fn app_state(&self) -> Result<AppState, CommandError> {
        let state = match &self.engine {
            Ok(engine) => Some(engine.app_state().await?),
            Err(_) => None,
        };
        Ok(AppState::new(
            state,
            self.trouble(),
            self.log.as_ref().map(|log| log.display().to_string()),
            env!("CARGO_PKG_VERSION").to_owned(),
            self.is_here(),
        ))
    }

    /// What the tray shows: nothing to decide where nobody is signed in.
    pub(crate) async fn glance(&self) -> Glance {
        self.app_state().await.map_or_else(
            |_| Glance::default(),
            |state| Glance {
                counts: state.counts,
                paused: state.notifications_paused,
                stopped: state.stops.iter().any(|stop| stop.scope == Scope::Tenant),
                may_stop: state.stop.allowed,
            },
        )
    }

    /// Stops everything, from the tray.
    pub(crate) async fn stop_everything(&self) -> Result<(), CommandError> {
        let reason = Some("Stopped from the tray".to_owned());
        Ok(self
            .engine()?
            .stop(countersign_domain::record::Scope::Tenant, reason)
            .await?)
    }

    /// Pauses the notices, or lets them come again.
    pub(crate) async fn toggle_notifications(&self) -> Result<(), CommandError> {
        let paused = self.app_state().await?.notifications_paused;
        Ok(self.engine()?.pause_notifications(!paused).await?)
    }

    /// Opens what did not open. What is still in the way is in the phase; a keychain that still says no is an error too.
    pub(crate) async fn try_again(&self) -> Result<(), CommandError> {
        let engine = self.engine()?;
        self.start().await;
        match engine.phase() {
            Phase::Keychain { message, .. } => Err(CommandError {
                code: ErrorCode::Keychain,
                message,
                field: None,
            }),
            Phase::FirstRun => Ok(engine.check_keychain().await?),
            Phase::Starting | Phase::SignIn { .. } | Phase::Fatal { .. } | Phase::Ready => Ok(()),
        }
    }

    /// Begins anew where the keychain has lost this device's entry. On a computer with a tenant of its own the new device goes into
    /// service at once.
    pub(crate) async fn begin_anew(&self) -> Result<(), CommandError> {
        self.engine()?.begin_anew().await?;
        if !Embedded::is_there(&self.data) {
            return Ok(());
        }
        let known = Owner {
            name: String::new(),
            email: None,
        };
        self.set_up_here(known).await
    }

    /// Whether the tenant is the one inside this app.
    pub(crate) fn is_here(&self) -> bool {
        self.embedded.initialized()
    }

    /// Ends what runs in the background. Everything that matters is on the disk already.
    pub(crate) async fn end(&self) {
        self.notifier.close().await;
        self.saving.stop();
        if let Ok(engine) = &self.engine {
            // Before the tenant on this computer: what a call has done is told to it.
            engine.close().await;
        }
        if let Some(embedded) = self.embedded.get() {
            embedded.stop().await;
        }
    }

    async fn sit_down(&self, engine: &Engine, embedded: &Embedded) -> Result<(), EngineError> {
        let session = embedded.session().await.map_err(|error| {
            tracing::error!("No session on this computer: {error:#}");
            EngineError {
                code: countersign_engine::ErrorCode::Internal,
                message: "The tenant on this computer does not let you in. The log has the details."
                    .to_owned(),
                field: None,
            }
        })?;
        engine
            .connect(Connect {
                url: embedded.url().to_owned(),
                email: embedded.email().to_owned(),
                credential: Credential::Session(session),
                device_name: device_name(),
                tenant: None,
            })
            .await
    }
}

/// Where the app keeps everything: its own folder, for its owner only.
pub(crate) fn private_folder(data: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(data)?;
    std::fs::set_permissions(data, std::fs::Permissions::from_mode(0o700))
}

/// What this computer calls itself.
pub(crate) fn device_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.trim().is_empty() {
        "This computer".to_owned()
    } else {
        name
    }
}

/// For whoever started the app from a terminal or a script.
pub(crate) fn say(words: std::fmt::Arguments<'_>) {
    // A closed standard output is nobody's loss.
    drop(writeln!(io::stdout(), "{words}"));
}

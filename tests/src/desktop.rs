//! A private desktop without a screen: its own folders, session bus, display, keyring, notification daemon, tray watcher
//! and window manager. The same parts as `scripts/session.sh`, each of which a test can take away and bring back.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use zbus::fdo::DBusProxy;
use zbus::names::BusName;
use zbus::zvariant::{ObjectPath, OwnedObjectPath, OwnedValue, Value};

use crate::process::{self, Process, bound};
use crate::{eventually, repository};

/// How long a part may take to be there. A loaded machine of two cores needs seconds.
const START: Duration = Duration::from_secs(20);
/// How long what was killed may take to be gone.
const END: Duration = Duration::from_secs(3);
/// Carried by everything that a desktop starts, so that nothing of it is left behind.
const MARK: &str = "COUNTERSIGN_SESSION";
/// In a desktop's folder, what was opened in its browser.
const OPENED: &str = "opened";
/// An empty password would make no login collection, and every write would fail.
const PASSWORD: &str = "countersign\n";

/// A part of the desktop that a test can stop and start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The Secret Service, gnome-keyring.
    Keyring,
    /// The notification daemon, dunst.
    Notifications,
    /// Where tray icons announce themselves, `status-notifier-watcher`.
    Tray,
    /// The window manager, openbox.
    Windows,
}

/// The state that the keyring starts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keyring {
    /// As after a person has signed in.
    Unlocked,
    /// As when it was never opened in this session.
    Locked,
}

/// The desktop. Dropping it ends all its processes, also those that its programs left behind.
#[derive(Debug)]
pub struct Desktop {
    parts: BTreeMap<Part, Process>,
    bus: zbus::Connection,
    display: String,
    mark: String,
    /// The runtime folder has a short path: a socket's path has at most 107 bytes.
    runtime: TempDir,
    folder: TempDir,
    // Dropped after the parts, which need them to end well.
    _bus_daemon: Process,
    _display_server: Process,
}

impl Desktop {
    /// Starts the whole desktop, with the keyring unlocked.
    pub async fn start() -> Result<Self> {
        let folder = TempDir::with_prefix("countersign-desktop-")?;
        let runtime = TempDir::with_prefix_in("cs-", "/tmp")?;
        for name in ["home", "config", "data", "cache", "state", "log", "bin"] {
            DirBuilder::new().mode(0o700).create(folder.path().join(name))?;
        }
        browser(folder.path())?;
        let mark = format!("{}-{}", std::process::id(), folder.path().display());

        let mut server = bound("Xvfb");
        server.args([
            "-displayfd",
            "1",
            "-screen",
            "0",
            "1400x900x24",
            "-nolisten",
            "tcp",
            "-noreset",
        ]);
        server
            .env(MARK, &mark)
            .stdout(Stdio::piped())
            .stderr(log(&folder, "display")?)
            .stdin(Stdio::null());
        let mut display_server = Process::start(server)?;
        let mut number = String::new();
        BufReader::new(display_server.stdout()?).read_line(&mut number)?;
        ensure!(!number.trim().is_empty(), "Xvfb found no free display");

        let address = format!("unix:path={}/bus", runtime.path().display());
        let mut daemon = bound("dbus-daemon");
        daemon
            .arg("--config-file")
            .arg(repository().join("tests/window/session-bus.conf"))
            .args([
                "--nofork",
                "--nopidfile",
                "--print-address=1",
                "--address",
                &address,
            ])
            .env(MARK, &mark)
            .stdout(Stdio::piped())
            .stderr(log(&folder, "bus")?)
            .stdin(Stdio::null());
        let mut bus_daemon = Process::start(daemon)?;
        let mut listening = String::new();
        BufReader::new(bus_daemon.stdout()?).read_line(&mut listening)?;
        ensure!(!listening.trim().is_empty(), "dbus-daemon did not start");
        let bus = zbus::connection::Builder::address(address.as_str())?
            .build()
            .await?;

        let mut desktop = Self {
            parts: BTreeMap::new(),
            bus,
            display: format!(":{}", number.trim()),
            mark,
            runtime,
            folder,
            _bus_daemon: bus_daemon,
            _display_server: display_server,
        };
        desktop.start_keyring(Keyring::Unlocked).await?;
        for part in [Part::Windows, Part::Notifications, Part::Tray] {
            desktop.restart(part).await?;
        }
        Ok(desktop)
    }

    /// A command that runs on this desktop and nowhere else. It is the caller's to wait for; what is still running at the
    /// end is killed.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        self.at_home(Command::new(program))
    }

    /// The same for a program that is to end with its [`Process`].
    pub(crate) fn bound_command(&self, program: impl AsRef<OsStr>) -> Command {
        self.at_home(bound(program))
    }

    /// The session bus, as a test's own connection.
    pub fn bus(&self) -> &zbus::Connection {
        &self.bus
    }

    /// A second connection, for who must be alone on it.
    pub async fn another_connection(&self) -> Result<zbus::Connection> {
        Ok(zbus::connection::Builder::address(self.bus_address().as_str())?
            .build()
            .await?)
    }

    /// Where programs on this desktop keep their data (`XDG_DATA_HOME`).
    pub fn data_folder(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Where the desktop's parts write what they say.
    pub fn log_folder(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// A file for the output of a program on this desktop.
    pub fn log_file(&self, name: &str) -> Result<File> {
        log(&self.folder, name)
    }

    /// The addresses that programs on this desktop have opened in its browser, oldest first.
    pub fn opened(&self) -> Vec<String> {
        let text = fs::read_to_string(self.folder.path().join(OPENED)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// The private runtime folder (`XDG_RUNTIME_DIR`).
    pub fn runtime_folder(&self) -> &Path {
        self.runtime.path()
    }

    /// Takes a part away, as if it had crashed or was never installed.
    pub fn stop(&mut self, part: Part) {
        drop(self.parts.remove(&part));
    }

    /// Starts a part, or starts it again, and waits until it answers. The keyring comes back unlocked.
    pub async fn restart(&mut self, part: Part) -> Result<()> {
        match part {
            Part::Keyring => self.start_keyring(Keyring::Unlocked).await,
            Part::Notifications => {
                let mut dunst = bound("dunst");
                dunst
                    .arg("-config")
                    .arg(repository().join("tests/window/dunstrc"));
                self.put(part, dunst, Stdio::null())?;
                self.owned("org.freedesktop.Notifications").await
            }
            Part::Tray => {
                self.put(part, bound("status-notifier-watcher"), Stdio::null())?;
                self.owned("org.kde.StatusNotifierWatcher").await
            }
            Part::Windows => self.put(part, bound("openbox"), Stdio::null()),
        }
    }

    /// Starts the keyring in `state`. What it holds stays from one start to the next; a keyring that was never unlocked
    /// has no collection at all.
    pub async fn start_keyring(&mut self, state: Keyring) -> Result<()> {
        let mut keyring = bound("gnome-keyring-daemon");
        keyring.args(["--foreground", "--components=secrets"]);
        match state {
            Keyring::Locked => self.put(Part::Keyring, keyring, Stdio::null())?,
            Keyring::Unlocked => {
                keyring.arg("--unlock");
                self.put(Part::Keyring, keyring, Stdio::piped())?;
                let running = self
                    .parts
                    .get_mut(&Part::Keyring)
                    .context("it was just started")?;
                // Closing the pipe says that the password is whole.
                running.stdin()?.write_all(PASSWORD.as_bytes())?;
            }
        }
        self.owned("org.freedesktop.secrets").await
    }

    /// Unlocks the keyring that runs, as a person does who types their password where it asks for it. Nothing on this
    /// desktop asks, so it is told by the call that the prompt would make.
    pub async fn unlock_keyring(&self) -> Result<()> {
        const SERVICE: &str = "org.freedesktop.secrets";
        const PATH: &str = "/org/freedesktop/secrets";
        let plain = ("plain", Value::from(""));
        let opened = self
            .bus
            .call_method(
                Some(SERVICE),
                PATH,
                Some("org.freedesktop.Secret.Service"),
                "OpenSession",
                &plain,
            )
            .await?;
        let (_, session): (OwnedValue, OwnedObjectPath) = opened.body().deserialize()?;
        let login = ObjectPath::try_from("/org/freedesktop/secrets/collection/login")?;
        let password = (
            session,
            Vec::<u8>::new(),
            PASSWORD.as_bytes().to_vec(),
            "text/plain",
        );
        let interface = "org.gnome.keyring.InternalUnsupportedGuiltRiddenInterface";
        self.bus
            .call_method(
                Some(SERVICE),
                PATH,
                Some(interface),
                "UnlockWithMasterPassword",
                &(login, password),
            )
            .await
            .context("unlocking the keyring")?;
        Ok(())
    }

    /// The whole screen as a PNG.
    pub fn screenshot(&self, to: &Path) -> Result<()> {
        let taken = self
            .command("import")
            .args(["-window", "root"])
            .arg(to)
            .status()?;
        ensure!(taken.success(), "import could not take the screen");
        Ok(())
    }

    /// The ids of all processes that belong to this desktop.
    pub fn processes(&self) -> Vec<u32> {
        process::carriers_of(MARK, &self.mark)
    }

    /// The ids of those that run `program`.
    pub fn running(&self, program: &Path) -> Result<Vec<u32>> {
        let program = fs::canonicalize(program)?;
        let runs = |pid: &u32| fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == program);
        Ok(self.processes().into_iter().filter(runs).collect())
    }

    /// Kills (SIGKILL) every process of this desktop that runs `program`, waits until they are gone, and gives how many
    /// there were.
    pub async fn kill(&self, program: &Path) -> Result<usize> {
        let found = self.running(program)?;
        found.iter().copied().for_each(process::kill);
        eventually(&format!("{} gone", program.display()), END, async || {
            Ok(self.running(program)?.is_empty().then_some(()))
        })
        .await?;
        Ok(found.len())
    }

    fn put(&mut self, part: Part, command: Command, input: Stdio) -> Result<()> {
        self.stop(part);
        let name = format!("{part:?}").to_lowercase();
        let mut command = self.at_home(command);
        command
            .stdin(input)
            .stdout(self.log_file(&name)?)
            .stderr(self.log_file(&name)?);
        self.parts.insert(part, Process::start(command)?);
        Ok(())
    }

    async fn owned(&self, name: &str) -> Result<()> {
        let bus = DBusProxy::new(&self.bus).await?;
        eventually(&format!("{name} on the session bus"), START, async || {
            Ok(bus.name_has_owner(BusName::try_from(name)?).await?.then_some(()))
        })
        .await
    }

    fn bus_address(&self) -> String {
        format!("unix:path={}/bus", self.runtime.path().display())
    }

    fn at_home(&self, mut command: Command) -> Command {
        let at = |name: &str| self.folder.path().join(name);
        let inherited = std::env::var_os("PATH").unwrap_or_default();
        let mut path = at("bin").into_os_string();
        path.push(":");
        path.push(inherited);
        command
            .env("PATH", path)
            .env(MARK, &self.mark)
            .env("HOME", at("home"))
            .env("XDG_CONFIG_HOME", at("config"))
            .env("XDG_DATA_HOME", at("data"))
            .env("XDG_CACHE_HOME", at("cache"))
            .env("XDG_STATE_HOME", at("state"))
            .env("XDG_RUNTIME_DIR", self.runtime.path())
            .env("DBUS_SESSION_BUS_ADDRESS", self.bus_address())
            .env("DISPLAY", &self.display)
            // GTK would start an accessibility bus, which outlives the desktop.
            .env("NO_AT_BRIDGE", "1")
            .env("GTK_A11Y", "none")
            .env_remove("WAYLAND_DISPLAY")
            .env_remove("XAUTHORITY");
        command
    }
}

/// What opens an address on a desktop, which has no browser: it writes the address down, for a test to go on with.
fn browser(folder: &Path) -> Result<()> {
    let mut script = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o700)
        .open(folder.join("bin/xdg-open"))?;
    writeln!(
        script,
        "#!/bin/sh\nprintf '%s\\n' \"$1\" >>'{}'",
        folder.join(OPENED).display()
    )?;
    Ok(())
}

impl Drop for Desktop {
    fn drop(&mut self) {
        self.parts.clear();
        // A killed process ends a moment later.
        let from = Instant::now();
        while from.elapsed() < END {
            let left = self.processes();
            if left.is_empty() {
                break;
            }
            left.into_iter().for_each(process::kill);
            thread::sleep(Duration::from_millis(5));
        }
    }
}

fn log(folder: &TempDir, name: &str) -> Result<File> {
    let path = folder.path().join("log").join(format!("{name}.log"));
    fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .with_context(|| path.display().to_string())
}

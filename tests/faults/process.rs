//! The two programs that are killed: the server, and a desktop without its window.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::process::ExitStatusExt as _,
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use countersign_e2e::workspace_binary;
use countersign_faults::{CRASH_AT, Point};

/// For a loaded machine, not for the code.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// How a process ended that was killed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Death {
    /// By its own hand, at the point that was armed.
    AtPoint,
    Killed,
}

/// What a hand has said.
#[derive(Default)]
pub(crate) struct Said {
    /// Ids of decisions that it called saved.
    pub(crate) saved: BTreeSet<String>,
    ready: bool,
    alarmed: bool,
    checked: Option<String>,
}

/// A running program; killed when dropped.
pub(crate) struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    what: &'static str,
}

impl Process {
    fn spawn(
        mut command: Command,
        armed: Option<(Point, u64)>,
        log: &Path,
        what: &'static str,
    ) -> Result<Self> {
        if let Some((point, count)) = armed {
            command.env(CRASH_AT, format!("{}:{count}", point.name()));
        }
        let log = File::options().create(true).append(true).open(log)?;
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .with_context(|| format!("starting the {what}"))?;
        let stdin = child.stdin.take();
        Ok(Self { child, stdin, what })
    }

    /// The server over a data folder, at a port that stays the same.
    pub(crate) fn server(folder: &Path, port: u16, armed: Option<(Point, u64)>) -> Result<Self> {
        let mut command = Command::new(workspace_binary("countersign-server")?);
        command
            .args(["serve", "--max-open", "0", "--max-rate", "0", "--listen"])
            .arg(format!("127.0.0.1:{port}"))
            .arg("--data")
            .arg(folder.join("data"))
            .env("COUNTERSIGN_LOG", "warn");
        Self::spawn(command, armed, &folder.join("server.log"), "server")
    }

    /// A desktop that decides whatever waits.
    pub(crate) fn hand(
        folder: &Path,
        port: u16,
        armed: Option<(Point, u64)>,
        said: &Arc<Mutex<Said>>,
    ) -> Result<Self> {
        let mut command = Command::new(workspace_binary("countersign-hand")?);
        command
            .arg(folder)
            .arg(format!("http://127.0.0.1:{port}"))
            .env("COUNTERSIGN_LOG", "warn");
        let mut hand = Self::spawn(command, armed, &folder.join("hand.log"), "desktop")?;
        let out = hand.child.stdout.take().context("standard output")?;
        let said = Arc::clone(said);
        Said::of(&said).ready = false;
        thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let mut said = Said::of(&said);
                match line.split_once(' ') {
                    Some(("saved", id)) => {
                        said.saved.insert(id.to_owned());
                    }
                    Some(("alarm", answer)) => said.alarmed |= answer == "true",
                    Some(("checked", answer)) => said.checked = Some(answer.to_owned()),
                    _ => said.ready |= line == "ready",
                }
            }
        });
        Ok(hand)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has. Whatever is neither a kill nor the armed point is a mistake of the program's.
    pub(crate) fn ended(&mut self) -> Result<Option<Death>> {
        let Some(status) = self.child.try_wait()? else {
            return Ok(None);
        };
        match status.signal() {
            Some(6) => Ok(Some(Death::AtPoint)),
            Some(9) => Ok(Some(Death::Killed)),
            _ => bail!("the {} ended by itself: {status}", self.what),
        }
    }

    /// Ends it here and now, if it has not ended.
    pub(crate) fn kill(mut self) -> Result<Death> {
        if let Some(death) = self.ended()? {
            return Ok(death);
        }
        self.child.kill()?;
        self.child.wait()?;
        Ok(Death::Killed)
    }

    /// Waits until the desktop says that the log is not the one it was.
    pub(crate) fn await_alarm(&mut self, said: &Arc<Mutex<Said>>) -> Result<()> {
        let begin = Instant::now();
        while !Said::of(said).is_alarmed() {
            let stdin = self.stdin.as_mut().context("standard input")?;
            writeln!(stdin, "alarm")?;
            ensure!(begin.elapsed() < PATIENCE, "the desktop never noticed");
            thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// Has the journal verified from its first entry, and says of how many entries it is.
    pub(crate) fn check(&mut self, said: &Arc<Mutex<Said>>) -> Result<u64> {
        let stdin = self.stdin.as_mut().context("standard input")?;
        writeln!(stdin, "check")?;
        let begin = Instant::now();
        loop {
            if let Some(answer) = Said::of(said).checked.take() {
                let size = answer
                    .strip_prefix("true ")
                    .with_context(|| format!("the journal: {answer}"))?;
                return Ok(size.parse()?);
            }
            ensure!(begin.elapsed() < PATIENCE, "the desktop does not answer");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Said {
    pub(crate) const fn is_alarmed(&self) -> bool {
        self.alarmed
    }

    pub(crate) fn of(said: &Mutex<Self>) -> MutexGuard<'_, Self> {
        said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) const fn is_ready(&self) -> bool {
        self.ready
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

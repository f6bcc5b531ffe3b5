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
use countersign_faults::{CRASH_AT, Point};

use crate::workspace_binary;

/// For a loaded machine, not for the code.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How a process ended that was killed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Death {
    /// By its own hand, at the point that was armed.
    AtPoint,
    /// By SIGKILL.
    Killed,
}

/// What a hand has said.
#[derive(Default, Debug)]
pub struct Said {
    /// Ids of decisions that it called saved.
    pub saved: BTreeSet<String>,
    ready: bool,
    alarmed: bool,
    checked: Option<String>,
    unknown: Option<BTreeSet<String>>,
    done: Option<String>,
}

/// A running program; killed when dropped.
#[derive(Debug)]
pub struct Process {
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
    pub fn server(folder: &Path, port: u16, armed: Option<(Point, u64)>) -> Result<Self> {
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
    pub fn hand(
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
                    Some(("unknown", ids)) => {
                        said.unknown = Some(ids.split_whitespace().map(str::to_owned).collect());
                    }
                    Some(("done", order)) => said.done = Some(order.to_owned()),
                    Some(("checked", answer)) => said.checked = Some(answer.to_owned()),
                    _ => said.ready |= line == "ready",
                }
            }
        });
        Ok(hand)
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has. Whatever is neither a kill nor the armed point is a mistake of the program's.
    pub fn ended(&mut self) -> Result<Option<Death>> {
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
    pub fn kill(mut self) -> Result<Death> {
        if let Some(death) = self.ended()? {
            return Ok(death);
        }
        self.child.kill()?;
        self.child.wait()?;
        Ok(Death::Killed)
    }

    /// Waits until the desktop says that the log is not the one it was.
    pub fn await_alarm(&mut self, said: &Arc<Mutex<Said>>) -> Result<()> {
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
    pub fn check(&mut self, said: &Arc<Mutex<Said>>) -> Result<u64> {
        let answer = self.ask("check", said, |said| said.checked.take())?;
        let size = answer.strip_prefix("true ");
        Ok(size.with_context(|| format!("the journal: {answer}"))?.parse()?)
    }

    /// The ids of all calls in the desktop's lists of which nobody knows whether they happened.
    pub fn unknown(&mut self, said: &Arc<Mutex<Said>>) -> Result<BTreeSet<String>> {
        self.ask("unknown", said, |said| said.unknown.take())
    }

    /// Has the desktop do what it is told; it is done when this answers.
    pub fn order(&mut self, order: &str, said: &Arc<Mutex<Said>>) -> Result<()> {
        self.ask(order, said, |said| {
            (said.done.take().as_deref() == Some(order)).then_some(())
        })
    }

    fn ask<T>(
        &mut self,
        question: &str,
        said: &Mutex<Said>,
        answer: impl Fn(&mut Said) -> Option<T>,
    ) -> Result<T> {
        let stdin = self.stdin.as_mut().context("standard input")?;
        writeln!(stdin, "{question}")?;
        let begin = Instant::now();
        loop {
            if let Some(answer) = answer(&mut Said::of(said)) {
                return Ok(answer);
            }
            ensure!(begin.elapsed() < PATIENCE, "the desktop does not answer");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Waits until a process has ended, at most so long; kills it then.
pub fn await_end(process: &mut Option<Process>, patience: Duration) -> Result<Death> {
    let begin = Instant::now();
    let mut running = process.take().context("nothing to wait for")?;
    while begin.elapsed() < patience {
        if let Some(death) = running.ended()? {
            return Ok(death);
        }
        thread::sleep(Duration::from_millis(5));
    }
    running.kill()
}

impl Said {
    /// Whether the log is not the one it was.
    pub const fn is_alarmed(&self) -> bool {
        self.alarmed
    }

    /// What is shared with the thread that listens.
    pub fn of(said: &Mutex<Self>) -> MutexGuard<'_, Self> {
        said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the newest of them is signed in.
    pub const fn is_ready(&self) -> bool {
        self.ready
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

//! Children that cannot outlive the test: ended by process id when dropped, and by the kernel when the test is killed.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::process::{Child, ChildStdin, ChildStdout, Command};
use std::sync::{LazyLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

/// How long a program may take to end by itself after SIGTERM.
const GRACE: Duration = Duration::from_secs(3);

/// A command whose process receives SIGKILL when the thread that started it ends; see [`Process::start`].
pub(crate) fn bound(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

/// A running program, ended when this is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
}

impl Process {
    /// Starts a command made by [`bound`].
    pub(crate) fn start(command: Command) -> Result<Self> {
        let shown = format!("{command:?}");
        let (reply, answer) = mpsc::sync_channel(1);
        SPAWNER
            .send((command, reply))
            .context("the spawner lives as long as the process")?;
        let child = answer
            .recv()
            .context("the spawner answers")?
            .with_context(|| format!("starting {shown}"))?;
        Ok(Self { child })
    }

    pub(crate) fn stdout(&mut self) -> Result<ChildStdout> {
        self.child
            .stdout
            .take()
            .context("standard output is piped and taken once")
    }

    pub(crate) fn stdin(&mut self) -> Result<ChildStdin> {
        self.child
            .stdin
            .take()
            .context("standard input is piped and taken once")
    }

    /// Asks it to end, waits, and kills it if it does not.
    fn end(&mut self) -> io::Result<()> {
        if self.child.try_wait()?.is_some() {
            return Ok(());
        }
        if let Some(pid) = Pid::from_raw(self.child.id().cast_signed()) {
            kill_process(pid, Signal::TERM)?;
        }
        let from = Instant::now();
        while from.elapsed() < GRACE {
            if self.child.try_wait()?.is_some() {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(10));
        }
        self.child.kill()?;
        self.child.wait().map(drop)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The last resort of a failed end is the kernel: the process dies with the spawner.
        drop(self.end());
    }
}

/// The ids of all processes that inherited `NAME=value`, which a desktop gives to everything it starts.
pub(crate) fn carriers_of(name: &str, value: &str) -> Vec<u32> {
    let wanted = format!("{name}={value}");
    let Ok(processes) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    processes
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| {
            // A process that ended meanwhile, or another user's, is none of ours.
            fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environ| {
                environ
                    .split(|&byte| byte == 0)
                    .any(|entry| entry == wanted.as_bytes())
            })
        })
        .collect()
}

/// Kills a process by id; one that has ended already is no error.
pub(crate) fn kill(pid: u32) {
    if let Some(pid) = Pid::from_raw(pid.cast_signed()) {
        let _ended_already = kill_process(pid, Signal::KILL);
    }
}

type Job = (Command, mpsc::SyncSender<io::Result<Child>>);

/// The kernel ties a child's death signal to the *thread* that started it. A runtime's threads come and go, so one thread
/// that lives as long as the process starts them all.
static SPAWNER: LazyLock<mpsc::Sender<Job>> = LazyLock::new(|| {
    let (jobs, inbox) = mpsc::channel::<Job>();
    thread::spawn(move || {
        for (mut command, reply) in inbox {
            // Whoever asked may be gone; its child is then dropped with the answer and ends with this process.
            drop(reply.send(command.spawn()));
        }
    });
    jobs
});

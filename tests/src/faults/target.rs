//! What the calls are made to: an HTTP server on loopback that remembers every request, and may end the caller the moment
//! that one has had its effect.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    thread,
};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

/// Requests by their path, each with its `Idempotency-Key`.
pub type Effects = BTreeMap<String, Vec<String>>;

/// The server itself; it answers until the process ends.
#[derive(Debug)]
pub struct Target {
    /// On 127.0.0.1.
    pub port: u16,
    shared: Arc<Shared>,
}

#[derive(Default, Debug)]
struct Shared {
    log: Mutex<Log>,
    /// Whom the next request ends; 0 for nobody.
    victim: AtomicU32,
}

#[derive(Default, Debug)]
struct Log {
    effects: Effects,
    /// The paths of those that have ended somebody.
    fatal: Vec<String>,
}

impl Target {
    /// Serves at a free port.
    pub fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared::default());
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&serving);
                // A caller that is gone is no trouble of the target's.
                thread::spawn(move || answer(stream, &shared));
            }
        });
        Ok(Self { port, shared })
    }

    /// Every request so far.
    pub fn effects(&self) -> Effects {
        self.shared.log().effects.clone()
    }

    /// The paths of the requests that have ended somebody, each behind its effect and before its answer.
    pub fn fatal(&self) -> Vec<String> {
        self.shared.log().fatal.clone()
    }

    /// The next request ends this process, after its effect and before its answer.
    pub fn end_at_effect(&self, process: u32) {
        self.shared.victim.store(process, Ordering::SeqCst);
    }

    /// Ends nobody from now on.
    pub fn spare(&self) {
        self.shared.victim.store(0, Ordering::SeqCst);
    }
}

impl Shared {
    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn answer(stream: TcpStream, shared: &Shared) -> Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let path = line.split(' ').nth(1).context("a path")?.to_owned();
    let (mut length, mut key) = (0, String::new());
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        match name.to_lowercase().as_str() {
            "content-length" => length = value.parse()?,
            "idempotency-key" => key = value.to_owned(),
            _ => {}
        }
    }
    reader.read_exact(&mut vec![0; length])?;
    let victim = Pid::from_raw(shared.victim.swap(0, Ordering::SeqCst).cast_signed());
    let mut log = shared.log();
    log.effects.entry(path.clone()).or_default().push(key);
    if victim.is_some() {
        log.fatal.push(path);
    }
    drop(log);
    if let Some(victim) = victim {
        kill_process(victim, Signal::KILL)?;
        // No answer, not even the end of the connection, before the caller is gone: it must not hear of its effect.
        reader.read_to_end(&mut Vec::new())?;
        return Ok(());
    }
    let mut stream = stream;
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\nConnection: close\r\n\r\n{\"ok\":true}")?;
    Ok(())
}

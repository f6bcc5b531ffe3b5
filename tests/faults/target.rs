//! What the calls are made to: an HTTP server on loopback that remembers every request, and may end the caller the moment
//! that one has had its effect.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    thread,
};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

/// Requests by their path, each with its `Idempotency-Key`.
type Effects = BTreeMap<String, Vec<String>>;

pub(crate) struct Target {
    pub(crate) port: u16,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    effects: Mutex<Effects>,
    /// Whom the next request ends; 0 for nobody.
    victim: AtomicU32,
}

impl Target {
    pub(crate) fn start() -> Result<Self> {
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

    pub(crate) fn effects(&self) -> Effects {
        self.shared
            .effects
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The next request ends this process, after its effect and before its answer.
    pub(crate) fn end_at_effect(&self, process: u32) {
        self.shared.victim.store(process, Ordering::SeqCst);
    }

    pub(crate) fn spare(&self) {
        self.shared.victim.store(0, Ordering::SeqCst);
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
    let mut effects = shared.effects.lock().unwrap_or_else(PoisonError::into_inner);
    effects.entry(path).or_default().push(key);
    drop(effects);
    let victim = shared.victim.swap(0, Ordering::SeqCst).cast_signed();
    if let Some(victim) = Pid::from_raw(victim) {
        kill_process(victim, Signal::KILL)?;
    }
    let mut stream = stream;
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\nConnection: close\r\n\r\n{\"ok\":true}")?;
    Ok(())
}

//! What the calls are made to: an HTTP server on loopback that remembers every request, knows each `Idempotency-Key` again,
//! and may end the caller the moment that a request was taken.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

/// Requests by their path, each with its `Idempotency-Key`.
pub type Requests = BTreeMap<String, Vec<String>>;

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
    /// Whether that one may be a request that was made before.
    repeats: AtomicBool,
}

#[derive(Default, Debug)]
struct Log {
    requests: Requests,
    /// The paths of those whose last request was answered.
    answered: BTreeSet<String>,
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
    pub fn requests(&self) -> Requests {
        self.shared.log().requests.clone()
    }

    /// How often each path has had its effect: a request under a key that is known has none.
    pub fn effects(&self) -> BTreeMap<String, usize> {
        let count = |keys: &Vec<String>| {
            let keyed: BTreeSet<_> = keys.iter().filter(|key| !key.is_empty()).collect();
            keyed.len() + keys.iter().filter(|key| key.is_empty()).count()
        };
        let requests = self.requests();
        requests
            .iter()
            .map(|(path, keys)| (path.clone(), count(keys)))
            .collect()
    }

    /// The paths of those whose last request was answered.
    pub fn answered(&self) -> BTreeSet<String> {
        self.shared.log().answered.clone()
    }

    /// The paths of the requests that have ended somebody, each behind its effect and before its answer.
    pub fn fatal(&self) -> Vec<String> {
        self.shared.log().fatal.clone()
    }

    /// The next request ends this process, after its effect and before its answer: the next one whatever it is with
    /// `repeats`, else the next that was not made before.
    pub fn end_at_effect(&self, process: u32, repeats: bool) {
        self.shared.repeats.store(repeats, Ordering::SeqCst);
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
    let mut log = shared.log();
    let requests = log.requests.entry(path.clone()).or_default();
    requests.push(key);
    let ends = requests.len() == 1 || shared.repeats.load(Ordering::SeqCst);
    let victim = if ends {
        Pid::from_raw(shared.victim.swap(0, Ordering::SeqCst).cast_signed())
    } else {
        None
    };
    if victim.is_some() {
        log.answered.remove(&path);
        log.fatal.push(path);
    } else {
        log.answered.insert(path);
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

//! `countersign-hand FOLDER URL`: a desktop without a window, for tests that kill it. The real engine over real files;
//! only keychain and notifier are simple ones. The owner signs in where nobody is, and decides whatever waits: what asks
//! to be refused is rejected, everything else approved.
//!
//! Says on standard output what holds by then: `ready`, and `saved ID` once a decision is on the disk. To the line `check`
//! it answers `checked OK SIZE`, with the journal verified from its first entry, to `alarm` whether the log is another one
//! than it was, and to `unknown` the ids of all calls in its lists of which nobody knows whether they happened; a line of
//! JSON is a connection that it is to hold, and `added` is the answer. After `hold` it decides nothing until `decide`, and between `away` and
//! `back` it has no network; `done` and the order is the answer to each. Logs what `COUNTERSIGN_LOG` says. Ends with its standard input.

#![allow(clippy::print_stdout, reason = "its output is what it is for")]

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use countersign_domain::id::ProposalId;
use countersign_e2e::company::{OWNER, PASSWORD};
use countersign_engine::{
    Choice, Connect, Credential, Decide, Engine, LinkState, Phase,
    ports::{Ports, SecretStore, SecretStoreError, SystemClock},
    testing::RecordingNotifier,
    views::{
        StateKind,
        connections::{NewConnection, Way},
        inbox::{InboxPage, InboxQuery, InboxView},
    },
};
use countersign_tools::{email::SmtpConfig, http::HttpConfig};
use secrecy::SecretString;
use serde::Deserialize;
use tokio::sync::mpsc;
use tracing_subscriber::EnvFilter;
use zeroize::Zeroizing;

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<()> {
    if std::env::var_os("COUNTERSIGN_LOG").is_some() {
        tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::from_env("COUNTERSIGN_LOG"))
            .with_writer(io::stderr)
            .init();
    }
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().context("a folder")?);
    let url = arguments.next().context("an address")?;
    let ports = Ports {
        clock: Arc::new(SystemClock),
        secrets: Arc::new(Files::open(folder.join("keychain"))?),
        notifier: Arc::new(RecordingNotifier::default()),
    };
    let engine = Engine::new(folder.join("engine"), ports)?;
    let mut lines = standard_input();
    sign_in(&engine, &url).await?;
    println!("ready");
    let mut decides = true;
    loop {
        if decides {
            // Whatever is in its way just now is tried again.
            let _ = decide_what_waits(&engine).await;
        }
        tokio::select! {
            line = lines.recv() => match line.as_deref() {
                Some("check") => match engine.verify_journal().await {
                    Ok(check) => println!("checked {} {}", check.ok, check.size),
                    Err(error) => println!("checked false 0 {error}"),
                },
                Some("alarm") => {
                    let state = engine.app_state().await?;
                    println!("alarm {}", state.home.is_some_and(|home| home.alarm.is_some()));
                }
                Some("unknown") => {
                    let ids = unknown(&engine).await?;
                    let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
                    println!("unknown {}", ids.join(" "));
                }
                Some(order @ ("hold" | "decide")) => {
                    decides = order == "decide";
                    println!("done {order}");
                }
                Some(order @ ("away" | "back")) => {
                    cut_off(&engine, order == "away").await;
                    println!("done {order}");
                }
                Some(order) => println!("{}", add(&engine, order).await),
                None => return Ok(()),
            },
            () = tokio::time::sleep(Duration::from_millis(40)) => {}
        }
    }
}

/// Where nobody is signed in the owner signs in, as often as it takes.
async fn sign_in(engine: &Engine, url: &str) -> Result<()> {
    loop {
        match engine.start().await {
            Phase::Ready => return Ok(()),
            Phase::FirstRun | Phase::SignIn { .. } => {}
            phase @ (Phase::Starting | Phase::Keychain { .. } | Phase::Fatal { .. }) => {
                bail!("a crash has led to {phase:?}")
            }
        }
        let form = Connect {
            url: url.to_owned(),
            email: OWNER.to_owned(),
            credential: Credential::Password(SecretString::from(PASSWORD)),
            device_name: "Hand".to_owned(),
            tenant: None,
        };
        if engine.connect(form).await.is_ok() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Keeps the network away until it is let in again; the desktop knows that it has none when this answers.
async fn cut_off(engine: &Engine, cut: bool) {
    engine.cut_off(cut);
    while cut && engine.link().state != LinkState::Offline {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A connection to be held by this desktop.
#[derive(Deserialize)]
struct Order {
    name: String,
    http: Option<HttpConfig>,
    smtp: Option<SmtpConfig>,
    secret: String,
}

async fn add(engine: &Engine, order: &str) -> String {
    let Ok(order) = serde_json::from_str::<Order>(order) else {
        return "not understood".to_owned();
    };
    let Some(way) = order.http.map(Way::Http).or(order.smtp.map(Way::Smtp)) else {
        return "no way".to_owned();
    };
    let new = NewConnection {
        name: order.name,
        way,
        secret: Some(SecretString::from(order.secret)),
    };
    match engine.add_connection(new).await {
        Ok(()) => "added".to_owned(),
        Err(error) => format!("not added: {error:?}"),
    }
}

async fn decide_what_waits(engine: &Engine) -> Result<()> {
    let rows = page(engine, InboxView::ToDecide, None).await?.rows;
    for row in rows.into_iter().filter(|row| row.decidable) {
        let Ok(card) = engine.card(row.id).await else {
            continue;
        };
        if !card.approve.is_armed() {
            continue;
        }
        let refuse = row.sentence.contains("refuse");
        let form = Decide {
            id: row.id,
            view: card.view_digest,
            verdict: if refuse { Choice::Reject } else { Choice::Approve },
            comment: refuse.then(|| "As it asks for".to_owned()),
            confirmation: card.confirm.map(|confirm| confirm.placeholder),
        };
        if engine.decide(form).await.is_ok() {
            println!("saved {}", row.id);
        }
    }
    Ok(())
}

/// What stands in its lists of open things as unknown.
async fn unknown(engine: &Engine) -> Result<BTreeSet<ProposalId>> {
    let mut ids = BTreeSet::new();
    for view in [InboxView::ToDecide, InboxView::InProgress] {
        let mut after = None;
        loop {
            let page = page(engine, view, after).await?;
            let unknown = page
                .rows
                .iter()
                .filter(|row| row.state.kind == StateKind::Unknown);
            ids.extend(unknown.map(|row| row.id));
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
    }
    Ok(ids)
}

async fn page(engine: &Engine, view: InboxView, after: Option<String>) -> Result<InboxPage> {
    let query = InboxQuery {
        view,
        search: None,
        risk: None,
        after,
        limit: 50,
    };
    Ok(engine.inbox(query).await?)
}

fn standard_input() -> mpsc::UnboundedReceiver<String> {
    let (sender, lines) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in io::stdin().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    lines
}

/// A keychain that is a folder: each entry a file, replaced as a whole.
#[derive(Debug)]
struct Files(PathBuf);

impl Files {
    fn open(folder: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        Ok(Self(folder))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name.replace('/', "_"))
    }
}

impl SecretStore for Files {
    fn get(&self, name: &str) -> Result<Zeroizing<Vec<u8>>, SecretStoreError> {
        fs::read(self.path(name)).map(Zeroizing::new).map_err(translate)
    }

    fn set(&self, name: &str, secret: &[u8]) -> Result<(), SecretStoreError> {
        replace(&self.path(name), secret).map_err(translate)
    }

    fn delete(&self, name: &str) -> Result<(), SecretStoreError> {
        match fs::remove_file(self.path(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(translate(error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

fn replace(path: &Path, secret: &[u8]) -> io::Result<()> {
    let fresh = path.with_extension("new");
    fs::write(&fresh, secret)?;
    fs::File::open(&fresh)?.sync_all()?;
    fs::rename(&fresh, path)
}

fn translate(error: io::Error) -> SecretStoreError {
    if error.kind() == io::ErrorKind::NotFound {
        SecretStoreError::Missing
    } else {
        SecretStoreError::Unavailable
    }
}

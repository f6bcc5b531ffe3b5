//! A desktop without its window: the real engine over HTTP, its databases encrypted on the disk. Only the keychain and
//! the notifier are in memory.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use countersign_domain::Digest;
use countersign_engine::{
    Connect, Credential, Engine, LinkState, Phase,
    testing::Fakes,
    views::inbox::{InboxPage, InboxQuery, InboxView},
};
use secrecy::SecretString;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::{
    fill,
    server::{OWNER, PASSWORD, Running},
};

/// When to give up waiting.
pub(crate) const LATE: Duration = Duration::from_secs(300);

/// Threads as an app has them.
pub(crate) fn runtime() -> Result<Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

pub(crate) struct Device {
    pub(crate) engine: Engine,
    _folder: TempDir,
}

impl Device {
    /// One on which nothing was ever set up.
    pub(crate) async fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let engine = Engine::new(folder.path().join("engine"), Fakes::default().ports())?;
        ensure!(engine.start().await == Phase::FirstRun, "it is a fresh device");
        Ok(Self {
            engine,
            _folder: folder,
        })
    }

    /// The owner signs in.
    pub(crate) async fn sign_in(&self, server: &Running) -> Result<()> {
        let form = Connect {
            url: format!("http://{}", server.address),
            email: OWNER.to_owned(),
            credential: Credential::Password(SecretString::from(PASSWORD)),
            device_name: "Bench".to_owned(),
            tenant: None,
        };
        Ok(self.engine.connect(form).await?)
    }

    /// A fresh one with the whole journal.
    pub(crate) async fn with_journal(server: &Running) -> Result<Self> {
        let device = Self::new().await?;
        device.sign_in(server).await?;
        device.link(LinkState::Online).await?;
        Ok(device)
    }

    /// Waits until the tenant is reached, with everything that it has, or is not.
    pub(crate) async fn link(&self, wanted: LinkState) -> Result<()> {
        let begin = Instant::now();
        while self.engine.link().state != wanted {
            ensure!(begin.elapsed() < LATE, "the desktop never was {wanted:?}");
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
        Ok(())
    }

    pub(crate) async fn page(
        &self,
        view: InboxView,
        search: Option<&str>,
        after: Option<String>,
        limit: u32,
    ) -> Result<InboxPage> {
        let query = InboxQuery {
            view,
            search: search.map(str::to_owned),
            risk: None,
            after,
            limit,
        };
        Ok(self.engine.inbox(query).await?)
    }

    /// Checks that the journal here is the server's, by its root recomputed from every entry, every body included.
    pub(crate) async fn check(&self, server: &Running) -> Result<()> {
        let head = fill::head(server).await?;
        let check = self.engine.verify_journal().await?;
        ensure!(check.ok, "{}", check.words);
        ensure!(
            check.size == head.size && check.words.contains(&head.root.fingerprint()),
            "the tenant has {} entries and the root {}: {}",
            head.size,
            head.root.fingerprint(),
            check.words
        );
        println!("  checked: {}", check.words);
        Ok(())
    }

    /// A digest of all that the three lists show, and of how many rows.
    pub(crate) async fn state(&self) -> Result<(Digest, u64)> {
        let (mut text, mut rows) = (String::new(), 0);
        for view in [InboxView::ToDecide, InboxView::InProgress, InboxView::Done] {
            let mut after = None;
            loop {
                let page = self.page(view, None, after, 200).await?;
                for row in &page.rows {
                    let (id, state) = (row.id, row.state.kind);
                    text.push_str(&format!(
                        "{view:?} {id} {state:?} {:?} {}\n",
                        row.risk, row.sentence
                    ));
                }
                rows += page.rows.len() as u64;
                match page.next {
                    Some(next) => after = Some(next),
                    None => break,
                }
            }
        }
        Ok((Digest::of(text.as_bytes()), rows))
    }

    /// A number that is a word of exactly one proposal, as one finds it by typing.
    pub(crate) async fn find_case(&self, number: u64) -> Result<()> {
        let found = self
            .page(InboxView::ToDecide, Some(&format!("{number:07}")), None, 50)
            .await?;
        let row = found.rows.first().context("the search finds nothing")?;
        ensure!(
            found.rows.len() == 1 && row.sentence.contains(&format!("{number:07}")),
            "{} rows for case {number}",
            found.rows.len()
        );
        Ok(())
    }
}

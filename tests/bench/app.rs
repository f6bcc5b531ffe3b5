//! The release build of the app in a real window, on a desktop of its own, driven as the window suite drives it.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context, Result, ensure};
use countersign_e2e::{desktop::Desktop, eventually, webdriver::Window, workspace_binary};
use serde_json::{Value, json};

use crate::{
    device, machine,
    server::{OWNER, PASSWORD, Running},
};

/// When to give up.
const LATE: Duration = Duration::from_secs(120);

pub(crate) struct App {
    pub(crate) window: Window,
    program: PathBuf,
}

impl App {
    /// Starts it, with what an earlier run on this desktop has left.
    pub(crate) async fn start(desktop: &Desktop) -> Result<Self> {
        let program = workspace_binary("countersign")?;
        let window = Window::open(desktop, &program, &[]).await?;
        Ok(Self { window, program })
    }

    /// Starts it on a desktop of its own, where the owner signs in on a fresh device and the tenant's journal comes.
    pub(crate) async fn signed_in(server: &Running) -> Result<(Desktop, Self)> {
        let desktop = Desktop::start().await?;
        let app = Self::start(&desktop).await?;
        app.sign_in(server).await?;
        Ok((desktop, app))
    }

    async fn sign_in(&self, server: &Running) -> Result<()> {
        self.click("//button[starts-with(normalize-space(), 'Connect to a company')]")
            .await?;
        for (label, text) in [
            ("Company address", format!("http://{}", server.address)),
            ("E-mail", OWNER.to_owned()),
            ("Password", PASSWORD.to_owned()),
        ] {
            let field = format!("//*[@id=//label[normalize-space()='{label}']/@for]");
            let field = self.window.find(&field, LATE).await?;
            self.window.clear(&field).await?;
            self.window.fill(&field, &text).await?;
        }
        self.click("//button[starts-with(normalize-space(), 'Sign in')]")
            .await?;
        self.caught_up().await?;
        self.rows().await
    }

    /// Waits until everything that the tenant has is here.
    pub(crate) async fn caught_up(&self) -> Result<()> {
        self.window.await_text("Up to date", device::LATE).await
    }

    /// Waits for rows in the list, and for the card beside it.
    pub(crate) async fn rows(&self) -> Result<()> {
        self.window.find("[role=option]", LATE).await?;
        self.window.find("[data-card]", LATE).await.map(drop)
    }

    /// Ends it. Closing its window would leave it in the tray.
    pub(crate) async fn end(self, desktop: &Desktop) -> Result<()> {
        let ended = desktop.kill(&self.program).await?;
        ensure!(ended == 1, "there was one app to end, and not {ended}");
        Ok(())
    }

    async fn click(&self, selector: &str) -> Result<()> {
        let element = self.window.find(selector, LATE).await?;
        self.window.click(&element).await
    }

    /// Runs a script that sets `window.measured`, and waits for what it sets.
    pub(crate) async fn measure(&self, script: &str, arguments: Value) -> Result<Value> {
        self.window
            .run(&format!("window.measured = null; {script}"), arguments)
            .await?;
        self.measured().await
    }

    /// Waits until a script has set `window.measured`.
    pub(crate) async fn measured(&self) -> Result<Value> {
        eventually("a measurement in the page", LATE, async || {
            let measured = self
                .window
                .run("return window.measured ?? null", json!([]))
                .await?;
            Ok((!measured.is_null()).then_some(measured))
        })
        .await
    }

    /// The app's process and those that it has started.
    pub(crate) fn processes(&self, desktop: &Desktop) -> Result<Vec<u32>> {
        let program = fs::canonicalize(&self.program)?;
        let all = desktop.processes();
        let app = all
            .iter()
            .copied()
            .find(|pid| fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == program))
            .context("the app does not run")?;
        let mut tree = vec![app];
        // Children come after their parents in no order, so until there are no more.
        loop {
            let more: Vec<u32> = all
                .iter()
                .copied()
                .filter(|pid| {
                    !tree.contains(pid) && machine::parent(*pid).is_some_and(|parent| tree.contains(&parent))
                })
                .collect();
            if more.is_empty() {
                return Ok(tree);
            }
            tree.extend(more);
        }
    }
}

//! Where a story is told: it prints its steps and keeps pictures, so that a failed one can be looked at.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use countersign_e2e::desktop::Desktop;
use countersign_e2e::repository;

use crate::app::{App, app_folder};

/// Tells a story at desktops of its own. One that fails leaves a last picture of each, and what the programs have logged.
pub(crate) async fn story<const DESKTOPS: usize>(
    name: &'static str,
    tell: impl AsyncFnOnce(&mut Stage, &mut [Desktop; DESKTOPS]) -> Result<()>,
) -> Result<()> {
    let mut stage = Stage::new(name)?;
    let desktops = futures::future::try_join_all((0..DESKTOPS).map(|_| Desktop::start())).await?;
    let mut desktops = <[Desktop; DESKTOPS]>::try_from(desktops)
        .ok()
        .context("as many desktops as were started")?;
    let told = tell(&mut stage, &mut desktops).await;
    if told.is_err() {
        for desktop in &desktops {
            stage.failed(desktop)?;
        }
    }
    told
}

/// The steps and pictures of one story.
#[derive(Debug)]
pub(crate) struct Stage {
    folder: PathBuf,
    name: &'static str,
    pictures: u32,
}

impl Stage {
    /// Pictures go to `$COUNTERSIGN_STORY_DIR`, else to target/story.
    fn new(name: &'static str) -> Result<Self> {
        let folder = std::env::var_os("COUNTERSIGN_STORY_DIR")
            .map_or_else(|| repository().join("target/story"), PathBuf::from);
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        Ok(Self {
            folder,
            name,
            pictures: 0,
        })
    }

    /// Says what happens next.
    pub(crate) fn step(&self, words: &str) -> Result<()> {
        // Written and not printed, so that a story that is shown without capture is shown as it happens.
        writeln!(std::io::stdout().lock(), "    {}: {words}", self.name)?;
        Ok(())
    }

    /// Keeps a picture of the window.
    pub(crate) async fn picture(&mut self, app: &App, what: &str) -> Result<()> {
        app.picture(&self.next(what)).await
    }

    /// Keeps a picture of the whole screen, with notifications.
    pub(crate) fn screen(&mut self, desktop: &Desktop, what: &str) -> Result<()> {
        desktop.screenshot(&self.next(what))
    }

    fn failed(&mut self, desktop: &Desktop) -> Result<()> {
        self.screen(desktop, "failed")?;
        let logs = [
            app_folder(desktop).join("log/countersign.log"),
            desktop.log_folder().join("company.log"),
        ];
        for log in logs {
            let text = fs::read_to_string(&log).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            let last = lines.split_at(lines.len().saturating_sub(40)).1;
            writeln!(
                std::io::stdout().lock(),
                "--- {}\n{}",
                log.display(),
                last.join("\n")
            )?;
        }
        Ok(())
    }

    fn next(&mut self, what: &str) -> PathBuf {
        self.pictures += 1;
        let (name, number) = (self.name, self.pictures);
        self.folder.join(format!("{name}-{number:02}-{what}.png"))
    }
}

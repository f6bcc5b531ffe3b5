//! B14: the app with few and with 100,000 proposals on its disk: from its start to an inbox that one can work in, where that
//! time goes, and what the app takes of the memory.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result};
use countersign_e2e::desktop::Desktop;
use countersign_engine::ports::{Clock as _, SystemClock};
use serde_json::json;

use crate::{app::App, device, fill, machine, server::Running, times::Times};

/// Few, so that what the proposals cost is told from what any window does; and as many as the target asks.
const SIZES: [u64; 2] = [100, 100_000];
const STARTS: usize = 7;

/// When the page began, by the clock on the wall, and what the browser has noted since: all in milliseconds.
const NOTED: &str = "
    const [navigation] = performance.getEntriesByType('navigation');
    const [paint] = performance.getEntriesByName('first-contentful-paint');
    const answered = performance.getEntriesByType('resource').filter((entry) => /inbox|card/.test(entry.name));
    return {
        origin: performance.timeOrigin,
        scripts: navigation?.domContentLoadedEventEnd ?? null,
        paint: paint?.startTime ?? null,
        answered: answered.length ? Math.max(...answered.map((entry) => entry.responseEnd)) : null,
    };";

pub(crate) fn run() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Running::start(folder.path())?;
    device::runtime()?.block_on(async {
        let (few, many) = (SIZES[0], SIZES[1]);
        fill::fill(&server, 0, few).await?;
        let (desktop, app) = App::signed_in(&server).await?;
        app.end(&desktop).await?;
        for size in SIZES {
            if size == many {
                fill::fill(&server, few, many).await?;
                let app = App::start(&desktop).await?;
                app.caught_up().await?;
                app.end(&desktop).await?;
            }
            let mut starts = Starts::default();
            for _ in 0..STARTS {
                starts.one(&desktop).await?;
            }
            starts.tell(size)?;
        }
        Ok(())
    })
}

#[derive(Default)]
struct Starts {
    /// From the process's start until rows and card were seen from outside: the driver's own start and its questions are in it.
    seen: Times,
    /// From the process's start until what the browser notes.
    noted: BTreeMap<&'static str, Times>,
    /// Megabytes of each process, by its name.
    memory: BTreeMap<String, Vec<u64>>,
}

impl Starts {
    async fn one(&mut self, desktop: &Desktop) -> Result<()> {
        let app = App::start(desktop).await?;
        app.rows().await?;
        let process = app.processes(desktop)?[0];
        self.seen.add(machine::age(process)?);
        let started = Duration::from_millis(SystemClock.now().0.unsigned_abs()) - machine::age(process)?;
        let noted = app.window.run(NOTED, json!([])).await?;
        let origin = noted["origin"].as_f64().context("when the page began")?;
        let mut note = |what, since: Option<f64>| {
            if let Some(since) = since {
                let at = Duration::from_secs_f64((origin + since) / 1000.0);
                self.noted
                    .entry(what)
                    .or_default()
                    .add(at.saturating_sub(started));
            }
        };
        note("1. the page begins", Some(0.0));
        note("2. its scripts have run", noted["scripts"].as_f64());
        note("3. something is painted", noted["paint"].as_f64());
        note("4. lists and card are answered", noted["answered"].as_f64());

        tokio::time::sleep(Duration::from_secs(10)).await;
        let processes = app.processes(desktop)?;
        for process in &processes {
            let name = machine::name(*process).unwrap_or_default();
            self.memory
                .entry(name)
                .or_default()
                .push(machine::memory_mb(&[*process]));
        }
        let all = machine::memory_mb(&processes);
        self.memory.entry("all".to_owned()).or_default().push(all);
        app.caught_up().await?;
        app.end(desktop).await
    }

    fn tell(&self, size: u64) -> Result<()> {
        println!(
            "  B14 warm start with {size} proposals until the inbox with its rows is seen from outside: {}; {}",
            self.seen,
            machine::load()?
        );
        for (what, times) in &self.noted {
            println!("    {what}: {times}");
        }
        for (name, sizes) in &self.memory {
            let mut sizes = sizes.clone();
            sizes.sort_unstable();
            println!(
                "    after 10 s, {name}: {} MB PSS (median)",
                sizes[sizes.len() / 2]
            );
        }
        Ok(())
    }
}

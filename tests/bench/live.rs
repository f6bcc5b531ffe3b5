//! B6: from an agent's propose to the row in the database of a connected desktop.

use std::{
    collections::BTreeMap,
    ops::Range,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use countersign_domain::id::ProposalId;
use countersign_engine::EngineEvent;
use tokio::sync::broadcast::error::RecvError;

use crate::{
    device::{self, Device},
    fill,
    http::Connection,
    machine,
    server::Running,
    times::Times,
};

const BEFORE: u64 = 10_000;
const PROPOSALS: u64 = 2_000;
/// Between two proposals, so that each is alone.
const PAUSE: Duration = Duration::from_millis(10);

pub(crate) fn run() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Running::start(folder.path())?;
    device::runtime()?.block_on(async {
        fill::fill(&server, 0, BEFORE).await?;
        let device = Device::with_journal(&server).await?;
        let live = measure(&server, &device, BEFORE..BEFORE + PROPOSALS).await?;
        println!(
            "  B6 from the propose to the row: {}; {}",
            live.whole,
            machine::load()?
        );
        println!("  of which until the agent had its answer: {}", live.answered);
        device.check(&server).await
    })
}

/// What passed from the beginning of each propose.
#[derive(Default)]
pub(crate) struct Live {
    /// Until the row could be read on the desktop.
    pub(crate) whole: Times,
    pub(crate) answered: Times,
}

/// Has an agent propose these, one after the other, while a desktop is connected.
pub(crate) async fn measure(server: &Running, device: &Device, numbers: Range<u64>) -> Result<Live> {
    let count = numbers.end - numbers.start;
    let seen = tokio::spawn(watch(device.engine.clone(), count));
    let mut agent = Connection::open(&server.address, &server.agent()).await?;
    let mut sent = Vec::new();
    for number in numbers {
        tokio::time::sleep(PAUSE).await;
        let begin = Instant::now();
        let id: ProposalId = fill::propose(&mut agent, number).await?.parse()?;
        sent.push((id, begin, begin.elapsed()));
    }
    let seen = seen.await??;
    let mut live = Live::default();
    for (id, begin, answered) in sent {
        let at = seen.get(&id).context("a proposal was never seen")?;
        live.whole.add(at.duration_since(begin));
        live.answered.add(answered);
    }
    Ok(live)
}

/// Notes when each proposal could be read here.
async fn watch(engine: countersign_engine::Engine, count: u64) -> Result<BTreeMap<ProposalId, Instant>> {
    let mut events = engine.events();
    let mut seen = BTreeMap::new();
    while (seen.len() as u64) < count {
        match events.recv().await {
            Ok(EngineEvent::ProposalChanged(id)) => {
                let at = Instant::now();
                let card = engine.card(id).await?;
                ensure!(card.id == id, "another card");
                seen.entry(id).or_insert(at);
            }
            Ok(_) => {}
            Err(RecvError::Lagged(missed)) => anyhow::bail!("{missed} events were missed"),
            Err(RecvError::Closed) => anyhow::bail!("the engine is gone"),
        }
    }
    Ok(seen)
}

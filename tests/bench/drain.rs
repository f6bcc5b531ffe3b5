//! B10: 1,000 decisions taken while a desktop was offline, from the moment that the network is back until the tenant has
//! answered each of them. What they approved is run meanwhile, by the server, and checked afterwards.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use countersign_domain::id::ProposalId;
use countersign_engine::{Choice, Decide, LinkState, views::inbox::InboxView};

use crate::{
    cycle,
    device::{self, Device, LATE},
    fill,
    http::Connection,
    machine,
    server::Running,
    times::{Times, ms},
};

/// Decisions of a round.
pub(crate) const DECISIONS: u64 = 1_000;
const ROUNDS: u64 = 5;

pub(crate) fn run(decisions: u64) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Running::start(folder.path())?;
    device::runtime()?.block_on(async {
        let device = Device::with_journal(&server).await?;
        let mut agent = Connection::open(&server.address, &server.agent()).await?;
        let (mut signed, mut drained, mut here) = (Times::default(), Times::default(), Times::default());
        for round in 0..ROUNDS {
            for number in 0..decisions {
                fill::propose(&mut agent, round * decisions + number).await?;
            }
            let ids = everything(&device, decisions).await?;
            device.engine.cut_off(true);
            device.link(LinkState::Offline).await?;
            for id in ids {
                signed.add(approve(&device, id).await?);
            }
            ensure!(waiting(&device).await? == decisions, "all of them wait to be sent");

            let (begin, mut hints) = (Instant::now(), device.engine.events());
            device.engine.cut_off(false);
            while waiting(&device).await? > 0 {
                ensure!(begin.elapsed() < LATE, "they never were all answered");
                // As the window does: it asks when it hears of a change.
                let _ = tokio::time::timeout(Duration::from_secs(1), hints.recv()).await;
            }
            drained.add(begin.elapsed());
            device.link(LinkState::Online).await?;
            here.add(begin.elapsed());
            until_done(&device).await?;
        }
        println!(
            "  B10 {decisions} decisions: each on the disk p50 {}; all answered: {drained}; and the journal here again: {here}; {}",
            ms(signed.median()),
            machine::load()?
        );
        cycle::check(&server, ROUNDS * decisions).await?;
        device.check(&server).await
    })
}

/// What waits for a decision, once all of it is here.
async fn everything(device: &Device, count: u64) -> Result<Vec<ProposalId>> {
    let begin = Instant::now();
    loop {
        let (mut ids, mut after) = (Vec::new(), None);
        loop {
            let page = device.page(InboxView::ToDecide, None, after, 200).await?;
            ids.extend(page.rows.iter().map(|row| row.id));
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        if ids.len() as u64 == count {
            return Ok(ids);
        }
        ensure!(begin.elapsed() < LATE, "{} of {count} are here", ids.len());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// As long as the decision took that it was asked for, until it is on the disk.
async fn approve(device: &Device, id: ProposalId) -> Result<Duration> {
    let card = device.engine.card(id).await?;
    let form = Decide {
        id,
        view: card.view_digest,
        verdict: Choice::Approve,
        comment: None,
        confirmation: None,
    };
    let begin = Instant::now();
    device.engine.decide(form).await?;
    Ok(begin.elapsed())
}

async fn waiting(device: &Device) -> Result<u64> {
    let home = device.engine.app_state().await?.home.context("signed in")?;
    Ok(home.waiting_to_send.into())
}

/// Everything that was approved has run.
async fn until_done(device: &Device) -> Result<()> {
    let begin = Instant::now();
    loop {
        let open = device.page(InboxView::InProgress, None, None, 1).await?;
        if open.rows.is_empty() {
            return Ok(());
        }
        ensure!(begin.elapsed() < LATE, "what was approved never ran");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

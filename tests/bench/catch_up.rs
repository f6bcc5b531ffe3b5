//! B5: a desktop that was offline while 10,000 proposals changed, from the moment that the network is back until it has
//! the tenant's state.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use countersign_engine::{LinkState, views::inbox::InboxView};

use crate::{
    device::{self, Device},
    fill,
    http::Connection,
    machine,
    server::Running,
    times::Times,
};

/// What is there before.
const PROPOSALS: u64 = 20_000;
const CHANGES: u64 = 10_000;
const ROUNDS: u64 = 5;

pub(crate) fn run() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Running::start(folder.path())?;
    device::runtime()?.block_on(async {
        fill::fill(&server, 0, PROPOSALS).await?;
        let device = Device::with_journal(&server).await?;
        let (mut rejected, mut made) = (Times::default(), Times::default());
        let mut next = PROPOSALS;
        for _ in 0..ROUNDS {
            offline(&device).await?;
            let ids = waiting(&device).await?;
            reject(&server, ids).await?;
            rejected.add(online(&device, &server).await?);

            offline(&device).await?;
            fill::fill(&server, next, next + CHANGES).await?;
            next += CHANGES;
            made.add(online(&device, &server).await?);
        }
        println!(
            "  B5 {CHANGES} decided elsewhere: {rejected}; {}",
            machine::load()?
        );
        println!("  B5 {CHANGES} proposed meanwhile: {made}; {}", machine::load()?);
        let fresh = Device::with_journal(&server).await?;
        let (ours, theirs) = (device.state().await?, fresh.state().await?);
        ensure!(
            ours == theirs,
            "the lists are not those of a device that begins now"
        );
        println!(
            "  checked: {} rows, equal to those of a fresh desktop: {}",
            ours.1,
            ours.0.fingerprint()
        );
        Ok(())
    })
}

async fn offline(device: &Device) -> Result<()> {
    device.engine.cut_off(true);
    device.link(LinkState::Offline).await
}

/// Online again, until everything is here; then checked.
async fn online(device: &Device, server: &Running) -> Result<std::time::Duration> {
    let begin = Instant::now();
    device.engine.cut_off(false);
    device.link(LinkState::Online).await?;
    let took = begin.elapsed();
    device.check(server).await?;
    Ok(took)
}

/// The ids of as many proposals as are about to change.
async fn waiting(device: &Device) -> Result<Vec<String>> {
    let (mut ids, mut after) = (Vec::new(), None);
    while (ids.len() as u64) < CHANGES {
        let page = device.page(InboxView::ToDecide, None, after, 200).await?;
        ids.extend(page.rows.iter().map(|row| row.id.to_string()));
        after = Some(page.next.context("too few wait for a decision")?);
    }
    ids.truncate(CHANGES as usize);
    Ok(ids)
}

/// Somebody else decides them, from a browser.
async fn reject(server: &Running, ids: Vec<String>) -> Result<()> {
    const CLIENTS: usize = 32;
    let tasks: Vec<_> = ids
        .chunks(ids.len().div_ceil(CLIENTS))
        .map(|ids| {
            let (address, person, ids) = (server.address.clone(), server.person(), ids.to_vec());
            tokio::spawn(async move {
                let mut person = Connection::open(&address, &person).await?;
                for id in ids {
                    fill::reject(&mut person, &id).await?;
                }
                anyhow::Ok(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    Ok(())
}

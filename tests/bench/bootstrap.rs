//! B4: a new desktop, from the sign-in until the first page of its inbox is there and a search finds what it should.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use countersign_engine::{LinkState, views::inbox::InboxView};

use crate::{
    device::{self, Device},
    fill, machine,
    server::Running,
    times::{Times, ms},
};

const PROPOSALS: u64 = 100_000;
const ROUNDS: usize = 5;

/// What passed, from the press of *Connect*.
pub(crate) struct Arrival {
    /// Until the tenant knew the person and the device.
    signed_in: Duration,
    pub(crate) first_page: Duration,
    /// Until a search over everything found one proposal by its number.
    pub(crate) usable: Duration,
}

pub(crate) fn run() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Running::start(folder.path())?;
    device::runtime()?.block_on(async {
        fill::fill(&server, 0, PROPOSALS).await?;
        let (_, cold) = arrive(&server, PROPOSALS, fill::waiting(PROPOSALS)).await?;
        report(
            "the tenant's first, which waits for the snapshot to be made",
            &cold,
        );
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            let (device, arrival) = arrive(&server, PROPOSALS, fill::waiting(PROPOSALS)).await?;
            rounds.push(arrival);
            if rounds.len() == ROUNDS {
                device.check(&server).await?;
                let (_, rows) = device.state().await?;
                ensure!(rows == PROPOSALS, "{rows} rows of {PROPOSALS} proposals");
                println!("  checked: {rows} proposals in the lists");
            }
        }
        rounds.sort_by_key(|round| round.usable);
        report("median of 5", &rounds[ROUNDS / 2]);
        let first: Times = rounds.iter().map(|round| round.first_page).collect();
        println!("  first page after {first}; {}", machine::load()?);
        Ok(())
    })
}

/// A new desktop at a tenant with so many proposals, of which so many wait for a decision.
pub(crate) async fn arrive(server: &Running, proposals: u64, waiting: u64) -> Result<(Device, Arrival)> {
    let device = Device::new().await?;
    let begin = Instant::now();
    device.sign_in(server).await?;
    let signed_in = begin.elapsed();
    while device.page(InboxView::ToDecide, None, None, 50).await?.rows.len() < 50 {
        ensure!(begin.elapsed() < device::LATE, "no first page");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let first_page = begin.elapsed();
    while device.find_case(proposals - 1).await.is_err() {
        ensure!(begin.elapsed() < device::LATE, "the search never finds it");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let usable = begin.elapsed();
    device.link(LinkState::Online).await?;
    let total = device.page(InboxView::ToDecide, None, None, 50).await?.total;
    ensure!(total == waiting, "{total} wait for a decision");
    let arrival = Arrival {
        signed_in,
        first_page,
        usable,
    };
    Ok((device, arrival))
}

fn report(what: &str, arrival: &Arrival) {
    let rate = PROPOSALS as f64 / (arrival.usable - arrival.signed_in).as_secs_f64();
    println!(
        "  B4 {what}: signed in after {}, first page after {}, page and search after {}: {rate:.0} rows/s since the sign-in",
        ms(arrival.signed_in),
        ms(arrival.first_page),
        ms(arrival.usable)
    );
}

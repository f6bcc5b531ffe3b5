//! B8: what a person does all day, at the engine's views and through the window's bridge: a page of the inbox, the next
//! one, a card, a search while typing. And what should not grow with what is there already: a new desktop's first page, a
//! propose, its row in a connected desktop.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use countersign_domain::id::ProposalId;
use countersign_engine::views::inbox::InboxView;

use crate::{
    app::App,
    bootstrap, bridge,
    device::{self, Device},
    fill, live, machine,
    server::Running,
    times::{Times, ms},
};

const SIZES: [u64; 3] = [10_000, 100_000, 1_000_000];
const TIMES: usize = 2_000;
/// Proposed at each size while a desktop is connected, with numbers that no other has.
const LIVES: u64 = 500;
const LIVE: u64 = 5_000_000;
/// Words that one of five, one of eight, every one and a single proposal have.
const TYPED: [&str; 5] = [
    "invoice nordwind",
    "report",
    "customer wrote again",
    "case 0004711",
    "zebra",
];

pub(crate) fn run() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Running::start(folder.path())?;
    device::runtime()?.block_on(async {
        fill::fill(&server, 0, SIZES[0]).await?;
        // First, since the tenant takes a person's first device without another's word.
        let (desktop, app) = App::signed_in(&server).await?;
        app.end(&desktop).await?;
        let (mut have, mut live) = (SIZES[0], 0);
        for size in SIZES {
            fill::fill(&server, have, size).await?;
            have = size;
            let waiting = fill::waiting(size) + live;
            let (device, arrival) = bootstrap::arrive(&server, size, waiting).await?;
            println!(
                "  B8 {size} proposals; a new desktop's first page after {}, all of it after {}; {}",
                ms(arrival.first_page),
                ms(arrival.usable),
                machine::load()?
            );
            measure(&device, waiting).await?;
            let times = live::measure(&server, &device, LIVE + live..LIVE + live + LIVES).await?;
            live += LIVES;
            println!("    from a propose to the row: {}", times.whole);
            println!("    from a propose to its answer: {}", times.answered);
            device.check(&server).await?;
            drop(device);
            let app = App::start(&desktop).await?;
            app.caught_up().await?;
            bridge::measure(&app).await?;
            app.end(&desktop).await?;
            println!("    the server takes {} MB", server.rss_mb()?);
        }
        Ok(())
    })
}

async fn measure(device: &Device, waiting: u64) -> Result<()> {
    let (pages, ids) = pages(device).await?;
    println!("    page of 50:   {pages}");
    let mut cards = Times::default();
    for id in ids.iter().cycle().take(TIMES) {
        let (time, card) = timed(device.engine.card(*id)).await;
        ensure!(card?.view.is_some(), "a card without content");
        cards.add(time);
    }
    println!("    open a card:  {cards}");
    let mut searches: BTreeMap<&str, Times> = BTreeMap::new();
    for _ in 0..TIMES / 100 {
        for typed in TYPED {
            for (end, _) in typed.char_indices().skip(1) {
                let typed = &typed[..end];
                let (time, page) = timed(device.page(InboxView::ToDecide, Some(typed), None, 50)).await;
                page?;
                searches.entry(typed).or_default().add(time);
            }
        }
    }
    let slowest = searches
        .iter()
        .max_by_key(|(_, times)| times.median())
        .context("nothing was searched")?;
    println!(
        "    search typed: {}",
        searches.values().flat_map(Times::each).collect::<Times>()
    );
    println!("    of which the slowest, {:?}: {}", slowest.0, slowest.1);
    check(device, waiting).await
}

/// The first page again and again, and each page after it, by turns.
async fn pages(device: &Device) -> Result<(Times, Vec<ProposalId>)> {
    let (mut times, mut ids, mut after) = (Times::default(), Vec::new(), None);
    for _ in 0..TIMES / 2 {
        for place in [None, after.take()] {
            let (time, page) = timed(device.page(InboxView::ToDecide, None, place, 50)).await;
            let page = page?;
            ensure!(page.rows.len() <= 50, "more rows than were asked for");
            times.add(time);
            ids.extend(page.rows.iter().map(|row| row.id));
            after = page.next;
        }
    }
    Ok((times, ids))
}

async fn check(device: &Device, waiting: u64) -> Result<()> {
    let total = device.page(InboxView::ToDecide, None, None, 50).await?.total;
    ensure!(total == waiting, "{total} wait for a decision");
    device.find_case(4_711).await?;
    let none = device.page(InboxView::ToDecide, Some("zebra"), None, 50).await?;
    ensure!(none.rows.is_empty(), "nobody has proposed a zebra");
    let found = device
        .page(InboxView::ToDecide, Some("report meridian"), None, 50)
        .await?;
    let row = found.rows.first().context("a common pair of words")?;
    ensure!(
        found.rows.len() == 50 && row.sentence.contains("Meridian"),
        "{}",
        row.sentence
    );
    println!("    checked: {total} wait; words are found that many, one and no proposal have");
    Ok(())
}

async fn timed<T>(work: impl Future<Output = T>) -> (Duration, T) {
    let begin = Instant::now();
    let done = work.await;
    (begin.elapsed(), done)
}

//! B13: the journal as evidence: how fast it grows, how fast anyone checks it, how fast one entry is shown to be in it.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use countersign_domain::{
    Digest, UnixMillis,
    journal::{Frontier, Header, NodeRow, inclusion_proof, leaf_hash, verify_inclusion},
    wire::Head,
};
use countersign_e2e::workspace_binary;
use rusqlite::{Connection as Database, OpenFlags};
use serde_json::Value;

use crate::{
    cycle,
    device::{self, Device},
    fill,
    http::Connection,
    machine,
    server::Running,
    signer::Signer,
    times::{Times, ms},
};

/// How many entries that are signed `make bench` has checked.
pub(crate) const SIGNED: u64 = 100_000;
/// How many entries there are in all, for each signed one.
const ENTRIES_EACH: u64 = 10;
/// Devices that sign, side by side.
const DEVICES: usize = 32;
const ROUNDS: usize = 5;
const PROOFS: u64 = 10_000;

pub(crate) fn run(signed: u64) -> Result<()> {
    // As many as B2 makes, when as many entries are checked as usually.
    cycle::journalled(usize::try_from(signed / 5)?)?;
    let folder = tempfile::tempdir()?;
    let bundle = folder.path().join("bundle");
    let server = Running::start(folder.path())?;
    device::runtime()?.block_on(async {
        sign(&server, signed).await?;
        export(&server, &bundle).await?;
        verify_signed(&bundle, signed)?;

        grow(&server, signed * ENTRIES_EACH).await?;
        export(&server, &bundle).await?;
        let head = fill::head(&server).await?;
        recompute(&bundle, &head)?;
        let file = folder.path().join("data/tenants").join(&server.tenant);
        prove(&file.join("tenant.db"), &head)?;

        let device = Device::with_journal(&server).await?;
        let begin = Instant::now();
        device.check(&server).await?;
        report(
            "a desktop's own check, bodies and indexes too",
            head.size,
            begin.elapsed(),
        )
    })
}

/// So many proposals, each rejected by a signature.
async fn sign(server: &Running, count: u64) -> Result<()> {
    let signers = Signer::enrol(server, DEVICES).await?;
    let client = async |first: u64, mut signer: Signer| {
        let mut agent = Connection::open(&server.address, &server.agent()).await?;
        for number in (first..count).step_by(DEVICES) {
            let id = fill::propose(&mut agent, number).await?;
            signer.reject(&id).await?;
        }
        anyhow::Ok(())
    };
    let clients = (0..).zip(signers).map(|(first, signer)| client(first, signer));
    futures::future::try_join_all(clients).await?;
    Ok(())
}

/// More proposals, until the journal has at least so many entries.
async fn grow(server: &Running, entries: u64) -> Result<()> {
    let mut number = entries;
    loop {
        let missing = entries.saturating_sub(fill::head(server).await?.size);
        if missing == 0 {
            return Ok(());
        }
        // Each makes two entries or three.
        let more = missing.div_ceil(3);
        fill::fill(server, number, number + more).await?;
        number += more;
    }
}

/// The whole journal as a file that proves itself, as an auditor fetches it.
async fn export(server: &Running, bundle: &Path) -> Result<()> {
    let begin = Instant::now();
    let url = format!("http://{}/api/journal/export", server.address);
    let call = reqwest::Client::builder().no_proxy().build()?.get(url);
    let call = call
        .bearer_auth(&server.session)
        .header("x-tenant-id", &server.tenant);
    let mut answer = call.send().await?.error_for_status()?;
    let mut file = File::create(bundle)?;
    while let Some(piece) = answer.chunk().await? {
        file.write_all(&piece)?;
    }
    println!(
        "  exported: {} MB in {}",
        file.metadata()?.len() / 1_000_000,
        ms(begin.elapsed())
    );
    Ok(())
}

/// Has `countersign-verify` check a bundle, signatures and everything that counts.
fn verify_signed(bundle: &Path, signed: u64) -> Result<()> {
    let (mut times, mut entries) = (Times::default(), 0);
    for _ in 0..ROUNDS {
        let begin = Instant::now();
        let verified = Command::new(workspace_binary("countersign-verify")?)
            .arg(bundle)
            .arg("--json")
            .output()?;
        times.add(begin.elapsed());
        let report: Value = serde_json::from_slice(&verified.stdout)?;
        let found = report["counts"]["signatures"].as_u64().context("signatures")?;
        ensure!(
            verified.status.success() && found >= signed,
            "{signed} were signed: {report}"
        );
        entries = report["counts"]["entries"].as_u64().context("entries")?;
    }
    println!(
        "  B13 countersign-verify, {entries} entries of which {signed} are signed: {times}; {}",
        machine::load()?
    );
    Ok(())
}

/// Checks every entry's header and the tree that they make, without a signature, on one thread. The headers are in memory.
fn recompute(bundle: &Path, head: &Head) -> Result<()> {
    let leaves = leaves(bundle)?;
    let mut times = Times::default();
    for _ in 0..ROUNDS {
        let begin = Instant::now();
        let (mut tree, mut clock) = (Frontier::new(), UnixMillis(i64::MIN));
        for leaf in leaves.split_terminator('\n') {
            let header = Header::from_bytes(leaf.as_bytes())?;
            ensure!(
                header.seq == tree.size() + 1 && header.at >= clock,
                "entry {} is not the next one",
                header.seq
            );
            clock = header.at;
            tree.append(leaf_hash(leaf.as_bytes()));
        }
        times.add(begin.elapsed());
        ensure!(
            tree.size() == head.size && tree.root() == head.root,
            "the headers lead elsewhere"
        );
    }
    report(
        "every header and the root they make, without signatures",
        head.size,
        times.median(),
    )
}

/// The canonical headers of a bundle, a line each.
fn leaves(bundle: &Path) -> Result<String> {
    let mut leaves = String::new();
    for line in BufReader::new(File::open(bundle)?).lines() {
        if let Some(leaf) = line?.strip_prefix("leaf ") {
            leaves.push_str(leaf);
            leaves.push('\n');
        }
    }
    Ok(leaves)
}

/// Shows of entries anywhere in the journal that they are in it, from the nodes in the tenant's file.
fn prove(file: &Path, head: &Head) -> Result<()> {
    let file = Database::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let node = |level: u32, index: u64| -> Result<Digest> {
        let NodeRow { seq, offset } = NodeRow::of(level, index);
        let nodes: Vec<u8> = file
            .prepare_cached("SELECT nodes FROM entry WHERE seq = ?1")?
            .query_row([i64::try_from(seq)?], |row| row.get(0))?;
        let node = nodes.get(offset..offset + 32).context("a node is missing")?;
        Ok(Digest::from_slice(node)?)
    };
    let (mut made, mut checked) = (Times::default(), Times::default());
    for number in 0..PROOFS {
        // A prime larger than any journal here: from one place to another far away.
        let index = number * 2_147_483_647 % head.size;
        let leaf = node(0, index)?;
        let begin = Instant::now();
        let proof = inclusion_proof(head.size, index, node).map_err(|error| anyhow::anyhow!("{error:#}"))?;
        made.add(begin.elapsed());
        let begin = Instant::now();
        verify_inclusion(leaf, index, head.size, head.root, &proof)?;
        checked.add(begin.elapsed());
    }
    println!(
        "  B13 inclusion proof at {} entries, made: {made}; {}",
        head.size,
        machine::load()?
    );
    println!("  B13 inclusion proof, checked: {checked}");
    Ok(())
}

fn report(what: &str, entries: u64, took: Duration) -> Result<()> {
    println!(
        "  B13 {what}: {entries} entries in {}, {:.0} entries/s; {}",
        ms(took),
        entries as f64 / took.as_secs_f64(),
        machine::load()?
    );
    Ok(())
}

//! What this machine can do, measured beside the figures.

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::FileExt,
    path::Path,
    time::Instant,
};

use anyhow::Result;

/// Processors, load and the durable floor: the median of `fdatasync` after a 4 KiB overwrite.
pub(crate) fn describe(folder: &Path) -> Result<String> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join("floor"))?;
    file.set_len(4 << 20)?;
    let block = [7_u8; 4096];
    for place in 0..1024 {
        file.write_all_at(&block, place * 4096)?;
    }
    file.sync_all()?;
    let mut times: Vec<u128> = Vec::new();
    for place in 0..1000 {
        let begin = Instant::now();
        file.write_all_at(&block, place * 4096)?;
        file.sync_data()?;
        times.push(begin.elapsed().as_micros());
    }
    times.sort_unstable();
    let processors = std::thread::available_parallelism()?;
    Ok(format!(
        "{processors} processors; fdatasync p50 {} µs, p99 {} µs; {}",
        times[500],
        times[990],
        load()?
    ))
}

/// The load average over one, five and fifteen minutes.
pub(crate) fn load() -> Result<String> {
    let text = fs::read_to_string("/proc/loadavg")?;
    Ok(format!(
        "load {}",
        text.split(' ').take(3).collect::<Vec<_>>().join(" ")
    ))
}

//! What this machine can do, measured beside the figures.

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::FileExt,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

/// The kernel counts time in hundredths of a second.
const TICK_MS: u64 = 10;

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

/// What the kernel says of a process after its name: state, parent, and so on, from the third field on.
fn stat(process: u32) -> Option<Vec<i64>> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, after) = text.rsplit_once(") ")?;
    Some(
        after
            .split(' ')
            .skip(1)
            .map_while(|field| field.parse().ok())
            .collect(),
    )
}

/// A process's parent.
pub(crate) fn parent(process: u32) -> Option<u32> {
    stat(process)?
        .first()
        .and_then(|parent| u32::try_from(*parent).ok())
}

/// What the kernel calls a process.
pub(crate) fn name(process: u32) -> Option<String> {
    let name = fs::read_to_string(format!("/proc/{process}/comm")).ok()?;
    Some(name.trim_end().to_owned())
}

/// Processor time that the processes have used, their threads and themselves.
pub(crate) fn processor_time(processes: &[u32]) -> Duration {
    let ticks: i64 = processes
        .iter()
        .filter_map(|process| stat(*process))
        .map(|stat| stat.get(10).unwrap_or(&0) + stat.get(11).unwrap_or(&0))
        .sum();
    Duration::from_millis(ticks.unsigned_abs() * TICK_MS)
}

/// For how long a process has run.
pub(crate) fn age(process: u32) -> Result<Duration> {
    let started = stat(process)
        .and_then(|stat| stat.get(18).copied())
        .context("the process has ended")?;
    let uptime = fs::read_to_string("/proc/uptime")?;
    let uptime: f64 = uptime.split(' ').next().context("an uptime")?.parse()?;
    Ok(Duration::from_secs_f64(uptime) - Duration::from_millis(started.unsigned_abs() * TICK_MS))
}

/// Memory of the processes, in megabytes; what several share is divided among them (PSS).
pub(crate) fn memory_mb(processes: &[u32]) -> u64 {
    let kilobytes = |process: &u32| -> Option<u64> {
        let text = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).ok()?;
        let line = text.lines().find(|line| line.starts_with("Pss:"))?;
        line.split_whitespace().nth(1)?.parse().ok()
    };
    processes.iter().filter_map(kilobytes).sum::<u64>() / 1024
}

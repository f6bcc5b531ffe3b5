//! How the server is doing: for the liveness endpoint, and for the tool that tells a tenant.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use countersign_domain::{Millis, UnixMillis, canonical::Object, id::TenantId, wire::CheckStatus};
use countersign_tools::health::{Check, HealthProbe, HealthReport};

use crate::{app::Tenants, clock::Clock, control::Control};

/// An answer of the store that takes longer is worth a warning.
const SLOW: Millis = Millis(100);
const MIB: u64 = 1024 * 1024;
/// Free space below which writes are about to fail.
const DISK_FULL: u64 = 64 * MIB;
const DISK_LOW: u64 = 1024 * MIB;
const MEMORY_LOW: u64 = 128 * MIB;

/// Looks at the server's parts.
#[derive(Debug)]
pub(crate) struct Probe {
    data: PathBuf,
    clock: Arc<dyn Clock>,
    started: UnixMillis,
    control: Control,
    tenants: Arc<Tenants>,
}

impl Probe {
    pub(crate) fn new(data: PathBuf, clock: Arc<dyn Clock>, control: Control, tenants: Arc<Tenants>) -> Self {
        let started = clock.now();
        Self {
            data,
            clock,
            started,
            control,
            tenants,
        }
    }

    /// What anybody may know: no tenant, no figure.
    pub(crate) async fn liveness(&self) -> HealthReport {
        let began = self.clock.now();
        let answer = self.control.ping().await.map_err(|error| error.to_string());
        let database = timed("database", answer, self.clock.now().since(began));
        self.report(vec![database, disk(&self.data)])
    }

    fn report(&self, checks: Vec<Check>) -> HealthReport {
        HealthReport {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            environment: if cfg!(debug_assertions) {
                "development"
            } else {
                "production"
            }
            .to_owned(),
            uptime: self.clock.now().since(self.started),
            checks,
        }
    }

    async fn journal(&self, tenant: TenantId) -> Check {
        let began = self.clock.now();
        let Some(tenant) = self.tenants.get(tenant) else {
            return timed(
                "journal",
                Err("The tenant's store is closed".to_owned()),
                Millis(0),
            );
        };
        let head = tenant.head();
        // The newest entry is read back and compared with its digest.
        let newest = tenant.record_at(head.size).await;
        let answer = newest.map(|_| ()).map_err(|error| error.to_string());
        let mut check = timed("journal", answer, self.clock.now().since(began));
        check
            .details
            .insert("entries", i64::try_from(head.size).unwrap_or(i64::MAX));
        check
    }
}

#[async_trait]
impl HealthProbe for Probe {
    async fn look(&self, tenant: TenantId) -> HealthReport {
        let mut report = self.liveness().await;
        report.checks.push(memory());
        report.checks.push(self.journal(tenant).await);
        report
    }
}

fn timed(name: &str, answer: Result<(), String>, took: Millis) -> Check {
    let (status, message) = match answer {
        Err(error) => {
            tracing::warn!("The {name} check failed: {error}");
            (CheckStatus::Fail, Some("It does not answer".to_owned()))
        }
        Ok(()) if took > SLOW => (CheckStatus::Warn, Some("It answers slowly".to_owned())),
        Ok(()) => (CheckStatus::Pass, None),
    };
    Check {
        name: name.to_owned(),
        status,
        response_time: Some(took),
        message,
        details: Object::new(),
    }
}

fn disk(data: &Path) -> Check {
    let space = rustix::fs::statvfs(data).map(|stat| {
        let size = stat.f_frsize;
        (
            stat.f_bavail.saturating_mul(size),
            stat.f_blocks.saturating_mul(size),
        )
    });
    let Ok((free, total)) = space else {
        return unknown("disk");
    };
    let status = match free {
        ..DISK_FULL => CheckStatus::Fail,
        DISK_FULL..DISK_LOW => CheckStatus::Warn,
        DISK_LOW.. => CheckStatus::Pass,
    };
    let message = (status != CheckStatus::Pass).then(|| "The disk is nearly full".to_owned());
    let details = Object::from_iter([("freeMB", mib(free)), ("totalMB", mib(total))]);
    Check {
        name: "disk".to_owned(),
        status,
        response_time: None,
        message,
        details,
    }
}

/// From `/proc`: where there is none, the answer is that it is not known.
fn memory() -> Check {
    let kib = |file: &str, name: &str| -> Option<u64> {
        let text = fs::read_to_string(file).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().trim_end_matches("kB").trim().parse().ok()
    };
    let used = kib("/proc/self/status", "VmRSS:").map(|kib| kib * 1024);
    let available = kib("/proc/meminfo", "MemAvailable:").map(|kib| kib * 1024);
    let (Some(used), Some(available)) = (used, available) else {
        return unknown("memory");
    };
    let low = available < MEMORY_LOW;
    let status = if low { CheckStatus::Warn } else { CheckStatus::Pass };
    let message = low.then(|| "The machine is short of memory".to_owned());
    let details = Object::from_iter([("usedMB", mib(used)), ("availableMB", mib(available))]);
    Check {
        name: "memory".to_owned(),
        status,
        response_time: None,
        message,
        details,
    }
}

fn unknown(name: &str) -> Check {
    Check {
        name: name.to_owned(),
        status: CheckStatus::Warn,
        response_time: None,
        message: Some("It could not be found out".to_owned()),
        details: Object::new(),
    }
}

fn mib(bytes: u64) -> i64 {
    i64::try_from(bytes / MIB).unwrap_or(i64::MAX)
}

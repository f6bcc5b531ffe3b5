//! Erases what the tenant's rules keep no longer.
//!
//! A reconciler: no input, idempotent, woken by a timer.

use std::time::Duration;

use crate::tenant::{StoreError, Tenant};

/// How often it looks: it bounds how late something is erased.
const PERIOD: Duration = Duration::from_mins(10);

/// How long it leaves the tenant to others while there is more.
const REST: Duration = Duration::from_secs(1);

/// Looks until the task is dropped.
pub(crate) async fn run(tenant: Tenant) {
    // The process may have ended in the midst of an erasure.
    if let Err(error) = tenant.settle_erasures().await {
        tracing::warn!("What was erased may still stand in a file beside the tenant's: {error}");
    }
    loop {
        let pause = match tenant.erase_outlived().await {
            Ok(0) => PERIOD,
            Ok(erased) => {
                tracing::info!(tenant = %tenant.id(), erased, "Erased what the rules keep no longer");
                REST
            }
            Err(StoreError::Closed) => return,
            Err(error) => {
                tracing::warn!("Erasing what the rules keep no longer failed: {error}");
                PERIOD
            }
        };
        tokio::time::sleep(pause).await;
    }
}

//! What every request handler has at hand.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use countersign_domain::{UnixMillis, id::TenantId};
use tokio::sync::watch;

use crate::{
    clock::Clock,
    control::{Control, Passwords},
    health::Probe,
    http::{places::Places, throttle::Throttle},
    ingress::Rules,
    provider::Provider,
    tenant::Tenant,
};

/// The server's parts; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct App(Arc<Parts>);

#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) control: Control,
    pub(crate) passwords: Passwords,
    pub(crate) tenants: Arc<Tenants>,
    pub(crate) rules: Rules,
    pub(crate) throttle: Throttle,
    pub(crate) places: Arc<Places>,
    pub(crate) probe: Arc<Probe>,
    /// The company's, where there is one.
    pub(crate) provider: Option<Provider>,
    /// Whether a proxy in front says whom a request comes from.
    pub(crate) behind_proxy: bool,
    pub(crate) stopping: watch::Receiver<bool>,
}

impl App {
    pub(crate) fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// The server's time.
    pub(crate) fn now(&self) -> UnixMillis {
        self.0.clock.now()
    }

    /// Accounts, sessions, keys.
    pub(crate) fn control(&self) -> &Control {
        &self.0.control
    }

    pub(crate) fn passwords(&self) -> &Passwords {
        &self.0.passwords
    }

    /// The open tenants.
    pub(crate) fn tenants(&self) -> &Tenants {
        &self.0.tenants
    }

    /// The tools and the policy.
    pub(crate) fn rules(&self) -> &Rules {
        &self.0.rules
    }

    pub(crate) fn throttle(&self) -> &Throttle {
        &self.0.throttle
    }

    pub(crate) fn places(&self) -> &Arc<Places> {
        &self.0.places
    }

    pub(crate) fn probe(&self) -> &Probe {
        &self.0.probe
    }

    pub(crate) fn provider(&self) -> Option<&Provider> {
        self.0.provider.as_ref()
    }

    pub(crate) fn is_behind_proxy(&self) -> bool {
        self.0.behind_proxy
    }

    /// Resolves when the server stops: what waits or streams ends then.
    pub(crate) async fn stopping(&self) {
        let mut stopping = self.0.stopping.clone();
        // A server that is gone without a word has stopped as well.
        let _ = stopping.wait_for(|stopping| *stopping).await;
    }
}

/// The open tenants by id.
#[derive(Debug, Default)]
pub(crate) struct Tenants(RwLock<BTreeMap<TenantId, Tenant>>);

impl Tenants {
    pub(crate) fn get(&self, id: TenantId) -> Option<Tenant> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&id)
            .cloned()
    }

    pub(crate) fn all(&self) -> Vec<Tenant> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .cloned()
            .collect()
    }

    pub(crate) fn insert(&self, tenant: Tenant) {
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(tenant.id(), tenant);
    }
}

//! What a server is started with.

use std::{path::PathBuf, sync::Arc};

use countersign_policy::{Policy, SeedRules};

use crate::{
    clock::{Clock, SystemClock},
    provider::ProviderSettings,
};

/// Where the data is, under which names the server answers, and how its connections are protected.
#[derive(Clone)]
pub struct Config {
    /// The data folder. Made if absent, for its owner only.
    pub data: PathBuf,
    /// Names under which clients may address the server, besides loopback and the listening address.
    pub hosts: Vec<String>,
    pub transport: Transport,
    pub clock: Arc<dyn Clock>,
    /// The rules of every tenant.
    pub policy: Arc<dyn Policy>,
    /// Most proposals of one proposer that wait for people at once; `None` for any number.
    pub max_open: Option<usize>,
    /// Most calls of one proposer to propose within five minutes; `None` for any number.
    pub max_rate: Option<u32>,
    /// The company's OpenID provider; without one people sign in with passwords only.
    pub provider: Option<ProviderSettings>,
}

/// Far more than people would decide one by one, and not yet trouble for anybody's inbox.
pub const MAX_OPEN: usize = 10_000;
/// Twenty each second: an automation at work, and not yet one that runs away and fills the disk.
pub const MAX_RATE: u32 = 6_000;

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("data", &self.data)
            .field("hosts", &self.hosts)
            .field("transport", &self.transport)
            .field("provider", &self.provider)
            .finish_non_exhaustive()
    }
}

impl Config {
    /// On loopback, by the machine's clock.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            data: data.into(),
            hosts: Vec::new(),
            transport: Transport::Loopback,
            clock: Arc::new(SystemClock),
            policy: Arc::new(SeedRules),
            max_open: Some(MAX_OPEN),
            max_rate: Some(MAX_RATE),
            provider: None,
        }
    }
}

/// How connections are protected from others on the network.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Transport {
    /// Plain HTTP that never leaves the machine.
    Loopback,
    /// TLS with a certificate chain and its key, as PEM files.
    Tls { certificates: PathBuf, key: PathBuf },
    /// Plain HTTP from a proxy that ends TLS and sets `X-Forwarded-For`.
    BehindProxy,
}

//! What a server is started with.

use std::{path::PathBuf, sync::Arc};

use crate::clock::{Clock, SystemClock};

/// Where the data is, under which names the server answers, and how its connections are protected.
#[derive(Clone, Debug)]
pub struct Config {
    /// The data folder. Made if absent, for its owner only.
    pub data: PathBuf,
    /// Names under which clients may address the server, besides loopback and the listening address.
    pub hosts: Vec<String>,
    pub transport: Transport,
    pub clock: Arc<dyn Clock>,
}

impl Config {
    /// On loopback, by the machine's clock.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            data: data.into(),
            hosts: Vec::new(),
            transport: Transport::Loopback,
            clock: Arc::new(SystemClock),
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

//! The public part of an HTTP connection: one origin, and what may be asked of it.

use countersign_domain::canonical::Value;
use serde::{Deserialize, Serialize};
use url::{Host, Url};

use super::{
    Method,
    address::{Reach, is_global},
    path,
};
use crate::{InputError, schema};

/// Longest idempotency window, in seconds: a week.
const MAX_WINDOW: i64 = 7 * 24 * 3600;

/// Ports on which something else than HTTP listens and would take a request for its own language (WHATWG Fetch §2.10,
/// "bad port"), and those of databases, caches and container daemons that do as they are told.
#[rustfmt::skip]
const OTHER_PROTOCOLS: [u16; 92] = [
    1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110,
    111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532,
    540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061,
    6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
    1433, 1521, 2375, 2376, 2379, 3306, 5432, 6379, 11211, 27017,
];

/// One allow-listed origin.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpConfig {
    pub allowed_methods: Vec<Method>,
    /// A path is let through when it is one of these or lies below one.
    pub allowed_path_prefixes: Vec<String>,
    /// Name of the header that carries the secret: `Authorization`, `X-Api-Key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_header: Option<String>,
    /// `https://host[:port][/prefix]`, in exactly the spelling that a URL parser gives back. `http://` only for
    /// `localhost`, `127.0.0.1` and `[::1]`.
    pub base_url: String,
    /// For how many seconds the other side knows an `Idempotency-Key` again; absent when it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_window_s: Option<i64>,
}

/// A configuration that was checked.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) config: HttpConfig,
    pub(super) base: Url,
    pub(super) reach: Reach,
}

impl HttpConfig {
    /// Reads and checks a connection's public configuration.
    ///
    /// # Errors
    /// With the field at fault.
    pub fn read(config: &Value) -> Result<Self, InputError> {
        Target::read(config).map(|target| target.config)
    }
}

impl Target {
    pub(super) fn read(config: &Value) -> Result<Self, InputError> {
        let config: HttpConfig = schema::typed(config)?;
        let (base, reach) = base(&config.base_url)?;
        if config.allowed_methods.is_empty() {
            return Err(InputError::field("allowed_methods", "Allow at least one method."));
        }
        if config.allowed_path_prefixes.is_empty() {
            return Err(InputError::field(
                "allowed_path_prefixes",
                "Allow at least one path; “/” allows all.",
            ));
        }
        for (index, prefix) in config.allowed_path_prefixes.iter().enumerate() {
            if path::normalise(prefix).as_ref() != Ok(prefix) {
                return Err(InputError::field(
                    format!("allowed_path_prefixes/{index}"),
                    "That is not a path in its normal form.",
                ));
            }
        }
        if let Some(name) = &config.auth_header
            && (!super::headers::is_token(name) || super::headers::is_framing(name))
        {
            return Err(InputError::field(
                "auth_header",
                "That is not a header that can carry a secret.",
            ));
        }
        if config
            .idempotency_window_s
            .is_some_and(|window| !(1..=MAX_WINDOW).contains(&window))
        {
            return Err(InputError::field(
                "idempotency_window_s",
                "The window is between one second and a week.",
            ));
        }
        Ok(Self { config, base, reach })
    }

    /// Whether a normalised path is one that may be asked for.
    pub(super) fn allows(&self, path: &str) -> bool {
        self.config.allowed_path_prefixes.iter().any(|prefix| {
            path.strip_prefix(prefix.as_str())
                .is_some_and(|rest| prefix.ends_with('/') || rest.is_empty() || rest.starts_with('/'))
        })
    }
}

/// The origin, when it is written in the one spelling that cannot be misread.
fn base(text: &str) -> Result<(Url, Reach), InputError> {
    let wrong = |why: &str| InputError::field("base_url", why.to_owned());
    let url = Url::parse(text).map_err(|_| wrong("That is not a URL."))?;
    // A parser turns 0x7f.1 into 127.0.0.1 and drops tabs; what it had to change is refused, not corrected.
    let written = url.as_str() == text || url.as_str().strip_suffix('/') == Some(text);
    if !written {
        return Err(wrong("Write the URL as a browser would show it."));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("User names and passwords do not belong into a URL."));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("The base URL ends with its path."));
    }
    if url.path() != "/" && path::normalise(url.path()).as_deref() != Ok(url.path()) {
        return Err(wrong("The path of the base URL is not in its normal form."));
    }
    if url.port() == Some(0) {
        return Err(wrong("The port is between 1 and 65535."));
    }
    if url.port().is_some_and(|port| OTHER_PROTOCOLS.contains(&port)) {
        return Err(wrong("That port is kept for another kind of service."));
    }
    let reach = match url.host() {
        Some(Host::Domain("localhost")) => Reach::Loopback,
        Some(Host::Ipv4(ip)) if ip == core::net::Ipv4Addr::LOCALHOST => Reach::Loopback,
        Some(Host::Ipv6(ip)) if ip == core::net::Ipv6Addr::LOCALHOST => Reach::Loopback,
        Some(Host::Ipv4(ip)) if is_global(ip.into()) => Reach::Internet,
        Some(Host::Ipv6(ip)) if is_global(ip.into()) => Reach::Internet,
        Some(Host::Domain(name)) if is_public_name(name) => Reach::Internet,
        Some(Host::Domain(_) | Host::Ipv4(_) | Host::Ipv6(_)) => {
            return Err(wrong("That host is not on the public internet."));
        }
        None => return Err(wrong("The URL has no host.")),
    };
    match (url.scheme(), reach) {
        ("https", _) | ("http", Reach::Loopback) => Ok((url, reach)),
        _ => Err(wrong("Only https:// is possible, except to this computer.")),
    }
}

/// A domain with at least two labels that is not reserved for the inside of a network (RFC 6761, 6762, 8375, 9476).
fn is_public_name(name: &str) -> bool {
    let inside = [
        "localhost",
        "local",
        "internal",
        "home.arpa",
        "lan",
        "intranet",
        "corp",
        "home",
        "private",
    ];
    let below = |suffix: &&str| {
        name.strip_suffix(*suffix)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    name.contains('.')
        && !name.ends_with('.')
        && idna::domain_to_ascii_strict(name).is_ok_and(|ascii| ascii == name)
        && !inside.iter().any(below)
}

//! Which machines a request may reach: the public internet, or the one loopback origin that a person chose.
//!
//! An address is judged twice: the literal host of the URL before anything is sent, because the HTTP client never asks a
//! resolver about literals, and what DNS answers, at the moment of connecting, so that a name cannot change its meaning
//! in between.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Whether an address belongs to the public internet (IANA special-purpose registries, as of 2026). What embeds an
/// IPv4 address in an IPv6 one is not global: it is a second spelling of something else.
pub(super) fn is_global(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_global_v4(ip),
        IpAddr::V6(ip) => is_global_v6(ip),
    }
}

fn is_global_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let special = match a {
        // This network, private, loopback, multicast and everything above.
        0 | 10 | 127 | 224..=255 => true,
        100 => (64..128).contains(&b),
        169 => b == 254,
        172 => (16..32).contains(&b),
        192 => b == 168 || (b == 0 && matches!(c, 0 | 2)) || (b == 88 && c == 99),
        198 => matches!(b, 18 | 19) || (b == 51 && c == 100),
        203 => b == 0 && c == 113,
        _ => false,
    };
    !special
}

/// Only 2000::/3 is handed out for the internet; within it some blocks are not.
fn is_global_v6(ip: Ipv6Addr) -> bool {
    let [a, b, ..] = ip.segments();
    let unicast = a & 0xE000 == 0x2000;
    let special = match a {
        // 2001::/23 (Teredo, benchmarking, ORCHID, ...) and documentation.
        0x2001 => b < 0x0200 || b == 0x0DB8,
        // 6to4 embeds IPv4.
        0x2002 => true,
        // Documentation, 3fff::/20.
        0x3FFF => b < 0x1000,
        _ => false,
    };
    unicast && !special
}

/// What a connection may resolve to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reach {
    /// Global addresses.
    Internet,
    /// This computer alone.
    Loopback,
}

/// The addresses that may be connected to, or why none may. One forbidden address spoils the answer: a name that points
/// both outside and inside is an attempt to be taken for the one and reach the other.
pub(super) fn permitted(
    found: impl IntoIterator<Item = SocketAddr>,
    reach: Reach,
) -> Result<Vec<SocketAddr>, Forbidden> {
    let found: Vec<_> = found.into_iter().collect();
    let fits = |address: &SocketAddr| match reach {
        Reach::Internet => is_global(address.ip()),
        Reach::Loopback => address.ip().is_loopback(),
    };
    if !found.is_empty() && found.iter().all(fits) {
        Ok(found)
    } else {
        Err(Forbidden)
    }
}

/// The name does not stand for machines that the connection may reach.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the host's name does not lead to an address that this connection may reach")]
pub(super) struct Forbidden;

/// Asks the system and lets only permitted addresses through.
#[derive(Clone, Copy, Debug)]
pub(super) struct Guarded(pub(super) Reach);

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let addresses: Addrs = Box::new(permitted(found, reach)?.into_iter());
            Ok(addresses)
        })
    }
}

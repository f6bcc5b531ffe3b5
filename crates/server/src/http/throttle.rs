//! How often somebody may try: attempts in a window, for each account from each address and for each address in all;
//! and how often one proposer may propose.
//!
//! Kept in memory and bounded. An account is never locked for everybody: whoever knows an address could then keep its
//! owner out.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
};

use countersign_domain::{Digest, Millis, UnixMillis};

use crate::control::Identity;

const WINDOW: Millis = Millis::seconds(5 * 60);
/// Wrong passwords for one account from one address.
const FOR_ACCOUNT: u32 = 10;
/// Attempts from one address that came to nothing, over all accounts.
const FOR_ADDRESS: u32 = 60;
/// Requests without a credential that we know from one address, and with one that is over from everywhere. Guessing one
/// is hopeless anyway; this slows a client down that does not notice that it was sent away.
const REFUSED: u32 = 1_000;
/// Most counters; the oldest make room.
const KEPT: usize = 20_000;

/// Counts attempts.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    windows: Mutex<BTreeMap<Key, Window>>,
    /// Most calls of one proposer in a window; `None` for any number.
    proposals: Option<u32>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Key {
    Address(IpAddr),
    Account(IpAddr, Digest),
    Named(Digest),
    Refused(IpAddr),
    Proposer(Digest),
    Ended(Identity),
}

#[derive(Clone, Copy, Debug)]
struct Window {
    began: UnixMillis,
    attempts: u32,
}

impl Throttle {
    /// With the most calls to propose that one proposer has in five minutes.
    pub(crate) fn new(proposals: Option<u32>) -> Self {
        Self {
            proposals,
            ..Self::default()
        }
    }

    /// Counts an attempt before it is made, so that attempts side by side count as well.
    ///
    /// # Errors
    /// With the seconds to wait when there were too many.
    pub(crate) fn attempt(&self, from: IpAddr, account: &str, now: UnixMillis) -> Result<(), u64> {
        let (address, account) = keys(from, account);
        self.count(&[(address, FOR_ADDRESS), (account, FOR_ACCOUNT)], now)
    }

    /// Counts an attempt at something that has a name and no address, such as vouching for one device.
    ///
    /// # Errors
    /// With the seconds to wait when there were too many.
    pub(crate) fn attempt_at(&self, name: &str, now: UnixMillis) -> Result<(), u64> {
        self.count(&[(Key::Named(Digest::of(name.as_bytes())), FOR_ACCOUNT)], now)
    }

    /// Counts a request without a credential that we know.
    ///
    /// # Errors
    /// With the seconds to wait when there were too many.
    pub(crate) fn refused(&self, from: IpAddr, now: UnixMillis) -> Result<(), u64> {
        self.count(&[(Key::Refused(network(from)), REFUSED)], now)
    }

    /// Counts a call to propose. An agent that does not stop would else fill the disk with what policy lets run.
    ///
    /// # Errors
    /// With the seconds to wait when there were too many.
    pub(crate) fn proposed(&self, actor: &str, now: UnixMillis) -> Result<(), u64> {
        match self.proposals {
            Some(most) => self.count(&[(Key::Proposer(Digest::of(actor.as_bytes())), most)], now),
            None => Ok(()),
        }
    }

    /// Counts a request with a credential that is over.
    ///
    /// # Errors
    /// With the seconds to wait when there were too many.
    pub(crate) fn ended(&self, identity: Identity, now: UnixMillis) -> Result<(), u64> {
        self.count(&[(Key::Ended(identity), REFUSED)], now)
    }

    fn count(&self, keys: &[(Key, u32)], now: UnixMillis) -> Result<(), u64> {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() >= KEPT {
            make_room(&mut windows, now);
        }
        for &(key, most) in keys {
            if let Some(window) = windows.get(&key).filter(|window| window.is_open(now))
                && window.attempts >= most
            {
                return Err(window.seconds_left(now));
            }
        }
        for &(key, _) in keys {
            let window = windows.entry(key).or_insert(Window {
                began: now,
                attempts: 0,
            });
            if !window.is_open(now) {
                *window = Window {
                    began: now,
                    attempts: 0,
                };
            }
            window.attempts += 1;
        }
        Ok(())
    }

    /// The attempt was right: the account's count is forgotten, the address gets this one back.
    pub(crate) fn succeeded(&self, from: IpAddr, account: &str) {
        let (address, account) = keys(from, account);
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        windows.remove(&account);
        if let Some(window) = windows.get_mut(&address) {
            window.attempts = window.attempts.saturating_sub(1);
        }
    }
}

impl Window {
    fn is_open(&self, now: UnixMillis) -> bool {
        // A clock that went back must not keep anybody out for longer than a window.
        (0..WINDOW.0).contains(&now.since(self.began).0)
    }

    fn seconds_left(&self, now: UnixMillis) -> u64 {
        let left = (self.began + WINDOW).since(now).0.max(0).unsigned_abs();
        left.div_ceil(1000).max(1)
    }
}

fn keys(from: IpAddr, account: &str) -> (Key, Key) {
    let from = network(from);
    (
        Key::Address(from),
        Key::Account(from, Digest::of(account.as_bytes())),
    )
}

/// One household has one IPv4 address, or a whole IPv6 /64.
fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// Drops what has run out, and where that is not enough the older half.
fn make_room(windows: &mut BTreeMap<Key, Window>, now: UnixMillis) {
    windows.retain(|_, window| window.is_open(now));
    if windows.len() < KEPT {
        return;
    }
    let mut began: Vec<_> = windows.values().map(|window| window.began).collect();
    let (_, middle, _) = began.select_nth_unstable(KEPT / 2);
    let middle = *middle;
    windows.retain(|_, window| window.began > middle);
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const NOW: UnixMillis = UnixMillis(1_795_354_008_000);

    #[test]
    fn guessing_one_account_from_one_address_ends_soon_and_begins_again_later() {
        let throttle = Throttle::default();
        for _ in 0..FOR_ACCOUNT {
            assert_eq!(throttle.attempt(HOME, "ada", NOW), Ok(()));
        }
        assert_eq!(
            throttle.attempt(HOME, "ada", NOW + Millis(1)),
            Err(300),
            "and says when to come back"
        );
        assert_eq!(
            throttle.attempt(HOME, "bob", NOW),
            Ok(()),
            "another account is not ada's trouble"
        );
        let elsewhere = "198.51.100.1".parse().unwrap();
        assert_eq!(
            throttle.attempt(elsewhere, "ada", NOW),
            Ok(()),
            "ada at home is not locked out by a stranger"
        );
        assert_eq!(throttle.attempt(HOME, "ada", NOW + WINDOW), Ok(()));
    }

    #[test]
    fn spraying_many_accounts_from_one_network_ends_too() {
        let throttle = Throttle::default();
        let from = |host: u16| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, host));
        let tries = (0..200_u16)
            .filter(|n| throttle.attempt(from(*n), &format!("user{n}"), NOW).is_ok())
            .count();
        assert_eq!(tries, FOR_ADDRESS as usize, "a /64 is one network");
    }

    #[test]
    fn being_right_clears_the_count() {
        let throttle = Throttle::default();
        for _ in 0..200 {
            assert_eq!(
                throttle.attempt(HOME, "ada", NOW),
                Ok(()),
                "signing in often is not guessing"
            );
            throttle.succeeded(HOME, "ada");
        }
    }

    #[test]
    fn a_flood_of_names_takes_no_more_memory_than_it_may() {
        let throttle = Throttle::default();
        for n in 0..u32::try_from(KEPT).unwrap() + 500 {
            let from = IpAddr::V4(std::net::Ipv4Addr::from(n));
            let _ = throttle.attempt(from, &n.to_string(), NOW + Millis(i64::from(n) / 1000));
        }
        assert!(throttle.windows.lock().unwrap().len() <= KEPT + 2);
    }
}

//! How often somebody may guess an activation code: failed tries are counted for each peer and over all. Successful
//! registrations cost nothing here, codes limit them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use postfach_domain::time::Timestamp;

/// Failed tries that one peer has at once, and regains over [`WINDOW_MS`].
pub const PEER_TRIES: u64 = 10;
/// Failed tries of all peers together, likewise.
pub const GLOBAL_TRIES: u64 = 600;
/// Time over which all tries are regained, milliseconds.
pub const WINDOW_MS: u64 = 60_000;
/// Peers remembered at once; full buckets are forgotten first.
const MAX_PEERS: usize = 16_384;

/// A bucket in units of 1/[`WINDOW_MS`] try, so that refilling needs no fractions.
#[derive(Clone, Copy)]
struct Bucket {
    capacity: u64,
    level: u64,
    at: Timestamp,
}

impl Bucket {
    fn full(tries: u64, now: Timestamp) -> Self {
        Self { capacity: tries, level: tries * WINDOW_MS, at: now }
    }

    fn refill(&mut self, now: Timestamp) {
        let gained = now.0.saturating_sub(self.at.0).saturating_mul(self.capacity);
        self.level = self.level.saturating_add(gained).min(self.capacity * WINDOW_MS);
        self.at = self.at.max(now);
    }

    fn wait(&self) -> Option<Duration> {
        let missing = WINDOW_MS.saturating_sub(self.level);
        (missing > 0).then(|| Duration::from_millis(missing.div_ceil(self.capacity)))
    }

    fn take(&mut self) {
        self.level = self.level.saturating_sub(WINDOW_MS);
    }
}

struct Buckets {
    all: Bucket,
    peers: HashMap<IpAddr, Bucket>,
}

/// Counts failed tries.
pub struct GuessLimit {
    buckets: Mutex<Buckets>,
}

impl GuessLimit {
    /// Nobody has failed yet.
    pub fn new(now: Timestamp) -> Self {
        let buckets = Buckets { all: Bucket::full(GLOBAL_TRIES, now), peers: HashMap::new() };
        Self { buckets: Mutex::new(buckets) }
    }

    /// Whether a peer may try now; if not, how long it should wait.
    pub fn check(&self, peer: IpAddr, now: Timestamp) -> Result<(), Duration> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.all.refill(now);
        let mine = buckets.peers.get_mut(&network_of(peer)).and_then(|bucket| {
            bucket.refill(now);
            bucket.wait()
        });
        mine.max(buckets.all.wait()).map_or(Ok(()), Err)
    }

    /// Counts one failed try.
    pub fn failed(&self, peer: IpAddr, now: Timestamp) {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.all.refill(now);
        buckets.all.take();
        if buckets.peers.len() >= MAX_PEERS {
            buckets.peers.retain(|_, bucket| {
                bucket.refill(now);
                bucket.level < bucket.capacity * WINDOW_MS
            });
        }
        if buckets.peers.len() >= MAX_PEERS {
            // The limit over all peers still holds.
            buckets.peers.clear();
        }
        let bucket = buckets.peers.entry(network_of(peer)).or_insert_with(|| Bucket::full(PEER_TRIES, now));
        bucket.refill(now);
        bucket.take();
    }
}

/// One IPv4 address, or the /64 that an IPv6 customer has.
fn network_of(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => {
            let mut segments = v6.segments();
            segments[4..].fill(0);
            IpAddr::V6(segments.into())
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_000_000_000);

    #[test]
    fn a_guessing_peer_waits_and_others_do_not() {
        let limit = GuessLimit::new(NOW);
        let (bad, good): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        for _ in 0..PEER_TRIES {
            assert_eq!(limit.check(bad, NOW), Ok(()));
            limit.failed(bad, NOW);
        }
        let wait = limit.check(bad, NOW).unwrap_err();
        assert_eq!(wait, Duration::from_secs(6));
        assert_eq!(limit.check(good, NOW), Ok(()));
        assert_eq!(limit.check(bad, NOW.plus_ms(6_000)), Ok(()));
    }

    #[test]
    fn many_peers_meet_the_common_limit() {
        let limit = GuessLimit::new(NOW);
        for n in 0..GLOBAL_TRIES {
            let peer = IpAddr::from([10, 0, u8::try_from(n / 256).unwrap(), u8::try_from(n % 256).unwrap()]);
            limit.failed(peer, NOW);
        }
        assert!(limit.check("192.0.2.9".parse().unwrap(), NOW).is_err());
    }

    #[test]
    fn one_ipv6_customer_is_one_peer() {
        let limit = GuessLimit::new(NOW);
        for n in 0..PEER_TRIES {
            limit.failed(format!("2001:db8::{n}").parse().unwrap(), NOW);
        }
        assert!(limit.check("2001:db8::ffff".parse().unwrap(), NOW).is_err());
        assert!(limit.check("2001:db8:0:1::1".parse().unwrap(), NOW).is_ok());
    }
}

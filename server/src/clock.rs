//! The only place of the server that asks the machine for time or chance. Everything else takes them as arguments.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use postfach_domain::time::Timestamp;
use rand_core::{CryptoRngCore, OsRng};

/// Where "now" comes from.
pub trait Clock: Send + Sync + 'static {
    /// The current instant. May step back; whoever needs order keeps its own last value.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods)] // the one place
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

/// The deployment's clock: the node's, set by the store's where that has one of its own, so that all nodes agree (SPEC 5).
pub struct StoreClock {
    node: Arc<dyn Clock>,
    /// Milliseconds by which the store's clock stood before the node's when it was last read.
    ahead: AtomicI64,
}

impl StoreClock {
    /// The node's clock, until the store's is read.
    pub fn new(node: Arc<dyn Clock>) -> Self {
        Self { node, ahead: AtomicI64::new(0) }
    }

    /// Sets the clock by what the store's shows, if there is one; answers the instant that counts.
    pub fn follow(&self, store: Option<Timestamp>) -> Timestamp {
        let Some(store) = store else { return self.now() };
        self.ahead.store(store.as_i64().saturating_sub(self.node.now().as_i64()), Ordering::Relaxed);
        store
    }
}

impl Clock for StoreClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.node.now().0.saturating_add_signed(self.ahead.load(Ordering::Relaxed)))
    }
}

impl std::fmt::Debug for StoreClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StoreClock({:?} ms ahead)", self.ahead)
    }
}

/// A source of randomness that may be handed to another task.
pub type Chance = Box<dyn CryptoRngCore + Send>;

/// The machine's randomness.
pub fn system_chance() -> Chance {
    Box::new(OsRng)
}

/// A clock that stands still until it is moved, for tests.
#[derive(Debug, Default)]
pub struct ManualClock(std::sync::atomic::AtomicU64);

impl ManualClock {
    /// A clock that shows this instant.
    pub fn at(now: Timestamp) -> Self {
        Self(std::sync::atomic::AtomicU64::new(now.0))
    }

    /// Sets the clock, forward or back.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.0, std::sync::atomic::Ordering::SeqCst);
    }

    /// Moves the clock forward by milliseconds.
    pub fn advance(&self, ms: u64) {
        self.0.fetch_add(ms, std::sync::atomic::Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(std::sync::atomic::Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_of_the_store_counts_once_it_was_read() {
        let node = Arc::new(ManualClock::at(Timestamp(10_000)));
        let clock = StoreClock::new(node.clone());
        assert_eq!(clock.follow(None), Timestamp(10_000));
        assert_eq!(clock.follow(Some(Timestamp(17_000))), Timestamp(17_000));
        node.advance(500);
        assert_eq!(clock.now(), Timestamp(17_500));
        assert_eq!(clock.follow(None), Timestamp(17_500));
        assert_eq!(clock.follow(Some(Timestamp(3))), Timestamp(3));
        assert_eq!(clock.now(), Timestamp(3));
    }
}

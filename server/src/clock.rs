//! The only place of the server that asks the machine for time or chance. Everything else takes them as arguments.

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

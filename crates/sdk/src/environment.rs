//! Where time and randomness come from. Both are given by the application, so that tests can fix them.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use postfach_domain::time::Timestamp;
use rand::rngs::StdRng;
use rand::{CryptoRng, RngCore, SeedableRng};

/// The application's clock.
pub trait Clock: Send + Sync {
    /// Now, in milliseconds since the Unix epoch.
    fn now(&self) -> Timestamp;
}

impl<F: Fn() -> Timestamp + Send + Sync> Clock for F {
    fn now(&self) -> Timestamp {
        self()
    }
}

/// A source of randomness that can be shared.
trait Source: RngCore + CryptoRng + Send {}
impl<T: RngCore + CryptoRng + Send> Source for T {}

/// Time and randomness of one application. Cheap to clone.
#[derive(Clone)]
pub struct Environment {
    clock: Arc<dyn Clock>,
    random: Arc<Mutex<dyn Source>>,
}

impl Environment {
    /// An environment; `random` must be a cryptographic generator, in programs the operating system's.
    pub fn new(clock: impl Clock + 'static, random: impl RngCore + CryptoRng + Send + 'static) -> Self {
        Self { clock: Arc::new(clock), random: Arc::new(Mutex::new(random)) }
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A generator for one operation, seeded with 32 bytes of the application's.
    pub fn rng(&self) -> StdRng {
        StdRng::from_seed(self.random_bytes())
    }

    /// Random bytes.
    pub fn random_bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.random.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(&mut bytes);
        bytes
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment(…)")
    }
}

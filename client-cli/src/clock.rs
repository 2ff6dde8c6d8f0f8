//! The only place where this program asks for the time and for randomness.

use postfach_domain::time::Timestamp;
use rand::rngs::OsRng;

/// Now, in milliseconds since the Unix epoch.
#[allow(clippy::disallowed_methods)] // Safe because everything else takes the time as an argument.
pub fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// The operating system's random source.
pub fn rng() -> OsRng {
    OsRng
}

//! A made-up service for unit tests.
#![allow(clippy::unwrap_used)]

use postfach_domain::sign::SecretKey;
use postfach_domain::time::Timestamp;
use postfach_ledger::checkpoint::LogKeys;
use postfach_ledger::vkey::LogSigner;
use postfach_ledger::witness::WitnessPolicy;
use rand::SeedableRng as _;

use crate::environment::Environment;
use crate::service::Service;

/// When the tests happen.
pub(crate) const NOW: Timestamp = Timestamp(1_795_000_000_000);

/// The key of one of the service's logs.
pub(crate) fn log_signer(name: &str) -> LogSigner {
    let seed = if name.ends_with("keys") { 21 } else { 22 };
    LogSigner::new(name, SecretKey::from_seed(&[seed; 32])).unwrap()
}

/// The registrar's key.
pub(crate) fn registrar() -> SecretKey {
    SecretKey::from_seed(&[23; 32])
}

/// `post.example`, with fixed keys.
pub(crate) fn service() -> Service {
    let keys = |name: &str| LogKeys::new(log_signer(name).verifier().clone(), Vec::new()).unwrap();
    Service {
        origin: "post.example".parse().unwrap(),
        url: "https://127.0.0.1:1".to_owned(),
        tls_root: None,
        registrar: registrar().public(),
        keys_log: keys("post.example/keys"),
        evidence_log: keys("post.example/evidence"),
        witnesses: WitnessPolicy::none(),
    }
}

/// Fixed time and randomness.
pub(crate) fn environment() -> Environment {
    Environment::new(|| NOW, rand::rngs::StdRng::seed_from_u64(7))
}

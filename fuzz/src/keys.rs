//! Keys of the committed vectors and what trusts them, made from the same seeds as in the crates' own tests.

use std::sync::LazyLock;

use postfach_domain::id::Origin;
use postfach_domain::sign::SecretKey;
use postfach_ledger::checkpoint::LogKeys;
use postfach_ledger::cosign::WitnessSigner;
use postfach_ledger::receipt::Trust;
use postfach_ledger::vkey::LogSigner;
use postfach_ledger::witness::WitnessPolicy;

/// The Ed25519 key whose seed is this byte 32 times, below 16. Made once: inputs are many.
pub fn key(seed: u8) -> &'static SecretKey {
    static KEYS: LazyLock<Vec<SecretKey>> = LazyLock::new(|| (0..16).map(made).collect());
    &KEYS[usize::from(seed)]
}

fn made(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

/// The deployment of every vector.
pub fn origin() -> Origin {
    "post.example".parse().expect("a host name")
}

/// The keys log of the ledger's vectors.
pub fn keys_log() -> &'static LogSigner {
    static LOG: LazyLock<LogSigner> = LazyLock::new(|| log("post.example/keys", 2));
    &LOG
}

/// The evidence log of the ledger's vectors.
pub fn evidence_log() -> &'static LogSigner {
    static LOG: LazyLock<LogSigner> = LazyLock::new(|| log("post.example/evidence", 3));
    &LOG
}

fn log(name: &str, seed: u8) -> LogSigner {
    LogSigner::new(name, made(seed)).expect("a good name")
}

/// Witness 1 or 2 of the ledger's vectors.
pub fn witness(number: u8) -> WitnessSigner {
    WitnessSigner::new(&format!("witness{number}.example"), made(10 + number)).expect("a good name")
}

/// What a holder of the ledger's vectors trusts.
pub fn trust() -> &'static Trust {
    static TRUST: LazyLock<Trust> = LazyLock::new(trusted);
    &TRUST
}

fn trusted() -> Trust {
    let keys = |signer: &LogSigner| LogKeys::new(signer.verifier().clone(), vec![]).expect("one key");
    let witnesses = vec![witness(1).verifier().clone(), witness(2).verifier().clone()];
    Trust {
        origin: origin(),
        registrar: key(1).public(),
        keys_log: keys(keys_log()),
        evidence_log: keys(evidence_log()),
        witnesses: WitnessPolicy::new(witnesses, 0).expect("two witnesses"),
        allow_unwitnessed: false,
    }
}

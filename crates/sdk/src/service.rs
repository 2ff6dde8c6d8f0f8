//! The service that a client has pinned: everything that is taken from its service card (SPEC 1) and trusted from then
//! on. Reading the card's text is `postfach_domain::card`; nothing here dials.

use postfach_domain::id::Origin;
use postfach_domain::sign::PublicKey;
use postfach_ledger::checkpoint::LogKeys;
use postfach_ledger::witness::WitnessPolicy;

/// What a client trusts about one deployment.
#[derive(Debug, Clone)]
pub struct Service {
    /// The deployment's name; also the TLS server name.
    pub origin: Origin,
    /// Where to dial, `https://host[:port]`.
    pub url: String,
    /// Root certificate in PEM that the TLS certificate must lead to; `None` means the roots of the system.
    pub tls_root: Option<String>,
    /// The registrar's key: certificates and cards are signed by it.
    pub registrar: PublicKey,
    /// Keys of the log of keys.
    pub keys_log: LogKeys,
    /// Keys of the log of evidence.
    pub evidence_log: LogKeys,
    /// Witnesses whose cosignatures count.
    pub witnesses: WitnessPolicy,
}

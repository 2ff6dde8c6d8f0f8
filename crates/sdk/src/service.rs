//! The service that a client has pinned: everything that is taken from its service card (SPEC 1) and trusted from then
//! on. Reading the card's text is `postfach_domain::card`; nothing here dials.

use postfach_domain::card::ServiceCard;
use postfach_domain::id::Origin;
use postfach_domain::sign::PublicKey;
use postfach_ledger::checkpoint::LogKeys;
use postfach_ledger::receipt::Trust;
use postfach_ledger::witness::WitnessPolicy;

use crate::error::Error;

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

impl Service {
    /// Takes a verified card for what it pins. Whether this card may be trusted, by its fingerprint or as successor of
    /// an older one, was decided by the caller.
    pub fn from_card(card: &ServiceCard) -> Result<Self, Error> {
        let trust = Trust::from_card(card).map_err(|e| Error::bad_input("service-card", e))?;
        Ok(Self {
            origin: trust.origin,
            url: card.server_url.clone(),
            tls_root: card.tls_root.clone(),
            registrar: trust.registrar,
            keys_log: trust.keys_log,
            evidence_log: trust.evidence_log,
            witnesses: trust.witnesses,
        })
    }

    /// What a verifier of receipts trusts. `allow_unwitnessed` takes receipts without the cosignatures that the card
    /// asks for; the result says so.
    pub fn receipt_trust(&self, allow_unwitnessed: bool) -> Trust {
        Trust {
            origin: self.origin.clone(),
            registrar: self.registrar,
            keys_log: self.keys_log.clone(),
            evidence_log: self.evidence_log.clone(),
            witnesses: self.witnesses.clone(),
            allow_unwitnessed,
        }
    }
}

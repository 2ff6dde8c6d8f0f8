//! What a receipt is judged by: the keys and witnesses that its holder trusts, read from a service card.

use postfach_domain::card::ServiceCard;
use postfach_domain::id::Origin;
use postfach_domain::sign::PublicKey;

use crate::checkpoint::LogKeys;
use crate::vkey::{LogVerifier, VkeyError};
use crate::witness::{WitnessPolicy, WitnessVerifier};

/// What the holder of a receipt trusts: the content of the service card.
#[derive(Clone, Debug)]
pub struct Trust {
    /// The deployment.
    pub origin: Origin,
    /// The registrar's root key.
    pub registrar: PublicKey,
    /// Keys of `<origin>/keys`.
    pub keys_log: LogKeys,
    /// Keys of `<origin>/evidence`.
    pub evidence_log: LogKeys,
    /// Witnesses in card order.
    pub witnesses: WitnessPolicy,
    /// Accept checkpoints with fewer cosignatures than the card asks for; the result says so.
    pub allow_unwitnessed: bool,
}

/// Why a service card gives no [`Trust`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// A log or witness key is malformed, weak or of the wrong type.
    #[error(transparent)]
    Vkey(#[from] VkeyError),
    /// A log key whose name is not `<origin>/keys` or `<origin>/evidence`, or one that stands twice.
    #[error("a log key of the card has a wrong name or stands twice")]
    LogName,
    /// A witness that stands twice, or a quorum above their number.
    #[error("the witness policy of the card cannot be met")]
    Witnesses,
}

impl Trust {
    /// Reads the keys of a verified card. Cosignatures are demanded as the card says.
    pub fn from_card(card: &ServiceCard) -> Result<Self, TrustError> {
        let mut former = Vec::with_capacity(card.former_logs.len());
        for log in &card.former_logs {
            former.push((LogVerifier::from_vkey(&log.vkey)?, log.final_size));
        }
        let names = [card.origin.keys_log(), card.origin.evidence_log()];
        if former.iter().any(|(key, _)| !names.iter().any(|name| name == key.name())) {
            return Err(TrustError::LogName);
        }
        let keys = |name: &str, current: &str| -> Result<LogKeys, TrustError> {
            let current = LogVerifier::from_vkey(current)?;
            let own = former.iter().filter(|(key, _)| key.name() == name).cloned().collect();
            LogKeys::new(current, own).filter(|keys| keys.name() == name).ok_or(TrustError::LogName)
        };
        let policy = &card.witness_policy;
        let witnesses: Result<Vec<_>, _> =
            policy.witnesses.iter().map(|vkey| WitnessVerifier::from_vkey(vkey)).collect();
        let quorum = usize::try_from(policy.quorum).map_err(|_| TrustError::Witnesses)?;
        Ok(Self {
            origin: card.origin.clone(),
            registrar: card.registrar,
            keys_log: keys(&names[0], &card.keys_log)?,
            evidence_log: keys(&names[1], &card.evidence_log)?,
            witnesses: WitnessPolicy::new(witnesses?, quorum).ok_or(TrustError::Witnesses)?,
            allow_unwitnessed: false,
        })
    }
}

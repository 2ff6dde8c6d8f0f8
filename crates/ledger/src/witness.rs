//! Cosignatures of witnesses (C2SP tlog-cosignature, Ed25519) and the policy of a service card. Signing as a
//! witness is in `cosign`; talking to witnesses is not done here.

use std::fmt;

use postfach_domain::sign::PublicKey;

use crate::vkey::{NamedKey, TYPE_COSIGNATURE, VkeyError, verify_strict};

/// The public key of a witness, pinned on the service card as C2SP vkey text of type 04.
#[derive(Clone, PartialEq, Eq)]
pub struct WitnessVerifier(NamedKey);

impl WitnessVerifier {
    /// A verifier for the witness of that name.
    pub fn new(name: &str, key: PublicKey) -> Result<Self, VkeyError> {
        NamedKey::new(name, key, TYPE_COSIGNATURE).map(Self)
    }

    /// Reads vkey text; refuses other spellings, other signature types and weak keys.
    pub fn from_vkey(text: &str) -> Result<Self, VkeyError> {
        NamedKey::parse(text, TYPE_COSIGNATURE).map(Self)
    }

    /// `<name>+<id, 8 hex digits>+<base64(04 || public key)>`
    pub fn vkey(&self) -> String {
        self.0.to_text()
    }

    /// The witness's name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Key id of signed notes: the first four bytes of `H(name || 0A || 04 || public key)`.
    pub fn note_key_id(&self) -> u32 {
        self.0.id
    }

    /// Checks a `timestamped_signature` (u64 seconds, 64 bytes) over a checkpoint's text; answers its time in
    /// seconds since the Unix epoch.
    pub fn verify_text(&self, text: &str, timestamped: &[u8]) -> Option<u64> {
        let (time, sig) = timestamped.split_first_chunk::<8>()?;
        let time = u64::from_be_bytes(*time);
        let fits = i64::try_from(time).is_ok() && verify_strict(&self.0.key, &cosigned(text, time), sig);
        fits.then_some(time)
    }
}

impl fmt::Debug for WitnessVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WitnessVerifier({})", self.vkey())
    }
}

/// A witness's statement that it saw this checkpoint as the newest consistent one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosignature {
    /// Name of the witness.
    pub witness: String,
    /// When, in seconds since the Unix epoch.
    pub time: u64,
}

/// The witnesses of a service card, in card order, and how many must have cosigned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WitnessPolicy {
    witnesses: Vec<WitnessVerifier>,
    quorum: usize,
}

impl WitnessPolicy {
    /// No witnesses: the operator's word stands alone.
    pub fn none() -> Self {
        Self::default()
    }

    /// `None` if a witness stands twice (by name and id, or by public key) or the quorum is above their number.
    pub fn new(witnesses: Vec<WitnessVerifier>, quorum: usize) -> Option<Self> {
        let distinct = witnesses.iter().enumerate().all(|(at, one)| {
            witnesses[..at].iter().all(|other| one.0.key != other.0.key && one.name() != other.name())
        });
        (distinct && quorum <= witnesses.len()).then_some(Self { witnesses, quorum })
    }

    /// The witnesses in card order.
    pub fn witnesses(&self) -> &[WitnessVerifier] {
        &self.witnesses
    }

    /// Cosignatures that a checkpoint needs; 0 where the card asks for none.
    pub fn quorum(&self) -> usize {
        self.quorum
    }

    /// True if these verified cosignatures satisfy the card.
    pub fn is_met_by(&self, cosignatures: &[Cosignature]) -> bool {
        cosignatures.len() >= self.quorum
    }
}

/// The message that a witness signs.
pub(crate) fn cosigned(text: &str, time: u64) -> Vec<u8> {
    format!("cosignature/v1\ntime {time}\n{text}").into_bytes()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use postfach_domain::sign::SecretKey;

    use super::*;

    fn witness(seed: u8, name: &str) -> WitnessVerifier {
        WitnessVerifier::new(name, SecretKey::from_seed(&[seed; 32]).public()).unwrap()
    }

    #[test]
    fn vkey_round_trip() {
        let text = witness(1, "witness.example/w1").vkey();
        assert_eq!(WitnessVerifier::from_vkey(&text), Ok(witness(1, "witness.example/w1")));
        let log = crate::vkey::LogVerifier::new("a", SecretKey::from_seed(&[1; 32]).public()).unwrap();
        assert_eq!(WitnessVerifier::from_vkey(&log.vkey()), Err(VkeyError::Type));
    }

    #[test]
    fn a_witness_counts_once() {
        assert!(WitnessPolicy::new(vec![witness(1, "a"), witness(2, "b")], 2).is_some());
        assert!(WitnessPolicy::new(vec![witness(1, "a"), witness(2, "b")], 3).is_none());
        assert!(WitnessPolicy::new(vec![witness(1, "a"), witness(1, "b")], 1).is_none());
        assert!(WitnessPolicy::new(vec![witness(1, "a"), witness(2, "a")], 1).is_none());
    }
}

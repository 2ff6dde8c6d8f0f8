//! Signing as a witness (C2SP tlog-cosignature, Ed25519). Whether a checkpoint may be cosigned is the witness's to find
//! out before.

use std::fmt;

use postfach_domain::sign::SecretKey;

use crate::checkpoint::SignedCheckpoint;
use crate::vkey::{VkeyError, signature_line};
use crate::witness::{WitnessVerifier, cosigned};

/// The private key of a witness. Cannot be printed or compared; wiped when dropped.
pub struct WitnessSigner {
    key: SecretKey,
    verifier: WitnessVerifier,
}

impl WitnessSigner {
    /// Cosigns as the witness of that name.
    pub fn new(name: &str, key: SecretKey) -> Result<Self, VkeyError> {
        let verifier = WitnessVerifier::new(name, key.public())?;
        Ok(Self { key, verifier })
    }

    /// The public half.
    pub fn verifier(&self) -> &WitnessVerifier {
        &self.verifier
    }

    /// The checkpoint with this witness's line at its end. The witness checks consistency before; `time` in seconds.
    pub fn cosign(&self, signed: &SignedCheckpoint, time: u64) -> SignedCheckpoint {
        use ed25519_dalek::Signer as _;
        let text = signed.checkpoint.text();
        let sig = self.key.expose_dalek().sign(&cosigned(&text, time)).to_bytes();
        let stamped = [time.to_be_bytes().as_slice(), &sig].concat();
        let line = signature_line(self.verifier.name(), self.verifier.note_key_id(), &stamped);
        let note = [signed.note.as_slice(), line.as_bytes()].concat();
        SignedCheckpoint { checkpoint: signed.checkpoint.clone(), note }
    }
}

impl fmt::Debug for WitnessSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WitnessSigner({})", self.verifier.vkey())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::checkpoint::{Checkpoint, CheckpointError, LogKeys, VerifiedCheckpoint};
    use crate::hash::leaf_hash;
    use crate::vkey::LogSigner;
    use crate::witness::WitnessPolicy;

    fn signer(seed: u8) -> LogSigner {
        LogSigner::new("post.example/evidence", SecretKey::from_seed(&[seed; 32])).unwrap()
    }

    fn keys() -> LogKeys {
        LogKeys::new(signer(1).verifier().clone(), vec![(signer(2).verifier().clone(), 100)]).unwrap()
    }

    fn witness(seed: u8) -> WitnessSigner {
        WitnessSigner::new(&format!("w{seed}.example"), SecretKey::from_seed(&[seed; 32])).unwrap()
    }

    fn policy() -> WitnessPolicy {
        WitnessPolicy::new(vec![witness(11).verifier().clone(), witness(12).verifier().clone()], 1).unwrap()
    }

    fn note(size: u64) -> SignedCheckpoint {
        Checkpoint::sign(&signer(1), size, leaf_hash(b"root"))
    }

    fn verify(note: &[u8]) -> Result<VerifiedCheckpoint, CheckpointError> {
        keys().verify(note, &policy())
    }

    #[test]
    fn witnesses_sign_once_and_in_card_order() {
        let (first, second) = (witness(11), witness(12));
        let both = second.cosign(&first.cosign(&note(9), 1_700_000_000), 1_700_000_001);
        let times: Vec<_> = verify(&both.note).unwrap().cosignatures.iter().map(|c| c.time).collect();
        assert_eq!(times, [1_700_000_000, 1_700_000_001]);
        assert!(verify(&second.cosign(&note(9), 1).note).is_ok());
        for bad in [
            first.cosign(&second.cosign(&note(9), 1), 2),
            first.cosign(&first.cosign(&note(9), 1), 2),
            witness(13).cosign(&note(9), 1),
            first.cosign(&note(9), u64::MAX),
        ] {
            assert_eq!(verify(&bad.note), Err(CheckpointError::Cosignature));
        }
        assert_eq!(keys().verify(&both.note, &WitnessPolicy::none()), Err(CheckpointError::Cosignature));
        // The log's own line twice is no cosignature either.
        let line = &both.note[note(9).checkpoint.text().len() + 1..note(9).note.len()];
        let doubled = [note(9).note.as_slice(), line].concat();
        assert_eq!(verify(&doubled), Err(CheckpointError::Cosignature));
    }

    #[test]
    fn every_damaged_byte_is_refused() {
        let good = witness(11).cosign(&note(1234), 1_700_000_000).note;
        assert!(verify(&good).is_ok());
        crate::testing::each_damage(&good, |bad| assert!(verify(bad).is_err()));
    }
}

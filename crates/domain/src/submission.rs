//! What a sender signs for the service: the three hashes of a message (SPEC 3). Not the inner signatures of cover and
//! letter, which only the reader can check.

use crate::format;
use crate::hash::Digest;
use crate::pae::context;
use crate::sign::{PublicKey, SecretKey, SignatureError};

/// H of outer header, cover envelope and letter envelope as transported.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Hashes {
    /// H(outer).
    pub outer: Digest,
    /// H(cover envelope).
    pub cover: Digest,
    /// H(letter envelope).
    pub letter: Digest,
}

impl Hashes {
    /// Hashes the three parts as transported.
    pub fn of(outer: &[u8], cover_envelope: &[u8], letter_envelope: &[u8]) -> Self {
        Self {
            outer: Digest::of(outer),
            cover: Digest::of(cover_envelope),
            letter: Digest::of(letter_envelope),
        }
    }

    /// `SIG(signer, "mpf1/submission", H(outer), H(cover envelope), H(letter envelope))`.
    pub fn sign(&self, signer: &SecretKey) -> format::Signature {
        signer.sign(context::SUBMISSION, &self.parts())
    }

    /// Verifies a submission signature; its key id must be `signer`'s.
    pub fn verify(&self, signer: &PublicKey, signature: &format::Signature) -> Result<(), SignatureError> {
        signer.verify(context::SUBMISSION, &self.parts(), signature)
    }

    fn parts(&self) -> [&[u8]; 3] {
        [self.outer.as_bytes(), self.cover.as_bytes(), self.letter.as_bytes()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_covers_every_hash_in_its_place() {
        let key = SecretKey::from_seed(&[1; 32]);
        let hashes = Hashes::of(b"outer", b"cover", b"letter");
        let signature = hashes.sign(&key);
        assert_eq!(hashes.verify(&key.public(), &signature), Ok(()));
        for other in [
            Hashes::of(b"other", b"cover", b"letter"),
            Hashes::of(b"outer", b"other", b"letter"),
            Hashes::of(b"outer", b"cover", b"other"),
            Hashes::of(b"cover", b"outer", b"letter"),
        ] {
            assert_eq!(other.verify(&key.public(), &signature), Err(SignatureError::Invalid));
        }
        let stranger = SecretKey::from_seed(&[2; 32]).public();
        assert_eq!(hashes.verify(&stranger, &signature), Err(SignatureError::WrongKey));
    }
}

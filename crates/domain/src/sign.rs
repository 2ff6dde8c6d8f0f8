//! Ed25519 signatures over PAE, strict: small-order keys are refused where they enter, and verification is cofactor-free.

use std::fmt;

use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use rand_core::CryptoRngCore;
use zeroize::Zeroizing;

use crate::format;
use crate::hash::Digest;
use crate::id::KeyId;
use crate::pae::pae;

/// The only algorithm of version 1.
pub const ALG_ED25519: u32 = 1;

/// Why a key or a signature is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Not a point, a point of small order, or one in another spelling than the canonical one.
    #[error("the public key is weak or malformed")]
    WeakKey,
    /// An algorithm that version 1 does not know.
    #[error("unknown signature algorithm")]
    UnknownAlgorithm,
    /// The signature names another key than the body.
    #[error("the signature names another key than the body")]
    WrongKey,
    /// Absent, or not 64 bytes.
    #[error("the signature is missing or malformed")]
    Malformed,
    /// The signature does not fit the bytes.
    #[error("the signature does not fit")]
    Invalid,
}

/// A public Ed25519 key that was checked when it entered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Reads 32 bytes; refuses malformed and small-order points, and every spelling but the canonical one, since another
    /// spelling of a key would have another key id.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SignatureError> {
        let bytes: &[u8; 32] = bytes.try_into().map_err(|_| SignatureError::WeakKey)?;
        if !is_reduced(bytes) {
            return Err(SignatureError::WeakKey);
        }
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| SignatureError::WeakKey)?;
        if key.is_weak() { Err(SignatureError::WeakKey) } else { Ok(Self(key)) }
    }

    /// The 32 bytes.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// `H("mpf1/key-id" || 00 || 01 || pub)` (SPEC 1).
    pub fn key_id(&self) -> KeyId {
        KeyId(Digest::of_parts(&[b"mpf1/key-id\0\x01", self.0.as_bytes()]).0)
    }

    /// Verifies 64 bytes over `PAE(ctx, parts…)`, strictly.
    pub fn verify_raw(&self, ctx: &str, parts: &[&[u8]], sig: &[u8]) -> Result<(), SignatureError> {
        let sig: &[u8; 64] = sig.try_into().map_err(|_| SignatureError::Malformed)?;
        let sig = ed25519_dalek::Signature::from_bytes(sig);
        self.0.verify_strict(&pae(ctx, parts), &sig).map_err(|_| SignatureError::Invalid)
    }

    /// Verifies a signature object: algorithm, key id and bytes (SPEC 1).
    pub fn verify(
        &self,
        ctx: &str,
        parts: &[&[u8]],
        signature: &format::Signature,
    ) -> Result<(), SignatureError> {
        if signature.alg != ALG_ED25519 {
            return Err(SignatureError::UnknownAlgorithm);
        }
        if signature.key_id != self.key_id().as_bytes() {
            return Err(SignatureError::WrongKey);
        }
        self.verify_raw(ctx, parts, &signature.sig)
    }

    /// The key as dalek has it, for batch checks and signed notes.
    pub fn as_dalek(&self) -> &VerifyingKey {
        &self.0
    }
}

/// True where the y coordinate (little endian, without the sign bit) is below 2^255 - 19 (RFC 8032, 5.1.3).
fn is_reduced(point: &[u8; 32]) -> bool {
    let [low, middle @ .., high] = point;
    *low < 0xed || high & 0x7f != 0x7f || middle.iter().any(|byte| *byte != 0xff)
}

/// A private Ed25519 key. Cannot be printed, compared or serialised.
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// A new key.
    pub fn generate(rng: &mut impl CryptoRngCore) -> Self {
        Self(SigningKey::generate(rng))
    }

    /// From a 32-byte seed.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The seed, for sealing at rest. Nothing else may take it.
    pub fn expose_seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// key_id of the public half.
    pub fn key_id(&self) -> KeyId {
        self.public().key_id()
    }

    /// 64 bytes over `PAE(ctx, parts…)`.
    pub fn sign_raw(&self, ctx: &str, parts: &[&[u8]]) -> [u8; 64] {
        self.0.sign(&pae(ctx, parts)).to_bytes()
    }

    /// A signature object over `PAE(ctx, parts…)`.
    pub fn sign(&self, ctx: &str, parts: &[&[u8]]) -> format::Signature {
        format::Signature {
            alg: ALG_ED25519,
            key_id: self.key_id().to_vec(),
            sig: self.sign_raw(ctx, parts).to_vec(),
        }
    }

    /// `Signed{body, SIG(ctx, body)}`.
    pub fn sign_body(&self, ctx: &str, body: Vec<u8>) -> format::Signed {
        let signature = self.sign(ctx, &[&body]);
        format::Signed { body, signature: Some(signature) }
    }

    /// The key as dalek has it, for signed notes and tokens.
    pub fn expose_dalek(&self) -> &SigningKey {
        &self.0
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({})", self.key_id())
    }
}

/// The signature of a `Signed`, or an error where it is absent.
pub fn signature_of(signed: &format::Signed) -> Result<&format::Signature, SignatureError> {
    signed.signature.as_ref().ok_or(SignatureError::Malformed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn strict_about_key_algorithm_and_bytes() {
        let key = SecretKey::from_seed(&[1; 32]);
        let good = key.sign("mpf1/act", &[b"body"]);
        let public = key.public();
        assert_eq!(public.verify("mpf1/act", &[b"body"], &good), Ok(()));
        assert_eq!(public.verify("mpf1/link", &[b"body"], &good), Err(SignatureError::Invalid));
        let other_alg = format::Signature { alg: 2, ..good.clone() };
        assert_eq!(public.verify("mpf1/act", &[b"body"], &other_alg), Err(SignatureError::UnknownAlgorithm));
        let other_key = format::Signature { key_id: vec![0; 32], ..good };
        assert_eq!(public.verify("mpf1/act", &[b"body"], &other_key), Err(SignatureError::WrongKey));
    }

    #[test]
    fn small_order_keys_do_not_enter() {
        let mut identity = [0u8; 32];
        identity[0] = 1;
        assert_eq!(PublicKey::from_bytes(&identity), Err(SignatureError::WeakKey));
        assert_eq!(PublicKey::from_bytes(&[0; 32]), Err(SignatureError::WeakKey));
    }

    #[test]
    fn a_key_has_one_spelling() {
        let mut taken_by_the_library = 0;
        for low in 0xed..=0xff {
            let mut other = [0xff; 32];
            (other[0], other[31]) = (low, 0x7f);
            let decoded = VerifyingKey::from_bytes(&other);
            taken_by_the_library += u32::from(decoded.is_ok_and(|key| !key.is_weak()));
            assert_eq!(PublicKey::from_bytes(&other), Err(SignatureError::WeakKey), "{low:02x}");
        }
        assert!(taken_by_the_library > 0, "nothing to refuse");
    }
}

//! The post-quantum age recipient `mlkem768x25519` (X-Wing in HPKE), SPEC 2 and C2SP age "The MLKEM768-X25519
//! hybrid post-quantum recipient type".
//!
//! Not a new format: when the `age` crate ships native hybrid keys, this module goes and files stay readable.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

use age::secrecy::ExposeSecret;
use age::{DecryptError, EncryptError};
use age_core::format::{FILE_KEY_BYTES, FileKey, Stanza};
use base64::Engine;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::XWing;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use rand_core::{CryptoRng, RngCore};
use subtle::ConstantTimeEq;
use x25519_dalek::{PublicKey as X25519Public, StaticSecret};
use zeroize::Zeroizing;

use crate::bech32_long;

/// Length of a raw recipient: ML-KEM-768 key (1184) and X25519 point (32).
pub const RECIPIENT_LEN: usize = 1216;
/// Length of an identity's seed.
pub const SEED_LEN: usize = 32;
/// The tag of the recipient stanza.
pub(crate) const STANZA_TAG: &str = "mlkem768x25519";

/// Length of the encapsulated key: ML-KEM-768 ciphertext (1088) and X25519 share (32).
const ENC_LEN: usize = 1120;
const X25519_LEN: usize = 32;
const BODY_LEN: usize = FILE_KEY_BYTES + 16;
const INFO: &[u8] = b"age-encryption.org/mlkem768x25519";
const RECIPIENT_HRP: &str = "age1pq";
const IDENTITY_HRP: &str = "age-secret-key-pq-";
/// The label that age compares between recipients: such a file can't also be sealed to a key that a quantum
/// computer breaks.
const LABEL: &str = "postquantum";

type PublicKey = <XWing as Kem>::PublicKey;
type PrivateKey = <XWing as Kem>::PrivateKey;
type EncappedKey = <XWing as Kem>::EncappedKey;

/// Why bytes or text are not a hybrid key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HybridKeyError {
    /// The text is not canonical Bech32 with the right prefix and length.
    #[error("not a hybrid age key in its text form")]
    Text,
    /// The raw bytes have another length than [`RECIPIENT_LEN`] or [`SEED_LEN`].
    #[error("a hybrid age key has another length")]
    Length,
    /// The bytes are no ML-KEM-768 key, or the X25519 point has small order.
    #[error("not a valid hybrid age recipient")]
    Invalid,
}

/// A public key to which files are sealed: raw 1216 bytes, text `age1pq1…`.
#[derive(Clone, PartialEq, Eq)]
pub struct HybridRecipient(Box<PublicKey>);

impl HybridRecipient {
    /// Reads the raw form, as it stands in key chains (SPEC 2).
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, HybridKeyError> {
        if bytes.len() != RECIPIENT_LEN {
            return Err(HybridKeyError::Length);
        }
        if !is_contributory(&bytes[RECIPIENT_LEN - X25519_LEN..]) {
            return Err(HybridKeyError::Invalid);
        }
        PublicKey::from_bytes(bytes).map(|key| Self(Box::new(key))).map_err(|_| HybridKeyError::Invalid)
    }

    /// The raw form.
    pub fn to_bytes(&self) -> [u8; RECIPIENT_LEN] {
        let mut bytes = [0; RECIPIENT_LEN];
        self.0.write_exact(&mut bytes);
        bytes
    }
}

impl fmt::Display for HybridRecipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&bech32_long::encode_lower(RECIPIENT_HRP, &self.to_bytes()))
    }
}

impl fmt::Debug for HybridRecipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.to_string();
        write!(f, "HybridRecipient({}…)", &text[..text.len().min(24)])
    }
}

impl FromStr for HybridRecipient {
    type Err = HybridKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = bech32_long::decode::<RECIPIENT_LEN>(RECIPIENT_HRP, text).ok_or(HybridKeyError::Text)?;
        Self::from_bytes(bytes.as_slice())
    }
}

impl age::Recipient for HybridRecipient {
    fn wrap_file_key(&self, file_key: &FileKey) -> Result<(Vec<Stanza>, HashSet<String>), EncryptError> {
        let (enc, body) = hpke::single_shot_seal::<ChaCha20Poly1305, HkdfSha256, XWing>(
            &OpModeS::Base,
            &self.0,
            INFO,
            file_key.expose_secret(),
            &[],
        )
        .map_err(|e| EncryptError::Io(std::io::Error::other(e.to_string())))?;
        let stanza = Stanza {
            tag: STANZA_TAG.to_owned(),
            args: vec![BASE64_STANDARD_NO_PAD.encode(enc.to_bytes())],
            body,
        };
        Ok((vec![stanza], HashSet::from([LABEL.to_owned()])))
    }
}

/// A secret key: the 32-byte seed of an X-Wing key pair. Never printed, wiped when dropped.
#[derive(Clone)]
pub struct HybridIdentity(Zeroizing<[u8; SEED_LEN]>);

impl HybridIdentity {
    /// Makes a new key.
    pub fn generate(rng: &mut (impl CryptoRng + RngCore)) -> Self {
        let mut seed = Zeroizing::new([0; SEED_LEN]);
        rng.fill_bytes(seed.as_mut_slice());
        Self(seed)
    }

    /// Takes a seed that was stored, wrapped or derived. Every 32 bytes are a key.
    pub fn from_seed(seed: [u8; SEED_LEN]) -> Self {
        Self(Zeroizing::new(seed))
    }

    /// The public key.
    pub fn to_recipient(&self) -> HybridRecipient {
        HybridRecipient(Box::new(XWing::sk_to_pk(&self.private_key())))
    }

    /// The seed in the clear: only for storing it under another seal.
    pub fn expose_seed_bytes(&self) -> &[u8; SEED_LEN] {
        &self.0
    }

    /// The key in the clear in age's own text form, `AGE-SECRET-KEY-PQ-1…`: only for an export that the owner
    /// asked for.
    pub fn expose_as_age_secret_key(&self) -> Zeroizing<String> {
        Zeroizing::new(bech32_long::encode_upper(IDENTITY_HRP, self.0.as_slice()))
    }

    fn private_key(&self) -> PrivateKey {
        // Safe because every 32 bytes are an X-Wing seed and the array has 32.
        PrivateKey::from_bytes(self.0.as_slice()).expect("32 bytes")
    }
}

impl fmt::Debug for HybridIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HybridIdentity(…)")
    }
}

impl PartialEq for HybridIdentity {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_slice().ct_eq(other.0.as_slice()).into()
    }
}

impl Eq for HybridIdentity {}

impl FromStr for HybridIdentity {
    type Err = HybridKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        bech32_long::decode::<SEED_LEN>(IDENTITY_HRP, text).map(Self).ok_or(HybridKeyError::Text)
    }
}

impl age::Identity for HybridIdentity {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        if stanza.tag != STANZA_TAG {
            return None;
        }
        let Some(enc) = parse_stanza(stanza) else {
            return Some(Err(DecryptError::InvalidHeader));
        };
        // A body that does not open is for somebody else: ML-KEM rejects implicitly, so this is the only sign.
        let opened = hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, XWing>(
            &OpModeR::Base,
            &self.private_key(),
            &enc,
            INFO,
            &stanza.body,
            &[],
        );
        let plain = Zeroizing::new(opened.ok()?);
        if plain.len() != FILE_KEY_BYTES {
            return Some(Err(DecryptError::InvalidHeader));
        }
        Some(Ok(FileKey::init_with_mut(|key| key.copy_from_slice(&plain))))
    }
}

/// Checks the form of a stanza with our tag: one argument, canonical base64 of exactly 1120 bytes, an X25519 share
/// that contributes, and a body of 32 bytes (against partitioning oracles).
fn parse_stanza(stanza: &Stanza) -> Option<EncappedKey> {
    let [arg] = &stanza.args[..] else { return None };
    if stanza.body.len() != BODY_LEN {
        return None;
    }
    // This engine refuses padding and nonzero trailing bits.
    let enc = BASE64_STANDARD_NO_PAD.decode(arg).ok()?;
    if enc.len() != ENC_LEN || !is_contributory(&enc[ENC_LEN - X25519_LEN..]) {
        return None;
    }
    EncappedKey::from_bytes(&enc).ok()
}

/// False where the X25519 point has small order, so that every secret gives the same all-zero value (RFC 7748, 6.1).
/// `hpke` does not check this. The answer does not depend on the secret: a clamped scalar is a multiple of eight and
/// no multiple of a large prime order of curve or twist, so any one will do.
fn is_contributory(point: &[u8]) -> bool {
    let Ok(point) = <[u8; X25519_LEN]>::try_from(point) else { return false };
    StaticSecret::from([1; 32]).diffie_hellman(&X25519Public::from(point)).was_contributory()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use age::{Identity as _, Recipient as _};

    fn identity(byte: u8) -> HybridIdentity {
        HybridIdentity::from_seed([byte; SEED_LEN])
    }

    #[test]
    fn the_example_of_the_age_specification_round_trips() {
        let text = "AGE-SECRET-KEY-PQ-1XX76JRALNLXDMEW0CRK45QMCCH4X06SE84UN3VPM33W6HWDX0H3SK3ZQFR";
        let identity: HybridIdentity = text.parse().unwrap();
        assert_eq!(*identity.expose_as_age_secret_key(), text);
        let recipient = identity.to_recipient();
        let written = recipient.to_string();
        assert!(
            written.starts_with("age1pq1x34nzsvr0rxjsgdn8zgyhfe8j7ceq5r9rdelkjuh3y235jzxshfg87pzf5zrqtzdx")
        );
        assert!(written.ends_with("9pyyzk3tlhl53k2ykx3qheyty7saeq0d3fzv49zc0k"));
        assert_eq!(written.parse::<HybridRecipient>().unwrap(), recipient);
        assert_eq!(HybridRecipient::from_bytes(&recipient.to_bytes()).unwrap(), recipient);
    }

    #[test]
    fn nothing_secret_is_printed() {
        assert_eq!(format!("{:?}", identity(0x41)), "HybridIdentity(…)");
        assert!(format!("{:?}", identity(1).to_recipient()).len() < 60);
    }

    #[test]
    fn wrong_lengths_and_weak_points_are_no_recipients() {
        let mut raw = identity(3).to_recipient().to_bytes();
        assert_eq!(HybridRecipient::from_bytes(&raw[1..]), Err(HybridKeyError::Length));
        raw[RECIPIENT_LEN - 32..].fill(0);
        assert_eq!(HybridRecipient::from_bytes(&raw), Err(HybridKeyError::Invalid));
        let mut raw = identity(3).to_recipient().to_bytes();
        // Coefficients of an ML-KEM key are below q = 3329; 0xfff is not.
        raw[..2].fill(0xff);
        assert_eq!(HybridRecipient::from_bytes(&raw), Err(HybridKeyError::Invalid));
    }

    #[test]
    fn a_hybrid_file_cannot_also_be_sealed_to_a_classic_key() {
        let classic = age::x25519::Identity::generate().to_public();
        let hybrid = identity(5).to_recipient();
        let both: [&dyn age::Recipient; 2] = [&hybrid, &classic];
        let refused = age::Encryptor::with_recipients(both.into_iter());
        assert!(matches!(refused, Err(EncryptError::IncompatibleRecipients { .. })));
    }

    #[test]
    fn another_identity_does_not_match_and_a_bad_form_is_an_error() {
        let key = FileKey::new(Box::new([9; FILE_KEY_BYTES]));
        let (mut stanzas, _) = identity(5).to_recipient().wrap_file_key(&key).unwrap();
        let opened = identity(5).unwrap_stanza(&stanzas[0]).unwrap().unwrap();
        assert_eq!(opened.expose_secret(), key.expose_secret());
        assert!(identity(6).unwrap_stanza(&stanzas[0]).is_none());
        stanzas[0].body.push(0);
        assert!(matches!(identity(5).unwrap_stanza(&stanzas[0]), Some(Err(DecryptError::InvalidHeader))));
    }
}

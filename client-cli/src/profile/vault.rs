//! What lies in a profile is sealed with one random key; that key lies there sealed by a passphrase, or, by explicit
//! choice, in the clear. Not here: which files there are.

use std::fmt;
use std::io::{Read as _, Write as _};
use std::iter;

use age::secrecy::SecretString;
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use rand::{CryptoRng, RngCore};
use zeroize::Zeroizing;

/// log2 of scrypt's N: 128 MiB and about half a second, the least that OWASP's password storage guide asks for.
const WORK: u8 = 17;
/// More than this is refused: a forged file must not take all memory.
const MOST_WORK: u8 = 20;
const NONCE: usize = 24;
const MAGIC: &[u8; 5] = b"MPFS\x01";

/// Why something sealed does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VaultError {
    /// Another passphrase.
    WrongPassphrase,
    /// Not the bytes that were written.
    Damaged,
}

/// A passphrase. Cannot be printed.
pub struct Passphrase(SecretString);

impl Passphrase {
    /// Takes a passphrase; none that is empty.
    pub fn new(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self(SecretString::from(text.to_owned())))
    }
}

/// The key under which everything in a profile is sealed.
#[derive(Clone)]
pub struct DataKey(Zeroizing<[u8; 32]>);

impl DataKey {
    /// A new key.
    pub fn generate(rng: &mut (impl CryptoRng + RngCore)) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        rng.fill_bytes(key.as_mut());
        Self(key)
    }

    /// The key sealed by a passphrase: an age file.
    pub fn lock(&self, passphrase: &Passphrase) -> Result<Vec<u8>, age::EncryptError> {
        let mut recipient = age::scrypt::Recipient::new(passphrase.0.clone());
        recipient.set_work_factor(WORK);
        let encryptor = age::Encryptor::with_recipients(iter::once(&recipient as &dyn age::Recipient))?;
        let mut sealed = Vec::new();
        let mut writer = encryptor.wrap_output(&mut sealed)?;
        writer.write_all(self.0.as_slice())?;
        writer.finish()?;
        Ok(sealed)
    }

    /// Opens what [`DataKey::lock`] made.
    pub fn unlock(sealed: &[u8], passphrase: &Passphrase) -> Result<Self, VaultError> {
        let mut identity = age::scrypt::Identity::new(passphrase.0.clone());
        identity.set_max_work_factor(MOST_WORK);
        let decryptor = age::Decryptor::new_buffered(sealed).map_err(|_| VaultError::Damaged)?;
        let mut reader =
            decryptor.decrypt(iter::once(&identity as &dyn age::Identity)).map_err(|e| match e {
                age::DecryptError::DecryptionFailed
                | age::DecryptError::NoMatchingKeys
                | age::DecryptError::KeyDecryptionFailed => VaultError::WrongPassphrase,
                _ => VaultError::Damaged,
            })?;
        let mut key = Zeroizing::new(Vec::new());
        reader.by_ref().take(64).read_to_end(&mut key).map_err(|_| VaultError::Damaged)?;
        Self::from_bytes(&key)
    }

    /// The key in the clear, for a profile that its owner leaves unprotected.
    pub fn expose_unprotected(&self) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(self.0.as_slice()) + "\n")
    }

    /// Reads what [`DataKey::expose_unprotected`] gave.
    pub fn from_unprotected(text: &[u8]) -> Result<Self, VaultError> {
        let bytes = Zeroizing::new(hex::decode(text.trim_ascii()).map_err(|_| VaultError::Damaged)?);
        Self::from_bytes(&bytes)
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, VaultError> {
        let key: [u8; 32] = bytes.try_into().map_err(|_| VaultError::Damaged)?;
        Ok(Self(Zeroizing::new(key)))
    }

    /// Seals bytes for one place; they open nowhere else.
    pub fn seal(&self, place: &[u8], plain: &[u8], rng: &mut (impl CryptoRng + RngCore)) -> Vec<u8> {
        let mut nonce = [0; NONCE];
        rng.fill_bytes(&mut nonce);
        let payload = Payload { msg: plain, aad: place };
        // Safe because the cipher takes every length that fits memory.
        let sealed = self.cipher().encrypt(XNonce::from_slice(&nonce), payload).expect("fits memory");
        [&nonce[..], &sealed].concat()
    }

    /// Opens what [`DataKey::seal`] made for the same place.
    pub fn open(&self, place: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let (nonce, body) = sealed.split_at_checked(NONCE).ok_or(VaultError::Damaged)?;
        let payload = Payload { msg: body, aad: place };
        let plain = self.cipher().decrypt(XNonce::from_slice(nonce), payload);
        plain.map(Zeroizing::new).map_err(|_| VaultError::Damaged)
    }

    /// The content of a whole sealed file, bound to its name.
    pub fn seal_file(&self, name: &str, plain: &[u8], rng: &mut (impl CryptoRng + RngCore)) -> Vec<u8> {
        [&MAGIC[..], &self.seal(name.as_bytes(), plain, rng)].concat()
    }

    /// Opens what [`DataKey::seal_file`] made.
    pub fn open_file(&self, name: &str, bytes: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        self.open(name.as_bytes(), bytes.strip_prefix(MAGIC).ok_or(VaultError::Damaged)?)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(self.0.as_slice().into())
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(…)")
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    #[test]
    fn a_passphrase_locks_and_another_does_not_unlock() {
        let key = DataKey::generate(&mut StdRng::seed_from_u64(1));
        let right = Passphrase::new("correct horse").unwrap();
        let locked = key.lock(&right).unwrap();
        assert_eq!(DataKey::unlock(&locked, &right).unwrap().0, key.0);
        let wrong = Passphrase::new("battery staple").unwrap();
        assert_eq!(DataKey::unlock(&locked, &wrong).unwrap_err(), VaultError::WrongPassphrase);
        assert_eq!(DataKey::unlock(b"age", &right).unwrap_err(), VaultError::Damaged);
        assert!(Passphrase::new("").is_none());
    }

    #[test]
    fn sealed_bytes_open_at_their_place_only_and_only_unharmed() {
        let mut rng = StdRng::seed_from_u64(2);
        let key = DataKey::generate(&mut rng);
        let sealed = key.seal_file("trust", b"subject", &mut rng);
        assert_eq!(*key.open_file("trust", &sealed).unwrap(), b"subject");
        assert!(key.open_file("keys", &sealed).is_err());
        for at in 0..sealed.len() {
            let mut harmed = sealed.clone();
            harmed[at] ^= 1;
            assert_eq!(key.open_file("trust", &harmed).unwrap_err(), VaultError::Damaged);
            assert!(key.open_file("trust", &sealed[..at]).is_err());
        }
        assert!(!sealed.windows(7).any(|w| w == b"subject"));
        let again = DataKey::from_unprotected(key.expose_unprotected().as_bytes()).unwrap();
        assert_eq!(*again.open_file("trust", &sealed).unwrap(), b"subject");
    }
}

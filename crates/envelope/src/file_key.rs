//! The 16-byte key of one age file: taken out while sealing or opening, and used alone to open again (SPEC 3,
//! sender copy and file key export).
//!
//! `age` makes the file key inside; wrapping its two traits is the way to it. The header MAC commits to the key, so a
//! key that opens a file is the one that the file was made with.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

use age::secrecy::ExposeSecret;
use age::{DecryptError, EncryptError};
use age_core::format::{FILE_KEY_BYTES, FileKey, Stanza};
use zeroize::Zeroizing;

use crate::hybrid::{HybridIdentity, HybridRecipient, STANZA_TAG};

/// The key of one envelope. Opens this one file and nothing else; text is 32 hexadecimal digits.
#[derive(Clone)]
pub struct EnvelopeKey(Zeroizing<[u8; FILE_KEY_BYTES]>);

/// The text is not 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a file key is 32 hexadecimal digits")]
pub struct EnvelopeKeyError;

impl EnvelopeKey {
    /// Takes a key from its bytes.
    pub fn from_bytes(bytes: [u8; FILE_KEY_BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes in the clear: only for a sender copy or an export that the owner asked for.
    pub fn expose_key_bytes(&self) -> &[u8; FILE_KEY_BYTES] {
        &self.0
    }

    /// The text in the clear: only for an export that the owner asked for.
    pub fn expose_as_hex(&self) -> Zeroizing<String> {
        use fmt::Write as _;
        let mut text = Zeroizing::new(String::with_capacity(2 * FILE_KEY_BYTES));
        for byte in self.0.iter() {
            // Safe because writing into a String cannot fail.
            write!(text, "{byte:02x}").expect("a String takes everything");
        }
        text
    }

    fn of(key: &FileKey) -> Self {
        Self::from_bytes(*key.expose_secret())
    }

    fn to_age(&self) -> FileKey {
        FileKey::init_with_mut(|key| key.copy_from_slice(self.0.as_slice()))
    }
}

impl fmt::Debug for EnvelopeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnvelopeKey(…)")
    }
}

impl FromStr for EnvelopeKey {
    type Err = EnvelopeKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.as_bytes();
        if digits.len() != 2 * FILE_KEY_BYTES || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(EnvelopeKeyError);
        }
        let mut key = Zeroizing::new([0; FILE_KEY_BYTES]);
        for (byte, pair) in key.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| EnvelopeKeyError)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| EnvelopeKeyError)?;
        }
        Ok(Self(key))
    }
}

/// What opens an envelope: the mailbox's secret key, or the key of that one file.
#[derive(Clone, Copy, Debug)]
pub enum Unlock<'a> {
    /// The identity of the mailbox generation that the outer header names.
    Identity(&'a HybridIdentity),
    /// The file's own key, from a sender copy or an export.
    FileKey(&'a EnvelopeKey),
}

/// A recipient that keeps the file key that passes through it.
pub(crate) struct CapturingRecipient<'a> {
    inner: &'a HybridRecipient,
    key: OnceCell<EnvelopeKey>,
}

impl<'a> CapturingRecipient<'a> {
    pub(crate) fn new(inner: &'a HybridRecipient) -> Self {
        Self { inner, key: OnceCell::new() }
    }

    /// The key, once `age` has wrapped it.
    pub(crate) fn into_key(self) -> Option<EnvelopeKey> {
        self.key.into_inner()
    }
}

impl age::Recipient for CapturingRecipient<'_> {
    fn wrap_file_key(&self, file_key: &FileKey) -> Result<(Vec<Stanza>, HashSet<String>), EncryptError> {
        self.key
            .set(EnvelopeKey::of(file_key))
            .map_err(|_| EncryptError::Io(std::io::Error::other("one recipient, one file")))?;
        self.inner.wrap_file_key(file_key)
    }
}

/// An identity that asks for exactly one hybrid recipient and keeps the file key that it found.
pub(crate) struct OneRecipientIdentity<'a> {
    unlock: Unlock<'a>,
    key: OnceCell<EnvelopeKey>,
}

impl<'a> OneRecipientIdentity<'a> {
    pub(crate) fn new(unlock: Unlock<'a>) -> Self {
        Self { unlock, key: OnceCell::new() }
    }

    /// The key, once `age` has unwrapped it. The header MAC is verified by `age` afterwards.
    pub(crate) fn into_key(self) -> Option<EnvelopeKey> {
        self.key.into_inner()
    }
}

impl age::Identity for OneRecipientIdentity<'_> {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        let found = match self.unlock {
            Unlock::Identity(identity) => identity.unwrap_stanza(stanza)?,
            Unlock::FileKey(key) => Ok(key.to_age()),
        };
        if let Ok(key) = &found {
            // A second call with the same header finds the same key.
            let _ = self.key.set(EnvelopeKey::of(key));
        }
        Some(found)
    }

    fn unwrap_stanzas(&self, stanzas: &[Stanza]) -> Option<Result<FileKey, DecryptError>> {
        let mut ours = stanzas.iter().filter(|s| !is_grease(&s.tag));
        match (ours.next(), ours.next()) {
            (Some(stanza), None) if stanza.tag == STANZA_TAG => self.unwrap_stanza(stanza),
            _ => Some(Err(DecryptError::InvalidHeader)),
        }
    }
}

/// True for the random stanzas that age implementations add to keep parsers tolerant; nobody can open those.
fn is_grease(tag: &str) -> bool {
    tag == "grease" || tag.ends_with("-grease")
}

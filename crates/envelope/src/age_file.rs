//! Small age files to exactly one hybrid recipient: envelopes, wraps, sender copies.
//!
//! Large ones stream and live in `attachment`.

use std::io::{Read, Write};

use age::{DecryptError, Decryptor, Encryptor};
use zeroize::Zeroizing;

use crate::file_key::{CapturingRecipient, EnvelopeKey, OneRecipientIdentity, Unlock};
use crate::hybrid::HybridRecipient;

/// Longest age header that is read: ours have about 1.6 KiB and up to 0.6 KiB of grease. Bounds the work of parsing.
pub(crate) const MAX_HEADER: usize = 8 * 1024;
/// What age adds to a plaintext at most for `n` chunks of 64 KiB, besides the header: a nonce and 16 bytes a chunk.
const CHUNK: usize = 64 * 1024;
const NONCE_LEN: u64 = 16;
const TAG_LEN: u64 = 16;
/// The header's MAC as it is written: 32 bytes in base64 without padding.
const MAC_LEN: usize = 43;

/// Sealing failed below us: no random numbers, or a key that does not encapsulate.
#[derive(Debug, thiserror::Error)]
#[error("sealing failed: {0}")]
pub struct AgeSealError(pub(crate) String);

/// Why an age file does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AgeOpenError {
    /// Not an age v1 file with exactly one hybrid recipient, or its header was changed.
    #[error("not an age file with exactly one post-quantum recipient, or its header is damaged")]
    Header,
    /// Sealed for another key.
    #[error("sealed for another key")]
    OtherKey,
    /// The content was changed or cut.
    #[error("the sealed content is damaged or cut short")]
    Damaged,
    /// Larger than its kind may be.
    #[error("larger than allowed")]
    TooLarge,
}

/// Seals `plain` and keeps the file's key.
pub(crate) fn seal(
    plain: &[u8],
    recipient: &HybridRecipient,
) -> Result<(Vec<u8>, EnvelopeKey), AgeSealError> {
    let capturing = CapturingRecipient::new(recipient);
    let one: &dyn age::Recipient = &capturing;
    let encryptor = Encryptor::with_recipients(std::iter::once(one)).map_err(text)?;
    let mut file = Vec::with_capacity(plain.len() + plain.len() / CHUNK * 16 + 3 * 1024);
    let mut writer = encryptor.wrap_output(&mut file).map_err(text)?;
    writer.write_all(plain).map_err(text)?;
    writer.finish().map_err(text)?;
    let key = capturing.into_key().ok_or_else(|| AgeSealError("no file key".to_owned()))?;
    Ok((file, key))
}

/// Opens a file of at most `max_plain` bytes of plaintext.
pub(crate) fn open(
    file: &[u8],
    unlock: Unlock<'_>,
    max_plain: usize,
) -> Result<(Zeroizing<Vec<u8>>, EnvelopeKey), AgeOpenError> {
    if file.len() > MAX_HEADER + 16 + max_plain + (max_plain / CHUNK + 1) * 16 {
        return Err(AgeOpenError::TooLarge);
    }
    if !header_ends_within_limit(file) {
        return Err(AgeOpenError::Header);
    }
    let identity = OneRecipientIdentity::new(unlock);
    let one: &dyn age::Identity = &identity;
    let decryptor = Decryptor::new_buffered(file).map_err(|e| header_error(&e, unlock))?;
    let reader = decryptor.decrypt(std::iter::once(one)).map_err(|e| header_error(&e, unlock))?;
    let mut plain = Zeroizing::new(Vec::with_capacity(file.len()));
    let limit = max_plain as u64 + 1;
    reader.take(limit).read_to_end(&mut plain).map_err(|_| AgeOpenError::Damaged)?;
    if plain.len() > max_plain {
        return Err(AgeOpenError::TooLarge);
    }
    let key = identity.into_key().ok_or(AgeOpenError::Header)?;
    Ok((plain, key))
}

/// True where the header's last line begins within [`MAX_HEADER`] bytes.
pub(crate) fn header_ends_within_limit(start: &[u8]) -> bool {
    start[..start.len().min(MAX_HEADER)].windows(5).any(|w| w == b"\n--- ")
}

/// Length of the header of a file that begins like this, where it ends within [`MAX_HEADER`] bytes.
pub(crate) fn header_len(start: &[u8]) -> Option<usize> {
    let last_line = start[..start.len().min(MAX_HEADER)].windows(5).position(|w| w == b"\n--- ")?;
    Some(last_line + b"\n--- ".len() + MAC_LEN + b"\n".len())
}

/// What stands behind the header of a file that seals `plain` bytes: a nonce, and each chunk with its tag.
pub(crate) fn payload_len(plain: u64) -> u64 {
    let chunks = plain.div_ceil(CHUNK as u64).max(1);
    NONCE_LEN + plain + chunks * TAG_LEN
}

/// A wrong identity shows as no match, a wrong file key as a wrong MAC.
pub(crate) fn header_error(error: &DecryptError, unlock: Unlock<'_>) -> AgeOpenError {
    match (error, unlock) {
        (DecryptError::NoMatchingKeys, _) | (DecryptError::InvalidMac, Unlock::FileKey(_)) => {
            AgeOpenError::OtherKey
        }
        _ => AgeOpenError::Header,
    }
}

fn text(error: impl std::fmt::Display) -> AgeSealError {
    AgeSealError(error.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::hybrid::HybridIdentity;

    fn identity(byte: u8) -> HybridIdentity {
        HybridIdentity::from_seed([byte; 32])
    }

    #[test]
    fn the_captured_key_opens_the_file_alone_and_the_opener_finds_the_same() {
        let me = identity(1);
        let (file, key) = seal(b"hello", &me.to_recipient()).unwrap();
        let (plain, found) = open(&file, Unlock::Identity(&me), 5).unwrap();
        assert_eq!(plain.as_slice(), b"hello");
        assert_eq!(found.expose_key_bytes(), key.expose_key_bytes());
        let again: EnvelopeKey = key.expose_as_hex().parse().unwrap();
        assert_eq!(open(&file, Unlock::FileKey(&again), 5).unwrap().0.as_slice(), b"hello");
    }

    #[test]
    fn wrong_keys_sizes_and_bytes_each_have_their_error() {
        let me = identity(1);
        let (file, _) = seal(b"hello", &me.to_recipient()).unwrap();
        let open_me = |file: &[u8], max| open(file, Unlock::Identity(&me), max).map(|_| ());
        assert_eq!(open(&file, Unlock::Identity(&identity(2)), 5).unwrap_err(), AgeOpenError::OtherKey);
        let other_key = EnvelopeKey::from_bytes([0; 16]);
        assert_eq!(open(&file, Unlock::FileKey(&other_key), 5).unwrap_err(), AgeOpenError::OtherKey);
        assert_eq!(open_me(&file, 4), Err(AgeOpenError::TooLarge));
        assert_eq!(open_me(&file[..file.len() - 1], 5), Err(AgeOpenError::Damaged));
        assert_eq!(open_me(&[&file[..], b"x"].concat(), 9), Err(AgeOpenError::Damaged));
        assert_eq!(open_me(b"age-encryption.org/v1\n", 5), Err(AgeOpenError::Header));
        assert_eq!(open_me(&vec![b'a'; 100_000], 5), Err(AgeOpenError::TooLarge));
        assert_eq!(open_me(&vec![b'a'; 9_000], 99_000), Err(AgeOpenError::Header));
    }

    #[test]
    fn a_second_recipient_is_refused_also_one_of_another_kind() {
        struct Two(HybridRecipient, HybridRecipient);
        impl age::Recipient for Two {
            fn wrap_file_key(
                &self,
                key: &age_core::format::FileKey,
            ) -> Result<(Vec<age_core::format::Stanza>, std::collections::HashSet<String>), age::EncryptError>
            {
                let (mut first, labels) = self.0.wrap_file_key(key)?;
                first.append(&mut self.1.wrap_file_key(key)?.0);
                Ok((first, labels))
            }
        }
        struct Foreign(HybridRecipient);
        impl age::Recipient for Foreign {
            fn wrap_file_key(
                &self,
                key: &age_core::format::FileKey,
            ) -> Result<(Vec<age_core::format::Stanza>, std::collections::HashSet<String>), age::EncryptError>
            {
                let (mut stanzas, labels) = self.0.wrap_file_key(key)?;
                let (mut classic, _) = age::x25519::Identity::generate().to_public().wrap_file_key(key)?;
                stanzas.append(&mut classic);
                Ok((stanzas, labels))
            }
        }
        let me = identity(1);
        let sealed = |recipient: &dyn age::Recipient| {
            let mut file = Vec::new();
            let encryptor = Encryptor::with_recipients(std::iter::once(recipient)).unwrap();
            let mut writer = encryptor.wrap_output(&mut file).unwrap();
            writer.write_all(b"x").unwrap();
            writer.finish().unwrap();
            file
        };
        for file in [
            sealed(&Two(me.to_recipient(), identity(2).to_recipient())),
            sealed(&Foreign(me.to_recipient())),
            sealed(&age::x25519::Identity::generate().to_public()),
        ] {
            assert_eq!(open(&file, Unlock::Identity(&me), 9).unwrap_err(), AgeOpenError::Header);
        }
    }

    #[test]
    fn file_key_text_is_strict() {
        for bad in ["", "00", "zz000000000000000000000000000000", "+0000000000000000000000000000000"] {
            assert!(bad.parse::<EnvelopeKey>().is_err(), "{bad}");
        }
    }
}

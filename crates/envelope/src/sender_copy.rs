//! The sender copy (SPEC 3): lets a sender reread what was sent, without a hand-over.
//!
//! A small age file to the sender's own mailbox generation, holding the two file keys of a submission. It is unsigned:
//! a wrong key opens nothing.

use zeroize::Zeroizing;

use crate::age_file::{self, AgeOpenError, AgeSealError};
use crate::file_key::{EnvelopeKey, Unlock};
use crate::hybrid::{HybridIdentity, HybridRecipient};

const KEY_LEN: usize = 16;

/// Why a sender copy gives nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SenderCopyError {
    /// It does not open with this key.
    #[error("the sender copy does not open: {0}")]
    CannotDecrypt(#[from] AgeOpenError),
    /// It does not hold two keys.
    #[error("the sender copy is malformed")]
    Malformed,
}

/// The keys of one submission's two envelopes.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SubmissionKeys {
    /// Opens the cover envelope.
    pub cover: EnvelopeKey,
    /// Opens the letter envelope.
    pub letter: EnvelopeKey,
}

/// Seals both keys for the sender's own mailbox.
pub(crate) fn make(
    cover: &EnvelopeKey,
    letter: &EnvelopeKey,
    mailbox: &HybridRecipient,
) -> Result<Vec<u8>, AgeSealError> {
    let mut plain = Zeroizing::new([0; 2 * KEY_LEN]);
    plain[..KEY_LEN].copy_from_slice(cover.expose_key_bytes());
    plain[KEY_LEN..].copy_from_slice(letter.expose_key_bytes());
    age_file::seal(plain.as_slice(), mailbox).map(|(file, _)| file)
}

/// Opens a sender copy with the identity of the sender's mailbox generation.
pub fn open_sender_copy(copy: &[u8], mailbox: &HybridIdentity) -> Result<SubmissionKeys, SenderCopyError> {
    let (plain, _) = age_file::open(copy, Unlock::Identity(mailbox), 2 * KEY_LEN)?;
    let keys = Zeroizing::new(
        <[u8; 2 * KEY_LEN]>::try_from(plain.as_slice()).map_err(|_| SenderCopyError::Malformed)?,
    );
    let (mut cover, mut letter) = ([0; KEY_LEN], [0; KEY_LEN]);
    cover.copy_from_slice(&keys[..KEY_LEN]);
    letter.copy_from_slice(&keys[KEY_LEN..]);
    Ok(SubmissionKeys { cover: EnvelopeKey::from_bytes(cover), letter: EnvelopeKey::from_bytes(letter) })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn both_keys_come_back_and_nothing_else_is_taken() {
        let me = HybridIdentity::from_seed([1; 32]);
        let keys = [EnvelopeKey::from_bytes([2; 16]), EnvelopeKey::from_bytes([3; 16])];
        let copy = make(&keys[0], &keys[1], &me.to_recipient()).unwrap();
        let opened = open_sender_copy(&copy, &me).unwrap();
        assert_eq!(opened.cover.expose_key_bytes(), &[2; 16]);
        assert_eq!(opened.letter.expose_key_bytes(), &[3; 16]);
        let (short, _) = age_file::seal(&[0; 31], &me.to_recipient()).unwrap();
        assert_eq!(open_sender_copy(&short, &me).unwrap_err(), SenderCopyError::Malformed);
        let other = HybridIdentity::from_seed([2; 32]);
        assert!(matches!(open_sender_copy(&copy, &other), Err(SenderCopyError::CannotDecrypt(_))));
    }
}

//! What cover and letter have in common: envelope, frame, signed body, signature, names.

use postfach_domain::format::{Signature, Signed};
use postfach_domain::hash::Digest;
use postfach_domain::id::{Address, KeyId, Origin};
use postfach_domain::limits;
use postfach_domain::pae::context as pae_context;
use postfach_domain::sign::{PublicKey, SignatureError};
use prost::Message;
use zeroize::Zeroizing;

use super::error::{OpenError, Part};
use crate::age_file::{self, AgeOpenError};
use crate::file_key::{EnvelopeKey, Unlock};
use crate::frame::{COVER_FLOOR, FrameError, LETTER_FLOOR, frame_len, unframe};

/// A signed body out of an envelope; nothing of it is verified yet.
pub(super) struct Inner {
    body: Zeroizing<Vec<u8>>,
    signature: Signature,
    key: EnvelopeKey,
}

impl Inner {
    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }

    pub(super) fn into_key(self) -> EnvelopeKey {
        self.key
    }

    /// The key that the signature names.
    pub(super) fn signer(&self) -> Option<KeyId> {
        KeyId::try_from(self.signature.key_id.as_slice()).ok()
    }
}

/// Decrypts, then checks magic, length and padding, then takes the signed body apart.
pub(super) fn open_inner(part: Part, envelope: &[u8], unlock: Unlock<'_>) -> Result<Inner, OpenError> {
    let (floor, max) = match part {
        Part::Cover => (COVER_FLOOR, limits::COVER_LEN),
        Part::Letter | Part::Outer => (LETTER_FLOOR, limits::LETTER_LEN),
    };
    let (plain, key) = age_file::open(envelope, unlock, frame_len(max, floor)).map_err(|e| match e {
        AgeOpenError::TooLarge => OpenError::BadLength(part),
        other => OpenError::CannotDecrypt(part, other),
    })?;
    let signed = unframe(&plain, floor, max).map_err(|e| match e {
        FrameError::Magic => OpenError::BadMagic(part),
        FrameError::Length => OpenError::BadLength(part),
        FrameError::Padding => OpenError::NonzeroPadding(part),
    })?;
    let signed = Signed::decode(signed).map_err(|_| OpenError::Malformed(part))?;
    let signature = signed.signature.ok_or(OpenError::Malformed(part))?;
    Ok(Inner { body: Zeroizing::new(signed.body), signature, key })
}

/// What the reader knows for certain, and recomputes signatures with.
#[derive(Debug, Clone)]
pub(super) struct Context {
    pub(super) origin: Origin,
    pub(super) recipient: Address,
    pub(super) signer: PublicKey,
    pub(super) outer_hash: Digest,
}

impl Context {
    /// Recomputes the signature with my own address and the outer header that I received.
    pub(super) fn check_signature(&self, part: Part, inner: &Inner) -> Result<(), OpenError> {
        let ctx = match part {
            Part::Cover => pae_context::COVER,
            Part::Letter | Part::Outer => pae_context::LETTER,
        };
        let parts: [&[u8]; 4] = [
            self.origin.as_str().as_bytes(),
            self.recipient.as_bytes(),
            self.outer_hash.as_bytes(),
            &inner.body,
        ];
        self.signer.verify(ctx, &parts, &inner.signature).map_err(|e| match e {
            SignatureError::UnknownAlgorithm => OpenError::UnknownAlgorithm(part),
            SignatureError::WrongKey => OpenError::SignerMismatch(part),
            SignatureError::Malformed | SignatureError::Invalid | SignatureError::WeakKey => {
                OpenError::WrongSignature(part)
            }
        })
    }

    /// Checks the names that stand in the signed body itself.
    pub(super) fn check_names(
        &self,
        part: Part,
        outer_hash: &[u8],
        recipient: &[u8],
    ) -> Result<(), OpenError> {
        if outer_hash != self.outer_hash.as_bytes() {
            return Err(OpenError::OuterMismatch(part));
        }
        if recipient != self.recipient.as_bytes() {
            return Err(OpenError::RecipientMismatch(part));
        }
        Ok(())
    }
}

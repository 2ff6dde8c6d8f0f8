//! A letter shown to a third party by its file key (SPEC 3, last paragraph): signed content against `H(letter
//! envelope)`, without giving up a mailbox key. Checks all that can be checked without the cover.

use postfach_domain::hash::Digest;
use postfach_domain::id::{Address, KeyId, Origin};
use postfach_domain::outer::Outer;
use postfach_domain::sign::PublicKey;
use prost::Message;

use super::content::OpenedLetter;
use super::error::{OpenError, Part};
use super::inner::{Context, Inner, open_inner};
use crate::file_key::{EnvelopeKey, Unlock};
use crate::sealed::Letter;

/// A letter that a file key opened. Who signed it is still to be shown by [`DisclosedLetter::verify`].
pub struct DisclosedLetter {
    envelope_hash: Digest,
    inner: Inner,
    letter: Letter,
    outer_hash: Digest,
    recipient: Address,
    signer: KeyId,
}

/// Opens a letter's envelope with its file key alone. The envelope's header commits to the key, so there is one content
/// for one envelope.
pub fn disclose_letter(envelope: &[u8], key: &EnvelopeKey) -> Result<DisclosedLetter, OpenError> {
    let part = Part::Letter;
    let malformed = || OpenError::Malformed(part);
    let inner = open_inner(part, envelope, Unlock::FileKey(key))?;
    let letter = Letter::decode(inner.body()).map_err(|_| malformed())?;
    Ok(DisclosedLetter {
        envelope_hash: Digest::of(envelope),
        outer_hash: Digest::try_from(letter.outer_hash.as_slice()).map_err(|_| malformed())?,
        recipient: Address::try_from(letter.recipient.as_slice()).map_err(|_| malformed())?,
        signer: inner.signer().ok_or_else(malformed)?,
        inner,
        letter,
    })
}

impl DisclosedLetter {
    /// `H(letter envelope)`: to be compared with the one in a receipt's event.
    pub fn envelope_hash(&self) -> Digest {
        self.envelope_hash
    }

    /// The outer header that the letter names.
    pub fn outer_hash(&self) -> Digest {
        self.outer_hash
    }

    /// The recipient that the letter names.
    pub fn recipient(&self) -> Address {
        self.recipient
    }

    /// The key that the letter's signature names.
    pub fn signer(&self) -> KeyId {
        self.signer
    }

    /// Checks the letter against an outer header and a key that a receipt proves: header, signer, signature, names and
    /// attachments. Hashes are compared with the event's by the caller, before.
    pub fn verify(
        self,
        origin: &Origin,
        signer: &PublicKey,
        outer: &[u8],
    ) -> Result<OpenedLetter, OpenError> {
        let part = Part::Letter;
        if Digest::of(outer) != self.outer_hash {
            return Err(OpenError::OuterMismatch(part));
        }
        let outer = Outer::parse(outer).map_err(OpenError::MalformedOuter)?;
        if outer.origin != *origin {
            return Err(OpenError::OtherOrigin);
        }
        if outer.signer != signer.key_id() {
            return Err(OpenError::OtherSigner);
        }
        if outer.recipient != self.recipient {
            return Err(OpenError::RecipientMismatch(part));
        }
        let context = Context {
            origin: origin.clone(),
            recipient: self.recipient,
            signer: *signer,
            outer_hash: self.outer_hash,
        };
        context.check_signature(part, &self.inner)?;
        OpenedLetter::new(self.letter, &outer, self.inner.into_key())
    }

    /// The content without any proof of who wrote it, for a caller who has no receipt and says so beside it.
    pub fn unproven_letter(&self) -> &Letter {
        &self.letter
    }
}

impl std::fmt::Debug for DisclosedLetter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DisclosedLetter({})", self.envelope_hash)
    }
}

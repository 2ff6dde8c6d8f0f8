//! Opening a message (SPEC 3, "The reader checks"): the checks that concern bytes, in their order. Content exists only
//! in [`OpenedCover`] and [`OpenedLetter`], which nothing but passing all checks can make.
//!
//! Not here: what the log says of the event, the chain, certificates and the submission signature (domain, SDK).

mod content;
mod disclose;
mod error;
mod inner;

pub use content::{CoverAttachment, OpenedCover, OpenedLetter};
pub use disclose::{DisclosedLetter, disclose_letter};
pub use error::{Fault, OpenError, Part};

use postfach_domain::hash::Digest;
use postfach_domain::id::{Address, Origin};
use postfach_domain::outer::Outer;
use postfach_domain::sign::PublicKey;
use postfach_domain::submission::Hashes;
use prost::Message;

use crate::file_key::Unlock;
use crate::sealed::{Cover, Letter};
use content::{cover_attachments, same_announcement};
use inner::{Context, open_inner};

/// A message as it came, with what the reader knows for certain.
#[derive(Debug, Clone, Copy)]
pub struct Received<'a> {
    /// The deployment that the client pins.
    pub origin: &'a Origin,
    /// My own address; with a sender copy, the address that I wrote to.
    pub recipient: Address,
    /// The sender's key, already found certified or in the chain, and unrevoked.
    pub signer: &'a PublicKey,
    /// From the verified ACCEPTED event.
    pub hashes: Hashes,
    /// The outer header's bytes as they came.
    pub outer: &'a [u8],
}

impl Received<'_> {
    /// Checks the outer header, and gives it: kind, regime and the like may be shown once the submission signature
    /// holds, also before anything is opened.
    pub fn check_outer(&self) -> Result<Outer, OpenError> {
        if Digest::of(self.outer) != self.hashes.outer {
            return Err(OpenError::WrongHash(Part::Outer));
        }
        let outer = Outer::parse(self.outer).map_err(OpenError::MalformedOuter)?;
        if outer.origin != *self.origin {
            return Err(OpenError::OtherOrigin);
        }
        if outer.recipient != self.recipient {
            return Err(OpenError::OtherRecipient);
        }
        if outer.signer != self.signer.key_id() {
            return Err(OpenError::OtherSigner);
        }
        Ok(outer)
    }
}

/// Opens a cover. Needs no hand-over.
pub fn open_cover(
    received: &Received<'_>,
    envelope: &[u8],
    unlock: Unlock<'_>,
) -> Result<OpenedCover, OpenError> {
    let part = Part::Cover;
    if Digest::of(envelope) != received.hashes.cover {
        return Err(OpenError::WrongHash(part));
    }
    let outer = received.check_outer()?;
    let context = Context {
        origin: received.origin.clone(),
        recipient: received.recipient,
        signer: *received.signer,
        outer_hash: received.hashes.outer,
    };
    let inner = open_inner(part, envelope, unlock)?;
    context.check_signature(part, &inner)?;
    let cover = Cover::decode(inner.body()).map_err(|_| OpenError::Malformed(part))?;
    context.check_names(part, &cover.outer_hash, &cover.recipient)?;
    let attachments = cover_attachments(&cover)?;
    let body_hash = Digest::of(inner.body());
    let letter_hash = received.hashes.letter;
    Ok(OpenedCover { context, outer, letter_hash, body_hash, cover, attachments, key: inner.into_key() })
}

impl OpenedCover {
    /// Opens the letter that belongs to this cover. The caller has the envelope because a hand-over was signed, or
    /// because it is the sender.
    pub fn open_letter(&self, envelope: &[u8], unlock: Unlock<'_>) -> Result<OpenedLetter, OpenError> {
        let part = Part::Letter;
        if Digest::of(envelope) != self.letter_hash {
            return Err(OpenError::WrongHash(part));
        }
        let inner = open_inner(part, envelope, unlock)?;
        self.context.check_signature(part, &inner)?;
        let letter = Letter::decode(inner.body()).map_err(|_| OpenError::Malformed(part))?;
        self.context.check_names(part, &letter.outer_hash, &letter.recipient)?;
        if letter.cover_hash != self.body_hash.as_bytes() {
            return Err(OpenError::CoverMismatch);
        }
        let opened = OpenedLetter::new(letter, &self.outer, inner.into_key())?;
        if !same_announcement(self, &opened) {
            return Err(OpenError::AnnouncementMismatch);
        }
        Ok(opened)
    }
}

#[cfg(test)]
mod tests;

//! Verified content. These types have no public constructor: whoever holds one holds content whose checks all passed.

use std::fmt;

use postfach_domain::hash::Digest;
use postfach_domain::id::AttachmentId;
use postfach_domain::outer::{Outer, OuterAttachment};
use zeroize::Zeroizing;

use super::error::{OpenError, Part};
use super::inner::Context;
use crate::attachment::Attachment;
use crate::draft::{check_count, check_name, check_subject};
use crate::file_key::EnvelopeKey;
use crate::hybrid::{HybridIdentity, SEED_LEN};
use crate::sealed::{Action, BodyType, Cover, LegalInfo, Letter, LetterAttachment, PaymentRequest};

/// An attachment as a cover announces it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoverAttachment {
    /// Chosen by the sender.
    pub id: AttachmentId,
    /// Base name as the sender wrote it: clean it before it touches a disk or a terminal.
    pub name: String,
    /// Length of the content in bytes.
    pub size: u64,
}

/// A cover whose checks all passed. Text in it is the sender's: clean it before it touches a terminal.
pub struct OpenedCover {
    pub(super) context: Context,
    pub(super) outer: Outer,
    pub(super) letter_hash: Digest,
    pub(super) body_hash: Digest,
    pub(super) cover: Cover,
    pub(super) attachments: Vec<CoverAttachment>,
    pub(super) key: EnvelopeKey,
}

impl OpenedCover {
    /// The outer header that the cover is bound to.
    pub fn outer(&self) -> &Outer {
        &self.outer
    }

    /// The subject.
    pub fn subject(&self) -> &str {
        &self.cover.subject
    }

    /// Free text that names the document; may be empty.
    pub fn kind_detail(&self) -> &str {
        &self.cover.kind_detail
    }

    /// Length of the letter's text in bytes.
    pub fn letter_size(&self) -> u64 {
        self.cover.letter_size
    }

    /// What is attached.
    pub fn attachments(&self) -> &[CoverAttachment] {
        &self.attachments
    }

    /// The key of the cover's envelope alone.
    pub fn envelope_key(&self) -> &EnvelopeKey {
        &self.key
    }
}

impl fmt::Debug for OpenedCover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpenedCover({})", self.context.outer_hash)
    }
}

/// A letter whose checks all passed. Text in it is the sender's: clean it before it touches a terminal.
pub struct OpenedLetter {
    letter: Letter,
    body_type: BodyType,
    attachments: Vec<Attachment>,
    key: EnvelopeKey,
}

impl OpenedLetter {
    /// Takes a letter whose signature and names hold; checks its form, its limits and its attachments.
    pub(super) fn new(mut letter: Letter, outer: &Outer, key: EnvelopeKey) -> Result<Self, OpenError> {
        let malformed = OpenError::Malformed(Part::Letter);
        let body_type = BodyType::try_from(letter.body_type).map_err(|_| malformed.clone())?;
        if body_type == BodyType::Unspecified {
            return Err(malformed);
        }
        let attachments = attachments_of(std::mem::take(&mut letter.attachments), outer)?;
        Ok(Self { letter, body_type, attachments, key })
    }

    /// The text.
    pub fn body(&self) -> &str {
        &self.letter.body
    }

    /// How to read the text.
    pub fn body_type(&self) -> BodyType {
        self.body_type
    }

    /// What the authority states of the law.
    pub fn legal(&self) -> Option<&LegalInfo> {
        self.letter.legal.as_ref()
    }

    /// Requests to pay.
    pub fn payments(&self) -> &[PaymentRequest] {
        &self.letter.payments
    }

    /// What the reader is asked to do.
    pub fn actions(&self) -> &[Action] {
        &self.letter.actions
    }

    /// What is attached, with the keys that open it.
    pub fn attachments(&self) -> &[Attachment] {
        &self.attachments
    }

    /// The key of the letter's envelope alone, for an export.
    pub fn envelope_key(&self) -> &EnvelopeKey {
        &self.key
    }
}

impl fmt::Debug for OpenedLetter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpenedLetter({} attachments)", self.attachments.len())
    }
}

/// Checks limits and form of what a cover announces.
pub(super) fn cover_attachments(cover: &Cover) -> Result<Vec<CoverAttachment>, OpenError> {
    let limit = |e| OpenError::Limit(Part::Cover, e);
    check_subject(&cover.subject).map_err(limit)?;
    check_count(cover.attachments.len()).map_err(limit)?;
    cover
        .attachments
        .iter()
        .map(|a| {
            check_name(&a.name).map_err(limit)?;
            let id = AttachmentId::try_from(a.id.as_slice());
            let id = id.map_err(|_| OpenError::Malformed(Part::Cover))?;
            Ok(CoverAttachment { id, name: a.name.clone(), size: a.size })
        })
        .collect()
}

/// Joins the letter's attachments with the outer header's: same ids and roots, in the same order. The outer
/// header names none twice.
fn attachments_of(inner: Vec<LetterAttachment>, outer: &Outer) -> Result<Vec<Attachment>, OpenError> {
    let limit = |e| OpenError::Limit(Part::Letter, e);
    check_count(inner.len()).map_err(limit)?;
    if inner.len() != outer.attachments.len() {
        return Err(OpenError::AttachmentMismatch);
    }
    let mut attachments = Vec::with_capacity(inner.len());
    for (letter, outer) in inner.into_iter().zip(&outer.attachments) {
        check_name(&letter.name).and_then(|()| check_name(&letter.media_type)).map_err(limit)?;
        attachments.push(join(letter, outer)?);
    }
    Ok(attachments)
}

fn join(letter: LetterAttachment, outer: &OuterAttachment) -> Result<Attachment, OpenError> {
    let malformed = || OpenError::Malformed(Part::Letter);
    let secret = Zeroizing::new(letter.age_secret);
    let seed = Zeroizing::new(<[u8; SEED_LEN]>::try_from(secret.as_slice()).map_err(|_| malformed())?);
    if letter.id != outer.id.as_bytes() || letter.ct_root != outer.ct_root.as_bytes() {
        return Err(OpenError::AttachmentMismatch);
    }
    Ok(Attachment {
        id: outer.id,
        name: letter.name,
        media_type: letter.media_type,
        plain_len: letter.plain_len,
        plain_sha256: Digest::try_from(letter.plain_sha256.as_slice()).map_err(|_| malformed())?,
        ct_len: outer.ct_len,
        ct_root: outer.ct_root,
        identity: HybridIdentity::from_seed(*seed),
    })
}

/// True where the letter holds what the cover announced, so that nobody hands over on a false description.
pub(super) fn same_announcement(cover: &OpenedCover, letter: &OpenedLetter) -> bool {
    let announced = &cover.attachments;
    let same =
        |(c, l): (&CoverAttachment, &Attachment)| c.id == l.id && c.name == l.name && c.size == l.plain_len;
    cover.cover.letter_size == letter.letter.body.len() as u64
        && announced.len() == letter.attachments.len()
        && announced.iter().zip(&letter.attachments).all(same)
}

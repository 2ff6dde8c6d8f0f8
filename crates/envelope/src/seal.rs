//! Sealing a message (SPEC 3): cover and letter, each signed and in its own envelope, and the submission signature.
//!
//! Sending, storing and retrying are the caller's; sealed bytes are resent, never sealed again under one id, except
//! under a newer chain head.

use postfach_domain::format::{Signature, Signed};
use postfach_domain::hash::Digest;
use postfach_domain::id::Address;
use postfach_domain::limits;
use postfach_domain::outer::{Outer, OuterAttachment, outer_hash};
use postfach_domain::pae::context;
use postfach_domain::sign::SecretKey;
use postfach_domain::submission::Hashes;
use prost::Message;
use zeroize::{Zeroize, Zeroizing};

use crate::age_file::{self, AgeSealError};
use crate::draft::{Draft, DraftAttachment, LimitError};
use crate::frame::{COVER_FLOOR, LETTER_FLOOR, frame};
use crate::hybrid::HybridRecipient;
use crate::sealed::{BodyType, Cover, CoverAttachment, Letter, LetterAttachment};
use crate::sender_copy::{self, SubmissionKeys};

/// Why a message was not sealed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// Something is longer or more than allowed.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// One attachment stands twice in the message.
    #[error("attachment {0} stands twice in the message")]
    RepeatedAttachment(postfach_domain::id::AttachmentId),
    /// The letter does not say how to read its text.
    #[error("the letter has no body type")]
    NoBodyType,
    /// Sealing failed below us.
    #[error(transparent)]
    Age(#[from] AgeSealError),
}

/// Whom a message is sealed for.
#[derive(Debug, Clone, Copy)]
pub struct Recipients<'a> {
    /// The recipient's mailbox key of the generation that the outer header names.
    pub mailbox: &'a HybridRecipient,
    /// The sender's own mailbox key, where a sender copy is wanted.
    pub sender_copy: Option<&'a HybridRecipient>,
}

/// A sealed submission, to be kept durably before it is delivered and resent byte by byte.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Sealed {
    /// The outer header as signed.
    pub outer: Vec<u8>,
    /// The cover's envelope.
    pub cover_envelope: Vec<u8>,
    /// The letter's envelope.
    pub letter_envelope: Vec<u8>,
    /// `SIG(signer, "mpf1/submission", H(outer), H(cover envelope), H(letter envelope))`.
    pub submission_signature: Signature,
    /// The two file keys for the sender's own mailbox.
    pub sender_copy: Option<Vec<u8>>,
    /// The two file keys, for an export.
    pub keys: SubmissionKeys,
}

impl Sealed {
    /// The three hashes that the submission signature covers.
    pub fn hashes(&self) -> Hashes {
        Hashes::of(&self.outer, &self.cover_envelope, &self.letter_envelope)
    }
}

/// The signed plaintexts of a message, before padding and sealing. Deterministic.
pub(crate) struct Plaintexts {
    pub(crate) outer: Vec<u8>,
    pub(crate) cover: Zeroizing<Vec<u8>>,
    pub(crate) letter: Zeroizing<Vec<u8>>,
}

/// Seals a message. `outer` is what the server reads; its `signer` and `attachments` are filled in here.
pub fn seal_message(
    outer: Outer,
    draft: &Draft,
    signer: &SecretKey,
    recipients: Recipients<'_>,
) -> Result<Sealed, SealError> {
    let plain = sign_plaintexts(outer, draft, signer)?;
    let (cover_envelope, cover) = age_file::seal(&frame(&plain.cover, COVER_FLOOR), recipients.mailbox)?;
    let (letter_envelope, letter) = age_file::seal(&frame(&plain.letter, LETTER_FLOOR), recipients.mailbox)?;
    let submission_signature = Hashes::of(&plain.outer, &cover_envelope, &letter_envelope).sign(signer);
    let sender_copy =
        recipients.sender_copy.map(|own| sender_copy::make(&cover, &letter, own)).transpose()?;
    let keys = SubmissionKeys { cover, letter };
    Ok(Sealed {
        outer: plain.outer,
        cover_envelope,
        letter_envelope,
        submission_signature,
        sender_copy,
        keys,
    })
}

/// Encodes and signs everything that stands inside the envelopes.
pub(crate) fn sign_plaintexts(
    mut outer: Outer,
    draft: &Draft,
    signer: &SecretKey,
) -> Result<Plaintexts, SealError> {
    draft.check()?;
    if let Some(id) = draft.repeated_attachment() {
        return Err(SealError::RepeatedAttachment(id));
    }
    if draft.body_type == BodyType::Unspecified {
        return Err(SealError::NoBodyType);
    }
    outer.signer = signer.key_id();
    outer.attachments = draft.attachments.iter().map(outer_attachment).collect();
    let (origin, recipient) = (outer.origin.clone(), outer.recipient);
    let outer = outer.encode();
    let outer_hash = outer_hash(&outer);
    let sign = |ctx: &str, body: Vec<u8>| {
        let parts: [&[u8]; 4] =
            [origin.as_str().as_bytes(), recipient.as_bytes(), outer_hash.as_bytes(), &body];
        let signature = Some(signer.sign(ctx, &parts));
        let mut whole = Signed { body, signature };
        let encoded = Zeroizing::new(whole.encode_to_vec());
        whole.body.zeroize();
        encoded
    };

    let cover_body = cover_of(draft, outer_hash, recipient).encode_to_vec();
    let cover_hash = Digest::of(&cover_body);
    let cover = sign(context::COVER, cover_body);
    if cover.len() > limits::COVER_LEN {
        return Err(LimitError::Cover { got: cover.len() }.into());
    }
    let mut letter_message = letter_of(draft, outer_hash, recipient, cover_hash);
    let letter = sign(context::LETTER, letter_message.encode_to_vec());
    letter_message.attachments.iter_mut().for_each(|a| a.age_secret.zeroize());
    if letter.len() > limits::LETTER_LEN {
        return Err(LimitError::Letter { got: letter.len() }.into());
    }
    Ok(Plaintexts { outer, cover, letter })
}

fn outer_attachment(attachment: &DraftAttachment) -> OuterAttachment {
    let sealed = &attachment.sealed;
    OuterAttachment { id: sealed.id, ct_len: sealed.ct_len, ct_root: sealed.ct_root }
}

fn cover_of(draft: &Draft, outer_hash: Digest, recipient: Address) -> Cover {
    let attachment = |a: &DraftAttachment| CoverAttachment {
        id: a.sealed.id.to_vec(),
        name: a.name.clone(),
        size: a.sealed.plain_len,
    };
    Cover {
        outer_hash: outer_hash.to_vec(),
        recipient: recipient.to_vec(),
        subject: draft.subject.clone(),
        kind_detail: draft.kind_detail.clone(),
        letter_size: draft.body.len() as u64,
        attachments: draft.attachments.iter().map(attachment).collect(),
    }
}

fn letter_of(draft: &Draft, outer_hash: Digest, recipient: Address, cover_hash: Digest) -> Letter {
    let attachment = |a: &DraftAttachment| LetterAttachment {
        id: a.sealed.id.to_vec(),
        name: a.name.clone(),
        media_type: a.media_type.clone(),
        plain_len: a.sealed.plain_len,
        plain_sha256: a.sealed.plain_sha256.to_vec(),
        ct_root: a.sealed.ct_root.to_vec(),
        age_secret: a.sealed.identity.expose_seed_bytes().to_vec(),
    };
    Letter {
        outer_hash: outer_hash.to_vec(),
        recipient: recipient.to_vec(),
        cover_hash: cover_hash.to_vec(),
        body: draft.body.clone(),
        body_type: draft.body_type.into(),
        legal: draft.legal.clone(),
        payments: draft.payments.clone(),
        actions: draft.actions.clone(),
        attachments: draft.attachments.iter().map(attachment).collect(),
    }
}

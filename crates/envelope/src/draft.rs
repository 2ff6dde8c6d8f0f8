//! What a sender writes, before it is sealed, and the limits that hold on both sides.

use std::fmt;

use postfach_domain::id::AttachmentId;
use postfach_domain::limits;

use crate::attachment::SealedAttachment;
use crate::sealed::{Action, BodyType, LegalInfo, PaymentRequest};

/// Which limit a message exceeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LimitError {
    /// The signed cover is too long.
    #[error("subject, details and attachment names have {got} bytes, at most {max} fit a cover", max = limits::COVER_LEN)]
    Cover {
        /// Bytes it has.
        got: usize,
    },
    /// The signed letter is too long.
    #[error("the letter has {got} bytes, at most {max} are allowed", max = limits::LETTER_LEN)]
    Letter {
        /// Bytes it has.
        got: usize,
    },
    /// The subject is too long.
    #[error("the subject has {got} characters, at most {max} are allowed", max = limits::SUBJECT_CHARS)]
    Subject {
        /// Characters it has.
        got: usize,
    },
    /// Too many attachments.
    #[error("the message has {got} attachments, at most {max} are allowed", max = limits::ATTACHMENTS)]
    Attachments {
        /// How many it has.
        got: usize,
    },
    /// An attachment's name or media type is too long.
    #[error("a name has {got} bytes, at most {max} are allowed", max = limits::NAME_LEN)]
    Name {
        /// Bytes it has.
        got: usize,
    },
}

/// The sealed part of a message as a sender writes it. Attachments are sealed before, and may serve several messages.
#[derive(Clone, Default)]
pub struct Draft {
    /// At most 1,024 characters; stands in the cover.
    pub subject: String,
    /// Free text that names the document, for example "Einkommensteuerbescheid 2025"; stands in the cover.
    pub kind_detail: String,
    /// The letter's text.
    pub body: String,
    /// How to read it.
    pub body_type: BodyType,
    /// What the authority states of the law.
    pub legal: Option<LegalInfo>,
    /// Requests to pay.
    pub payments: Vec<PaymentRequest>,
    /// What the reader is asked to do.
    pub actions: Vec<Action>,
    /// At most 100.
    pub attachments: Vec<DraftAttachment>,
}

/// One attachment of a draft.
#[derive(Clone)]
pub struct DraftAttachment {
    /// Base name, sent unchanged (SPEC 4); at most 255 bytes.
    pub name: String,
    /// At most 255 bytes.
    pub media_type: String,
    /// What [`crate::attachment::seal_attachment`] gave.
    pub sealed: SealedAttachment,
}

// Content does not stand in logs and traces, before it is sealed no more than after it was opened.
impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Draft({} attachments)", self.attachments.len())
    }
}

impl fmt::Debug for DraftAttachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DraftAttachment({})", self.sealed.id)
    }
}

/// Checks a subject.
pub(crate) fn check_subject(subject: &str) -> Result<(), LimitError> {
    // Bytes first, so that a long text is not walked.
    let got = if subject.len() > 4 * limits::SUBJECT_CHARS { subject.len() } else { subject.chars().count() };
    if got > limits::SUBJECT_CHARS { Err(LimitError::Subject { got }) } else { Ok(()) }
}

/// Checks how many attachments there are.
pub(crate) fn check_count(got: usize) -> Result<(), LimitError> {
    if got > limits::ATTACHMENTS { Err(LimitError::Attachments { got }) } else { Ok(()) }
}

/// Checks an attachment's name or media type.
pub(crate) fn check_name(name: &str) -> Result<(), LimitError> {
    if name.len() > limits::NAME_LEN { Err(LimitError::Name { got: name.len() }) } else { Ok(()) }
}

impl Draft {
    /// Checks everything that can be checked before the cover and the letter are encoded.
    pub(crate) fn check(&self) -> Result<(), LimitError> {
        check_subject(&self.subject)?;
        check_count(self.attachments.len())?;
        self.attachments.iter().try_for_each(|a| {
            check_name(&a.name)?;
            check_name(&a.media_type)
        })
    }

    /// The first attachment id that stands twice.
    pub(crate) fn repeated_attachment(&self) -> Option<AttachmentId> {
        let mut ids = std::collections::HashSet::new();
        self.attachments.iter().map(|a| a.sealed.id).find(|id| !ids.insert(*id))
    }
}

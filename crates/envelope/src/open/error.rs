//! Why a received message is not shown: one variant for each check of the reader (SPEC 3), in their order.

use postfach_domain::outer::OuterError;

use crate::age_file::AgeOpenError;
use crate::draft::LimitError;

/// Which of the three parts of a message failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// What the server reads.
    Outer,
    /// Subject and attachment names.
    Cover,
    /// Content.
    Letter,
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Outer => "outer header",
            Self::Cover => "cover",
            Self::Letter => "letter",
        })
    }
}

/// Who is to blame for a failed check (SPEC 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The bytes are not the ones whose hashes were signed, or the service accepted an outer header for me that it had to
    /// refuse: DISPUTED, never REJECTED.
    Server,
    /// The bytes are as signed, and what is in them is wrong: REJECTED_BY_RECIPIENT.
    Sender,
}

/// The failed check. The variants stand in the order in which the reader checks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The hash of the outer header or of an envelope is not the one in the event.
    #[error("the {0} that came is not the one that was accepted")]
    WrongHash(Part),
    /// The outer header does not parse.
    #[error("the outer header is malformed: {0}")]
    MalformedOuter(OuterError),
    /// The outer header was made for another service.
    #[error("the message was made for another service")]
    OtherOrigin,
    /// The outer header names another recipient.
    #[error("the message names another recipient")]
    OtherRecipient,
    /// The outer header names another signer than the key that was checked.
    #[error("the outer header names another signer")]
    OtherSigner,
    /// The envelope does not open.
    #[error("the {0} does not open: {1}")]
    CannotDecrypt(Part, AgeOpenError),
    /// The plaintext does not begin with magic and version.
    #[error("the {0} is not of a known format")]
    BadMagic(Part),
    /// The plaintext has another length than its frame says, or is longer than allowed.
    #[error("the {0} has a wrong length")]
    BadLength(Part),
    /// The padding is not all zero.
    #[error("the padding of the {0} is not all zero")]
    NonzeroPadding(Part),
    /// The plaintext is no signed body, or the body does not parse.
    #[error("the {0} is malformed")]
    Malformed(Part),
    /// The signature is of an unknown algorithm.
    #[error("the signature of the {0} is of an unknown algorithm")]
    UnknownAlgorithm(Part),
    /// The signature names another key than the outer header.
    #[error("the {0} is signed by another key than the outer header names")]
    SignerMismatch(Part),
    /// The signature does not hold for my own address and the outer header that I received.
    #[error("the signature of the {0} is wrong")]
    WrongSignature(Part),
    /// The signed body names another outer header.
    #[error("the {0} belongs to another outer header")]
    OuterMismatch(Part),
    /// The signed body names another recipient.
    #[error("the {0} is for another recipient")]
    RecipientMismatch(Part),
    /// The signed letter names another cover.
    #[error("the letter belongs to another cover")]
    CoverMismatch,
    /// Ids or roots of attachments differ between outer header and letter.
    #[error("the attachments of outer header and letter differ")]
    AttachmentMismatch,
    /// The cover announces other attachments or another size than the letter has.
    #[error("the cover announces something else than the letter holds")]
    AnnouncementMismatch,
    /// Something is longer or more than allowed.
    #[error("the {0} exceeds a limit: {1}")]
    Limit(Part, LimitError),
}

impl OpenError {
    /// Who is to blame, given that the hashes come from a verified event and the right key was used. What the outer
    /// header says is open to the service, which accepts a good one only, and only for the recipient in it.
    pub fn fault(&self) -> Fault {
        match self {
            Self::WrongHash(_)
            | Self::MalformedOuter(_)
            | Self::OtherOrigin
            | Self::OtherRecipient
            | Self::OtherSigner => Fault::Server,
            _ => Fault::Sender,
        }
    }
}

//! What can be wrong with an attachment, and whose fault it is.

use std::io;

use crate::age_file::AgeOpenError;

/// Why an attachment is not shown. What was written meanwhile is worthless.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttachmentOpenError {
    /// The list of segment hashes is not the one under the signed root. The server's fault.
    #[error("the list of segment hashes does not fit the signed root")]
    SegmentHashes,
    /// A segment differs from its hash. The server's fault; fetch it again.
    #[error("segment {index} does not fit its hash")]
    Segment {
        /// Counted from 0.
        index: u64,
    },
    /// The stored file is longer or shorter than signed. The server's fault.
    #[error("the stored file has another length than signed")]
    CiphertextLength,
    /// The stored file is not the signed one. The server's fault.
    #[error("the stored file does not fit the signed root")]
    RootMismatch,
    /// The bytes are as signed, but the key in the letter does not open them. The sender's fault.
    #[error("the attachment does not open: {0}")]
    CannotDecrypt(AgeOpenError),
    /// The padded length is not the one that the length in the letter asks for. The sender's fault.
    #[error("the attachment has another length than the letter says")]
    BadLength,
    /// The padding is not all zero. The sender's fault.
    #[error("the attachment's padding is not all zero")]
    NonzeroPadding,
    /// The content is not the one that the letter names. The sender's fault.
    #[error("the attachment's content does not fit its hash in the letter")]
    PlainHash,
    /// The letter names more than an attachment may have. The sender's fault.
    #[error("larger than an attachment may be")]
    TooLarge,
    /// The stored file cannot be read.
    #[error("cannot read the stored file: {0}")]
    Read(#[source] io::Error),
    /// The content cannot be written.
    #[error("cannot write the content: {0}")]
    Write(#[source] io::Error),
}

impl AttachmentOpenError {
    /// True where all bytes are as signed and what is in them is wrong: the reason for a REJECTED_BY_RECIPIENT, where
    /// a wrong hash is one for a DISPUTED (SPEC 3).
    pub fn is_the_senders_fault(&self) -> bool {
        matches!(
            self,
            Self::CannotDecrypt(_)
                | Self::BadLength
                | Self::NonzeroPadding
                | Self::PlainHash
                | Self::TooLarge
        )
    }

    /// Takes our own error out of the reader's, or keeps the reader's.
    pub(super) fn from_read(error: io::Error) -> Self {
        error.downcast::<Self>().unwrap_or_else(Self::Read)
    }
}

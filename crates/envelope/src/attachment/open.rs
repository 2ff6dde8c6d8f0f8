//! Opening one attachment while it streams from the stored file to a temporary one.

use std::io::{self, BufRead, Read, Write};

use age::Decryptor;
use postfach_domain::hash::Digest;
use postfach_domain::id::AttachmentId;
use postfach_domain::limits;
use postfach_domain::padding::padded_len;
use postfach_domain::segments::{self, segment_count, segment_leaf};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::verifying::VerifyingReader;
use super::{Attachment, BUFFER, PADDING_FLOOR};
use crate::age_file::{AgeOpenError, header_ends_within_limit, header_error};
use crate::file_key::{OneRecipientIdentity, Unlock};

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

/// The hashes of an attachment's segments, checked against the signed root, so that each segment can be checked as it
/// comes and a download can go on at the first missing one.
#[derive(Debug, Clone)]
pub struct SegmentHashes {
    id: AttachmentId,
    leaves: Vec<Digest>,
}

impl SegmentHashes {
    /// Accepts a list only where its length and its root are the signed ones.
    pub fn verify(attachment: &Attachment, leaves: Vec<Digest>) -> Result<Self, AttachmentOpenError> {
        let fits = leaves.len() as u64 == segment_count(attachment.ct_len)
            && segments::root(leaves.iter().copied()) == attachment.ct_root;
        if !fits {
            return Err(AttachmentOpenError::SegmentHashes);
        }
        Ok(Self { id: attachment.id, leaves })
    }

    /// How many segments there are.
    pub fn count(&self) -> u64 {
        self.leaves.len() as u64
    }

    /// Checks one segment as it came.
    pub fn check(&self, index: u64, segment: &[u8]) -> Result<(), AttachmentOpenError> {
        self.check_leaf(index, segment_leaf(&self.id, index, segment))
    }

    pub(super) fn check_leaf(&self, index: u64, leaf: Digest) -> Result<(), AttachmentOpenError> {
        let expected = usize::try_from(index).ok().and_then(|i| self.leaves.get(i));
        if expected == Some(&leaf) { Ok(()) } else { Err(AttachmentOpenError::Segment { index }) }
    }
}

/// Opens the stored file `ciphertext` into `out`. Nothing in `out` may be shown or renamed into place unless this
/// returns `Ok`: then segments (where `hashes` are given), length and root of the stored file, its last age chunk,
/// the padding, and length and SHA-256 of the content all hold. Memory is one segment, whatever the length.
pub fn open_attachment(
    attachment: &Attachment,
    hashes: Option<&SegmentHashes>,
    ciphertext: impl Read,
    out: impl Write,
) -> Result<(), AttachmentOpenError> {
    if attachment.plain_len > limits::ATTACHMENT_LEN {
        return Err(AttachmentOpenError::TooLarge);
    }
    let mut reader = VerifyingReader::new(attachment, hashes, ciphertext);
    match decrypt(attachment, &mut reader, out) {
        // Before the sender is blamed, the stored bytes must be the signed ones.
        Err(e) if e.is_the_senders_fault() => reader.finish().and(Err(e)),
        Err(e) => Err(e),
        Ok(()) => reader.finish(),
    }
}

fn decrypt(
    attachment: &Attachment,
    reader: &mut VerifyingReader<'_, impl Read>,
    out: impl Write,
) -> Result<(), AttachmentOpenError> {
    let start = reader.fill_buf().map_err(AttachmentOpenError::from_read)?;
    if !header_ends_within_limit(start) {
        return Err(AttachmentOpenError::CannotDecrypt(AgeOpenError::Header));
    }
    let unlock = Unlock::Identity(&attachment.identity);
    let identity = OneRecipientIdentity::new(unlock);
    let one: &dyn age::Identity = &identity;
    let plain = Decryptor::new_buffered(reader)
        .and_then(|d| d.decrypt(std::iter::once(one)))
        .map_err(|e| AttachmentOpenError::CannotDecrypt(header_error(&e, unlock)))?;
    copy_content(attachment, plain, out)
}

/// Writes the content, and checks hash, padding and padded length.
fn copy_content(
    attachment: &Attachment,
    mut plain: impl Read,
    mut out: impl Write,
) -> Result<(), AttachmentOpenError> {
    let padded = padded_len(attachment.plain_len, PADDING_FLOOR);
    let mut hasher = Sha256::new();
    let mut buffer = Zeroizing::new(vec![0; BUFFER]);
    let (mut seen, mut zeros) = (0u64, true);
    loop {
        let n = match plain.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(decrypt_error(e)),
        };
        let left = usize::try_from(attachment.plain_len.saturating_sub(seen)).unwrap_or(usize::MAX);
        let (content, padding) = buffer[..n].split_at(n.min(left));
        seen += n as u64;
        if seen > padded {
            return Err(AttachmentOpenError::BadLength);
        }
        hasher.update(content);
        out.write_all(content).map_err(AttachmentOpenError::Write)?;
        zeros &= padding.iter().all(|b| *b == 0);
    }
    if seen != padded {
        return Err(AttachmentOpenError::BadLength);
    }
    if !zeros {
        return Err(AttachmentOpenError::NonzeroPadding);
    }
    if Digest(hasher.finalize().into()) != attachment.plain_sha256 {
        return Err(AttachmentOpenError::PlainHash);
    }
    out.flush().map_err(AttachmentOpenError::Write)
}

/// `age` reports damaged chunks as invalid data and a missing last chunk as an unexpected end, our reader reports its
/// own errors, and everything else comes from the disk.
fn decrypt_error(error: io::Error) -> AttachmentOpenError {
    match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
            AttachmentOpenError::CannotDecrypt(AgeOpenError::Damaged)
        }
        _ => AttachmentOpenError::from_read(error),
    }
}

//! Opening one attachment while it streams from the stored file to a temporary one.

use std::io::{self, BufRead, Read, Write};

use age::Decryptor;
use postfach_domain::hash::Digest;
use postfach_domain::limits;
use postfach_domain::padding::padded_len;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::open_error::AttachmentOpenError;
use super::segment_hashes::SegmentHashes;
use super::verifying::VerifyingReader;
use super::{Attachment, BUFFER, PADDING_FLOOR};
use crate::age_file::{AgeOpenError, header_ends_within_limit, header_error};
use crate::file_key::{OneRecipientIdentity, Unlock};

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

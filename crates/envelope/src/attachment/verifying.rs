//! A reader that checks ciphertext segment by segment before anything decrypts it.

use std::io::{self, BufRead, Read};

use postfach_domain::segments::{SEGMENT_LEN, SegmentRoot, segment_leaf};

use super::open_error::AttachmentOpenError;
use super::segment_hashes::SegmentHashes;
use super::{Attachment, BUFFER};

/// Reads at most one segment ahead. A wrong segment is an [`io::Error`] that holds an [`AttachmentOpenError`], and none of
/// its bytes come out, also where somebody reads on.
pub(super) struct VerifyingReader<'a, R> {
    attachment: &'a Attachment,
    hashes: Option<&'a SegmentHashes>,
    inner: R,
    segment: Vec<u8>,
    used: usize,
    next: u64,
    total: u64,
    root: SegmentRoot,
}

impl<'a, R: Read> VerifyingReader<'a, R> {
    pub(super) fn new(attachment: &'a Attachment, hashes: Option<&'a SegmentHashes>, inner: R) -> Self {
        let root = SegmentRoot::new();
        Self { attachment, hashes, inner, segment: Vec::new(), used: 0, next: 0, total: 0, root }
    }

    /// Reads what is left and checks length and root of the whole.
    pub(super) fn finish(mut self) -> Result<(), AttachmentOpenError> {
        loop {
            let n = self.fill_buf().map_err(AttachmentOpenError::from_read)?.len();
            if n == 0 {
                break;
            }
            self.consume(n);
        }
        if self.total != self.attachment.ct_len {
            return Err(AttachmentOpenError::CiphertextLength);
        }
        if self.root.root() != self.attachment.ct_root {
            return Err(AttachmentOpenError::RootMismatch);
        }
        Ok(())
    }

    /// Reads the next segment; an empty one is the end. Nothing of a segment that does not hold is kept.
    fn next_segment(&mut self) -> io::Result<()> {
        self.used = 0;
        self.segment.clear();
        self.read_segment().inspect_err(|_| self.segment.clear())
    }

    fn read_segment(&mut self) -> io::Result<()> {
        let want = SEGMENT_LEN as u64;
        self.segment.reserve(BUFFER);
        (&mut self.inner).take(want).read_to_end(&mut self.segment)?;
        if self.segment.is_empty() {
            return Ok(());
        }
        self.total += self.segment.len() as u64;
        if self.total > self.attachment.ct_len {
            return Err(io::Error::other(AttachmentOpenError::CiphertextLength));
        }
        let leaf = segment_leaf(&self.attachment.id, self.next, &self.segment);
        if let Some(hashes) = self.hashes {
            hashes.check_leaf(self.next, leaf).map_err(io::Error::other)?;
        }
        self.root.push(leaf);
        self.next += 1;
        Ok(())
    }
}

impl<R: Read> Read for VerifyingReader<'_, R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let from = self.fill_buf()?;
        let n = from.len().min(to.len());
        to[..n].copy_from_slice(&from[..n]);
        self.consume(n);
        Ok(n)
    }
}

impl<R: Read> BufRead for VerifyingReader<'_, R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.used == self.segment.len() {
            self.next_segment()?;
        }
        Ok(&self.segment[self.used..])
    }

    fn consume(&mut self, n: usize) {
        self.used += n;
    }
}

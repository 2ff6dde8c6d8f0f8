//! Sealing one attachment while it streams from its source to a spool file.

use std::io::{self, Read, Write};
use std::sync::mpsc::{SyncSender, sync_channel};

use age::Encryptor;
use postfach_domain::hash::Digest;
use postfach_domain::id::AttachmentId;
use postfach_domain::limits;
use postfach_domain::padding::padded_len;
use postfach_domain::segments::{SEGMENT_LEN, SegmentRoot, segment_leaf};
use rand_core::{CryptoRng, RngCore};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::{BUFFER, PADDING_FLOOR};
use crate::hybrid::HybridIdentity;

/// Why an attachment was not sealed. The spool file is worthless then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttachmentSealError {
    /// More than the limit of one attachment.
    #[error("an attachment has at most {limit} bytes, this one has {got}")]
    TooLarge {
        /// Bytes that one may have.
        limit: u64,
        /// Bytes that were announced.
        got: u64,
    },
    /// The source ended early: it changed while it was read.
    #[error("the source ended after {got} of {expected} bytes")]
    SourceShorter {
        /// Bytes announced.
        expected: u64,
        /// Bytes read.
        got: u64,
    },
    /// The source goes on after the announced length: it changed while it was read.
    #[error("the source has more than the {expected} bytes announced")]
    SourceLonger {
        /// Bytes announced.
        expected: u64,
    },
    /// The source cannot be read.
    #[error("cannot read the source: {0}")]
    Read(#[source] io::Error),
    /// The spool cannot be written.
    #[error("cannot write the spool: {0}")]
    Write(#[source] io::Error),
    /// Sealing failed below us.
    #[error(transparent)]
    Age(#[from] crate::age_file::AgeSealError),
}

/// A sealed attachment: what letter and outer header need, and what an upload sends.
#[derive(Debug, Clone)]
pub struct SealedAttachment {
    /// As given.
    pub id: AttachmentId,
    /// Length of the content in bytes.
    pub plain_len: u64,
    /// SHA-256 of the content.
    pub plain_sha256: Digest,
    /// Bytes written to the spool.
    pub ct_len: u64,
    /// Hash of each 4 MiB segment of the spool, in order.
    pub leaves: Vec<Digest>,
    /// RFC 6962 root over `leaves`.
    pub ct_root: Digest,
    /// The one-off secret key that opens the file; it stands in the letter.
    pub identity: HybridIdentity,
}

/// Seals `plain_len` bytes of `source` into `spool`. Memory is one segment and a few blocks, whatever the length. The spool
/// is flushed, not synced: that is the owner's business. One thread encrypts, another one hashes and writes.
pub fn seal_attachment(
    id: AttachmentId,
    plain_len: u64,
    source: impl Read,
    spool: impl Write + Send,
    rng: &mut (impl CryptoRng + RngCore),
) -> Result<SealedAttachment, AttachmentSealError> {
    let limit = limits::ATTACHMENT_LEN;
    if plain_len > limit {
        return Err(AttachmentSealError::TooLarge { limit, got: plain_len });
    }
    let identity = HybridIdentity::generate(rng);
    let recipient = identity.to_recipient();
    let one: &dyn age::Recipient = &recipient;
    let encryptor = Encryptor::with_recipients(std::iter::once(one))
        .map_err(|e| crate::age_file::AgeSealError(e.to_string()))?;
    let segments = SegmentWriter::new(id, spool);
    let (plain_sha256, written) = beside(segments, |blocks| {
        let mut writer = encryptor.wrap_output(blocks).map_err(AttachmentSealError::Write)?;
        let plain_sha256 = copy_exactly(plain_len, source, &mut writer)?;
        write_zeros(padded_len(plain_len, PADDING_FLOOR) - plain_len, &mut writer)
            .and_then(|()| writer.finish()?.flush())
            .map_err(AttachmentSealError::Write)?;
        Ok(plain_sha256)
    })?;
    let (ct_len, leaves, ct_root) = written;
    Ok(SealedAttachment { id, plain_len, plain_sha256, ct_len, leaves, ct_root, identity })
}

/// Length, leaves and root of what was written.
type Written = (u64, Vec<Digest>, Digest);

/// Lets `make` write into blocks that another thread hashes and passes on. What failed there counts before what follows
/// from it here.
fn beside<T>(
    mut segments: SegmentWriter<impl Write + Send>,
    make: impl FnOnce(Blocks) -> Result<T, AttachmentSealError>,
) -> Result<(T, Written), AttachmentSealError> {
    let (sender, blocks) = sync_channel::<Vec<u8>>(WAITING);
    std::thread::scope(|scope| {
        let writing = scope.spawn(move || {
            for block in blocks {
                segments.write_all(&block)?;
            }
            segments.finish()
        });
        let made = make(Blocks { sender, block: Vec::with_capacity(BLOCK) });
        let written = match writing.join() {
            Ok(written) => written.map_err(AttachmentSealError::Write),
            Err(panic) => std::panic::resume_unwind(panic),
        };
        match (made, written) {
            (Ok(made), Ok(written)) => Ok((made, written)),
            (_, Err(failed)) | (Err(failed), _) => Err(failed),
        }
    })
}

/// Bytes that change threads at once, and how many such blocks wait.
const BLOCK: usize = 256 * 1024;
const WAITING: usize = 4;

/// Collects what is written and hands it over in blocks.
struct Blocks {
    sender: SyncSender<Vec<u8>>,
    block: Vec<u8>,
}

impl Blocks {
    fn hand_over(&mut self) -> io::Result<()> {
        let block = std::mem::replace(&mut self.block, Vec::with_capacity(BLOCK));
        self.sender.send(block).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for Blocks {
    /// Takes everything, always: `age` writes its header in a way that takes a short write for a full buffer.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.block.extend_from_slice(bytes);
        if self.block.len() >= BLOCK {
            self.hand_over()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.block.is_empty() { Ok(()) } else { self.hand_over() }
    }
}

/// Copies exactly `len` bytes, hashing them; the source must end there.
fn copy_exactly(len: u64, mut source: impl Read, to: &mut impl Write) -> Result<Digest, AttachmentSealError> {
    let mut hasher = Sha256::new();
    let mut buffer = Zeroizing::new(vec![0; BUFFER]);
    let mut got = 0;
    loop {
        let n = match source.read(&mut buffer) {
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(AttachmentSealError::Read(e)),
        };
        if n == 0 {
            break;
        }
        got += n as u64;
        if got > len {
            return Err(AttachmentSealError::SourceLonger { expected: len });
        }
        hasher.update(&buffer[..n]);
        to.write_all(&buffer[..n]).map_err(AttachmentSealError::Write)?;
    }
    if got < len {
        return Err(AttachmentSealError::SourceShorter { expected: len, got });
    }
    Ok(Digest(hasher.finalize().into()))
}

fn write_zeros(mut count: u64, to: &mut impl Write) -> io::Result<()> {
    let zeros = [0; 4096];
    while count > 0 {
        let n = usize::try_from(count).unwrap_or(usize::MAX).min(zeros.len());
        to.write_all(&zeros[..n])?;
        count -= n as u64;
    }
    Ok(())
}

/// Passes ciphertext on and hashes it segment by segment.
struct SegmentWriter<W> {
    id: AttachmentId,
    inner: W,
    segment: Vec<u8>,
    leaves: Vec<Digest>,
    root: SegmentRoot,
    total: u64,
}

impl<W: Write> SegmentWriter<W> {
    fn new(id: AttachmentId, inner: W) -> Self {
        Self { id, inner, segment: Vec::new(), leaves: Vec::new(), root: SegmentRoot::new(), total: 0 }
    }

    fn close_segment(&mut self) {
        let leaf = segment_leaf(&self.id, self.leaves.len() as u64, &self.segment);
        self.root.push(leaf);
        self.leaves.push(leaf);
        self.segment.clear();
    }

    fn finish(mut self) -> io::Result<Written> {
        if !self.segment.is_empty() {
            self.close_segment();
        }
        self.inner.flush()?;
        Ok((self.total, self.leaves, self.root.root()))
    }
}

impl<W: Write> Write for SegmentWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.inner.write_all(bytes)?;
        let mut rest = bytes;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(SEGMENT_LEN - self.segment.len()));
            self.segment.extend_from_slice(now);
            if self.segment.len() == SEGMENT_LEN {
                self.close_segment();
            }
            rest = later;
        }
        self.total += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

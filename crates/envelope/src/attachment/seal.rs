//! Sealing one attachment while it streams from its source to a spool file, segment by segment.

use std::io::{self, Read, Write};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};

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
use crate::age_file::{MAX_HEADER, header_len, payload_len};
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

/// One segment of the sealed file, as soon as it is there.
#[derive(Debug)]
pub struct SealedSegment {
    /// Bytes of the whole sealed file, known from its header on.
    pub ct_len: u64,
    /// Place in the file, from 0.
    pub index: u64,
    /// Its hash.
    pub leaf: Digest,
    /// 4 MiB, or what is left at the end.
    pub bytes: Vec<u8>,
}

/// Seals `plain_len` bytes of `source` into `spool`, see [`seal_segments`]. The spool is flushed, not synced: that is the
/// owner's business.
pub fn seal_attachment(
    id: AttachmentId,
    plain_len: u64,
    source: impl Read,
    mut spool: impl Write + Send,
    rng: &mut (impl CryptoRng + RngCore),
) -> Result<SealedAttachment, AttachmentSealError> {
    let write = |segment: SealedSegment| {
        spool.write_all(&segment.bytes)?;
        Ok(segment.bytes)
    };
    let sealed = seal_segments(id, plain_len, source, write, rng)?;
    spool.flush().map_err(AttachmentSealError::Write)?;
    Ok(sealed)
}

/// Seals `plain_len` bytes of `source` and gives each segment to `take`, in their order; what `take` returns is used for a
/// later segment, so that memory is not asked for again and again. Memory is two segments and a few blocks, whatever the
/// length. One thread encrypts, another one hashes and calls `take`.
pub fn seal_segments(
    id: AttachmentId,
    plain_len: u64,
    source: impl Read,
    take: impl FnMut(SealedSegment) -> io::Result<Vec<u8>> + Send,
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
    let padded = padded_len(plain_len, PADDING_FLOOR);
    let segments = Segments::new(id, payload_len(padded), take);
    let (plain_sha256, written) = beside(segments, |segment| {
        let mut writer = encryptor.wrap_output(segment).map_err(AttachmentSealError::Write)?;
        let plain_sha256 = copy_exactly(plain_len, source, &mut writer)?;
        write_zeros(padded - plain_len, &mut writer)
            .and_then(|()| writer.finish()?.flush())
            .map_err(AttachmentSealError::Write)?;
        Ok(plain_sha256)
    })?;
    let (ct_len, leaves, ct_root) = written;
    Ok(SealedAttachment { id, plain_len, plain_sha256, ct_len, leaves, ct_root, identity })
}

/// Length, leaves and root of what was written.
type Written = (u64, Vec<Digest>, Digest);

/// Lets `make` write into segments that another thread hashes and passes on. What failed there counts before what follows
/// from it here.
fn beside<T>(
    mut segments: Segments<impl FnMut(SealedSegment) -> io::Result<Vec<u8>> + Send>,
    make: impl FnOnce(Filling) -> Result<T, AttachmentSealError>,
) -> Result<(T, Written), AttachmentSealError> {
    // While one is hashed and written, the next one is filled; there is no third.
    let (sender, full) = sync_channel::<Vec<u8>>(0);
    let (giver, spare) = channel();
    let capacity = usize::try_from(segments.longest()).map_or(SEGMENT_LEN, |len| len.min(SEGMENT_LEN));
    std::thread::scope(|scope| {
        let writing = scope.spawn(move || {
            for segment in full {
                // Nobody waits for it after the last one.
                let _ = giver.send(segments.pass_on(segment)?);
            }
            segments.finish()
        });
        let made = make(Filling { sender, spare, capacity, segment: Vec::with_capacity(capacity) });
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

/// Collects what is written and hands it over in segments.
struct Filling {
    sender: SyncSender<Vec<u8>>,
    spare: Receiver<Vec<u8>>,
    /// Bytes that a segment may become.
    capacity: usize,
    segment: Vec<u8>,
}

impl Filling {
    fn hand_over(&mut self) -> io::Result<()> {
        let mut next = self.spare.try_recv().unwrap_or_default();
        next.clear();
        next.reserve_exact(self.capacity);
        let full = std::mem::replace(&mut self.segment, next);
        self.sender.send(full).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for Filling {
    /// Takes everything, always: `age` writes its header in a way that takes a short write for a full buffer.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(SEGMENT_LEN - self.segment.len()));
            self.segment.extend_from_slice(now);
            if self.segment.len() == SEGMENT_LEN {
                self.hand_over()?;
            }
            rest = later;
        }
        Ok(bytes.len())
    }

    /// Hands over the last segment.
    fn flush(&mut self) -> io::Result<()> {
        if self.segment.is_empty() { Ok(()) } else { self.hand_over() }
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

/// Hashes segments and passes them on.
struct Segments<F> {
    id: AttachmentId,
    /// Bytes of the file behind its header.
    payload: u64,
    /// Bytes of the file, once its header was seen.
    ct_len: u64,
    take: F,
    leaves: Vec<Digest>,
    root: SegmentRoot,
    total: u64,
}

impl<F: FnMut(SealedSegment) -> io::Result<Vec<u8>>> Segments<F> {
    fn new(id: AttachmentId, payload: u64, take: F) -> Self {
        Self { id, payload, ct_len: 0, take, leaves: Vec::new(), root: SegmentRoot::new(), total: 0 }
    }

    /// At least the length of the file.
    fn longest(&self) -> u64 {
        self.payload.saturating_add(MAX_HEADER as u64)
    }

    /// Gives back memory that can be used again.
    fn pass_on(&mut self, bytes: Vec<u8>) -> io::Result<Vec<u8>> {
        let index = self.leaves.len() as u64;
        if index == 0 {
            let header = header_len(&bytes).ok_or_else(|| io::Error::other("an age file without header"))?;
            self.ct_len = header as u64 + self.payload;
        }
        let leaf = segment_leaf(&self.id, index, &bytes);
        self.root.push(leaf);
        self.leaves.push(leaf);
        self.total += bytes.len() as u64;
        (self.take)(SealedSegment { ct_len: self.ct_len, index, leaf, bytes })
    }

    fn finish(self) -> io::Result<Written> {
        if self.total != self.ct_len {
            return Err(io::Error::other("the sealed file has another length than its header promised"));
        }
        Ok((self.total, self.leaves, self.root.root()))
    }
}

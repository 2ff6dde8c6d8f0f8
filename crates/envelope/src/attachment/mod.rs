//! Attachments (SPEC 4): one age file each, to a one-off identity whose secret stands in the letter; padded, cut into
//! segments, streamed with flat memory.
//!
//! The segment hashes and their root are pure verification and live in `postfach_domain::segments`.

mod open;
mod open_error;
mod seal;
mod segment_hashes;
mod verifying;

pub use open::open_attachment;
pub use open_error::AttachmentOpenError;
pub use seal::{AttachmentSealError, SealedAttachment, SealedSegment, seal_attachment, seal_segments};
pub use segment_hashes::SegmentHashes;

use postfach_domain::hash::Digest;
use postfach_domain::id::AttachmentId;

use crate::hybrid::HybridIdentity;

/// Padding floor of an attachment's plaintext in bytes.
pub const PADDING_FLOOR: u64 = 64 * 1024;
/// How much is read and written at once.
const BUFFER: usize = 64 * 1024;

/// One attachment of a letter, as the verified letter names it. It opens the file that the server stores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Chosen by the sender.
    pub id: AttachmentId,
    /// Base name as the sender wrote it: may hold anything, clean it before it touches a disk or a terminal.
    pub name: String,
    /// As the sender wrote it.
    pub media_type: String,
    /// Length of the content in bytes.
    pub plain_len: u64,
    /// SHA-256 of the content.
    pub plain_sha256: Digest,
    /// Length of the stored file in bytes.
    pub ct_len: u64,
    /// Root over the stored file's segments.
    pub ct_root: Digest,
    /// The one-off secret key.
    pub identity: HybridIdentity,
}

#[cfg(test)]
mod tests;

//! The list of segment hashes that the server gives, once it fits the signed root.

use postfach_domain::hash::Digest;
use postfach_domain::id::AttachmentId;
use postfach_domain::segments::{self, segment_count, segment_leaf};

use super::Attachment;
use super::open_error::AttachmentOpenError;

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

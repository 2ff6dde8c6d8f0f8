//! Where attachment ciphertext lies, segment by segment. Which message may use it, and its root, stand in the
//! database; nothing here knows senders or messages.

mod local;

#[cfg(test)]
mod contract;
#[cfg(test)]
pub mod faulty;

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use postfach_domain::hash::Digest;

pub use local::{Hold, LocalBlobs};

/// Names one blob: 16 random bytes chosen by the server.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlobKey(pub [u8; 16]);

impl std::fmt::Display for BlobKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl std::fmt::Debug for BlobKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// Names one segment. The leaf hash (SPEC 4) is part of the name: other bytes for the same index never replace what an
/// earlier write stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SegmentName {
    /// Its blob.
    pub blob: BlobKey,
    /// Position in the ciphertext.
    pub index: u64,
    /// Leaf hash of its bytes.
    pub leaf: Digest,
}

/// Why a blob operation failed.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// The place could not do it (disk full, network); the same call may be repeated.
    #[error("blob store not available: {0}")]
    Unavailable(String),
    /// No such segment.
    #[error("no such segment")]
    NotFound,
}

/// What came of deleting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Deletion {
    /// Nothing is left.
    Done,
    /// A backup copies what was there; the same call may be repeated when it has ended.
    Held,
}

/// A future that borrows the store.
pub type BlobWork<'a, T> = Pin<Box<dyn Future<Output = Result<T, BlobError>> + Send + 'a>>;

/// A place for segments.
pub trait BlobStore: Send + Sync + std::fmt::Debug + 'static {
    /// Stores one segment. When it answers `Ok`, the bytes and their name survive a power cut. May be called twice,
    /// also at the same time; a reader sees all bytes or none.
    fn put(&self, name: SegmentName, bytes: Bytes) -> BlobWork<'_, ()>;

    /// Reads one whole segment. `NotFound` if it was never stored or its blob was deleted.
    fn get(&self, name: SegmentName) -> BlobWork<'_, Bytes>;

    /// Deletes all segments of a blob. `Ok` also if there are none; may be repeated after an error. `Held`, and
    /// nothing deleted, while a backup copies: what its snapshot names must stay until it is copied.
    fn delete(&self, blob: BlobKey) -> BlobWork<'_, Deletion>;
}

//! Where attachment ciphertext lies, segment by segment: in a local folder, or in an S3-compatible store. Which message
//! may use it, and its root, stand in the database; nothing here knows senders or messages.

mod local;
pub mod s3;

#[cfg(test)]
mod contract;
#[cfg(test)]
pub mod faulty;

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use postfach_domain::hash::Digest;
use tokio::sync::mpsc::Receiver;

pub use local::{FolderHold, LocalBlobs};
pub use s3::S3Blobs;

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

impl BlobKey {
    /// Where its segments lie below the root of every store: `ab/cd/<blob>`.
    pub fn folder(self) -> String {
        let name = self.to_string();
        format!("{}/{}/{name}", &name[..2], &name[2..4])
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

impl SegmentName {
    /// Where it lies below the root of every store: `ab/cd/<blob>/<index>-<leaf>`.
    pub fn path(self) -> String {
        format!("{}/{}-{}", self.blob.folder(), self.index, self.leaf)
    }

    /// Reads [`SegmentName::path`] back; one spelling only.
    pub fn from_path(path: &str) -> Option<Self> {
        let mut parts = path.rsplitn(3, '/');
        let (file, blob) = (parts.next()?, parts.next()?);
        let (index, leaf) = file.split_once('-')?;
        let name = Self {
            blob: BlobKey(hex::decode(blob).ok()?.try_into().ok()?),
            index: index.parse().ok()?,
            leaf: Digest(hex::decode(leaf).ok()?.try_into().ok()?),
        };
        (name.path() == path).then_some(name)
    }
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
    /// What lies there is not what was stored, as far as the store can tell. A folder cannot.
    #[error("the segment has other bytes than were stored")]
    Damaged,
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

/// Keeps every blob in place, whichever process deletes, until it is released. The store takes it back when its holder
/// dies: a folder at once, an S3-compatible store after [`s3::STALE`].
#[derive(Debug)]
#[must_use]
pub enum Hold {
    /// On a local folder.
    Folder(FolderHold),
    /// On an S3-compatible store.
    Lease(s3::Lease),
}

impl Hold {
    /// Fails where blobs may have been deleted since it was taken.
    pub fn check(&self) -> Result<(), BlobError> {
        match self {
            Self::Folder(_) => Ok(()),
            Self::Lease(lease) => lease.check(),
        }
    }

    /// Lets blobs be deleted again.
    pub async fn release(self) {
        if let Self::Lease(lease) = self {
            lease.release().await;
        }
    }
}

/// A future that borrows the store.
pub type BlobWork<'a, T> = Pin<Box<dyn Future<Output = Result<T, BlobError>> + Send + 'a>>;

/// Names on their way from a store; ends with the first error.
pub type Names = Receiver<Result<String, BlobError>>;

/// Names that wait to be taken.
const NAMES: usize = 1000;

/// A place for segments.
pub trait BlobStore: Send + Sync + std::fmt::Debug + 'static {
    /// Stores one segment. When it answers `Ok`, the bytes and their name survive a power cut. May be called twice,
    /// also at the same time; a reader sees all bytes or none.
    fn put(&self, name: SegmentName, bytes: Bytes) -> BlobWork<'_, ()>;

    /// Reads one whole segment. `NotFound` if it was never stored or its blob was deleted.
    fn get(&self, name: SegmentName) -> BlobWork<'_, Bytes>;

    /// Deletes all segments of a blob. `Ok` also if there are none; may be repeated after an error. `Held`, and
    /// nothing deleted, while a backup copies: what its snapshot names must stay until it is copied. Only for blobs that
    /// the database, as committed before this call, does not name.
    fn delete(&self, blob: BlobKey) -> BlobWork<'_, Deletion>;

    /// Keeps every blob in place that a snapshot of the database taken after this call names; `None` where another one
    /// holds them, or a blob is just being deleted.
    fn hold(&self) -> BlobWork<'_, Option<Hold>>;

    /// Paths of everything that is stored, in order, folder by folder: each should be a [`SegmentName::path`]. What is
    /// stored or deleted meanwhile may be missing or not. Needs a runtime.
    fn names(&self) -> Names;

    /// False from a segment that could not be stored until something can be.
    fn is_writable(&self) -> bool {
        true
    }

    /// Called every second by who serves: finds out whether something can be stored, where that is in doubt.
    fn look(&self) -> BlobWork<'_, ()> {
        Box::pin(std::future::ready(Ok(())))
    }
}

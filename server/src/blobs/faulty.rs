//! A blob store that fails by the same plan as the database: *failed* or *failed but stored*.

use std::sync::Arc;

use bytes::Bytes;

use super::{BlobError, BlobKey, BlobStore, BlobWork, Deletion, Hold, Names, SegmentName};
use crate::storage::faulty::{Fault, Plan};

/// Wraps a blob store.
#[derive(Debug)]
pub struct FaultyBlobs {
    inner: Arc<dyn BlobStore>,
    plan: Arc<Plan>,
}

impl FaultyBlobs {
    /// Works like the store inside unless the plan says otherwise.
    pub fn new(inner: Arc<dyn BlobStore>, plan: Arc<Plan>) -> Self {
        Self { inner, plan }
    }

    /// Does a step, and may say that it failed.
    fn step<'a, T: Send + 'a>(&self, work: BlobWork<'a, T>) -> BlobWork<'a, T> {
        let broken = || BlobError::Unavailable("fault on purpose".into());
        match self.plan.blob_step() {
            None => work,
            Some(Fault::Failed) => Box::pin(async move { Err(broken()) }),
            Some(Fault::FailedButStored) => Box::pin(async move {
                work.await?;
                Err(broken())
            }),
        }
    }
}

impl BlobStore for FaultyBlobs {
    fn put(&self, name: SegmentName, bytes: Bytes) -> BlobWork<'_, ()> {
        self.step(self.inner.put(name, bytes))
    }

    fn get(&self, name: SegmentName) -> BlobWork<'_, Bytes> {
        self.step(self.inner.get(name))
    }

    fn delete(&self, blob: BlobKey) -> BlobWork<'_, Deletion> {
        self.step(self.inner.delete(blob))
    }

    fn hold(&self) -> BlobWork<'_, Option<Hold>> {
        self.step(self.inner.hold())
    }

    fn names(&self) -> Names {
        self.inner.names()
    }
}

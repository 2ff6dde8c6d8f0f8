//! The hold of a backup on a bucket: an object that is written anew as long as the backup runs.
//!
//! It is enough that who deletes looks for it first, after the database's commit that gave the blob up. Was the hold there
//! already, nothing is deleted. Did it come later, so did the snapshot that it protects, which does not name the blob. No
//! lock is needed for that, only a store whose reads see what was written before, as S3's do.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use object_store::{ObjectStoreExt as _, PutMode, UpdateVersion};
use postfach_domain::time::Timestamp;
use rand_core::RngCore as _;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::trouble::Trouble;
use super::{HOLD, S3Blobs};
use crate::blobs::BlobError;
use crate::clock::system_chance;

/// A hold that was not written anew for so long is of somebody who died. The clocks of client and store may differ by 15
/// minutes, the most that S3 takes; what remains is more than [`LOST`].
pub const STALE: Duration = Duration::from_mins(20);
/// A holder who could not write it anew for so long must take it for lost.
const LOST: Duration = Duration::from_mins(4);
/// How often it is written anew.
const EVERY: Duration = Duration::from_secs(30);

/// A hold that is kept up until it is released. Dropped without that, it stays until it is stale.
#[derive(Debug)]
pub struct Lease {
    store: S3Blobs,
    /// When it was written for the last time.
    renewed: Arc<Mutex<Instant>>,
    end: DropGuard,
    task: JoinHandle<()>,
}

impl Lease {
    /// Takes it; `None` where another one has it.
    pub(super) async fn take(store: &S3Blobs) -> Result<Option<Self>, Trouble> {
        let mut text = [0; 16];
        system_chance().fill_bytes(&mut text);
        let text = Bytes::from(hex::encode(text));
        let begun = Instant::now();
        match put(store, &text, PutMode::Create).await {
            Ok(()) => {}
            Err(Trouble::Present) => {
                let Some(there) = read(store).await? else { return Ok(None) };
                // The same text is ours: it was stored, and the answer was lost.
                if there.text != text && !take_over(store, there, &text).await? {
                    return Ok(None);
                }
            }
            Err(other) => return Err(other),
        }
        let (renewed, end) = (Arc::new(Mutex::new(begun)), CancellationToken::new());
        let task = tokio::spawn(renew(store.clone(), text, renewed.clone(), end.clone()));
        Ok(Some(Self { store: store.clone(), renewed, end: end.drop_guard(), task }))
    }

    /// Fails where it may have been taken for stale.
    pub fn check(&self) -> Result<(), BlobError> {
        let renewed = *self.renewed.lock().unwrap_or_else(PoisonError::into_inner);
        if renewed.elapsed() < LOST {
            return Ok(());
        }
        Err(BlobError::Unavailable("the hold on the S3 store was lost".into()))
    }

    /// Lets blobs be deleted again.
    pub async fn release(self) {
        drop(self.end);
        // It ends by itself, and its last write must not come after the removal.
        let _ = self.task.await;
        if let Err(trouble) = self.store.remove(vec![HOLD.to_owned()]).await {
            tracing::warn!(%trouble, "the hold on the blobs stays for {} minutes", STALE.as_secs() / 60);
        }
    }
}

async fn renew(store: S3Blobs, text: Bytes, renewed: Arc<Mutex<Instant>>, end: CancellationToken) {
    loop {
        tokio::select! {
            () = end.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        let begun = Instant::now();
        match put(&store, &text, PutMode::Overwrite).await {
            Ok(()) => *renewed.lock().unwrap_or_else(PoisonError::into_inner) = begun,
            Err(trouble) => tracing::warn!(%trouble, "the hold on the blobs could not be renewed"),
        }
    }
}

/// Replaces a stale hold; false where it is not stale, or somebody else was faster.
async fn take_over(store: &S3Blobs, there: There, text: &Bytes) -> Result<bool, Trouble> {
    if !is_stale(store, &there) {
        return Ok(false);
    }
    tracing::warn!("a hold on the blobs was left behind by a backup that did not end; it is replaced");
    match put(store, text, PutMode::Update(there.version)).await {
        Ok(()) => Ok(true),
        Err(Trouble::Present | Trouble::Absent) => Ok(false),
        Err(other) => Err(other),
    }
}

/// True while somebody holds the blobs.
pub(super) async fn is_held(store: &S3Blobs) -> Result<bool, Trouble> {
    Ok(read(store).await?.is_some_and(|there| !is_stale(store, &there)))
}

fn is_stale(store: &S3Blobs, there: &There) -> bool {
    let age = store.0.clock.now().0.saturating_sub(there.written.0);
    u128::from(age) > STALE.as_millis()
}

async fn put(store: &S3Blobs, text: &Bytes, mode: PutMode) -> Result<(), Trouble> {
    store.write(HOLD, text.clone(), mode.into(), store.0.patience).await.map(drop)
}

/// A hold as it stands in the store.
struct There {
    text: Bytes,
    /// When the store took it.
    written: Timestamp,
    version: UpdateVersion,
}

async fn read(store: &S3Blobs) -> Result<Option<There>, Trouble> {
    let path = store.path(HOLD);
    let read = || async {
        let found = store.0.store.get(&path).await?;
        let written = u64::try_from(found.meta.last_modified.timestamp_millis()).unwrap_or_default();
        let version = UpdateVersion { e_tag: found.meta.e_tag.clone(), version: None };
        Ok(There { text: found.bytes().await?, written: Timestamp(written), version })
    };
    match store.attempts(HOLD, read).await {
        Ok(found) => Ok(Some(found)),
        Err(Trouble::Absent) => Ok(None),
        Err(other) => Err(other),
    }
}

//! What runs beside the calls: WAL checkpoints, uploads that nobody used, blobs that nothing names any more.

use std::sync::Arc;
use std::time::Duration;

use postfach_domain::decide::Refusal;
use tokio::task::JoinHandle;

use super::{App, AppError};
use crate::blobs::{BlobKey, BlobStore, Deletion};
use crate::clock::{Clock as _, StoreClock};
use crate::commit::{Applied, Committer, Needs, Operation, WorkingSet};
use crate::storage::sql::attachments::{self, Attachment};
use crate::storage::{Ask, Store};

/// How often the write-ahead log is copied into the main file.
const TIDY_EVERY: Duration = Duration::from_secs(1);
/// How often the blob store is asked whether it can store.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often expired uploads and blobs are looked for.
const CLEAN_EVERY: Duration = Duration::from_mins(5);
/// Uploads or blobs of one round.
const ROUND: u64 = 100;

/// When deleting may be tried again while a backup copies, in milliseconds.
const HELD_MS: u64 = 60_000;

/// What housekeeping works with.
#[derive(Clone)]
pub(super) struct Housekeeping {
    pub(super) store: Arc<dyn Store>,
    pub(super) blobs: Arc<dyn BlobStore>,
    pub(super) committer: Arc<Committer>,
    pub(super) clock: Arc<StoreClock>,
}

impl Housekeeping {
    /// Starts what runs until it is aborted.
    pub(super) fn spawn(self) -> [JoinHandle<()>; 3] {
        let (cleaner, looker) = (self.clone(), self.clone());
        [
            tokio::spawn(self.keep_tidy()),
            tokio::spawn(cleaner.keep_clean()),
            tokio::spawn(looker.keep_looking()),
        ]
    }

    /// Finds out whether attachments can be stored.
    async fn keep_looking(self) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            if let Err(error) = self.blobs.look().await {
                tracing::warn!(%error, "blobs cannot be stored");
            }
        }
    }

    /// Keeps the write-ahead log short, off the commit path; keeps the clock with the store's; and after a failure finds out when storing works again.
    async fn keep_tidy(self) {
        loop {
            tokio::time::sleep(TIDY_EVERY).await;
            if let Err(error) = self.store.tidy(false).await {
                tracing::warn!(%error, "storage housekeeping");
            }
            // Calls that only read would not tell the committer that the store is away.
            match self.store.now().await {
                Ok(now) => drop(self.clock.follow(now)),
                Err(error) => {
                    tracing::warn!(%error, "the store does not answer");
                    self.committer.doubt();
                }
            }
            if !self.committer.is_healthy() {
                // The answer is in `is_healthy`.
                let _ = self.committer.submit(Probe).await;
            }
        }
    }

    async fn keep_clean(self) {
        loop {
            tokio::time::sleep(CLEAN_EVERY).await;
            match self.clean().await {
                // A backup runs, which is said where it was found; the next round is soon enough.
                Ok(_) | Err(AppError::Unavailable { .. }) => {}
                Err(error) => tracing::warn!(%error, "cleaning"),
            }
        }
    }

    /// One round: drops expired uploads that no message uses, then deletes blobs that nothing names. A crash in between
    /// loses nothing.
    pub(super) async fn clean(&self) -> Result<u64, AppError> {
        let expired = attachments::expired(&mut Ask(&*self.store), self.clock.now(), ROUND).await?;
        if !expired.is_empty() {
            self.committer.submit(DropExpired { expired }).await?;
        }
        let garbage = attachments::garbage(&mut Ask(&*self.store), ROUND).await?;
        for blob in &garbage {
            if self.blobs.delete(*blob).await? == Deletion::Held {
                tracing::info!("blobs that wait for deletion stay until the backup that copies has ended");
                return Err(AppError::Unavailable { retry_after_ms: HELD_MS });
            }
        }
        let count = garbage.len() as u64;
        if count > 0 {
            self.committer.submit(Collected { deleted: garbage }).await?;
        }
        Ok(count)
    }
}

impl App {
    /// One round of cleaning now, which also runs every five minutes: drops expired uploads that no message uses and
    /// deletes blobs that nothing names. Answers how many blobs were deleted.
    pub async fn clean(&self) -> Result<u64, AppError> {
        let parts = Housekeeping {
            store: self.store.clone(),
            blobs: self.blobs.clone(),
            committer: self.committer.clone(),
            clock: self.clock.clone(),
        };
        parts.clean().await
    }
}

/// Writes what is there already; shows whether anything can be written. On a full disk a transaction can be opened.
#[derive(Debug)]
struct Probe;

impl Operation for Probe {
    fn needs(&self, _needs: &mut Needs) {}

    fn apply(&self, set: &mut WorkingSet) -> Result<Applied, Refusal> {
        set.changes.probe = true;
        Ok(Applied::Stored)
    }
}

/// Drops uploads whose time is over.
#[derive(Debug)]
struct DropExpired {
    expired: Vec<Attachment>,
}

impl Operation for DropExpired {
    fn needs(&self, needs: &mut Needs) {
        needs.attachments.extend(self.expired.iter().map(|a| (a.sender_no, a.attachment_id)));
    }

    fn apply(&self, set: &mut WorkingSet) -> Result<Applied, Refusal> {
        for seen in &self.expired {
            let key = (seen.sender_no, seen.attachment_id);
            // A message may have begun to use it since it was listed.
            let current = set.attachments.get(&key);
            if current.is_some_and(|a| a.blob == seen.blob && a.refs == 0 && a.expires_at <= set.now()) {
                set.attachments.remove(&key);
                set.changes.dropped_blobs.push(seen.blob);
            }
        }
        Ok(Applied::Stored)
    }
}

/// Forgets blobs that the blob store has deleted.
#[derive(Debug)]
struct Collected {
    deleted: Vec<BlobKey>,
}

impl Operation for Collected {
    fn needs(&self, _needs: &mut Needs) {}

    fn apply(&self, set: &mut WorkingSet) -> Result<Applied, Refusal> {
        set.changes.collected.extend(&self.deleted);
        Ok(Applied::Stored)
    }
}

//! What runs beside the calls: WAL checkpoints, uploads that nobody used, blobs that nothing names any more.

use std::sync::Arc;
use std::time::Duration;

use postfach_domain::decide::Refusal;
use tokio::task::JoinHandle;

use super::{App, AppError};
use crate::blobs::BlobKey;
use crate::commit::{Applied, Needs, Operation, WorkingSet};
use crate::storage::sql::attachments::{self, Attachment};
use crate::storage::{Ask, Store};

/// How often the write-ahead log is copied into the main file.
const TIDY_EVERY: Duration = Duration::from_secs(1);
/// Uploads or blobs of one round.
const ROUND: u64 = 100;

/// Keeps the write-ahead log short, off the commit path.
pub(super) fn tidy(store: Arc<dyn Store>) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(TIDY_EVERY).await;
            if let Err(error) = store.tidy(false).await {
                tracing::warn!(%error, "storage housekeeping");
            }
        }
    })
}

impl App {
    /// One round of cleaning: drops expired uploads that no message uses, then deletes blobs that nothing names.
    /// Answers how many blobs were deleted. Safe to call at any time; a crash in between loses nothing.
    pub async fn clean(&self) -> Result<u64, AppError> {
        let expired = attachments::expired(&mut Ask(&*self.store), self.now(), ROUND).await?;
        if !expired.is_empty() {
            self.submit(DropExpired { expired }).await?;
        }
        let garbage = attachments::garbage(&mut Ask(&*self.store), ROUND).await?;
        let mut deleted = Vec::new();
        for blob in garbage {
            self.blobs.delete(blob).await?;
            deleted.push(blob);
        }
        let count = deleted.len() as u64;
        if count > 0 {
            self.submit(Collected { deleted }).await?;
        }
        Ok(count)
    }

    /// Cleans every now and then until the task is aborted; the server spawns it.
    pub async fn keep_clean(&self, every: Duration) {
        loop {
            tokio::time::sleep(every).await;
            if let Err(error) = self.clean().await {
                tracing::warn!(%error, "cleaning");
            }
        }
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

//! Tells the owner of a mailbox that something happened in it. A hint, and no more: what happened, and the proof of it,
//! is Sync's to say.

use std::sync::Arc;

use postfach_domain::time::Timestamp;

use super::get_chain::own_address;
use super::waiting::{Waiting, WatchEnd, Watcher, Woken};
use super::{App, AppError, cursor};
use crate::evidence::LogName;
use crate::storage::Ask;
use crate::storage::sql::events;
use crate::watch::Topic;

/// What a watching owner hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailboxNews {
    /// Something lies behind the cursor.
    News,
    /// Nothing happened; the server's clock.
    Heartbeat(Timestamp),
}

/// A mailbox that is being watched.
pub struct MailboxWatch {
    waiting: Waiting,
    /// Everything before this place in the log is known to the caller, or was announced.
    told: u64,
    /// Something lay behind the cursor when the watch began.
    pending: bool,
}

impl App {
    /// Watches the caller's mailbox from a cursor on (empty: from the start).
    pub async fn watch(self: &Arc<Self>, watcher: Watcher, cursor: &str) -> Result<MailboxWatch, AppError> {
        self.require_member(&watcher.caller).await?;
        let (address, from) = (own_address(&watcher.caller)?, cursor::index("cursor", cursor)?);
        let mailbox = self.mailbox(&address).await?.ok_or(AppError::NotFound)?;
        let waiting = Waiting::begin(self, watcher, Topic::Received(mailbox.no))?;
        let size = self.logs().newest().await?.size(LogName::Evidence);
        let there = events::of_recipient(&mut Ask(&*self.store), mailbox.no, from, size, 1).await?;
        Ok(MailboxWatch { waiting, told: from.max(size), pending: !there.is_empty() })
    }
}

impl MailboxWatch {
    /// The server's clock.
    pub fn now(&self) -> Timestamp {
        self.waiting.app.now()
    }

    /// Waits for what comes next; a first sign of life comes at once.
    pub async fn next(&mut self) -> Result<MailboxNews, WatchEnd> {
        if std::mem::take(&mut self.pending) {
            return Ok(MailboxNews::News);
        }
        loop {
            match self.waiting.next().await? {
                Woken::Beat => return Ok(MailboxNews::Heartbeat(self.waiting.app.now())),
                Woken::News(end) if end > self.told => {
                    self.told = end;
                    return Ok(MailboxNews::News);
                }
                // The first read had seen it already.
                Woken::News(_) => {}
            }
        }
    }
}

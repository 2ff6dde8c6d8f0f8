//! What happens to the caller's messages, as it happens: the pages of ListDeliveryEvents, each as soon as there is
//! something for it.

use std::sync::Arc;

use postfach_domain::time::Timestamp;

use super::waiting::{Waiting, WatchEnd, Watcher, Woken};
use super::{App, AppError, DeliveryEvents, cursor};
use crate::watch::Topic;

/// What a watching sender hears.
#[derive(Debug)]
pub enum DeliveryNews {
    /// The next page, never empty.
    Page(Box<DeliveryEvents>),
    /// Nothing happened; the server's clock.
    Heartbeat(Timestamp),
}

/// A sender's messages that are being watched.
pub struct DeliveryWatch {
    waiting: Waiting,
    cursor: String,
    /// True while there may be more behind the cursor.
    reading: bool,
}

impl App {
    /// Watches the caller's messages from a cursor on (empty: from the start).
    pub async fn watch_delivery_events(
        self: &Arc<Self>,
        watcher: Watcher,
        cursor: String,
    ) -> Result<DeliveryWatch, AppError> {
        self.require_member(&watcher.caller).await?;
        cursor::index("cursor", &cursor)?;
        let sender_no = self.party_no(&watcher.caller.party).await?.ok_or(AppError::NotFound)?;
        let waiting = Waiting::begin(self, watcher, Topic::Sent(sender_no))?;
        Ok(DeliveryWatch { waiting, cursor, reading: true })
    }
}

impl DeliveryWatch {
    /// The server's clock.
    pub fn now(&self) -> Timestamp {
        self.waiting.app.now()
    }

    /// Waits for what comes next: all pages that are there, then a sign of life, then what happens.
    pub async fn next(&mut self) -> Result<DeliveryNews, WatchEnd> {
        loop {
            if self.reading {
                self.waiting.may_go_on().await?;
                let app = &self.waiting.app;
                let page = app.list_delivery_events(self.waiting.caller(), &self.cursor, 0).await?;
                self.reading = page.has_more;
                self.cursor.clone_from(&page.next_cursor);
                if !page.events.is_empty() {
                    return Ok(DeliveryNews::Page(Box::new(page)));
                }
            }
            match self.waiting.next().await? {
                Woken::News(_) => self.reading = true,
                Woken::Beat => return Ok(DeliveryNews::Heartbeat(self.waiting.app.now())),
            }
        }
    }
}

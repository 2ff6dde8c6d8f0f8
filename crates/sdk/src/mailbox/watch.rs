//! Hearing that something happened in the mailbox. What it was, a sync says and proves.

use postfach_proto::v1;
use postfach_proto::v1::mailbox_service_client::MailboxServiceClient;
use postfach_proto::v1::watch_response::Happening as Wire;

use super::Mailbox;
use crate::client::Pace;
use crate::error::Error;
use crate::news::{Happening, Heard, Line, opened};
use crate::state::SyncState;

impl Happening for v1::WatchResponse {
    type News = ();

    fn news(self) -> Option<()> {
        matches!(self.happening, Some(Wire::News(_))).then_some(())
    }
}

/// An open stream of hints.
#[derive(Debug)]
pub struct MailboxNews(Line<v1::WatchResponse>);

impl MailboxNews {
    /// Waits until there is something to sync. An error [`Error::ServerAway`] means that the line broke: sync, and open
    /// another stream.
    pub async fn next(&mut self) -> Result<Heard<()>, Error> {
        self.0.next().await
    }
}

impl Mailbox {
    /// Listens for what comes after this state of a sync.
    pub async fn news(&self, state: &SyncState) -> Result<MailboxNews, Error> {
        let request = v1::WatchRequest { cursor: state.cursor.clone() };
        let line = self.client.call(Pace::Normal, request, |channel, request| async move {
            MailboxServiceClient::new(channel).watch(request).await.map(opened)
        });
        Ok(MailboxNews(line.await?))
    }
}

//! Counts for the operator.

use super::{App, AppError, Status};
use crate::evidence::LogName;
use crate::storage::Ask;
use crate::storage::sql::{mailboxes, messages};

impl App {
    /// Counts for the operator.
    pub async fn status(&self) -> Result<Status, AppError> {
        let mut query = Ask(&*self.store);
        let mailbox_count = mailboxes::count(&mut query).await?;
        let message_count = messages::count(&mut query).await?;
        let snapshot = self.view.newest().await?;
        Ok(Status {
            keys_size: snapshot.size(LogName::Keys),
            evidence_size: snapshot.size(LogName::Evidence),
            mailbox_count,
            message_count,
            ready: self.is_ready(),
        })
    }
}

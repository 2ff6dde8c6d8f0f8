//! What became of a message that the caller sent, and on request the sealed message itself.

use postfach_domain::id::MessageId;

use super::answers::bytes;
use super::{App, AppError, Caller, Delivery, Submission};
use crate::storage::sql::messages;

impl App {
    /// A message that the caller sent.
    pub async fn get_delivery(
        &self,
        caller: &Caller,
        message_id: MessageId,
        include_content: bool,
    ) -> Result<Delivery, AppError> {
        self.require_member(caller).await?;
        let mut query = self.store.snapshot().await?;
        let (message, rows) = Self::message_with_events(&mut *query, message_id).await?;
        if message.sender != caller.party {
            return Err(AppError::NotFound);
        }
        let submission = if include_content {
            messages::content(&mut *query, message.no).await?.map(|content| Submission {
                outer: content.outer.into(),
                cover: bytes(content.cover),
                letter: bytes(content.letter),
                signature: Some(content.signature),
                sender_copy: bytes(content.sender_copy),
            })
        } else {
            messages::outer(&mut *query, message.no).await?.map(|(outer, signature)| Submission {
                outer: outer.into(),
                signature: Some(signature),
                ..Submission::default()
            })
        };
        drop(query);
        let snapshot = self.state_with(&rows).await?;
        let events = self.logged_events(rows, &snapshot).await?;
        Ok(Delivery { events, submission, checkpoints: snapshot.checkpoints() })
    }
}
